"""Rounding to integers, the remainder of a division, and neighbours of numbers: all exact."""

from __future__ import annotations

from flambeau.compiler.mathlib import lanes
from flambeau.compiler.mathlib.formats import scale, split
from flambeau.compiler.mathlib.lanes import (
    F64,
    Lanes,
    call_intrinsic,
    fma,
    maximum,
    minimum,
    select,
    through_double,
)
from flambeau.compiler.mathlib.scalar_calls import patch, scalar_function
from flambeau.runtime.llvm.blocks import for_range, i64


def floor(x: Lanes) -> Lanes:
    """The largest integer <= x."""
    return call_intrinsic("floor", x)


def ceil(x: Lanes) -> Lanes:
    """The smallest integer >= x."""
    return call_intrinsic("ceil", x)


def trunc(x: Lanes) -> Lanes:
    """x without its fraction."""
    return call_intrinsic("trunc", x)


def nearest(x: Lanes) -> Lanes:
    """The nearest integer, the even one of two."""
    return call_intrinsic("rint", x)


def magnitude(x: Lanes) -> Lanes:
    """x without its sign."""
    return abs(x)


def copysign(x: Lanes, sign: Lanes) -> Lanes:
    """x with the sign of `sign`."""
    return lanes.copysign(x, sign)


def nextafter(x: Lanes, towards: Lanes) -> Lanes:
    """The number next to x on the way to `towards`."""
    bits = x.to_bits()
    outwards = ~((towards > x) ^ (x > 0.0))
    stepped = select(outwards, bits + 1, bits - 1).to_float()
    smallest = lanes.copysign((bits & 0 | 1).to_float(), towards)
    result = select(x.equals(0.0), smallest, stepped)
    result = select(x.equals(towards), towards, result)
    return select(x.is_nan() | towards.is_nan(), float("nan"), result)


LARGEST_QUOTIENT = 2.0**52  # up to here a float64 quotient is exact but for one unit


def _integer_mantissa(x: Lanes) -> tuple[Lanes, Lanes]:
    """Positive finite float64 x as (m, k): x = m 2^k with an integer m of 53 bits."""
    mantissa, exponent = split(x, 1.0)
    digits = mantissa.to_bits() & ((1 << 52) - 1)
    return digits | (1 << 52), exponent - 52


def _fmod_far(x: Lanes, y: Lanes) -> list[Lanes]:
    """|x| modulo |y| for scalar float64 |x| >= |y|: long division, 11 binary digits a turn."""
    builder = x.builder
    rest, exponent = _integer_mantissa(abs(x))
    divisor, last = _integer_mantissa(abs(y))
    distance = maximum(exponent - last, 0)
    turns = x.wrap(builder.udiv((distance + 10).value, i64(11)))
    start = [builder.urem(rest.value, divisor.value), distance.value]
    with for_range(builder, i64(0), turns.value, carried=start) as loop:
        rest, left = (x.wrap(value) for value in loop.carried)
        step = minimum(left, 11)
        reduced = builder.urem((rest << step).value, divisor.value)
        loop.update([reduced, (left - step).value])
    rest = x.wrap(loop.carried[0])
    return [scale(x.wrap(builder.sitofp(rest.value, F64)), last)]


@through_double
def fmod(x: Lanes, y: Lanes) -> Lanes:
    """x - n y with the quotient n truncated, exactly; the sign is that of x.

    A rounded quotient is never below n, at most one above: the fma is exact, then corrected.
    """
    a, b = abs(x), abs(y)
    quotient = a / b
    rest = fma(-trunc(quotient), b, a)
    near = select(rest < 0.0, rest + b, rest)
    far = (quotient >= LARGEST_QUOTIENT) & (a < float("inf")) & (b > 0.0)
    slow = scalar_function(x.builder.module, "flambeau.fmod_far", 2, 1, _fmod_far)
    (result,) = patch(far, [near], slow, [a, b])
    result = select(a < b, a, result)
    defined = (a < float("inf")) & (b > 0.0)
    return select(defined, lanes.copysign(result, x), float("nan"))
