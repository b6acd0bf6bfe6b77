"""The register-tiled inner product at the core of gemm, convolution and attention.

A tile of the result stays in registers while the depth runs: each step loads `vectors` vectors of
B's row, broadcasts one element of each of `rows` rows of A, and multiplies them out. (Goto and van
de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008.)
"""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from flambeau.runtime.llvm.blocks import I64, VOID, for_range, i64, intrinsic, splat
from flambeau.runtime.llvm.vectors import load_vector, store_vector


@dataclass(frozen=True)
class Tile:
    """The part of the result held in registers: `rows` times `vectors` vectors of `lanes`."""

    rows: int
    vectors: int
    lanes: int

    @property
    def columns(self) -> int:
        return self.vectors * self.lanes

    @property
    def heights(self) -> tuple[int, ...]:
        """Heights a full-width kernel is made for: a short last tile takes the next one up."""
        return (*(rows for rows in (1, 8) if rows < self.rows), self.rows)


def vector_registers(lanes: int) -> int:
    """How many registers hold vectors of so many float32: AVX2 has 16, AVX-512 and NEON 32."""
    return 16 if lanes == 8 else 32


def tile_for(lanes: int, registers: int) -> Tile:
    """The tile that fills the registers, which also hold B's vectors, one of A and a spare."""
    vectors = 2
    return Tile((registers - vectors - 2) // vectors, vectors, lanes)


def multiply_add(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a * b + c of vectors: fused for floats, wrapping around for integers."""
    if isinstance(a.type.element, ir.IntType):
        return builder.add(builder.mul(a, b), c)
    width = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}[a.type.element]
    name = f"llvm.fma.v{a.type.count}{width}"
    return builder.call(intrinsic(builder.module, name, a.type, [a.type] * 3), [a, b, c])


def emit_tile_product(module: ir.Module, prefix: str, kind: ir.Type, tile: Tile) -> ir.Function:
    """Emit the inner product of a tile of A's rows and B's columns.

    `product(a, a_row_stride, a_depth_stride, b, b_depth_stride, depth, rows, columns, out)`:
    out[i, j] = sum over d < depth of a[i, d] * b[d, j], for i < rows <= tile.rows and all j below
    `columns` (<= tile.columns) rounded up to whole vectors: that much of b is read. Each sum is one
    chain in the order of d. `out` is row-major with tile.columns elements a row and room for
    tile.rows rows; those from `rows` on are overwritten with copies.
    """
    function = ir.Function(module, _signature(kind), f"{prefix}_product")
    function.linkage = "internal"
    *_, rows, columns, _ = function.args
    builder = ir.IRBuilder(function.append_basic_block())

    def run(height: int, vectors: int) -> None:
        kernel = _emit_kernel(module, f"{prefix}_{height}x{vectors}", kind, tile, height, vectors)
        builder.call(kernel, function.args)
        builder.ret_void()

    if tile.vectors > 1:
        with builder.if_then(builder.icmp_signed("<=", columns, i64(tile.lanes))):
            run(tile.rows, 1)
    for height in tile.heights[:-1]:
        with builder.if_then(builder.icmp_signed("<=", rows, i64(height))):
            run(height, tile.vectors)
    run(tile.rows, tile.vectors)
    return function


def _signature(kind: ir.Type) -> ir.FunctionType:
    pointer = kind.as_pointer()
    return ir.FunctionType(VOID, [pointer, I64, I64, pointer, I64, I64, I64, I64, pointer])


def _emit_kernel(
    module: ir.Module, name: str, kind: ir.Type, tile: Tile, rows: int, vectors: int
) -> ir.Function:
    """One height and width of `emit_tile_product`."""
    function = ir.Function(module, _signature(kind), name)
    function.linkage = "internal"
    a, a_row_stride, a_depth_stride, b, b_depth_stride, depth, used, _, out = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    vector = ir.VectorType(kind, tile.lanes)
    # Rows past the last one read the last one again, which keeps reads inside the operand.
    last = builder.sub(used, i64(1))
    starts = [a]
    for row in range(1, rows):
        inside = builder.select(builder.icmp_signed("<", i64(row), last), i64(row), last)
        starts.append(builder.gep(a, [builder.mul(inside, a_row_stride)]))
    zero = ir.Constant(vector, None)
    state = [i64(0), b, *[zero] * (rows * vectors)]
    with for_range(builder, i64(0), depth, carried=state) as loop:
        offset, row_of_b, *sums = loop.carried
        columns = [
            load_vector(builder, builder.gep(row_of_b, [i64(v * tile.lanes)]), tile.lanes)
            for v in range(vectors)
        ]
        for row, start in enumerate(starts):
            factor = splat(builder, builder.load(builder.gep(start, [offset])), tile.lanes)
            for v, column in enumerate(columns):
                index = row * vectors + v
                sums[index] = multiply_add(builder, factor, column, sums[index])
        next_row = builder.gep(row_of_b, [b_depth_stride])
        loop.update([builder.add(offset, a_depth_stride), next_row, *sums])
    for index, value in enumerate(loop.carried[2:]):
        row, v = divmod(index, vectors)
        store_vector(builder, value, builder.gep(out, [i64(row * tile.columns + v * tile.lanes)]))
    builder.ret_void()
    return function
