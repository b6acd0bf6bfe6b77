"""What a gemm is asked to do, and how the host cuts it into work items."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Literal

from flambeau.compiler.templates.gemm_micro import CHAIN, Product, Tile, vector_registers
from flambeau.compiler.templates.gemm_pack import Element
from flambeau.runtime.llvm.vectors import item_bytes

# "row": neighbours of a row are neighbours in memory; "column": those of a column; or neither.
Layout = Literal["row", "column", "strided"]

TALLEST = 16
# Bounds of a block's rows, and of what is packed of A: a good part of the second-level cache.
MOST_ROWS = 1024
PACKED_A_BYTES = 2 << 20
# Sums that a scratch must keep from slice to slice are of no more columns.
MOST_KEPT_COLUMNS = 2048
LARGE_BYTES = 1 << 19
# So few tiles read B where it lies.
FEW_TILES = 3
# In shallow products tiles next to each other in C follow one another, for rows few at a time.
SHALLOW, STRIP_ROWS = 64, 24
# Cycles of a multiply-add; what part of B comes from afar.
LATENCY, FAR = 4, 0.5
# Operations a nanosecond, about.
SPEED = 100


class Slot(IntEnum):
    """Where each argument stands in `args`; strides count elements; the epilogue's come last."""

    A = 0
    B = auto()
    C = auto()
    M = auto()
    N = auto()
    K = auto()
    A_ROW_STRIDE = auto()
    A_COLUMN_STRIDE = auto()
    B_ROW_STRIDE = auto()
    B_COLUMN_STRIDE = auto()
    C_ROW_STRIDE = auto()
    A_BATCH_STRIDE = auto()
    B_BATCH_STRIDE = auto()
    C_BATCH_STRIDE = auto()
    TILES = auto()
    TALL_TILES = auto()
    PANELS = auto()
    WIDE_PANELS = auto()
    ITEM_TILES = auto()
    ITEM_PANELS = auto()
    STRIP_TILES = auto()
    BLOCK_TILES = auto()
    SLICE = auto()
    PACK_A = auto()
    PACK_B = auto()
    PACKED_A_STRIDE = auto()
    KEPT_STRIDE = auto()
    PACKED_B = auto()
    PACKED_STEP = auto()
    KEPT = auto()
    PRODUCTS = auto()  # the first of eight addresses, see `product_slot`
    EPILOGUE = 38


def product_slot(packs: bool, is_tall: bool, is_wide: bool) -> int:
    """Where the address of an inner product stands in `args`."""
    return Slot.PRODUCTS + 4 * packs + 2 * (not is_tall) + (not is_wide)


@dataclass(frozen=True)
class GemmSpec:
    """What is compiled in: one kernel serves many sizes. `epilogue` names the epilogue's code."""

    dtype: str
    tile: Tile
    a: Layout = "row"
    b: Layout = "row"
    batched: bool = False
    epilogue: Hashable = None

    @property
    def element(self) -> Element:
        return Element(self.dtype)

    @property
    def item(self) -> int:
        """The size of an element in the type that is computed in."""
        return item_bytes(self.element.compute)

    @property
    def stores_sums(self) -> bool:
        """Whether C takes sums as they are."""
        return self.epilogue is None and not self.element.is_narrow

    def product(self, rows: int, vectors: int, packs: bool) -> Product:
        """The inner product for tiles of one size."""
        by_columns = self.a == "column"
        return Product(self.dtype, rows, vectors, self.tile.lanes, by_columns, packs)


@dataclass(frozen=True)
class Problem:
    """C[batch, m, n] = A[batch, m, k] @ B[batch, k, n]; strides are (batch, row, column).

    C's columns are contiguous, and C overlaps nothing that is read.
    """

    m: int
    n: int
    k: int
    a_strides: tuple[int, int, int]
    b_strides: tuple[int, int, int]
    c_strides: tuple[int, int]
    batch: int = 1


@dataclass(frozen=True)
class WorkPlan:
    """Items 0..total-1; how many of them take 5 microseconds; settings of the kernel.

    `has_part`: the last vector of a row is not whole.
    """

    total: int
    grain: float
    scratch_bytes: int
    tiles: int
    tall_tiles: int
    panels: int
    wide_panels: int
    item_tiles: int
    item_panels: int
    strip_tiles: int
    block_tiles: int
    slice: int
    pack_a: bool
    pack_b: bool
    has_part: bool
    packed_a_stride: int
    kept_stride: int
    packed_b: int
    packed_step: int
    kept: int


def layout_of(rows: int, columns: int, row_stride: int, column_stride: int) -> Layout:
    """The layout class of a matrix.

    >>> layout_of(3, 4, 4, 1), layout_of(3, 4, 1, 3), layout_of(3, 4, 0, 2)
    ('row', 'column', 'strided')
    """
    if column_stride == 1 or columns <= 1:
        return "row"
    return "column" if row_stride == 1 or rows <= 1 else "strided"


def even_pieces(total: int, most: int) -> tuple[int, int, int]:
    """`total` cut into pieces of one size or one less: how many, the size, how many have it.

    >>> even_pieces(100, 14)
    (8, 13, 4)
    """
    count = max(1, -(-total // most))
    size = max(1, -(-total // count))
    return count, size, total - count * (size - 1)


def _pieces_of(total: int, size: int) -> tuple[int, int]:
    """How many pieces of `size` or one less make `total`, and how many of them have `size`."""
    count, found, large = even_pieces(total, size)
    if found < size - 1:
        raise ValueError(f"{total} cannot be cut into pieces of {size} and {size - 1}")
    return count, large if found == size else 0


def tile_for(dtype: str, m: int, n: int, lanes: int, registers: int | None = None) -> Tile:
    """The register tile for a product on a machine whose vectors hold `lanes` float32 values.

    >>> tile_for("float32", 16, 1024, 16)
    Tile(rows=6, vectors=4, lanes=16)
    """
    held = vector_registers(lanes) if registers is None else registers
    lanes = lanes * 4 // item_bytes(Element(dtype).compute)
    vectors = max(1, -(-n // lanes))

    def cost(widest: int) -> tuple[float, int, int]:
        """Cycles for a step of the depth, where two multiply-adds and two loads take one."""
        tallest = min((held - widest - 1) // widest, TALLEST)
        tiles, rows, tall = even_pieces(m, tallest)
        panels, width, wide = even_pieces(vectors, widest)
        # The tile that packs a panel may wait for B to come from afar, at some 8 bytes a cycle.
        cycles = vectors * max(0.0, 7 - rows / 2) * FAR if tiles > FEW_TILES else 0.0
        for of_height, height in ((tall, rows), (tiles - tall, rows - 1)):
            for of_width, across in ((wide, width), (panels - wide, width - 1)):
                each = max(height * across / 2, LATENCY) + (height + across) / 10
                cycles += of_height * of_width * each
        return cycles, rows, width

    _, rows, width = min(cost(widest) for widest in (1, 2, 3, 4) if 3 * widest < held)
    return Tile(rows, width, lanes)


def work_items(spec: GemmSpec, problem: Problem, threads: int) -> WorkPlan:
    """Cut a problem into items: an item is some row tiles in some panels of columns."""
    tile, size = spec.tile, spec.item
    m, n, k = problem.m, problem.n, problem.k
    tiles, tall = _pieces_of(m, tile.rows)
    panels, wide = _pieces_of(-(-n // tile.lanes), tile.vectors)
    item_tiles, item_panels = _cut(spec, problem, tiles, panels, threads)
    total = -(-tiles // item_tiles) * -(-panels // item_panels) * problem.batch
    pack_a = _packs_a(spec, problem, item_panels)
    depth = _slice_depth(spec, problem, pack_a)
    most_rows = min(MOST_ROWS, PACKED_A_BYTES // (depth * size)) if pack_a else MOST_ROWS
    most_tiles = min(tiles, max(1, most_rows // tile.rows))
    # Rows of C that are written beside each other stay in reach where little is done for each.
    strip = max(1, STRIP_ROWS // tile.rows) if depth <= SHALLOW else most_tiles
    packed_step = depth if strip < most_tiles else 0
    if spec.a == "column":
        packed_stride = _odd_lines(depth * tile.rows + tile.lanes, tile.lanes)
        packed_a = most_tiles * packed_stride * size
    else:
        packed_stride = _odd_lines(depth, tile.lanes)
        packed_a = most_tiles * tile.rows * packed_stride * size
    width = item_panels * tile.columns
    packed_b = (width if packed_step else tile.columns) * depth * size
    kept_stride = tile.columns if spec.stores_sums or k <= depth else width
    kept_rows = tile.rows * (1 if k <= depth else most_tiles)
    nanoseconds = 2 * problem.batch * m * n * k / SPEED / max(total, 1) + 50
    at_b = _aligned(packed_a)
    at_kept = at_b + _aligned(packed_b)
    return WorkPlan(
        total=total,
        grain=5000 / nanoseconds,
        scratch_bytes=at_kept + kept_rows * kept_stride * size,
        tiles=tiles,
        tall_tiles=tall,
        panels=panels,
        wide_panels=wide,
        item_tiles=item_tiles,
        item_panels=item_panels,
        strip_tiles=strip,
        block_tiles=most_tiles,
        slice=depth,
        pack_a=pack_a,
        pack_b=spec.element.is_narrow or item_tiles > FEW_TILES,
        has_part=n % tile.lanes != 0,
        packed_a_stride=packed_stride,
        kept_stride=kept_stride,
        packed_b=at_b,
        packed_step=packed_step,
        kept=at_kept,
    )


def _aligned(size: int) -> int:
    return -(-size // 64) * 64


def _odd_lines(count: int, lanes: int) -> int:
    """A stride for lines of `count` elements that keeps neighbours out of each other's sets."""
    return (-(-count // lanes) | 1) * lanes


def _cut(
    spec: GemmSpec, problem: Problem, tiles: int, panels: int, threads: int
) -> tuple[int, int]:
    """The tiles and panels of an item."""
    tile = spec.tile
    widest = panels if spec.stores_sums else max(1, MOST_KEPT_COLUMNS // tile.columns)
    operations = 2 * problem.m * problem.n * problem.k * problem.batch
    # One item a thread, as each packs for itself; of less than 5 microseconds it is not worth it.
    wanted = min(threads, max(1, operations // (5000 * SPEED)))
    best, choice = math.inf, (tiles, panels)
    for columns in range(-(-panels // widest), min(panels, 64) + 1):
        for rows in range(1, min(tiles, 64) + 1):
            count = rows * columns * problem.batch
            if count < wanted and (rows < min(tiles, 64)):
                continue
            item_tiles, item_panels = -(-tiles // rows), -(-panels // columns)
            rounds = -(-count // threads)
            own = item_tiles * tile.rows * item_panels * tile.columns / 32
            # Packing: a fifth of a cycle for each element of A's rows and B's columns.
            packing = item_tiles * tile.rows / 5 + item_panels * tile.columns / 4
            cost = rounds * (own + packing) + (own + packing) / 50
            if cost < best:
                best, choice = cost, (item_tiles, item_panels)
            if count >= 4 * wanted:
                break
    return choice


def _packs_a(spec: GemmSpec, problem: Problem, panels: int) -> bool:
    """A tile by rows is read well where it lies; by columns, only for a few panels."""
    if spec.element.is_narrow or spec.a != "column":
        return spec.element.is_narrow or spec.a == "strided"
    shares_sets = problem.a_strides[2] * spec.item % 512 == 0
    return panels > (2 if shares_sets else 4)


def _slice_depth(spec: GemmSpec, problem: Problem, pack_a: bool) -> int:
    """The depth of what is packed at a time: all of K, or some chains."""
    # Where the result leaves the cache, it had better not be added to often.
    chains = 4 if problem.m * problem.n * spec.item > LARGE_BYTES else 1
    if pack_a:
        chains = 2
    return min(max(problem.k, 1), chains * CHAIN * 4 // spec.item)


def products(spec: GemmSpec, plan: WorkPlan) -> list[Product | None]:
    """The inner products that the kernel calls, in the order of their slots."""
    tile, packing = spec.tile, spec.b == "row" and (plan.pack_b or plan.has_part)
    heights = (tile.rows, plan.tall_tiles > 0), (tile.rows - 1, plan.tall_tiles < plan.tiles)
    widths = (
        (tile.vectors, plan.wide_panels > 0),
        (tile.vectors - 1, plan.wide_panels < plan.panels),
    )
    return [
        spec.product(rows, vectors, packs) if tall and wide and packs <= packing else None
        for packs in (False, True)
        for rows, tall in heights
        for vectors, wide in widths
    ]


def arguments(problem: Problem, plan: WorkPlan, a: int, b: int, c: int) -> list[int]:
    """The kernel's arguments up to `Slot.PRODUCTS`; a, b and c are addresses."""
    a_batch, a_row, a_column = problem.a_strides
    b_batch, b_row, b_column = problem.b_strides
    c_batch, c_row = problem.c_strides
    return [
        *(a, b, c, problem.m, problem.n, problem.k),
        *(a_row, a_column, b_row, b_column, c_row, a_batch, b_batch, c_batch),
        *(plan.tiles, plan.tall_tiles, plan.panels, plan.wide_panels),
        *(plan.item_tiles, plan.item_panels, plan.strip_tiles, plan.block_tiles, plan.slice),
        *(int(plan.pack_a), int(plan.pack_b), plan.packed_a_stride, plan.kept_stride),
        *(plan.packed_b, plan.packed_step, plan.kept),
    ]
