"""The gemm template against NumPy in float64, and its promise of one set of bits."""

from __future__ import annotations

import ctypes
import functools
import itertools
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from llvmlite import ir

from flambeau.compiler.templates import gemm
from flambeau.compiler.templates.gemm_element import Element
from flambeau.compiler.templates.gemm_micro import CHAIN, Tile
from flambeau.compiler.templates.gemm_slots import Function
from flambeau.core import dtypes
from flambeau.runtime.llvm import machine
from flambeau.runtime.llvm.blocks import F32, splat
from flambeau.runtime.llvm.vectors import item_bytes

LAYOUTS = ("row", "column", "strided")
LANES = [lanes for lanes in (16, 8, 4) if lanes <= machine.lanes()]
SHAPES = [
    (1, 1, 1),
    (1, 37, 300),
    (37, 1, 300),
    (3, 5, 0),
    (14, 32, 7),
    (15, 33, 16),
    (64, 100, 1000),
    (63, 250, 257),
    (230, 70, 65),
]
Matrix = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


libraries = []


def load(text: str) -> int:
    """The address of the function "f" of a module."""
    libraries.append(machine.load_object(machine.compile_module(text), ["f"]))
    return libraries[-1].address("f")


@functools.cache
def compiled(function: Function) -> int:
    """The address of a function that the kernel calls."""
    return load(function.build("f"))


@functools.cache
def kernel() -> Callable[[int, int, int, int], None]:
    """The kernel of all products."""
    module = ir.Module()
    gemm.emit_gemm(module, "f")
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 2, ctypes.c_void_p)
    return kind(load(str(module)))


def multiply(
    spec: gemm.GemmSpec,
    a: Matrix,
    b: Matrix,
    c: Matrix,
    cuts: int = 1,
    epilogue: gemm.Epilogue | None = None,
    extra: tuple[int, ...] = (),
    pack: tuple[bool, bool] | None = None,
) -> None:
    """Compute c = a @ b, three-dimensional all; in `cuts` runs of items, last run first."""
    batch, m, k = a.shape
    a_strides, b_strides, c_strides = (
        tuple(stride // x.itemsize for stride in x.strides) for x in (a, b, c)
    )
    problem = gemm.Problem(m, b.shape[2], k, a_strides, b_strides, c_strides[:2], batch)
    plan = gemm.work_items(spec, problem, cuts, pack)
    addresses = (x.ctypes.data for x in (a, b, c))
    functions = [
        0 if one is None else compiled(one) for one in gemm.functions(spec, plan, epilogue)
    ]
    args = [*gemm.arguments(spec, problem, plan, *addresses), *functions, *extra]
    table = np.array(args, np.int64)
    scratch, guard = guarded(plan.scratch_bytes)
    # Whatever a former kernel left in the scratch must not matter.
    scratch[:] = 0xFF
    address = guard - -(-plan.scratch_bytes // 64) * 64
    limits = np.linspace(0, plan.total, cuts + 1).astype(int)
    for begin, end in reversed(list(itertools.pairwise(limits))):
        kernel()(table.ctypes.data, begin, end, address)


def spec_of(dtype: str, m: int, n: int, lanes: int = LANES[0], **more: Any) -> gemm.GemmSpec:
    """The spec of a product of this size."""
    tile = gemm.tile_for(dtype, problem_of(m, n, 300, **more), lanes)
    return gemm.GemmSpec(dtype, tile, **more)


def problem_of(m: int, n: int, k: int, **layouts: str) -> gemm.Problem:
    """A product of dense matrices in the layouts of a spec."""

    def strides(rows: int, columns: int, layout: str) -> tuple[int, int, int]:
        return {"row": (0, columns, 1), "column": (0, 1, rows), "strided": (0, 2 * columns, 2)}[
            layout
        ]

    a, b = layouts.get("a", "row"), layouts.get("b", "row")
    return gemm.Problem(m, n, k, strides(m, k, a), strides(k, n, b), (m * n, n))


def guarded(size: int) -> tuple[Matrix, int]:
    """Bytes, `size` or a few more, and the address of their end: past it nothing may be touched."""
    length = -(-max(size, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, length + mmap.PAGESIZE)
    used = np.frombuffer(memory, np.uint8, count=length)
    end = used.ctypes.data + length
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    assert protect(end, mmap.PAGESIZE, 0) == 0
    return used, end


def matrix(values: Matrix, layout: str) -> Matrix:
    """A copy of a batch of matrices in some layout, at the end of guarded memory."""
    _, rows, columns = values.shape
    strides = {
        "row": (rows * (columns + 3), columns + 3, 1),
        "column": (columns * (rows + 5), 1, rows + 5),
        "strided": (rows * (2 * columns + 1), 2 * columns + 1, 2),
    }[layout]
    pairs = list(zip(values.shape, strides, strict=True))
    count = 1 + sum((size - 1) * stride for size, stride in pairs) if values.size else 0
    memory, _ = guarded(count * values.itemsize)
    flat = memory[memory.size - count * values.itemsize :].view(values.dtype)
    steps = [stride * values.itemsize for stride in strides]
    view = np.lib.stride_tricks.as_strided(flat, values.shape, steps)
    view[...] = values
    return view


def random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Matrix:
    """Values that leave no doubt about rounding: integers, or multiples of 1/256 (1/8 if half)."""
    draw = np.random.default_rng(seed).integers
    if dtype not in ("float16", "bfloat16", "float32", "float64"):
        return draw(0 if dtype == "uint8" else -100, 100, shape).astype(dtype)
    steps = 8 if dtype in ("float16", "bfloat16") else 256
    values = (draw(-steps, steps, shape) / steps).astype(np.float32)
    return stored(values, dtype)


def stored(values: Matrix, dtype: str) -> Matrix:
    """float32 values rounded to a type as memory holds it."""
    if dtype != "bfloat16":
        return values.astype(dtype)
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def widened(values: Matrix, dtype: str) -> Matrix:
    """The inverse of `stored`, in float64; integers as they are."""
    if dtype == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return values.astype(np.float64) if dtypes.BY_NAME[dtype].is_floating_point else values


def empty(batch: int, m: int, n: int, dtype: str) -> Matrix:
    """A result to be written, with gaps between its rows, full of a pattern."""
    values = np.full((batch, m, n), 77, dtypes.BY_NAME[dtype].numpy)
    return matrix(values, "row")


def gaps(c: Matrix) -> Matrix:
    """The memory between the rows of a result."""
    _, m, n = c.shape
    row = c.strides[1] // c.itemsize
    return np.lib.stride_tricks.as_strided(
        c[:, :, n - 1 :], (c.shape[0], m - 1, row - n + 1), c.strides
    )[:, :, 1:]


def chains(a: Matrix, b: Matrix) -> Matrix:
    """The sums as the template defines them, for values whose products are exact in float64."""
    total = np.zeros((*a.shape[:2], b.shape[2]), np.float32)
    for start in range(0, a.shape[2], CHAIN):
        part = np.zeros_like(total)
        for d in range(start, min(start + CHAIN, a.shape[2])):
            exact = a[:, :, d : d + 1].astype(np.float64) * b[:, d : d + 1, :]
            part = (exact + part).astype(np.float32)
        total = total + part if start else part
    return total


def run(
    spec: gemm.GemmSpec,
    a: Matrix,
    b: Matrix,
    pack: tuple[bool, bool] | None = None,
    cuts: int = 1,
) -> Matrix:
    c = empty(a.shape[0], a.shape[1], b.shape[2], spec.dtype)
    multiply(spec, matrix(a, spec.a), matrix(b, spec.b), c, cuts, pack=pack)
    assert not gaps(c).any()
    return c


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("a_layout", LAYOUTS)
@pytest.mark.parametrize("b_layout", LAYOUTS)
def test_float32_has_one_set_of_bits(a_layout: str, b_layout: str, lanes: int) -> None:
    # A tile so small fits every matrix.
    spec = gemm.GemmSpec("float32", Tile(2, 2, lanes), a=a_layout, b=b_layout)
    for m, n, k in SHAPES:
        a, b = random((1, m, k), "float32"), random((1, k, n), "float32", 1)
        expected = chains(a, b)
        for pack in ((False, False), (True, False), (False, True), (True, True), None):
            for cuts in (1, 3):
                np.testing.assert_array_equal(run(spec, a, b, pack, cuts), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_tile_of_a_shape(shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    a, b = random((1, m, k), "float32"), random((1, k, n), "float32", 1)
    np.testing.assert_array_equal(run(spec_of("float32", m, n), a, b), chains(a, b))


@pytest.mark.parametrize("dtype", [one.name for one in dtypes.FLOATS + dtypes.INTEGERS])
@pytest.mark.parametrize("b_layout", LAYOUTS)
def test_every_dtype_agrees_with_numpy(dtype: str, b_layout: str) -> None:
    for lanes in LANES:
        for m, n, k in ((1, 1, 1), (17, 41, 30), (50, 35, 300), (3, 2, 0)):
            a, b = random((2, m, k), dtype), random((2, k, n), dtype, 1)
            exact = widened(a, dtype) @ widened(b, dtype)
            tile = Tile(2, 2, lanes * 4 // item_bytes(Element(dtype).compute))
            spec = gemm.GemmSpec(dtype, tile, b=b_layout)
            # These sums are exact in the type computed in, so that only one rounding remains.
            expected = stored(exact, dtype)
            np.testing.assert_array_equal(run(spec, a, b, cuts=2), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_part_has_the_bits_of_the_whole(layout: str, dtype: str) -> None:
    """Whatever the sizes make of blocks, slices and packing."""
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((1, 530, 700)), generator.standard_normal((1, 700, 300))
    a, b = a.astype(dtype), b.astype(dtype)
    whole = run(spec_of(dtype, 530, 300, a=layout, b=layout), a, b, cuts=2)
    for rows, columns in ((1, 300), (40, 17), (530, 9)):
        spec = spec_of(dtype, rows, columns, a=layout, b=layout)
        part = run(spec, a[:, -rows:], b[:, :, -columns:])
        np.testing.assert_array_equal(part, whole[:, -rows:, -columns:])


def test_sums_in_float32_close_to_float64() -> None:
    generator = np.random.default_rng(0)
    a = generator.standard_normal((1, 64, 3000)).astype(np.float32)
    b = generator.standard_normal((1, 3000, 100)).astype(np.float32)
    found = run(spec_of("float32", 64, 100), a, b)
    np.testing.assert_allclose(found, a.astype(np.float64) @ b.astype(np.float64), atol=2e-4)


def test_narrow_sums_stay_wide_across_slices() -> None:
    k = 3 * CHAIN + 5
    a, b = np.ones((1, 300, k), np.float32), np.ones((1, k, 40), np.float32)
    a[:, :, CHAIN:] = 2**-7
    for dtype in ("bfloat16", "float16"):
        found = run(spec_of(dtype, 300, 40), stored(a, dtype), stored(b, dtype))
        expected = stored(a.astype(np.float64) @ b.astype(np.float64), dtype)
        np.testing.assert_array_equal(found, expected)


def test_large_product_over_several_blocks() -> None:
    a, b = random((1, 300, 300), "float32"), random((1, 300, 2500), "float32", 1)
    np.testing.assert_array_equal(run(spec_of("float32", 300, 2500), a, b, cuts=5), chains(a, b))


@pytest.mark.parametrize("strides", [(0, 1), (1, 0), (0, 0), (-7, -1), (-1, -9)])
def test_any_strides(strides: tuple[int, int]) -> None:
    m, n, k = 20, 40, 18
    base = random((1000,), "float32")
    steps = [stride * 4 for stride in strides]
    spec = spec_of("float32", m, n, a="strided", b="strided")
    a = np.lib.stride_tricks.as_strided(base[500:], (1, m, k), [0, *steps])
    b = np.lib.stride_tricks.as_strided(base[400:], (1, k, n), [0, *steps])
    for pack in (False, True):
        c = empty(1, m, n, "float32")
        multiply(spec, a, b, c, pack=(pack, pack))
        np.testing.assert_array_equal(c, chains(a, b))


def test_batches_broadcast_with_a_stride_of_zero() -> None:
    a, b = random((5, 9, 20), "float32"), random((1, 20, 33), "float32", 1)
    b = np.broadcast_to(b, (5, 20, 33))
    c = empty(5, 9, 33, "float32")
    multiply(spec_of("float32", 9, 33), a, b, c, cuts=4)
    np.testing.assert_array_equal(c, chains(a, b))


def test_infinities_and_nans_of_other_columns_stay_there() -> None:
    a, b = random((1, 15, 20), "float32"), random((1, 20, 35), "float32", 1)
    expected = chains(a, b)
    b[:, 3, 34], a[:, 14, 2] = np.nan, np.inf
    found = run(spec_of("float32", 15, 35), a, b)
    np.testing.assert_array_equal(found[:, :14, :34], expected[:, :14, :34])
    assert np.isnan(found[:, :, 34]).all()
    assert not np.isfinite(found[:, 14]).any()


def test_negative_zero_and_no_depth_give_zero() -> None:
    a, b = -np.zeros((1, 3, 4), np.float32), np.ones((1, 4, 5), np.float32)
    for depth in (0, 4):
        found = run(spec_of("float32", 3, 5), a[:, :, :depth], b[:, :depth])
        np.testing.assert_array_equal(found.view(np.uint32), 0)


def test_epilogue_sees_each_result_once() -> None:
    def numbered(
        builder: ir.IRBuilder,
        args: ir.Value,
        sums: ir.Value,
        batch: ir.Value,
        row: ir.Value,
        column: ir.Value,
        mask: ir.Value,
    ) -> ir.Value:
        scale = gemm.load_slot(builder, args, gemm.Slot.EPILOGUE)
        tens = builder.mul(builder.add(builder.mul(batch, scale), row), scale)
        number = builder.sitofp(builder.add(tens, column), F32)
        return builder.fadd(sums, splat(builder, number, sums.type.count))

    for lanes, k in itertools.product(LANES, (300, 2100)):
        for dtype in ("float32", "bfloat16"):
            spec = spec_of(dtype, 20, 50, lanes, epilogue=f"numbered {lanes}")
            ones = stored(np.ones((2, 20, k), np.float32), dtype)
            zeros = stored(np.zeros((2, k, 50), np.float32), dtype)
            c = empty(2, 20, 50, dtype)
            multiply(spec, ones, zeros, c, cuts=3, epilogue=numbered, extra=(64,))
            batch, row, column = np.indices(c.shape)
            first = column // lanes * lanes
            expected = stored(((batch * 64 + row) * 64 + first).astype(np.float32), dtype)
            np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (14, 2), (16, 1)])
def test_any_tile_gives_the_same_bits(size: tuple[int, int], lanes: int) -> None:
    rows, vectors = size
    m, n = 3 * rows - (rows > 1), (3 * vectors - (vectors > 1)) * lanes - 3
    a, b = random((1, m, 300), "float32"), random((1, 300, n), "float32", 1)
    for layout in LAYOUTS:
        spec = gemm.GemmSpec("float32", Tile(rows, vectors, lanes), a=layout)
        np.testing.assert_array_equal(run(spec, a, b, cuts=2), chains(a, b))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_depth_of_several_slices(layout: str) -> None:
    a, b = random((1, 40, 2300), "float32"), random((1, 2300, 50), "float32", 1)
    expected = chains(a, b)
    spec = spec_of("float32", 40, 50, a=layout, b=layout)
    for pack in ((False, False), (True, True)):
        np.testing.assert_array_equal(run(spec, a, b, pack, cuts=2), expected)


def test_tiles_fill_the_matrix_and_the_registers() -> None:
    for lanes, registers in ((16, 32), (8, 16), (4, 32)):
        sizes = (1, 2, 7, 16, 48, 64, 100, 1000)
        for m, n, k in itertools.product(sizes, sizes, (0, 16, 1000)):
            tile = gemm.tile_for("float32", problem_of(m, n, k), lanes)
            assert tile.rows * tile.vectors + tile.vectors < registers
            tiles, vectors = -(-m // tile.rows), -(-n // lanes)
            assert tiles * (tile.rows - 1) <= m
            assert -(-vectors // tile.vectors) * (tile.vectors - 1) <= vectors


@pytest.mark.parametrize(("m", "n"), [(64, 100), (100, 64), (300, 100), (48, 256)])
def test_two_threads_have_even_shares(m: int, n: int) -> None:
    problem = problem_of(m, n, 1000)
    tile = gemm.tile_for("float32", problem, 16, threads=2)
    plan = gemm.work_items(gemm.GemmSpec("float32", tile), problem, 2)
    # The first item has the tiles that are higher, and the panels that are wider.
    rows = plan.item_tiles * (tile.rows - 1) + min(plan.item_tiles, plan.tall_tiles)
    vectors = plan.item_panels * (tile.vectors - 1) + min(plan.item_panels, plan.wide_panels)
    assert plan.total == 2
    assert rows * vectors <= 0.55 * m * -(-n // 16)


@pytest.mark.parametrize(
    ("m", "n", "k", "packs"),
    [
        (2048, 16, 512, False),  # read once
        (2048, 100, 512, True),  # 512 lines of memory 8 KiB apart
        (1000, 100, 512, False),
        (1000, 1000, 512, True),  # read often
        (64, 1000, 512, False),  # close together
    ],
)
def test_which_columns_of_a_are_packed(m: int, n: int, k: int, packs: bool) -> None:
    problem = problem_of(m, n, k, a="column")
    spec = gemm.GemmSpec("float32", gemm.tile_for("float32", problem, 16), a="column")
    assert gemm.work_items(spec, problem, 1).pack_a == packs


@pytest.mark.parametrize(("m", "rows"), [(8, 6), (64, 12)])
def test_a_tile_that_does_not_fit_is_refused(m: int, rows: int) -> None:
    spec = gemm.GemmSpec("float32", Tile(rows, 2, 16))
    problem = gemm.Problem(m, 64, 10, (0, 10, 1), (0, 64, 1), (0, 64))
    with pytest.raises(ValueError, match=f"{m} cannot be cut into pieces of {rows} and {rows - 1}"):
        gemm.work_items(spec, problem, 1)


def test_layout_of() -> None:
    assert gemm.layout_of(1, 4, 1, 9) == "column"
    assert gemm.layout_of(4, 1, 9, 9) == "row"
    assert gemm.layout_of(4, 4, -4, -1) == "strided"
