"""From a kernel to LLVM: the loops over work items, lanes and reductions.

The order of a reduction (see `_fold`) is part of flambeau's numerics: it depends on the sizes of
the reduced axes and on nothing else, so neither lanes, threads nor fusion change a result.

* Along a row: element i of each block of 4096 goes to lane i mod L (L is 32, or 16 for rows of at
  most 16), the lanes are folded by halves, and the blocks in order.
* Across rows (the last axis is kept): elements in order.
* 8 blocks, or 256 elements across rows, make a group, and the groups are folded in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llvmlite import ir

from flambeau.compiler import tiles
from flambeau.compiler.arguments import Arguments
from flambeau.compiler.emit_value import SectionEmitter
from flambeau.compiler.fold import RowFolds, joined, reductions
from flambeau.compiler.kernel import WIDEST, Kernel, Section, varying_values
from flambeau.compiler.order import BLOCK, GROUP, one_block, row_lanes
from flambeau.compiler.tiles import tile_axis
from flambeau.compiler.work import chunk_size
from flambeau.runtime.llvm.blocks import KERNEL_TYPE, for_range, i64, splat, stack_slot
from flambeau.runtime.llvm.vectors import first_lanes, minimum

# Vectors of neighbouring columns that walk down together, if there is little to compute: whole
# lines of memory at a time, and additions that do not wait for each other.
COLUMN_VECTORS = 4
LIGHT = 12


def emit_kernel(
    module: ir.Module, name: str, kernel: Kernel, arguments: Arguments, lanes: int
) -> None:
    """Add a function for `kernel` to `module`."""
    function = ir.Function(module, KERNEL_TYPE, name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    loaded = [
        builder.load(builder.gep(function.args[0], [i64(position)]))
        for position in range(len(arguments.entries))
    ]
    if kernel.lanes_along == "inner":
        lanes = row_lanes(kernel)
        axis = len(kernel.outer) + len(kernel.inner) - 1
    else:
        axis = len(kernel.outer) - 1
    emitter = SectionEmitter(
        kernel, arguments, builder, loaded, axis, lanes, varying_values(kernel, axis)
    )
    emitter.scratch = function.args[3]
    axis_of_tiles = tile_axis(kernel)
    writer = _LoopWriter(kernel, arguments, emitter, builder)
    with for_range(builder, function.args[1], function.args[2]) as item:
        if kernel.lanes_along == "inner":
            writer.row_item(item.index)
        elif axis_of_tiles is not None:
            writer.tile_item(item.index, axis_of_tiles)
        else:
            writer.lane_item(item.index)
    if kernel.streamed:
        # Such stores may be seen late by other threads.
        builder.fence("seq_cst")
    builder.ret_void()


@dataclass
class _LoopWriter:
    kernel: Kernel
    arguments: Arguments
    emitter: SectionEmitter
    builder: ir.IRBuilder

    def _size(self, axis: int) -> ir.Value:
        outer = self.arguments.outer
        inner = self.arguments.inner
        where = outer[axis] if axis < len(outer) else inner[axis - len(outer)]
        return self.emitter.loaded[where]

    def _decode(self, position: ir.Value, axes: Sequence[int]) -> None:
        """Set the axes' indices from a row-major position over them."""
        b = self.builder
        for axis in reversed(axes[1:]):
            size = self._size(axis)
            self.emitter.axes[axis] = b.urem(position, size)
            position = b.udiv(position, size)
        if axes:
            self.emitter.axes[axes[0]] = position

    # ------------------------------------------------------------------ lanes along the result

    def lane_item(self, item: ir.Value) -> None:
        """One chunk of the last outer axis, lane by lane."""
        b, e = self.builder, self.emitter
        lanes = e.lanes
        item, start, stop = self._piece(item, e.lane_axis, chunk_size(self.kernel))
        self._decode(item, range(e.lane_axis))
        for e.lanes in (COLUMN_VECTORS * lanes, lanes) if self._light() else (lanes,):
            whole = self._whole(start, stop)
            with for_range(b, start, whole, i64(e.lanes)) as loop:
                self._lane_body(loop.index, None)
            start = whole
            if whole is stop:
                return
        self._last_lanes(start, stop)

    def _whole(self, start: ir.Value, stop: ir.Value) -> ir.Value:
        """Where the last whole vector ends."""
        b, lanes = self.builder, self.emitter.lanes
        if self.kernel.whole and WIDEST % lanes == 0:
            return stop
        return b.sub(stop, b.urem(b.sub(stop, start), i64(lanes)))

    def _last_lanes(self, start: ir.Value, stop: ir.Value) -> None:
        """The lanes that do not fill a vector."""
        b = self.builder
        rest = b.sub(stop, start)
        with b.if_then(b.icmp_signed(">", rest, i64(0))):
            self._lane_body(start, first_lanes(b, rest, self.emitter.lanes))

    def _light(self) -> bool:
        """Whether several vectors of columns can walk down a reduction in registers."""
        code = [one for section in self.kernel.sections if section.inner for _, one in section.code]
        return bool(code) and len(code) <= LIGHT

    def _lane_body(self, index: ir.Value, mask: ir.Value | None) -> None:
        e = self.emitter
        e.axes[e.lane_axis], e.mask, e.values = index, mask, {}
        for section in self.kernel.sections:
            if section.inner:
                self._across_rows(section)
            else:
                e.emit(section)

    def tile_item(self, item: ir.Value, axis: int) -> None:
        """A rectangle of the lane axis and of the one along which some loads lie: by squares."""
        b, e = self.builder, self.emitter
        lanes, lane_axis = i64(e.lanes), e.lane_axis
        item, left, right = self._piece(item, lane_axis, tiles.LANES)
        item, top, bottom = self._piece(item, axis, tiles.ROWS)
        self._decode(item, [one for one in range(lane_axis) if one != axis])
        whole_right = b.sub(right, b.urem(b.sub(right, left), lanes))
        whole_bottom = b.sub(bottom, b.urem(b.sub(bottom, top), lanes))
        with (
            for_range(b, left, whole_right, lanes) as across,
            for_range(b, top, whole_bottom, lanes) as down,
        ):
            self._square(across.index, down.index, axis)
        with for_range(b, top, bottom) as row:
            e.axes[axis] = row.index
            below = b.icmp_signed(">=", row.index, whole_bottom)
            with for_range(b, b.select(below, left, whole_right), whole_right, lanes) as loop:
                self._lane_body(loop.index, None)
            self._last_lanes(whole_right, right)

    def _piece(self, item: ir.Value, axis: int, size: int) -> tuple[ir.Value, ir.Value, ir.Value]:
        """What is left of the item number, and which part of an axis, cut so, the item is for."""
        b, whole = self.builder, self._size(axis)
        if len(self.kernel.outer) == 1:
            start = b.mul(item, i64(size))
            return item, start, minimum(b, b.add(start, i64(size)), whole)
        pieces = b.udiv(b.add(whole, i64(size - 1)), i64(size))
        start = b.mul(b.urem(item, pieces), i64(size))
        return b.udiv(item, pieces), start, minimum(b, b.add(start, i64(size)), whole)

    def _square(self, left: ir.Value, top: ir.Value, axis: int) -> None:
        b, e = self.builder, self.emitter
        lanes = e.lanes
        e.axes[e.lane_axis], e.axes[axis] = left, top
        turned: dict[int, ir.Value] = {}
        for number, one in self.kernel.instructions():
            if tiles.lies_along(one, axis, e.lane_axis):
                columns = tiles.turn(b, [e.line(one, lane) for lane in range(lanes)])
                turned[number] = stack_slot(b, columns[0].type, lanes)
                for place, column in enumerate(columns):
                    b.store(column, b.gep(turned[number], [i64(place)]))
        with for_range(b, i64(0), i64(lanes)) as row:
            e.axes[axis] = b.add(top, row.index)
            e.fetched = {
                number: b.load(b.gep(square, [row.index])) for number, square in turned.items()
            }
            self._lane_body(left, None)
        e.fetched = {}

    def _across_rows(self, section: Section) -> None:
        """An inner loop whose every lane walks down the reduced axes by itself."""
        first = len(self.kernel.outer)
        axes = range(first, first + len(self.kernel.inner))

        def partial(position: ir.Value) -> dict[int, ir.Value]:
            self._decode(position, axes)
            return self.emitter.emit(section)

        self._fold(section, self._total(axes), partial, vector=True)

    def _total(self, axes: Sequence[int]) -> ir.Value:
        total = i64(1)
        for axis in axes:
            total = self.builder.mul(total, self._size(axis))
        return total

    # ------------------------------------------------------------------ lanes along the rows

    def row_item(self, item: ir.Value) -> None:
        """One element of the result; lanes run along its row."""
        self._decode(item, range(len(self.kernel.outer)))
        self.emitter.mask, self.emitter.values = None, {}
        for section in self.kernel.sections:
            if section.inner:
                self._along_row(section)
            else:
                self.emitter.emit(section)

    def _along_row(self, section: Section) -> None:
        b, e = self.builder, self.emitter
        first, row = len(self.kernel.outer), self._size(e.lane_axis)
        if one_block(self.kernel):
            e.values |= self._block(section, i64(0), row)
            return
        lead = range(first, e.lane_axis)
        blocks = b.udiv(b.add(row, i64(BLOCK - 1)), i64(BLOCK))

        def partial(position: ir.Value) -> dict[int, ir.Value]:
            start = b.mul(b.urem(position, blocks), i64(BLOCK))
            self._decode(b.udiv(position, blocks), lead)
            return self._block(section, start, minimum(b, b.add(start, i64(BLOCK)), row))

        self._fold(section, b.mul(self._total(lead), blocks), partial, vector=False)

    def _block(self, section: Section, start: ir.Value, stop: ir.Value) -> dict[int, ir.Value]:
        """At most BLOCK elements of a row, folded into one value per reduction."""
        b, e = self.builder, self.emitter
        folds = RowFolds(b, reductions(section), e.lanes)
        whole = self._whole(start, stop)
        outside = dict(e.values)
        with for_range(b, start, whole, i64(e.lanes), carried=folds.initial) as loop:
            operands = self._row_body(section, loop.index, None)
            if self.kernel.reads_ahead and section is self.kernel.busiest():
                e.read_ahead(len(self.kernel.outer) - 1)
            loop.update(folds.step(loop.carried, operands))
        e.values = dict(outside)
        carried = loop.carried
        if whole is not stop:
            carried = self._fold_rest(section, folds, carried, whole, b.sub(stop, whole))
            e.values = outside
        return folds.totals(carried)

    def _fold_rest(
        self,
        section: Section,
        folds: RowFolds,
        carried: list[ir.Value],
        start: ir.Value,
        rest: ir.Value,
    ) -> list[ir.Value]:
        """Fold the elements of a row that do not fill a vector."""
        b, before = self.builder, self.builder.block
        with b.if_then(b.icmp_signed(">", rest, i64(0))):
            mask = first_lanes(b, rest, self.emitter.lanes)
            stepped = folds.step(carried, self._row_body(section, start, mask))
            folded = [b.select(mask, *pair) for pair in zip(stepped, carried, strict=True)]
            tail = b.block
        results = [b.phi(have.type) for have in carried]
        for result, have, more in zip(results, carried, folded, strict=True):
            result.add_incoming(have, before)
            result.add_incoming(more, tail)
        return results

    def _row_body(
        self, section: Section, index: ir.Value, mask: ir.Value | None
    ) -> dict[int, ir.Value]:
        e = self.emitter
        e.axes[e.lane_axis], e.mask = index, mask
        try:
            return e.emit(section)
        finally:
            e.mask = None

    # ------------------------------------------------------------------ the order of a fold

    def _fold(
        self,
        section: Section,
        count: ir.Value,
        partial: Callable[[ir.Value], dict[int, ir.Value]],
        *,
        vector: bool,
    ) -> None:
        """Fold `count` partial results, in groups; the totals become values."""
        b, e = self.builder, self.emitter
        folds = reductions(section)
        initial = [splat(b, fold.identity, e.lanes) if vector else fold.identity for fold in folds]
        outside = dict(e.values)

        def in_order(start: ir.Value, stop: ir.Value) -> list[ir.Value]:
            with for_range(b, start, stop, carried=initial) as loop:
                operands = partial(loop.index)
                loop.update(joined(b, folds, loop.carried, [operands[one.number] for one in folds]))
            return loop.carried

        size = i64(GROUP[self.kernel.lanes_along])
        if self.kernel.fold == "total":
            totals = in_order(i64(0), count)
        elif self.kernel.fold == "group":
            start = b.mul(e.axes[0], size)
            totals = in_order(start, minimum(b, b.add(start, size), count))
        else:
            with for_range(b, i64(0), count, size, carried=initial) as groups:
                group = in_order(groups.index, minimum(b, b.add(groups.index, size), count))
                groups.update(joined(b, folds, groups.carried, group))
            totals = groups.carried
        e.values = outside
        for fold, total in zip(folds, totals, strict=True):
            e.values[fold.number] = total
