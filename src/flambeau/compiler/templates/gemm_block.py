"""One block of a matrix product: which parts are packed and multiplied in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llvmlite import ir

from flambeau.compiler.templates.gemm_slots import (
    COPY_TYPE,
    FINISH_TYPE,
    PRODUCT_TYPE,
    Slot,
    load_slot,
)
from flambeau.runtime.llvm.blocks import I64, POINTER, VOID, for_range, i64
from flambeau.runtime.llvm.vectors import maximum, minimum


def emit_block(module: ir.Module, name: str) -> ir.Function:
    """Emit `block(args, scratch, batch, tile, end_tile, panel, end_panel)`: a part of C."""
    return _Block(module, name).emit()


def keep_simple(function: ir.Function) -> None:
    """Have LLVM translate a function as it stands: it only calls those that take the time."""
    function.attributes.add("noinline")
    function.attributes.add("optnone")


@dataclass(frozen=True)
class _Panel:
    """A panel of B in one slice of the depth."""

    index: ir.Value
    slice: ir.Value  # where it begins
    depth: ir.Value
    column: ir.Value
    width: ir.Value  # in whole vectors
    columns: ir.Value  # that exist
    is_part: ir.Value
    in_place: ir.Value
    packed: ir.Value


@dataclass(frozen=True)
class _Run:
    """Tiles of one height, one below the other, in a panel."""

    count: ir.Value
    rows: ir.Value
    row: ir.Value
    a: ir.Value
    # call(a, count, out, out_stride): what computes some of them.
    call: Callable[..., None]


class _Block:
    """The state of emitting the block function."""

    def __init__(self, module: ir.Module, name: str) -> None:
        kind = ir.FunctionType(VOID, [I64.as_pointer(), POINTER, *[I64] * 5])
        self.function = ir.Function(module, kind, name)
        self.function.linkage = "internal"
        keep_simple(self.function)
        self.builder = ir.IRBuilder(self.function.append_basic_block())
        self.args, self.scratch, self.batch, *part = self.function.args
        self.tile0, self.end_tile, self.panel0, self.end_panel = part
        self.a = self._operand(Slot.A, Slot.A_BATCH_STRIDE)
        self.b = self._operand(Slot.B, Slot.B_BATCH_STRIDE)
        self.c = self._operand(Slot.C, Slot.C_BATCH_STRIDE)
        self.columns_of_all, self.depth_of_all = self._slot(Slot.N), self._slot(Slot.K)
        self.depth_of_slice = self._slot(Slot.SLICE)
        # A last panel whose last vector is not whole is packed, and its sums are kept outside C.
        self.part_panel = self._part_panel()

    # ------------------------------------------------------------------ arguments

    def _slot(self, slot: int) -> ir.Value:
        return load_slot(self.builder, self.args, slot)

    def _is_set(self, slot: Slot) -> ir.Value:
        return self.builder.icmp_signed("!=", self._slot(slot), i64(0))

    def _function(self, slot: Slot, kind: ir.FunctionType) -> ir.Value:
        return self.builder.inttoptr(self._slot(slot), kind.as_pointer())

    def _operand(self, base: Slot, batch_stride: Slot) -> ir.Value:
        """Where a matrix of this batch begins."""
        start = self.builder.inttoptr(self._slot(base), POINTER)
        return self._stored(start, self.builder.mul(self.batch, self._slot(batch_stride)))

    def _stored(self, start: ir.Value, index: ir.Value) -> ir.Value:
        """The address of an element as operands have them."""
        return self.builder.gep(start, [self.builder.mul(index, self._slot(Slot.STORED_BYTES))])

    def _computed(self, start: ir.Value, index: ir.Value) -> ir.Value:
        """The address of an element in the type that is computed in."""
        return self.builder.gep(start, [self.builder.mul(index, self._slot(Slot.COMPUTED_BYTES))])

    def _part_panel(self) -> ir.Value:
        """The last panel, if its last vector is not whole; else the end."""
        builder, panels = self.builder, self._slot(Slot.PANELS)
        rest = builder.srem(self.columns_of_all, self._slot(Slot.LANES))
        is_part = builder.icmp_signed("!=", rest, i64(0))
        return builder.select(is_part, builder.sub(panels, i64(1)), panels)

    # ------------------------------------------------------------------ where things are

    def _row(self, tile: ir.Value) -> ir.Value:
        """The first row of a tile."""
        return self._start(tile, Slot.TALL_TILES, Slot.ROWS)

    def _column(self, panel: ir.Value) -> ir.Value:
        """The first column of a panel."""
        vector = self._start(panel, Slot.WIDE_PANELS, Slot.VECTORS)
        return self.builder.mul(vector, self._slot(Slot.LANES))

    def _start(self, index: ir.Value, large: Slot, size: Slot) -> ir.Value:
        """Where a piece starts, if those from number `large` on are one smaller."""
        builder = self.builder
        less = maximum(builder, builder.sub(index, self._slot(large)), i64(0))
        return builder.sub(builder.mul(index, self._slot(size)), less)

    def _b_at(self, row: ir.Value, column: ir.Value) -> ir.Value:
        builder = self.builder
        down = builder.mul(row, self._slot(Slot.B_ROW_STRIDE))
        across = builder.mul(column, self._slot(Slot.B_COLUMN_STRIDE))
        return self._stored(self.b, builder.add(down, across))

    # ------------------------------------------------------------------ the loops

    def emit(self) -> ir.Function:
        builder = self.builder
        # A product of no depth still runs once, to store its zeros.
        once = maximum(builder, self.depth_of_all, i64(1))
        group = self._slot(Slot.GROUP_TILES)
        with for_range(builder, i64(0), once, self.depth_of_slice) as slices:
            left = builder.sub(self.depth_of_all, slices.index)
            depth = minimum(builder, self.depth_of_slice, left)
            with for_range(builder, self.tile0, self.end_tile, group) as groups:
                end = minimum(builder, builder.add(groups.index, group), self.end_tile)
                with self._strips(groups.index, end) as (tile, stop):
                    self._pack_a(groups.index, tile, stop, (slices.index, depth))
                with for_range(builder, self.panel0, self.end_panel) as panels:
                    panel = self._panel(panels.index, slices.index, depth)
                    with self._strips(groups.index, end) as (tile, stop):
                        a = self._rows_of_a(groups.index, tile, slices.index)
                        self._multiply(panel, a, tile, stop)
        builder.ret_void()
        return self.function

    @contextmanager
    def _strips(self, start: ir.Value, end: ir.Value) -> Iterator[tuple[ir.Value, ir.Value]]:
        """Loop over the strips of a group: the tiles from one number to another."""
        builder, strip = self.builder, self._slot(Slot.STRIP_TILES)
        with for_range(builder, start, end, strip) as strips:
            yield strips.index, minimum(builder, builder.add(strips.index, strip), end)

    def _packed_strip(self, group: ir.Value, tile: ir.Value) -> ir.Value:
        """Where a strip of A is packed."""
        builder = self.builder
        number = builder.sdiv(builder.sub(tile, group), self._slot(Slot.STRIP_TILES))
        offset = builder.mul(number, self._slot(Slot.PACKED_STRIP))
        return self._computed(self.scratch, offset)

    def _a_at(self, tile: ir.Value, first: ir.Value) -> ir.Value:
        builder = self.builder
        down = builder.mul(self._row(tile), self._slot(Slot.A_ROW_STRIDE))
        along = builder.mul(first, self._slot(Slot.A_COLUMN_STRIDE))
        return self._stored(self.a, builder.add(down, along))

    def _rows_of_a(self, group: ir.Value, tile: ir.Value, first: ir.Value) -> ir.Value:
        """Where a strip's rows of A are: packed, or as they lie."""
        packed, in_place = self._packed_strip(group, tile), self._a_at(tile, first)
        return self.builder.select(self._is_set(Slot.COPY_A), packed, in_place)

    def _rows_down(self, rows: ir.Value) -> ir.Value:
        """How many elements some rows of A are apart where the inner product reads them."""
        by_columns, stride = self._is_set(Slot.READ_A_BY_COLUMNS), self._slot(Slot.READ_A_STRIDE)
        return self.builder.mul(rows, self.builder.select(by_columns, i64(1), stride))

    def _pack_a(
        self, group: ir.Value, tile: ir.Value, end: ir.Value, slice_: tuple[ir.Value, ir.Value]
    ) -> None:
        """Pack a strip's rows of A, if the host wants it."""
        builder, (first, depth) = self.builder, slice_
        down, along = self._slot(Slot.A_ROW_STRIDE), self._slot(Slot.A_COLUMN_STRIDE)
        rows = builder.sub(self._row(end), self._row(tile))
        # What comes first is the outer loop's if A is packed by rows, else the inner one's.
        pairs = (
            (down, along), (along, down), (rows, depth), (depth, rows),
        )  # fmt: skip
        with builder.if_then(self._is_set(Slot.COPY_A)):
            by_columns, stride = (
                self._is_set(Slot.READ_A_BY_COLUMNS),
                self._slot(Slot.READ_A_STRIDE),
            )
            numbers = [builder.select(by_columns, *pair[::-1]) for pair in pairs]
            copy = self._function(Slot.COPY_A, COPY_TYPE)
            target = self._packed_strip(group, tile)
            builder.call(copy, [self._a_at(tile, first), *numbers, target, stride])

    def _panel(self, index: ir.Value, first: ir.Value, depth: ir.Value) -> _Panel:
        builder = self.builder
        column, after = self._column(index), self._column(builder.add(index, i64(1)))
        across = builder.sub(column, self._column(self.panel0))
        packed = builder.gep(self.scratch, [self._slot(Slot.PACKED_B)])
        return _Panel(
            index,
            first,
            depth,
            column,
            builder.sub(after, column),
            builder.sub(minimum(builder, after, self.columns_of_all), column),
            builder.icmp_signed("==", index, self.part_panel),
            self._b_at(first, column),
            self._computed(packed, builder.mul(across, self._slot(Slot.PACKED_STEP))),
        )

    def _multiply(self, panel: _Panel, a: ir.Value, tile: ir.Value, end: ir.Value) -> None:
        """Tiles whose rows of A are at `a` times a panel, which the first of all tiles packs."""
        builder = self.builder
        is_first = builder.icmp_signed("==", tile, self.tile0)
        by_copy = self._is_set(Slot.COPY_B)
        with builder.if_then(builder.and_(by_copy, is_first)):
            strides = self._slot(Slot.B_ROW_STRIDE), self._slot(Slot.B_COLUMN_STRIDE)
            counts = panel.depth, panel.columns
            copy = self._function(Slot.COPY_B, COPY_TYPE)
            builder.call(copy, [panel.in_place, *strides, *counts, panel.packed, panel.width])
        by_tile = builder.or_(panel.is_part, self._is_set(Slot.PACK_B))
        by_tile = builder.and_(by_tile, builder.not_(by_copy))
        is_packed = builder.or_(by_copy, by_tile)
        packs = builder.and_(by_tile, is_first)
        # The tile that packs; then tall ones; then those of a row less.
        tall_tiles = self._slot(Slot.TALL_TILES)
        with for_range(builder, i64(0), i64(3), carried=[tile]) as part:
            (start,) = part.carried
            packs_now = builder.and_(packs, builder.icmp_signed("==", part.index, i64(0)))
            one = builder.add(tile, builder.zext(packs, I64))
            tall = builder.select(builder.icmp_signed("==", part.index, i64(1)), tall_tiles, end)
            stop = builder.select(builder.icmp_signed("==", part.index, i64(0)), one, tall)
            stop = minimum(builder, maximum(builder, stop, start), end)
            in_place = builder.or_(packs_now, builder.not_(is_packed))
            b = builder.select(in_place, panel.in_place, panel.packed)
            b_stride = builder.select(in_place, self._slot(Slot.B_ROW_STRIDE), panel.width)
            with builder.if_then(builder.icmp_signed("<", start, stop)):
                run = self._run(panel, packs_now, (a, tile), (start, stop), (b, b_stride))
                self._store(panel, run)
            part.update([stop])

    def _run(
        self,
        panel: _Panel,
        packs: ir.Value,
        strip: tuple[ir.Value, ir.Value],
        tiles: tuple[ir.Value, ir.Value],
        b: tuple[ir.Value, ir.Value],
    ) -> _Run:
        """Tiles from one number to another, of one height, in the strip with its rows at `a`."""
        builder = self.builder
        (a, first), (start, stop) = strip, tiles
        is_short = builder.icmp_signed(">=", start, self._slot(Slot.TALL_TILES))
        is_narrow = builder.icmp_signed(">=", panel.index, self._slot(Slot.WIDE_PANELS))
        slot = i64(int(Slot.PRODUCTS))
        for flag, weight in ((packs, 4), (is_short, 2), (is_narrow, 1)):
            slot = builder.add(slot, builder.select(flag, i64(weight), i64(0)))
        address = builder.load(builder.gep(self.args, [slot]))
        product = builder.inttoptr(address, PRODUCT_TYPE.as_pointer())
        stride = self._slot(Slot.READ_A_STRIDE)
        adds = builder.icmp_signed(">", panel.slice, i64(0))
        row = self._row(start)
        down = self._rows_down(builder.sub(row, self._row(first)))

        def call(a: ir.Value, count: ir.Value, *out: ir.Value) -> None:
            packed = panel.packed, panel.columns
            builder.call(product, [a, stride, *b, panel.depth, count, *out, adds, *packed])

        rows = builder.sub(self._slot(Slot.ROWS), builder.zext(is_short, I64))
        return _Run(builder.sub(stop, start), rows, row, self._computed(a, down), call)

    def _store(self, panel: _Panel, run: _Run) -> None:
        """Compute a run of tiles: their sums go to C if they may."""
        builder, stride = self.builder, self._slot(Slot.C_ROW_STRIDE)
        whole = builder.icmp_signed("!=", panel.index, self.part_panel)
        with builder.if_else(builder.and_(whole, self._is_set(Slot.STORE_SUMS))) as (direct, kept):
            with direct:
                out = self._stored(self.c, builder.add(builder.mul(run.row, stride), panel.column))
                run.call(run.a, run.count, out, stride)
            with kept:
                self._keep(panel, run)

    def _keep(self, panel: _Panel, run: _Run) -> None:
        """Keep the sums of tiles in the scratch, and finish them after the last slice."""
        builder, stride = self.builder, self._slot(Slot.KEPT_STRIDE)
        several = builder.icmp_signed(">", self.depth_of_all, self.depth_of_slice)
        end = builder.add(panel.slice, self.depth_of_slice)
        is_last = builder.icmp_signed(">=", end, self.depth_of_all)
        first = builder.select(self._is_set(Slot.STORE_SUMS), self.part_panel, self.panel0)
        across = builder.sub(panel.column, self._column(first))
        top = self._row(self.tile0)
        with for_range(builder, i64(0), run.count) as tile:
            down = builder.mul(tile.index, run.rows)
            row = builder.add(run.row, down)
            index = builder.add(builder.mul(builder.sub(row, top), stride), across)
            # Sums of a single slice are finished at once, so that one tile's room is enough.
            index = builder.select(several, index, i64(0))
            sums = self._computed(builder.gep(self.scratch, [self._slot(Slot.KEPT)]), index)
            a = self._computed(run.a, self._rows_down(down))
            run.call(a, i64(1), sums, stride)
            with builder.if_then(is_last):
                c_stride = self._slot(Slot.C_ROW_STRIDE)
                c = self._stored(self.c, builder.add(builder.mul(row, c_stride), panel.column))
                place = run.rows, panel.columns, self.batch, row, panel.column
                finish = self._function(Slot.FINISH, FINISH_TYPE)
                builder.call(finish, [self.args, sums, stride, c, c_stride, *place])
