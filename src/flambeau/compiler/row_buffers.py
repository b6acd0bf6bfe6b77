"""Values of a row that only its own nest reads again: they stay in the caches.

Such a value is written in one inner loop and read, element by element, in later ones: the
exponentials of a softmax, say. Instead of memory for all rows, each thread has memory for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from flambeau.compiler.kernel import Kernel, Section
from flambeau.compiler.units import ALIGNMENT, BuiltNest, Nest, Schedule
from flambeau.core.shapes import contiguous_strides
from flambeau.graph.index import ZERO, Index
from flambeau.graph.node import Node

# Beyond this a row is no better off in a thread's memory.
LONGEST_ROW_BYTES = 1 << 20


def keep_rows(schedule: Schedule, needed: Callable[[Nest, Node], bool]) -> None:
    """Find such values and give them places in the threads' memory; `needed` are read elsewhere."""
    for unit in schedule.units:
        if isinstance(unit, Nest) and unit.built is not None and not unit.serial:
            for slot in _row_slots(unit.built):
                node = unit.built.slots[slot]
                if schedule.makers.get(node) == [unit] and not needed(unit, node):
                    _keep(unit.built, slot)
                    del schedule.makers[node]


def _row_slots(built: BuiltNest) -> list[int]:
    """The slots that are written once, in an inner loop, and then read at the same place."""
    kernel = built.kernel
    if kernel.lanes_along != "inner":
        return []
    places: dict[int, list[tuple[int, str, Index | None, bool]]] = {}
    for number, section in enumerate(kernel.sections):
        for _, one in section.code:
            if one.slot >= 0 and one.op != "scalar":
                plain = section.inner and not one.guards
                places.setdefault(one.slot, []).append((number, one.op, one.at, plain))
    found = []
    for slot, (first, *others) in places.items():
        again = all(
            op == "load" and plain and at == first[2] and number > first[0]
            for number, op, at, plain in others
        )
        fits = math.prod(kernel.inner) * built.slots[slot].dtype.itemsize <= LONGEST_ROW_BYTES
        if first[1] == "store" and first[3] and others and again and fits:
            found.append(slot)
    return found


def _keep(built: BuiltNest, slot: int) -> None:
    kernel = built.kernel
    place = _place_in_row(kernel)
    kernel.rows[slot] = kernel.row_bytes
    nbytes = math.prod(kernel.inner) * built.slots[slot].dtype.itemsize
    kernel.row_bytes += -(-nbytes // ALIGNMENT) * ALIGNMENT
    kernel.sections = [
        Section(
            section.inner,
            [
                (number, replace(one, at=place) if one.slot == slot and one.op != "scalar" else one)
                for number, one in section.code
            ],
        )
        for section in kernel.sections
    ]


def _place_in_row(kernel: Kernel) -> Index:
    """The row-major position over the inner axes."""
    result, first = ZERO, len(kernel.outer)
    for axis, stride in enumerate(contiguous_strides(tuple(kernel.inner)), first):
        result = result + Index.axis(axis) * stride
    return result
