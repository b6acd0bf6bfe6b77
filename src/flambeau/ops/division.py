"""Division with a whole quotient: floor_div, remainder and fmod.

Integers and floats are ops of their own under each function: integers find divisors of zero while
running, floats have gradients. Neither can trap: a divisor that would is replaced by 1 first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import FLOATS, INTEGERS, dtype
from flambeau.graph import faults
from flambeau.graph.lowering import Expressions
from flambeau.graph.node import Node
from flambeau.graph.op import INPUTS, NOTHING, ErrorSample
from flambeau.graph.recording import record
from flambeau.ops.algebra import div, mul, neg, zeros_like
from flambeau.ops.elementwise_base import Pointwise, edge_values
from flambeau.ops.rounding import trunc


class FloatDivision(Pointwise):
    """Of floats; built on fmod, whose result is exact."""

    arity, reads, accepts, cost, domain = 2, INPUTS, FLOATS, 20, (0.3, 4.0)


class FloorDiv(FloatDivision):
    """The quotient rounded down, as Python's `//`; a / 0 for a divisor of zero."""

    name, refusal, reads = "floor_div", "div_floor_cpu", NOTHING

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        remainder = np.fmod(a, b)
        quotient = (a - remainder) / b
        quotient = np.where((remainder != 0) & ((b < 0) != (remainder < 0)), quotient - 1, quotient)
        whole = np.floor(quotient)
        whole = np.where(quotient - whole > 0.5, whole + 1, whole)
        whole = np.where(quotient == 0, np.copysign(np.zeros_like(quotient), a / b), whole)
        return np.where(b == 0, a / b, whole).astype(a.dtype)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        kind = e.kind(a)
        zero, one, half = e.constant(0, kind), e.constant(1, kind), e.constant(0.5, kind)
        remainder, ratio = e.call("fmod", a, b), e.call("div", a, b)
        quotient = e.call("div", e.call("sub", a, remainder), b)
        # (a - remainder) / b may be off by a rounding: go to the nearest whole number.
        quotient = e.select(_signs_differ(e, remainder, b), e.call("sub", quotient, one), quotient)
        whole = e.call("floor", quotient)
        above = e.compare("gt", e.call("sub", quotient, whole), half)
        whole = e.select(above, e.call("add", whole, one), whole)
        is_zero = e.compare("eq", quotient, zero)
        whole = e.select(is_zero, e.call("copysign", zero, ratio), whole)
        return e.select(e.compare("eq", b, zero), ratio, whole)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return zeros_like(grad), zeros_like(grad)


class Remainder(FloatDivision):
    """What floor_div leaves: it has the divisor's sign, as Python's `%`."""

    name, refusal = "remainder", "remainder_cpu"

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        rest = np.fmod(a, b)
        return np.where((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        rest = e.call("fmod", a, b)
        return e.select(_signs_differ(e, rest, b), e.call("add", rest, b), rest)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        a, b = node.inputs
        return grad, mul(neg(grad), floor_div(a, b)) if b.requires_grad else None


class Fmod(FloatDivision):
    """What the quotient rounded towards zero leaves: it has the dividend's sign, as C's fmod."""

    name, refusal = "fmod", "fmod_cpu"

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.fmod(a, b)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return e.call("fmod", a, b)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        a, b = node.inputs
        return grad, mul(neg(grad), trunc(div(a, b))) if b.requires_grad else None


class IntegerDivision(Pointwise):
    """Of integers; a divisor of zero is reported as RuntimeError('ZeroDivisionError')."""

    arity, reads, accepts, cost = 2, NOTHING, INTEGERS, 20
    differentiable, checks = False, True

    def edges(self, kind: dtype) -> tuple[np.ndarray, ...]:
        values = edge_values(kind)
        a, b = np.meshgrid(values, values[values != 0], indexing="ij")
        return np.ascontiguousarray(a), np.ascontiguousarray(b)

    def error_samples(self) -> Iterable[ErrorSample]:
        yield from super().error_samples()
        a = np.array([1, 2, -3])
        yield ErrorSample((a, np.array([1, 0, 2])), RuntimeError, "ZeroDivisionError")


class IntegerFloorDiv(IntegerDivision):
    """The quotient rounded down, as Python's `//`."""

    name, refusal = "integer_floor_div", "div_floor_cpu"

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.floor_divide(a, _nonzero(b))

    def lower(self, e: Expressions, a: int, b: int) -> int:
        quotient, rest = _divide(e, a, b)
        lower = e.call("sub", quotient, e.constant(1, e.kind(a)))
        return e.select(_signs_differ(e, rest, b), lower, quotient)


class IntegerRemainder(IntegerDivision):
    """What floor division leaves: it has the divisor's sign, as Python's `%`."""

    name, refusal = "integer_remainder", "remainder_cpu"

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.remainder(a, _nonzero(b))

    def lower(self, e: Expressions, a: int, b: int) -> int:
        _, rest = _divide(e, a, b)
        return e.select(_signs_differ(e, rest, b), e.call("add", rest, b), rest)


class IntegerFmod(IntegerDivision):
    """What division towards zero leaves: it has the dividend's sign, as C's `%`."""

    name, refusal = "integer_fmod", "fmod_cpu"

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.fmod(a, _nonzero(b))

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return _divide(e, a, b)[1]


def _nonzero(divisors: np.ndarray) -> np.ndarray:
    if not divisors.all():
        raise faults.exception(faults.ZERO_DIVISION, 0, 0)
    return divisors


def _divide(e: Expressions, a: int, b: int) -> tuple[int, int]:
    """Quotient towards zero and remainder of integers, which wrap; reports divisors of zero."""
    kind = e.kind(a)
    one = e.constant(1, kind)
    by_zero = e.compare("eq", b, e.constant(0, kind))
    nothing = e.constant(0, dtypes.int64)
    e.fail_if(by_zero, faults.ZERO_DIVISION, nothing, nothing)
    if not kind.is_signed:
        divisor = e.select(by_zero, one, b)
        return e.call("div", a, divisor), e.call("rem", a, divisor)
    # The smallest integer over -1 traps in hardware: it is a negation, with nothing left over.
    opposite = e.compare("eq", b, e.constant(-1, kind))
    divisor = e.select(e.call("or", by_zero, opposite), one, b)
    quotient = e.select(opposite, e.call("neg", a), e.call("div", a, divisor))
    return quotient, e.call("rem", a, divisor)


def _signs_differ(e: Expressions, rest: int, b: int) -> int:
    """Whether a remainder is nonzero and of the other sign than its divisor."""
    zero = e.constant(0, e.kind(b))
    nonzero = e.compare("ne", rest, zero)
    negative, other = e.compare("lt", rest, zero), e.compare("lt", b, zero)
    return e.call("and", nonzero, e.call("xor", negative, other))


FLOOR_DIV, REMAINDER, FMOD = FloorDiv(), Remainder(), Fmod()
INTEGER_FLOOR_DIV, INTEGER_REMAINDER = IntegerFloorDiv(), IntegerRemainder()
INTEGER_FMOD = IntegerFmod()


def floor_div(a: Node, b: Node) -> Node:
    """a // b, rounded down."""
    return record(FLOOR_DIV if a.dtype.is_floating_point else INTEGER_FLOOR_DIV, (a, b))


def remainder(a: Node, b: Node) -> Node:
    """a % b with the sign of b."""
    return record(REMAINDER if a.dtype.is_floating_point else INTEGER_REMAINDER, (a, b))


def fmod(a: Node, b: Node) -> Node:
    """a % b with the sign of a."""
    return record(FMOD if a.dtype.is_floating_point else INTEGER_FMOD, (a, b))
