"""What each unit of a plan computes and from what, for pictures of the plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flambeau.compiler.units import Call, Member, Nest, Unit
from flambeau.graph.drawing import Group, base_of, is_drawn
from flambeau.graph.node import Node
from flambeau.graph.op import Reduction


def groups(units: Sequence[Unit]) -> list[Group]:
    """A group for each unit."""
    members = [member for unit in units if isinstance(unit, Nest) for member in unit.members]
    partial = {member.node: member.target for member in members if _is_partial(member)}
    return [_nest(one, partial) if isinstance(one, Nest) else _call(one) for one in units]


def _is_partial(member: Member) -> bool:
    """Whether it holds the results of a reduction's groups; see compiler/split.py."""
    return isinstance(member.target.op, Reduction) and not member.target.inputs


def _nest(nest: Nest, partial: dict[Node, Node]) -> Group:
    assert nest.built is not None
    sources = _operations(nest.built.computed)
    for member in nest.members:
        node, target = member.node, member.target
        if _is_partial(member):
            sources[target] = node.inputs
        elif target is node:
            sources[node] = (partial[node],) if node in partial else node.inputs
        else:
            sources[target] = (node, *_read(target, sources.keys() | nest.reads))
    kernel = nest.built.kernel
    written = {
        nest.built.slots[one.slot]
        for _, one in kernel.instructions()
        if one.op in ("store", "accumulate") and one.slot not in kernel.rows
    }
    return Group(sources, written)


def _call(unit: Unit) -> Group:
    if isinstance(unit, Call) and unit.last is not None:
        sources = {unit.last.product: unit.last.product.inputs}
        sources.update(_operations(unit.last.computed))
    else:
        targets = [node for node in unit.targets if node.inputs]
        sources = {node: _read(node, unit.reads) for node in targets}
    return Group(sources, set(sources) if not isinstance(unit, Call) else set(unit.targets))


def _operations(computed: Iterable[Node]) -> dict[Node, tuple[Node, ...]]:
    return {node: node.inputs for node in computed if is_drawn(node)}


def _read(target: Node, known: set[Node]) -> tuple[Node, ...]:
    """The inputs of a template that one of its units reads."""
    return tuple([one for one in target.inputs if base_of(one, known)[0] in known])
