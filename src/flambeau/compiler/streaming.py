"""Stores that go past the caches: what is too large to be found there again.

A plain store reads the line it writes to first, a third of a copy's traffic. Up to 32 MB, measured,
reading a value next makes up for that, as some cache still holds it.
"""

from __future__ import annotations

from flambeau.compiler.kernel import Kernel
from flambeau.compiler.tiles import tile_axis
from flambeau.compiler.units import MemoryPlan, Nest, Schedule

LARGE = 64 << 20


def mark_streamed(schedule: Schedule, memory: MemoryPlan) -> None:
    """Note in each kernel which of its slots are written past the caches."""
    for unit in schedule.units:
        if isinstance(unit, Nest) and unit.built is not None and not unit.serial:
            kernel, slots = unit.built.kernel, unit.built.slots
            kernel.streamed = frozenset(
                slot
                for slot in _written_only(kernel)
                # What takes over an input's memory has just read the line.
                if slots[slot].spec.nbytes >= LARGE and slots[slot] not in memory.taken_over
            )


def _written_only(kernel: Kernel) -> set[int]:
    if tile_axis(kernel) is not None:
        return set()
    code = [one for _, one in kernel.instructions()]
    read = {one.slot for one in code if one.op in ("load", "accumulate")}
    return {one.slot for one in code if one.op == "store"} - read
