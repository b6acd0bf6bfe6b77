"""Operations on the state of a session: reading variables, and writing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau.tensor.tensor import Tensor as Value
from flambeau.tf1 import dtypes, shape_rules
from flambeau.tf1.building import convert_to_tensor, operation
from flambeau.tf1.evaluation import Evaluation
from flambeau.tf1.graph import Operation, Tensor, as_tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import Static, compatible, describe, merged
from flambeau.tf1.values import tensor_of


def _read(evaluation: Evaluation, variable: Operation) -> list[Value | None]:
    """A variable is read by each operation that uses it; one that is fetched, at its own place."""
    tensor = variable.outputs[0]
    return [evaluation.reads(variable)[-1] if tensor in evaluation.fetches else None]


def _initialized(evaluation: Evaluation, asked: Operation) -> list[Any]:
    known = evaluation.state.has(asked.inputs[0].op)
    return [tensor_of(np.array(known), asked.outputs[0].dtype)]


def _written(
    combine: Callable[[Value, Value], Value] | None,
) -> Callable[[Evaluation, Operation], Sequence[Any]]:
    def evaluate(evaluation: Evaluation, made: Operation) -> Sequence[Any]:
        return evaluation.update(made.inputs[0].op, combine, evaluation.value(made.inputs[1]))

    return evaluate


def _scattered(
    combine: Callable[[Value, Value, Value], Value],
) -> Callable[[Evaluation, Operation], Sequence[Any]]:
    def evaluate(evaluation: Evaluation, made: Operation) -> Sequence[Any]:
        indices, updates = (evaluation.value(one) for one in made.inputs[1:])
        return evaluation.update(made.inputs[0].op, combine, indices.long(), updates)

    return evaluate


def _put(held: Value, indices: Value, updates: Value) -> Value:
    return held.index_put((indices,), updates.expand(*indices.shape, *held.shape[1:]))


def _added(held: Value, indices: Value, updates: Value) -> Value:
    updates = updates.expand(*indices.shape, *held.shape[1:])
    return held.index_put((indices,), updates, accumulate=True)


def _shape_after(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> list[Static]:
    held, value = inputs[0].static, inputs[1].static
    if not attributes["validate_shape"]:
        return [value]
    if not compatible(held, value):
        raise ValueError(
            f"Shapes must be equal: the variable's is {describe(held)}, the value's "
            f"{describe(value)}"
        )
    return [merged(held, value)]


VARIABLE = Kind("Variable", shape_rules.stated, in_session=_read)
IS_INITIALIZED = Kind(
    "IsVariableInitialized", shape_rules.scalar, in_session=_initialized, differentiable=False
)


def _assignment(name: str, evaluate: Any) -> Kind:
    return Kind(name, _shape_after, in_session=evaluate, differentiable=False)


ASSIGN = _assignment("Assign", _written(None))
ASSIGN_ADD = _assignment("AssignAdd", _written(lambda held, value: held + value))
ASSIGN_SUB = _assignment("AssignSub", _written(lambda held, value: held - value))


def _scatter(name: str, combine: Callable[[Value, Value, Value], Value]) -> Kind:
    return Kind(name, shape_rules.same, in_session=_scattered(combine), differentiable=False)


SCATTER_UPDATE = _scatter("ScatterUpdate", _put)
SCATTER_ADD = _scatter("ScatterAdd", _added)
SCATTER_SUB = _scatter("ScatterSub", lambda held, at, value: _added(held, at, -value))

# Kinds whose first input is a variable that they write.
WRITES = {ASSIGN, ASSIGN_ADD, ASSIGN_SUB, SCATTER_UPDATE, SCATTER_ADD, SCATTER_SUB}


def variable_tensor(ref: Any, verb: str) -> Tensor:
    """The tensor of the variable `ref`; ValueError if it is none."""
    tensor = as_tensor(ref)
    while tensor is not None and tensor.op.kind in WRITES:
        tensor = tensor.op.inputs[0]
    if tensor is None or tensor.op.kind is not VARIABLE:
        raise ValueError(f"{verb}: expected a variable, got {ref!r}")
    return tensor


def _write(
    kind: Kind, ref: Any, value: Any, name: str | None, validate_shape: bool = True
) -> Tensor:
    held = variable_tensor(ref, kind.name)
    tensor = convert_to_tensor(value, held.dtype)
    attributes = {"validate_shape": validate_shape}
    earlier = as_tensor(ref)
    graph = held.graph
    before = [earlier.op] if earlier is not None and earlier is not held else []
    with graph.control_dependencies(before):
        return operation(kind, [held, tensor], [held.dtype], attributes, name).outputs[0]


def assign(
    ref: Any,
    value: Any,
    validate_shape: bool | None = None,
    use_locking: bool | None = None,
    name: str | None = None,
) -> Tensor:
    """Write `value` into the variable `ref`; the result is the new value.

    >>> import flambeau.tf1 as tf
    >>> count = tf.Variable(1)
    >>> with tf.Session() as session:
    ...     _ = session.run(count.initializer)
    ...     session.run(tf.assign(count, count + 4))
    np.int32(5)
    """
    return _write(ASSIGN, ref, value, name, validate_shape is not False)


def assign_add(
    ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None
) -> Tensor:
    """Add `value` to the variable `ref`; the result is the new value."""
    return _write(ASSIGN_ADD, ref, value, name)


def assign_sub(
    ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None
) -> Tensor:
    """Subtract `value` from the variable `ref`; the result is the new value."""
    return _write(ASSIGN_SUB, ref, value, name)


def _write_slices(kind: Kind, ref: Any, indices: Any, updates: Any, name: str | None) -> Tensor:
    held = variable_tensor(ref, kind.name)
    inputs = [held, convert_to_tensor(indices), convert_to_tensor(updates, held.dtype)]
    return operation(kind, inputs, [held.dtype], {}, name).outputs[0]


def scatter_update(
    ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None
) -> Tensor:
    """Write rows of the variable `ref`; the result is the whole new value."""
    return _write_slices(SCATTER_UPDATE, ref, indices, updates, name)


def scatter_add(
    ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Add to rows of the variable `ref`; the result is the whole new value."""
    return _write_slices(SCATTER_ADD, ref, indices, updates, name)


def scatter_sub(
    ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Subtract from rows of the variable `ref`; the result is the whole new value."""
    return _write_slices(SCATTER_SUB, ref, indices, updates, name)


def is_variable_initialized(variable: Any) -> Tensor:
    """Whether the session has a value for the variable."""
    held = variable_tensor(variable, "is_variable_initialized")
    return operation(IS_INITIALIZED, [held], [dtypes.bool]).outputs[0]
