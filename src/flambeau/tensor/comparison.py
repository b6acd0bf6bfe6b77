"""Comparisons, logic on truth values and bits, and choosing between values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from flambeau.core import dtypes
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import algebra, logic, reduction
from flambeau.ops import comparison as ops
from flambeau.ops.selection import cast
from flambeau.tensor.promotion import NUMBERS, operands
from flambeau.tensor.results import finish
from flambeau.tensor.tensor import Tensor, wrap


class Binary(Protocol):
    """A function of two operands, element by element."""

    __name__: str

    def __call__(self, input: Any, other: Any, *, out: Tensor | None = None) -> Tensor: ...


def _binary(name: str, op: Callable[[Node, Node], Node], text: str) -> Binary:
    def function(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
        a, b = operands(input, other)
        return finish(op(a, b), out)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return function


lt = _binary("lt", ops.lt, "Whether `input < other`.")
le = _binary("le", ops.le, "Whether `input <= other`.")
gt = _binary("gt", ops.gt, "Whether `input > other`.")
ge = _binary("ge", ops.ge, "Whether `input >= other`.")
eq = _binary("eq", ops.eq, "Whether the elements are equal.")
ne = _binary("ne", ops.ne, "Whether the elements differ.")
logical_and = _binary("logical_and", logic.logical_and, "Whether both are nonzero.")
logical_or = _binary("logical_or", logic.logical_or, "Whether one is nonzero.")
logical_xor = _binary("logical_xor", logic.logical_xor, "Whether just one is nonzero.")
bitwise_and = _binary("bitwise_and", logic.bitwise_and, "The bits set in both.")
bitwise_or = _binary("bitwise_or", logic.bitwise_or, "The bits set in one.")
bitwise_xor = _binary("bitwise_xor", logic.bitwise_xor, "The bits set in just one.")
bitwise_left_shift = _binary("bitwise_left_shift", logic.shift_left, "`input << other`.")
bitwise_right_shift = _binary("bitwise_right_shift", logic.shift_right, "`input >> other`.")


def _reflected(function: Binary, name: str) -> Binary:
    def reflected(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
        return function(other, input, out=out)

    reflected.__name__ = reflected.__qualname__ = name
    return reflected


rlshift = _reflected(bitwise_left_shift, "rlshift")
rrshift = _reflected(bitwise_right_shift, "rrshift")


_COMPARABLE = (Tensor, np.ndarray, *NUMBERS)


def equality(self: Tensor, other: Any) -> Any:
    """`self == other`; what is no tensor, array or number is never equal."""
    if isinstance(other, _COMPARABLE):
        return eq(self, other)
    return NotImplemented


def inequality(self: Tensor, other: Any) -> Any:
    """`self != other`."""
    if isinstance(other, _COMPARABLE):
        return ne(self, other)
    return NotImplemented


def logical_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the elements are zero."""
    return finish(logic.logical_not(input.node), out)


def bitwise_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The bits inverted; of bools, the opposite."""
    return finish(logic.bitwise_not(input.node), out)


def isnan(input: Tensor) -> Tensor:
    """Whether the elements are NaN."""
    return wrap(ops.ne(input.node, input.node))


def isinf(input: Tensor) -> Tensor:
    """Whether the elements are infinite."""
    node = input.node
    if not node.dtype.is_floating_point:
        return wrap(ops.ne(node, node))
    return wrap(ops.eq(algebra.abs(node), scalar(math.inf, node.dtype)))


def isposinf(input: Tensor) -> Tensor:
    """Whether the elements are +inf."""
    node = input.node
    if not node.dtype.is_floating_point:
        return wrap(ops.ne(node, node))
    return wrap(ops.eq(node, scalar(math.inf, node.dtype)))


def isneginf(input: Tensor) -> Tensor:
    """Whether the elements are -inf."""
    node = input.node
    if not node.dtype.is_floating_point:
        return wrap(ops.ne(node, node))
    return wrap(ops.eq(node, scalar(-math.inf, node.dtype)))


def isfinite(input: Tensor) -> Tensor:
    """Whether the elements are neither infinite nor NaN."""
    node = input.node
    if not node.dtype.is_floating_point:
        return wrap(ops.eq(node, node))
    return wrap(ops.lt(algebra.abs(node), scalar(math.inf, node.dtype)))


def isreal(input: Tensor) -> Tensor:
    """True everywhere, as there are no complex tensors."""
    return wrap(logic.logical_or(ops.eq(input.node, input.node), ops.ne(input.node, input.node)))


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Whether `|input - other| <= atol + rtol * |other|`."""
    if input.dtype is not other.dtype:
        raise RuntimeError(f"{input.dtype} did not match {other.dtype}")
    a, b = input.node, other.node
    close = ops.eq(a, b)
    if equal_nan:
        close = logic.logical_or(close, logic.logical_and(ops.ne(a, a), ops.ne(b, b)))
    if rtol == 0 and atol == 0:
        return wrap(close)
    if not a.dtype.is_floating_point:
        a, b = cast(a, dtypes.float64), cast(b, dtypes.float64)
    kind = a.dtype
    gap = algebra.abs(algebra.sub(a, b))
    allowed = algebra.add(scalar(atol, kind), algebra.abs(algebra.mul(scalar(rtol, kind), b)))
    finite = ops.lt(gap, scalar(math.inf, kind))
    near = logic.logical_and(finite, ops.le(gap, allowed))
    return wrap(logic.logical_or(close, near))


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, see `isclose`."""
    node = isclose(input, other, rtol, atol, equal_nan).node
    return bool(wrap(reduction.all_(node, tuple(range(len(node.shape))))))


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and elements."""
    if input.shape != other.shape:
        return False
    a, b = operands(input, other)
    same = ops.eq(a, b)
    return bool(wrap(reduction.all_(same, tuple(range(len(same.shape))))))
