"""Between float32 or float64 lanes and the bits (i16 lanes) of bfloat16 and float16.

A float64 number is first rounded to odd in float32: the later rounding then sees on which side of
a tie the number was, so that the two roundings make one (S. Boldo and G. Melquiond, IEEE Trans.
Computers 57 (2008)).
"""

from __future__ import annotations

from llvmlite import ir

from flambeau.compiler.mathlib.lanes import F32, I32, Lanes, like, select

I16 = ir.IntType(16)
F16 = ir.HalfType()


def _round_to_odd(x: Lanes) -> Lanes:
    """float64 as float32: where inexact, the neighbour whose last bit is set."""
    near = x.narrow()
    back = near.widen()
    bits = near.to_bits()
    # back is x for exact numbers, and NaN neither exceeds nor is exceeded.
    step = select(abs(back) > abs(x), bits - 1, bits + 1)
    exact = ~((back < x) | (back > x))
    odd = (bits & 1).differs(0)
    return select(exact | odd, bits, step).to_float()


def bf16_to_f32(builder: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    """i16 bits of bfloat16 as float32, exactly."""
    wide = Lanes(builder, builder.zext(bits, like(bits.type, I32)))
    return (wide << 16).to_float().value


def f32_to_bf16(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """float32 rounded to bfloat16 (half to even) as i16 bits; NaN stays NaN, quiet."""
    x = Lanes(builder, value)
    bits = x.to_bits()
    last_kept = bits.logical_shift(16) & 1
    rounded = bits + (last_kept + 0x7FFF)
    result = select(x.is_nan(), bits | 0x400000, rounded).logical_shift(16)
    return builder.trunc(result.value, like(value.type, I16))


def f64_to_bf16(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """float64 rounded once to bfloat16, as i16 bits."""
    return f32_to_bf16(builder, _round_to_odd(Lanes(builder, value)).value)


def f16_to_f32(builder: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    """i16 bits of float16 as float32, exactly."""
    half = builder.bitcast(bits, like(bits.type, F16))
    return builder.fpext(half, like(bits.type, F32))


def f32_to_f16(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """float32 rounded to float16 (half to even), as i16 bits."""
    half = builder.fptrunc(value, like(value.type, F16))
    return builder.bitcast(half, like(value.type, I16))


def f64_to_f16(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """float64 rounded once to float16, as i16 bits."""
    return f32_to_f16(builder, _round_to_odd(Lanes(builder, value)).value)
