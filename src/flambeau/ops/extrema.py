"""The larger, the smaller, and what lies between bounds. NaN on any side gives NaN.

Which of two zeros of opposite sign is the larger is not specified.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.graph.lowering import Expressions
from flambeau.graph.node import Node
from flambeau.graph.op import INPUTS, OUTPUT
from flambeau.graph.recording import record, scalar
from flambeau.ops.algebra import scaled
from flambeau.ops.comparison import eq, ge, gt, le, lt
from flambeau.ops.elementwise_base import NUMBERS, Pointwise
from flambeau.ops.logic import logical_and, logical_or
from flambeau.ops.selection import where


def _larger(e: Expressions, a: int, b: int) -> int:
    return e.call("or" if e.kind(a) is dtypes.bool else "max", a, b)


def _smaller(e: Expressions, a: int, b: int) -> int:
    return e.call("and" if e.kind(a) is dtypes.bool else "min", a, b)


def _only(condition: Node, grad: Node) -> Node:
    return where(condition, grad, scalar(0, grad.dtype))


def _except(condition: Node, grad: Node) -> Node:
    return where(condition, scalar(0, grad.dtype), grad)


class Maximum(Pointwise):
    """The larger of two values; the gradient is halved between equals."""

    name, arity, reads = "maximum", 2, INPUTS

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.maximum(a, b)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return _larger(e, a, b)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        a, b = node.inputs
        shared = where(eq(a, b), scaled(grad, 0.5), grad)
        return _except(lt(a, b), shared), _except(gt(a, b), shared)


class Minimum(Pointwise):
    """The smaller of two values; the gradient is halved between equals."""

    name, arity, reads = "minimum", 2, INPUTS

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.minimum(a, b)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return _smaller(e, a, b)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        a, b = node.inputs
        shared = where(eq(a, b), scaled(grad, 0.5), grad)
        return _except(gt(a, b), shared), _except(lt(a, b), shared)


class Clamp(Pointwise):
    """x between two bounds; the upper one where they are crossed. Gradient 1 at the bounds."""

    name, arity, reads, accepts, refusal = "clamp", 3, INPUTS, NUMBERS, "clamp_cpu"

    def numpy(self, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> Any:
        return np.minimum(np.maximum(x, low), high)

    def lower(self, e: Expressions, x: int, low: int, high: int) -> int:
        return _smaller(e, _larger(e, x, low), high)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        x, low, high = node.inputs
        to_low = to_high = None
        if low.requires_grad:
            to_low = _only(logical_and(lt(low, high), lt(x, low)), grad)
        if high.requires_grad:
            to_high = _only(logical_or(gt(x, high), gt(low, high)), grad)
        return _only(logical_and(ge(x, low), le(x, high)), grad), to_low, to_high


class ClampMin(Pointwise):
    """x, or the bound where x is below it. Gradient 1 at the bound."""

    name, arity, reads, accepts, refusal = "clamp_min", 2, INPUTS, NUMBERS, "clamp_cpu"

    def numpy(self, x: np.ndarray, low: np.ndarray) -> Any:
        return np.maximum(x, low)

    def lower(self, e: Expressions, x: int, low: int) -> int:
        return _larger(e, x, low)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        x, low = node.inputs
        to_low = _only(lt(x, low), grad) if low.requires_grad else None
        return _only(ge(x, low), grad), to_low


class ClampMax(Pointwise):
    """x, or the bound where x is above it. Gradient 1 at the bound."""

    name, arity, reads, accepts, refusal = "clamp_max", 2, INPUTS, NUMBERS, "clamp_cpu"

    def numpy(self, x: np.ndarray, high: np.ndarray) -> Any:
        return np.minimum(x, high)

    def lower(self, e: Expressions, x: int, high: int) -> int:
        return _smaller(e, x, high)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        x, high = node.inputs
        to_high = _only(gt(x, high), grad) if high.requires_grad else None
        return _only(le(x, high), grad), to_high


class Relu(Pointwise):
    """0 where x is negative, else x: -0.0 and NaN too. Gradient 0 at 0."""

    name, reads, accepts = "relu", OUTPUT, NUMBERS

    def refuse(self, kind: dtype) -> Exception:
        return RuntimeError("Boolean inputs not supported for relu")

    def numpy(self, x: np.ndarray) -> Any:
        return np.where(x < 0, x.dtype.type(0), x)

    def lower(self, e: Expressions, x: int) -> int:
        zero = e.constant(0, e.kind(x))
        return e.select(e.compare("lt", x, zero), zero, x)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (_except(le(node, scalar(0, node.dtype)), grad),)


MAXIMUM, MINIMUM, RELU = Maximum(), Minimum(), Relu()
CLAMP, CLAMP_MIN, CLAMP_MAX = Clamp(), ClampMin(), ClampMax()


def maximum(a: Node, b: Node) -> Node:
    """The larger of two values."""
    return record(MAXIMUM, (a, b))


def minimum(a: Node, b: Node) -> Node:
    """The smaller of two values."""
    return record(MINIMUM, (a, b))


def clamp(x: Node, low: Node, high: Node) -> Node:
    """x between two bounds."""
    return record(CLAMP, (x, low, high))


def clamp_min(x: Node, low: Node) -> Node:
    """x, at least `low`."""
    return record(CLAMP_MIN, (x, low))


def clamp_max(x: Node, high: Node) -> Node:
    """x, at most `high`."""
    return record(CLAMP_MAX, (x, high))


def relu(x: Node) -> Node:
    """x where it is positive, 0 elsewhere."""
    return record(RELU, (x,))
