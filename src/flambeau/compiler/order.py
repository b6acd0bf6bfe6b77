"""In which order reductions go; see compiler/emit.py. Sizes alone decide."""

from __future__ import annotations

import math

from flambeau.compiler.kernel import Kernel

# Elements of a row that are folded together, lane by lane.
BLOCK = 4096
# Of what a fold goes through in order, blocks of rows or elements across them, in one group.
GROUP = {"inner": 8, "outer": 256}


def row_lanes(kernel: Kernel) -> int:
    """How many partial results a row is folded into: its size decides, no processor."""
    return 32 if kernel.inner[-1] > 16 else 16


def one_block(kernel: Kernel) -> bool:
    """Whether all that is reduced is one block of a row."""
    return len(kernel.inner) == 1 and kernel.inner[0] <= BLOCK


def group_count(kernel: Kernel) -> int:
    """How many groups a reduction of the kernel is done in."""
    if not kernel.inner:
        return 1
    count = math.prod(kernel.inner)
    if kernel.lanes_along == "inner":
        count = math.prod(kernel.inner[:-1]) * -(-kernel.inner[-1] // BLOCK)
    return -(-count // GROUP[kernel.lanes_along])
