"""exp, exp2, expm1: x = k ln 2 + r, a polynomial in r, then a scaling by 2^k."""

from __future__ import annotations

from flambeau.compiler.mathlib import avx512
from flambeau.compiler.mathlib.formats import (
    DOUBLE,
    LN2,
    SINGLE,
    format_of,
    power_of_two,
    round_to_integer,
    scale,
    scale_normal,
)
from flambeau.compiler.mathlib.lanes import Lanes, fma, horner, select

# (exp(r) - 1 - r) / r^2 on |r| <= 0.35: own minimax (Remez), coefficients rounded one by one.
# Error relative to exp(r) - 1: float32 2^-28.1, float64 2^-61.3.
TAIL = {
    SINGLE: (0.5, 0.166666344, 0.0416665077, 0.00834186655, 0.00139310956, 0.00014864112),
    DOUBLE: (
        0.5,
        0.1666666666666668,
        0.04166666666666672,
        0.008333333333318923,
        0.0013888888888841807,
        0.00019841269893414808,
        2.480158743061597e-05,
        2.7557236630926875e-06,
        2.7557173044739317e-07,
        2.5111720495109436e-08,
        2.09472420176903e-09,
    ),
}

# exp(r) on |r| <= 0.3467: own minimax, 2^-28.2, where that of exp(r) - 1 is not needed.
SINGLE_EXP = (1.0, 1.0, 0.49999994, 0.16666521, 0.041668262, 0.008368675, 0.0013821055)
# (2^r - 1) / r on |r| <= 0.5: own minimax, 2^-26.2.
SINGLE_EXP2M1 = (0.6931472, 0.24022649, 0.055503674, 0.009618309, 0.001338739, 0.00015383102)

# Beyond these arguments the result is 0, or -1 for expm1, and infinity. Those of exp leave room for
# exp(x) / 2; those of the others keep 2^k and 2^(k-1) within the format.
EXP_RANGE = {SINGLE: (-105.0, 90.0), DOUBLE: (-747.0, 720.0)}
EXP2_RANGE = {SINGLE: (-151.0, 128.4), DOUBLE: (-1077.0, 1024.4)}
EXPM1_RANGE = {SINGLE: (-20.0, 88.9), DOUBLE: (-45.0, 709.9)}


def clamp(x: Lanes, limits: tuple[float, float]) -> Lanes:
    """x within `limits`; NaN passes."""
    raised = select(x < limits[0], limits[0], x)
    return select(raised > limits[1], limits[1], raised)


def reduce(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """x as (k, k as an integer, r): x = k ln 2 + r, |r| <= 0.35, but for the low part of ln 2.

    The fma is exact: x and k ln2_high are multiples of a unit of which |r| holds few enough.
    """
    form = format_of(x)
    k, integer = round_to_integer(x, form.log2_e)
    return k, integer, fma(-k, form.ln2, x)


def exp_reduced(r: Lanes) -> Lanes:
    """exp(r) for |r| <= 0.35."""
    if r.is_single:
        return horner(r, SINGLE_EXP)
    return 1.0 + fma(r * r, horner(r, TAIL[DOUBLE]), r)


def exp_parts(x: Lanes) -> tuple[Lanes, Lanes]:
    """exp(x) as (p, k): p 2^k with p in [0.7, 1.42]."""
    return _bounded_parts(clamp(x, EXP_RANGE[format_of(x)]))


def _bounded_parts(x: Lanes) -> tuple[Lanes, Lanes]:
    k, integer, r = reduce(x)
    return exp_reduced(fma(k, -format_of(x).ln2_error, r)), integer


def exp(x: Lanes) -> Lanes:
    """e^x."""
    limits = EXP_RANGE[format_of(x)]
    bounded = avx512.within(x, -limits[0]) if avx512.serves(x) else clamp(x, limits)
    return select(x.equals(x), scale_normal(*_bounded_parts(bounded)), float("nan"))


def exp_sum(x: Lanes, low: Lanes) -> Lanes:
    """exp(x + low) for a `low` tiny beside x."""
    bounded = clamp(x, EXP_RANGE[format_of(x)])
    k, integer, r = reduce(bounded)
    low = select(bounded.equals(x), low, 0.0)
    return scale(exp_reduced(r + fma(k, -format_of(x).ln2_error, low)), integer)


def exp2(x: Lanes) -> Lanes:
    """2^x."""
    bounded = clamp(x, EXP2_RANGE[format_of(x)])
    k, integer = round_to_integer(bounded)
    result = scale_normal(exp_reduced((bounded - k) * LN2), integer)
    return select(x.is_nan(), float("nan"), result)


def exp2m1_reduced(r: Lanes, integer: Lanes) -> Lanes:
    """2^(integer + r) - 1 for float32 |r| <= 0.5, accurate near zero; 2^integer is normal."""
    linear, *tail = SINGLE_EXP2M1
    power = power_of_two(integer)
    return fma(power, fma(r, linear, r * r * horner(r, tail)), power - 1.0)


def expm1(x: Lanes) -> Lanes:
    """e^x - 1, accurate near zero."""
    form = format_of(x)
    k, integer, exact = reduce(clamp(x, EXPM1_RANGE[form]))
    r = fma(k, -form.ln2_error, exact)
    low = fma(k, -form.ln2_error, exact - r)
    half_scale = power_of_two(integer - 1)  # 2^k itself could overflow
    curve = fma(r * r, horner(r, TAIL[form]), low)
    half = fma(half_scale, curve, fma(half_scale, r, half_scale - 0.5))
    return select(abs(x) < form.epsilon, x, half + half)
