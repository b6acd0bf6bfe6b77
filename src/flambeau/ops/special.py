"""Error functions, gamma functions and Bessel functions."""

from __future__ import annotations

import math
from typing import Any

from flambeau.graph.node import Node
from flambeau.graph.op import BOTH, INPUTS, OUTPUT
from flambeau.graph.recording import record, scalar
from flambeau.ops import special_meaning
from flambeau.ops.algebra import add, div, mul, neg, scaled, shifted, sign, square, sub
from flambeau.ops.comparison import eq, lt
from flambeau.ops.elementwise_base import MathFunction
from flambeau.ops.exponential import exp
from flambeau.ops.selection import where
from flambeau.ops.trigonometric import sin


class Erf(MathFunction):
    """The error function."""

    name, meaning, reads = "erf", special_meaning.erf, INPUTS

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, _bell(node.inputs[0])),)


class Erfc(MathFunction):
    """1 - erf(x), accurate where that is small."""

    name, meaning, reads = "erfc", special_meaning.erfc, INPUTS

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, neg(_bell(node.inputs[0]))),)


def _bell(x: Node) -> Node:
    return scaled(exp(neg(square(x))), 2 / math.sqrt(math.pi))


class Erfinv(MathFunction):
    """The inverse of erf."""

    name, meaning, reads, domain = "erfinv", special_meaning.erfinv, OUTPUT, (-0.9, 0.9)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, scaled(exp(square(node)), math.sqrt(math.pi) / 2)),)


class Lgamma(MathFunction):
    """The logarithm of |gamma(x)|; infinite at 0, -1, -2, ..."""

    name, meaning, reads, domain = "lgamma", special_meaning.lgamma, INPUTS, (0.3, 4.0)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, digamma(node.inputs[0])),)


class Digamma(MathFunction):
    """The derivative of lgamma."""

    name, meaning, reads, domain = "digamma", special_meaning.digamma, INPUTS, (0.3, 4.0)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, trigamma(node.inputs[0])),)


class BesselI0(MathFunction):
    """The modified Bessel function of the first kind, of order 0."""

    name, meaning, reads = "i0", special_meaning.i0, INPUTS

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, i1(node.inputs[0])),)


class BesselI0e(MathFunction):
    """exp(-|x|) i0(x)."""

    name, meaning, reads = "i0e", special_meaning.i0e, BOTH

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        x = node.inputs[0]
        return (mul(grad, sub(i1e(x), mul(sign(x), node))),)


class BesselI1(MathFunction):
    """The modified Bessel function of the first kind, of order 1; its slope at 0 is 1/2."""

    name, meaning, reads = "i1", special_meaning.i1, BOTH

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        at_zero, x = _apart_from_zero(node.inputs[0])
        slope = sub(i0(x), div(node, x))
        return (mul(grad, where(at_zero, scalar(0.5, x.dtype), slope)),)


class BesselI1e(MathFunction):
    """exp(-|x|) i1(x); its slope at 0 is 1/2."""

    name, meaning, reads = "i1e", special_meaning.i1e, BOTH

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        at_zero, x = _apart_from_zero(node.inputs[0])
        slope = sub(i0e(x), mul(node, add(sign(x), div(scalar(1, x.dtype), x))))
        return (mul(grad, where(at_zero, scalar(0.5, x.dtype), slope)),)


def _apart_from_zero(x: Node) -> tuple[Node, Node]:
    """Where x is 0, and x with 1 there, so that nothing divides by zero."""
    at_zero = eq(x, scalar(0, x.dtype))
    return at_zero, where(at_zero, scalar(1, x.dtype), x)


# The recurrence lifts x by this much; from there on the asymptotic series is accurate.
_TRIGAMMA_SHIFT = 8
# Bernoulli numbers B(2), B(4), ...: the series' coefficients (DLMF 5.15.8).
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730)


def trigamma(x: Node) -> Node:
    """The derivative of digamma, made of other ops."""
    half, one = scalar(0.5, x.dtype), scalar(1, x.dtype)
    mirrored = lt(x, half)
    y = where(mirrored, sub(one, x), x)
    total = div(one, square(y))
    for k in range(1, _TRIGAMMA_SHIFT):
        total = add(total, div(one, square(shifted(y, k))))
    inverse = div(one, shifted(y, _TRIGAMMA_SHIFT))
    step = square(inverse)
    series = scalar(0, x.dtype)
    for coefficient in reversed(_BERNOULLI):
        series = mul(shifted(series, coefficient), step)
    # 1/y + 1/(2 y**2) + sum of B(2n) / y**(2n+1)
    total = add(total, mul(inverse, add(shifted(series, 1), scaled(inverse, 0.5))))
    reflection = square(div(scalar(math.pi, x.dtype), sin(scaled(x, math.pi))))
    return where(mirrored, sub(reflection, total), total)


ERF, ERFC, ERFINV = Erf(), Erfc(), Erfinv()
LGAMMA, DIGAMMA = Lgamma(), Digamma()
I0, I0E, I1, I1E = BesselI0(), BesselI0e(), BesselI1(), BesselI1e()


def erf(x: Node) -> Node:
    """The error function."""
    return record(ERF, (x,))


def erfc(x: Node) -> Node:
    """1 - erf(x)."""
    return record(ERFC, (x,))


def erfinv(x: Node) -> Node:
    """The inverse of erf."""
    return record(ERFINV, (x,))


def lgamma(x: Node) -> Node:
    """The logarithm of |gamma(x)|."""
    return record(LGAMMA, (x,))


def digamma(x: Node) -> Node:
    """The derivative of lgamma."""
    return record(DIGAMMA, (x,))


def i0(x: Node) -> Node:
    """The modified Bessel function of the first kind, of order 0."""
    return record(I0, (x,))


def i0e(x: Node) -> Node:
    """exp(-|x|) i0(x)."""
    return record(I0E, (x,))


def i1(x: Node) -> Node:
    """The modified Bessel function of the first kind, of order 1."""
    return record(I1, (x,))


def i1e(x: Node) -> Node:
    """exp(-|x|) i1(x)."""
    return record(I1E, (x,))
