"""Matrix products on the CPU, as LLVM IR.

C = A @ B, batched, for operands of any strides. The loops are those of Goto and van de Geijn,
"Anatomy of High-Performance Matrix Multiplication" (2008): slices of DEPTH products; for each, B's
slice and a block of A's rows are packed where that pays; then tile after tile in registers.

Every element of C is a sum of chains of fused multiply-adds over DEPTH products each, added up in
order. Only K decides them: not the tile, the vector width, the packing or the split into items.
"""

from __future__ import annotations

from llvmlite import ir

from flambeau.compiler.templates.gemm_block import Epilogue, emit_block, keep_simple, load_slot
from flambeau.compiler.templates.gemm_plan import (
    GemmSpec,
    Layout,
    Problem,
    Slot,
    WorkPlan,
    arguments,
    layout_of,
    strip_rows,
    work_items,
)
from flambeau.runtime.llvm.blocks import KERNEL_TYPE, for_range, i64
from flambeau.runtime.llvm.vectors import maximum, minimum

__all__ = [
    "Epilogue",
    "GemmSpec",
    "Layout",
    "Problem",
    "Slot",
    "WorkPlan",
    "arguments",
    "emit_gemm",
    "layout_of",
    "load_slot",
    "work_items",
]


def emit_gemm(
    module: ir.Module,
    name: str,
    spec: GemmSpec,
    lanes: int,
    epilogue: Epilogue | None = None,
    registers: int | None = None,
) -> ir.Function:
    """Emit the kernel `name(args, begin, end, scratch)`; `args` as in `Slot`.

    `lanes` (float32 values in a vector) and `registers` (of vectors; by default, what goes with the
    lanes) are the machine's.
    """
    tile = spec.tile(lanes, registers)
    block = emit_block(module, name, spec, tile, epilogue)
    function = ir.Function(module, KERNEL_TYPE, name)
    keep_simple(function)
    args, begin, end, scratch = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    m, n, width = (load_slot(builder, args, s) for s in (Slot.M, Slot.N, Slot.COLUMN_BLOCK))
    row_tiles = maximum(builder, _ceil_div(builder, m, i64(tile.rows)), i64(1))
    blocks = maximum(builder, _ceil_div(builder, n, width), i64(1))
    # Neighbouring items share their columns: a run of them is one block of rows.
    first_group = builder.sdiv(begin, row_tiles)
    with for_range(builder, first_group, _ceil_div(builder, end, row_tiles)) as group:
        first_item = builder.mul(group.index, row_tiles)
        first = maximum(builder, builder.sub(begin, first_item), i64(0))
        last = minimum(builder, builder.sub(end, first_item), row_tiles)
        start = builder.mul(first, i64(tile.rows))
        stop = minimum(builder, builder.mul(last, i64(tile.rows)), m)
        batch = builder.sdiv(group.index, blocks)
        column = builder.mul(builder.srem(group.index, blocks), width)
        columns = minimum(builder, width, builder.sub(n, column))
        step = i64(strip_rows(spec, tile))
        with for_range(builder, start, stop, step) as strip:
            rows = minimum(builder, step, builder.sub(stop, strip.index))
            builder.call(block, [args, scratch, batch, strip.index, column, rows, columns])
    builder.ret_void()
    return function


def _ceil_div(builder: ir.IRBuilder, value: ir.Value, divisor: ir.Value) -> ir.Value:
    return builder.sdiv(builder.add(value, builder.sub(divisor, i64(1))), divisor)
