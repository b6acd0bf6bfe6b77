"""Logic on truth values, and on the bits of integers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import INTEGERS, dtype
from flambeau.graph.lowering import Expressions
from flambeau.graph.node import Node
from flambeau.graph.op import NOTHING
from flambeau.graph.recording import record
from flambeau.ops.elementwise_base import BITS, Pointwise


def _truth(e: Expressions, x: int) -> int:
    return e.compare("ne", x, e.constant(0, e.kind(x)))


class Logical(Pointwise):
    """A function of truth values: nonzero is true, NaN included."""

    arity, reads, differentiable = 2, NOTHING, False
    function: ClassVar[str]
    meaning: ClassVar[np.ufunc]

    def result_dtype(self, kind: dtype) -> dtype:
        return dtypes.bool

    def numpy(self, *arrays: np.ndarray) -> Any:
        return np.asarray(self.meaning(*arrays))

    def lower(self, e: Expressions, *values: int) -> int:
        return e.call(self.function, *[_truth(e, one) for one in values])


class LogicalNot(Logical):
    """Whether x is zero."""

    name, function, meaning, arity = "logical_not", "not", np.logical_not, 1


class LogicalAnd(Logical):
    """Whether both are true."""

    name, function, meaning = "logical_and", "and", np.logical_and


class LogicalOr(Logical):
    """Whether one is true."""

    name, function, meaning = "logical_or", "or", np.logical_or


class LogicalXor(Logical):
    """Whether just one is true."""

    name, function, meaning = "logical_xor", "xor", np.logical_xor


class Bitwise(Pointwise):
    """A function of each bit of integers or bools."""

    arity, reads, differentiable, accepts = 2, NOTHING, False, BITS
    function: ClassVar[str]
    meaning: ClassVar[np.ufunc]

    def numpy(self, *arrays: np.ndarray) -> Any:
        return np.asarray(self.meaning(*arrays))

    def lower(self, e: Expressions, *values: int) -> int:
        return e.call(self.function, *values)


class BitwiseNot(Bitwise):
    """Every bit inverted."""

    name, function, meaning, arity = "bitwise_not", "not", np.bitwise_not, 1
    refusal = "bitwise_not_cpu"


class BitwiseAnd(Bitwise):
    """Bits set in both."""

    name, function, meaning = "bitwise_and", "and", np.bitwise_and
    refusal = "bitwise_and_cpu"


class BitwiseOr(Bitwise):
    """Bits set in one or both."""

    name, function, meaning = "bitwise_or", "or", np.bitwise_or
    refusal = "bitwise_or_cpu"


class BitwiseXor(Bitwise):
    """Bits set in just one."""

    name, function, meaning = "bitwise_xor", "xor", np.bitwise_xor
    refusal = "bitwise_xor_cpu"


class Shift(Pointwise):
    """A shift by b bits; b negative or past the type's width shifts everything out."""

    arity, reads, differentiable, accepts = 2, NOTHING, False, INTEGERS


class ShiftLeft(Shift):
    """a times 2**b, wrapped; 0 where b is out of range."""

    name, refusal = "shift_left", "lshift_cpu"

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        inside = (b >= 0) & (b < 8 * a.itemsize)
        return np.where(inside, np.left_shift(a, np.where(inside, b, 0)), a.dtype.type(0))

    def lower(self, e: Expressions, a: int, b: int) -> int:
        kind = e.kind(a)
        inside, amount = _within(e, b, 8 * kind.itemsize)
        return e.select(inside, e.call("shl", a, amount), e.constant(0, kind))


class ShiftRight(Shift):
    """a over 2**b, rounded down; 0, or -1 for a negative a, where b is out of range."""

    name, refusal = "shift_right", "rshift_cpu"

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        inside = (b >= 0) & (b < 8 * a.itemsize)
        emptied = np.where(a < 0, -1, 0).astype(a.dtype)
        return np.where(inside, np.right_shift(a, np.where(inside, b, 0)), emptied)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        kind = e.kind(a)
        zero = e.constant(0, kind)
        inside, amount = _within(e, b, 8 * kind.itemsize)
        emptied = zero
        if kind.is_signed:
            emptied = e.select(e.compare("lt", a, zero), e.constant(-1, kind), zero)
        return e.select(inside, e.call("shr", a, amount), emptied)


def _within(e: Expressions, amount: int, width: int) -> tuple[int, int]:
    """Whether a shift amount is from 0 to width-1, and the amount made so."""
    kind = e.kind(amount)
    zero = e.constant(0, kind)
    inside = e.compare("lt", amount, e.constant(width, kind))
    if kind.is_signed:
        inside = e.call("and", inside, e.compare("ge", amount, zero))
    return inside, e.select(inside, amount, zero)


LOGICAL_NOT, LOGICAL_AND = LogicalNot(), LogicalAnd()
LOGICAL_OR, LOGICAL_XOR = LogicalOr(), LogicalXor()
BITWISE_NOT, BITWISE_AND = BitwiseNot(), BitwiseAnd()
BITWISE_OR, BITWISE_XOR = BitwiseOr(), BitwiseXor()
SHIFT_LEFT, SHIFT_RIGHT = ShiftLeft(), ShiftRight()


def logical_not(x: Node) -> Node:
    """Whether x is zero."""
    return record(LOGICAL_NOT, (x,))


def logical_and(a: Node, b: Node) -> Node:
    """Whether both are nonzero."""
    return record(LOGICAL_AND, (a, b))


def logical_or(a: Node, b: Node) -> Node:
    """Whether one is nonzero."""
    return record(LOGICAL_OR, (a, b))


def logical_xor(a: Node, b: Node) -> Node:
    """Whether just one is nonzero."""
    return record(LOGICAL_XOR, (a, b))


def bitwise_not(x: Node) -> Node:
    """~x."""
    return record(BITWISE_NOT, (x,))


def bitwise_and(a: Node, b: Node) -> Node:
    """a & b."""
    return record(BITWISE_AND, (a, b))


def bitwise_or(a: Node, b: Node) -> Node:
    """a | b."""
    return record(BITWISE_OR, (a, b))


def bitwise_xor(a: Node, b: Node) -> Node:
    """a ^ b."""
    return record(BITWISE_XOR, (a, b))


def shift_left(a: Node, b: Node) -> Node:
    """a << b."""
    return record(SHIFT_LEFT, (a, b))


def shift_right(a: Node, b: Node) -> Node:
    """a >> b, keeping the sign."""
    return record(SHIFT_RIGHT, (a, b))
