"""erf, erfc, erfinv."""

from __future__ import annotations

from flambeau.compiler.mathlib.exponential import exp2m1_reduced, exp_sum
from flambeau.compiler.mathlib.formats import round_to_integer
from flambeau.compiler.mathlib.lanes import (
    Lanes,
    copysign,
    fma,
    horner,
    minimum,
    select,
    through_double,
    two_product,
)
from flambeau.compiler.mathlib.logarithm import log
from flambeau.compiler.mathlib.power import sqrt

# log2(erfc(x)) / x for 0 <= x <= 3.9: own minimax, 2^-27.4 of erf.
SINGLE_LOG2 = (
    -1.627907,
    -0.91844743,
    -0.14827925,
    0.027641464,
    0.00021192608,
    -0.002383849,
    0.00090064324,
    -0.00016608048,
    1.293035530e-05,
)
SINGLE_ONE = 3.90625  # from here on erf(x) is 1

# erf(x) / x - 1 in x^2: own minimax, for |x| <= 1 2^-56.3 of erf.
DOUBLE_SMALL = (
    0.1283791670955126,
    -0.376126389031841,
    0.11283791670971109,
    -0.026866170648035547,
    0.005223977652758818,
    -0.0008548328540993815,
    0.0001205538643366739,
    -1.4926888437418332e-05,
    1.6481189346354443e-06,
    -1.6558701978881693e-07,
    1.602501738398695e-08,
    -1.6514762550512438e-09,
    1.443530500923222e-10,
)

# ((1 + 2 x) exp(x^2) erfc(x) - 1) / (q + 1) in q = (x - 4) / (x + 4) for 0 <= x <= 27.6: own
# minimax, 2^-53.9.
# The form is that of M. Shepherd and J. Laframboise, Math. Comp. 36 (1981).
COMPLEMENT = (
    0.2329951186255525,
    -0.3726162354661166,
    0.38799588756873993,
    -0.31989883331386143,
    0.21885976727737838,
    -0.12512693228544827,
    0.05879656647586281,
    -0.021629050835972333,
    0.005431316773349369,
    -0.0003993476985179301,
    -0.0003584258021484487,
    0.00015917390671445873,
    -8.549955856482418e-06,
    -1.58651730584259e-05,
    4.632108261338818e-06,
    1.1103429966241223e-06,
    -7.864471597046256e-07,
    -7.8050065353489e-08,
    1.0521943125519195e-07,
    2.6277924531906947e-08,
    -3.670993407702146e-09,
    -9.01003083332338e-09,
    -3.668884965292784e-09,
)

# erfinv(x) / x in w = -log(1 - x^2), after M. Giles, GPU Computing Gems 2 (2011): own minimax
# in w - 3.125 for w < 6.25: 2^-55.9.
INVERSE_LOW = (
    1.6536545626831027,
    0.24015818242558828,
    -0.006033670871427554,
    -0.0007407025341541197,
    0.0001867342080232696,
    -1.3882523395358748e-05,
    -1.3654691825308719e-06,
    4.234788185536282e-07,
    -2.9070384671695474e-08,
    -4.112661625648375e-09,
    1.0512195128372462e-09,
    -5.4142534450797765e-11,
    -1.29773731767306e-11,
    2.63039262065517e-12,
    -8.106844423068136e-14,
    -3.9996342103591235e-14,
    6.578094174389004e-15,
    -4.2127839792416936e-17,
    -1.2824766265502908e-16,
    1.5707740101180314e-17,
    1.0218876769030308e-18,
    -3.5545885345404875e-19,
    3.803886041587179e-21,
    3.3392387020555466e-21,
    -8.26994451179109e-23,
)
# in sqrt(w) - 3.25 for 6.25 <= w < 16: 2^-54.9.
INVERSE_MIDDLE = (
    3.0838856104922208,
    1.005258967694165,
    0.00537091455352418,
    -0.003751208508177861,
    0.0024914420997864703,
    -0.0016882755369884293,
    0.0009532892996600007,
    -0.0003550377913911429,
    2.403199948414616e-05,
    6.828694267860694e-05,
    -4.7323920777590554e-05,
    1.246582521669965e-05,
    2.945701119663757e-06,
    -3.9878978154265105e-06,
    1.4487224830800306e-06,
    -2.4040131961841485e-08,
    -1.9574671772601747e-07,
    1.2839727285463487e-07,
    -6.258689849621342e-08,
    -1.410881721782288e-08,
    2.251198014133377e-08,
)
# in sqrt(w) - 5 for 16 <= w: 2^-54.5.
INVERSE_HIGH = (
    4.849906401408584,
    1.010300464864548,
    -0.00013871931839153705,
    -0.00021503011995386407,
    7.599527836666231e-05,
    -1.968176892880809e-05,
    4.526050021284011e-06,
    -9.930405107400553e-07,
    2.2906467439675272e-07,
    -6.751926641510073e-08,
    2.8986558363497352e-08,
    -1.5324422895767095e-08,
    7.873306712350024e-09,
    -3.397300550746978e-09,
    1.2664062455711307e-09,
    -4.794220061384657e-10,
    9.545129352152018e-11,
    5.260317054410419e-11,
    -2.6078511438456084e-11,
)


def _erf_single(x: Lanes) -> Lanes:
    """1 - 2^q, taken as exp2(q) - 1 so that it is accurate near zero."""
    size = minimum(abs(x), SINGLE_ONE)
    linear, *tail = SINGLE_LOG2
    q = fma(size, linear, size * size * horner(size, tail))
    k, integer = round_to_integer(q)
    return copysign(exp2m1_reduced(q - k, integer), x)


def _erf_double(x: Lanes) -> Lanes:
    size = abs(x)
    small = fma(size, horner(size * size, DOUBLE_SMALL), size)
    return copysign(select(size < 1.0, small, 1.0 - _complement(size)), x)


def erf(x: Lanes) -> Lanes:
    """The error function."""
    result = _erf_single(x) if x.is_single else _erf_double(x)
    return select(x.is_nan(), float("nan"), result)


def _complement(size: Lanes) -> Lanes:
    """erfc for float64 size >= 0."""
    size = select(size > 28.0, 28.0, size)
    distance = (size + size) / (size + 4.0)  # q + 1
    curve = fma(distance, horner(distance - 1.0, COMPLEMENT), 1.0) / fma(size, 2.0, 1.0)
    square, error = two_product(size, size)
    return exp_sum(-square, -error) * curve


@through_double
def erfc(x: Lanes) -> Lanes:
    """1 - erf(x), accurate where it is small."""
    complement = _complement(abs(x))
    return select(x < 0.0, 2.0 - complement, complement)


@through_double
def erfinv(x: Lanes) -> Lanes:
    """The inverse of erf; +-inf at +-1 and NaN beyond."""
    size = abs(x)
    w = -log((1.0 - size) * (1.0 + size))
    root = sqrt(w)
    low = horner(w - 3.125, INVERSE_LOW)
    middle = horner(root - 3.25, INVERSE_MIDDLE)
    high = horner(root - 5.0, INVERSE_HIGH)
    result = x * select(w < 6.25, low, select(w < 16.0, middle, high))
    result = select(size.equals(1.0), x * float("inf"), result)
    return select(size <= 1.0, result, float("nan"))
