"""What the random ops mean, in NumPy; PyTorch's recipe is in tests/random_reference.py.

States are int32 arrays as compiler/templates/mersenne.py describes them; drawing advances them.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from flambeau.compiler.templates.random_tables import (
    COS,
    HAS_NORMAL,
    LN2_HIGH,
    LN2_LOW,
    LOG,
    MINUS_QUARTER_PI,
    NORMAL,
    POSITION,
    SEEDED,
    SIN,
    STATE_WORDS,
    WORDS,
)

f32 = np.float32


def seeded_state(seed: int) -> np.ndarray:
    """The state after `manual_seed(seed)`."""
    bits: Any = np.random.MT19937()
    bits._legacy_seeding(seed % 2**32)
    state = np.zeros(STATE_WORDS, np.int32)
    state[:WORDS].view(np.uint32)[:] = bits.state["state"]["key"]
    state[POSITION] = SEEDED
    return state


def draw32(state: np.ndarray, count: int) -> np.ndarray:
    """The next draws, as uint64, by NumPy's own MT19937."""
    if count == 0:
        return np.zeros(0, np.uint64)
    bits: Any = np.random.MT19937()
    words = state[:WORDS].view(np.uint32)
    start = {"key": words, "pos": min(int(state[POSITION]), WORDS)}
    bits.state = {"bit_generator": "MT19937", "state": start}
    drawn = bits.random_raw(count)
    words[:], state[POSITION] = bits.state["state"]["key"], bits.state["state"]["pos"]
    return np.asarray(drawn)


def draw64(state: np.ndarray, count: int) -> np.ndarray:
    """The next draws of 64 bits: two of 32 each, the first one high."""
    halves = draw32(state, 2 * count).reshape(count, 2)
    return np.asarray(halves[:, 0] << np.uint64(32) | halves[:, 1])


def uniform53(bits: np.ndarray) -> np.ndarray:
    """uint64 draws as float64 numbers from 0 up to 1."""
    return np.asarray((bits & np.uint64(2**53 - 1)) * 2.0**-53)


def normals(state: np.ndarray, count: int) -> np.ndarray:
    """Standard normals one by one, in float64; of a pair, the second may wait in the state."""
    waits = state[NORMAL:].view(np.float64)
    values = [float(waits[0])] if state[HAS_NORMAL] else []
    for _ in range((count - len(values) + 1) // 2):
        turn, other = uniform53(draw64(state, 2)).tolist()
        radius, angle = math.sqrt(-2.0 * math.log1p(-other)), 2.0 * math.pi * turn
        values += [radius * math.cos(angle), radius * math.sin(angle)]
    if count:
        state[HAS_NORMAL] = len(values) > count
        waits[0] = values[-1]
    return np.array(values[:count], np.float64)


def box_muller(draws: np.ndarray, count: int) -> np.ndarray:
    """Normals by blocks of 16; the last 16 draws make the tail."""
    blocks = _blocks32 if draws.dtype == np.int32 else _blocks64
    whole = count - count % 16
    result = np.empty(count, f32 if draws.dtype == np.int32 else np.float64)
    result[:whole] = blocks(draws[:whole])
    if count != whole:
        result[-16:] = blocks(draws[-16:])
    return result


def _blocks64(draws: np.ndarray) -> np.ndarray:
    uniform = uniform53(draws.view(np.uint64)).reshape(-1, 2, 8)
    radius, angle = np.sqrt(-2.0 * np.log(1.0 - uniform[:, 0])), 2.0 * math.pi * uniform[:, 1]
    normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return np.asarray(normal.ravel() + 0.0)


def _blocks32(draws: np.ndarray) -> np.ndarray:
    uniform = ((draws & 0xFFFFFF) * 2.0**-24).astype(f32).reshape(-1, 2, 8)
    radius = np.sqrt(f32(-2.0) * _log(f32(1.0) - uniform[:, 0]))
    sine, cosine = _sine_cosine(f32(2.0 * math.pi) * uniform[:, 1])
    normal = np.stack([radius * cosine, radius * sine], 1)
    return np.asarray(normal.ravel() + f32(0.0))


def _log(x: np.ndarray) -> np.ndarray:
    mantissa, exponents = np.frexp(x)
    small = mantissa < f32(math.sqrt(0.5))
    exponent = exponents.astype(f32) - small.astype(f32)
    r = np.where(small, (mantissa - f32(1)) + mantissa, mantissa - f32(1))
    square = r * r
    y = fused(_polynomial(r, LOG) * r, square, exponent * f32(LN2_LOW))
    return fused(exponent, f32(LN2_HIGH), r + (y - square * f32(0.5)))


def _sine_cosine(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    octant = ((x * f32(4.0 / math.pi)).astype(np.int32) + 1) & ~1
    for part in MINUS_QUARTER_PI:
        x = fused(octant.astype(f32), f32(part), x)
    square = x * x
    near_cosine = fused(_polynomial(square, COS) * square, square, -(square * f32(0.5))) + f32(1)
    near_sine = fused(_polynomial(square, SIN) * square, x, x)
    swapped = (octant & 2) != 0
    sine = np.where(swapped, near_cosine, near_sine)
    cosine = np.where(swapped, near_sine, near_cosine)
    sine = np.where((octant & 4) != 0, -sine, sine)
    return sine, np.where(((octant + 2) & 4) != 0, -cosine, cosine)


def _polynomial(x: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = fused(total, x, f32(coefficient))
    return total


def fused(a: np.ndarray, b: Any, c: Any) -> np.ndarray:
    """a * b + c with one rounding, in float32 or float64 as `a` is."""
    if a.dtype == np.float64:
        return np.asarray(_fused64(a, b, c), np.float64)
    # Exact in float64 up to the sum; that is rounded to odd, so that rounding again does no harm.
    product, addend = a.astype(np.float64) * np.float64(b), np.asarray(c, np.float64)
    total = product + addend
    back = total - product
    error = (product - (total - back)) + (addend - back)
    inexact_even = np.isfinite(error) & (error != 0) & (total.view(np.int64) & 1 == 0)
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.asarray(np.where(inexact_even, np.nextafter(total, toward), total).astype(f32))


def _fused64_one(a: float, b: float, c: float) -> float:
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return a * b + c
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if abs(exact) >= _BEYOND_FLOAT64:
        return math.inf if exact > 0 else -math.inf
    return float(exact) if exact else a * b + c


# Halfway from the largest float64 to the next power of two, from where on the rounding is infinite.
_BEYOND_FLOAT64 = 2**1024 - 2**970
_fused64 = np.vectorize(_fused64_one, otypes=[np.float64])
