"""x = k pi/2 + r: Cody and Waite's subtraction, and Payne and Hanek's product for huge x."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from llvmlite import ir

from flambeau.compiler.mathlib.formats import DOUBLE, SINGLE, format_of, round_to_integer
from flambeau.compiler.mathlib.lanes import (
    F64,
    I64,
    Lanes,
    fast_two_sum,
    fma,
    maximum,
    two_product,
    two_sum,
)
from flambeau.compiler.mathlib.scalar_calls import patch, scalar_function

TWO_OVER_PI = 0.6366197723675814

# pi/2 in parts, each the nearest number to what the parts before it leave.
SINGLE_PARTS = (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15)
DOUBLE_PARTS = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)

# 64 zero bits, then the first 1280 binary digits of 2/pi.
TWO_OVER_PI_WORDS = (
    0x0000000000000000,
    0xA2F9836E4E441529,
    0xFC2757D1F534DDC0,
    0xDB6295993C439041,
    0xFE5163ABDEBBC561,
    0xB7246E3A424DD2E0,
    0x06492EEA09D1921C,
    0xFE1DEB1CB129A73E,
    0xE88235F52EBB4484,
    0xE99C7026B45F7E41,
    0x3991D639835339F4,
    0x9C845F8BBDF9283B,
    0x1FF897FFDE05980F,
    0xEF2F118B5A0A6D1F,
    0x6D367ECF27CB09B7,
    0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B,
    0x3D0739F78A5292EA,
    0x6BFB5FB11F8D5D08,
    0x56033046FC7B6BAB,
    0xF0CFBC209AF4361D,
)

I128 = ir.IntType(128)


# Up to here Cody and Waite's subtraction is accurate.
LARGEST_SIMPLE = {SINGLE: 2.0**17, DOUBLE: 2.0**22}


class Angle(NamedTuple):
    """k pi/2 + r + low, |r| <= pi/4 but for a rounding error; k counts modulo 4."""

    k: Lanes
    r: Lanes
    low: Lanes

    @property
    def quadrant(self) -> Lanes:
        """k as an integer."""
        return (self.k + format_of(self.k).magic).to_bits()


def _reduce_simple(x: Lanes) -> Angle:
    """0 <= x <= LARGEST_SIMPLE reduced. The first fma is exact, whichever k."""
    k, _ = round_to_integer(x, TWO_OVER_PI)
    first, second, third = SINGLE_PARTS if x.is_single else DOUBLE_PARTS
    rest = fma(-k, first, x)
    if x.is_single:
        r = fma(-k, third, fma(-k, second, rest))
        return Angle(k, r, r.lift(0.0))
    part, part_error = two_product(k, second)
    r, low = two_sum(rest, -part)
    return Angle(k, r, fma(-k, third, low - part_error))


def _digit_table(module: ir.Module) -> ir.GlobalVariable:
    name = "flambeau.two_over_pi"
    found = module.globals.get(name)
    if found is None:
        kind = ir.ArrayType(I64, len(TWO_OVER_PI_WORDS))
        found = ir.GlobalVariable(module, kind, name)
        found.initializer = ir.Constant(kind, list(TWO_OVER_PI_WORDS))
        found.linkage = "internal"
        found.global_constant = True
    return found


def _digits(position: Lanes, count: int) -> list[Lanes]:
    """`count` words of 64 digits of the table from bit `position` on."""
    builder = position.builder
    table = _digit_table(builder.module)
    shift = position & 63
    words = []
    for number in range(count + 1):
        index = (position >> 6) + number
        words.append(position.wrap(builder.load(builder.gep(table, [I64(0), index.value]))))
    return [
        (high << shift) | low.logical_shift(1).logical_shift(63 - shift)
        for high, low in itertools.pairwise(words)
    ]


def _turn(x: Lanes) -> Lanes:
    """x 2/pi modulo 4 as an i128 in which 2^126 is one quadrant, for one float64 x >= 1."""
    builder = x.builder
    bits = x.to_bits()
    exponent = bits.logical_shift(52) - 1075
    mantissa = (bits & ((1 << 52) - 1)) | (1 << 52)
    # Digits before this position only add multiples of 4 quadrants. (The table's 64 zeros: + 62.)
    first, second, third = _digits(maximum(exponent + 62, 0), 3)

    def extend(word: Lanes) -> Lanes:
        return word.wrap(builder.zext(word.value, I128))

    wide = extend(mantissa)
    high = extend(mantissa * first) << 64
    return high + wide * extend(second) + (wide * extend(third)).logical_shift(64)


def _to_word(value: Lanes) -> Lanes:
    return value.wrap(value.builder.trunc(value.value, I64))


def _to_double(word: Lanes) -> Lanes:
    return word.wrap(word.builder.sitofp(word.value, F64))


def _pair_of(turn: Lanes) -> tuple[Lanes, Lanes]:
    """A signed i128 times 2^-126 as two float64; a sum of 32 digits each, from the top down."""

    def part(shift: int) -> Lanes:
        bits = turn >> shift
        if shift < 96:
            bits = bits & 0xFFFFFFFF
        return _to_double(_to_word(bits)) * 2.0 ** (shift - 126)

    high, low = fast_two_sum(part(96), part(64))
    high, low = fast_two_sum(high, low + part(32))
    return high, low + part(0)


def _reduce_huge(x: Lanes) -> Angle:
    """One finite float64 x >= 1 reduced, whatever its size: 2/pi to 192 digits where they count.

    M. Payne and R. Hanek, Radian Reduction for Trigonometric Functions, SIGNUM Newsletter (1983).
    """
    turn = _turn(x)
    quadrant = (turn + (1 << 125)).logical_shift(126)
    high, low = _pair_of(turn - (quadrant << 126))
    product, error = two_product(high, DOUBLE_PARTS[0])
    error = fma(high, DOUBLE_PARTS[1], fma(low, DOUBLE_PARTS[0], error))
    return Angle(_to_double(_to_word(quadrant)), product, error)


def reduce_angle(x: Lanes) -> Angle:
    """x >= 0 reduced, whatever its size; NaN for infinity and NaN."""
    huge = (x > LARGEST_SIMPLE[format_of(x)]) & (x < float("inf"))
    slow = scalar_function(x.builder.module, "flambeau.reduce_huge", 1, 3, _reduce_huge)
    return Angle(*patch(huge, _reduce_simple(x), slow, [x]))
