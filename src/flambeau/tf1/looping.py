"""`while_loop`: operations that run again and again, as long as values say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flambeau.autograd.while_loop import while_loop as while_nodes
from flambeau.graph.node import Node
from flambeau.ops.shape import reshape
from flambeau.tensor.control_flow import own_tensors
from flambeau.tensor.structure import flatten, unflatten
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tensor.tensor import wrap
from flambeau.tf1.building import convert_to_tensor, graph_of, known_integer
from flambeau.tf1.evaluation import Evaluation
from flambeau.tf1.frames import (
    Inside,
    build,
    check_alike,
    check_structure,
    created,
    own_values,
    shapes_of,
    tensors_in,
    write_back,
)
from flambeau.tf1.graph import Frame, Operation
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import as_static


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """The values of `loop_vars` after `body(*loop_vars)` as long as `cond(*loop_vars)` holds.

    Types and, when the graph runs, shapes have to stay the same from round to round. Gradients
    flow through; the memory for them grows with the number of rounds unless `maximum_iterations`
    says how many there may be. The other options are accepted and change nothing.

    >>> import flambeau.tf1 as tf
    >>> n = tf.placeholder(tf.int32, [])
    >>> _, total = tf.while_loop(lambda i, s: i < n, lambda i, s: (i + 1, s + i), [0, 0])
    >>> with tf.Session() as session:
    ...     session.run(total, {n: 5})
    np.int32(10)
    """
    for argument, function in (("cond", cond), ("body", body)):
        if not callable(function):
            raise TypeError(f"{argument} must be callable.")
    if not isinstance(loop_vars, (list, tuple)) or not loop_vars:
        raise ValueError("No loop variables provided; loop_vars has to be a list or a tuple")
    graph = graph_of(flatten(loop_vars))
    limit = (
        -1
        if maximum_iterations is None
        else known_integer(maximum_iterations, "maximum_iterations")
    )
    with graph.name_scope(name or "while"):
        first = [convert_to_tensor(one) for one in flatten(loop_vars)]
        shapes = [one.static for one in first]
        if shape_invariants is not None:
            shapes = [as_static(one) for one in _invariants(loop_vars, shape_invariants)]
        given = [(one.dtype, shape) for one, shape in zip(first, shapes, strict=True)]
        test, answer = build(
            graph, "a while loop", given, lambda *now: cond(*unflatten(loop_vars, now))
        )
        test.results = tensors_in(graph, test, [answer], None)
        round_, after = build(
            graph, "a while loop", given, lambda *now: body(*unflatten(loop_vars, now))
        )
        if len(loop_vars) == 1 and not isinstance(after, (list, tuple)):
            after = [after]
        check_structure(loop_vars, after)
        kinds = [one.dtype for one in first]
        round_.results = tensors_in(graph, round_, flatten(after), kinds)
        check_alike(first, round_.results, shapes)
        made = created(graph, _WHILE, first, [test, round_], kinds, shapes, "Exit", limit=limit)
    if len(made.outputs) == 1 and not return_same_structure:
        return made.outputs[0]
    return unflatten(loop_vars, made.outputs)


def _invariants(loop_vars: Any, invariants: Any) -> list[Any]:
    """A shape for each of the loop's values: shapes are themselves sequences."""
    if isinstance(loop_vars, (list, tuple)):
        pairs = zip(loop_vars, invariants, strict=True)
        return [found for one, other in pairs for found in _invariants(one, other)]
    if isinstance(loop_vars, dict):
        return [
            found for key, one in loop_vars.items() for found in _invariants(one, invariants[key])
        ]
    return [invariants]


def _loop(evaluation: Evaluation, made: Operation) -> list[Value]:
    count, variables = made.attributes["count"], made.attributes["variables"]
    test, round_ = made.attributes["frames"]
    first = own_values(evaluation, made.inputs[:count])
    held = [evaluation.reads(one)[-1].node for one in variables]

    def inside(frame: Frame, now: Sequence[Node]) -> Inside:
        values = [wrap(one) for one in now]
        state = dict(zip(variables, values[count:], strict=True))
        return Inside(evaluation, made, frame, values[:count], state)

    def condition(now: Sequence[Node]) -> Node:
        (holds,) = inside(test, now).results()
        return reshape(holds.node, ())

    def step(now: Sequence[Node], _: Sequence[Node]) -> list[Node]:
        done = inside(round_, now)
        after = [one.node for one in done.results()]
        return [*after, *[done.held(one).node for one in variables]]

    limit, strict = made.attributes["limit"], False
    if limit < 0 and evaluation.is_differentiated(made):
        limit, strict = evaluation.state.rounds, True
    last, _ = while_nodes(condition, step, [*first, *held], (), limit, strict=strict)
    write_back(evaluation, variables, last[count:])
    return own_tensors(last[:count], [*first, *held])


_WHILE = Kind("Exit", shapes_of, in_session=_loop)
