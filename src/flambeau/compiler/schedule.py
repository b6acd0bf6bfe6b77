"""Which values share a loop nest, and which are stored in between.

The schedule starts from the values that must be in memory (`roots`) and puts each into a nest with
others of the same domain where no dependency forbids it. Everything else is computed where it is
read. Choices here change speed and memory, never bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from flambeau.compiler.build import build_nest
from flambeau.compiler.epilogue import build_epilogue
from flambeau.compiler.nest import Domain, StoreFirst, Unfusable
from flambeau.compiler.strides import strided_view
from flambeau.compiler.units import Call, Member, Nest, Schedule, Unit
from flambeau.core.shapes import Shape, contiguous_strides
from flambeau.graph.index import Coordinates, Index, linearize
from flambeau.graph.node import Node
from flambeau.graph.op import DATA, SCALAR, Alias, Elementwise, Joint, Reduction, Template, View

# A value that several consumers read is stored if computing it again costs more than this.
CHEAP = 4
# An expression of more operations, or of more levels, than this is cut.
LONG = 60
MOST_MEMBERS = 24


def resolve(node: Node) -> Node:
    """The node whose memory serves `node`: through aliases and changes of shape."""
    while node.buffer is None and (isinstance(node.op, Alias) or node.op.name == "reshape"):
        node = node.inputs[0]
    return node


def _nothing(_: Node) -> bool:
    return False


def schedule(
    nodes: Sequence[Node],
    wanted: Iterable[Node],
    outside: Callable[[Node], bool] = _nothing,
) -> Schedule:
    """Schedule the live part of `nodes` (in order of recording) so that `wanted` get stored.

    The nodes may be a part of more, of which `outside` tells what is stored; StoreFirst for what
    is not and has to be.
    """
    targets = {resolve(node) for node in wanted}
    forced = {node for node in targets if node.op is SCALAR}
    alone: set[Node] = set()
    while True:
        attempt = _Scheduler(nodes, targets, forced, alone, outside)
        if not attempt.to_force:
            result = attempt.run()
        if not attempt.to_force | attempt.to_set_apart:
            return result
        forced |= attempt.to_force
        forced |= {resolve(node.inputs[0]) for node in attempt.to_set_apart}
        alone |= attempt.to_set_apart


class _Alone(Exception):
    def __init__(self, node: Node) -> None:
        super().__init__(repr(node))
        self.node = node


def squeezed(shape: Shape) -> Shape:
    """The shape without dimensions of size 1."""
    return tuple([size for size in shape if size != 1])


class _Scheduler:
    """One attempt; also implements graph.lowering.StepBuilder."""

    def __init__(
        self,
        nodes: Sequence[Node],
        targets: set[Node],
        forced: set[Node],
        alone: set[Node],
        outside: Callable[[Node], bool],
    ) -> None:
        self.targets, self.forced, self.alone, self.outside = targets, forced, alone, outside
        self.own = set(nodes)
        self.live = live_nodes(nodes, targets | forced)
        self.siblings = _siblings(self.live)
        # What the next attempt must store and leave alone; this one is no good if there is any.
        self.to_force: set[Node] = set()
        self.to_set_apart: set[Node] = set()
        self.places = {node: place for place, node in enumerate(self.live)}
        # For each node those that read it, directly or through changes of shape.
        self.uses: dict[Node, set[Node]] = {}
        self.roots = self._choose_roots()
        self.units: list[Unit] = []
        self.makers: dict[Node, list[Unit]] = {}
        self.last_effect: Unit | None = None
        self.current: Node | None = None
        self.declined: list[str] = []

    # ------------------------------------------------------------------ what is stored

    def _choose_roots(self) -> set[Node]:
        roots = set(self.targets) | {node for node in self.forced if node.op is not SCALAR}
        uses = self.uses
        for node in self.live:
            for one in node.inputs:
                uses.setdefault(resolve(one), set()).add(node)
        # Operations, and levels of inputs, that computing a node where it is read takes.
        weight: dict[Node, int] = {}
        depth: dict[Node, int] = {}
        for node in self.live:
            if isinstance(node.op, Alias) or node.op.name == "reshape":
                continue
            if isinstance(node.op, (Reduction, Template)) or node.op.checks:
                roots.add(node)
            if isinstance(node.op, Template) and not node.op.inlines:
                for one in node.inputs:
                    if one.op is not SCALAR or not isinstance(node.op, Joint):
                        roots.add(self._base(one, roots))
            own = node.op.cost if isinstance(node.op, Elementwise) else 0
            below = [resolve(one) for one in node.inputs]
            total = own + sum(weight.get(one, 0) for one in below)
            levels = 1 + max([depth.get(one, 0) for one in below], default=0)
            if node not in roots and isinstance(node.op, (Elementwise, View)):
                shared = len(uses.get(node, ())) > 1 and total > CHEAP
                if shared or total > LONG or levels > LONG:
                    roots.add(node)
            weight[node] = 0 if node in roots else total
            depth[node] = 0 if node in roots else levels
        return {node for node in roots if node.op is not DATA}

    def _base(self, node: Node, roots: set[Node]) -> Node:
        try:
            base, _, _ = strided_view(node, lambda one: one in roots or self.outside(one))
        except StoreFirst as reason:
            base = resolve(reason.node)
            self._force(base)
        return base

    def is_stored(self, node: Node) -> bool:
        return node.buffer is not None or node in self.makers or self.outside(node)

    def _force(self, node: Node) -> None:
        if node not in self.own and node.op is not SCALAR:
            raise StoreFirst(node)
        self.to_force.add(node)

    # ------------------------------------------------------------------ units

    def run(self) -> Schedule:
        for node in self.forced:
            if node.op is SCALAR:
                self.roots.add(node)
                self._add_root(node)
        for node in self.live:
            if node in self.roots:
                self._make(node)
        return Schedule(self._ordered(), self.makers, self.declined)

    def _make(self, node: Node) -> None:
        """Make a root; what it lacks is noted and taken as made, so that an attempt finds all."""
        while True:
            try:
                self._add_root(node)
            except StoreFirst as reason:
                lacking = resolve(reason.node)
                if lacking in self.to_force or lacking in self.forced:
                    raise AssertionError(f"scheduling does not end at {lacking}") from reason
                self._force(lacking)
                self.makers.setdefault(lacking, [])
                continue
            except _Alone as reason:
                self.to_set_apart.add(reason.node)
            self.makers.setdefault(node, [])
            return

    def _add_root(self, node: Node) -> None:
        if isinstance(node.op, Joint):
            if node not in self.makers:
                self._add_joint(node)
            return
        if isinstance(node.op, Template):
            self.current = node
            node.op.steps(self, node)
            return
        if isinstance(node.op, Reduction):
            domain = Domain(node.inputs[0].shape, node.attributes[0])
        else:
            domain = Domain(node.shape)
        self._place(Member(node, node), domain)

    def _add_joint(self, node: Node) -> None:
        """Make all results at once, and copies of those that were asked for twice."""
        assert isinstance(node.op, Joint)
        results: dict[int, Node] = {}
        again: list[tuple[Node, Node]] = []
        for one in self.siblings[joint_key(node)]:
            first = results.setdefault(one.attributes[-1], one)
            if first is not one:
                again.append((first, one))
        node.op.lower(self, node, results)
        for first, one in again:
            self.store(first, one, lambda _, at, shape=one.shape: linearize(at, shape))  # type: ignore[misc]

    def _place(self, member: Member, domain: Domain) -> None:
        node = member.node
        alone = node.op.checks or node in self.alone
        if not alone:
            reads = self.stored_inputs(node)
            if not member.is_reduction and self._into_product(node, reads):
                return
            for nest in self._candidates(domain, reads):
                if self._try_join(nest, member, domain, reads):
                    return
        self._add_nest(Nest(domain=domain, members=[member], alone=alone))

    def _add_nest(self, nest: Nest) -> None:
        """Add a nest of one member; a reduction that cannot be built is put apart."""
        (member,) = nest.members
        try:
            self._build(nest)
        except Unfusable:
            if member.is_reduction and member.node not in self.alone:
                raise _Alone(member.node) from None
            raise
        self.units.append(nest)
        self._made(nest, member.target)

    def _build(self, nest: Nest) -> None:
        nest.built = build_nest(nest, self.is_stored)
        nest.reads = set(nest.built.slots) - set(nest.targets)

    def _made(self, unit: Unit, target: Node) -> None:
        makers = self.makers.setdefault(target, [])
        if unit not in makers:
            unit.after.update(makers)
            makers.append(unit)

    def stored_inputs(self, node: Node) -> set[Node]:
        """The stored nodes that computing `node` reads."""
        found: set[Node] = set()
        seen: set[Node] = set()
        waiting = list(node.inputs)
        while waiting:
            one = resolve(waiting.pop())
            if one in seen or one.op is SCALAR:
                continue
            seen.add(one)
            if self.is_stored(one):
                found.add(one)
            else:
                waiting.extend(one.inputs)
        return found

    def _ancestors(self, unit: Unit) -> set[Unit]:
        result: set[Unit] = set()
        waiting = [unit]
        while waiting:
            for one in self._before(waiting.pop()):
                if one not in result:
                    result.add(one)
                    waiting.append(one)
        return result

    def _before(self, unit: Unit) -> set[Unit]:
        before = set(unit.after)
        for node in unit.reads:
            before.update(self.makers.get(node, ()))
        before.discard(unit)
        return before

    # ------------------------------------------------------------------ fusion

    def _into_product(self, node: Node, reads: set[Node]) -> bool:
        """Compute `node` at the end of a matrix product that nothing else reads, if it can be.

        The latest such product: sets have no order of their own, and a plan must not depend on one.
        """
        for product in sorted(reads, key=lambda one: self.places.get(one, -1), reverse=True):
            call = self.makers[product][0] if self.makers.get(product) else None
            if (
                not isinstance(call, Call)
                or call.fuse is None
                or product in self.targets
                or (product.shape, product.dtype) != (node.shape, node.dtype)
                or self._readers(product) != {node}
            ):
                continue
            try:
                epilogue = build_epilogue(
                    product,
                    node,
                    lambda one, own=product: one is not own and self.is_stored(one),  # type: ignore[misc]
                )
            except (StoreFirst, Unfusable) as reason:
                self.declined.append(f"{node}: {reason}")
                continue
            del self.makers[product]
            self.units.remove(call)
            self.kernel(call.fuse(epilogue))
            return True
        return False

    def _readers(self, node: Node) -> set[Node]:
        """The roots whose computation reads `node`."""
        found: set[Node] = set()
        seen: set[Node] = set()
        waiting = list(self.uses.get(node, ()))
        while waiting:
            one = resolve(waiting.pop())
            if one in self.roots:
                found.add(one)
            elif one not in seen:
                # The uses of a value include its own changes of shape.
                seen.add(one)
                waiting.extend(self.uses.get(one, ()))
        return found

    def _candidates(self, domain: Domain, reads: set[Node]) -> list[Nest]:
        """Nests with a fitting domain that share an input or make one, the newest first."""
        makers = {unit for node in reads for unit in self.makers.get(node, ())}
        result = []
        for unit in reversed(self.units[-40:]):
            if not isinstance(unit, Nest) or unit.alone or len(unit.members) >= MOST_MEMBERS:
                continue
            if (unit in makers or unit.reads & reads) and joined_domain(unit.domain, domain):
                result.append(unit)
        return result

    def _try_join(self, nest: Nest, member: Member, domain: Domain, reads: set[Node]) -> bool:
        """Add `member` to `nest` if dependencies and the kernel language allow it."""
        joint = joined_domain(nest.domain, domain)
        assert joint is not None
        for node in reads:
            for unit in self.makers.get(node, ()):
                if unit is not nest and nest in self._ancestors(unit):
                    self.declined.append(f"{member.node}: a value in between is needed first")
                    return False
        trial = replace(nest, domain=joint, members=[*nest.members, member])
        try:
            self._build(trial)
        except (StoreFirst, Unfusable) as reason:
            self.declined.append(f"{member.node}: {reason}")
            return False
        if not _many(joint) and trial.built is not None and trial.built.kernel.phases > 1:
            self.declined.append(f"{member.node}: threads share one long reduction, not several")
            return False
        nest.domain, nest.members = joint, trial.members
        nest.built, nest.reads = trial.built, trial.reads
        self._made(nest, member.target)
        return True

    # ------------------------------------------------------------------ StepBuilder

    def store(
        self, value: Node, target: Node, place: Callable[[Any, Coordinates], Index], **how: Any
    ) -> None:
        """Compute `value` and write each element at `place(reader, coordinates)` in `target`."""
        if value.spec.numel == 0:
            return
        member = Member(value, target, place, how.get("accumulate", False))
        serial = how.get("serial", False)
        self._add_nest(
            Nest(domain=Domain(value.shape), members=[member], serial=serial, alone=True)
        )

    def strided(self, node: Node) -> tuple[Node, int, tuple[int, ...]]:
        """A stored node, offset and strides that show `node` without a copy."""
        base, offset, strides = strided_view(node, self.is_stored)
        if not self.is_stored(base):
            raise StoreFirst(base)
        return base, offset, strides

    def dense(self, node: Node) -> tuple[Node, int]:
        """A stored node and an offset at which `node` lies in row-major order."""
        base, offset, strides = self.strided(node)
        for stride, dense, size in zip(
            strides, contiguous_strides(node.shape), node.shape, strict=True
        ):
            if size > 1 and stride != dense:
                raise StoreFirst(node)
        return base, offset

    def kernel(self, call: Call) -> None:
        """Add a call of a hand-shaped kernel that makes (a part of) the current template."""
        call.reads = {one[0] for one in call.arguments if isinstance(one, tuple)}
        if call.target is not None:
            call.reads.discard(call.target)
        if self.current is not None and self.current.op.effect:
            if self.last_effect is not None:
                call.after.add(self.last_effect)
            self.last_effect = call
        self.units.append(call)
        if call.target is not None:
            self._made(call, call.target)

    def part(self) -> _Scheduler:
        """What makes another schedule, of units that read what is stored here."""
        return _Scheduler((), set(), set(), set(), self.is_stored)

    def region(self, nodes: Sequence[Node], wanted: Sequence[Node]) -> Schedule:
        """A schedule of its own for nodes that read what is stored here."""
        return schedule(nodes, wanted, self.is_stored)

    def add(self, unit: Unit) -> None:
        """Add a unit that makes its targets."""
        self.units.append(unit)
        for node in unit.targets:
            self._made(unit, node)

    # ------------------------------------------------------------------ order

    def _ordered(self) -> list[Unit]:
        """Units by wave: each after all it depends on."""
        waves: dict[Unit, int] = {}
        waiting = list(reversed(self.units))
        while waiting:
            unit = waiting[-1]
            before = self._before(unit)
            missing = [one for one in before if one not in waves]
            if not missing:
                waiting.pop()
                unit.wave = waves[unit] = 1 + max([waves[one] for one in before], default=-1)
            waiting.extend(missing)
        return sorted(self.units, key=lambda unit: unit.wave)


def joint_key(node: Node) -> tuple[Any, ...]:
    """What the results of one evaluation have in common."""
    return node.op, node.attributes[:-1], node.inputs


def _siblings(nodes: Sequence[Node]) -> dict[Any, list[Node]]:
    found: dict[Any, list[Node]] = {}
    for node in nodes:
        if isinstance(node.op, Joint):
            found.setdefault(joint_key(node), []).append(node)
    return found


def joined_domain(first: Domain, second: Domain) -> Domain | None:
    """The domain in which both kinds of value can be computed, if there is one."""
    if first.shape == second.shape and first.reduced == second.reduced:
        return first
    if second.reduced:
        if first.reduced or squeezed(first.shape) != squeezed(second.shape):
            return None
        return second if _occupies_threads(second) else None
    if not first.reduced:
        return first if squeezed(first.shape) == squeezed(second.shape) else None
    if squeezed(second.shape) == squeezed(first.shape) and _occupies_threads(first):
        return first
    return first if squeezed(second.shape) == squeezed(first.kept) else None


def _occupies_threads(domain: Domain) -> bool:
    """Whether elementwise code loses nothing in a nest that reduces so: long rows are cut."""
    return _many(domain) or domain.lanes_along == "inner"


def _many(domain: Domain) -> bool:
    """Whether a nest over this domain has enough rows, uncut, to occupy several threads."""
    rows, total = 1, 1
    for size in domain.kept:
        rows *= size
    for size in domain.shape:
        total *= size
    return rows >= 16 or total <= 1 << 15


def live_nodes(nodes: Sequence[Node], targets: set[Node]) -> list[Node]:
    """The nodes that targets need, and those with effects, in order of recording."""
    needed = set(targets)
    result = []
    for node in reversed(nodes):
        if node in needed or node.op.effect:
            result.append(node)
            needed.update([one for one in node.inputs if one.buffer is None])
    result.reverse()
    return result
