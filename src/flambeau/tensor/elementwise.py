"""Functions of one element: exponentials, trigonometry, rounding, and the common activations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import arithmetic, exponential, rounding, special, trigonometric
from flambeau.ops.algebra import scaled
from flambeau.ops.comparison import eq
from flambeau.ops.selection import copysign as _copysign
from flambeau.ops.selection import nextafter as _nextafter
from flambeau.ops.selection import where
from flambeau.tensor.promotion import check_tensor, float_node, float_operands, operands
from flambeau.tensor.results import finish
from flambeau.tensor.tensor import Tensor, wrap


class Unary(Protocol):
    """A function of one tensor, element by element."""

    __name__: str

    def __call__(self, input: Tensor, *, out: Tensor | None = None) -> Tensor: ...


def _floating(name: str, op: Callable[[Node], Node], text: str) -> Unary:
    """A function of floats; integers become the default dtype first."""

    def function(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        check_tensor(name, "input", 1, input)
        node = op(float_node(input))
        return wrap(node) if out is None else finish(node, out)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return function


def _any_number(name: str, op: Callable[[Node], Node], text: str) -> Unary:
    """A function of floats and integers that keeps the dtype."""

    def function(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        check_tensor(name, "input", 1, input)
        return finish(op(input.node), out)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return function


exp = _floating("exp", exponential.exp, "e to the power of `input`.")
exp2 = _floating("exp2", exponential.exp2, "2 to the power of `input`.")
expm1 = _floating("expm1", exponential.expm1, "`exp(input) - 1`, accurate near 0.")
log = _floating("log", exponential.log, "The natural logarithm.")
log2 = _floating("log2", exponential.log2, "The logarithm to base 2.")
log10 = _floating("log10", exponential.log10, "The logarithm to base 10.")
log1p = _floating("log1p", exponential.log1p, "`log(1 + input)`, accurate near 0.")
sigmoid = _floating("sigmoid", exponential.sigmoid, "`1 / (1 + exp(-input))`.")
sqrt = _floating("sqrt", arithmetic.sqrt, "The square root.")
rsqrt = _floating("rsqrt", arithmetic.rsqrt, "`1 / sqrt(input)`.")

sin = _floating("sin", trigonometric.sin, "The sine, of radians.")
cos = _floating("cos", trigonometric.cos, "The cosine, of radians.")
tan = _floating("tan", trigonometric.tan, "The tangent, of radians.")
asin = _floating("asin", trigonometric.asin, "The angle in [-π/2, π/2] with this sine.")
acos = _floating("acos", trigonometric.acos, "The angle in [0, π] with this cosine.")
atan = _floating("atan", trigonometric.atan, "The angle in [-π/2, π/2] with this tangent.")
sinh = _floating("sinh", trigonometric.sinh, "The hyperbolic sine.")
cosh = _floating("cosh", trigonometric.cosh, "The hyperbolic cosine.")
tanh = _floating("tanh", trigonometric.tanh, "The hyperbolic tangent.")
asinh = _floating("asinh", trigonometric.asinh, "The inverse of sinh.")
acosh = _floating("acosh", trigonometric.acosh, "The inverse of cosh.")
atanh = _floating("atanh", trigonometric.atanh, "The inverse of tanh.")

erf = _floating("erf", special.erf, "The error function.")
erfc = _floating("erfc", special.erfc, "`1 - erf(input)`, accurate for large inputs.")
erfinv = _floating("erfinv", special.erfinv, "The inverse of erf.")
lgamma = _floating("lgamma", special.lgamma, "The logarithm of |Γ(input)|.")
digamma = _floating("digamma", special.digamma, "The derivative of lgamma.")
i0 = _floating("i0", special.i0, "The modified Bessel function of order 0.")
i0e = _floating("i0e", special.i0e, "`exp(-|x|) * i0(x)`.")
i1 = _floating("i1", special.i1, "The modified Bessel function of order 1.")
i1e = _floating("i1e", special.i1e, "`exp(-|x|) * i1(x)`.")

relu = _any_number("relu", arithmetic.relu, "`max(input, 0)`.")
floor = _any_number("floor", rounding.floor, "The largest whole number not above `input`.")
ceil = _any_number("ceil", rounding.ceil, "The smallest whole number not below `input`.")
trunc = _any_number("trunc", rounding.trunc, "`input` without what follows the point.")


def atan2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The angle of the point (other, input)."""
    a, b = float_operands(input, other)
    return finish(trigonometric.atan2(a, b), out)


def copysign(input: Tensor, other: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The magnitude of `input` with the sign of `other`."""
    a, b = float_operands(input, other)
    return finish(_copysign(a, b), out)


def nextafter(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The next number after `input` on the way to `other`."""
    a, b = operands(input, other)
    return finish(_nextafter(a, b), out)


def sinc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`sin(πx) / (πx)`, and 1 at 0."""
    x = float_node(input)
    at_zero = eq(x, scalar(0.0, x.dtype))
    angle = scaled(where(at_zero, scalar(1.0, x.dtype), x), math.pi)
    quotient = arithmetic.div(trigonometric.sin(angle), angle)
    # The parabola at 0 is there for the sake of the derivatives.
    curve = arithmetic.sub(scalar(1.0, x.dtype), scaled(arithmetic.mul(x, x), math.pi**2 / 6))
    return finish(where(at_zero, curve, quotient), out)
