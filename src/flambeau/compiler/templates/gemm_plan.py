"""What a gemm is asked to do, and how the host cuts it into work items."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Literal

from flambeau.compiler.templates.gemm_micro import Tile, tile_for, vector_registers
from flambeau.compiler.templates.gemm_pack import Element
from flambeau.runtime.llvm.vectors import item_bytes

# "row": neighbours of a row are neighbours in memory; "column": those of a column; or neither.
Layout = Literal["row", "column", "strided"]

# Sums are cut into chains of DEPTH products, added up in order. DEPTH decides the bits of a result
# (no other size here does), and a chain's slice of B just fits the first-level cache.
DEPTH = 256
# Depth of a packed row of A: the odd cache line keeps rows out of each other's cache sets.
PACKED_DEPTH = DEPTH + 16
# Tiles of A packed at a time: a quarter of a megabyte at most, for the second-level cache.
TILES_OF_ROWS = 16
MAX_COLUMN_BLOCK_BYTES = 4096
MIN_ITEMS = 32
# Below this many operations, handing work to another thread costs more than doing it.
GRAIN_OPERATIONS = 1 << 19


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
    COLUMN_BLOCK = auto()
    PACK_A = auto()
    PACK_B = auto()
    EPILOGUE = auto()


@dataclass(frozen=True)
class GemmSpec:
    """What is compiled in: one kernel serves all sizes. `epilogue` names the epilogue's code."""

    dtype: str
    a: Layout = "row"
    b: Layout = "row"
    batched: bool = False
    epilogue: Hashable = None

    @property
    def element(self) -> Element:
        return Element(self.dtype)

    def tile(self, lanes: int, registers: int | None = None) -> Tile:
        """The register tile on a machine whose vectors hold `lanes` float32 values."""
        held = vector_registers(lanes) if registers is None else registers
        return tile_for(lanes * 4 // item_bytes(self.element.compute), held)


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
    """Items 0..total-1, best handed out in runs of `grain` or more; settings of the kernel."""

    total: int
    grain: int
    scratch_bytes: int
    column_block: int
    pack_a: bool
    pack_b: bool


def layout_of(rows: int, columns: int, row_stride: int, column_stride: int) -> Layout:
    """The layout class of a matrix.

    >>> layout_of(3, 4, 4, 1), layout_of(3, 4, 1, 3), layout_of(3, 4, 0, 2)
    ('row', 'column', 'strided')
    """
    if column_stride == 1 or columns <= 1:
        return "row"
    return "column" if row_stride == 1 or rows <= 1 else "strided"


def work_items(
    spec: GemmSpec, problem: Problem, lanes: int, registers: int | None = None
) -> WorkPlan:
    """Cut a problem into items: an item is one row of tiles in one block of columns.

    >>> work_items(GemmSpec("float32"), Problem(64, 100, 10, (0, 10, 1), (0, 100, 1), (0, 100)), 16)
    WorkPlan(total=20, grain=20, scratch_bytes=296704, column_block=32, pack_a=False, pack_b=False)
    """
    tile = spec.tile(lanes, registers)
    size = item_bytes(spec.element.compute)
    m, n, k = problem.m, problem.n, problem.k
    row_tiles = -(-m // tile.rows)
    block = _column_block(n, row_tiles * problem.batch, tile.columns, size)
    total = row_tiles * -(-n // block) * problem.batch
    operations = 2 * tile.rows * min(block, n) * max(k, 1)
    return WorkPlan(
        total=total,
        grain=max(1, min(total, GRAIN_OPERATIONS // max(operations, 1))),
        scratch_bytes=Scratch.of(spec, tile).total(block),
        column_block=block,
        pack_a=_packs_a(spec, problem, tile, min(block, n)),
        pack_b=_packs_b(spec, problem, tile),
    )


def _column_block(n: int, rows_of_tiles: int, tile_columns: int, size: int) -> int:
    """Wide blocks reuse the packed rows; narrower ones make items where rows are few."""
    tiles = max(-(-n // tile_columns), 1)
    blocks = max(1, min(tiles, MIN_ITEMS // max(rows_of_tiles, 1)))
    widest = MAX_COLUMN_BLOCK_BYTES // size // tile_columns
    return min(-(-tiles // blocks), widest) * tile_columns


def _packs_a(spec: GemmSpec, problem: Problem, tile: Tile, columns: int) -> bool:
    """Packing pays when a tile is read for many columns, or if its lines share cache sets."""
    if spec.element.is_narrow:
        return True
    _, row_stride, column_stride = problem.a_strides
    step = row_stride if spec.a == "row" else column_stride
    shares_sets = step * item_bytes(spec.element.compute) % 512 == 0
    return columns > (2 if shares_sets else 8) * tile.columns


def _packs_b(spec: GemmSpec, problem: Problem, tile: Tile) -> bool:
    if spec.element.is_narrow or spec.b != "row":
        return True
    wide = problem.b_strides[1] * item_bytes(spec.element.compute) >= 1024
    return problem.m > (tile.rows if wide else 8 * tile.rows)


def arguments(problem: Problem, plan: WorkPlan, a: int, b: int, c: int) -> list[int]:
    """The kernel's arguments up to `Slot.EPILOGUE`; a, b and c are addresses."""
    a_batch, a_row, a_column = problem.a_strides
    b_batch, b_row, b_column = problem.b_strides
    c_batch, c_row = problem.c_strides
    return [
        *(a, b, c, problem.m, problem.n, problem.k),
        *(a_row, a_column, b_row, b_column, c_row, a_batch, b_batch, c_batch),
        *(plan.column_block, int(plan.pack_a), int(plan.pack_b)),
    ]


@dataclass(frozen=True)
class Scratch:
    """The thread's own memory, in bytes: tile of sums, packed A, packed B, float32 C."""

    item: int
    tile: int
    panel_of_a: int
    rows: int
    keeps_sums: bool

    @classmethod
    def of(cls, spec: GemmSpec, tile: Tile) -> Scratch:
        item = item_bytes(spec.element.compute)
        # A tile of A is packed as it lies: by rows, or by columns of whole vectors.
        by_columns = DEPTH * packed_rows(tile)
        return cls(
            item=item,
            tile=tile.rows * tile.columns * item,
            panel_of_a=max(tile.rows * PACKED_DEPTH, by_columns) * item,
            rows=TILES_OF_ROWS * tile.rows,
            keeps_sums=spec.element.is_narrow,
        )

    @property
    def packed_a(self) -> int:
        return -(-self.tile // 64) * 64

    @property
    def packed_b(self) -> int:
        return self.packed_a + TILES_OF_ROWS * self.panel_of_a

    def total(self, column_block: int) -> int:
        """All of it, for blocks of so many columns."""
        sums = self.rows if self.keeps_sums else 0
        return self.packed_b + (DEPTH + sums) * column_block * self.item


def strip_rows(spec: GemmSpec, tile: Tile) -> int:
    """How many rows one pass over K takes: narrow results are summed up in the scratch."""
    return TILES_OF_ROWS * tile.rows if spec.element.is_narrow else 1 << 40


def packed_rows(tile: Tile) -> int:
    """A tile's rows rounded up to whole vectors."""
    return -(-tile.rows // tile.lanes) * tile.lanes
