"""The pipeline from a recording to a plan: schedule, trim, place memory, generate code, link."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter

from flambeau.compiler.build import drop_stores
from flambeau.compiler.linking import Linked, Linker
from flambeau.compiler.memory import plan_memory, plan_regions
from flambeau.compiler.row_buffers import keep_rows
from flambeau.compiler.schedule import resolve, schedule
from flambeau.compiler.split import split_reductions
from flambeau.compiler.streaming import mark_streamed
from flambeau.compiler.units import Branch, Call, Loop, Nest, Schedule, Unit
from flambeau.compiler.verify import verify_recording, verify_schedule
from flambeau.core.settings import settings
from flambeau.graph.node import Node
from flambeau.graph.op import Elementwise
from flambeau.runtime.cpu.executor import Program
from flambeau.runtime.plan import Plan


def compile_plan(
    nodes: Sequence[Node],
    leaves: Sequence[Node],
    wanted: Sequence[Node],
    dead: set[Node],
    make: Callable[[Linked], Program] = Linked.program,
) -> Plan:
    """Compile a recording's nodes so that `wanted` get computed.

    `dead` are leaves nobody will read again: their buffers may become outputs. `make` makes the
    program of its parts.
    """
    passes = _Clock()
    if settings.verify:
        verify_recording(nodes, leaves)
    result = schedule(nodes, wanted)
    passes.mark("schedule")
    outputs = list(dict.fromkeys(one for one in map(resolve, wanted) if one.buffer is None))
    _improve(result, set(outputs))
    passes.mark("trim")
    # A wanted view of a leaf shows the leaf's own buffer.
    dead = dead - {resolve(node) for node in wanted}
    plan_regions(result)
    memory = plan_memory(result.units, result.makers, outputs, dead)
    mark_streamed(result, memory)
    passes.mark("memory")
    linker = Linker(result, memory, leaves, outputs)
    linker.generate()
    passes.mark("code")
    plan = linker.link(wanted, make)
    passes.mark("link")
    plan.summary = [describe(unit) for unit in result.units]
    plan.seconds = passes.seconds
    return plan


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = perf_counter()

    def mark(self, name: str) -> None:
        now = perf_counter()
        self.seconds[name], self.last = now - self.last, now


def _improve(result: Schedule, outputs: set[Node]) -> None:
    """What may be done to a schedule, and those within it, once it is known."""
    _trim(result, outputs)
    split_reductions(result)
    keep_rows(result, _read_elsewhere(result, outputs))
    if settings.verify:
        verify_schedule(result)
    for unit in result.units:
        for region in unit.regions:
            _improve(region.schedule, set(region.outputs))


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


def describe(unit: Unit) -> str:
    """A line that says what a unit computes."""
    if isinstance(unit, Nest):
        names = " ".join(member.node.op.name for member in unit.members)
        reduced = f" over {list(unit.domain.reduced)}" if unit.domain.reduced else ""
        fused = _fused(unit)
        inside = f" (with {' '.join(fused)})" if fused else ""
        return f"nest {list(unit.domain.shape)}{reduced}: {names}{inside}"
    if isinstance(unit, Call):
        return f"call {unit.name}"
    parts = [_described(region.schedule) for region in unit.regions]
    if isinstance(unit, Branch):
        return f"branch: either {parts[0]}, or {parts[1]}"
    assert isinstance(unit, Loop)
    most = "while it holds" if unit.conditional else f"{unit.limit} times"
    return f"loop {most}: {parts[0]}"


def _described(schedule: Schedule) -> str:
    return "; ".join([describe(unit) for unit in schedule.units]) or "nothing"


def _fused(nest: Nest) -> list[str]:
    """The ops computed on the way to the members; views cost nothing."""
    assert nest.built is not None
    members = {member.node for member in nest.members}
    return [
        node.op.name
        for node in nest.built.computed
        if node not in members and isinstance(node.op, Elementwise)
    ]
