"""lgamma and digamma, in float64."""

from __future__ import annotations

from flambeau.compiler.mathlib.formats import PI
from flambeau.compiler.mathlib.lanes import (
    Lanes,
    call_intrinsic,
    copysign,
    fma,
    horner,
    select,
    through_double,
)
from flambeau.compiler.mathlib.logarithm import log
from flambeau.compiler.mathlib.trigonometric import sin_cos_pi

# lgamma(2 + t) / t for |t| <= 0.5: own minimax, 2^-55.9.
LGAMMA_AT_2 = (
    0.42278433509846713,
    0.3224670334241133,
    -0.0673523010531949,
    0.02058080842776347,
    -0.007385551029022887,
    0.002890510332020089,
    -0.0011927538971677693,
    0.0005096694901322325,
    -0.00022315505997569024,
    9.945801450793837e-05,
    -4.4922740874243974e-05,
    2.0502992666275664e-05,
    -9.463166806253308e-06,
    4.39595437948011e-06,
    -1.946510776702586e-06,
    8.942404613861367e-07,
    -6.414913577802068e-07,
    3.0310551033109293e-07,
    5.4460081100960744e-08,
)

# x (lgamma(x) - (x - 1/2) log(x) + x - log(2 pi) / 2) in 1 / x^2 for x >= 8: own minimax, 2^-51.0.
STIRLING = (
    0.0833333333333333,
    -0.0027777777776146623,
    0.0007936506685390426,
    -0.0005952031829061341,
    0.000837324148623825,
    -0.0016536040235764931,
)

# x^2 (log(x) - 1 / (2 x) - digamma(x)) in 1 / x^2 for x >= 10: own minimax, 2^-51.1.
DIGAMMA_TAIL = (
    0.0833333333333333,
    -0.008333333333089502,
    0.003968253678961084,
    -0.004166541369026643,
    0.007551116367106281,
    -0.018824942627979072,
)

STIRLING_FROM = 8.0
STIRLING_CONSTANT = 0.4189385332046727  # (log(2 pi) - 1) / 2
DIGAMMA_FROM = 10.0
INFINITY = float("inf")


def _lgamma_positive(a: Lanes) -> Lanes:
    """lgamma for a > 0: Stirling's series, or steps of the recurrence to the curve around 2."""
    near, product = a, a.lift(1.0)
    for _ in range(6):  # from 8 down to [1.5, 2.5]
        above = near > 2.5
        near, product = (
            select(above, near - 1.0, near),
            select(above, product * (near - 1.0), product),
        )
    tiny, low = a < 0.5, a < 1.5
    t = select(tiny, a, select(low, a - 1.0, near - 2.0))
    product = select(tiny, a * (a + 1.0), select(low, a, product))
    large = a >= STIRLING_FROM
    logarithm = log(select(large, a, product))
    curve = t * horner(t, LGAMMA_AT_2)
    stepped = curve + select(low, -logarithm, logarithm)
    inverse = 1.0 / a
    series = fma(inverse, horner(inverse * inverse, STIRLING), STIRLING_CONSTANT)
    return select(large, fma(a - 0.5, logarithm - 1.0, series), stepped)


def _fraction(x: Lanes) -> Lanes:
    """x minus the nearest integer, exactly."""
    return x - call_intrinsic("rint", x)


@through_double
def lgamma(x: Lanes) -> Lanes:
    """log|gamma(x)|; infinite at 0, the negative integers and +-inf.

    Left of zero by the reflection formula; close to zeros there only the absolute error is small.
    """
    a = abs(x)
    right = _lgamma_positive(a)
    sine, _ = sin_cos_pi(_fraction(a))
    left = log(PI[0] / (a * abs(sine))) - right
    # So close to zero, lgamma(x) and lgamma(-x) are the same number.
    result = select(x < -(2.0**-55), left, right)
    # Every number below -2^52 is an integer, hence a pole.
    return select(a.equals(INFINITY) | (x < -(2.0**52)), INFINITY, result)


@through_double
def digamma(x: Lanes) -> Lanes:
    """The derivative of log(gamma(x)); -+inf at +-0, NaN at the negative integers.

    Close to its zeros only the absolute error is small.
    """
    negative = x < 0.0
    a = select(negative, 1.0 - x, x)
    numerator, denominator = x.lift(0.0), x.lift(1.0)  # of the sum of 1 / (a + i)
    for _ in range(int(DIGAMMA_FROM)):
        small = a < DIGAMMA_FROM
        numerator = select(small, fma(numerator, a, denominator), numerator)
        denominator = select(small, denominator * a, denominator)
        a = select(small, a + 1.0, a)
    inverse = 1.0 / a
    square = inverse * inverse
    series = fma(square, horner(square, DIGAMMA_TAIL), 0.5 * inverse)
    result = (log(a) - series) - numerator / denominator
    sine, cosine = sin_cos_pi(_fraction(x))
    reflected = result - PI[0] * cosine / sine
    result = select(x.equals(0.0), copysign(INFINITY, -x), select(negative, reflected, result))
    return select(negative & sine.equals(0.0), float("nan"), result)
