"""The pipeline from a recording to a plan: schedule, trim, place memory, generate code, link."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

from flambeau.compiler.arguments import Arguments, number_arguments
from flambeau.compiler.bounds import check_bounds
from flambeau.compiler.build import drop_stores
from flambeau.compiler.memory import MemoryPlan, plan_memory
from flambeau.compiler.row_buffers import keep_rows
from flambeau.compiler.schedule import Schedule, resolve, schedule
from flambeau.compiler.split import split_reductions
from flambeau.compiler.streaming import mark_streamed
from flambeau.compiler.units import Call, Code, Nest, Unit
from flambeau.compiler.verify import verify_kernel, verify_recording, verify_schedule
from flambeau.compiler.work import nest_work, work_items
from flambeau.core.settings import settings
from flambeau.graph.node import Node
from flambeau.graph.op import Elementwise
from flambeau.runtime.cpu.executor import Program, Step
from flambeau.runtime.kernel_cache import kernels
from flambeau.runtime.plan import Plan, Slots


def compile_plan(
    nodes: Sequence[Node], leaves: Sequence[Node], wanted: Sequence[Node], dead: set[Node]
) -> Plan:
    """Compile a recording's nodes so that `wanted` get computed.

    `dead` are leaves nobody will read again: their buffers may become outputs.
    """
    passes = _Clock()
    if settings.verify:
        verify_recording(nodes, leaves)
    result = schedule(nodes, wanted)
    passes.mark("schedule")
    outputs = list(dict.fromkeys(one for one in map(resolve, wanted) if one.buffer is None))
    _trim(result, set(outputs))
    split_reductions(result)
    keep_rows(result, _read_elsewhere(result, set(outputs)))
    if settings.verify:
        verify_schedule(result)
    passes.mark("trim")
    # A wanted view of a leaf shows the leaf's own buffer.
    dead = dead - {resolve(node) for node in wanted}
    memory = plan_memory(result.units, result.makers, outputs, dead)
    mark_streamed(result, memory)
    passes.mark("memory")
    linker = _Linker(result, memory, leaves, outputs)
    linker.generate()
    passes.mark("code")
    plan = linker.link(wanted)
    passes.mark("link")
    plan.seconds = passes.seconds
    return plan


def _link(units: Sequence[Unit], result: Schedule, outputs: Sequence[Node], *parts: Any) -> Program:
    del units, result, outputs
    return Program(*parts)


# What makes a program of the parts; engine/explain.py puts one on top that can be timed.
linkers: list[Callable[..., Program]] = [_link]


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = perf_counter()

    def mark(self, name: str) -> None:
        now = perf_counter()
        self.seconds[name], self.last = now - self.last, now


def _trim(result: Schedule, outputs: set[Node]) -> None:
    """Keep values in registers that no other unit reads."""
    needed = _read_elsewhere(result, outputs)
    for unit in result.units:
        if isinstance(unit, Nest) and unit.built is not None:
            drop_stores(unit.built, partial(needed, unit))


def _read_elsewhere(result: Schedule, outputs: set[Node]) -> Callable[[Nest, Node], bool]:
    """Tells whether what a nest makes is an output or read by another unit."""
    readers: dict[Node, list[Unit]] = {}
    for unit in result.units:
        for node in unit.reads:
            readers.setdefault(node, []).append(unit)
    return lambda nest, node: (
        node in outputs or any(unit is not nest for unit in readers.get(node, ()))
    )


SLOT_KINDS = ("leaf", "output", "scalar", "error")


class _Linker:
    """Turns units into steps: code addresses, an argument table, slots."""

    def __init__(
        self, result: Schedule, memory: MemoryPlan, leaves: Sequence[Node], outputs: list[Node]
    ) -> None:
        self.result, self.memory, self.leaves = result, memory, leaves
        self.outputs = outputs
        self.leaf_numbers = {id(leaf): number for number, leaf in enumerate(leaves)}
        self.output_numbers = {node: number for number, node in enumerate(outputs)}
        self.table: list[int] = []
        self.gather: list[tuple[int, int]] = []
        self.arena: list[tuple[int, int]] = []
        self.slots: dict[tuple[str, int, int], int] = {}
        self.faults: list[Node] = []
        self.code: list[tuple[Unit, Arguments | None, int]] = []

    # ------------------------------------------------------------------ code

    def generate(self) -> None:
        """Compile every kernel, or find it in the cache."""
        wanted: list[tuple[str, Callable[[str], str]]] = []
        kept: list[tuple[Unit, Arguments | None]] = []
        for unit in self.result.units:
            if isinstance(unit, Nest):
                assert unit.built is not None
                if work_items(unit.built.kernel) == 0:
                    continue
                if settings.checked:
                    check_bounds(unit.built, unit.members[0].node)
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
        self.code = [(*one, where) for one, where in zip(kept, addresses, strict=True)]

    # ------------------------------------------------------------------ arguments

    def link(self, wanted: Sequence[Node]) -> Plan:
        """The program over all steps."""
        steps, summary, scratch = [], [], 0
        grain: float
        for unit, arguments, address in self.code:
            start = len(self.table)
            if isinstance(unit, Nest):
                assert arguments is not None
                self._nest_arguments(unit, arguments)
                total, grain = nest_work(unit)
                assert unit.built is not None
                scratch = max(scratch, unit.built.kernel.row_bytes)
            else:
                assert isinstance(unit, Call)
                self._call_arguments(unit)
                total, grain = unit.total, unit.grain
                scratch = max(scratch, unit.scratch)
            check = arguments is not None and bool(arguments.faults)
            steps.append(Step(address, start, total, grain, unit.wave, check))
            summary.append(describe(unit))
        slots, gather = self._ordered_slots()
        parts = (self.table, len(self.slots), gather, self.arena, self.memory.nbytes, scratch)
        units = [unit for unit, _, _ in self.code]
        return Plan(
            linkers[-1](units, self.result, self.outputs, steps, *parts),
            slots,
            [(node.spec.nbytes, self._taken_leaf(node)) for node in self.outputs],
            {node.position: self._result(node) for node in wanted},
            [node.position for node in self.faults],
            summary,
        )

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
        if node in self.output_numbers:
            self._slot("output", self.output_numbers[node], offset)
        elif node in self.memory.offsets:
            self.arena.append((len(self.table), self.memory.offsets[node] + offset))
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


def describe(unit: Unit) -> str:
    """A line that says what a unit computes."""
    if isinstance(unit, Nest):
        names = " ".join(member.node.op.name for member in unit.members)
        reduced = f" over {list(unit.domain.reduced)}" if unit.domain.reduced else ""
        fused = _fused(unit)
        inside = f" (with {' '.join(fused)})" if fused else ""
        return f"nest {list(unit.domain.shape)}{reduced}: {names}{inside}"
    assert isinstance(unit, Call)
    return f"call {unit.name}"


def _fused(nest: Nest) -> list[str]:
    """The ops computed on the way to the members; views cost nothing."""
    assert nest.built is not None
    members = {member.node for member in nest.members}
    return [
        node.op.name
        for node in nest.built.computed
        if node not in members and isinstance(node.op, Elementwise)
    ]
