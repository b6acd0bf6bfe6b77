"""What a gemm is asked to do, and how the host cuts it into work items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flambeau.compiler.templates.gemm_element import Element
from flambeau.compiler.templates.gemm_finish import Epilogue, Finish
from flambeau.compiler.templates.gemm_micro import CHAIN, Product, Tile, vector_registers
from flambeau.compiler.templates.gemm_pack import Copy
from flambeau.compiler.templates.gemm_slots import Function
from flambeau.runtime.llvm.vectors import item_bytes

# "row": neighbours of a row are neighbours in memory; "column": those of a column; or neither.
Layout = Literal["row", "column", "strided"]

# Rows of a tile where A lies by columns, and by rows: those that lie far apart share few sets of
# the first cache.
TALLEST = 16
TALLEST_BY_ROWS, TALLEST_BY_FAR_ROWS = 12, 9
# Bounds of a block's rows, and of what is packed of A: a good part of the second-level cache.
MOST_ROWS = 1024
PACKED_A_BYTES = 2 << 20
# Sums that a scratch must keep from slice to slice are of no more columns.
MOST_KEPT_COLUMNS = 2048
LARGE_BYTES = 1 << 19
# So few tiles read B where it lies.
FEW_TILES = 3
# In shallow products tiles next to each other in C follow one another, for rows few at a time.
SHALLOW, SHALLOW_ROWS = 64, 24
# Columns of A are packed so many rows at a time; B's panels, if they are small enough together,
# wait beside each such strip. Columns closer to each other than FAR_BYTES are read where they lie;
# others for FEW_PANELS, if a strip of them finds room in the second cache: lines of memory that are
# a multiple of a power of two apart take up as much of it as if all between them were fetched.
STRIP_ROWS, BESIDE_BYTES, FAR_BYTES = 48, 1 << 19, 2048
FEW_PANELS, SPREAD_BYTES = 8, 1 << 20
# Nanoseconds that an item takes if there are more of them than threads.
LONG_ITEM = 300_000
# Cycles of a multiply-add, and to begin a panel; what part of B comes from afar; the first cache.
LATENCY, NEW_PANEL, FAR, NEAR_BYTES = 4, 300, 0.5, 48 << 10
# Cycles to pack an element of A's rows and B's columns; threads that share rows of C take them from
# each other.
PACKING_A, PACKING_B, SHARED_ROWS = 0.2, 0.25, 1.03
# Operations a nanosecond, about.
SPEED = 100


@dataclass(frozen=True)
class GemmSpec:
    """What decides which functions a product calls. `epilogue` tells all about the epilogue."""

    dtype: str
    tile: Tile
    a: Layout = "row"
    b: Layout = "row"
    epilogue: str | None = None

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

    @property
    def a_layout(self) -> Layout:
        return layout_of(self.m, self.k, *self.a_strides[1:])

    @property
    def b_layout(self) -> Layout:
        return layout_of(self.k, self.n, *self.b_strides[1:])


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
    group_tiles: int
    block_tiles: int
    slice: int
    pack_a: bool
    pack_b: bool
    has_part: bool
    packed_a_stride: int
    packed_strip: int
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
    count, _, _ = even_pieces(total, size)
    large = total - count * (size - 1)
    if not 0 <= large <= count:
        raise ValueError(f"{total} cannot be cut into pieces of {size} and {size - 1}")
    return count, large


def tile_for(dtype: str, problem: Problem, lanes: int, threads: int = 1) -> Tile:
    """The register tile for a product on a machine whose vectors hold `lanes` float32 values.

    Tiles are to be shared by so many threads.

    >>> tile_for("float32", Problem(16, 1024, 300, (0, 300, 1), (0, 1024, 1), (0, 1024)), 16)
    Tile(rows=6, vectors=4, lanes=16)
    """
    held, size = vector_registers(lanes), item_bytes(Element(dtype).compute)
    lanes = lanes * 4 // size
    m, vectors, k = max(1, problem.m), max(1, -(-problem.n // lanes)), max(1, problem.k)
    turns_b = problem.b_layout == "column"
    is_far = problem.a_strides[1] * size >= FAR_BYTES
    by_rows = TALLEST_BY_FAR_ROWS if is_far else TALLEST_BY_ROWS
    highest = TALLEST if problem.a_layout == "column" else by_rows

    def cost(widest: int) -> tuple[float, int, int]:
        """Cycles for a step of the depth, where two multiply-adds and two loads take one."""
        tallest = min((held - widest - 1) // widest, highest)
        tiles, rows, tall = even_pieces(m, tallest)
        panels, width, wide = even_pieces(vectors, widest)
        cycles = panels * NEW_PANEL / k
        # The tile that packs a panel may wait for B to come from afar, at some 8 bytes a cycle.
        cycles += vectors * max(0.0, 7 - rows / 2) * FAR if tiles > FEW_TILES else 0.0
        # A panel that was turned leaves the first cache, if it is too large, before it is read.
        leaves = turns_b and width * lanes * min(k, CHAIN) * size > NEAR_BYTES
        cycles += vectors if leaves else 0.0
        for of_height, height in ((tall, rows), (tiles - tall, rows - 1)):
            for of_width, across in ((wide, width), (panels - wide, width - 1)):
                each = max(height * across / 2, LATENCY) + (height + across) / 10
                cycles += of_height * of_width * each
        # Threads that share the rows all read B; those that share the columns, their part of it.
        packing = vectors * lanes * PACKING_B
        cut_down = _share(tiles, tall, rows, threads) / m * cycles + packing
        cut_across = _share(panels, wide, width, threads) / vectors * (cycles + packing)
        return min(cut_down, cut_across * SHARED_ROWS), rows, width

    _, rows, width = min(cost(widest) for widest in (1, 2, 3, 4) if 3 * widest < held)
    return Tile(rows, width, lanes)


def _share(pieces: int, large: int, size: int, threads: int) -> int:
    """The most that a thread has of pieces in a row, the first ones of `size`, others one less."""
    own = -(-pieces // threads)
    return own * (size - 1) + min(own, large)


def work_items(
    spec: GemmSpec, problem: Problem, threads: int, pack: tuple[bool, bool] | None = None
) -> WorkPlan:
    """Cut a problem into items: an item is some row tiles in some panels of columns.

    `pack`: whether A and B are packed; by default where that pays.
    """
    tile, size = spec.tile, spec.item
    m, n, k = problem.m, problem.n, problem.k
    tiles, tall = _pieces_of(m, tile.rows)
    panels, wide = _pieces_of(-(-n // tile.lanes), tile.vectors)
    item_tiles, item_panels = _cut(spec, problem, (tiles, tall), (panels, wide), threads)
    total = -(-tiles // item_tiles) * -(-panels // item_panels) * problem.batch
    pack_a = _packs_a(spec, problem, item_panels) if pack is None else pack[0]
    pack_a = pack_a or spec.element.is_narrow or spec.a == "strided"
    pack_b = spec.element.is_narrow or item_tiles > FEW_TILES if pack is None else pack[1]
    depth = _slice_depth(spec, problem, pack_a, item_panels)
    width = item_panels * tile.columns
    most_rows = min(MOST_ROWS, PACKED_A_BYTES // (depth * size)) if pack_a else MOST_ROWS
    most_tiles = min(tiles, max(1, most_rows // tile.rows))
    strip, group = _strips(spec, depth, item_panels, most_tiles, pack_a)
    by_columns = pack_a and spec.a == "column"
    packed_step = depth if group < most_tiles else 0
    packed_stride = _odd_lines(strip * tile.rows if by_columns else depth, tile.lanes)
    packed_strip = (depth if by_columns else strip * tile.rows) * packed_stride
    packed_a = -(-group // strip) * packed_strip * size if pack_a else 0
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
        group_tiles=group,
        block_tiles=most_tiles,
        slice=depth,
        pack_a=pack_a,
        pack_b=pack_b,
        has_part=n % tile.lanes != 0,
        packed_a_stride=packed_stride,
        packed_strip=packed_strip,
        kept_stride=kept_stride,
        packed_b=at_b,
        packed_step=packed_step,
        kept=at_kept,
    )


def _strips(
    spec: GemmSpec, depth: int, panels: int, most_tiles: int, pack_a: bool
) -> tuple[int, int]:
    """The tiles that are packed at a time, and those that meet all panels before others do."""
    tile, shallow = spec.tile, depth <= SHALLOW
    if not ((shallow and panels > 1) or (pack_a and spec.a == "column")):
        return most_tiles, most_tiles
    strip = min(most_tiles, max(1, (SHALLOW_ROWS if shallow else STRIP_ROWS) // tile.rows))
    beside = panels * tile.columns * depth * spec.item <= BESIDE_BYTES
    return strip, strip if shallow or beside else most_tiles


def _aligned(size: int) -> int:
    return -(-size // 64) * 64


def _odd_lines(count: int, lanes: int) -> int:
    """A stride for lines of `count` elements that keeps neighbours out of each other's sets."""
    return (-(-count // lanes) | 1) * lanes


def _cut(
    spec: GemmSpec, problem: Problem, down: tuple[int, int], across: tuple[int, int], threads: int
) -> tuple[int, int]:
    """The tiles and panels of an item, of so many tiles and panels, and tall and wide ones."""
    tile, (tiles, tall), (panels, wide) = spec.tile, down, across
    widest = panels if spec.stores_sums else max(1, MOST_KEPT_COLUMNS // tile.columns)
    operations = 2 * problem.m * problem.n * problem.k * problem.batch
    # An item of less than 5 microseconds is not worth it; more of them than threads make up for a
    # thread that is held up, where they are long enough.
    least = min(threads, operations // (5000 * SPEED))
    most = max(threads, min(4 * threads, operations // (LONG_ITEM * SPEED)))
    cuts: list[tuple[float, int, int, int]] = []
    for columns in range(-(-panels // widest), min(panels, 64) + 1):
        for rows in range(1, min(tiles, 64) + 1):
            count = rows * columns * problem.batch
            if count < least and rows < min(tiles, 64):
                continue
            item_tiles, item_panels = -(-tiles // rows), -(-panels // columns)
            height = _share(tiles, tall, tile.rows, rows)
            width = _share(panels, wide, tile.vectors, columns)
            packing = height * PACKING_A + width * tile.lanes * PACKING_B
            cost = -(-count // threads) * (height * width / 2 + packing)
            cost *= SHARED_ROWS if columns > 1 else 1
            cuts.append((cost, count, item_tiles, item_panels))
            if count >= max(most, least):
                break
    good = 1.02 * min(cost for cost, *_ in cuts)
    *_, item_tiles, item_panels = max(
        (cut for cut in cuts if cut[0] <= good), key=lambda cut: (min(cut[1], most), -cut[0])
    )
    return item_tiles, item_panels


def _packs_a(spec: GemmSpec, problem: Problem, panels: int) -> bool:
    """Rows are read well where they lie; columns for a few panels, or if they are close."""
    if spec.a != "column":
        return False
    if problem.k <= SHALLOW:
        return panels > 4
    stride = problem.a_strides[2] * spec.item
    if stride < FAR_BYTES:
        return False
    # Columns whose distance is a multiple of a power of two share the sets of a cache.
    spread = (stride & -stride) * _slice_depth(spec, problem, False, panels)
    return panels > (FEW_PANELS if spread <= SPREAD_BYTES else 1)


def _slice_depth(spec: GemmSpec, problem: Problem, pack_a: bool, panels: int) -> int:
    """The depth of what is packed at a time: all of K, or some chains."""
    if pack_a:
        chains = 1 if spec.a == "column" else 2
    else:
        # Where the result leaves the cache, it had better not be added to often; and rows of A that
        # are read but once had better be read far.
        is_large = problem.m * problem.n * spec.item > LARGE_BYTES
        chains = 4 if is_large or (panels == 1 and spec.a == "row") else 1
    return min(max(problem.k, 1), max(1, chains * 4 // spec.item) * CHAIN)


def functions(
    spec: GemmSpec, plan: WorkPlan, epilogue: Epilogue | None = None
) -> list[Function | None]:
    """The functions that the kernel calls, in the order of their slots."""
    dtype, tile = spec.dtype, spec.tile
    copy_a = Copy(dtype, tile.lanes, "gathered" if spec.a == "strided" else "lines")
    copy_b = Copy(dtype, tile.lanes, "turned" if spec.b == "column" else "gathered")
    finish = Finish(dtype, tile.lanes, spec.epilogue, epilogue)
    tall, wide = plan.tall_tiles, plan.wide_panels
    heights = (tile.rows, tall > 0), (tile.rows - 1, tall < plan.tiles)
    widths = (tile.vectors, wide > 0), (tile.vectors - 1, wide < plan.panels)
    # The first tile of a block packs: all panels, or the last one if it is not whole.
    firsts = [
        first
        for item in range(0, plan.tiles, plan.item_tiles)
        for first in range(item, min(item + plan.item_tiles, plan.tiles), plan.block_tiles)
    ]
    packing_heights = (tile.rows, firsts[0] < tall), (tile.rows - 1, firsts[-1] >= tall)
    packs_last = plan.pack_b or plan.has_part
    packing_widths = (
        (tile.vectors, wide > 0 and (plan.pack_b if wide < plan.panels else packs_last)),
        (tile.vectors - 1, wide < plan.panels and packs_last),
    )
    if spec.b != "row":
        packing_heights = packing_widths = ((0, False), (0, False))
    return [
        copy_a if plan.pack_a else None,
        copy_b if spec.b != "row" else None,
        finish if plan.has_part or not spec.stores_sums else None,
        *(
            Product(dtype, rows, vectors, tile.lanes, spec.a == "column", packs)
            if is_height and is_width
            else None
            for packs, heights, widths in (
                (False, heights, widths),
                (True, packing_heights, packing_widths),
            )
            for rows, is_height in heights
            for vectors, is_width in widths
        ),
    ]


def arguments(
    spec: GemmSpec, problem: Problem, plan: WorkPlan, a: int, b: int, c: int
) -> list[int]:
    """The kernel's arguments up to the functions; a, b and c are addresses."""
    a_batch, a_row, a_column = problem.a_strides
    b_batch, b_row, b_column = problem.b_strides
    c_batch, c_row = problem.c_strides
    tile, by_columns = spec.tile, spec.a == "column"
    return [
        *(a, b, c, problem.m, problem.n, problem.k),
        *(a_row, a_column, b_row, b_column, c_row, a_batch, b_batch, c_batch),
        *(item_bytes(spec.element.storage), spec.item, tile.rows, tile.vectors, tile.lanes),
        *(plan.tiles, plan.tall_tiles, plan.panels, plan.wide_panels),
        *(plan.item_tiles, plan.item_panels, plan.strip_tiles, plan.group_tiles),
        *(plan.block_tiles, plan.slice),
        *(plan.packed_a_stride if plan.pack_a else a_column if by_columns else a_row,),
        *(int(by_columns), plan.packed_strip, int(plan.pack_b)),
        *(int(spec.stores_sums), plan.kept_stride),
        *(plan.packed_b, plan.packed_step, plan.kept),
    ]
