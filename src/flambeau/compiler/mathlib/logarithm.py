"""log, log1p, log2, log10: x = m 2^k, then a series in m - 1."""

from __future__ import annotations

from flambeau.compiler.mathlib.formats import DOUBLE, SINGLE, format_of, split, to_number
from flambeau.compiler.mathlib.lanes import (
    Lanes,
    fast_two_sum,
    fma,
    horner,
    maximum,
    select,
    through_double,
    two_product,
)

# (log(1 + f) - f) / f^2 on |f| <= 1/3: own minimax, 2^-27.6 of log(1 + f).
SINGLE_TAIL = (
    -0.5,
    0.333331972,
    -0.249999195,
    0.200114325,
    -0.166744575,
    0.139898017,
    -0.122730039,
    0.140594304,
    -0.12492317,
)

# (2 atanh(s) - 2 s) / s^3 in z = s^2 for s = f / (2 + f), z <= 0.0295: own minimax, 2^-66.6.
DOUBLE_TAIL = (
    0.6666666666666666,
    0.4000000000000493,
    0.28571428569407525,
    0.22222222607595407,
    0.18181778300759466,
    0.15386991388146756,
    0.13252088124523215,
    0.13235344015835798,
)

# The same after its first term 2/3, which `log_pair` takes in two parts: own minimax, 2^-73.5.
PAIR_TAIL = (
    0.3999999999999998,
    0.2857142857144385,
    0.22222222217785279,
    0.1818181884469207,
    0.1538455837314244,
    0.13336266860370857,
    0.11675729015986795,
    0.11982209924437069,
)
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
LOG2_E = (1.4426950408889634, 2.0355273740931033e-17)
LOG10_E = (0.4342944819032518, 1.098319650216765e-17)
LOG10_2 = (0.3010299956639812, -2.8037281277851704e-18)

SQRT_HALF = 0.7071067811865476
LOWEST_MANTISSA = {SINGLE: 2.0 / 3.0, DOUBLE: SQRT_HALF}


def log_reduced(f: Lanes, k: Lanes) -> Lanes:
    """k ln 2 + log(1 + f) for 1 + f in the interval of the format."""
    form = format_of(f)
    if form is SINGLE:
        tail = fma(f * f, horner(f, SINGLE_TAIL), k * form.ln2_rest)
        return fma(k, form.ln2_short, f + tail)
    s = f / (2.0 + f)
    z = s * s
    half_square = 0.5 * f * f
    tail = fma(s, half_square + z * horner(z, DOUBLE_TAIL), k * form.ln2_rest)
    return k * form.ln2_short - ((half_square - tail) - f)


def with_special_cases(x: Lanes, result: Lanes) -> Lanes:
    """`result` but for log(0) = -inf, log(inf) = inf, and NaN for negatives and NaN."""
    result = select(x.equals(float("inf")), x, result)
    result = select(x.equals(0.0), float("-inf"), result)
    return select(x >= 0.0, result, float("nan"))


def log(x: Lanes) -> Lanes:
    """The natural logarithm."""
    mantissa, exponent = split(x, LOWEST_MANTISSA[format_of(x)])
    return with_special_cases(x, log_reduced(mantissa - 1.0, to_number(exponent)))


def log1p(x: Lanes) -> Lanes:
    """log(1 + x), accurate near zero.

    k comes from the rounded 1 + x, but f = (1 + x) 2^-k - 1 from x itself.
    """
    form = format_of(x)
    total = 1.0 + x
    lowest = x.lift(LOWEST_MANTISSA[form]).to_bits()
    exponent = (total.to_bits() - lowest) >> form.mantissa_bits
    shift = exponent << form.mantissa_bits
    # At the top of the range 2^-k would be denormal; there it counts for nothing.
    inverse_scale = maximum(form.one_bits - shift, 1 << form.mantissa_bits).to_float()
    f = (x.to_bits() - shift).to_float() + (inverse_scale - 1.0)
    result = with_special_cases(total, log_reduced(f, to_number(exponent)))
    return select(abs(x) < form.epsilon, x, result)


def log_pair(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """Positive finite float64 x = m 2^k as (k, high, low): log(m) = high + low to 2^-68."""
    mantissa, exponent = split(x, SQRT_HALF)
    f = mantissa - 1.0
    total, total_error = fast_two_sum(x.lift(2.0), f)
    s = f / total
    s_error = fma(-s, total_error, fma(-s, total, f)) / total
    z, z_error = two_product(s, s)
    z_error = fma(s + s, s_error, z_error)
    cubic, cubic_error = two_product(z, TWO_THIRDS[0])
    cubic_error = fma(z, TWO_THIRDS[1], fma(z_error, TWO_THIRDS[0], cubic_error))
    curve, curve_error = fast_two_sum(cubic, z * z * horner(z, PAIR_TAIL))
    curve_error = curve_error + cubic_error
    bend, bend_error = two_product(s, curve)
    bend_error = fma(s, curve_error, fma(s_error, curve, bend_error))
    high, low = fast_two_sum(s + s, bend)
    low = low + (bend_error + (s_error + s_error))
    return to_number(exponent), *fast_two_sum(high, low)


def _in_base(x: Lanes, log_e: tuple[float, float], log_2: tuple[float, float]) -> Lanes:
    """The logarithm in a base given by the logarithms of e and of 2 in that base."""
    k, high, low = log_pair(x)
    product, error = two_product(high, log_e[0])
    error = fma(high, log_e[1], fma(low, log_e[0], error))
    whole, whole_error = two_product(k, log_2[0])
    whole_error = fma(k, log_2[1], whole_error)
    total, total_error = fast_two_sum(whole, product)
    result = total + (total_error + (error + whole_error))
    return with_special_cases(x, result)


@through_double
def log2(x: Lanes) -> Lanes:
    """The logarithm to base 2, exact for powers of 2."""
    return _in_base(x, LOG2_E, (1.0, 0.0))


@through_double
def log10(x: Lanes) -> Lanes:
    """The logarithm to base 10, exact for powers of 10."""
    return _in_base(x, LOG10_E, LOG10_2)
