"""How much work a kernel is, and how it is cut into items for the threads."""

from __future__ import annotations

import math

from flambeau.compiler import tiles
from flambeau.compiler.kernel import SLOW_BINARY, SLOW_UNARY, Kernel
from flambeau.compiler.tiles import tile_axis
from flambeau.compiler.units import Nest

# Lanes' share of a long loop without reductions, for one work item.
CHUNK = 4096
# Columns of one work item when each walks down a reduction.
COLUMNS = 64


def chunk_size(kernel: Kernel) -> int:
    """How many elements of the lane axis one work item covers (when lanes run along it)."""
    return COLUMNS if kernel.inner else CHUNK


def work_items(kernel: Kernel) -> int:
    """How many work items the kernel has."""
    if kernel.lanes_along == "inner":
        return math.prod(kernel.outer)
    *others, last = kernel.outer
    axis = tile_axis(kernel)
    if axis is None:
        return math.prod(others) * -(-last // chunk_size(kernel))
    others[axis] = -(-others[axis] // tiles.ROWS)
    return math.prod(others) * -(-last // tiles.LANES)


def nest_work(nest: Nest) -> tuple[int, int]:
    """Work items of a nest, and how many take about 5 microseconds."""
    assert nest.built is not None
    kernel = nest.built.kernel
    total = work_items(kernel)
    if nest.serial:
        return total, max(total, 1)
    cost = sum(
        20 if one.op in SLOW_UNARY or one.op in SLOW_BINARY else 1
        for _, one in kernel.instructions()
    )
    # About a sixteenth of a nanosecond for a simple operation on one lane.
    nanoseconds = kernel.elements * cost / 16 / max(total, 1) + 5
    return total, max(1, min(total, int(5000 / nanoseconds)))
