"""Scalars and vectors under construction in LLVM IR, written with Python's operators.

A formula written on `Lanes` serves float, double and vectors of them alike, one IR instruction per
operator and no fast-math flag, hence the same bits in every width.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TypeAlias

from llvmlite import ir

from flambeau.runtime.llvm.blocks import constant_lanes

F32 = ir.FloatType()
F64 = ir.DoubleType()
I1 = ir.IntType(1)
I32 = ir.IntType(32)
I64 = ir.IntType(64)

Number: TypeAlias = "Lanes | float"


def scalar_type(kind: ir.Type) -> ir.Type:
    """The type of one lane of `kind`."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def like(kind: ir.Type, scalar: ir.Type) -> ir.Type:
    """`scalar` in as many lanes as `kind` has."""
    return ir.VectorType(scalar, kind.count) if isinstance(kind, ir.VectorType) else scalar


def const(kind: ir.Type, value: float) -> ir.Constant:
    """`value` in every lane of the scalar or vector type `kind`.

    >>> print(const(ir.VectorType(F32, 2), 0.5))
    <2 x float> splat (float 0x3fe0000000000000)
    """
    if isinstance(kind, ir.VectorType):
        return constant_lanes(kind, ir.Constant(kind.element, value))
    return ir.Constant(kind, value)


class Lanes:
    """A number, integer or truth value per lane, and the builder that computes with it."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.value = value

    @property
    def kind(self) -> ir.Type:
        """The LLVM type of all lanes."""
        return self.value.type

    @property
    def scalar(self) -> ir.Type:
        """The LLVM type of one lane."""
        return scalar_type(self.kind)

    @property
    def is_integer(self) -> bool:
        """Whether the lanes hold integers (or truth values)."""
        return isinstance(self.scalar, ir.IntType)

    @property
    def is_single(self) -> bool:
        """Whether the lanes are float32 numbers."""
        return isinstance(self.scalar, ir.FloatType)

    def wrap(self, value: ir.Value) -> Lanes:
        """`value` with this one's builder."""
        return Lanes(self.builder, value)

    def lift(self, other: Number) -> Lanes:
        """`other` as lanes of this type."""
        return other if isinstance(other, Lanes) else self.wrap(const(self.kind, other))

    def _binary(self, integer: str, floating: str, other: Number, swapped: bool = False) -> Lanes:
        left, right = self.value, self.lift(other).value
        if swapped:
            left, right = right, left
        operation = getattr(self.builder, integer if self.is_integer else floating)
        return self.wrap(operation(left, right))

    def __add__(self, other: Number) -> Lanes:
        return self._binary("add", "fadd", other)

    def __radd__(self, other: float) -> Lanes:
        return self._binary("add", "fadd", other, swapped=True)

    def __sub__(self, other: Number) -> Lanes:
        return self._binary("sub", "fsub", other)

    def __rsub__(self, other: float) -> Lanes:
        return self._binary("sub", "fsub", other, swapped=True)

    def __mul__(self, other: Number) -> Lanes:
        return self._binary("mul", "fmul", other)

    def __rmul__(self, other: float) -> Lanes:
        return self._binary("mul", "fmul", other, swapped=True)

    def __truediv__(self, other: Number) -> Lanes:
        return self.wrap(self.builder.fdiv(self.value, self.lift(other).value))

    def __rtruediv__(self, other: float) -> Lanes:
        return self.lift(other) / self

    def __neg__(self) -> Lanes:
        return 0 - self if self.is_integer else self.wrap(self.builder.fneg(self.value))

    def __abs__(self) -> Lanes:
        return call_intrinsic("fabs", self)

    def __and__(self, other: Lanes | int) -> Lanes:
        return self.wrap(self.builder.and_(self.value, self.lift(other).value))

    def __or__(self, other: Lanes | int) -> Lanes:
        return self.wrap(self.builder.or_(self.value, self.lift(other).value))

    def __xor__(self, other: Lanes | int) -> Lanes:
        return self.wrap(self.builder.xor(self.value, self.lift(other).value))

    def __invert__(self) -> Lanes:
        return self.wrap(self.builder.not_(self.value))

    def __lshift__(self, other: Lanes | int) -> Lanes:
        return self.wrap(self.builder.shl(self.value, self.lift(other).value))

    def __rshift__(self, other: Lanes | int) -> Lanes:
        """Arithmetic: the sign is shifted in."""
        return self.wrap(self.builder.ashr(self.value, self.lift(other).value))

    def logical_shift(self, other: Lanes | int) -> Lanes:
        """Shift right, zeros shifted in."""
        return self.wrap(self.builder.lshr(self.value, self.lift(other).value))

    def _compare(self, relation: str, other: Number) -> Lanes:
        right = self.lift(other).value
        if self.is_integer:
            return self.wrap(self.builder.icmp_signed(relation, self.value, right))
        compare = self.builder.fcmp_unordered if relation == "!=" else self.builder.fcmp_ordered
        return self.wrap(compare(relation, self.value, right))

    def __lt__(self, other: Number) -> Lanes:
        return self._compare("<", other)

    def __le__(self, other: Number) -> Lanes:
        return self._compare("<=", other)

    def __gt__(self, other: Number) -> Lanes:
        return self._compare(">", other)

    def __ge__(self, other: Number) -> Lanes:
        return self._compare(">=", other)

    def equals(self, other: Number) -> Lanes:
        """Lane by lane `==`; NaN equals nothing."""
        return self._compare("==", other)

    def differs(self, other: Number) -> Lanes:
        """Lane by lane `!=`; NaN differs from everything."""
        return self._compare("!=", other)

    def is_nan(self) -> Lanes:
        """Where the lanes are NaN."""
        return self.differs(self)

    def to_bits(self) -> Lanes:
        """The same bits as integers."""
        integer = I32 if self.is_single else I64
        return self.wrap(self.builder.bitcast(self.value, like(self.kind, integer)))

    def to_float(self) -> Lanes:
        """The same bits (i32 or i64) as float32 or float64."""
        number = F32 if self.scalar == I32 else F64
        return self.wrap(self.builder.bitcast(self.value, like(self.kind, number)))

    def widen(self) -> Lanes:
        """float32 lanes as float64."""
        return self.wrap(self.builder.fpext(self.value, like(self.kind, F64)))

    def narrow(self) -> Lanes:
        """float64 lanes rounded to float32."""
        return self.wrap(self.builder.fptrunc(self.value, like(self.kind, F32)))


def call_intrinsic(name: str, first: Lanes, *others: Number) -> Lanes:
    """`llvm.<name>` on operands that all have the type of `first`."""
    values = [first.value, *(first.lift(other).value for other in others)]
    scalar = "f32" if first.is_single else "f64"
    lanes = f"v{first.kind.count}" if isinstance(first.kind, ir.VectorType) else ""
    symbol = f"llvm.{name}.{lanes}{scalar}"
    module = first.builder.module
    function = module.globals.get(symbol)
    if function is None:
        kind = ir.FunctionType(first.kind, [first.kind] * len(values))
        function = ir.Function(module, kind, symbol)
    return first.wrap(first.builder.call(function, values))


def fma(a: Lanes, b: Number, c: Number) -> Lanes:
    """`a * b + c`, rounded once."""
    return call_intrinsic("fma", a, b, c)


def select(mask: Lanes, yes: Number, no: Number) -> Lanes:
    """`yes` where `mask` holds, else `no`; one of the two is lanes."""
    if isinstance(yes, Lanes):
        left, right = yes, yes.lift(no)
    elif isinstance(no, Lanes):
        left, right = no.lift(yes), no
    else:
        raise TypeError("select: one of the two values must be lanes, received two numbers")
    return left.wrap(left.builder.select(mask.value, left.value, right.value))


def copysign(magnitude: Number, sign: Lanes) -> Lanes:
    """`magnitude` with the sign of `sign`."""
    return call_intrinsic("copysign", sign.lift(magnitude), sign)


def maximum(a: Lanes, b: Number) -> Lanes:
    """The greater; `b` where either is NaN."""
    return select(a > b, a, b)


def minimum(a: Lanes, b: Number) -> Lanes:
    """The lesser; `b` where either is NaN."""
    return select(a < b, a, b)


def horner(x: Lanes, coefficients: Sequence[float]) -> Lanes:
    """The polynomial with `coefficients`, constant term first, by Horner's rule with fma."""
    total = x.lift(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = fma(total, x, coefficient)
    return total


def two_sum(a: Lanes, b: Number) -> tuple[Lanes, Lanes]:
    """`a + b` exactly, as the rounded sum and its error (Knuth)."""
    other = a.lift(b)
    total = a + other
    part = total - a
    return total, (a - (total - part)) + (other - part)


def fast_two_sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """`a + b` exactly, where |a| >= |b| or a is zero (Dekker)."""
    total = a + b
    return total, b - (total - a)


def two_product(a: Lanes, b: Number) -> tuple[Lanes, Lanes]:
    """`a * b` exactly, as the rounded product and its error."""
    product = a * b
    return product, fma(a, b, -product)


def through_double(function: Callable[..., Lanes]) -> Callable[..., Lanes]:
    """A function of float64 lanes, also for float32: computed in float64 and rounded at the end."""

    @functools.wraps(function)
    def either(*operands: Lanes) -> Lanes:
        if operands[0].is_single:
            return function(*(operand.widen() for operand in operands)).narrow()
        return function(*operands)

    return either
