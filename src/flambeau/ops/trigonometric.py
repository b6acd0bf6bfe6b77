"""Trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau.graph.node import Node
from flambeau.graph.op import OUTPUT
from flambeau.graph.recording import record, scalar
from flambeau.ops.algebra import add, div, mul, neg, shifted, square, sub
from flambeau.ops.comparison import eq
from flambeau.ops.elementwise_base import MathFunction
from flambeau.ops.power import rsqrt
from flambeau.ops.selection import where


def _one_minus(x: Node) -> Node:
    return sub(scalar(1, x.dtype), x)


class Sin(MathFunction):
    """Sine."""

    name, meaning = "sin", np.sin

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, cos(node.inputs[0])),)


class Cos(MathFunction):
    """Cosine."""

    name, meaning = "cos", np.cos

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, neg(sin(node.inputs[0]))),)


class Tan(MathFunction):
    """Tangent."""

    name, meaning, reads, domain = "tan", np.tan, OUTPUT, (-1.0, 1.0)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, shifted(square(node), 1)),)


class Asin(MathFunction):
    """Inverse sine, from -pi/2 to pi/2."""

    name, meaning, domain = "asin", np.arcsin, (-0.9, 0.9)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, rsqrt(_one_minus(square(node.inputs[0])))),)


class Acos(MathFunction):
    """Inverse cosine, from 0 to pi."""

    name, meaning, domain = "acos", np.arccos, (-0.9, 0.9)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(neg(grad), rsqrt(_one_minus(square(node.inputs[0])))),)


class Atan(MathFunction):
    """Inverse tangent, from -pi/2 to pi/2."""

    name, meaning = "atan", np.arctan

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (div(grad, shifted(square(node.inputs[0]), 1)),)


class Atan2(MathFunction):
    """The angle of the point (b, a), from -pi to pi."""

    name, meaning, arity, domain = "atan2", np.arctan2, 2, (0.2, 2.0)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        a, b = node.inputs
        zero, one = scalar(0, grad.dtype), scalar(1, grad.dtype)
        total = add(square(a), square(b))
        # At (0, 0) the gradient is 0, not 0 / 0.
        share = div(grad, where(eq(total, zero), one, total))
        return mul(share, b), mul(share, neg(a))


class Sinh(MathFunction):
    """Hyperbolic sine."""

    name, meaning = "sinh", np.sinh

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, cosh(node.inputs[0])),)


class Cosh(MathFunction):
    """Hyperbolic cosine."""

    name, meaning = "cosh", np.cosh

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, sinh(node.inputs[0])),)


class Tanh(MathFunction):
    """Hyperbolic tangent."""

    name, meaning, reads = "tanh", np.tanh, OUTPUT

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, _one_minus(square(node))),)


class Asinh(MathFunction):
    """Inverse hyperbolic sine."""

    name, meaning = "asinh", np.arcsinh

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, rsqrt(shifted(square(node.inputs[0]), 1))),)


class Acosh(MathFunction):
    """Inverse hyperbolic cosine, 0 or more."""

    name, meaning, domain = "acosh", np.arccosh, (1.2, 4.0)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, rsqrt(shifted(square(node.inputs[0]), -1))),)


class Atanh(MathFunction):
    """Inverse hyperbolic tangent."""

    name, meaning, domain = "atanh", np.arctanh, (-0.9, 0.9)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (div(grad, _one_minus(square(node.inputs[0]))),)


SIN, COS, TAN = Sin(), Cos(), Tan()
ASIN, ACOS, ATAN, ATAN2 = Asin(), Acos(), Atan(), Atan2()
SINH, COSH, TANH = Sinh(), Cosh(), Tanh()
ASINH, ACOSH, ATANH = Asinh(), Acosh(), Atanh()


def sin(x: Node) -> Node:
    """Sine."""
    return record(SIN, (x,))


def cos(x: Node) -> Node:
    """Cosine."""
    return record(COS, (x,))


def tan(x: Node) -> Node:
    """Tangent."""
    return record(TAN, (x,))


def asin(x: Node) -> Node:
    """Inverse sine."""
    return record(ASIN, (x,))


def acos(x: Node) -> Node:
    """Inverse cosine."""
    return record(ACOS, (x,))


def atan(x: Node) -> Node:
    """Inverse tangent."""
    return record(ATAN, (x,))


def atan2(a: Node, b: Node) -> Node:
    """The angle of the point (b, a)."""
    return record(ATAN2, (a, b))


def sinh(x: Node) -> Node:
    """Hyperbolic sine."""
    return record(SINH, (x,))


def cosh(x: Node) -> Node:
    """Hyperbolic cosine."""
    return record(COSH, (x,))


def tanh(x: Node) -> Node:
    """Hyperbolic tangent."""
    return record(TANH, (x,))


def asinh(x: Node) -> Node:
    """Inverse hyperbolic sine."""
    return record(ASINH, (x,))


def acosh(x: Node) -> Node:
    """Inverse hyperbolic cosine."""
    return record(ACOSH, (x,))


def atanh(x: Node) -> Node:
    """Inverse hyperbolic tangent."""
    return record(ATANH, (x,))
