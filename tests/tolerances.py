"""How far a compiled result may be from its meaning: one table, in units in the last place (ulps).

An op that is not listed must match to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.engine.reference import kind_of, widened


@dataclass(frozen=True)
class Tolerance:
    """Ulps allowed for a float32 or float64 result, and for a 16-bit one.

    Errors of values smaller than `floor` are measured in ulps of `floor`; `whole` takes the
    largest value of the array for it (sums of terms that may cancel).
    """

    wide: float = 0
    narrow: float = 0
    floor: float = 0
    whole: bool = False
    signed_zeros: bool = True


EXACT = Tolerance()
EXACT_BUT_FOR_ZEROS = Tolerance(signed_zeros=False)
FUNCTION = Tolerance(wide=2, narrow=1)
# Their zeros, other than at 0, are not zeros of what they are computed from.
GAMMA = Tolerance(wide=8, narrow=1, floor=1)
BESSEL = Tolerance(wide=16, narrow=1)
SUM = Tolerance(wide=32, narrow=2, whole=True)

TOLERANCES = {
    **dict.fromkeys(["maximum", "minimum", "clamp", "clamp_min", "clamp_max"], EXACT_BUT_FOR_ZEROS),
    **dict.fromkeys(["amax", "amin"], EXACT_BUT_FOR_ZEROS),
    **dict.fromkeys(["exp", "exp2", "expm1", "log", "log2", "log10", "log1p"], FUNCTION),
    **dict.fromkeys(["sin", "cos", "tan", "asin", "acos", "atan", "atan2"], FUNCTION),
    **dict.fromkeys(["sinh", "cosh", "tanh", "asinh", "acosh", "atanh"], FUNCTION),
    **dict.fromkeys(["erf", "erfc", "erfinv", "rsqrt", "hypot", "pow"], FUNCTION),
    # Three roundings on top of exp's.
    "sigmoid": Tolerance(wide=4, narrow=1),
    **dict.fromkeys(["lgamma", "digamma"], GAMMA),
    **dict.fromkeys(["i0", "i0e", "i1", "i1e"], BESSEL),
    **dict.fromkeys(["sum", "prod", "recurrence", "matmul", "index_put"], SUM),
    "as_strided_scatter": SUM,
}

# Binary digits of the significand, and the exponent of the smallest positive number.
_FORMATS = {
    dtypes.float16: (11, -24),
    dtypes.bfloat16: (8, -133),
    dtypes.float32: (24, -149),
    dtypes.float64: (53, -1074),
}


def tolerance(name: str) -> Tolerance:
    """What the table says of an op."""
    return TOLERANCES.get(name, EXACT)


def ulp(values: np.ndarray, kind: dtype) -> np.ndarray:
    """The distance between neighbours of type `kind` at float64 `values`."""
    digits, smallest = _FORMATS[kind]
    _, exponents = np.frexp(values)
    return np.ldexp(1.0, np.maximum(exponents - digits, smallest))


def assert_close(actual: np.ndarray, expected: np.ndarray, allowed: Tolerance) -> None:
    """AssertionError saying how far, and where, two stored arrays are too far apart."""
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    assert actual.dtype == expected.dtype, f"dtype {actual.dtype}, expected {expected.dtype}"
    kind = kind_of(expected)
    if not kind.is_floating_point:
        np.testing.assert_array_equal(actual, expected)
        return
    found, wanted = widened(actual).astype(np.float64), widened(expected).astype(np.float64)
    bad = _wrong_specials(found, wanted, allowed)
    finite = np.isfinite(wanted) & np.isfinite(found)
    sizes = np.where(finite, np.abs(wanted), 0)
    floor = sizes.max(initial=0) if allowed.whole else allowed.floor
    with np.errstate(invalid="ignore"):
        distance = np.abs(found - wanted) / ulp(np.maximum(sizes, floor), kind)
    bad |= finite & (distance > (allowed.narrow if kind.itemsize == 2 else allowed.wide))
    if bad.any():
        worst = np.unravel_index(np.argmax(np.where(bad & finite, distance, 0) + bad), bad.shape)
        raise AssertionError(
            f"{bad.sum()} of {bad.size} {kind} values are wrong; at {[int(i) for i in worst]}: "
            f"{found[worst]!r}, expected {wanted[worst]!r} ({distance[worst]:.3g} ulps)"
        )


def _wrong_specials(found: np.ndarray, wanted: np.ndarray, allowed: Tolerance) -> np.ndarray:
    """Where NaN, an infinity or a zero's sign is not what it should be."""
    wrong = np.isnan(found) != np.isnan(wanted)
    infinite = (np.isinf(found) | np.isinf(wanted)) & ~np.isnan(wanted)
    wrong |= infinite & (found != wanted)
    if allowed.signed_zeros:
        zeros = (found == 0) & (wanted == 0)
        wrong |= zeros & (np.signbit(found) != np.signbit(wanted))
    return wrong
