"""Powers and roots."""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau.core.dtypes import FLOATS, INTEGERS, dtype
from flambeau.graph.lowering import Expressions
from flambeau.graph.node import Node
from flambeau.graph.op import BOTH, NOTHING, OUTPUT
from flambeau.graph.recording import record, scalar
from flambeau.ops.algebra import div, mul, scaled, shifted, square
from flambeau.ops.comparison import eq, ge
from flambeau.ops.elementwise_base import MathFunction, Pointwise
from flambeau.ops.exponential import log
from flambeau.ops.logic import logical_and
from flambeau.ops.selection import where


class Sqrt(Pointwise):
    """Square root, correctly rounded; NaN below 0."""

    name, reads, accepts, cost, domain = "sqrt", OUTPUT, FLOATS, 4, (0.2, 3.0)

    def numpy(self, x: np.ndarray) -> Any:
        return np.sqrt(x)

    def lower(self, e: Expressions, x: int) -> int:
        return e.call("sqrt", x)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (div(grad, scaled(node, 2)),)


class Rsqrt(MathFunction):
    """1 / sqrt(x)."""

    name, reads, cost, domain = "rsqrt", OUTPUT, 6, (0.2, 3.0)

    def numpy(self, x: np.ndarray) -> Any:
        return np.asarray(1 / np.sqrt(x.astype(np.float64))).astype(x.dtype)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(scaled(grad, -0.5), mul(square(node), node)),)


class Hypot(MathFunction):
    """sqrt(a**2 + b**2) without overflow on the way."""

    name, arity, reads, refusal = "hypot", 2, BOTH, "hypot_cpu"
    meaning = np.hypot

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        a, b = node.inputs
        return mul(grad, div(a, node)), mul(grad, div(b, node))


class Pow(MathFunction):
    """a**b of floats, by the rules of C's pow."""

    name, arity, reads, cost, domain = "pow", 2, BOTH, 30, (0.3, 2.0)
    meaning = np.power

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        a, b = node.inputs
        zero = scalar(0, grad.dtype)
        to_a = to_b = None
        if a.requires_grad:
            slope = mul(grad, mul(b, pow(a, shifted(b, -1))))
            to_a = where(eq(b, zero), zero, slope)
        if b.requires_grad:
            # 0**b is flat for b >= 0, where log(0) would say otherwise.
            flat = logical_and(eq(a, zero), ge(b, zero))
            to_b = mul(grad, where(flat, zero, mul(node, log(a))))
        return to_a, to_b


class IntegerPow(Pointwise):
    """a**b of integers, wrapped; below b = 0 what truncation leaves of the fraction."""

    name, arity, reads, accepts, cost = "integer_pow", 2, NOTHING, INTEGERS, 60
    refusal, differentiable = "pow", False

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        a, b = np.broadcast_arrays(a, b)
        result, factor = np.ones_like(a), a.copy()
        for bit in range(8 * a.itemsize - (a.dtype.kind == "i")):
            result = np.where((b >> bit) & 1 == 1, result * factor, result)
            factor = factor * factor
        fraction = np.where(np.abs(a) == 1, np.where(b & 1 == 1, a, 1), 0)
        return np.where(b < 0, fraction, result).astype(a.dtype)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        kind, result = e.kind(a), e.call("pow", a, b)
        if not kind.is_signed:
            return result
        negative = e.compare("lt", b, e.constant(0, kind))
        return e.select(negative, self._reciprocal(e, a, b, kind), result)

    def _reciprocal(self, e: Expressions, a: int, b: int, kind: dtype) -> int:
        """a**b for a negative b: 1 or -1 for such an a, else 0."""
        zero, one = e.constant(0, kind), e.constant(1, kind)
        is_even = e.compare("eq", e.call("and", b, one), zero)
        is_unit = e.compare("eq", e.call("abs", a), one)
        return e.select(is_unit, e.select(is_even, one, a), zero)


SQRT, RSQRT, HYPOT, POW, INTEGER_POW = Sqrt(), Rsqrt(), Hypot(), Pow(), IntegerPow()


def sqrt(x: Node) -> Node:
    """Square root."""
    return record(SQRT, (x,))


def rsqrt(x: Node) -> Node:
    """1 / sqrt(x)."""
    return record(RSQRT, (x,))


def hypot(a: Node, b: Node) -> Node:
    """sqrt(a**2 + b**2)."""
    return record(HYPOT, (a, b))


def pow(a: Node, b: Node) -> Node:  # noqa: A001 - PyTorch's spelling
    """a**b."""
    return record(POW if a.dtype.is_floating_point else INTEGER_POW, (a, b))
