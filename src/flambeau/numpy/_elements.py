"""Functions of elements that our ops lack under one name, composed of those that there are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flambeau.autograd.aliases import CLONE
from flambeau.core import dtypes
from flambeau.graph.node import Node
from flambeau.graph.op import SCALAR
from flambeau.graph.recording import record, scalar
from flambeau.ops import algebra, arithmetic, comparison, exponential, logic
from flambeau.ops.algebra import scaled
from flambeau.ops.reduction import any_
from flambeau.ops.selection import cast, copysign, where
from flambeau.tensor.conversion import truth
from flambeau.tensor.tensor import wrap


def number(value: float, like: Node) -> Node:
    """A number of the same dtype as a node."""
    return scalar(value, like.spec.dtype)


def zero_like(like: Node) -> Node:
    """Zero, of the same dtype as a node."""
    return scalar(0.0 if like.spec.dtype.is_floating_point else 0, like.spec.dtype)


def same(x: Node) -> Node:
    """x as a value of its own."""
    return record(CLONE, (x,))


def unless_bool(function: Callable[[Node], Node]) -> Callable[[Node], Node]:
    """A function that leaves bools as they are."""
    return lambda x: same(x) if x.spec.dtype is dtypes.bool else function(x)


def square(x: Node) -> Node:
    """x * x."""
    return algebra.mul(x, x)


def reciprocal(x: Node) -> Node:
    """1 / x; of integers rounded towards zero, and 0 of 0."""
    if x.spec.dtype.is_floating_point:
        return algebra.div(number(1.0, x), x)
    return where(comparison.eq(algebra.abs(x), number(1, x)), x, number(0, x))


def is_nan(x: Node) -> Node:
    """Whether x is NaN."""
    return comparison.ne(x, x)


def is_infinite(x: Node) -> Node:
    """Whether x is infinite."""
    if not x.spec.dtype.is_floating_point:
        return comparison.ne(x, x)
    return comparison.eq(algebra.abs(x), number(math.inf, x))


def is_finite(x: Node) -> Node:
    """Whether x is neither infinite nor NaN."""
    if not x.spec.dtype.is_floating_point:
        return comparison.eq(x, x)
    return comparison.lt(algebra.abs(x), number(math.inf, x))


def sign(x: Node) -> Node:
    """-1, 0 or 1; NaN of NaN."""
    result = algebra.sign(x)
    return where(is_nan(x), x, result) if x.spec.dtype.is_floating_point else result


def sign_bit(x: Node) -> Node:
    """Whether the sign is negative, that of -0.0 and NaN included."""
    if not x.spec.dtype.is_floating_point:
        return comparison.lt(x, number(0, x))
    return comparison.lt(copysign(number(1.0, x), x), number(0.0, x))


def cube_root(x: Node) -> Node:
    """The real cube root: of a power, made exact by a step of Newton's method."""
    size = algebra.abs(x)
    usual = logic.logical_and(is_finite(x), comparison.ne(x, number(0.0, x)))
    size = where(usual, size, number(1.0, x))
    guess = arithmetic.pow(size, number(1 / 3, x))
    excess = algebra.sub(guess, algebra.div(size, algebra.mul(guess, guess)))
    root = algebra.sub(guess, scaled(excess, 1 / 3))
    return where(usual, copysign(root, x), x)


def heaviside(x: Node, at_zero: Node) -> Node:
    """0 below zero, 1 above, `at_zero` at zero; NaN of NaN."""
    zero = number(0.0, x)
    step = where(comparison.lt(x, zero), zero, number(1.0, x))
    return where(is_nan(x), x, where(comparison.eq(x, zero), at_zero, step))


def fmax(a: Node, b: Node) -> Node:
    """The larger; of a number and a NaN, the number."""
    return where(is_nan(b), a, where(is_nan(a), b, arithmetic.maximum(a, b)))


def fmin(a: Node, b: Node) -> Node:
    """The smaller; of a number and a NaN, the number."""
    return where(is_nan(b), a, where(is_nan(a), b, arithmetic.minimum(a, b)))


def logaddexp(a: Node, b: Node) -> Node:
    """log(exp(a) + exp(b)) without overflow."""
    larger, gap = arithmetic.maximum(a, b), algebra.neg(algebra.abs(algebra.sub(a, b)))
    total = algebra.add(larger, exponential.log1p(exponential.exp(gap)))
    return where(comparison.eq(a, b), algebra.add(a, number(math.log(2), a)), total)


def logaddexp2(a: Node, b: Node) -> Node:
    """log2(2**a + 2**b) without overflow."""
    larger, gap = arithmetic.maximum(a, b), algebra.neg(algebra.abs(algebra.sub(a, b)))
    tail = scaled(exponential.log1p(exponential.exp2(gap)), 1 / math.log(2))
    total = algebra.add(larger, tail)
    return where(comparison.eq(a, b), algebra.add(a, number(1.0, a)), total)


def ldexp(x: Node, exponent: Node) -> Node:
    """x * 2**exponent."""
    return algebra.mul(x, exponential.exp2(cast(exponent, x.spec.dtype)))


def safely(divide: Callable[[Node, Node], Node]) -> Callable[[Node, Node], Node]:
    """A division of integers that gives 0 for a divisor of 0, as NumPy's do."""

    def function(a: Node, b: Node) -> Node:
        if b.spec.dtype.is_floating_point:
            return divide(a, b)
        zero = number(0, b)
        missing = comparison.eq(b, zero)
        found = divide(a, where(missing, number(1, b), b))
        return where(missing, zero, found)

    return function


def power(a: Node, b: Node) -> Node:
    """a**b; ValueError for integers to negative powers."""
    kind = a.spec.dtype
    exponent = b.attributes[0] if b.op is SCALAR else None
    # A Live number may change from run to run, so no code may depend on it.
    plain = exponent if type(exponent) in (int, float) else None
    rule = None if plain is None else _POWERS.get(plain)
    if rule is not None and (kind.is_floating_point or plain in (1, 2, 3)):
        return rule(a)
    if kind.is_signed and not kind.is_floating_point and _is_negative(b, exponent):
        raise ValueError("Integers to negative integer powers are not allowed.")
    return arithmetic.pow(a, b)


def _is_negative(b: Node, exponent: Any) -> bool:
    """Whether one of the exponents is; those of an array are looked at."""
    if exponent is not None:
        return bool(exponent < 0)
    negative = any_(comparison.lt(b, number(0, b)), tuple(range(len(b.spec.shape))))
    return truth(wrap(same(negative)))


# Exponents that are code of their own.
_POWERS: dict[float, Callable[[Node], Node]] = {
    2.0: square,
    1.0: same,
    0.5: arithmetic.sqrt,
    -1.0: reciprocal,
    3.0: lambda x: algebra.mul(algebra.mul(x, x), x),
}


def degrees(x: Node) -> Node:
    """Radians in degrees."""
    return scaled(x, 180 / math.pi)


def radians(x: Node) -> Node:
    """Degrees in radians."""
    return scaled(x, math.pi / 180)
