"""`cond` and `case`: operations that run only if a value says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flambeau.autograd.branch import branch
from flambeau.graph.node import Node
from flambeau.ops.shape import reshape
from flambeau.tensor.control_flow import own_tensors
from flambeau.tensor.structure import flatten, same_structure, unflatten
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tensor.tensor import wrap
from flambeau.tf1 import dtypes
from flambeau.tf1.building import convert_to_tensor
from flambeau.tf1.evaluation import Evaluation
from flambeau.tf1.frames import (
    Inside,
    build,
    created,
    shapes_of,
    tensors_in,
    write_back,
)
from flambeau.tf1.graph import Frame, Graph, Operation, Tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import Static


def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Callable[[], Any] | None = None,
    fn2: Callable[[], Any] | None = None,
) -> Any:
    """What `true_fn()` makes if `pred` holds when the graph runs, else what `false_fn()` makes.

    Only the operations made in the function that is chosen are run. Both have to give the same
    structure of tensors, of the same types and, when run, shapes.

    >>> import flambeau.tf1 as tf
    >>> x = tf.placeholder(tf.float32, [])
    >>> size = tf.cond(x < 0, lambda: -x, lambda: x)
    >>> with tf.Session() as session:
    ...     [session.run(size, {x: one}) for one in (-2.0, 3.0)]
    [np.float32(2.0), np.float32(3.0)]
    """
    functions = (true_fn or fn1, false_fn or fn2)
    for argument, function in zip(("true_fn", "false_fn"), functions, strict=True):
        if not callable(function):
            raise TypeError(f"{argument} must be callable.")
    if isinstance(pred, bool):
        raise TypeError("pred must not be a Python bool")
    condition = convert_to_tensor(pred)
    if condition.dtype is not dtypes.bool:
        raise TypeError(f"pred must be a bool tensor, got {condition}")
    graph = condition.graph
    with graph.name_scope(name or "cond"):
        arms = [build(graph, "a cond", (), function) for function in functions if function]
        return _branch(graph, condition, arms, strict)


def _branch(
    graph: Graph, condition: Tensor, arms: Sequence[tuple[Frame, Any]], strict: bool
) -> Any:
    (_, first), (_, second) = arms
    if not same_structure(first, second):
        raise TypeError(
            "Incompatible return types of true_fn and false_fn: The two structures don't have the "
            f"same nested structure: {first} and {second}"
        )
    for frame, answer in arms:
        frame.results = tensors_in(graph, frame, flatten(answer), None)
    shapes = []
    for one, other in zip(arms[0][0].results, arms[1][0].results, strict=True):
        if one.dtype is not other.dtype:
            raise ValueError(
                "Outputs of true_fn and false_fn must have the same type: "
                f"{one.dtype.name}, {other.dtype.name}"
            )
        shapes.append(_common(one.static, other.static))
    results = arms[0][0].results
    made = created(
        graph, _COND, [condition], [frame for frame, _ in arms], [one.dtype for one in results],
        shapes, "Merge",
    )  # fmt: skip
    if len(made.outputs) == 1 and not strict and isinstance(first, (list, tuple)):
        return made.outputs[0]
    if first is None:
        return made
    return unflatten(first, made.outputs)


def _common(one: Static, other: Static) -> Static:
    """What is known of a shape that is one of two."""
    if one is None or other is None or len(one) != len(other):
        return None
    return tuple([a if a == b else None for a, b in zip(one, other, strict=True)])


def _choose(evaluation: Evaluation, made: Operation) -> list[Value]:
    variables: list[Operation] = made.attributes["variables"]
    held = [evaluation.reads(one)[-1].node for one in variables]

    def arm(frame: Frame) -> Callable[[Sequence[Node]], list[Node]]:
        def run(given: Sequence[Node]) -> list[Node]:
            state = dict(zip(variables, map(wrap, given), strict=True))
            inside = Inside(evaluation, made, frame, (), state)
            results = [one.node for one in inside.results()]
            return [*results, *[inside.held(one).node for one in variables]]

        return run

    condition = reshape(evaluation.value(made.inputs[0]).node, ())
    then, otherwise = map(arm, made.attributes["frames"])
    results = branch(condition, held, then, otherwise)
    write_back(evaluation, variables, results[len(made.outputs) :])
    return own_tensors(results[: len(made.outputs)], held)


_COND = Kind("Merge", shapes_of, in_session=_choose)


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """What the function of the first condition that holds makes, else what `default` makes.

    Without a `default` the last function is taken if no other condition holds. `exclusive` is
    accepted: that no two conditions hold is not checked.

    >>> import flambeau.tf1 as tf
    >>> x = tf.constant(3)
    >>> kind = tf.case([(x < 0, lambda: tf.constant(-1)), (x > 0, lambda: tf.constant(1))],
    ...                default=lambda: tf.constant(0))
    >>> with tf.Session() as session:
    ...     session.run(kind)
    np.int32(1)
    """
    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs)
    if not pairs:
        raise ValueError("case: pred_fn_pairs must not be empty")
    if default is None:
        default = pairs.pop()[1]
    chosen = default
    for pred, function in reversed(pairs):
        chosen = _either(pred, function, chosen, strict, name)
    return chosen()


def _either(pred: Any, then: Any, otherwise: Any, strict: bool, name: str) -> Callable[[], Any]:
    return lambda: cond(pred, then, otherwise, strict, name)
