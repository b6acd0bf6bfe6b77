"""What was recorded, fused and compiled, and how long each kernel takes beside how long it must.

While a program is explained its plans are compiled anew and run kernel by kernel, so that each can
be timed; what they compute is the same. Times are those of the quickest run.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flambeau.core.settings import settings
from flambeau.engine.flush import engine
from flambeau.engine.speed import Speed, bandwidth, measure_speed
from flambeau.graph import drawing
from flambeau.graph.drawing import Picture
from flambeau.runtime.buffers import allocate
from flambeau.runtime.cpu.executor import Error, Program
from flambeau.runtime.plan import Plan

if TYPE_CHECKING:
    from flambeau.compiler.linking import Linked


@dataclass
class Kernel:
    """A kernel call of a plan: what it does, what it costs, and its quickest time."""

    description: str
    nbytes: int
    operations: int
    seconds: float = math.inf

    def floor(self, speed: Speed) -> float:
        """The seconds it must take on a machine of this speed."""
        return max(self.nbytes / bandwidth(self.nbytes), self.operations / speed.operations)


@dataclass
class PlanReport:
    """One plan: why it was compiled, its kernels, memory and the compiler's passes."""

    why: str
    recorded: int
    runs: int
    kernels: list[Kernel]
    temporary_bytes: int
    output_bytes: int
    # What the threads keep for themselves: rows, packed matrices.
    scratch_bytes: int
    passes: dict[str, float]
    declined: list[str]
    picture: Picture

    @property
    def peak_bytes(self) -> int:
        """Memory that a run needs beside its inputs."""
        return self.temporary_bytes + self.output_bytes + self.scratch_bytes

    @property
    def seconds(self) -> float:
        """The time of all its kernels."""
        return sum(kernel.seconds for kernel in self.kernels)

    def graph(self, overview: bool = False) -> str:
        """A picture of its operations in their kernels, for graphviz (the DOT language).

        `overview` draws a kernel as one box.
        """
        title = (
            f"{self.recorded} operations in {len(self.kernels)} kernels, "
            f"{self.seconds * 1e6:.1f} µs, {self.peak_bytes} bytes beside its inputs"
        )
        captions = [
            f"kernel {number}: {kernel.description}\n"
            f"{kernel.seconds * 1e6:.1f} µs, {kernel.nbytes} bytes moved"
            for number, kernel in enumerate(self.kernels, 1)
        ]
        if overview:
            return drawing.dot_text(drawing.overview(self.picture, captions), title, ())
        return drawing.dot_text(self.picture, title, captions)


@dataclass
class Explanation:
    """What `explain` found; filled when its block ends."""

    plans: list[PlanReport] = field(default_factory=list)
    speed: Speed = field(default_factory=measure_speed)

    def __str__(self) -> str:
        lines = []
        for number, one in enumerate(self.plans, 1):
            lines.append(
                f"plan {number} ({one.why}): "
                f"{one.recorded} operations, {len(one.kernels)} kernels, {one.runs} runs, "
                f"{one.seconds * 1e6:.1f} us, {one.peak_bytes} bytes beside its inputs"
            )
            lines += [
                f"  {kernel.seconds * 1e6:9.1f} us (floor {kernel.floor(self.speed) * 1e6:.1f})  "
                f"{kernel.description}"
                for kernel in one.kernels
            ]
            passes = [f"{name} {seconds * 1e3:.1f} ms" for name, seconds in one.passes.items()]
            lines.append("  compiled: " + ", ".join(passes))
            lines += [f"  not fused: {reason}" for reason in one.declined]
        return "\n".join(lines)


@contextmanager
def explain() -> Iterator[Explanation]:
    """Explain what is computed within the block.

    >>> import flambeau
    >>> from flambeau.engine.explain import explain
    >>> with explain() as explanation:
    ...     total = float((flambeau.ones(1000) * 2).sum())
    >>> [len(plan.kernels) for plan in explanation.plans]
    [1]
    """
    # Only now, as the compiler takes a while to load.
    from flambeau.compiler.computed import groups
    from flambeau.compiler.cost import cost
    from flambeau.compiler.plan import describe

    def timed(linked: Linked) -> Program:
        units = [unit for unit, _ in linked.steps]
        kernels = [Kernel(describe(unit), *cost(unit)) for unit in units]
        picture = drawing.draw(groups(units), set(linked.outputs))
        return _TimedProgram(kernels, picture, linked)

    explanation = Explanation()
    plans, log, program = engine.plans, engine.statistics.log, engine.program
    engine.plans, engine.statistics.log, engine.program = OrderedDict(), [], timed
    try:
        yield explanation
    finally:
        explanation.plans = _reports(engine.statistics.log, engine.plans)
        engine.plans, engine.statistics.log, engine.program = plans, log, program


class _TimedProgram(Program):
    """A program that runs its kernels one after another and notes how long each takes.

    A loop or a branch counts as one kernel.
    """

    def __init__(self, kernels: list[Kernel], picture: Picture, linked: Linked) -> None:
        super().__init__((), (), 0, (), (), 0, 0)
        # The steps share one arena, whose addresses are further slots of each.
        self.offsets = [offset for _, offset in linked.arena]
        self.arena_bytes, self.scratch_bytes = linked.arena_bytes, linked.scratch_bytes
        count = linked.slot_count
        places = [(position, count + n) for n, (position, _) in enumerate(linked.arena)]
        count, gather = count + len(places), [*linked.gather, *places]
        self.parts = [
            Program(steps, linked.table, count, gather, (), 0, self.scratch_bytes)
            for _, steps in linked.steps
        ]
        self.kernels, self.declined, self.picture = kernels, linked.schedule.declined, picture
        # Replays of captured functions included.
        self.runs = 0
        # What starting a program costs: the quickest start of one without steps.
        self.overhead = math.inf

    def run(self, slots: Sequence[int]) -> Error | None:
        self.runs += 1
        memory = allocate(self.arena_bytes)
        addresses = [memory.address + offset for offset in self.offsets]
        for part, kernel in zip(self.parts, self.kernels, strict=True):
            own = [part.error_address if one == self.error_address else one for one in slots]
            start = perf_counter()
            super().run(())
            started = perf_counter()
            error = part.run([*own, *addresses])
            done = perf_counter()
            if error is not None:
                return error
            self.overhead = min(self.overhead, started - start)
            kernel.seconds = min(kernel.seconds, done - started)
        return None


def _reports(log: Sequence[Plan], plans: dict[Any, Plan]) -> list[PlanReport]:
    """A report for each plan that ran, in order of their first runs."""
    keys = {id(plan): key for key, plan in plans.items()}
    reports: list[PlanReport] = []
    seen: list[tuple[Any, ...]] = []
    for plan in {id(plan): plan for plan in log}.values():
        key, program = keys.get(id(plan)), plan.program
        if key is None or not isinstance(program, _TimedProgram):
            continue
        for kernel in program.kernels:
            kernel.seconds = max(kernel.seconds - program.overhead, 0.0)
        new = [nbytes for nbytes, leaf in plan.outputs if leaf < 0]
        reports.append(
            PlanReport(
                difference(key, seen),
                key[0].operations,
                program.runs,
                program.kernels,
                program.arena_bytes,
                sum(new),
                program.scratch_bytes * settings.threads,
                plan.seconds,
                program.declined,
                program.picture,
            )
        )
        seen.append(key)
    return reports


def difference(key: tuple[Any, ...], earlier: Sequence[tuple[Any, ...]]) -> str:
    """Why none of the earlier plans would do: what differs from the latest of the same ops."""
    structure, wanted, dead = key
    for known, wanted_then, dead_then in reversed(earlier):
        operations, others = structure.entries(), known.entries()
        if [one[0] for one in others] != [one[0] for one in operations]:
            continue
        for number, pair in enumerate(zip(structure.leaves(), known.leaves(), strict=False)):
            if pair[0] != pair[1]:
                now, before = (f"number {a[0]}" if isinstance(a, tuple) else str(a) for a in pair)
                return f"input {number}: {before} became {now}"
        for number, (step, other) in enumerate(zip(operations, others, strict=True)):
            if step[1:] != other[1:]:
                return f"operation {number}, {step[0]}: {list(other[1:])} became {list(step[1:])}"
        if wanted != wanted_then:
            return f"wanted results: {list(wanted_then)} became {list(wanted)}"
        return f"inputs nobody needs later: {list(dead_then)} became {list(dead)}"
    return "new operations"
