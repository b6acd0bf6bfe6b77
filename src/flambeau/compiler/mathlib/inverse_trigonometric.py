"""asin, acos, atan, atan2: all in float64."""

from __future__ import annotations

from flambeau.compiler.mathlib.formats import PI
from flambeau.compiler.mathlib.lanes import (
    Lanes,
    copysign,
    fma,
    horner,
    maximum,
    select,
    through_double,
)
from flambeau.compiler.mathlib.power import sqrt

# (asin(x) - x) / x^3 in x^2 for |x| <= 0.5: own minimax, 2^-59.8.
ASIN_TAIL = (
    0.1666666666666676,
    0.07499999999970866,
    0.04464285717456082,
    0.030381942709884213,
    0.02237221493474513,
    0.017351612889335746,
    0.013980810652016767,
    0.01139898981963306,
    0.010779830954456286,
    0.0037079676045881963,
    0.02170371337249687,
    -0.02099383895010601,
    0.032625385299241444,
)

# (atan(x) - x) / x^3 in x^2 for |x| <= tan(pi/8): own minimax, 2^-59.4.
ATAN_TAIL = (
    -0.333333333333332,
    0.19999999999953685,
    -0.14285714280201198,
    0.11111110783579384,
    -0.09090897759994054,
    0.07692060253380667,
    -0.06663104577118156,
    0.0584789422082456,
    -0.0503933270475213,
    0.038065435214368,
    -0.017908353649699678,
)

HALF_PI = (1.5707963267948966, 6.123233995736766e-17)
QUARTER_PI = (0.7853981633974483, 3.061616997868383e-17)
TAN_PI_8 = 0.41421356237309503
TAN_3_PI_8 = 2.414213562373095


def _half_angle(x: Lanes) -> tuple[Lanes, Lanes]:
    """Where |x| < 0.5, and asin of |x| there, of sqrt((1 - |x|) / 2) elsewhere."""
    size = abs(x)
    small = size < 0.5
    square = select(small, size * size, (1.0 - size) * 0.5)
    r = select(small, size, sqrt(square))
    return small, fma(r * square, horner(square, ASIN_TAIL), r)


@through_double
def asin(x: Lanes) -> Lanes:
    """The inverse sine; NaN beyond +-1."""
    small, angle = _half_angle(x)
    large = HALF_PI[0] - (2.0 * angle - HALF_PI[1])
    return copysign(select(small, angle, large), x)


@through_double
def acos(x: Lanes) -> Lanes:
    """The inverse cosine; NaN beyond +-1."""
    small, angle = _half_angle(x)
    middle = HALF_PI[0] - (copysign(angle, x) - HALF_PI[1])
    double = angle + angle
    ends = select(x < 0.0, PI[0] - (double - PI[1]), double)
    return select(small, middle, ends)


def _octants(y: Lanes, x: Lanes) -> Lanes:
    """The angle of (x, y) for y >= 0 and x >= 0, not both 0 nor both infinite.

    The angle of nearest 0, pi/4 or pi/2 is taken off by rotating the point.
    """
    steep = y > x * TAN_3_PI_8
    diagonal = y > x * TAN_PI_8
    rise = select(steep, -x, select(diagonal, y - x, y))
    run = select(steep, y, select(diagonal, y + x, x))
    zero = y.lift(0.0)
    base = select(steep, y.lift(HALF_PI[0]), select(diagonal, y.lift(QUARTER_PI[0]), zero))
    low = select(steep, y.lift(HALF_PI[1]), select(diagonal, y.lift(QUARTER_PI[1]), zero))
    slope = rise / run
    square = slope * slope
    return base + (slope + fma(slope * square, horner(square, ATAN_TAIL), low))


@through_double
def atan(x: Lanes) -> Lanes:
    """The inverse tangent."""
    return copysign(_octants(abs(x), x.lift(1.0)), x)


@through_double
def atan2(y: Lanes, x: Lanes) -> Lanes:
    """The angle of the point (x, y), in [-pi, pi]."""
    a, b = abs(y), abs(x)
    # The rotated point must not overflow; where a quarter is denormal, the other is out of reach.
    huge = maximum(a, b) > 2.0**1021
    rise, run = select(huge, 0.25 * a, a), select(huge, 0.25 * b, b)
    both_infinite = a.equals(float("inf")) & b.equals(float("inf"))
    rise, run = select(both_infinite, 1.0, rise), select(both_infinite, 1.0, run)
    run = select(a.equals(0.0) & b.equals(0.0), 1.0, run)
    angle = _octants(rise, run)
    angle = select(x.to_bits() < 0, PI[0] - (angle - PI[1]), angle)
    return copysign(select(x.is_nan() | y.is_nan(), float("nan"), angle), y)
