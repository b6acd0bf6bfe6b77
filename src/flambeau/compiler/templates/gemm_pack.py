"""Copying operands into the order, and the precision, in which the inner product reads them."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from flambeau.runtime.llvm.blocks import F32, F64, I1, I8, I32, I64, VOID, Loop, for_range, i64
from flambeau.runtime.llvm.vectors import (
    first_lanes,
    load_vector,
    masked_load,
    minimum,
    prefetch,
    store_vector,
)

I16 = ir.IntType(16)
F16 = ir.HalfType()

_STORAGE = {
    "float16": F16,
    "bfloat16": I16,
    "float32": F32,
    "float64": F64,
    "uint8": I8,
    "int8": I8,
    "int16": I16,
    "int32": I32,
    "int64": I64,
}
_COMPUTE = {"float64": F64, "int64": I64, "int32": I32, "int16": I32, "int8": I32, "uint8": I32}


@dataclass(frozen=True)
class Element:
    """An element type: how it lies in memory and the wider type it is computed in.

    Integers narrower than 32 bits may be computed in 32: wrapping around once at the end gives the
    same bits as wrapping around at every step.
    """

    dtype: str

    @property
    def storage(self) -> ir.Type:
        return _STORAGE[self.dtype]

    @property
    def compute(self) -> ir.Type:
        return _COMPUTE.get(self.dtype, F32)

    @property
    def is_narrow(self) -> bool:
        """Whether memory holds less than is computed."""
        return self.storage is not self.compute

    def widen(self, builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
        """A loaded vector or scalar, in the type it is computed in."""
        if not self.is_narrow:
            return value
        wide = _shaped(self.compute, value)
        if self.dtype == "float16":
            return builder.fpext(value, wide)
        if self.dtype == "bfloat16":
            bits = builder.zext(value, _shaped(I32, value))
            return builder.bitcast(builder.shl(bits, _constant(bits, 16)), wide)
        extend = builder.zext if self.dtype == "uint8" else builder.sext
        return extend(value, wide)

    def narrow(self, builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
        """A computed vector or scalar as it is stored: rounded to nearest, ties to even."""
        if not self.is_narrow:
            return value
        if self.dtype == "float16":
            return builder.fptrunc(value, _shaped(F16, value))
        if self.dtype == "bfloat16":
            return _round_to_bfloat16(builder, value)
        return builder.trunc(value, _shaped(self.storage, value))


def _shaped(kind: ir.Type, value: ir.Value) -> ir.Type:
    """`kind`, as a vector if `value` is one."""
    return ir.VectorType(kind, value.type.count) if isinstance(value.type, ir.VectorType) else kind


def _constant(like: ir.Value, number: int) -> ir.Constant:
    if isinstance(like.type, ir.VectorType):
        return ir.Constant(like.type, [number] * like.type.count)
    return ir.Constant(like.type, number)


def _round_to_bfloat16(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    bits = builder.bitcast(value, _shaped(I32, value))
    odd = builder.and_(builder.lshr(bits, _constant(bits, 16)), _constant(bits, 1))
    rounded = builder.add(bits, builder.add(odd, _constant(bits, 0x7FFF)))
    # Rounding could turn a NaN into an infinity: set its quiet bit instead.
    quiet = builder.or_(bits, _constant(bits, 0x400000))
    chosen = builder.select(builder.fcmp_unordered("uno", value, value), quiet, rounded)
    return builder.trunc(builder.lshr(chosen, _constant(bits, 16)), _shaped(I16, value))


def emit_copy(
    module: ir.Module, name: str, element: Element, lanes: int, contiguous: bool
) -> ir.Function:
    """Emit `copy(source, outer_stride, inner_stride, outer, inner, target, target_stride)`.

    target[o * target_stride + i] = source[o * outer_stride + i * inner_stride]; the inner count is
    rounded up to whole vectors in `target`, where what is past it is finite if the source is.
    `contiguous` code takes inner_stride to be 1.
    """
    source_type, target_type = element.storage.as_pointer(), element.compute.as_pointer()
    params = [source_type, I64, I64, I64, I64, target_type, I64]
    function = ir.Function(module, ir.FunctionType(VOID, params), name)
    function.linkage = "internal"
    source, outer_stride, inner_stride, outer, inner, target, target_stride = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    with for_range(builder, i64(0), outer) as line:
        start = builder.gep(source, [builder.mul(line.index, outer_stride)])
        end = builder.gep(target, [builder.mul(line.index, target_stride)])
        if contiguous:
            _copy_line(builder, element, lanes, start, end, inner)
        else:
            _gather_line(builder, element, lanes, start, inner_stride, end, inner)
    builder.ret_void()
    return function


def _copy_line(
    builder: ir.IRBuilder,
    element: Element,
    lanes: int,
    source: ir.Value,
    target: ir.Value,
    count: ir.Value,
) -> None:
    whole = builder.and_(count, i64(-lanes))
    with for_range(builder, i64(0), whole, i64(lanes)) as loop:
        value = load_vector(builder, builder.gep(source, [loop.index]), lanes)
        wide = element.widen(builder, value)
        store_vector(builder, wide, builder.gep(target, [loop.index]))
    with builder.if_then(builder.icmp_signed("!=", whole, count)):
        mask = first_lanes(builder, builder.sub(count, whole), lanes)
        value = masked_load(builder, builder.gep(source, [whole]), mask)
        wide = element.widen(builder, value)
        store_vector(builder, wide, builder.gep(target, [whole]))


def _gather_line(
    builder: ir.IRBuilder,
    element: Element,
    lanes: int,
    source: ir.Value,
    stride: ir.Value,
    target: ir.Value,
    count: ir.Value,
) -> None:
    padded = builder.and_(builder.add(count, i64(lanes - 1)), i64(-lanes))
    last = builder.sub(count, i64(1))
    with for_range(builder, i64(0), padded) as loop:
        index = minimum(builder, loop.index, last)
        value = builder.load(builder.gep(source, [builder.mul(index, stride)]))
        builder.store(element.widen(builder, value), builder.gep(target, [loop.index]))


# Lines of a source that are cut into pieces are taken so many at a time, to stay close in memory.
LINES = 8


def emit_copy_tiles(
    module: ir.Module, name: str, element: Element, lanes: int, heights: tuple[int, ...]
) -> ir.Function:
    """Emit `copy(source, stride, depth, tall, tiles, target, tile_stride)` for A by columns.

    Tiles of heights[0] rows, and after `tall` of them of heights[-1] rows, are cut out of
    source[d * stride + row] and written one after the other, each depth of one heights[0] elements
    after that before.
    """
    source_type, target_type = element.storage.as_pointer(), element.compute.as_pointer()
    params = [source_type, I64, I64, I64, I64, target_type, I64]
    function = ir.Function(module, ir.FunctionType(VOID, params), name)
    function.linkage = "internal"
    source, stride, depth, tall, tiles, target, tile_stride = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    ahead = builder.mul(stride, i64(LINES))
    with for_range(builder, i64(0), depth, i64(LINES)) as block:
        stop = minimum(builder, builder.add(block.index, i64(LINES)), depth)
        first, column, panel = i64(0), source, target
        for height, last in zip(heights, (tall, tiles), strict=False):
            with for_range(builder, first, last, carried=[column, panel]) as tile:
                column, panel = tile.carried
                with for_range(builder, block.index, stop) as line:
                    start = builder.gep(column, [builder.mul(line.index, stride)])
                    end = builder.gep(panel, [builder.mul(line.index, i64(heights[0]))])
                    prefetch(builder, builder.gep(start, [ahead]), 2)
                    _copy_column(builder, element, lanes, height, start, end)
                after = builder.gep(column, [i64(height)])
                tile.update([after, builder.gep(panel, [tile_stride])])
            column, panel = tile.carried
            first = last
    builder.ret_void()
    return function


def _copy_column(
    builder: ir.IRBuilder,
    element: Element,
    lanes: int,
    height: int,
    source: ir.Value,
    target: ir.Value,
) -> None:
    """Copy `height` neighbours; what follows them in `target` is overwritten to whole vectors."""
    row = 0
    while row < height:
        lanes = min(lanes, 1 << (height - row - 1).bit_length())
        place = builder.gep(source, [i64(row)])
        if row + lanes <= height:
            value = load_vector(builder, place, lanes)
        else:
            present = [int(row + lane < height) for lane in range(lanes)]
            mask = ir.Constant(ir.VectorType(I1, lanes), present)
            value = masked_load(builder, place, mask)
        store_vector(builder, element.widen(builder, value), builder.gep(target, [i64(row)]))
        row += lanes


def emit_transpose(
    module: ir.Module, name: str, element: Element, lanes: int, gather: ir.Function
) -> ir.Function:
    """Emit `transpose(source, unit_stride, stride, depth, lines, target, target_stride)`.

    target[d * target_stride + i] = source[d + i * stride]: `emit_copy` for contiguous depth, with
    the same padding. Blocks of lanes x lanes are turned in registers; `gather` serves shallower
    ones.
    """
    function = ir.Function(module, gather.function_type, name)
    function.linkage = "internal"
    source, _, stride, depth, lines, target, target_stride = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    with builder.if_then(builder.icmp_signed("<", depth, i64(lanes))):
        builder.call(gather, function.args)
        builder.ret_void()
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
            rows = [load_vector(builder, builder.gep(start, [begin]), lanes) for start in starts]
            columns = _transposed(builder, [element.widen(builder, row) for row in rows])
            offset = builder.add(builder.mul(begin, target_stride), first.index)
            place = builder.gep(target, [offset])
            for column in columns:
                store_vector(builder, column, place)
                place = builder.gep(place, [target_stride])
    builder.ret_void()
    return function


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
