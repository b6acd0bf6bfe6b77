"""Loads across the grain of memory: square tiles are read along it and turned in registers.

A kernel whose lanes run along one axis may load a value that lies densely along another, as in the
copy of a transposed matrix. Lane by lane each load would touch a line of memory for one element.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from flambeau.compiler.kernel import Instruction, Kernel

# What a work item covers of the dense axis and of the lanes: some lines of every row, some rows.
ROWS, LANES = 32, 128


def tile_axis(kernel: Kernel) -> int | None:
    """The axis along which values lie that are loaded across the grain; None if there are none."""
    lane_axis = len(kernel.outer) - 1
    code = [one for _, one in kernel.instructions()]
    if kernel.inner or not all(_writes_along(one, lane_axis) for one in code):
        return None
    for one in code:
        for axis in range(lane_axis):
            if lies_along(one, axis, lane_axis):
                return axis
    return None


def _writes_along(one: Instruction, lane_axis: int) -> bool:
    """Whether an instruction writes nothing, or to a place of its own for each element."""
    if one.op == "store" and one.at is not None:
        return one.at.factor(lane_axis) == 1 and not one.at.values
    return one.op not in ("accumulate", "fail")


def lies_along(one: Instruction, axis: int, lane_axis: int) -> bool:
    """Whether this is a load, across the grain, of a value that lies along `axis`."""
    if one.op != "load" or one.at is None or one.at.values or one.guards:
        return False
    return one.at.factor(axis) == 1 and one.at.factor(lane_axis) not in (0, 1)


def turn(b: ir.IRBuilder, rows: Sequence[ir.Value]) -> list[ir.Value]:
    """The columns of a square, given its rows: as many as each has lanes, a power of two."""
    count, half, square = len(rows), len(rows) // 2, list(rows)
    while half:
        low = [k if not k & half else count + k - half for k in range(count)]
        high = [k + half if not k & half else count + k for k in range(count)]
        for i in range(count):
            if not i & half:
                pair = square[i], square[i + half]
                square[i] = b.shuffle_vector(*pair, _mask(low))
                square[i + half] = b.shuffle_vector(*pair, _mask(high))
        half //= 2
    return square


def _mask(lanes: list[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
