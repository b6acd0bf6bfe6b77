"""Sum, difference, product, quotient, absolute value and sign: what gradients are made of."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import FLOATS, dtype
from flambeau.graph.lowering import Expressions
from flambeau.graph.node import Node
from flambeau.graph.op import INPUTS, NOTHING
from flambeau.graph.recording import record, scalar
from flambeau.ops.elementwise_base import NUMBERS, Pointwise
from flambeau.ops.shape import zeros

_INVERT_A_MASK = (
    "is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` "
    "operator instead."
)


class Add(Pointwise):
    """Sum; of bools: whether one is true."""

    name, arity, reads = "add", 2, NOTHING

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.add(a, b)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return e.call("or" if e.kind(a) is dtypes.bool else "add", a, b)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return grad, grad


class Sub(Pointwise):
    """Difference."""

    name, arity, reads, accepts = "sub", 2, NOTHING, NUMBERS

    def refuse(self, kind: dtype) -> Exception:
        return RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. "
            "Use the `^` or `logical_xor()` operator instead."
        )

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.subtract(a, b)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return e.call("sub", a, b)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return grad, neg(grad) if node.inputs[1].requires_grad else None


class Mul(Pointwise):
    """Product; of bools: whether both are true."""

    name, arity, reads = "mul", 2, INPUTS

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.multiply(a, b)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return e.call("and" if e.kind(a) is dtypes.bool else "mul", a, b)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        a, b = node.inputs
        if a is b:
            # A square: both gradients are one.
            half = mul(grad, a)
            return add(half, half), None
        return (
            mul(grad, b) if a.requires_grad else None,
            mul(grad, a) if b.requires_grad else None,
        )


class Div(Pointwise):
    """Quotient of floats."""

    name, arity, reads, accepts = "div", 2, INPUTS, FLOATS
    refusal: ClassVar[str] = "div_true_cpu"
    domain = (0.5, 2.0)
    cost = 4

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.divide(a, b)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return e.call("div", a, b)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        a, b = node.inputs
        return (
            div(grad, b) if a.requires_grad else None,
            mul(neg(grad), div(div(a, b), b)) if b.requires_grad else None,
        )


class Neg(Pointwise):
    """The opposite; integers wrap."""

    name, reads, accepts = "neg", NOTHING, NUMBERS

    def refuse(self, kind: dtype) -> Exception:
        return RuntimeError(f"Negation, the `-` operator, on a bool tensor {_INVERT_A_MASK}")

    def numpy(self, x: np.ndarray) -> Any:
        return np.negative(x)

    def lower(self, e: Expressions, x: int) -> int:
        return e.call("neg", x)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (neg(grad),)


class Abs(Pointwise):
    """Absolute value; the smallest integer stays as it is. Gradient 0 at 0."""

    name, reads, accepts, refusal = "abs", INPUTS, NUMBERS, "abs_cpu"

    def numpy(self, x: np.ndarray) -> Any:
        return np.abs(x)

    def lower(self, e: Expressions, x: int) -> int:
        return e.call("abs", x) if e.kind(x).is_signed else x

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (mul(grad, sign(node.inputs[0])),)


class Sign(Pointwise):
    """-1, 0 or 1; 0 for NaN. Bools stay as they are."""

    name, reads = "sign", NOTHING

    def numpy(self, x: np.ndarray) -> Any:
        if x.dtype == np.bool:
            return x
        return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)

    def lower(self, e: Expressions, x: int) -> int:
        kind = e.kind(x)
        if kind is dtypes.bool:
            return x
        zero = e.constant(0, kind)
        positive = e.select(e.compare("gt", x, zero), e.constant(1, kind), zero)
        if not kind.is_signed:
            return positive
        return e.select(e.compare("lt", x, zero), e.constant(-1, kind), positive)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (zeros_like(grad),)


ADD, SUB, MUL, DIV = Add(), Sub(), Mul(), Div()
NEG, ABS, SIGN = Neg(), Abs(), Sign()


def add(a: Node, b: Node) -> Node:
    """a + b."""
    return record(ADD, (a, b))


def sub(a: Node, b: Node) -> Node:
    """a - b."""
    return record(SUB, (a, b))


def mul(a: Node, b: Node) -> Node:
    """a * b."""
    return record(MUL, (a, b))


def div(a: Node, b: Node) -> Node:
    """a / b, of floats."""
    return record(DIV, (a, b))


def neg(x: Node) -> Node:
    """-x."""
    return record(NEG, (x,))


def abs(x: Node) -> Node:  # noqa: A001 - PyTorch's spelling
    """|x|."""
    return record(ABS, (x,))


def sign(x: Node) -> Node:
    """-1, 0 or 1."""
    return record(SIGN, (x,))


def scaled(x: Node, factor: float) -> Node:
    """x times a number."""
    return mul(x, scalar(factor, x.dtype))


def shifted(x: Node, offset: float) -> Node:
    """x plus a number."""
    return add(x, scalar(offset, x.dtype))


def square(x: Node) -> Node:
    """x times x."""
    return mul(x, x)


def zeros_like(x: Node) -> Node:
    """Zeros: the gradient of a step function."""
    return zeros(x.shape, x.dtype)
