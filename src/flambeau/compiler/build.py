"""From a nest's members to its kernel, with as few and as long loops as can be."""

from __future__ import annotations

from collections.abc import Callable

from flambeau.compiler.nest import NestBuilder
from flambeau.compiler.numbering import Numbering
from flambeau.compiler.simplify import collapse
from flambeau.compiler.units import BuiltNest, Member, Nest
from flambeau.graph.node import Node


def build_nest(nest: Nest, is_stored: Callable[[Node], bool]) -> BuiltNest:
    """Build the kernel of a nest: every member is computed and stored."""
    slots, faults = Numbering(), Numbering()
    own = {member.target for member in nest.members}
    builder = NestBuilder(
        nest.domain, lambda node: is_stored(node) and node not in own, slots, faults
    )
    for member in nest.members:
        if member.is_reduction and member.target is member.node:
            builder.reduce(member.node)
            builder.store(member.node, slots(member.node), kept=True)
        else:
            _store(builder, nest, member, slots)
    collapse(builder.kernel)
    return BuiltNest(builder.kernel, slots.nodes, faults.nodes, list(builder.computed))


def drop_stores(built: BuiltNest, needed: Callable[[Node], bool]) -> None:
    """Remove stores that nobody reads: values that stay in registers."""
    sections = built.kernel.sections
    loaded = {one.slot for _, one in built.kernel.instructions() if one.op == "load"}
    for section in sections:
        section.code = [
            (number, one)
            for number, one in section.code
            if one.op != "store" or one.slot in loaded or needed(built.slots[one.slot])
        ]
    while len(sections) > 1 and not sections[-1].code:
        sections.pop()


def _store(builder: NestBuilder, nest: Nest, member: Member, slots: Numbering) -> None:
    whole = _squeezed(member.node) == [size for size in nest.domain.shape if size != 1]
    builder.store(
        member.node,
        slots(member.target),
        member.place,
        kept=bool(nest.domain.reduced) and not whole,
        accumulate=member.accumulate,
    )


def _squeezed(node: Node) -> list[int]:
    return [size for size in node.shape if size != 1]
