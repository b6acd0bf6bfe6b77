"""Matrix products on the CPU, as LLVM IR.

C = A @ B, batched, for operands of any strides. The loops are those of Goto and van de Geijn,
"Anatomy of High-Performance Matrix Multiplication" (2008): slices of the depth; for each, panels of
B's columns and a strip of A's rows are packed where that pays; then tile after tile in registers.

Every element of C is a sum of chains of fused multiply-adds over CHAIN products each, added up in
order. Only K decides them: not the tile, the vector width, the packing or the split into items.
"""

from __future__ import annotations

from llvmlite import ir

from flambeau.compiler.templates.gemm_block import emit_block, keep_simple
from flambeau.compiler.templates.gemm_finish import Epilogue
from flambeau.compiler.templates.gemm_plan import (
    GemmSpec,
    Layout,
    Problem,
    WorkPlan,
    arguments,
    functions,
    layout_of,
    tile_for,
    work_items,
)
from flambeau.compiler.templates.gemm_slots import Slot, load_slot
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
    "functions",
    "layout_of",
    "load_slot",
    "tile_for",
    "work_items",
]


def emit_gemm(module: ir.Module, name: str) -> ir.Function:
    """Emit the kernel `name(args, begin, end, scratch)` of all products; `args` as in `Slot`."""
    block = emit_block(module, f"{name}_block")
    function = ir.Function(module, KERNEL_TYPE, name)
    keep_simple(function)
    args, begin, end, scratch = function.args
    b = ir.IRBuilder(function.append_basic_block())
    slots = Slot.TILES, Slot.PANELS, Slot.ITEM_TILES, Slot.ITEM_PANELS
    tiles, panels, item_tiles, item_panels = (load_slot(b, args, one) for one in slots)
    down, across = _ceil_div(b, tiles, item_tiles), _ceil_div(b, panels, item_panels)
    # Neighbouring items share their columns: a run of them is one block of rows.
    with for_range(b, b.sdiv(begin, down), _ceil_div(b, end, down)) as group:
        first_item = b.mul(group.index, down)
        first = maximum(b, b.sub(begin, first_item), i64(0))
        last = minimum(b, b.sub(end, first_item), down)
        stop = minimum(b, b.mul(last, item_tiles), tiles)
        batch = b.sdiv(group.index, across)
        panel = b.mul(b.srem(group.index, across), item_panels)
        last_panel = minimum(b, b.add(panel, item_panels), panels)
        step = load_slot(b, args, Slot.BLOCK_TILES)
        with for_range(b, b.mul(first, item_tiles), stop, step) as part:
            end_tile = minimum(b, b.add(part.index, step), stop)
            b.call(block, [args, scratch, batch, part.index, end_tile, panel, last_panel])
    b.ret_void()
    return function


def _ceil_div(builder: ir.IRBuilder, value: ir.Value, divisor: ir.Value) -> ir.Value:
    return builder.sdiv(builder.add(value, builder.sub(divisor, i64(1))), divisor)
