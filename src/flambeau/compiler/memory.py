"""Where results go: output buffers, dead inputs taken over, and temporaries in the arena."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from flambeau.compiler.units import ALIGNMENT, Call, MemoryPlan, Nest, Schedule, Unit
from flambeau.core import dtypes
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import DATA

# Leaves that are more operations away from a result are not told apart.
_FAR = (6, 0)


def plan_regions(schedule: Schedule) -> None:
    """Place what the bodies of loops and the arms of branches make, in room of their own."""
    for unit in schedule.units:
        for region in unit.regions:
            inner = region.schedule
            plan_regions(inner)
            region.memory = plan_memory(inner.units, inner.makers, region.outputs, set())
            nbytes = max(region.memory.nbytes, 1)
            region.room = Node(DATA, (), (), Spec.of((nbytes,), dtypes.uint8))
            schedule.makers[region.room] = [unit]


def plan_memory(
    units: Sequence[Unit], makers: dict[Node, list[Unit]], outputs: Iterable[Node], dead: set[Node]
) -> MemoryPlan:
    """Place every value that units make. `dead` are leaves whose buffers may be overwritten."""
    plan = MemoryPlan()
    readers: dict[Node, list[Unit]] = {}
    for unit in units:
        for node in unit.reads:
            readers.setdefault(node, []).append(unit)
    wanted = list(outputs)
    # What has been checked is all right: only then may memory a tensor still shows be overwritten.
    safe = 1 + max([unit.wave for unit in units if _checks(unit)], default=-1)
    free = set(dead)
    pairs = []
    for number, node in enumerate(wanted):
        near = _nearness(node)
        found = _candidates(node, makers[node], readers, free, safe)
        pairs += [(near.get(leaf, _FAR), number, node, leaf) for leaf in found]
    # The nearest first: what an optimizer updates takes the memory of what it was before.
    for _, _, node, leaf in sorted(pairs, key=itemgetter(0, 1)):
        if node not in plan.taken_over and leaf in free:
            free.discard(leaf)
            plan.taken_over[node] = leaf
    _place_temporaries(plan, makers, readers, set(wanted))
    return plan


def _checks(unit: Unit) -> bool:
    if isinstance(unit, Nest):
        return any(member.node.op.checks for member in unit.members)
    return any(_checks(one) for region in unit.regions for one in region.schedule.units)


def _candidates(
    node: Node,
    makers: list[Unit],
    readers: dict[Node, list[Unit]],
    free: set[Node],
    safe: int,
) -> Iterator[Node]:
    """The dead leaves of the same size that every other unit has read before `node` is written."""
    first = min([unit.wave for unit in makers], default=-1)
    if first < safe:
        return
    for leaf in free & makers[0].reads:
        if leaf.spec.nbytes != node.spec.nbytes:
            continue
        others = [one for one in readers[leaf] if one is not makers[0]]
        if any(one.wave >= first for one in others):
            continue
        if _in_step(makers[0], leaf, node):
            yield leaf


def _nearness(node: Node) -> dict[Node, tuple[int, int]]:
    """The leaves that a node is computed from: how many operations away, and their order there."""
    found: dict[Node, tuple[int, int]] = {}
    layer = [node]
    for distance in range(_FAR[0]):
        layer = [*dict.fromkeys(source for one in layer for source in one.inputs)]
        for source in layer:
            if source.buffer is not None:
                found.setdefault(source, (distance, len(found)))
        layer = [one for one in layer if one.buffer is None]
    return found


def _in_step(unit: Unit, leaf: Node, node: Node) -> bool:
    """Whether the unit reads each element of `leaf` just before it writes it to `node`."""
    code = unit.built if isinstance(unit, Nest) else unit.last if isinstance(unit, Call) else None
    if code is None or (isinstance(unit, Call) and _operands_include(unit, leaf)):
        return False
    kernel, slots = code.kernel, code.slots
    if leaf.dtype.itemsize != node.dtype.itemsize or leaf not in slots or node not in slots:
        return False
    read, written = slots.index(leaf), slots.index(node)
    places = [
        (section, position, one)
        for section in kernel.sections
        for position, (_, one) in enumerate(section.code)
        if one.op in ("load", "store", "accumulate")
    ]
    stores = [place for place in places if place[2].slot == written]
    if len(stores) != 1 or stores[0][2].op != "store":
        return False
    section, position, store = stores[0]
    return all(
        where is section and at < position and load.at == store.at and not load.guards
        for where, at, load in places
        if load.slot == read
    )


def _operands_include(call: Call, leaf: Node) -> bool:
    """Whether the kernel itself, and not only the code at its end, reads `leaf`."""
    own = len(call.arguments) - len(call.last.entries) if call.last is not None else 0
    return any(isinstance(one, tuple) and one[0] is leaf for one in call.arguments[:own])


def _place_temporaries(
    plan: MemoryPlan,
    makers: dict[Node, list[Unit]],
    readers: dict[Node, list[Unit]],
    outputs: set[Node],
) -> None:
    """First fit by lifetime, counted in waves, as the units of a wave run together."""
    lives = []
    for node, units in makers.items():
        # An empty value has no maker, yet a reader of none of its elements wants an address.
        used = [*units, *readers.get(node, ())]
        if node in outputs or not used:
            continue
        lives.append((min(one.wave for one in used), max(one.wave for one in used), node))
    placed: list[tuple[int, int, int, int]] = []
    for first, last, node in sorted(lives, key=lambda life: (life[0], -life[2].spec.nbytes)):
        size = -(-max(node.spec.nbytes, 1) // ALIGNMENT) * ALIGNMENT
        taken = sorted(
            (start, stop) for start, stop, begin, end in placed if begin <= last and first <= end
        )
        offset = 0
        for start, stop in taken:
            if offset + size <= start:
                break
            offset = max(offset, stop)
        placed.append((offset, offset + size, first, last))
        plan.offsets[node] = offset
        plan.nbytes = max(plan.nbytes, offset + size)
