"""Python in the graph: functions of the values of a run, and what is made of values after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau.engine.capture import interrupt
from flambeau.tf1 import dtypes, shape_rules
from flambeau.tf1.building import convert_to_tensor, graph_of, operation
from flambeau.tf1.dtypes import as_dtype
from flambeau.tf1.evaluation import Evaluation, Later
from flambeau.tf1.graph import Operation, Tensor, as_tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.values import array_of, tensor_of


def _called(evaluation: Evaluation, made: Operation) -> Sequence[Any]:
    interrupt(f"'{made.name}' calls Python")
    values = [np.asarray(array_of(evaluation.value(one).detach())) for one in made.inputs]
    answer = made.attributes["function"](*values)
    if len(made.outputs) == 1 and not (isinstance(answer, (list, tuple)) and len(answer) == 1):
        answer = [answer]
    return [
        tensor_of(_checked(made, np.asarray(one), tensor), tensor.dtype)
        for one, tensor in zip(answer if made.outputs else (), made.outputs, strict=True)
    ]


def _checked(made: Operation, array: np.ndarray, tensor: Tensor) -> np.ndarray:
    if array.dtype != tensor.dtype.numpy:
        raise TypeError(
            f"the function of '{made.name}' returned {array.dtype} where {tensor.dtype.name} was "
            "declared"
        )
    return array


_PY_FUNC = Kind(
    "PyFunc",
    lambda inputs, attributes: [None] * attributes["count"],
    in_session=_called,
    differentiable=False,
)


def py_func(
    func: Callable[..., Any], inp: Any, Tout: Any, stateful: bool = True, name: str | None = None
) -> Any:
    """The results, of types `Tout`, of a Python function of arrays, called in each run.

    >>> import flambeau.tf1 as tf
    >>> doubled = tf.py_func(lambda x: x * 2, [tf.constant([1.0, 2.0])], tf.float32)
    >>> with tf.Session() as session:
    ...     session.run(doubled)
    array([2., 4.], dtype=float32)
    """
    kinds = [as_dtype(one) for one in (Tout if isinstance(Tout, (list, tuple)) else [Tout])]
    inputs = [convert_to_tensor(one) for one in inp]
    graph = graph_of(inputs)
    attributes = {"function": func, "count": len(kinds)}
    made = graph.create(_PY_FUNC, inputs, kinds, attributes, name)
    return made.outputs if isinstance(Tout, (list, tuple)) else made.outputs[0]


def _after_run(evaluation: Evaluation, made: Operation) -> Sequence[Any]:
    return [Later(made.attributes["function"], [evaluation.value(one) for one in made.inputs])]


_AFTER_RUN = Kind("Later", shape_rules.scalar, in_session=_after_run, differentiable=False)


def after_run(function: Callable[..., Any], inputs: Sequence[Tensor], name: str) -> Tensor:
    """A string tensor: what `function` makes of the inputs' values once a run is over."""
    return (
        graph_of(inputs)
        .create(_AFTER_RUN, inputs, [dtypes.string], {"function": function}, name)
        .outputs[0]
    )


def _missing(evaluation: Evaluation, made: Operation) -> Sequence[Any]:
    operations = made.attributes["variables"]
    found = [one.name.encode() for one in operations if not evaluation.state.has(one)]
    interrupt("it depends on which variables are initialised")
    return [Later(lambda: np.array(found, np.object_), ())]


_UNINITIALIZED = Kind(
    "Uninitialized", shape_rules.unknown, in_session=_missing, differentiable=False
)


def uninitialized_names(variables: Sequence[Any], name: str) -> Tensor:
    """The names of the variables without a value, as a string tensor."""
    tensors = [as_tensor(one) for one in variables]
    attributes = {"variables": [one.op for one in tensors if one is not None]}
    return operation(_UNINITIALIZED, (), [dtypes.string], attributes, name).outputs[0]
