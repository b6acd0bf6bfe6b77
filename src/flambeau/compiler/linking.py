"""From units to a program: code addresses, the order of steps, an argument table, slots."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flambeau.compiler.arguments import Arguments, number_arguments
from flambeau.compiler.bounds import check_bounds
from flambeau.compiler.schedule import resolve
from flambeau.compiler.templates import control
from flambeau.compiler.units import (
    Branch,
    Call,
    Code,
    Loop,
    MemoryPlan,
    Nest,
    Region,
    Schedule,
    Unit,
)
from flambeau.compiler.verify import verify_kernel
from flambeau.compiler.work import nest_work, work_items
from flambeau.core.settings import settings
from flambeau.graph.node import Node
from flambeau.graph.op import SCALAR
from flambeau.runtime.cpu.executor import Program, Step
from flambeau.runtime.kernel_cache import kernels
from flambeau.runtime.plan import Plan, Slots

SLOT_KINDS = ("leaf", "output", "scalar", "error")


@dataclass
class Linked:
    """All that a program is made of; the steps by the unit that they belong to."""

    schedule: Schedule
    outputs: Sequence[Node]
    steps: list[tuple[Unit, list[Step]]]
    table: Sequence[int]
    slot_count: int
    gather: list[tuple[int, int]]
    arena: list[tuple[int, int]]
    arena_bytes: int
    scratch_bytes: int

    def program(self) -> Program:
        """The program."""
        steps = [step for _, own in self.steps for step in own]
        return Program(
            steps, self.table, self.slot_count, self.gather, self.arena, self.arena_bytes,
            self.scratch_bytes,
        )  # fmt: skip


class Linker:
    """Turns units into steps."""

    def __init__(
        self, schedule: Schedule, memory: MemoryPlan, leaves: Sequence[Node], outputs: list[Node]
    ) -> None:
        self.schedule, self.memory, self.leaves, self.outputs = schedule, memory, leaves, outputs
        self.leaf_numbers = {id(leaf): number for number, leaf in enumerate(leaves)}
        self.output_numbers = {node: number for number, node in enumerate(outputs)}
        self.table: list[int] = []
        self.gather: list[tuple[int, int]] = []
        self.arena: list[tuple[int, int]] = []
        self.slots: dict[tuple[str, int, int], int] = {}
        self.faults: list[Node] = []
        self.code: dict[Unit, tuple[Arguments | None, int]] = {}
        self.steps: list[Step] = []
        self.scratch = self.wave = 0
        # How often the steps now being added run.
        self.times = 1.0
        # Where temporaries are in the arena; what is in another's memory; and of the values that
        # loops move: where their addresses go in the table, with bytes to be added.
        self.offsets = dict(memory.offsets)
        self.homes: dict[Node, Node] = {}
        self.moving: dict[Node, list[tuple[int, int]]] = {}

    # ------------------------------------------------------------------ code

    def generate(self) -> None:
        """Compile every kernel, or find it in the cache."""
        wanted: list[tuple[str, Callable[[str], str]]] = []
        kept: list[tuple[Unit, Arguments | None]] = []
        for unit in all_units(self.schedule):
            if isinstance(unit, Nest):
                assert unit.built is not None
                if work_items(unit.built.kernel) == 0:
                    continue
                culprit = _culprit(unit)
                if settings.checked and culprit is not None:
                    check_bounds(unit.built, culprit)
                arguments = number_arguments(unit.built.kernel)
                if settings.verify:
                    verify_kernel(unit.built.kernel, arguments)
                wanted.append(nest_code(unit, arguments))
                kept.append((unit, arguments))
            elif isinstance(unit, Call) and unit.total:
                wanted.append((unit.key, _call_builder(unit)))
                kept.append((unit, None))
        calls = [unit for unit, _ in kept if isinstance(unit, Call)]
        called = [one for call in calls for one in call.arguments if isinstance(one, Code)]
        wanted += [(one.key, one.build) for one in called]
        addresses = kernels.get_many(wanted)[: len(kept)]
        self.code = {one[0]: (one[1], at) for one, at in zip(kept, addresses, strict=True)}

    # ------------------------------------------------------------------ steps

    def link(self, wanted: Sequence[Node], make: Callable[[Linked], Program]) -> Plan:
        """The program over all steps, made by `make`."""
        steps: list[tuple[Unit, list[Step]]] = []
        for unit in self._in_order(self.schedule):
            before = len(self.steps)
            self._add(unit)
            if len(self.steps) > before:
                steps.append((unit, self.steps[before:]))
        slots, gather = self._ordered_slots()
        linked = Linked(
            self.schedule, self.outputs, steps, self.table, len(self.slots), gather, self.arena,
            self.memory.nbytes, self.scratch,
        )  # fmt: skip
        return Plan(
            make(linked),
            slots,
            [(node.spec.nbytes, self._taken_leaf(node)) for node in self.outputs],
            {node.position: self._result(node) for node in wanted},
            [node.position for node in self.faults],
        )

    def _in_order(self, schedule: Schedule) -> Iterator[Unit]:
        """The units by wave, of which `self.wave` becomes the number among all steps.

        Loops and branches, with waves of their own, come after the rest of their wave.
        """
        for _, group in itertools.groupby(schedule.units, key=lambda unit: unit.wave):
            units = list(group)
            yield from [one for one in units if not one.regions]
            self.wave += 1
            for one in units:
                if one.regions:
                    yield one
                    self.wave += 1

    def _add(self, unit: Unit) -> None:
        if isinstance(unit, Loop):
            self._add_loop(unit)
        elif isinstance(unit, Branch):
            self._add_branch(unit)
        elif unit in self.code:
            self._add_step(unit)

    def _add_step(self, unit: Unit) -> None:
        arguments, address = self.code[unit]
        start = len(self.table)
        grain: float
        if isinstance(unit, Nest):
            assert arguments is not None
            assert unit.built is not None
            self._nest_arguments(unit, arguments)
            total, grain = nest_work(unit)
            self.scratch = max(self.scratch, unit.built.kernel.row_bytes)
        else:
            assert isinstance(unit, Call)
            self._call_arguments(unit)
            total, grain = unit.total, unit.grain
            self.scratch = max(self.scratch, unit.scratch)
        check = arguments is not None and bool(arguments.faults)
        self.steps.append(Step(address, start, total, grain, self.wave, check, times=self.times))

    def _add_region(self, region: Region) -> None:
        base = self.offsets[region.room] if region.room is not None else 0
        for node, offset in region.memory.offsets.items():
            self.offsets[node] = base + offset
        for unit in self._in_order(region.schedule):
            self._add(unit)

    def _control(self, kind: str, start: int, then: int = -1, otherwise: int = -1) -> Step:
        """A step of this wave that steers the program."""
        emit = getattr(control, kind)

        def build(name: str) -> str:
            from llvmlite import ir

            module = ir.Module(name)
            emit(module, name)
            return str(module)

        address = kernels.get(f"control {kind}", build)
        return Step(address, start, 1, 1, self.wave, False, then, otherwise, self.times)

    def _put(self, value: int, place: int, then: int = -1) -> None:
        """Add a wave that writes to a place of the table."""
        start = len(self.table)
        self.table += [place - start, value]
        self.steps.append(self._control("put", start, then))
        self.wave += 1

    def _add_loop(self, loop: Loop) -> None:
        """The number of the round is reset; then come a head, the body, and the head again."""
        self.moving.update({one.node: [] for one in loop.moving})
        start, first, before = len(self.table), len(self.steps), self.times
        self.table += [0, 0, loop.limit, int(loop.conditional), len(loop.moving), 0]
        self._put(0, start + control.ROUND)
        head = self.wave
        self.steps.append(self._control("head", start))
        self.wave += 1
        self.times *= math.inf if loop.conditional else loop.limit
        self._add_region(loop.body)
        if len(self.steps) == first + 2:
            del self.steps[first:]  # there is nothing to do in a round
        else:
            # Back to the head, from whatever is the last of the body.
            self._put(0, start + control.GO_ON, then=head)
            self.steps[first + 1] = self.steps[first + 1]._replace(otherwise=self.wave)
        self.times = before
        if loop.leave is not None:
            self._add_region(loop.leave)
        self.table[start + control.FAR] = len(self.table) - start
        self._add_moving(loop, start)

    def _add_moving(self, loop: Loop, start: int) -> None:
        """Add what the head of a loop, whose arguments begin at `start`, knows of its values."""
        for one in loop.moving:
            places = self.moving[one.node]
            self.table.append(one.special)
            self._address(*(one.other or one.base))
            self._address(*one.base)
            self.table += [one.shift, one.mask, one.step, len(places)]
            for position, offset in places:
                self.table += [position - start, offset]

    def _add_branch(self, branch: Branch) -> None:
        """A step decides; the first arm ends with one that goes on behind the second."""
        self.homes.update(branch.homes)
        start, first = len(self.table), len(self.steps)
        self.table.append(0)
        self._address(*branch.condition)
        self.steps.append(self._control("decide", start))
        self.wave += 1
        self._add_region(branch.arms[0])
        self._put(0, len(self.table) + 1)
        leave, other = len(self.steps) - 1, self.wave
        self._add_region(branch.arms[1])
        self.steps[first] = self.steps[first]._replace(otherwise=other)
        self.steps[leave] = self.steps[leave]._replace(then=self.wave)

    # ------------------------------------------------------------------ slots and arguments
    def _ordered_slots(self) -> tuple[Slots, list[tuple[int, int]]]:
        """The slots by kind, and the table positions that read them."""
        order = sorted(self.slots, key=lambda slot: SLOT_KINDS.index(slot[0]))
        place = {self.slots[slot]: number for number, slot in enumerate(order)}
        of_kind = {kind: [slot[1:] for slot in order if slot[0] == kind] for kind in SLOT_KINDS}
        error = bool(of_kind["error"])
        slots = Slots(of_kind["leaf"], of_kind["output"], of_kind["scalar"], error)
        return slots, [(position, place[slot]) for position, slot in self.gather]

    def _taken_leaf(self, node: Node) -> int:
        leaf = self.memory.taken_over.get(node)
        return -1 if leaf is None else self.leaf_numbers[id(leaf)]

    def _result(self, node: Node) -> tuple[str, int]:
        base = resolve(node)
        if base in self.output_numbers:
            return "output", self.output_numbers[base]
        return "leaf", self.leaf_numbers[id(base)]

    def _nest_arguments(self, nest: Nest, arguments: Arguments) -> None:
        assert nest.built is not None
        fault_arguments = set(arguments.faults.values())
        for position, (kind, number) in enumerate(arguments.entries):
            if kind == "slot":
                self._address(nest.built.slots[number], 0)
            elif kind == "scalar":
                self._scalar(nest.built.slots[number])
            elif kind == "error":
                self._slot("error", 0, 0)
            elif position in fault_arguments:
                self.table.append(number % 256 + 256 * len(self.faults))
                self.faults.append(nest.built.faults[number // 256])
            else:
                self.table.append(number)

    def _call_arguments(self, call: Call) -> None:
        for one in call.arguments:
            if isinstance(one, tuple):
                self._address(*one)
            elif isinstance(one, Node):
                self._scalar(one)
            elif isinstance(one, Code):
                self.table.append(kernels.get(one.key, one.build))
            else:
                self.table.append(one)

    def _address(self, node: Node, offset: int) -> None:
        """Append the address of a node to the table."""
        node = self.homes.get(node, node)
        if node in self.moving:
            self.moving[node].append((len(self.table), offset))
            self.table.append(0)
        elif node in self.output_numbers:
            self._slot("output", self.output_numbers[node], offset)
        elif node in self.offsets:
            self.arena.append((len(self.table), self.offsets[node] + offset))
            self.table.append(0)
        else:
            self._slot("leaf", self.leaf_numbers[id(node)], offset)

    def _scalar(self, node: Node) -> None:
        """Append a Python number's bits."""
        floating = int(node.dtype.is_floating_point)
        self._slot("scalar", self.leaf_numbers[id(node)], floating)

    def _slot(self, kind: str, number: int, extra: int) -> None:
        slot = self.slots.setdefault((kind, number, extra), len(self.slots))
        self.gather.append((len(self.table), slot))
        self.table.append(0)


def _culprit(nest: Nest) -> Node | None:
    """The node to report faults of a nest for; None if it only stores a number, in its place."""
    member = nest.members[0]
    recorded = [one for one in (member.node, member.target) if one.op is not SCALAR]
    # What is copied may be a leaf, which has no line of its own.
    return max(recorded, key=lambda one: one.position, default=None)


def nest_code(nest: Nest, arguments: Arguments) -> tuple[str, Callable[[str], str]]:
    """The cache key of a nest's kernel and what writes its LLVM code."""
    assert nest.built is not None
    kernel = nest.built.kernel

    def build(name: str) -> str:
        from llvmlite import ir

        from flambeau.compiler.emit import emit_kernel
        from flambeau.runtime.llvm import machine

        module = ir.Module(name)
        emit_kernel(module, name, kernel, arguments, machine.lanes())
        return str(module)

    return arguments.text, build


def _call_builder(call: Call) -> Callable[[str], str]:
    def build(name: str) -> str:
        from llvmlite import ir

        module = ir.Module(name)
        call.emit(module, name)
        return str(module)

    return build


def all_units(schedule: Schedule) -> Iterator[Unit]:
    """The units, and those of the bodies and arms within them."""
    for unit in schedule.units:
        yield unit
        for region in unit.regions:
            yield from all_units(region.schedule)
