"""Operations that compute nothing: they only make others run."""

from __future__ import annotations

from typing import Any

from flambeau.tf1 import shape_rules
from flambeau.tf1.arrays import identity
from flambeau.tf1.building import operation
from flambeau.tf1.graph import Operation, Tensor, get_default_graph
from flambeau.tf1.kind import Kind

NO_OP = Kind("NoOp", shape_rules.nothing, evaluate=lambda: ())


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing, after those it depends on by control."""
    return operation(NO_OP, name=name)


def group(*inputs: Any, name: str | None = None, **named: Any) -> Operation:
    """An operation that runs all `inputs` (operations, tensors, variables, lists of them).

    >>> import flambeau.tf1 as tf
    >>> one = tf.Variable(1)
    >>> tf.group(one.assign_add(1), name="both")
    <tf.Operation 'both' type=NoOp>
    """
    if named:
        raise ValueError(f"Unknown keyword arguments: {', '.join(named)}")
    found = _flat(inputs)
    graph = found[0].graph if found else get_default_graph()
    with graph.control_dependencies(found):
        return graph.create(NO_OP, (), (), name=name or "group_deps")


def _flat(inputs: Any) -> list[Operation]:
    found: list[Operation] = []
    for one in inputs:
        if isinstance(one, (list, tuple)):
            found += _flat(one)
        elif isinstance(one, Operation):
            found.append(one)
        elif isinstance(one, Tensor) or hasattr(one, "op"):
            found.append(one.op)
        elif one is not None:
            raise TypeError(
                f"Expected tf.group() expected Tensor, Variable or Operation objects, got {one!r}"
            )
    return found


def tuple_of(
    tensors: Any, name: str | None = None, control_inputs: Any = None
) -> list[Tensor | None]:
    """The tensors, each available only once all of them are computed (`tf.tuple`)."""
    graph = get_default_graph()
    before = [one for one in tensors if one is not None] + list(control_inputs or ())
    with graph.name_scope(name or "tuple"), graph.control_dependencies(before):
        return [None if one is None else identity(one) for one in tensors]
