"""Exponentials, logarithms and the logistic function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flambeau.graph.lowering import Expressions
from flambeau.graph.node import Node
from flambeau.graph.op import INPUTS, OUTPUT
from flambeau.graph.recording import record, scalar
from flambeau.ops.algebra import div, mul, scaled, shifted, sub
from flambeau.ops.elementwise_base import MathFunction


class Exp(MathFunction):
    """e**x."""

    name, meaning, reads = "exp", np.exp, OUTPUT

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, node),)


class Exp2(MathFunction):
    """2**x."""

    name, meaning, reads = "exp2", np.exp2, OUTPUT

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, scaled(node, math.log(2))),)


class Expm1(MathFunction):
    """e**x - 1, accurate near 0."""

    name, meaning, reads = "expm1", np.expm1, OUTPUT

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, shifted(node, 1)),)


class Log(MathFunction):
    """Natural logarithm."""

    name, meaning, reads, domain = "log", np.log, INPUTS, (0.2, 3.0)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (div(grad, node.inputs[0]),)


class Log2(MathFunction):
    """Logarithm to base 2."""

    name, meaning, reads, domain = "log2", np.log2, INPUTS, (0.2, 3.0)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (div(grad, scaled(node.inputs[0], math.log(2))),)


class Log10(MathFunction):
    """Logarithm to base 10."""

    name, meaning, reads, domain = "log10", np.log10, INPUTS, (0.2, 3.0)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (div(grad, scaled(node.inputs[0], math.log(10))),)


class Log1p(MathFunction):
    """log(1 + x), accurate near 0."""

    name, meaning, reads, domain = "log1p", np.log1p, INPUTS, (-0.8, 3.0)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (div(grad, shifted(node.inputs[0], 1)),)


class Sigmoid(MathFunction):
    """1 / (1 + e**-x): where e**-x overflows the quotient is the 0 it should be."""

    name, reads = "sigmoid", OUTPUT

    def numpy(self, x: np.ndarray) -> Any:
        return np.asarray(1 / (1 + np.exp(-x)))

    def lower(self, e: Expressions, x: int) -> int:
        one = e.constant(1, e.kind(x))
        return e.call("div", one, e.call("add", one, e.call("exp", e.call("neg", x))))

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        one = scalar(1, node.dtype)
        return (mul(mul(grad, sub(one, node)), node),)


EXP, EXP2, EXPM1 = Exp(), Exp2(), Expm1()
LOG, LOG2, LOG10, LOG1P = Log(), Log2(), Log10(), Log1p()
SIGMOID = Sigmoid()


def exp(x: Node) -> Node:
    """e**x."""
    return record(EXP, (x,))


def exp2(x: Node) -> Node:
    """2**x."""
    return record(EXP2, (x,))


def expm1(x: Node) -> Node:
    """e**x - 1."""
    return record(EXPM1, (x,))


def log(x: Node) -> Node:
    """Natural logarithm."""
    return record(LOG, (x,))


def log2(x: Node) -> Node:
    """Logarithm to base 2."""
    return record(LOG2, (x,))


def log10(x: Node) -> Node:
    """Logarithm to base 10."""
    return record(LOG10, (x,))


def log1p(x: Node) -> Node:
    """log(1 + x)."""
    return record(LOG1P, (x,))


def sigmoid(x: Node) -> Node:
    """1 / (1 + e**-x)."""
    return record(SIGMOID, (x,))
