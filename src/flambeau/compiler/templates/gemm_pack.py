"""Copying operands into the order, and the precision, in which the inner product reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llvmlite import ir

from flambeau.compiler.templates.gemm_element import Element
from flambeau.compiler.templates.gemm_slots import COPY_TYPE, module_text
from flambeau.runtime.llvm.blocks import I32, Loop, for_range, i64
from flambeau.runtime.llvm.vectors import (
    first_lanes,
    load_vector,
    masked_load,
    minimum,
    prefetch,
    store_vector,
)

# Lines of a source are fetched so many lines ahead.
_LINES_AHEAD = 8


@dataclass(frozen=True)
class Copy:
    """`copy(source, outer_stride, inner_stride, outer, inner, target, target_stride)`.

    target[o * target_stride + i] = source[o * outer_stride + i * inner_stride]; the inner count is
    rounded up to whole vectors in `target`, where what is past it is finite if the source is.
    Of the "lines" way, inner_stride is 1; of "turned", outer_stride; "gathered" serves any.
    """

    dtype: str
    lanes: int
    way: Literal["lines", "turned", "gathered"]

    @property
    def key(self) -> str:
        return str(self)

    def build(self, name: str) -> str:
        """The code of a module with the function `name`."""
        return module_text(name, COPY_TYPE, self._emit)

    def _emit(self, function: ir.Function) -> None:
        element, builder = Element(self.dtype), ir.IRBuilder(function.append_basic_block())
        source, outer_stride, inner_stride, outer, inner, target, target_stride = function.args
        source = builder.bitcast(source, element.storage.as_pointer())
        target = builder.bitcast(target, element.compute.as_pointer())
        if self.way == "turned":
            few = builder.icmp_signed("<", outer, i64(self.lanes))
            with builder.if_else(few) as (shallow, deep):
                with shallow:
                    place = source, i64(1), inner_stride
                    self._copy(builder, place, (outer, inner), target, target_stride)
                with deep:
                    self._turn(
                        builder, source, inner_stride, (outer, inner), (target, target_stride)
                    )
        else:
            place = source, outer_stride, inner_stride
            self._copy(builder, place, (outer, inner), target, target_stride)
        builder.ret_void()

    def _copy(
        self,
        builder: ir.IRBuilder,
        place: tuple[ir.Value, ir.Value, ir.Value],
        counts: tuple[ir.Value, ir.Value],
        target: ir.Value,
        target_stride: ir.Value,
    ) -> None:
        """Line by line."""
        source, outer_stride, inner_stride = place
        outer, inner = counts
        with for_range(builder, i64(0), outer) as line:
            start = builder.gep(source, [builder.mul(line.index, outer_stride)])
            end = builder.gep(target, [builder.mul(line.index, target_stride)])
            if self.way == "lines":
                ahead = builder.mul(outer_stride, i64(_LINES_AHEAD))
                self._copy_line(builder, start, end, inner, ahead)
            else:
                self._gather_line(builder, start, inner_stride, end, inner)

    def _copy_line(
        self,
        builder: ir.IRBuilder,
        source: ir.Value,
        target: ir.Value,
        count: ir.Value,
        ahead: ir.Value,
    ) -> None:
        element, lanes = Element(self.dtype), self.lanes
        whole = builder.and_(count, i64(-lanes))
        with for_range(builder, i64(0), whole, i64(lanes)) as loop:
            place = builder.gep(source, [loop.index])
            prefetch(builder, builder.gep(place, [ahead]), 2)
            value = element.widen(builder, load_vector(builder, place, lanes))
            store_vector(builder, value, builder.gep(target, [loop.index]))
        with builder.if_then(builder.icmp_signed("!=", whole, count)):
            mask = first_lanes(builder, builder.sub(count, whole), lanes)
            value = masked_load(builder, builder.gep(source, [whole]), mask)
            wide = element.widen(builder, value)
            store_vector(builder, wide, builder.gep(target, [whole]))

    def _gather_line(
        self,
        builder: ir.IRBuilder,
        source: ir.Value,
        stride: ir.Value,
        target: ir.Value,
        count: ir.Value,
    ) -> None:
        padded = builder.and_(builder.add(count, i64(self.lanes - 1)), i64(-self.lanes))
        last = builder.sub(count, i64(1))
        with for_range(builder, i64(0), padded) as loop:
            index = minimum(builder, loop.index, last)
            value = builder.load(builder.gep(source, [builder.mul(index, stride)]))
            wide = Element(self.dtype).widen(builder, value)
            builder.store(wide, builder.gep(target, [loop.index]))

    def _turn(
        self,
        builder: ir.IRBuilder,
        source: ir.Value,
        stride: ir.Value,
        counts: tuple[ir.Value, ir.Value],
        out: tuple[ir.Value, ir.Value],
    ) -> None:
        """Blocks of lanes x lanes are turned in registers."""
        lanes, element = self.lanes, Element(self.dtype)
        (depth, lines), (target, target_stride) = counts, out
        last_block = builder.sub(depth, i64(lanes))
        with for_range(builder, i64(0), lines, i64(lanes)) as first:
            left = builder.sub(lines, first.index)
            starts = [builder.gep(source, [builder.mul(first.index, stride)])]
            for lane in range(1, lanes):
                # Lines past the last one read the last one again.
                inside = builder.icmp_signed("<", i64(lane), left)
                step = builder.select(inside, stride, i64(0))
                starts.append(builder.gep(starts[-1], [step]))
            with for_range(builder, i64(0), depth, i64(lanes)) as block:
                # The last block overlaps the one before, and writes the same values again.
                begin = minimum(builder, block.index, last_block)
                rows = [load_vector(builder, builder.gep(one, [begin]), lanes) for one in starts]
                columns = _transposed(builder, [element.widen(builder, row) for row in rows])
                offset = builder.add(builder.mul(begin, target_stride), first.index)
                place = builder.gep(target, [offset])
                for column in columns:
                    store_vector(builder, column, place)
                    place = builder.gep(place, [target_stride])


def _transposed(builder: ir.IRBuilder, rows: list[ir.Value]) -> list[ir.Value]:
    """A square of vectors transposed by log2(lanes) rounds of interleaving."""
    lanes = len(rows)
    kind = ir.VectorType(I32, lanes)
    half = lanes // 2
    low, high = (
        ir.Constant(kind, [start + lane // 2 + lane % 2 * lanes for lane in range(lanes)])
        for start in (0, half)
    )
    # LLVM takes long over chains of shuffles: leave them in a loop.
    with for_range(builder, i64(0), i64(lanes.bit_length() - 1), carried=rows) as rounds:
        old = rounds.carried
        rounds.update(
            [
                builder.shuffle_vector(old[pair], old[pair + half], mask)
                for pair in range(half)
                for mask in (low, high)
            ]
        )
    _keep_rolled(builder.module, rounds)
    return rounds.carried


def _keep_rolled(module: ir.Module, loop: Loop) -> None:
    """Tell LLVM not to unroll a finished loop."""
    mark = module.add_metadata(["llvm.loop.unroll.disable"])
    name = module.add_metadata([mark])
    name.operands = (name, mark)  # what names a loop refers to itself
    _, latch = loop.index.incomings[-1]
    latch.terminator.set_metadata("llvm.loop", name)
