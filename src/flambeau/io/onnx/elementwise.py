"""Elementwise ops: most are an operator of ONNX, the others are made of some."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from onnx import TensorProto

from flambeau.core.dtypes import dtype
from flambeau.io.onnx.builder import FLOATS, KINDS, NARROW, Builder, Tensor

Emitter = Callable[..., Tensor]


def in_float32(emit: Emitter) -> Emitter:
    """An op on 16-bit floats computed in float32 and rounded once, as flambeau does."""

    def emitter(g: Builder, *inputs: Tensor, **attributes: Any) -> Tensor:
        kind = inputs[0].kind
        if kind not in NARROW:
            return emit(g, *inputs, **attributes)
        wide = [g.cast(one, TensorProto.FLOAT) for one in inputs]
        return g.cast(emit(g, *wide, **attributes), kind)

    return emitter


def operator(name: str, on_bools: str = "", **attributes: Any) -> Emitter:
    """The operator of this name; another one for bools."""

    def emitter(g: Builder, *inputs: Tensor) -> Tensor:
        if on_bools and inputs[0].kind == TensorProto.BOOL:
            return g.op(on_bools, *inputs)
        return g.op(name, *inputs, **attributes)

    return emitter


def rounding(name: str) -> Emitter:
    """An operator on floats; integers stay as they are."""
    return lambda g, x: g.op(name, x) if x.kind in FLOATS else x


# ---------------------------------------------------------------------- numbers


def _sign(g: Builder, x: Tensor) -> Tensor:
    # ONNX does not say what the sign of NaN is; here it is 0.
    if x.kind == TensorProto.BOOL:
        return x
    above, below = g.op("Greater", x, 0), g.op("Less", x, 0)
    return g.op("Sub", g.cast(above, x.kind), g.cast(below, x.kind))


def _trunc(g: Builder, x: Tensor) -> Tensor:
    if x.kind not in FLOATS:
        return x
    return g.op("Where", g.op("Less", x, 0), g.op("Ceil", x), g.op("Floor", x))


def _relu(g: Builder, x: Tensor) -> Tensor:
    return g.op("Relu", x) if x.kind in FLOATS else g.op("Max", x, 0)


def _where(g: Builder, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    if a.kind != TensorProto.BOOL:
        return g.op("Where", condition, a, b)
    # Masks are common, and not all runtimes choose between bools.
    return g.op("Or", g.op("And", condition, a), g.op("And", g.op("Not", condition), b))


def _clamp(g: Builder, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return g.op("Min", g.op("Max", x, low), high)


def _cast(g: Builder, x: Tensor, kind: dtype) -> Tensor:
    # As in PyTorch the way to the 16-bit types is by float32.
    if KINDS[kind] in NARROW:
        x = g.cast(x, TensorProto.FLOAT)
    return g.cast(x, KINDS[kind])


def _is_negative(g: Builder, x: Tensor) -> Tensor:
    """Whether the sign bit is set, also a zero's."""
    return g.op("Or", g.op("Less", x, 0), g.op("Less", g.op("Reciprocal", x), 0))


def _copysign(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    size = g.op("Abs", a)
    return g.op("Where", _is_negative(g, b), g.op("Neg", size), size)


# ---------------------------------------------------------------------- division


def _signs_differ(g: Builder, rest: Tensor, b: Tensor) -> Tensor:
    """Whether a remainder is nonzero and of the other sign than its divisor."""
    nonzero = g.op("Not", g.op("Equal", rest, 0))
    return g.op("And", nonzero, g.op("Xor", g.op("Less", rest, 0), g.op("Less", b, 0)))


def _floor_div(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    # Step by step what ops/division.py does.
    rest, ratio = g.op("Mod", a, b, fmod=1), g.op("Div", a, b)
    quotient = g.op("Div", g.op("Sub", a, rest), b)
    lower = g.op("Sub", quotient, 1)
    quotient = g.op("Where", _signs_differ(g, rest, b), lower, quotient)
    whole = g.op("Floor", quotient)
    is_above = g.op("Greater", g.op("Sub", quotient, whole), 0.5)
    whole = g.op("Where", is_above, g.op("Add", whole, 1), whole)
    signed_zero = _copysign(g, g.number(0, a.kind), ratio)
    whole = g.op("Where", g.op("Equal", quotient, 0), signed_zero, whole)
    return g.op("Where", g.op("Equal", b, 0), ratio, whole)


def _remainder(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    rest = g.op("Mod", a, b, fmod=1)
    return g.op("Where", _signs_differ(g, rest, b), g.op("Add", rest, b), rest)


def _integer_floor_div(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    quotient = g.op("Div", a, b)  # towards zero
    rest = g.op("Sub", a, g.op("Mul", quotient, b))
    return g.op("Where", _signs_differ(g, rest, b), g.op("Sub", quotient, 1), quotient)


# ---------------------------------------------------------------------- functions


def _expm1(g: Builder, x: Tensor) -> Tensor:
    # e**x - 1 = tanh(x/2) (e**x + 1), in which nothing cancels.
    return g.op("Mul", g.op("Tanh", g.op("Mul", x, 0.5)), g.op("Add", g.op("Exp", x), 1))


def _log1p(g: Builder, x: Tensor) -> Tensor:
    # With u the rounded 1 + x: log(u) x / (u-1), in which u's error cancels (HP-15C handbook).
    u = g.op("Add", x, 1)
    corrected = g.op("Mul", g.op("Log", u), g.op("Div", x, g.op("Sub", u, 1)))
    corrected = g.op("Where", g.op("Equal", u, x), g.op("Log", u), corrected)
    return g.op("Where", g.op("Equal", u, 1), x, corrected)


def _exp2(g: Builder, x: Tensor) -> Tensor:
    return g.op("Pow", g.number(2, x.kind), x)


def _logarithm(base: float) -> Emitter:
    return lambda g, x: g.op("Div", g.op("Log", x), math.log(base))


def _rsqrt(g: Builder, x: Tensor) -> Tensor:
    return g.op("Reciprocal", g.op("Sqrt", x))


def _hypot(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    a, b = g.op("Abs", a), g.op("Abs", b)
    large, small = g.op("Max", a, b), g.op("Min", a, b)
    ratio = g.op("Div", small, g.op("Where", g.op("Equal", large, 0), 1, large))
    length = g.op("Mul", large, g.op("Sqrt", g.op("Add", g.op("Mul", ratio, ratio), 1)))
    # An infinite side wins, also over NaN.
    infinite = g.op("Or", g.op("Equal", a, math.inf), g.op("Equal", b, math.inf))
    return g.op("Where", infinite, math.inf, length)


def _atan2(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    height, width = g.op("Abs", a), g.op("Abs", b)
    # Equal ones may be zeros, at 0 degrees, or infinities, at 45.
    ratio = g.op("Div", height, width)
    ratio = g.op("Where", g.op("Equal", height, width), g.op("Sign", height), ratio)
    angle = g.op("Atan", ratio)
    mirrored = g.op("Sub", g.number(math.pi, a.kind), angle)
    return _copysign(g, g.op("Where", _is_negative(g, b), mirrored, angle), a)


def _integer_pow(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    power = g.op("Pow", a, g.op("Max", b, 0))
    if a.kind == TensorProto.UINT8:
        return power
    # What truncation leaves of a fraction.
    is_odd = g.op("Equal", g.op("BitwiseAnd", b, 1), 1)
    unit = g.op("Where", is_odd, a, 1)
    fraction = g.op("Where", g.op("Equal", g.op("Abs", a), 1), unit, 0)
    return g.op("Where", g.op("Less", b, 0), fraction, power)


# ---------------------------------------------------------------------- truth and bits


def _truth(g: Builder, x: Tensor) -> Tensor:
    return x if x.kind == TensorProto.BOOL else g.op("Not", g.op("Equal", x, 0))


def logical(name: str) -> Emitter:
    """A function of truth values."""
    return lambda g, *inputs: g.op(name, *[_truth(g, one) for one in inputs])


def _not_equal(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    return g.op("Not", g.op("Equal", a, b))


# ONNX shifts unsigned integers: of as many bits, and the number of these.
_UNSIGNED: dict[int, tuple[int, int]] = {
    TensorProto.UINT8: (TensorProto.UINT8, 8),
    TensorProto.INT8: (TensorProto.UINT8, 8),
    TensorProto.INT16: (TensorProto.UINT16, 16),
    TensorProto.INT32: (TensorProto.UINT32, 32),
    TensorProto.INT64: (TensorProto.UINT64, 64),
}


def _shifted(g: Builder, a: Tensor, b: Tensor, direction: str) -> Tensor:
    """The bits of a shifted; 0 where b is negative or past the width."""
    unsigned, width = _UNSIGNED[a.kind]
    inside = g.op("Less", b, width)
    if unsigned != a.kind:
        inside = g.op("And", inside, g.op("GreaterOrEqual", b, 0))
    amount = g.cast(g.op("Where", inside, b, 0), unsigned)
    bits = g.op("BitShift", g.cast(a, unsigned), amount, direction=direction)
    return g.op("Where", inside, g.cast(bits, a.kind), 0)


def _shift_left(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    return _shifted(g, a, b, "LEFT")


def _shift_right(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    if a.kind == TensorProto.UINT8:
        return _shifted(g, a, b, "RIGHT")
    # The ones that a negative number is filled up with are zeros of its complement.
    negative = g.op("Less", a, 0)
    shifted = _shifted(g, g.op("Where", negative, g.op("BitwiseNot", a), a), b, "RIGHT")
    return g.op("Where", negative, g.op("BitwiseNot", shifted), shifted)


ELEMENTWISE: dict[str, Emitter] = {
    "add": operator("Add", "Or"), "sub": operator("Sub"), "mul": operator("Mul", "And"),
    "div": operator("Div"), "neg": operator("Neg"), "abs": operator("Abs"), "sign": _sign,
    "maximum": operator("Max", "Or"), "minimum": operator("Min", "And"), "clamp": _clamp,
    "clamp_min": operator("Max"), "clamp_max": operator("Min"), "relu": _relu,
    "lt": operator("Less"), "le": operator("LessOrEqual"), "gt": operator("Greater"),
    "ge": operator("GreaterOrEqual"), "eq": operator("Equal"), "ne": _not_equal,
    "where": _where, "cast": _cast, "copysign": in_float32(_copysign),
    "floor": rounding("Floor"), "ceil": rounding("Ceil"), "round": rounding("Round"),
    "trunc": _trunc, "floor_div": in_float32(_floor_div), "remainder": in_float32(_remainder),
    "fmod": operator("Mod", fmod=1), "integer_floor_div": _integer_floor_div,
    "integer_remainder": operator("Mod"), "integer_fmod": operator("Mod", fmod=1),
    "sqrt": operator("Sqrt"), "rsqrt": in_float32(_rsqrt), "hypot": in_float32(_hypot),
    "pow": operator("Pow"), "integer_pow": _integer_pow,
    "exp": operator("Exp"), "exp2": in_float32(_exp2), "expm1": in_float32(_expm1),
    "log": operator("Log"), "log2": in_float32(_logarithm(2)),
    "log10": in_float32(_logarithm(10)), "log1p": in_float32(_log1p),
    "sigmoid": operator("Sigmoid"), "erf": operator("Erf"),
    "sin": operator("Sin"), "cos": operator("Cos"), "tan": operator("Tan"),
    "asin": operator("Asin"), "acos": operator("Acos"), "atan": operator("Atan"),
    "atan2": in_float32(_atan2), "sinh": operator("Sinh"), "cosh": operator("Cosh"),
    "tanh": operator("Tanh"), "asinh": operator("Asinh"), "acosh": operator("Acosh"),
    "atanh": operator("Atanh"),
    "logical_not": logical("Not"), "logical_and": logical("And"), "logical_or": logical("Or"),
    "logical_xor": logical("Xor"), "bitwise_not": operator("BitwiseNot", "Not"),
    "bitwise_and": operator("BitwiseAnd", "And"), "bitwise_or": operator("BitwiseOr", "Or"),
    "bitwise_xor": operator("BitwiseXor", "Xor"), "shift_left": _shift_left,
    "shift_right": _shift_right,
}  # fmt: skip
