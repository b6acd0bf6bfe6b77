"""The functions of `mathlib` against NumPy in higher precision, and scalars against vectors."""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from llvmlite import ir

from flambeau.compiler.mathlib import FUNCTIONS, narrow
from flambeau.runtime.llvm import machine
from flambeau.runtime.llvm.blocks import I64, POINTER, for_range, i64, pointer_from

Array = np.ndarray[Any, np.dtype[Any]]
Emitter = Callable[..., ir.Value]

TYPES = {
    "float32": ir.FloatType(),
    "float64": ir.DoubleType(),
    "uint16": ir.IntType(16),
}
VECTOR = {"float32": 16, "float64": 8}
# Where long double is no wider than double, the reference has an error of its own.
SLACK = 0.0 if np.finfo(np.longdouble).eps < 1e-18 else 1.0


@pytest.fixture(autouse=True)
def quiet_numpy() -> Iterator[None]:
    """The samples overflow and ask for what is undefined."""
    with np.errstate(all="ignore"):
        yield


class Accuracy(NamedTuple):
    """Largest error in ulps; below `floor`, in ulps of `floor`."""

    float32: float
    float64: float
    floor: float = 0.0


# A float32 function computed in float64 is rounded correctly but for near ties: 0.51.
ACCURACY = {
    **dict.fromkeys(["abs", "ceil", "floor", "round", "trunc"], Accuracy(0, 0)),
    **dict.fromkeys(["copysign", "fmod", "nextafter"], Accuracy(0, 0)),
    "acos": Accuracy(0.51, 1.5),
    "acosh": Accuracy(0.51, 2.5),
    "asin": Accuracy(0.51, 2.5),
    "asinh": Accuracy(0.51, 2.5),
    "atan": Accuracy(0.51, 2.0),
    "atan2": Accuracy(0.51, 2.0),
    "atanh": Accuracy(0.51, 2.0),
    "cos": Accuracy(1.7, 1.0),
    "cosh": Accuracy(1.7, 1.7),
    "digamma": Accuracy(0.51, 8.0, floor=1.0),
    "erf": Accuracy(1.5, 1.5),
    "erfc": Accuracy(0.51, 4.0),
    "erfinv": Accuracy(0.51, 4.0),
    "exp": Accuracy(1.0, 1.0),
    "exp2": Accuracy(1.1, 1.1),
    "expm1": Accuracy(1.5, 1.5),
    "hypot": Accuracy(0.51, 1.0),
    "i0": Accuracy(0.51, 4.0),
    "i0e": Accuracy(0.51, 4.0),
    "i1": Accuracy(0.51, 4.0),
    "i1e": Accuracy(0.51, 4.0),
    "lgamma": Accuracy(0.51, 4.0, floor=1.0),
    "log": Accuracy(1.0, 1.0),
    "log10": Accuracy(0.51, 0.51),
    "log1p": Accuracy(1.7, 1.5),
    "log2": Accuracy(0.51, 0.51),
    "pow": Accuracy(0.51, 1.1),
    "rsqrt": Accuracy(1.51, 1.51),
    "sin": Accuracy(1.7, 1.0),
    "sinh": Accuracy(1.7, 1.7),
    "sqrt": Accuracy(0.5, 0.5),
    "tan": Accuracy(0.51, 2.5),
    "tanh": Accuracy(1.5, 1.5),
}
BINARY = ("atan2", "copysign", "fmod", "hypot", "nextafter", "pow")


def compiled(emit: Emitter, arity: int, source: str, target: str, lanes: int) -> bytes:
    """Object code of a kernel that applies `emit` to arrays, `lanes` elements at a time."""

    def shaped(name: str) -> ir.Type:
        return ir.VectorType(TYPES[name], lanes) if lanes > 1 else TYPES[name]

    def place(address: ir.Value, name: str, index: ir.Value) -> ir.Value:
        pointer = builder.gep(pointer_from(builder, address, TYPES[name]), [index])
        return builder.bitcast(pointer, shaped(name).as_pointer())

    kind = ir.FunctionType(ir.VoidType(), [I64.as_pointer(), I64, I64, POINTER])
    function = ir.Function(ir.Module(), kind, "kernel")
    builder = ir.IRBuilder(function.append_basic_block())
    args, begin, end, _ = function.args
    addresses = [builder.load(builder.gep(args, [i64(k)])) for k in range(arity + 1)]
    with for_range(builder, begin, end, i64(lanes)) as loop:
        inputs = [
            builder.load(place(address, source, loop.index), align=2) for address in addresses[:-1]
        ]
        result = emit(builder, *inputs)
        builder.store(result, place(addresses[-1], target, loop.index), align=2)
    builder.ret_void()
    return machine.compile_module(str(function.module))


class Kernel:
    """A function of arrays whose length is a multiple of `lanes`."""

    def __init__(self, code: bytes, target: str) -> None:
        self.code, self.target = code, target
        self.library = machine.load_object(code, ["kernel"])
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 2, ctypes.c_void_p)
        self.function = kind(self.library.address("kernel"))

    def __call__(self, *inputs: Array) -> Array:
        arrays = [np.ascontiguousarray(array) for array in inputs]
        result = np.empty(len(arrays[0]), self.target)
        addresses = [array.ctypes.data for array in (*arrays, result)]
        self.function((ctypes.c_int64 * len(addresses))(*addresses), 0, len(result), None)
        return result


@functools.cache
def kernel(name: str, dtype: str, lanes: int) -> Kernel:
    arity = 2 if name in BINARY else 1
    return Kernel(compiled(FUNCTIONS[name], arity, dtype, dtype, lanes), dtype)


def ulps(found: Array, exact: Array, floor: float) -> Array:
    """Errors in units in the last place of the exact value; infinite where the kind differs."""
    rounded = exact.astype(found.dtype)
    unit = np.spacing(np.maximum(np.abs(rounded), found.dtype.type(floor))).astype(np.longdouble)
    error = np.abs(found.astype(np.longdouble) - exact) / unit
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    both = np.isfinite(found) & np.isfinite(rounded)
    result: Array = np.where(both, error, np.where(same, 0.0, np.inf))
    return result


SPECIAL = [0.0, 5e-324, 1e-310, 1e-45, 1e-40, 2.0**-126, 1e-30, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
SPECIAL += [4.0, 10.0, 40.0, 88.72283, 88.7229, 103.9, 128.0, 149.5, 709.7827, 709.79, 745.2, 1075]
SPECIAL += [2.0**17, 2.0**22, 2.0**22 + 1, 1e10, 2.0**53, 3.4028235e38, 1e308, np.inf, np.nan]


def specials(dtype: str) -> Array:
    return np.array([*SPECIAL, *np.negative(SPECIAL)]).astype(dtype)


def padded(array: Array) -> Array:
    """To a multiple of every number of lanes tested."""
    return np.concatenate([array, np.ones(-len(array) % 240, array.dtype)])


def every_exponent(dtype: str, count: int) -> Array:
    """All bit patterns at equal distances, shaken."""
    bits = np.dtype(f"u{np.dtype(dtype).itemsize}")
    step = int(np.iinfo(bits).max) // count
    shake = np.random.default_rng(0).integers(0, step, count, dtype=np.uint64)
    patterns: Array = np.arange(count, dtype=np.uint64) * np.uint64(step) + shake
    return patterns.astype(bits).view(dtype)


def sample(dtype: str, count: int = 60_000) -> Array:
    """Every exponent, the usual range more densely, the neighbourhood of 1, and special values."""
    rng = np.random.default_rng(1)
    usual = [rng.normal(size=count) * 3, rng.uniform(-110, 110, count), 1 + rng.normal(size=count)]
    usual += [1 + rng.normal(size=count) / 1000, rng.uniform(-2, 2, count)]
    wide = every_exponent(dtype, count)
    return padded(np.concatenate([specials(dtype), wide, *usual]).astype(dtype))


def pairs(dtype: str, count: int = 30_000) -> tuple[Array, Array]:
    """All pairs of special values, and pairs for pow, fmod and the rest."""
    rng = np.random.default_rng(2)
    x, y = (grid.ravel() for grid in np.meshgrid(specials(dtype), specials(dtype)))
    sizes = np.exp(rng.normal(size=count) * 5)
    left = [x, sizes, np.exp(rng.normal(size=count) / 10), rng.normal(size=count) * 3]
    right = [y, rng.normal(size=count) * 10, rng.normal(size=count) * 1000]
    right += [rng.integers(-40, 40, count)]
    left += [1 + rng.normal(size=count) * 1e-6, every_exponent(dtype, count)]
    right += [rng.normal(size=count) * 1e8, np.roll(every_exponent(dtype, count), 777)]
    return padded(np.concatenate(left).astype(dtype)), padded(np.concatenate(right).astype(dtype))


def by_element(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of Python's math module on arrays."""
    return lambda x: np.array([function(float(value)) for value in x], np.longdouble)


def digamma(x: Array) -> Array:
    """By the recurrence up to 40, then the asymptotic series; for x > 0."""
    total, x = np.zeros_like(x), x.copy()
    while (low := x < 40).any():
        total -= np.where(low, 1 / x, 0)
        x = np.where(low, x + 1, x)
    square = 1 / (x * x)
    parts = np.longdouble(1) / np.array([12, -120, 252, -240, 132])
    series = sum(part * square ** (power + 1) for power, part in enumerate(parts))
    result: Array = total + np.log(x) - 1 / (2 * x) - series
    return result


def bessel(order: int, scaled: bool) -> Callable[[Array], Array]:
    """The power series of i0 or i1, all of whose terms have one sign; for |x| <= 100."""

    def function(x: Array) -> Array:
        term = (x / 2) ** order
        total = term.copy()
        for k in range(1, 200):
            term = term * (x * x / 4) / (k * (k + order))
            total += term
        result: Array = total * np.exp(-np.abs(x)) if scaled else total
        return result

    return function


def log_gamma(x: Array) -> Array:
    """Stirling's series after the recurrence up to 40; for x > 0."""
    product, x = np.ones_like(x), x.copy()
    while (low := x < 40).any():
        product = np.where(low, product * x, product)
        x = np.where(low, x + 1, x)
    parts = np.longdouble(1) / np.array([12, -360, 1260, -1680, 1188])
    series = sum(part / x ** (2 * power + 1) for power, part in enumerate(parts))
    half_log_two_pi = np.log(8 * np.arctan(np.longdouble(1))) / 2
    stirling: Array = (x - np.longdouble(0.5)) * np.log(x) - x + half_log_two_pi + series
    return stirling - np.log(product)


REFERENCES: dict[str, Callable[..., Array]] = {
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "digamma": digamma,
    "erf": by_element(math.erf),
    "erfc": by_element(math.erfc),
    "i0": bessel(0, scaled=False),
    "i0e": bessel(0, scaled=True),
    "i1": bessel(1, scaled=False),
    "i1e": bessel(1, scaled=True),
    "lgamma": log_gamma,
    "pow": np.power,
    "round": np.rint,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}


def inputs_of(name: str, dtype: str) -> tuple[Array, ...]:
    """Arguments within what the reference can do."""
    if name in BINARY:
        return pairs(dtype)
    rng = np.random.default_rng(3)
    if name in ("digamma", "lgamma"):
        near = [rng.uniform(0.01, 60, 20_000), 1 + rng.normal(size=2000) / 100]
        return (padded(np.concatenate([*near, 10 ** rng.uniform(-30, 30, 4000)]).astype(dtype)),)
    if name in ("i0", "i0e", "i1", "i1e"):
        near = [rng.uniform(-80, 80, 4000), rng.uniform(-9, 9, 4000)]
        return (padded(np.concatenate([*near, 10 ** rng.uniform(-30, 0, 400)]).astype(dtype)),)
    if name in ("erf", "erfc"):
        x = sample(dtype, 10_000)
        return (padded(x[x > -26.5]),)
    return (sample(dtype),)


def check(
    name: str, dtype: str, reference: Callable[..., Array], inputs: tuple[Array, ...]
) -> None:
    found = kernel(name, dtype, VECTOR[dtype])(*inputs)
    exact = np.asarray(reference(*(x.astype(np.longdouble) for x in inputs)))
    errors = ulps(found, exact, ACCURACY[name].floor)
    # math.erf and math.erfc have one ulp of their own.
    slack = SLACK + (1.0 if reference in (REFERENCES["erf"], REFERENCES["erfc"]) else 0.0)
    allowed = getattr(ACCURACY[name], dtype) + (slack if dtype == "float64" else 0.0)
    worst = int(np.argmax(errors))
    at = [x[worst] for x in inputs]
    assert errors[worst] <= allowed, f"{name}({at}) = {found[worst]!r}, not {exact[worst]!r}"
    zeros = (found == 0) & (exact == 0)
    assert (np.signbit(found) == np.signbit(exact))[zeros].all()


@pytest.mark.parametrize("dtype", VECTOR)
@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"erfinv", "nextafter"}))
def test_accuracy(name: str, dtype: str) -> None:
    reference = REFERENCES.get(name) or getattr(np, name)
    check(name, dtype, reference, inputs_of(name, dtype))


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "erf", "sin", "cos"])
def test_within_two_ulps_over_the_whole_float32_range(name: str) -> None:
    x = padded(every_exponent("float32", 400_000))
    exact = np.vectorize(math.erf)(x) if name == "erf" else getattr(np, name)(x.astype(np.float64))
    errors = ulps(kernel(name, "float32", VECTOR["float32"])(x), exact.astype(np.longdouble), 0.0)
    worst = int(np.argmax(errors))
    assert errors[worst] <= 2.0, f"{name}({x[worst]!r}) is {errors[worst]:.2f} ulps off"


@pytest.mark.parametrize("dtype", VECTOR)
def test_nextafter_is_exact(dtype: str) -> None:
    x, y = pairs(dtype)
    exact = np.nextafter(x, y)
    found = kernel("nextafter", dtype, VECTOR[dtype])(x, y)
    np.testing.assert_array_equal(found, exact)
    numbers = ~np.isnan(exact)
    np.testing.assert_array_equal(np.signbit(found)[numbers], np.signbit(exact)[numbers])


@pytest.mark.parametrize("dtype", VECTOR)
def test_erfinv_inverts_erf(dtype: str) -> None:
    """One step of Newton's method from the result goes nowhere."""
    rng = np.random.default_rng(4)
    near_one = 1 - 10 ** rng.uniform(-15 if dtype == "float64" else -7, 0, 3000)
    x = padded(np.concatenate([rng.uniform(0, 1, 5000), near_one]).astype(dtype))
    found = kernel("erfinv", dtype, VECTOR[dtype])(x)
    np.testing.assert_array_equal(kernel("erfinv", dtype, VECTOR[dtype])(-x), -found)
    inside = x < 1
    for value, y in zip(x[inside].tolist(), found[inside].tolist(), strict=True):
        difference = math.erf(y) - value if value < 0.5 else (1 - value) - math.erfc(y)
        step = difference * math.sqrt(math.pi) / 2 * math.exp(y * y)
        # The two roundings of the check itself count in float64.
        allowed = ACCURACY["erfinv"].float32 if dtype == "float32" else 8.0
        assert abs(step) <= allowed * np.spacing(np.asarray(y, dtype))
    edges = kernel("erfinv", dtype, 1)(np.array([1, -1, 0, -0.0, 1.5, np.nan], dtype))
    np.testing.assert_array_equal(edges, np.array([np.inf, -np.inf, 0, 0, np.nan, np.nan]))
    assert np.signbit(edges[3])


@pytest.mark.parametrize("dtype", VECTOR)
def test_gamma_functions_at_their_poles_and_left_of_zero(dtype: str) -> None:
    x = np.array([0.0, -0.0, -1.0, -2.0, -(2.0**60), np.inf, -np.inf, np.nan], dtype)
    inf, nan = np.inf, np.nan
    lgamma, digamma = kernel("lgamma", dtype, 1), kernel("digamma", dtype, 1)
    np.testing.assert_array_equal(lgamma(x), [inf, inf, inf, inf, inf, inf, inf, nan])
    np.testing.assert_array_equal(digamma(x), [-inf, inf, nan, nan, nan, inf, nan, nan])
    left = -np.random.default_rng(5).uniform(0.01, 50, 2000).astype(dtype)
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    exact = np.array([math.lgamma(value) for value in left])
    np.testing.assert_allclose(lgamma(left), exact, rtol=tolerance, atol=tolerance)
    wide = left.astype(np.float64)
    reflected = digamma_left(wide)
    np.testing.assert_allclose(digamma(left), reflected, rtol=tolerance, atol=tolerance)


def digamma_left(x: Array) -> Array:
    """By the recurrence from the right; for x < 0."""
    steps = np.ceil(-x).astype(int)
    result = digamma((x + steps).astype(np.longdouble))
    for k in range(int(steps.max())):
        result = result - np.where(k < steps, 1 / (x.astype(np.longdouble) + k), 0)
    return result


def test_bessel_functions_at_the_end_of_their_range() -> None:
    x = np.array([700.0, 713.9, 714.0, 1e300, np.inf])
    i0, i0e = kernel("i0", "float64", 1)(x), kernel("i0e", "float64", 1)(x)
    np.testing.assert_allclose(i0[0], 1.5295933476718737e302, rtol=1e-14)
    assert np.isfinite(i0[1])
    assert np.isinf(i0[2:]).all()
    np.testing.assert_allclose(i0e[0], 0.015081295651531358, rtol=1e-14)
    assert i0e[-1] == 0
    assert kernel("i1", "float64", 1)(-x)[-1] == -np.inf


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_angles_next_to_multiples_of_half_pi(name: str) -> None:
    """Where the reduction cancels most, on both sides of its two methods' border."""
    multiples = np.concatenate([np.arange(1, 90_000), np.arange(1e6, 1e9, 1e5)])
    near = (multiples * (np.pi / 2)).astype(np.float32)
    x = padded(np.concatenate([np.nextafter(near, np.float32(0)), near, -near]))
    check(name, "float32", getattr(np, name), (x,))


def test_a_float64_close_to_a_multiple_of_half_pi() -> None:
    """The worst case of the format, J.-M. Muller, Elementary Functions (2016), section 11.3.2."""
    cosine = kernel("cos", "float64", 1)(np.array([6381956970095103 * 2.0**797]))
    np.testing.assert_allclose(cosine, -4.687165924254627611e-19, rtol=1e-15)


@pytest.mark.parametrize("dtype", VECTOR)
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_same_bits_for_scalars_and_vectors(name: str, dtype: str) -> None:
    x = [array[: 240 * 40] for array in pairs(dtype)]
    x = x if name in BINARY else [np.concatenate(x)]
    expected = kernel(name, dtype, VECTOR[dtype])(*x).tobytes()
    for lanes in (1, 3):
        assert kernel(name, dtype, lanes)(*x).tobytes() == expected


LIBRARY = "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh"
LIBRARY += " asinh acosh atanh erf erfc lgamma pow fmod fma sqrt floor ceil trunc rint round hypot"
HELPERS = "__floattidf __truncdfhf2 __truncsfhf2 __extendhfsf2 __truncsfbf2 __udivti3 __umodti3"


@pytest.mark.parametrize("dtype", VECTOR)
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_no_library_is_called(name: str, dtype: str) -> None:
    symbols = {word + ending for word in LIBRARY.split() for ending in ("", "f")}
    code = kernel(name, dtype, VECTOR[dtype]).code
    for symbol in symbols | set(HELPERS.split()):
        assert f"\0{symbol}\0".encode() not in code
        assert f"\0_{symbol}\0".encode() not in code


def conversion(emit: Emitter, source: str, target: str, lanes: int) -> Kernel:
    code = compiled(emit, 1, source, target, lanes)
    for symbol in HELPERS.split():
        assert f"\0{symbol}\0".encode() not in code
    return Kernel(code, target)


ALL_BITS = np.arange(1 << 16, dtype=np.uint16)


def bfloat16_values(bits: Array) -> Array:
    return (bits.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("lanes", [1, 16])
def test_widening_is_exact(lanes: int) -> None:
    from_bfloat16 = conversion(narrow.bf16_to_f32, "uint16", "float32", lanes)(ALL_BITS)
    np.testing.assert_array_equal(
        from_bfloat16.view(np.uint32), bfloat16_values(ALL_BITS).view(np.uint32)
    )
    from_float16 = conversion(narrow.f16_to_f32, "uint16", "float32", lanes)(ALL_BITS)
    np.testing.assert_array_equal(from_float16, ALL_BITS.view(np.float16).astype(np.float32))


def halfway(values: Array, dtype: str) -> Array:
    """Values, the middles between them, and both neighbours of each middle."""
    known = np.sort(values[np.isfinite(values)].astype(np.float64))
    middles = ((known[1:] + known[:-1]) / 2).astype(dtype)
    sides = [np.nextafter(middles, middles.dtype.type(side)) for side in (-np.inf, np.inf)]
    x = np.concatenate([known.astype(dtype), middles, *sides, sample(dtype, 20_000)])
    return padded(x)


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize("dtype", VECTOR)
def test_narrowing_to_float16_rounds_once(dtype: str, lanes: int) -> None:
    emit = narrow.f32_to_f16 if dtype == "float32" else narrow.f64_to_f16
    x = halfway(ALL_BITS.view(np.float16), dtype)
    exact = x.astype(np.float16)
    found = conversion(emit, dtype, "uint16", lanes)(x)
    np.testing.assert_array_equal(found.view(np.float16), exact)
    np.testing.assert_array_equal(np.signbit(found.view(np.float16)), np.signbit(exact))


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize("dtype", VECTOR)
def test_narrowing_to_bfloat16_rounds_once(dtype: str, lanes: int) -> None:
    emit = narrow.f32_to_bf16 if dtype == "float32" else narrow.f64_to_bf16
    x = halfway(bfloat16_values(ALL_BITS), dtype)
    bits = conversion(emit, dtype, "uint16", lanes)(x)
    found = bfloat16_values(bits).astype(np.longdouble)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(x))
    np.testing.assert_array_equal(np.signbit(found), np.signbit(x))
    largest = 3.3895313892515355e38
    beyond = np.abs(x) >= largest + 2.0**119
    np.testing.assert_array_equal(np.isinf(found), beyond)
    inside = ~beyond & ~np.isnan(x)
    x, bits, found = x[inside].astype(np.longdouble), bits[inside], found[inside]
    error = np.abs(x - found)
    for neighbour in (bits + 1, bits - 1):
        other = bfloat16_values(neighbour.astype(np.uint16)).astype(np.longdouble)
        usable = np.isfinite(other) & ((bits & 0x7FFF) != 0)
        distance = np.abs(x - other)
        assert (error <= distance)[usable].all()
        assert (bits & 1 == 0)[usable & (error == distance)].all()
    assert np.abs(x[(bits & 0x7FFF) == 0]).max(initial=0) <= 2.0**-134
