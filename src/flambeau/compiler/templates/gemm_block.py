"""One block of a matrix product: packing, tiles, and what happens to a tile's sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from flambeau.compiler.templates.gemm_micro import Tile, emit_tile_product
from flambeau.compiler.templates.gemm_pack import Element, emit_copy, emit_transpose
from flambeau.compiler.templates.gemm_plan import (
    DEPTH,
    PACKED_DEPTH,
    TILES_OF_ROWS,
    GemmSpec,
    Layout,
    Scratch,
    Slot,
    packed_rows,
)
from flambeau.runtime.llvm.blocks import I1, I64, POINTER, VOID, for_range, i64
from flambeau.runtime.llvm.vectors import Lanes, load_vector, minimum

# epilogue(builder, args, sums, batch, row, first_column, mask): the vector to store for the sums,
# both in the type computed in; only the lanes of `mask` exist.
Epilogue = Callable[
    [ir.IRBuilder, ir.Value, ir.Value, ir.Value, ir.Value, ir.Value, ir.Value], ir.Value
]


def emit_block(
    module: ir.Module, name: str, spec: GemmSpec, tile: Tile, epilogue: Epilogue | None
) -> ir.Function:
    """Emit `block(args, scratch, batch, row, column, rows, columns)`: a part of C, all of K."""
    return _Block(module, name, spec, tile, epilogue).emit()


def load_slot(builder: ir.IRBuilder, args: ir.Value, slot: int) -> ir.Value:
    """One argument of a kernel, as i64."""
    return builder.load(builder.gep(args, [i64(int(slot))]))


def keep_simple(function: ir.Function) -> None:
    """Have LLVM translate a function as it stands: it only calls those that take the time."""
    function.attributes.add("noinline")
    function.attributes.add("optnone")


@dataclass(frozen=True)
class _Matrix:
    """A part of a matrix in memory."""

    start: ir.Value
    row_stride: ir.Value
    column_stride: ir.Value

    def at(self, builder: ir.IRBuilder, row: ir.Value, column: ir.Value) -> ir.Value:
        """The address of an element."""
        down = builder.mul(row, self.row_stride)
        return builder.gep(self.start, [builder.add(down, builder.mul(column, self.column_stride))])


class _Block:
    """The state of emitting one block function."""

    def __init__(
        self, module: ir.Module, name: str, spec: GemmSpec, tile: Tile, epilogue: Epilogue | None
    ) -> None:
        self.module, self.name, self.spec, self.tile = module, name, spec, tile
        self.element = spec.element
        self.layout = Scratch.of(spec, tile)
        self.product = emit_tile_product(module, name, self.element.compute, tile)
        self.copy_a = self._copier("a", spec.a, spec.a == "strided")
        self.copy_b = self._copier("b", spec.b, spec.b == "strided")
        self.finish = _emit_finish(module, f"{name}_finish", self.element, tile, epilogue)
        kind = ir.FunctionType(VOID, [I64.as_pointer(), POINTER, *[I64] * 5])
        self.function = ir.Function(module, kind, f"{name}_block")
        self.function.linkage = "internal"
        keep_simple(self.function)
        self.builder = ir.IRBuilder(self.function.append_basic_block())
        self.args, self.scratch, self.batch, self.row, self.column, *size = self.function.args
        self.rows, self.columns = size
        row, column = self.row, self.column
        self.a = self._operand(Slot.A, Slot.A_ROW_STRIDE, Slot.A_BATCH_STRIDE, row, i64(0))
        self.b = self._operand(Slot.B, Slot.B_ROW_STRIDE, Slot.B_BATCH_STRIDE, i64(0), column)
        self.c = self._operand(Slot.C, Slot.C_ROW_STRIDE, Slot.C_BATCH_STRIDE, row, column)
        self.depths = self._slot(Slot.K)
        self.packs_a, self.first_packed = self._packing()

    def emit(self) -> ir.Function:
        builder = self.builder
        # A product of no depth still runs once, to store its zeros.
        once = builder.select(builder.icmp_signed("<", self.depths, i64(1)), i64(1), self.depths)
        with for_range(builder, i64(0), once, i64(DEPTH)) as slices:
            depth = minimum(builder, i64(DEPTH), builder.sub(self.depths, slices.index))
            self._pack_b(slices.index, depth)
            step = i64(TILES_OF_ROWS * self.tile.rows)
            with for_range(builder, i64(0), self.rows, step) as strip:
                rows = minimum(builder, step, builder.sub(self.rows, strip.index))
                with builder.if_then(self.packs_a):
                    self._pack_a(slices.index, depth, strip.index, rows)
                self._tiles(slices.index, depth, strip.index, rows)
        builder.ret_void()
        return self.function

    def _slot(self, slot: Slot) -> ir.Value:
        return load_slot(self.builder, self.args, slot)

    def _operand(
        self, base: Slot, stride: Slot, batch_stride: Slot, row: ir.Value, column: ir.Value
    ) -> _Matrix:
        builder = self.builder
        start = builder.inttoptr(self._slot(base), self.element.storage.as_pointer())
        if self.spec.batched:
            start = builder.gep(start, [builder.mul(self.batch, self._slot(batch_stride))])
        column_stride = i64(1) if base is Slot.C else self._slot(Slot(stride + 1))
        whole = _Matrix(start, self._slot(stride), column_stride)
        return _Matrix(whole.at(builder, row, column), whole.row_stride, column_stride)

    def _packing(self) -> tuple[ir.Value, ir.Value]:
        """Whether A is packed, and the first column of B that is."""
        builder = self.builder
        if self.element.is_narrow:
            return ir.Constant(I1, 1), i64(0)
        packs_a = builder.icmp_signed("!=", self._slot(Slot.PACK_A), i64(0))
        if self.spec.b != "row":
            return packs_a, i64(0)
        # Columns past the last whole tile are packed in any case: the product reads whole vectors.
        whole = builder.mul(
            builder.sdiv(self.columns, i64(self.tile.columns)), i64(self.tile.columns)
        )
        packs_b = builder.icmp_signed("!=", self._slot(Slot.PACK_B), i64(0))
        return packs_a, builder.select(packs_b, i64(0), whole)

    def _copier(self, operand: str, layout: Layout, gathers: bool) -> ir.Function:
        lanes = self.tile.lanes
        name = f"{self.name}_{operand}"
        if operand == "b" and layout == "column":
            gather = emit_copy(self.module, f"{name}_gather", self.element, lanes, False)
            return emit_transpose(self.module, f"{name}_turn", self.element, lanes, gather)
        return emit_copy(self.module, f"{name}_copy", self.element, lanes, not gathers)

    def _scratch_at(self, offset: int, index: ir.Value) -> ir.Value:
        """Element `index` of the part of the scratch that starts at byte `offset`."""
        start = self.builder.gep(self.scratch, [i64(offset)])
        typed = self.builder.bitcast(start, self.element.compute.as_pointer())
        return self.builder.gep(typed, [index])

    def _panel_of_b(self, column: ir.Value) -> ir.Value:
        index = self.builder.mul(self.builder.sub(column, self.first_packed), i64(DEPTH))
        return self._scratch_at(self.layout.packed_b, index)

    def _panel_of_a(self, row: ir.Value) -> ir.Value:
        tile = self.builder.sdiv(row, i64(self.tile.rows))
        index = self.builder.mul(tile, i64(self.layout.panel_of_a // self.layout.item))
        return self._scratch_at(self.layout.packed_a, index)

    def _pack_b(self, first: ir.Value, depth: ir.Value) -> None:
        builder, width = self.builder, i64(self.tile.columns)
        with for_range(builder, self.first_packed, self.columns, width) as loop:
            columns = minimum(builder, width, builder.sub(self.columns, loop.index))
            source = self.b.at(builder, first, loop.index)
            strides = self.b.row_stride, self.b.column_stride
            target = self._panel_of_b(loop.index)
            builder.call(self.copy_b, [source, *strides, depth, columns, target, width])

    def _pack_a(self, first: ir.Value, depth: ir.Value, strip: ir.Value, rows: ir.Value) -> None:
        builder, height = self.builder, i64(self.tile.rows)
        outer, inner = self.a.row_stride, self.a.column_stride
        with for_range(builder, i64(0), rows, height) as loop:
            counts = minimum(builder, height, builder.sub(rows, loop.index)), depth
            source = self.a.at(builder, builder.add(strip, loop.index), first)
            target, stride = self._panel_of_a(loop.index), i64(PACKED_DEPTH)
            strides = outer, inner
            if self.spec.a == "column":
                counts, strides = counts[::-1], strides[::-1]
                stride = i64(packed_rows(self.tile))
            builder.call(self.copy_a, [source, *strides, *counts, target, stride])

    def _tiles(self, first: ir.Value, depth: ir.Value, strip: ir.Value, rows: ir.Value) -> None:
        """All tiles of a strip of rows, in one slice of the depth."""
        builder, tile = self.builder, self.tile
        sums = self._scratch_at(0, i64(0))
        packed = packed_rows(tile)
        by_columns = self.spec.a == "column"
        row_step, depth_step = (1, packed) if by_columns else (PACKED_DEPTH, 1)
        a_row_stride = builder.select(self.packs_a, i64(row_step), self.a.row_stride)
        a_depth_stride = builder.select(self.packs_a, i64(depth_step), self.a.column_stride)
        with for_range(builder, i64(0), self.columns, i64(tile.columns)) as across:
            columns = minimum(builder, i64(tile.columns), builder.sub(self.columns, across.index))
            b, b_stride = self._tile_of_b(first, across.index)
            with for_range(builder, i64(0), rows, i64(tile.rows)) as down:
                height = minimum(builder, i64(tile.rows), builder.sub(rows, down.index))
                row = builder.add(strip, down.index)
                a = self._tile_of_a(first, down.index, row)
                strides = a_row_stride, a_depth_stride, b, b_stride
                builder.call(self.product, [a, *strides, depth, height, columns, sums])
                self._finish_tile(first, row, across.index, height, columns)

    def _tile_of_b(self, first: ir.Value, column: ir.Value) -> tuple[ir.Value, ir.Value]:
        builder, width = self.builder, i64(self.tile.columns)
        packed = self._panel_of_b(column)
        if self.element.is_narrow or self.spec.b != "row":
            return packed, width
        is_packed = builder.icmp_signed(">=", column, self.first_packed)
        direct = self.b.at(builder, first, column)
        start = builder.select(is_packed, packed, direct)
        return start, builder.select(is_packed, width, self.b.row_stride)

    def _tile_of_a(self, first: ir.Value, row_of_strip: ir.Value, row: ir.Value) -> ir.Value:
        packed = self._panel_of_a(row_of_strip)
        if self.element.is_narrow:
            return packed
        return self.builder.select(self.packs_a, packed, self.a.at(self.builder, row, first))

    def _finish_tile(
        self, first: ir.Value, row: ir.Value, column: ir.Value, rows: ir.Value, columns: ir.Value
    ) -> None:
        builder = self.builder
        target = self.c.at(builder, row, column)
        kept, kept_stride = target, self.c.row_stride
        if self.element.is_narrow:
            kept_stride = self._slot(Slot.COLUMN_BLOCK)
            room = builder.mul(kept_stride, i64(DEPTH * self.layout.item))
            start = builder.gep(self.scratch, [builder.add(room, i64(self.layout.packed_b))])
            typed = builder.bitcast(start, self.element.compute.as_pointer())
            kept = _Matrix(typed, kept_stride, i64(1)).at(builder, row, column)
        stage = [
            builder.icmp_signed("==", first, i64(0)),
            builder.icmp_signed(">=", builder.add(first, i64(DEPTH)), self.depths),
        ]
        place = [self.batch, builder.add(self.row, row), builder.add(self.column, column)]
        memory = [self._scratch_at(0, i64(0)), kept, kept_stride, target, self.c.row_stride]
        builder.call(self.finish, [self.args, *memory, rows, columns, *stage, *place])


def _emit_finish(
    module: ir.Module, name: str, element: Element, tile: Tile, epilogue: Epilogue | None
) -> ir.Function:
    """Emit `finish(args, sums, kept, kept_stride, c, c_stride, rows, columns, is_first, is_last,
    batch, row, column)`: add a tile's sums to those kept of earlier slices, unless it is the first;
    keep them again, or after the last slice store the epilogue of them in C.
    """
    wide, stored = element.compute.as_pointer(), element.storage.as_pointer()
    params = [I64.as_pointer(), wide, wide, I64, stored, I64, I64, I64, I1, I1, I64, I64, I64]
    function = ir.Function(module, ir.FunctionType(VOID, params), name)
    function.linkage = "internal"
    args, sums, kept, kept_stride, c, c_stride, rows, columns, *rest = function.args
    is_first, is_last, batch, row, column = rest
    builder = ir.IRBuilder(function.append_basic_block())
    with for_range(builder, i64(0), columns, i64(tile.lanes)) as across:
        present = Lanes.first(builder, builder.sub(columns, across.index), tile.lanes)
        first_column = builder.add(column, across.index)
        with for_range(builder, i64(0), rows) as down:
            index = builder.add(builder.mul(down.index, i64(tile.columns)), across.index)
            value = load_vector(builder, builder.gep(sums, [index]), tile.lanes)
            memory = _Matrix(kept, kept_stride, i64(1)).at(builder, down.index, across.index)
            with builder.if_else(is_first) as (alone, added):
                with alone:
                    start = builder.block
                with added:
                    total = builder.fadd if _is_float(element) else builder.add
                    together = total(present.load(builder, memory), value)
                    end = builder.block
            chosen = builder.phi(value.type)
            chosen.add_incoming(value, start)
            chosen.add_incoming(together, end)
            with builder.if_else(is_last) as (done, more):
                with done:
                    result: ir.Value = chosen
                    if epilogue is not None:
                        place = batch, builder.add(row, down.index), first_column
                        result = epilogue(builder, args, chosen, *place, present.mask)
                    target = _Matrix(c, c_stride, i64(1)).at(builder, down.index, across.index)
                    present.store(builder, element.narrow(builder, result), target)
                with more:
                    present.store(builder, chosen, memory)
    builder.ret_void()
    return function


def _is_float(element: Element) -> bool:
    return not isinstance(element.compute, ir.IntType)
