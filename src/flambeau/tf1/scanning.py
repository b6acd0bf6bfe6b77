"""`scan`, `map_fn`, `foldl` and `foldr`: a function of each slice of some tensors, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flambeau.autograd.scan import scan as scan_nodes
from flambeau.graph.node import Node
from flambeau.tensor.control_flow import own_tensors
from flambeau.tensor.structure import flatten, same_structure, unflatten
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tensor.tensor import wrap
from flambeau.tf1.arrays import concat, expand_dims
from flambeau.tf1.building import convert_to_tensor, graph_of
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
from flambeau.tf1.graph import Frame, Graph, Operation, Tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import merged_size


def scan(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """The values of `a = fn(a, x)` for each `x` of `elems` along the first dimension, stacked.

    Without an `initializer` the first element is the first value. The other options are accepted
    and change nothing.

    >>> import flambeau.tf1 as tf
    >>> sums = tf.scan(lambda a, x: a + x, tf.constant([1, 2, 3]))
    >>> with tf.Session() as session:
    ...     session.run(sums)
    array([1, 3, 6], dtype=int32)
    """
    return _fold("scan", fn, elems, initializer, reverse, name)[1]


def foldl(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The last of the values of `a = fn(a, x)` for each `x` of `elems`, from the first on."""
    return _fold("foldl", fn, elems, initializer, False, name)[0]


def foldr(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The last of the values of `a = fn(a, x)` for each `x` of `elems`, from the last one on."""
    return _fold("foldr", fn, elems, initializer, True, name)[0]


def map_fn(
    fn: Callable[[Any], Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
) -> Any:
    """`fn(x)` for each `x` of `elems` along the first dimension, stacked.

    `dtype` gives the structure and the types of the results where they are not those of `elems`.

    >>> import flambeau.tf1 as tf
    >>> squares = tf.map_fn(lambda x: x * x, tf.constant([1, 2, 3]))
    >>> with tf.Session() as session:
    ...     session.run(squares)
    array([1, 4, 9], dtype=int32)
    """
    if not callable(fn):
        raise TypeError("fn must be callable.")
    walked = _elements(elems)
    graph = graph_of(walked)
    with graph.name_scope(name or "map"):
        frame, answer = _slices(graph, "map_fn", elems, walked, (), lambda _, x: fn(x))
        expected = elems if dtype is None else dtype
        if not same_structure(expected, answer):
            raise TypeError(
                f"map_fn: fn gave {answer}, which has not the structure of {expected}; say what it "
                "gives by dtype"
            )
        frame.results = tensors_in(graph, frame, flatten(answer), None)
        _, stacked = _scanned(graph, frame, (), walked, False)
    return unflatten(answer, stacked)


def _fold(
    function: str, fn: Callable[[Any, Any], Any], elems: Any, initializer: Any, reverse: bool,
    name: str | None,
) -> tuple[Any, Any]:  # fmt: skip
    """The last value, and all values, stacked."""
    if not callable(fn):
        raise TypeError("fn must be callable.")
    walked = _elements(elems)
    graph = graph_of(walked)
    with graph.name_scope(name or function):
        begin, rest = [], walked
        like = elems if initializer is None else initializer
        if initializer is None:
            begin = [one[-1] if reverse else one[0] for one in walked]
            rest = [one[:-1] if reverse else one[1:] for one in walked]
        else:
            begin = [convert_to_tensor(one) for one in flatten(initializer)]

        def step(now: Sequence[Tensor], x: Any) -> Any:
            return fn(unflatten(like, now), x)

        frame, after = _slices(graph, function, elems, rest, begin, step)
        check_structure([like], [after])
        kinds = [one.dtype for one in begin]
        frame.results = tensors_in(graph, frame, flatten(after), kinds)
        check_alike(begin, frame.results, [one.static for one in begin])
        last, stacked = _scanned(graph, frame, begin, rest, reverse)
        if initializer is None:
            stacked = [_joined(*pair, reverse) for pair in zip(begin, stacked, strict=True)]
    return unflatten(like, last), unflatten(like, stacked)


def _elements(elems: Any) -> list[Tensor]:
    """What is walked along; ValueError for what has no first dimension."""
    walked = [convert_to_tensor(one) for one in flatten(elems)]
    for one in walked:
        if one.static == ():
            raise ValueError(
                f"elements in elems must be 1+ dimensional Tensors, not scalars: {one}"
            )
    return walked


def _joined(first: Tensor, stacked: Tensor, reverse: bool) -> Tensor:
    parts = [expand_dims(first, 0), stacked]
    return concat(parts[::-1] if reverse else parts, 0)


def _slices(
    graph: Graph,
    function: str,
    elems: Any,
    walked: Sequence[Tensor],
    begin: Sequence[Tensor],
    step: Callable[[Sequence[Tensor], Any], Any],
) -> tuple[Frame, Any]:
    """The frame of a round of a scan, and what `step` gives in it."""
    given = [(one.dtype, one.static) for one in begin]
    given += [(one.dtype, None if one.static is None else one.static[1:]) for one in walked]
    count = len(begin)
    return build(
        graph, f"a {function}", given, lambda *now: step(now[:count], unflatten(elems, now[count:]))
    )


def _scanned(
    graph: Graph, frame: Frame, begin: Sequence[Tensor], walked: Sequence[Tensor], reverse: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """The results of a scan: the values after the last round, and those of all, stacked."""
    length: int | None = None
    for one in walked:
        length = merged_size(length, None if one.static is None else one.static[0])
    every = [None if one.static is None else (length, *one.static) for one in frame.results]
    shapes = [*[one.static for one in begin], *every]
    kinds = [*[one.dtype for one in begin], *[one.dtype for one in frame.results]]
    made = created(
        graph, _SCAN, [*begin, *walked], [frame], kinds, shapes, "Scan",
        handed=len(begin), reverse=reverse,
    )  # fmt: skip
    return made.outputs[: len(begin)], made.outputs[len(begin) :]


def _walk(evaluation: Evaluation, made: Operation) -> list[Value]:
    count, variables = made.attributes["count"], made.attributes["variables"]
    handed, (frame,) = made.attributes["handed"], made.attributes["frames"]
    values = own_values(evaluation, made.inputs[:count])
    first, walked = values[:handed], values[handed:]
    lengths = {one.shape[0] for one in walked}
    if len(lengths) != 1:
        raise ValueError(f"the elements have different numbers of slices: {sorted(lengths)}")
    held = [evaluation.reads(one)[-1].node for one in variables]

    def step(
        now: Sequence[Node], slices: Sequence[Node], _: Sequence[Node]
    ) -> tuple[list[Node], list[Node]]:
        given = [wrap(one) for one in (*now[:handed], *slices)]
        state = dict(zip(variables, map(wrap, now[handed:]), strict=True))
        done = Inside(evaluation, made, frame, given, state)
        results = [one.node for one in done.results()]
        after = [done.held(one).node for one in variables]
        return [*results[:handed], *after], results

    (length,) = lengths
    last, stacked = scan_nodes(
        [*first, *held], walked, (), length, made.attributes["reverse"], step
    )
    write_back(evaluation, variables, last[handed:])
    return own_tensors([*last[:handed], *stacked], [*values, *held])


_SCAN = Kind("Scan", shapes_of, in_session=_walk)
