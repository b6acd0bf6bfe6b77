"""One block of a matrix product: packing, tiles, and what happens to a tile's sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from flambeau.compiler.templates.gemm_micro import Tile
from flambeau.compiler.templates.gemm_pack import (
    Element,
    emit_copy,
    emit_copy_tiles,
    emit_transpose,
)
from flambeau.compiler.templates.gemm_plan import GemmSpec, Slot, product_slot
from flambeau.runtime.llvm.blocks import I1, I64, POINTER, VOID, for_range, i64
from flambeau.runtime.llvm.vectors import (
    first_lanes,
    load_vector,
    masked_store,
    maximum,
    minimum,
    store_vector,
)

# epilogue(builder, args, sums, batch, row, first_column, mask): the vector to store for the sums,
# both in the type computed in; only the lanes of `mask` exist, or all if it is None.
Epilogue = Callable[
    [ir.IRBuilder, ir.Value, ir.Value, ir.Value, ir.Value, ir.Value, ir.Value | None], ir.Value
]


def emit_block(
    module: ir.Module, name: str, spec: GemmSpec, epilogue: Epilogue | None
) -> ir.Function:
    """Emit `block(args, scratch, batch, tile, end_tile, panel, end_panel)`: a part of C."""
    return _Block(module, name, spec, epilogue).emit()


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


@dataclass(frozen=True)
class _Rows:
    """Tiles of A's rows, as they lie or packed."""

    start: ir.Value
    stride: ir.Value  # of rows, or of columns if A lies by columns
    # A tile is as many `row_step`s from the start as there are rows before it, and as many
    # `tile_step`s as there are tiles.
    row_step: ir.Value
    tile_step: ir.Value


@dataclass(frozen=True)
class _Run:
    """Tiles of one size, one below the other."""

    product: ir.Value
    rows: int
    count: ir.Value
    row: ir.Value
    panel: ir.Value
    a: ir.Value
    a_stride: ir.Value
    a_step: ir.Value


class _Block:
    """The state of emitting one block function."""

    def __init__(
        self, module: ir.Module, name: str, spec: GemmSpec, epilogue: Epilogue | None
    ) -> None:
        self.module, self.name, self.spec, self.tile = module, name, spec, spec.tile
        self.element = spec.element
        self.copy_a = self._copier_of_a()
        self.copy_b = None if spec.b == "row" else self._copier_of_b()
        self.finish = _emit_finish(module, f"{name}_finish", self.element, spec.tile, epilogue)
        kind = ir.FunctionType(VOID, [I64.as_pointer(), POINTER, *[I64] * 5])
        self.function = ir.Function(module, kind, f"{name}_block")
        self.function.linkage = "internal"
        keep_simple(self.function)
        self.builder = ir.IRBuilder(self.function.append_basic_block())
        self.args, self.scratch, self.batch, *part = self.function.args
        self.tile0, self.end_tile, self.panel0, self.end_panel = part
        self.a = self._operand(Slot.A, Slot.A_BATCH_STRIDE, Slot.A_ROW_STRIDE)
        self.b = self._operand(Slot.B, Slot.B_BATCH_STRIDE, Slot.B_ROW_STRIDE)
        self.c = self._operand(Slot.C, Slot.C_BATCH_STRIDE, Slot.C_ROW_STRIDE)
        self.columns_of_all, self.depth_of_all = self._slot(Slot.N), self._slot(Slot.K)
        self.depth_of_slice = self._slot(Slot.SLICE)
        # A last panel whose last vector is not whole is packed, and its sums are kept outside C.
        self.part_panel = self._part_panel()

    def _copier_of_a(self) -> ir.Function:
        name, lanes = f"{self.name}_a", self.tile.lanes
        if self.spec.a == "column":
            return emit_copy_tiles(self.module, name, self.element, lanes, self.tile.heights)
        return emit_copy(self.module, name, self.element, lanes, self.spec.a == "row")

    def _copier_of_b(self) -> ir.Function:
        name, lanes = f"{self.name}_b", self.tile.lanes
        gather = emit_copy(self.module, name, self.element, lanes, False)
        if self.spec.b == "strided":
            return gather
        return emit_transpose(self.module, f"{name}_turn", self.element, lanes, gather)

    def _slot(self, slot: int) -> ir.Value:
        return load_slot(self.builder, self.args, slot)

    def _is_set(self, slot: Slot) -> ir.Value:
        return self.builder.icmp_signed("!=", self._slot(slot), i64(0))

    def _operand(self, base: Slot, batch_stride: Slot, stride: Slot) -> _Matrix:
        builder = self.builder
        start = builder.inttoptr(self._slot(base), self.element.storage.as_pointer())
        if self.spec.batched:
            start = builder.gep(start, [builder.mul(self.batch, self._slot(batch_stride))])
        column_stride = i64(1) if base is Slot.C else self._slot(Slot(stride + 1))
        return _Matrix(start, self._slot(stride), column_stride)

    def _part_panel(self) -> ir.Value:
        """The last panel, if its last vector is not whole; else the end."""
        builder, panels = self.builder, self._slot(Slot.PANELS)
        rest = builder.srem(self.columns_of_all, i64(self.tile.lanes))
        is_part = builder.icmp_signed("!=", rest, i64(0))
        return builder.select(is_part, builder.sub(panels, i64(1)), panels)

    # ------------------------------------------------------------------ where things are

    def _row(self, tile: ir.Value) -> ir.Value:
        """The first row of a tile."""
        return self._start(tile, self._slot(Slot.TALL_TILES), self.tile.rows)

    def _column(self, panel: ir.Value) -> ir.Value:
        """The first column of a panel."""
        vector = self._start(panel, self._slot(Slot.WIDE_PANELS), self.tile.vectors)
        return self.builder.mul(vector, i64(self.tile.lanes))

    def _start(self, index: ir.Value, large: ir.Value, size: int) -> ir.Value:
        """Where a piece starts, if those from `large` on are one smaller."""
        builder = self.builder
        less = maximum(builder, builder.sub(index, large), i64(0))
        return builder.sub(builder.mul(index, i64(size)), less)

    def _scratch_at(self, offset: ir.Value, index: ir.Value) -> ir.Value:
        """Element `index` of the part of the scratch that starts at byte `offset`."""
        start = self.builder.gep(self.scratch, [offset])
        typed = self.builder.bitcast(start, self.element.compute.as_pointer())
        return self.builder.gep(typed, [index])

    def _width(self, panel: ir.Value) -> ir.Value:
        """The columns of a panel, in whole vectors."""
        builder = self.builder
        return builder.sub(self._column(builder.add(panel, i64(1))), self._column(panel))

    # ------------------------------------------------------------------ the loops

    def emit(self) -> ir.Function:
        builder = self.builder
        # A product of no depth still runs once, to store its zeros.
        once = maximum(builder, self.depth_of_all, i64(1))
        with for_range(builder, i64(0), once, self.depth_of_slice) as slices:
            left = builder.sub(self.depth_of_all, slices.index)
            depth = minimum(builder, self.depth_of_slice, left)
            a = self._rows_of_a(slices.index, depth)
            strip = self._slot(Slot.STRIP_TILES)
            with for_range(builder, self.tile0, self.end_tile, strip) as strips:
                end = minimum(builder, builder.add(strips.index, strip), self.end_tile)
                with for_range(builder, self.panel0, self.end_panel) as panel:
                    self._panel(slices.index, depth, a, (strips.index, end), panel.index)
        builder.ret_void()
        return self.function

    def _rows_of_a(self, first: ir.Value, depth: ir.Value) -> _Rows:
        """The block's rows of A, packed where that pays."""
        builder, by_columns = self.builder, self.spec.a == "column"
        row = self._row(self.tile0)
        source = self.a.at(builder, row, first)
        strides = self.a.row_stride, self.a.column_stride
        packed, packed_stride = self._scratch_at(i64(0), i64(0)), self._slot(Slot.PACKED_A_STRIDE)
        always = self.element.is_narrow or self.spec.a == "strided"
        packs = ir.Constant(I1, 1) if always else self._is_set(Slot.PACK_A)
        with builder.if_then(packs):
            if by_columns:
                tiles = builder.sub(self.end_tile, self.tile0)
                tall = builder.sub(self._slot(Slot.TALL_TILES), self.tile0)
                tall = minimum(builder, maximum(builder, tall, i64(0)), tiles)
                call = [source, strides[1], depth, tall, tiles, packed, packed_stride]
            else:
                rows = builder.sub(self._row(self.end_tile), row)
                call = [source, *strides, rows, depth, packed, packed_stride]
            builder.call(self.copy_a, call)
        none = i64(0)
        if by_columns:
            copy = packed, i64(self.tile.rows), none, packed_stride
            in_place = source, strides[1], i64(1), none
        else:
            copy = packed, packed_stride, packed_stride, none
            in_place = source, strides[0], strides[0], none
        if always:
            return _Rows(*copy)
        pairs = zip(copy, in_place, strict=True)
        return _Rows(*(builder.select(packs, there, here) for there, here in pairs))

    def _panel(
        self,
        first: ir.Value,
        depth: ir.Value,
        a: _Rows,
        strip: tuple[ir.Value, ir.Value],
        panel: ir.Value,
    ) -> None:
        """A strip of tiles in one panel and one slice of the depth."""
        builder = self.builder
        column = self._column(panel)
        width, left = self._width(panel), builder.sub(self.columns_of_all, column)
        columns = minimum(builder, width, left)
        b = self.b.at(builder, first, column)
        across = builder.sub(column, self._column(self.panel0))
        packed = self._scratch_at(
            self._slot(Slot.PACKED_B), builder.mul(across, self._slot(Slot.PACKED_STEP))
        )
        start, end = strip
        is_first = builder.icmp_signed("==", start, self.tile0)
        if self.copy_b is not None:
            strides = self.b.row_stride, self.b.column_stride
            with builder.if_then(is_first):
                builder.call(self.copy_b, [b, *strides, depth, columns, packed, width])
            start_of_b, b_stride = packed, width
        else:
            is_part = builder.icmp_signed("==", panel, self.part_panel)
            packs = builder.or_(is_part, self._is_set(Slot.PACK_B))
            if self.element.is_narrow:
                packs = ir.Constant(I1, 1)
            packs_now = builder.and_(packs, is_first)
            tall = builder.icmp_signed("<", start, self._slot(Slot.TALL_TILES))
            with builder.if_then(packs_now):
                copied = [b, self.b.row_stride, depth]
                for rows, chosen in zip(
                    self.tile.heights, (tall, builder.not_(tall)), strict=False
                ):
                    with builder.if_then(chosen):
                        run = self._tiles(a, panel, rows, start, i64(1), packs=True)
                        self._run(run, copied, first, [packed, columns])
            start = builder.add(start, builder.zext(packs_now, I64))
            start_of_b, b_stride = packed, width
            if not self.element.is_narrow:
                start_of_b = builder.select(packs, packed, b)
                b_stride = builder.select(packs, width, self.b.row_stride)
        tall = maximum(builder, self._slot(Slot.TALL_TILES), start)
        tall = minimum(builder, tall, end)
        for rows, stop in zip(self.tile.heights, (tall, end), strict=False):
            count = builder.sub(stop, start)
            with builder.if_then(builder.icmp_signed(">", count, i64(0))):
                run = self._tiles(a, panel, rows, start, count)
                self._run(run, [start_of_b, b_stride, depth], first, [])
            start = stop

    def _tiles(
        self,
        a: _Rows,
        panel: ir.Value,
        rows: int,
        tile: ir.Value,
        count: ir.Value,
        packs: bool = False,
    ) -> _Run:
        builder = self.builder
        is_narrow = builder.icmp_signed(">=", panel, self._slot(Slot.WIDE_PANELS))
        kind = self.spec.product(rows, self.tile.vectors, packs).type
        wide, narrow = (
            self._slot(product_slot(packs, rows == self.tile.rows, is_wide))
            for is_wide in (True, False)
        )
        product = builder.inttoptr(builder.select(is_narrow, narrow, wide), kind.as_pointer())
        row = self._row(tile)
        down = builder.mul(builder.sub(row, self._row(self.tile0)), a.row_step)
        along = builder.mul(builder.sub(tile, self.tile0), a.tile_step)
        start = builder.gep(a.start, [builder.add(down, along)])
        step = builder.add(builder.mul(i64(rows), a.row_step), a.tile_step)
        return _Run(product, rows, count, row, panel, start, a.stride, step)

    def _run(self, run: _Run, b: list[ir.Value], first: ir.Value, more: list[ir.Value]) -> None:
        """Tiles of one size, one below the other: sums go to C if they may."""
        builder = self.builder
        if not self.spec.stores_sums:
            self._kept_run(run, b, first, more)
            return
        adds = builder.icmp_signed(">", first, i64(0))
        is_part = builder.icmp_signed("==", run.panel, self.part_panel)
        with builder.if_else(is_part) as (kept, direct):
            with kept:
                self._kept_run(run, b, first, more)
            with direct:
                out = self.c.at(builder, run.row, self._column(run.panel))
                a = run.a, run.a_stride, run.a_step
                builder.call(run.product, [*a, *b, run.count, out, self.c.row_stride, adds, *more])

    def _kept_run(
        self, run: _Run, b: list[ir.Value], first: ir.Value, more: list[ir.Value]
    ) -> None:
        """Tiles whose sums are kept in the scratch, to be finished after the last slice."""
        builder = self.builder
        stride = self._slot(Slot.KEPT_STRIDE)
        several = builder.icmp_signed(">", self.depth_of_all, self.depth_of_slice)
        end = builder.add(first, self.depth_of_slice)
        is_last = builder.icmp_signed(">=", end, self.depth_of_all)
        adds = builder.icmp_signed(">", first, i64(0))
        column = self._column(run.panel)
        first_kept = self.part_panel if self.spec.stores_sums else self.panel0
        across = builder.sub(column, self._column(first_kept))
        left = builder.sub(self.columns_of_all, column)
        columns = minimum(builder, self._width(run.panel), left)
        top = self._row(self.tile0)
        with for_range(builder, i64(0), run.count) as tile:
            row = builder.add(run.row, builder.mul(tile.index, i64(run.rows)))
            index = builder.add(builder.mul(builder.sub(row, top), stride), across)
            # Sums of a single slice are finished at once, so that one tile's room is enough.
            index = builder.select(several, index, i64(0))
            sums = self._scratch_at(self._slot(Slot.KEPT), index)
            a = builder.gep(run.a, [builder.mul(tile.index, run.a_step)])
            operands = [a, run.a_stride, run.a_step, *b]
            builder.call(run.product, [*operands, i64(1), sums, stride, adds, *more])
            with builder.if_then(is_last):
                target = self.c.at(builder, row, column)
                memory = [sums, stride, target, self.c.row_stride]
                place = [i64(run.rows), columns, self.batch, row, column]
                builder.call(self.finish, [self.args, *memory, *place])


def _emit_finish(
    module: ir.Module, name: str, element: Element, tile: Tile, epilogue: Epilogue | None
) -> ir.Function:
    """Emit `finish(args, sums, sums_stride, c, c_stride, rows, columns, batch, row, column)`:
    store the epilogue of a tile's sums in C.
    """
    wide, stored = element.compute.as_pointer(), element.storage.as_pointer()
    params = [I64.as_pointer(), wide, I64, stored, *[I64] * 6]
    function = ir.Function(module, ir.FunctionType(VOID, params), name)
    function.linkage = "internal"
    args, sums, sums_stride, c, c_stride, rows, columns, batch, row, column = function.args
    builder = ir.IRBuilder(function.append_basic_block())

    def vector(down: ir.Value, across: ir.Value, mask: ir.Value | None) -> None:
        source = _Matrix(sums, sums_stride, i64(1)).at(builder, down, across)
        target = _Matrix(c, c_stride, i64(1)).at(builder, down, across)
        value = load_vector(builder, source, tile.lanes)
        if epilogue is not None:
            place = batch, builder.add(row, down), builder.add(column, across)
            value = epilogue(builder, args, value, *place, mask)
        value = element.narrow(builder, value)
        if mask is None:
            store_vector(builder, value, target)
        else:
            masked_store(builder, value, target, mask)

    whole = builder.and_(columns, i64(-tile.lanes))
    mask = first_lanes(builder, builder.sub(columns, whole), tile.lanes)
    is_part = builder.icmp_signed("!=", whole, columns)
    with for_range(builder, i64(0), rows) as down:
        with for_range(builder, i64(0), whole, i64(tile.lanes)) as across:
            vector(down.index, across.index, None)
        with builder.if_then(is_part):
            vector(down.index, whole, mask)
    builder.ret_void()
    return function
