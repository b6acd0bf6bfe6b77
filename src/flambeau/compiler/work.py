"""How much work a kernel is, and how it is cut into items for the threads."""

from __future__ import annotations

from flambeau.compiler.kernel import SLOW_BINARY, SLOW_UNARY, Kernel
from flambeau.compiler.units import Nest

# The order of reductions; see compiler/emit.py.
BLOCK = 4096
GROUP = 256
# Lanes' share of a long loop without reductions, for one work item.
CHUNK = 4096
# Columns of one work item when each walks down a reduction.
COLUMNS = 64


def chunk_size(kernel: Kernel) -> int:
    """How many elements of the lane axis one work item covers (when lanes run along it)."""
    return COLUMNS if kernel.inner else CHUNK


def work_items(kernel: Kernel) -> int:
    """How many work items the kernel has."""
    total = 1
    for size in kernel.outer[:-1]:
        total *= size
    last = kernel.outer[-1]
    return total * (last if kernel.lanes_along == "inner" else -(-last // chunk_size(kernel)))


def nest_work(nest: Nest) -> tuple[int, int]:
    """Work items of a nest, and how many take about 5 microseconds."""
    assert nest.built is not None
    kernel = nest.built.kernel
    total = work_items(kernel)
    if nest.serial:
        return total, max(total, 1)
    elements = 1
    for size in (*kernel.outer, *kernel.inner):
        elements *= size
    cost = sum(
        20 if one.op in SLOW_UNARY or one.op in SLOW_BINARY else 1
        for _, one in kernel.instructions()
    )
    # About a sixteenth of a nanosecond for a simple operation on one lane.
    nanoseconds = elements * cost / 16 / max(total, 1) + 5
    return total, max(1, min(total, int(5000 / nanoseconds)))
