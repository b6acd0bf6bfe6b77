"""What the special functions mean, in float64 NumPy: slow, and accurate to about 1e-15.

Formulas: NIST Digital Library of Mathematical Functions, chapters 5 (gamma), 7 (error functions)
and 10 (Bessel functions), https://dlmf.nist.gov.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

# Terms B(2n) / 2n of digamma's asymptotic series (DLMF 5.11.2).
_DIGAMMA_SERIES = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)


def _each(function: Callable[[float], float]) -> Callable[..., np.ndarray]:
    return np.vectorize(function, otypes=[np.float64])


erf = _each(math.erf)
erfc = _each(math.erfc)


def _lgamma(x: float) -> float:
    if math.isinf(x) or x > 2.5e305 or (x <= 0 and x == math.floor(x)):
        return math.inf
    return math.lgamma(x)


def _digamma(x: float) -> float:
    if x == 0:
        return math.copysign(math.inf, -x)
    if math.isinf(x):
        return x if x > 0 else math.nan
    if x < 0:
        turn = math.remainder(x, 1)
        return math.nan if turn == 0 else _digamma(1 - x) - math.pi / math.tan(math.pi * turn)
    terms = []
    while x < 12:
        terms.append(-1 / x)
        x += 1
    inverse = 1 / x
    terms += [math.log(x), -0.5 * inverse]
    terms += [-factor * inverse ** (2 * n + 2) for n, factor in enumerate(_DIGAMMA_SERIES)]
    return math.fsum(terms)


lgamma = _each(_lgamma)
digamma = _each(_digamma)


def _erfinv(x: float) -> float:
    if math.isnan(x) or abs(x) >= 1:
        return math.copysign(math.inf, x) if abs(x) == 1 else math.nan
    if abs(x) < 1e-8:
        return x * (math.sqrt(math.pi) / 2)
    # Winitzki's approximation, then Halley's method on erfc, which is accurate in the tail.
    logarithm = math.log1p(-x * x)
    middle = 2 / (math.pi * 0.147) + logarithm / 2
    y = math.sqrt(math.sqrt(middle * middle - logarithm / 0.147) - middle)
    for _ in range(4):
        in_tail = abs(x) > 0.5
        excess = (1 - abs(x)) - math.erfc(y) if in_tail else math.erf(y) - abs(x)
        step = excess / (2 / math.sqrt(math.pi) * math.exp(-y * y))
        y -= step / (1 + y * step)
    return math.copysign(y, x)


erfinv = _each(_erfinv)


def _scaled_bessel(order: int, x: float) -> float:
    """exp(-|x|) times the modified Bessel function of the first kind, of order 0 or 1."""
    size = abs(x)
    if math.isnan(x):
        return x
    if math.isinf(x):
        return math.copysign(0.0, x) if order else 0.0
    if size < 25:
        quarter, term, terms = size * size / 4, 1.0, [1.0]
        for k in range(1, 90):
            term *= quarter / (k * (k + order))
            terms.append(term)
        value = math.fsum(terms) * math.exp(-size) * (size / 2 if order else 1)
    else:
        term, terms = 1.0, [1.0]
        for k in range(1, 30):
            term *= -(4 * order * order - (2 * k - 1) ** 2) / (k * 8 * size)
            terms.append(term)
        value = math.fsum(terms) / (math.sqrt(2 * math.pi) * math.sqrt(size))
    return math.copysign(value, x) if order else value


def _bessel(order: int, x: float) -> float:
    scaled, size = _scaled_bessel(order, x), abs(x)
    if math.isinf(x):
        return math.copysign(math.inf, x) if order else math.inf
    if size > 720:
        return math.copysign(math.inf, scaled)
    # In two factors: exp(|x|) alone overflows a little before the result does.
    return scaled * math.exp(size / 2) * math.exp(size - size / 2)


i0 = _each(lambda x: _bessel(0, x))
i1 = _each(lambda x: _bessel(1, x))
i0e = _each(lambda x: _scaled_bessel(0, x))
i1e = _each(lambda x: _scaled_bessel(1, x))
