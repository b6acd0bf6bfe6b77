"""The arguments of the matrix product's kernel, and the functions that it calls through them."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, auto
from typing import Protocol

from llvmlite import ir

from flambeau.runtime.llvm.blocks import I1, I64, POINTER, VOID, i64


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
    # The sizes of an element in memory and in the type that is computed in.
    STORED_BYTES = auto()
    COMPUTED_BYTES = auto()
    # The tile, and how it is laid over C.
    ROWS = auto()
    VECTORS = auto()
    LANES = auto()
    TILES = auto()
    TALL_TILES = auto()
    PANELS = auto()
    WIDE_PANELS = auto()
    # How C and the depth are cut.
    ITEM_TILES = auto()
    ITEM_PANELS = auto()
    STRIP_TILES = auto()
    GROUP_TILES = auto()
    BLOCK_TILES = auto()
    SLICE = auto()
    # How the inner product reads A: as it lies or packed, by rows or columns so far apart.
    READ_A_STRIDE = auto()
    READ_A_BY_COLUMNS = auto()
    PACKED_STRIP = auto()
    PACK_B = auto()
    STORE_SUMS = auto()
    KEPT_STRIDE = auto()
    # Where parts of the scratch begin.
    PACKED_B = auto()
    PACKED_STEP = auto()
    KEPT = auto()
    # Addresses of functions; 0 where A is read as it lies, and B copied by the tile that reads it.
    COPY_A = auto()
    COPY_B = auto()
    FINISH = auto()
    PRODUCTS = auto()  # the first of eight, see `product_slot`
    EPILOGUE = 49


def product_slot(packs: bool, is_tall: bool, is_wide: bool) -> int:
    """Where the address of an inner product stands in `args`."""
    return Slot.PRODUCTS + 4 * packs + 2 * (not is_tall) + (not is_wide)


def load_slot(builder: ir.IRBuilder, args: ir.Value, slot: int) -> ir.Value:
    """One argument of a kernel, as i64."""
    return builder.load(builder.gep(args, [i64(int(slot))]))


class Function(Protocol):
    """A function that all products share: its cache key and what writes it."""

    @property
    def key(self) -> str: ...

    def build(self, name: str) -> str:
        """The code of a module with the function `name`."""


def module_text(name: str, kind: ir.FunctionType, emit: Callable[[ir.Function], None]) -> str:
    """The code of a module with the function `name`, whose body `emit` writes."""
    module = ir.Module(name)
    emit(ir.Function(module, kind, name))
    return str(module)


# product(a, a_stride, b, b_stride, depth, tiles, out, out_stride, adds, packed, columns):
# see `gemm_micro`.
PRODUCT_TYPE = ir.FunctionType(
    VOID,
    [POINTER, I64, POINTER, I64, I64, I64, POINTER, I64, I1, POINTER, I64],
)
# copy(source, outer_stride, inner_stride, outer, inner, target, target_stride): see `gemm_pack`.
COPY_TYPE = ir.FunctionType(VOID, [POINTER, I64, I64, I64, I64, POINTER, I64])
# finish(args, sums, sums_stride, c, c_stride, rows, columns, batch, row, column):
# see `gemm_finish`.
FINISH_TYPE = ir.FunctionType(
    VOID, [I64.as_pointer(), POINTER, I64, POINTER, I64, I64, I64, I64, I64, I64]
)
