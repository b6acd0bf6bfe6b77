"""sinh, cosh, tanh and their inverses."""

from __future__ import annotations

from flambeau.compiler.mathlib.exponential import exp_parts, exp_reduced
from flambeau.compiler.mathlib.formats import (
    DOUBLE,
    LN2,
    SINGLE,
    format_of,
    power_of_two,
    round_to_integer,
    scale,
)
from flambeau.compiler.mathlib.lanes import (
    Lanes,
    copysign,
    fma,
    horner,
    select,
    through_double,
)
from flambeau.compiler.mathlib.logarithm import log1p
from flambeau.compiler.mathlib.power import sqrt

# (tanh(x) - x) / x^3 in x^2 for |x| <= 0.625: own minimax, float32 2^-27.7, float64 2^-61.2.
TANH_TAIL = {
    SINGLE: (-0.333332807, 0.133314058, -0.0537365116, 0.0206281245, -0.0056922026),
    DOUBLE: (
        -0.33333333333333315,
        0.13333333333329958,
        -0.05396825396614731,
        0.021869488470632067,
        -0.008863234337609032,
        0.0035921142105360105,
        -0.0014557271301862795,
        0.00058945626853955,
        -0.00023702298106571113,
        9.157648643770181e-05,
        -3.0203987790792028e-05,
        6.0493025626047e-06,
    ),
}
TANH_ONE = 18.5  # tanh of half of this, and of more, is 1 in float32

# (sinh(x) - x) / x^3 in x^2 for |x| <= 1: own minimax, float32 2^-31.6, float64 2^-61.8.
SINH_TAIL = {
    SINGLE: (0.166666672, 0.00833331048, 0.000198428956, 2.78221205e-06),
    DOUBLE: (
        0.16666666666666669,
        0.008333333333332912,
        0.00019841269841593394,
        2.7557319106680685e-06,
        2.5052131033190794e-08,
        1.6056654331291312e-10,
        7.776818177887814e-13,
    ),
}

LARGE = 2.0**28  # from here on sqrt(x^2 + 1) is x in float64


def odd_polynomial(x: Lanes, tail: tuple[float, ...]) -> Lanes:
    """x + x^3 tail(x^2)."""
    square = x * x
    return fma(x * square, horner(square, tail), x)


def tanh(x: Lanes) -> Lanes:
    """The hyperbolic tangent: 1 - 2 / (exp(2 |x|) + 1) but for a polynomial near zero."""
    size = abs(x)
    grown = _exp_to_one(size + size) if x.is_single else scale(*exp_parts(size + size))
    large = 1.0 - 2.0 / (grown + 1.0)
    small = odd_polynomial(size, TANH_TAIL[format_of(x)])
    return copysign(select(size < 0.625, small, large), x)


def _exp_to_one(double: Lanes) -> Lanes:
    """exp of float32 numbers from 0 on, only to where tanh(double / 2) is 1."""
    double = select(double > TANH_ONE, TANH_ONE, double)
    k, integer = round_to_integer(double, SINGLE.log2_e)
    # What ln 2 lacks counts for nothing.
    return exp_reduced(fma(k, -SINGLE.ln2, double)) * power_of_two(integer)


def half_exp(size: Lanes) -> Lanes:
    """exp(size) / 2 without overflow before its own."""
    mantissa, exponent = exp_parts(size)
    return scale(mantissa, exponent - 1)


def sinh(x: Lanes) -> Lanes:
    """The hyperbolic sine: exp(|x|) / 2 - exp(-|x|) / 2 but for a polynomial up to 1."""
    size = abs(x)
    grown = half_exp(size)
    small = odd_polynomial(size, SINH_TAIL[format_of(x)])
    return copysign(select(size < 1.0, small, grown - 0.25 / grown), x)


def cosh(x: Lanes) -> Lanes:
    """The hyperbolic cosine."""
    grown = half_exp(abs(x))
    return grown + 0.25 / grown


@through_double
def asinh(x: Lanes) -> Lanes:
    """The inverse hyperbolic sine: log1p(x + x^2 / (1 + sqrt(1 + x^2)))."""
    size = abs(x)
    square = size * size
    exact = size + square / (1.0 + sqrt(square + 1.0))
    large = size > LARGE
    result = log1p(select(large, size - 1.0, exact)) + select(large, x.lift(LN2), 0.0)
    return copysign(result, x)


@through_double
def acosh(x: Lanes) -> Lanes:
    """The inverse hyperbolic cosine: log1p(t + sqrt(2 t + t^2)) with t = x - 1; NaN below 1."""
    t = x - 1.0
    large = x > LARGE
    result = log1p(select(large, t, t + sqrt(t * (2.0 + t)))) + select(large, x.lift(LN2), 0.0)
    return select(x < 1.0, float("nan"), result)


@through_double
def atanh(x: Lanes) -> Lanes:
    """The inverse hyperbolic tangent: log1p(2 x / (1 - x)) / 2; NaN beyond +-1."""
    size = abs(x)
    double = size + size
    result = copysign(0.5 * log1p(double + double * size / (1.0 - size)), x)
    return select(size <= 1.0, result, float("nan"))
