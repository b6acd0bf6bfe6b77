"""Loops and branches: a body is scheduled like any other code, and runs where its values are.

Nothing is copied from round to round: before each, a control kernel (templates/control.py) tells
the body's kernels the addresses of the slices that they are to read and write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flambeau.compiler.nest import StoreFirst
from flambeau.compiler.units import ALIGNMENT, Branch, Loop, Moving, Region
from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape, contiguous_strides
from flambeau.graph.body import Body
from flambeau.graph.index import linearize
from flambeau.graph.lowering import Expressions, StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import DATA, INNER, Elementwise
from flambeau.graph.subgraph import Step

ENDLESS = 1 << 62


class Carry(NamedTuple):
    """A value that a loop hands from round to round, and where its last and all of them go.

    `every` holds what each round begins with, and, if there is a condition, the end of the last.
    """

    first: Node
    last: Node | None
    every: Node | None


class Rounds(NamedTuple):
    """How a loop goes: at most so often, from the end of what it walks along, while it holds."""

    limit: int
    reverse: bool = False
    conditional: bool = False


class _Result(Elementwise):
    """A value of a body at the place that is meant for it."""

    name = "result"

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return inputs[0].shape, inputs[0].dtype

    def lower(self, e: Expressions, *values: int, **parameters: Any) -> int:
        return values[0]


class _Held:
    """In place of a buffer: the value has memory, whose address the loop knows."""


_RESULT, _HELD = _Result(), _Held()


def add_loop(
    builder: StepBuilder,
    node: Node,
    body: Body,
    carries: Sequence[Carry],
    walked: Sequence[Node],
    stacked: Sequence[Node | None],
    rounds: Rounds,
) -> None:
    """Add a loop; `node` is one of its results, whose further inputs are the same in all rounds.

    `walked` are the values of which each round is given a slice, `stacked` those it adds one to.
    """
    count = len(carries) + len(walked)
    given = [_held(spec, node) for spec in body.inputs[:count]]
    nodes, made = _copied(body, [*given, *node.inputs[count:]], node)
    targets = [*[one.first for one in carries], *stacked]
    results = [
        None if target is None else _result(one, node)
        for one, target in zip(made, targets, strict=True)
    ]
    wanted = [one for one in results if one is not None]
    region = Region(builder.region([*nodes, *wanted], wanted), wanted)
    loop = Loop(
        body=region,
        moving=[],
        limit=rounds.limit,
        conditional=rounds.conditional,
        results=[],
    )
    for carry, place, result in zip(carries, given, results, strict=False):
        _add_carry(builder, loop, carry, place, result, rounds)
    for value, place in zip(walked, given[len(carries) :], strict=True):
        loop.moving.append(_walk(builder, value, place, rounds))
    for target, result in zip(stacked, results[len(carries) :], strict=True):
        if target is not None and result is not None:
            size = result.spec.nbytes
            start = size * (rounds.limit - 1) if rounds.reverse else 0
            step = -size if rounds.reverse else size
            loop.moving.append(Moving(result, (target, start), step))
            loop.results.append(target)
    if rounds.conditional:
        _add_leave(builder, loop, carries, given)
    _add_reads(loop)
    # Their first slice is there before.
    loop.reads |= {one.every for one in carries if one.every is not None}
    builder.add(loop)


def _add_carry(
    builder: StepBuilder, loop: Loop, carry: Carry, place: Node, result: Any, rounds: Rounds
) -> None:
    """Where a carried value is read and written: slices of `every`, or two places in turn."""
    spec, last = place.spec, carry.last
    size = -(-max(spec.nbytes, 1) // ALIGNMENT) * ALIGNMENT
    turns = Node(DATA, (), (), Spec.of((2 * size,), dtypes.uint8))
    end = turns if last is None else last
    final = -1 if loop.conditional else loop.limit - 1
    loop.results += [one for one in (turns, last, carry.every) if one is not None]
    if carry.every is not None:
        begin = rounds.limit - 1 if rounds.reverse else 0
        step = -spec.nbytes if rounds.reverse else spec.nbytes
        start = begin * spec.numel
        builder.store(carry.first, carry.every, lambda _, at: linearize(at, spec.shape) + start)
        every = (carry.every, begin * spec.nbytes)
        loop.moving.append(Moving(place, every, step))
        loop.moving.append(Moving(result, every, step, 1, -1, final, (end, 0)))
        return
    base, offset = builder.dense(carry.first)
    first = (base, offset * spec.dtype.itemsize)
    loop.moving.append(Moving(place, (turns, 0), size, -1, 1, 0, first))
    special = -1 if last is None else final
    loop.moving.append(Moving(result, (turns, 0), size, 0, 1, special, (end, 0)))


def _walk(builder: StepBuilder, value: Node, place: Node, rounds: Rounds) -> Moving:
    """Where the slices of a value are read: each has to lie in row-major order."""
    base, offset, strides = builder.strided(value)
    for size, stride, dense in zip(
        value.shape[1:], strides[1:], contiguous_strides(value.shape[1:]), strict=True
    ):
        if size > 1 and stride != dense:
            raise StoreFirst(value)
    step, item = strides[0], value.dtype.itemsize
    if rounds.reverse:
        offset, step = offset + step * (rounds.limit - 1), -step
    return Moving(place, (base, offset * item), step * item)


def _add_leave(
    builder: StepBuilder, loop: Loop, carries: Sequence[Carry], given: Sequence[Node]
) -> None:
    """When a loop may end at any time, what it leaves is copied from where it is then."""
    leaving = builder.part()
    lasts = []
    for carry, place in zip(carries, given, strict=False):
        if carry.last is not None and place.spec.numel:
            shape = place.shape
            leaving.store(place, carry.last, lambda _, at, shape=shape: linearize(at, shape))
            lasts.append(carry.last)
    loop.leave = Region(leaving.run(), lasts)


def add_branch(
    builder: StepBuilder,
    node: Node,
    bodies: Sequence[Body],
    condition: Node,
    operands: Sequence[Node],
    results: dict[int, Node],
) -> None:
    """Add a branch: the first body makes the results if the condition holds, else the second."""
    base, offset = builder.dense(condition)
    homes: dict[Node, Node] = {}
    arms = []
    for body in bodies:
        nodes, made = _copied(body, operands, node)
        wanted = []
        for number, target in results.items():
            wanted.append(_result(made[number], node))
            homes[wanted[-1]] = target
        arms.append(Region(builder.region([*nodes, *wanted], wanted), wanted))
    branch = Branch(
        condition=(base, offset),
        arms=(arms[0], arms[1]),
        homes=homes,
        results=list(results.values()),
    )
    _add_reads(branch)
    branch.reads.add(base)
    builder.add(branch)


def _add_reads(unit: Loop | Branch) -> None:
    """What a loop or branch reads from around it."""
    for region in unit.regions:
        own = region.schedule.makers.keys()
        for one in region.schedule.units:
            unit.reads |= one.reads - own
    if isinstance(unit, Loop):
        places = [one.base for one in unit.moving]
        places += [one.other for one in unit.moving if one.other is not None]
        unit.reads |= {base for base, _ in places}
        unit.reads -= {one.node for one in unit.moving}
    unit.reads -= set(unit.targets)


def _held(spec: Spec, node: Node) -> Node:
    held = Node(INNER, (), (), spec, False, _HELD, node.source)  # type: ignore[arg-type]
    held.position = node.position
    return held


def _result(value: Node, node: Node) -> Node:
    result = Node(_RESULT, (value,), (), value.spec, False, None, node.source)
    result.position = node.position
    return result


def _copied(body: Body, inputs: Sequence[Node], node: Node) -> tuple[list[Node], list[Node]]:
    """The body's operations and its results; faults in it are those of `node`."""
    nodes: list[Node] = []

    def make(step: Step, sources: tuple[Node, ...]) -> Node:
        made = Node(step.op, sources, step.attributes, step.spec, False, None, node.source)
        made.position = node.position
        nodes.append(made)
        return made

    return nodes, body.made_by(make, inputs)
