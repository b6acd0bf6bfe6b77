"""The register-tiled inner product at the core of gemm, convolution and attention.

A tile of the result stays in registers while the depth runs: each step loads the vectors of a row
of B, broadcasts one element of each row of A, and multiplies them out. (Goto and van de Geijn,
"Anatomy of High-Performance Matrix Multiplication", 2008.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llvmlite import ir

from flambeau.compiler.templates.gemm_element import Element
from flambeau.compiler.templates.gemm_slots import PRODUCT_TYPE, module_text
from flambeau.runtime.llvm.blocks import for_range, i64, intrinsic, splat
from flambeau.runtime.llvm.vectors import (
    first_lanes,
    load_vector,
    masked_load,
    maximum,
    minimum,
    prefetch,
    store_vector,
)

# Sums are cut into chains of CHAIN products, added up in order. CHAIN decides the bits of a result;
# no other size in a gemm does.
CHAIN = 256
# B while it is packed, and columns of A, are fetched so many steps ahead: about the time they take
# to come from afar. The processor itself foresees neither: each step is in another page of memory.
_STEPS_AHEAD = 8


@dataclass(frozen=True)
class Tile:
    """The part of the result held in registers: `rows` times `vectors` vectors of `lanes`.

    A matrix is cut evenly into tiles of this height or one row less, and of this width or one
    vector less, so that nothing is computed in vain but lanes of a last vector.
    """

    rows: int
    vectors: int
    lanes: int

    @property
    def columns(self) -> int:
        return self.vectors * self.lanes

    @property
    def heights(self) -> tuple[int, ...]:
        return (self.rows, self.rows - 1) if self.rows > 1 else (1,)

    @property
    def widths(self) -> tuple[int, ...]:
        """In vectors."""
        return (self.vectors, self.vectors - 1) if self.vectors > 1 else (1,)


def vector_registers(lanes: int) -> int:
    """How many registers hold vectors of so many float32: AVX2 has 16, AVX-512 and NEON 32."""
    return 16 if lanes == 8 else 32


def multiply_add(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a * b + c of vectors: fused for floats, wrapping around for integers."""
    if isinstance(a.type.element, ir.IntType):
        return builder.add(builder.mul(a, b), c)
    width = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}[a.type.element]
    name = f"llvm.fma.v{a.type.count}{width}"
    return builder.call(intrinsic(builder.module, name, a.type, [a.type] * 3), [a, b, c])


def add(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """a + b of vectors of floats or integers."""
    return (builder.add if isinstance(a.type.element, ir.IntType) else builder.fadd)(a, b)


@dataclass(frozen=True)
class Product:
    """What the inner product of tiles of one size is compiled for; all gemms share it.

    `product(a, a_stride, b, b_stride, depth, tiles, out, out_stride, adds, packed, columns)`: A's
    rows times a panel of B's columns for `tiles` tiles, one below the other. The sums over depth
    are written to `out`; or added to it, if `adds`. B and out lie by rows, A as well or by columns.

    If it `packs`, b is as it lies in memory, has only so many columns, all vectors but the last
    whole, and is copied to `packed` on the way, padded with zeros; it is read once, for a single
    tile. The last two arguments serve only this.
    """

    dtype: str
    rows: int
    vectors: int
    lanes: int
    by_columns: bool
    packs: bool

    @property
    def key(self) -> str:
        return str(self)

    def build(self, name: str) -> str:
        """The code of a module with the function `name`."""
        return module_text(name, PRODUCT_TYPE, lambda function: _Product(function, self).emit())


class _Product:
    """The state of emitting one product."""

    def __init__(self, function: ir.Function, product: Product) -> None:
        self.element, self.packs = Element(product.dtype), product.packs
        self.rows, self.vectors, self.lanes = product.rows, product.vectors, product.lanes
        self.vector = ir.VectorType(self.element.compute, self.lanes)
        self.builder = builder = ir.IRBuilder(function.append_basic_block())
        a, a_stride, b, self.b_stride, self.depth, self.tiles, *rest = function.args
        out, self.out_stride, self.adds, packed, columns = rest
        wide, stored = self.element.compute.as_pointer(), self.element.storage.as_pointer()
        self.a, self.out, self.packed = (builder.bitcast(one, wide) for one in (a, out, packed))
        self.b = builder.bitcast(b, stored if self.packs else wide)
        row_stride, self.a_step = (i64(1), a_stride) if product.by_columns else (a_stride, i64(1))
        # Where each row of a tile begins, and the next tile.
        *self.rows_of_a, self.tile_of_a = (
            builder.mul(i64(row), row_stride) for row in range(self.rows + 1)
        )
        # A column's upper and lower half in turns, as they may lie in two lines of memory: both are
        # then fetched at once.
        half = (self.rows + 1) // 2 if product.by_columns else self.rows
        self.order = sorted(range(self.rows), key=lambda row: row % half)
        self.by_columns = product.by_columns
        if self.by_columns:
            ahead = builder.mul(i64(_STEPS_AHEAD), self.a_step)
            # The tile above has fetched the line of the first row.
            self.column_ahead = builder.add(ahead, i64(self.rows - 1))
        if self.packs:
            last = builder.sub(columns, i64((self.vectors - 1) * self.lanes))
            self.mask = first_lanes(builder, last, self.lanes)
            self.steps_ahead = builder.mul(i64(_STEPS_AHEAD), self.b_stride)

    def emit(self) -> None:
        builder = self.builder
        # A product of no depth still runs once, to store its zeros.
        depth = maximum(builder, self.depth, i64(1))
        rows = builder.mul(i64(self.rows), self.out_stride)
        with for_range(builder, i64(0), self.tiles, carried=[self.a, self.out]) as tile:
            a, out = tile.carried
            tile.update([builder.gep(a, [self.tile_of_a]), builder.gep(out, [rows])])
            with builder.if_then(self.adds):
                self._fetch(out)
            state = [a, self.b, self.packed] if self.packs else [a, self.b]
            with for_range(builder, i64(0), depth, i64(CHAIN), carried=state) as chains:
                length = minimum(builder, i64(CHAIN), builder.sub(self.depth, chains.index))
                state, sums = self._chain(chains.carried, length)
                started = builder.icmp_signed(">", chains.index, i64(0))
                self._store(sums, out, builder.or_(self.adds, started))
                chains.update(state)
        builder.ret_void()

    def _fetch(self, out: ir.Value) -> None:
        """Have the sums fetched that a tile is added to."""
        builder = self.builder
        with for_range(builder, i64(0), i64(self.rows), carried=[out]) as row:
            for v in range(self.vectors):
                prefetch(builder, builder.gep(row.carried[0], [i64(v * self.lanes)]))
            row.update([builder.gep(row.carried[0], [self.out_stride])])

    def _chain(
        self, start: list[ir.Value], length: ir.Value
    ) -> tuple[list[ir.Value], list[ir.Value]]:
        """Where the operands are after `length` products, and the sums of these."""
        builder, operands = self.builder, len(start)
        zeros = [ir.Constant(self.vector, None)] * (self.rows * self.vectors)
        with for_range(builder, i64(0), length, carried=[*start, *zeros]) as loop:
            a, b, *packed = loop.carried[:operands]
            sums = loop.carried[operands:]
            if self.by_columns:
                prefetch(builder, builder.gep(a, [self.column_ahead]))
            row_of_b = self._packed_row(b, *packed) if packed else self._row_of_b(b)
            for row in self.order:
                offset = self.rows_of_a[row]
                factor = splat(builder, builder.load(builder.gep(a, [offset])), self.lanes)
                for v, column in enumerate(row_of_b):
                    index = row * self.vectors + v
                    sums[index] = multiply_add(builder, factor, column, sums[index])
            after = [builder.gep(a, [self.a_step]), builder.gep(b, [self.b_stride])]
            after += [builder.gep(one, [i64(self.vectors * self.lanes)]) for one in packed]
            loop.update([*after, *sums])
        return loop.carried[:operands], loop.carried[operands:]

    def _row_of_b(self, b: ir.Value) -> list[ir.Value]:
        places = [self.builder.gep(b, [i64(v * self.lanes)]) for v in range(self.vectors)]
        return [load_vector(self.builder, place, self.lanes) for place in places]

    def _packed_row(self, b: ir.Value, packed: ir.Value) -> list[ir.Value]:
        """A row of B, which is also copied."""
        builder, row = self.builder, []
        for v in range(self.vectors):
            place = builder.gep(b, [i64(v * self.lanes)])
            prefetch(builder, builder.gep(place, [self.steps_ahead]))
            if v < self.vectors - 1:
                value = load_vector(builder, place, self.lanes)
            else:
                value = masked_load(builder, place, self.mask)
            row.append(self.element.widen(builder, value))
            store_vector(builder, row[-1], builder.gep(packed, [i64(v * self.lanes)]))
        return row

    def _store(self, sums: list[ir.Value], out: ir.Value, adds: ir.Value) -> None:
        builder = self.builder
        with builder.if_else(adds) as (added, alone):
            with added:
                for value, place in zip(sums, self._places(out), strict=True):
                    total = add(builder, load_vector(builder, place, self.lanes), value)
                    store_vector(builder, total, place)
            with alone:
                for value, place in zip(sums, self._places(out), strict=True):
                    store_vector(builder, value, place)

    def _places(self, out: ir.Value) -> Iterator[ir.Value]:
        """Where a tile's vectors are in `out`."""
        for _ in range(self.rows):
            for v in range(self.vectors):
                yield self.builder.gep(out, [i64(v * self.lanes)])
            out = self.builder.gep(out, [self.out_stride])
