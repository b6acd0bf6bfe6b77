"""PyTorch's CPU random numbers in plain NumPy: the specification our random kernels meet.

Checked against PyTorch 2.13 (`against_torch/test_random_reference.py`): equal bit for bit on x86
machines with AVX2 or AVX-512. Elsewhere PyTorch's own float results differ in the last bits: its
float32 `randn` takes libm's functions, and `low + u * (high - low)` is not fused. float64 log1p,
sin, cos, tan and exp are libm's here; a kernel's own may differ in the last bit of a float64, which
a rounding to float32 all but always hides.

**Generator.** MT19937 seeded by `init_genrand(seed mod 2**32)`, which is NumPy's
`MT19937()._legacy_seeding(seed)`. Beside it, one cached normal number (a double, or none), which
seeding clears. A *draw* is one 32-bit output; a *draw64* is two, the first one the high half.

**Order.** A contiguous tensor is filled in order. A non-contiguous one is filled in the order of
its memory (dimensions by descending stride), so `e(3, 2).t().uniform_()` equals
`e(3, 2).uniform_().t()`; see `normal` for its exception. Empty tensors draw nothing.

**Fused.** Every scale and shift is one fused multiply-add: `fused32` and `fused64` below.

**Uniforms.** u24 = (draw & 0xffffff) * 2**-24 and u53 = (draw64 & (2**53 - 1)) * 2**-53.

============================ ====================================== ============================
call, n elements             32-bit draws                           from
============================ ====================================== ============================
rand, uniform_               n; float64: 2n                         u24 (also for half, bfloat16);
                                                                    float64: u53
normal_, randn, n >= 16,     float32: n, +16 if n % 16              blocks of 16 u24 / u53
contiguous                   float64: 2n, +32 if n % 16
                             half, bfloat16: 16 * ceil(n / 16)
normal_, randn, otherwise;   4 * ceil((n - c) / 2), where c is 1    pairs of u53, second normal
log_normal_                  if a normal is cached, else 0          cached
randint, random_(low, high)  n; range >= 2**28: 2n                  draw % range, draw64 % range
random_()                    n; int64, float64: 2n                  draw or draw64, modulo
randperm                     max(n - 1, 0)                          draw % (n - i)
bernoulli_(p)                2n                                     u53 < p
bernoulli_(tensor),          n; float64 probabilities: 2n           u24 < p, u53 < p
bernoulli(tensor)
dropout                      2n; none if p is 0 or 1                bernoulli_(1 - p)
exponential_, geometric_,    2n                                     u53
cauchy_
multinomial, one sample or   2 * (number of probabilities)          exponential_
no replacement
multinomial, replacement     2 * rows * samples                     u53
============================ ====================================== ============================

`torch.normal(mean, std)` with a tensor in it is `randn(shape) * std + mean`, where `shape` is the
broadcast one. `dropout2d` and kin draw one mask element a channel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
f32 = np.float32


class Generator:
    """The state of `torch.manual_seed(seed)`."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.MT19937()
        self._bits._legacy_seeding(seed % 2**32)
        self.cached_normal: float | None = None

    def draws(self, count: int) -> Array:
        return self._bits.random_raw(count)

    def draws64(self, count: int) -> Array:
        halves = self.draws(2 * count).reshape(count, 2)
        return halves[:, 0] << np.uint64(32) | halves[:, 1]

    def u24(self, count: int) -> Array:
        return ((self.draws(count) & np.uint64(0xFFFFFF)) * 2.0**-24).astype(f32)

    def u53(self, count: int) -> Array:
        return (self.draws64(count) & np.uint64(2**53 - 1)) * 2.0**-53


def narrow(values: Array, kind: str) -> Array:
    """Round to `kind`, to nearest even, half types by way of float32; bfloat16 stays float32."""
    if kind == "float16":
        return values.astype(f32).astype(kind)
    if kind != "bfloat16":
        return values.astype(kind)
    bits = values.astype(f32).view(np.uint32)
    kept = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    return (kept & np.uint32(0xFFFF0000)).view(f32)


# --- uniform --------------------------------------------------------------------------------------


def uniform(generator: Generator, count: int, low: float, high: float, kind: str) -> Array:
    """`uniform_(low, high)`; `rand` is `uniform(0, 1)`.

    low + u * (high - low) with one fused multiply-add in float32 (float64 for float64), then
    narrowed; a value that rounds up to `high` becomes `low`.
    """
    if kind == "float64":
        units = generator.u53(count).tolist()
        values = np.array([fused64(unit, high - low, low) for unit in units], np.float64)
    else:
        values = fused32(generator.u24(count), f32(high) - f32(low), f32(low))
        values = narrow(values, kind)
    edges = narrow(np.array([low, high]), kind)
    return np.where(values == edges[1], edges[0], values)


def rand(generator: Generator, count: int, kind: str = "float32") -> Array:
    return uniform(generator, count, 0.0, 1.0, kind)


# --- normal ---------------------------------------------------------------------------------------


def normal(
    generator: Generator,
    count: int,
    mean: float = 0.0,
    std: float = 1.0,
    kind: str = "float32",
    *,
    contiguous: bool = True,
) -> Array:
    """`normal_(mean, std)`; `randn` is `normal(0, 1)`.

    16 or more contiguous elements go by blocks of 16; a rest of n % 16 is not filled by itself:
    the *last 16* elements are redrawn together, over what the blocks put there. float32 and
    float64 draw all n uniforms first and then the 16 of the tail, and the blocks transform their
    own 16 of the n. half and bfloat16 draw 16 for each whole block, then 16 for the tail, compute
    in float32 and narrow. The cached normal is neither used nor set.
    """
    if count < 16 or not contiguous:
        values = [fused64(one, std, mean) for one in serial_normals(generator, count)]
        return narrow(np.array(values, np.float64), kind)
    draw, block = (
        (generator.u53, block_float64) if kind == "float64" else (generator.u24, block_float32)
    )
    whole = count - count % 16
    drawn_first = count if kind in ("float32", "float64") else whole
    values = draw(drawn_first)
    values = np.concatenate([values, np.zeros(count - drawn_first, values.dtype)])
    values[:whole] = block(values[:whole], mean, std)
    if count != whole:
        values[-16:] = block(draw(16), mean, std)
    return narrow(values, kind)


def randn(generator: Generator, count: int, kind: str = "float32") -> Array:
    return normal(generator, count, kind=kind)


def serial_normals(generator: Generator, count: int) -> list[float]:
    """Standard normals one by one, in float64; each pair of u53 makes two, the second is cached."""
    values = []
    for _ in range(count):
        if generator.cached_normal is not None:
            values.append(generator.cached_normal)
            generator.cached_normal = None
            continue
        first, second = generator.u53(2).tolist()
        radius = math.sqrt(-2.0 * math.log1p(-second))
        angle = 2.0 * math.pi * first
        generator.cached_normal = radius * math.sin(angle)
        values.append(radius * math.cos(angle))
    return values


def block_float64(uniforms: Array, mean: float, std: float) -> Array:
    """Box-Muller on blocks of 16: eight radii, then eight angles; cosines first, then sines."""
    blocks = uniforms.reshape(-1, 2, 8)
    out = np.empty_like(blocks)
    for row, (one, other) in zip(out, blocks.tolist(), strict=True):
        for k in range(8):
            radius = math.sqrt(-2.0 * math.log(1.0 - one[k]))
            angle = 2.0 * math.pi * other[k]
            row[0, k] = fused64(radius * math.cos(angle), std, mean)
            row[1, k] = fused64(radius * math.sin(angle), std, mean)
    return out.ravel()


def block_float32(uniforms: Array, mean: float, std: float) -> Array:
    """The same in float32 throughout, with the polynomials below."""
    blocks = uniforms.reshape(-1, 2, 8)
    radius = np.sqrt(f32(-2.0) * log32(f32(1.0) - blocks[:, 0]))
    sine, cosine = sincos32(f32(2.0 * math.pi) * blocks[:, 1])
    out = np.stack([radius * cosine, radius * sine], axis=1).ravel()
    return fused32(out, f32(std), f32(mean))


# float32 log, sin and cos as in S. L. Moshier's Cephes library (logf.c, sinf.c; netlib.org/cephes),
# with fused multiply-adds where `fused32` stands and separately rounded operations elsewhere.
LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
LN2_HIGH, LN2_LOW = f32(0.693359375), f32(-2.12194440e-4)
SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
MINUS_QUARTER_PI = (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)


def polynomial32(x: Array, coefficients: Sequence[float]) -> Array:
    """Horner's rule, highest power first, every step fused."""
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result = fused32(result, x, f32(coefficient))
    return result


def log32(x: Array) -> Array:
    """Natural logarithm of normal positive float32 numbers."""
    mantissa, exponent = np.frexp(x)  # mantissa in [0.5, 1)
    small = mantissa < f32(math.sqrt(0.5))
    exponent = exponent.astype(f32) - small.astype(f32)
    r = np.where(small, (mantissa - f32(1)) + mantissa, mantissa - f32(1))
    square = r * r
    y = polynomial32(r, LOG) * r
    y = fused32(y, square, exponent * LN2_LOW)
    y = y - square * f32(0.5)
    return fused32(exponent, LN2_HIGH, r + y)


def sincos32(x: Array) -> tuple[Array, Array]:
    """Sine and cosine of float32 angles from 0 to a few turns."""
    octant = (x * f32(4.0 / math.pi)).astype(np.int32) + 1 & ~1
    for part in MINUS_QUARTER_PI:
        x = fused32(octant.astype(f32), f32(part), x)
    square = x * x
    near_cosine = polynomial32(square, COS) * square
    near_cosine = fused32(near_cosine, square, -(square * f32(0.5))) + f32(1)
    near_sine = fused32(polynomial32(square, SIN) * square, x, x)
    swapped = (octant & 2) != 0
    sine = np.where(swapped, near_cosine, near_sine)
    cosine = np.where(swapped, near_sine, near_cosine)
    sine = np.where((octant & 4) != 0, -sine, sine)
    cosine = np.where((octant + 2 & 4) != 0, -cosine, cosine)
    return sine, cosine


def fused32(a: Array, b: Any, c: Any) -> Array:
    """a * b + c in float32 with one rounding: exact in float64 up to a sum rounded to odd."""
    product = a.astype(np.float64) * np.float64(b)
    addend = np.asarray(c, np.float64)
    total = product + addend
    back = total - product
    error = (product - (total - back)) + (addend - back)
    inexact_even = (error != 0) & (total.view(np.int64) & 1 == 0)
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.where(inexact_even, np.nextafter(total, toward), total).astype(f32)


def fused64(a: float, b: float, c: float) -> float:
    """a * b + c in float64 with one rounding."""
    if b == 1.0 and c == 0.0:
        return a
    return float(Fraction(a) * Fraction(b) + Fraction(c))


# --- integers -------------------------------------------------------------------------------------


def randint(generator: Generator, low: int, high: int, count: int) -> Array:
    """`randint(low, high)` and `random_(low, high)`, for every dtype the result is cast to."""
    span = high - low
    values = generator.draws64(count) if span >= 2**28 else generator.draws(count)
    return (values % np.uint64(span) + np.uint64(low % 2**64)).astype(np.int64)


RANDOM_MODULUS = {
    "bool": 2, "uint8": 2**8, "int8": 2**7, "int16": 2**15, "int32": 2**31, "int64": 2**63,
    "float16": 2**11 + 1, "bfloat16": 2**8 + 1, "float32": 2**24 + 1, "float64": 2**53 + 1,
}  # fmt: skip


def random(generator: Generator, count: int, kind: str) -> Array:
    """`random_()`: all non-negative integers of an integer type, 0 to 2**digits of a float."""
    wide = kind in ("int64", "float64")
    values = generator.draws64(count) if wide else generator.draws(count)
    return narrow(values % np.uint64(RANDOM_MODULUS[kind]), kind)


def randperm(generator: Generator, count: int) -> Array:
    """Fisher-Yates from the front. (From 2**32 / 20 elements on, PyTorch takes draw64.)"""
    order = np.arange(count)
    for i, draw in enumerate(generator.draws(max(count - 1, 0)).tolist()):
        other = i + draw % (count - i)
        order[i], order[other] = order[other], order[i]
    return order


# --- choices --------------------------------------------------------------------------------------


def bernoulli(generator: Generator, count: int, p: float) -> Array:
    """`bernoulli_(p)` with a Python number, for every dtype of the result."""
    return generator.u53(count) < p


def bernoulli_tensor(generator: Generator, p: Array) -> Array:
    """`bernoulli_(p)` or `bernoulli(p)` with a tensor: its dtype decides, not the result's."""
    draw = generator.u53 if p.dtype == np.float64 else generator.u24
    return draw(p.size).reshape(p.shape) < p


def dropout(generator: Generator, x: Array, p: float) -> Array:
    """`F.dropout(x, p)`: x * (mask / (1 - p)), both steps rounded to x's dtype."""
    if p == 0:
        return x
    if p == 1:
        return x * np.zeros_like(x)
    mask = bernoulli(generator, x.size, 1 - p).reshape(x.shape).astype(x.dtype)
    return x * (mask / x.dtype.type(1 - p))


def exponential(generator: Generator, count: int, rate: float = 1.0) -> Array:
    """`exponential_(rate)` before it is rounded to the tensor's dtype."""
    return np.array([-1.0 / rate * math.log1p(-u) for u in generator.u53(count).tolist()])


def geometric(generator: Generator, count: int, p: float) -> Array:
    """`geometric_(p)` before it is cast to the tensor's dtype."""
    scale = math.log1p(-p)
    return np.array([math.ceil(math.log(u) / scale) for u in generator.u53(count).tolist()])


def cauchy(generator: Generator, count: int, median: float = 0.0, sigma: float = 1.0) -> Array:
    """`cauchy_(median, sigma)` before it is rounded to the tensor's dtype."""
    angles = [math.pi * (u - 0.5) for u in generator.u53(count).tolist()]
    return np.array([fused64(sigma, math.tan(angle), median) for angle in angles])


def log_normal(generator: Generator, count: int, mean: float = 1.0, std: float = 2.0) -> Array:
    """`log_normal_(mean, std)` before rounding; at any size one by one, with the cached normal."""
    return np.array([math.exp(fused64(one, std, mean)) for one in serial_normals(generator, count)])


def multinomial(generator: Generator, weights: Array, samples: int, replacement: bool) -> Array:
    """`multinomial` of rows of weights (rows, categories) -> (rows, samples)."""
    if replacement and samples > 1:
        return _with_replacement(generator, weights, samples)
    # An exponential race: the category whose weighted clock rings first wins.
    clocks = exponential(generator, weights.size).astype(weights.dtype).reshape(weights.shape)
    with np.errstate(divide="ignore"):
        scores = weights / clocks
    return np.argsort(-scores, axis=1, kind="stable")[:, :samples]


def _with_replacement(generator: Generator, weights: Array, samples: int) -> Array:
    """The first category whose normalised running sum, in the weights' dtype, reaches a u53."""
    chosen = np.empty((len(weights), samples), np.int64)
    for row, target in zip(weights, chosen, strict=True):
        sums = np.cumsum(row)
        limits = sums / sums[-1]
        limits[-1] = 1
        target[:] = np.searchsorted(limits.astype(np.float64), generator.u53(samples))
    return chosen
