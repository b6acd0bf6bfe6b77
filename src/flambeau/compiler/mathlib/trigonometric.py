"""sin, cos, tan."""

from __future__ import annotations

from flambeau.compiler.mathlib.angle_reduction import Angle, reduce_angle
from flambeau.compiler.mathlib.formats import DOUBLE, PI, SINGLE, format_of, round_to_integer
from flambeau.compiler.mathlib.lanes import (
    Lanes,
    fma,
    horner,
    select,
    through_double,
    two_product,
)

# (sin(r) - r) / r^3 in r^2 for |r| <= 0.787: own minimax, float32 2^-32.5, float64 2^-63.2.
SIN_TAIL = {
    SINGLE: (-0.166666672, 0.0083333794, -0.000198530586, 2.83239274e-06),
    DOUBLE: (
        -0.16666666666666666,
        0.008333333333333042,
        -0.00019841269840962722,
        2.7557319074274488e-06,
        -2.505207104109195e-08,
        1.6054331769068412e-10,
        -7.390703169337788e-13,
    ),
}

# (cos(r) - 1 + r^2 / 2) / r^4 in r^2 for |r| <= 0.787: own minimax, 2^-37.0 and 2^-63.8.
COS_TAIL = {
    SINGLE: (0.0416666679, -0.00138889789, 2.48215056e-05, -2.88258292e-07),
    DOUBLE: (
        0.04166666666666659,
        -0.0013888888888872186,
        2.480158728829529e-05,
        -2.7557314015048205e-07,
        2.087567806686956e-09,
        -1.1357335313341935e-11,
    ),
}


def _sin_cos(angle: Angle) -> tuple[Lanes, Lanes]:
    """sin and cos of r + low; float32 has no low part."""
    r, low = angle.r, angle.low
    square = r * r
    sin_curve = r * square * horner(square, SIN_TAIL[format_of(r)])
    cos_curve = square * square * horner(square, COS_TAIL[format_of(r)])
    half = 0.5 * square
    start = 1.0 - half
    if r.is_single:
        return r + sin_curve, start + cos_curve
    sine = r + fma(low, start, sin_curve)
    return sine, start + (((1.0 - start) - half) + fma(-r, low, cos_curve))


def _sine_at(angle: Angle, quadrant: Lanes) -> Lanes:
    """The sine at r + low, turned by `quadrant` quadrants."""
    sine, cosine = _sin_cos(angle)
    result = select((quadrant & 1).differs(0), cosine, sine)
    return _flip_sign(result, quadrant << (format_of(result).integer.width - 2))


def _flip_sign(x: Lanes, bits: Lanes) -> Lanes:
    """x with its sign changed where the top bit of `bits` is set."""
    return (x.to_bits() ^ (bits & x.lift(-0.0).to_bits())).to_float()


def sin(x: Lanes) -> Lanes:
    """The sine of x radians."""
    angle = reduce_angle(abs(x))
    return _flip_sign(_sine_at(angle, angle.quadrant), x.to_bits())


def cos(x: Lanes) -> Lanes:
    """The cosine of x radians."""
    angle = reduce_angle(abs(x))
    return _sine_at(angle, angle.quadrant + 1)


@through_double
def tan(x: Lanes) -> Lanes:
    """The tangent of x radians."""
    angle = reduce_angle(abs(x))
    sine, cosine = _sin_cos(angle)
    odd = (angle.quadrant & 1).differs(0)
    result = select(odd, -cosine, sine) / select(odd, sine, cosine)
    return _flip_sign(result, x.to_bits())


def sin_cos_pi(x: Lanes) -> tuple[Lanes, Lanes]:
    """sin(pi x) and cos(pi x) for float64 |x| <= 0.5."""
    k, _ = round_to_integer(x, 2.0)
    rest = fma(k, -0.5, x)
    r, error = two_product(rest, PI[0])
    sine, cosine = _sin_cos(Angle(k, r, fma(rest, PI[1], error)))
    whole = k.equals(0.0)
    turned_sine, turned_cosine = cosine * k, -sine * k
    return select(whole, sine, turned_sine), select(whole, cosine, turned_cosine)
