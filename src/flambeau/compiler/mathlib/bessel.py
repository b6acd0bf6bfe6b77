"""Modified Bessel functions of the first kind, i0 and i1, plain and scaled by exp(-|x|)."""

from __future__ import annotations

from flambeau.compiler.mathlib.exponential import exp, exp_parts
from flambeau.compiler.mathlib.formats import scale
from flambeau.compiler.mathlib.lanes import Lanes, copysign, horner, select, through_double
from flambeau.compiler.mathlib.power import sqrt

# i0(x) in x^2 / 4 for |x| <= 8: own minimax, 2^-57.0.
I0_SMALL = (
    1.0,
    1.0,
    0.2499999999999999,
    0.027777777777778335,
    0.0017361111111100476,
    6.944444444551199e-05,
    1.9290123450308674e-06,
    3.936759914858416e-08,
    6.151186627880102e-10,
    7.594071808758718e-12,
    7.593875306416619e-14,
    6.277877458111024e-16,
    4.345894643951883e-18,
    2.638878356313449e-20,
    1.1286812345850912e-22,
    9.188300527426473e-25,
)

# i1(x) / (x / 2) in x^2 / 4 for |x| <= 8: own minimax, 2^-59.9.
I1_SMALL = (
    1.0,
    0.5,
    0.08333333333333333,
    0.0069444444444444735,
    0.00034722222222216163,
    1.1574074074137123e-05,
    2.755731922010546e-07,
    4.9209498768691875e-09,
    6.834652166545856e-11,
    7.594066408967245e-13,
    6.903580852003091e-15,
    5.2311274081183953e-17,
    3.345272863561093e-19,
    1.877136898788539e-21,
    7.681202855619773e-24,
    5.601607728705832e-26,
)

# sqrt(x) exp(-x) i0(x) in 16 / x - 1 for x >= 8: own minimax, 2^-53.8.
I0_LARGE = (
    0.4021765094450081,
    0.003360551983667832,
    0.00013621607438493065,
    1.1143033793465449e-05,
    1.4838479023643968e-06,
    2.9735979443130685e-07,
    8.871587077832136e-08,
    3.9326602980946266e-08,
    2.160974643170456e-08,
    7.549700064705254e-09,
    -7.098532440333274e-09,
    -1.3388831061439094e-08,
    -4.134032736218558e-09,
    7.50058639787689e-09,
    4.402899530427017e-09,
    -3.417617089147476e-09,
    -1.1441795930970088e-09,
    1.4221009218121913e-09,
    -1.4060699287423699e-09,
    -5.032947994398677e-10,
    1.7346462175044698e-09,
    1.2564205569720926e-10,
    -8.228209303613603e-10,
    -1.5564598892320834e-11,
    1.5319057857927825e-10,
)

# sqrt(x) exp(-x) i1(x) in 16 / x - 1 for x >= 8: own minimax, 2^-55.9.
I1_LARGE = (
    0.38939845902587233,
    -0.009749577193235683,
    -0.00021923576383557327,
    -1.5038547204781477e-05,
    -1.8349100534663746e-06,
    -3.48385475018221e-07,
    -1.0001434262380201e-07,
    -4.313031302509655e-08,
    -2.336002375362453e-08,
    -8.420597799661316e-09,
    6.656232998583589e-09,
    1.4006362037757927e-08,
    6.2537696941647755e-09,
    -7.57230867185552e-09,
    -8.545548093552515e-09,
    3.31012007877076e-09,
    7.275108813907877e-09,
    -1.312760466206243e-09,
    -4.8666417707590245e-09,
    4.4345449254740144e-10,
    2.3912606381360153e-09,
    -1.0646462923265114e-10,
    -7.434246461496936e-10,
    1.2782826024693965e-11,
    1.074174926490049e-10,
)

SMALL = 8.0
OVERFLOW = 715.0  # i0 and i1 are beyond float64 from here on


def _large(size: Lanes, curve: tuple[float, ...]) -> Lanes:
    """The scaled function for size >= 8."""
    return horner(16.0 / size - 1.0, curve) / sqrt(size)


def _grown(size: Lanes, curve: tuple[float, ...]) -> Lanes:
    """The plain function for size >= 8; exp(size) alone would overflow too soon."""
    mantissa, exponent = exp_parts(size)
    result = scale(mantissa * _large(size, curve), exponent)
    return select(size > OVERFLOW, float("inf"), result)


def _small(size: Lanes, curve: tuple[float, ...]) -> Lanes:
    return horner(0.25 * size * size, curve)


@through_double
def i0(x: Lanes) -> Lanes:
    """i0(x)."""
    size = abs(x)
    return select(size <= SMALL, _small(size, I0_SMALL), _grown(size, I0_LARGE))


@through_double
def i0e(x: Lanes) -> Lanes:
    """exp(-|x|) i0(x)."""
    size = abs(x)
    small = exp(-size) * _small(size, I0_SMALL)
    return select(size <= SMALL, small, _large(size, I0_LARGE))


@through_double
def i1(x: Lanes) -> Lanes:
    """i1(x)."""
    size = abs(x)
    small = 0.5 * size * _small(size, I1_SMALL)
    return copysign(select(size <= SMALL, small, _grown(size, I1_LARGE)), x)


@through_double
def i1e(x: Lanes) -> Lanes:
    """exp(-|x|) i1(x)."""
    size = abs(x)
    small = exp(-size) * (0.5 * size * _small(size, I1_SMALL))
    return copysign(select(size <= SMALL, small, _large(size, I1_LARGE)), x)
