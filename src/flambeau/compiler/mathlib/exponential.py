"""exp, exp2, expm1: x = k ln 2 + r, a polynomial in r, then a scaling by 2^k."""

from __future__ import annotations

from flambeau.compiler.mathlib.formats import (
    DOUBLE,
    LN2,
    SINGLE,
    format_of,
    power_of_two,
    round_to_integer,
    scale,
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
    return 1.0 + fma(r * r, horner(r, TAIL[format_of(r)]), r)


def exp_parts(x: Lanes) -> tuple[Lanes, Lanes]:
    """exp(x) as (p, k): p 2^k with p in [0.7, 1.42]."""
    k, integer, r = reduce(clamp(x, EXP_RANGE[format_of(x)]))
    return exp_reduced(fma(k, -format_of(x).ln2_error, r)), integer


def exp(x: Lanes) -> Lanes:
    """e^x."""
    return scale(*exp_parts(x))


def exp_sum(x: Lanes, low: Lanes) -> Lanes:
    """exp(x + low) for a `low` tiny beside x."""
    bounded = clamp(x, EXP_RANGE[format_of(x)])
    k, integer, r = reduce(bounded)
    low = select(bounded.equals(x), low, 0.0)
    return scale(exp_reduced(r + fma(k, -format_of(x).ln2_error, low)), integer)


def exp2(x: Lanes) -> Lanes:
    """2^x."""
    x = clamp(x, EXP2_RANGE[format_of(x)])
    k, integer = round_to_integer(x)
    return scale(exp_reduced((x - k) * LN2), integer)


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
