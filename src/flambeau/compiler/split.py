"""Long reductions with few results, cut in two so that threads can share the work.

The groups in which a fold is done (see compiler/emit.py) become work items of a first nest, which
stores a result for each; a second nest folds those in order. So the bits are those of one nest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from flambeau.compiler.kernel import Instruction, Kernel, Section, register_kind
from flambeau.compiler.order import group_count
from flambeau.compiler.units import BuiltNest, Member, Nest, Schedule, Unit
from flambeau.compiler.work import work_items
from flambeau.core.shapes import contiguous_strides
from flambeau.graph.index import ZERO, Index
from flambeau.graph.node import Node, Spec

# A nest with as many work items as this occupies the threads.
MANY_ITEMS = 16


def split_reductions(schedule: Schedule) -> None:
    """Cut the nests that have few work items and many groups."""
    units: list[Unit] = []
    parts: dict[Unit, tuple[Nest, Nest]] = {}
    for unit in schedule.units:
        # Room for a second wave after each.
        unit.wave *= 2
        if isinstance(unit, Nest) and _worth_cutting(unit):
            parts[unit] = _cut(unit)
        units += parts.get(unit, (unit,))
    if not parts:
        return
    schedule.units[:] = sorted(units, key=lambda unit: unit.wave)
    for unit in schedule.units:
        unit.after = {part for one in unit.after for part in parts.get(one, (one,))}
    for node, makers in schedule.makers.items():
        for unit in set(makers) & parts.keys():
            makers.remove(unit)
            makers += [part for part in parts[unit] if node in part.targets]
    for first, _ in parts.values():
        for node in first.targets:
            schedule.makers.setdefault(node, [first])


def _worth_cutting(nest: Nest) -> bool:
    if nest.built is None or nest.serial:
        return False
    kernel = nest.built.kernel
    return (
        kernel.phases == 1
        and group_count(kernel) > 1
        and 0 < work_items(kernel) < MANY_ITEMS
        and not _stored(kernel.sections[:1])
        and not any(one.op == "fail" for _, one in kernel.instructions())
    )


def _stored(sections: Iterable[Section]) -> set[int]:
    """The slots that are written."""
    code = [one for section in sections for _, one in section.code]
    return {one.slot for one in code if one.op in ("store", "accumulate")}


def _cut(nest: Nest) -> tuple[Nest, Nest]:
    """The nest of the groups, and that of the totals."""
    assert nest.built is not None
    kernel, slots = nest.built.kernel, nest.built.slots
    groups = group_count(kernel)
    reductions = [(number, one) for number, one in kernel.sections[1].code if one.op == "reduce"]
    slot_of = {number: len(slots) + place for place, (number, _) in enumerate(reductions)}
    early = {slots[slot] for slot in _stored([kernel.sections[1]])}
    partial = _partial_results(nest, (groups, *kernel.outer), [one for _, one in reductions])
    below = _below(
        [one.node for one in nest.members if one.is_reduction or one.target in early], set(slots)
    )
    first = replace(nest, members=[one for one in nest.members if one.target in early] + partial)
    second = replace(nest, members=[one for one in nest.members if one.target not in early])
    second.wave += 1
    every = [*slots, *[member.target for member in partial]]
    for part, made in (
        (first, _group_kernel(kernel, groups, reductions, slot_of)),
        (second, _total_kernel(kernel, groups, reductions, slot_of)),
    ):
        computed = [one for one in nest.built.computed if (one in below) == (part is first)]
        part.built = BuiltNest(made, every, nest.built.faults, computed)
        loaded = {one.slot for _, one in made.instructions() if one.op in ("load", "scalar")}
        part.reads = {every[slot] for slot in loaded} - set(part.targets)
    return first, second


def _partial_results(
    nest: Nest, shape: tuple[int, ...], reductions: list[Instruction]
) -> list[Member]:
    """A value for each reduction, with the results of the groups in its first dimension."""
    sources = [member.node for member in nest.members if member.is_reduction]
    return [
        Member(source, Node(source.op, (), source.attributes, Spec.of(shape, one.kind)))
        for source, one in zip(sources, reductions, strict=True)
    ]


def _below(nodes: list[Node], stored: set[Node]) -> set[Node]:
    """The nodes and what they are made of, down to what is stored."""
    found = set(nodes)
    waiting = [one for node in nodes for one in node.inputs]
    while waiting:
        node = waiting.pop()
        if node not in found and node not in stored:
            found.add(node)
            waiting += node.inputs
    return found


def _dense(axes: Iterable[int], shape: tuple[int, ...]) -> Index:
    """The row-major position of the element at these axes."""
    result = ZERO
    for axis, stride in zip(axes, contiguous_strides(shape), strict=True):
        result = result + Index.axis(axis) * stride
    return result


def _group_kernel(
    kernel: Kernel,
    groups: int,
    reductions: list[tuple[int, Instruction]],
    slot_of: dict[int, int],
) -> Kernel:
    """The kernel that folds one group at a time; its first outer axis counts them."""
    outer = [groups, *kernel.outer]
    count = len(kernel.outer) + len(kernel.inner)
    moved = {axis: Index.axis(axis + 1) for axis in range(count)}
    made = Kernel(outer, kernel.inner, kernel.lanes_along, kinds=[*kernel.kinds], fold="group")
    for section in kernel.sections[:2]:
        code = [(number, one.at_axes(moved)) for number, one in section.code]
        made.sections.append(Section(section.inner, code))
    made.sections.append(Section(inner=False))
    place = _dense(range(len(outer)), tuple(outer))
    for number, one in reductions:
        made.add(
            made.sections[2],
            Instruction("store", one.kind, (number,), one.kind.name, slot_of[number], place),
        )
    return made


def _total_kernel(
    kernel: Kernel,
    groups: int,
    reductions: list[tuple[int, Instruction]],
    slot_of: dict[int, int],
) -> Kernel:
    """The kernel that folds the groups' results and goes on from there."""
    count = len(kernel.outer)
    made = Kernel(kernel.outer, [groups], "outer", kinds=[*kernel.kinds], fold="total")
    inner = Section(inner=True)
    made.sections = [kernel.sections[0], inner, *kernel.sections[2:]]
    place = _dense([count, *range(count)], (groups, *kernel.outer))
    for number, one in reductions:
        assert one.kind is register_kind(one.kind)
        loaded = made.add(
            inner, Instruction("load", one.kind, (), one.kind.name, slot_of[number], place)
        )
        inner.code.append((number, replace(one, operands=(loaded,))))
    return made
