"""Sums, products, quotients, powers and what is made of them, element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.live import Live
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import arithmetic as ops
from flambeau.ops import exponential, logic, rounding
from flambeau.ops.algebra import scaled, zeros_like
from flambeau.ops.comparison import eq, gt, lt, ne
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import full
from flambeau.tensor.promotion import (
    NUMBERS,
    check_tensor,
    float_node,
    float_operands,
    operands,
    plain,
    result_dtype,
    to_node,
    with_number,
)
from flambeau.tensor.results import finish
from flambeau.tensor.tensor import Tensor, wrap


def add(
    input: Any, other: Any, legacy: Any = None, *, alpha: float = 1, out: Tensor | None = None
) -> Tensor:
    """`input + alpha * other`, broadcast; the old order `add(input, alpha, other)` works too.

    >>> import flambeau
    >>> flambeau.add(flambeau.ones(2), 3, alpha=2)
    tensor([7., 7.])
    """
    if legacy is not None:
        other, alpha = legacy, other
    a, b = operands(input, other)
    if alpha != 1:
        b = times_alpha(b, alpha)
    if out is None:
        return wrap(ops.add(a, b))
    return finish(ops.add(a, b), out)


def sub(
    input: Any, other: Any, legacy: Any = None, *, alpha: float = 1, out: Tensor | None = None
) -> Tensor:
    """`input - alpha * other`, broadcast."""
    if legacy is not None:
        other, alpha = legacy, other
    a, b = sub_operands(input, other)
    if alpha != 1:
        b = times_alpha(b, alpha)
    return finish(ops.sub(a, b), out)


def sub_operands(input: Any, other: Any) -> tuple[Node, Node]:
    """The operands of a difference, which are not to be bools."""
    a, b = operands(input, other)
    if a.spec.dtype is not dtypes.bool:
        for one in (input, other):
            if isinstance(one, bool) or getattr(one, "dtype", None) is dtypes.bool:
                raise RuntimeError(
                    "Subtraction, the `-` operator, with a bool tensor is not supported. If you "
                    "are trying to invert a mask, use the `~` or `logical_not()` operator instead."
                )
    return a, b


def rsub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """`other - alpha * input`."""
    return sub(other, input, alpha=alpha)


def times_alpha(node: Node, alpha: float) -> Node:
    """An operand times `alpha`, which must fit its dtype."""
    kind = node.dtype
    if not kind.is_floating_point and isinstance(alpha, float):
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )
    if isinstance(alpha, bool) and kind is not dtypes.bool:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    return ops.mul(node, scalar(plain(alpha, kind), kind))


def mul(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """The product, broadcast."""
    a, b = operands(input, other)
    return finish(ops.mul(a, b), out)


def div(
    input: Any, other: Any, *, rounding_mode: str | None = None, out: Tensor | None = None
) -> Tensor:
    """The quotient: of floats, or rounded down ('floor') or towards zero ('trunc').

    >>> import flambeau
    >>> flambeau.div(flambeau.tensor([7, -7]), 2, rounding_mode="floor")
    tensor([ 3, -4])
    """
    if rounding_mode is None:
        a, b = float_operands(input, other)
        return finish(ops.div(a, b), out)
    if rounding_mode == "floor":
        return floor_divide(input, other, out=out)
    if rounding_mode != "trunc":
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    a, b = operands(input, other)
    if a.dtype.is_floating_point:
        return finish(rounding.trunc(ops.div(a, b)), out)
    return finish(ops.floor_div(ops.sub(a, ops.fmod(a, b)), b), out)


def true_divide(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """The quotient of floats."""
    return div(input, other, out=out)


def rtruediv(input: Any, other: Any) -> Tensor:
    """`other / input`."""
    if isinstance(other, NUMBERS) and other == 1:
        return reciprocal(input)
    return div(other, input)


def floor_divide(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """The quotient rounded down, in the operands' dtype."""
    a, b = operands(input, other)
    return finish(ops.floor_div(a, b), out)


def rfloordiv(input: Any, other: Any) -> Tensor:
    """`other // input`."""
    return floor_divide(other, input)


def remainder(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """What `floor_divide` leaves; it has the divisor's sign."""
    a, b = operands(input, other)
    return finish(ops.remainder(a, b), out)


def rmod(input: Any, other: Any) -> Tensor:
    """`other % input`."""
    return remainder(other, input)


def fmod(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """What division towards zero leaves; it has the dividend's sign."""
    a, b = operands(input, other)
    return finish(ops.fmod(a, b), out)


def neg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`-input`."""
    check_tensor("neg", "input", 1, input)
    return finish(ops.neg(input.node), out)


def positive(input: Tensor) -> Tensor:
    """`input` itself; RuntimeError for bools."""
    if input.dtype is dtypes.bool:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


def abs(input: Tensor, *, out: Tensor | None = None) -> Tensor:  # noqa: A001 - PyTorch's spelling
    """The absolute value."""
    check_tensor("abs", "input", 1, input)
    return finish(ops.abs(input.node), out)


def sign(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """-1, 0 or 1."""
    return finish(ops.sign(input.node), out)


def square(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`input * input`."""
    node = input.node
    if node.dtype is dtypes.bool:
        node = cast(node, dtypes.int64)
    return finish(ops.mul(node, node), out)


def reciprocal(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`1 / input`."""
    node = float_node(input)
    return finish(ops.div(scalar(1.0, node.dtype), node), out)


def pow(input: Any, exponent: Any, *, out: Tensor | None = None) -> Tensor:  # noqa: A001
    """`input ** exponent`; exponents 0.5, 1, 2, 3 and -1 are code of their own.

    >>> import flambeau
    >>> flambeau.pow(flambeau.tensor([1.0, 2.0]), 3)
    tensor([1., 8.])
    """
    if isinstance(exponent, NUMBERS):
        return finish(_constant_power(input, exponent), out)
    a, b = operands(input, exponent)
    if a.dtype is dtypes.bool:
        raise NotImplementedError("\"pow\" not implemented for 'Bool'")
    return finish(ops.pow(a, b), out)


def rpow(input: Any, other: Any) -> Tensor:
    """`other ** input`."""
    return pow(other, input)


# Exponents that are code of their own.
_POWERS: dict[float, Callable[[Node], Node]] = {
    2: lambda x: ops.mul(x, x),
    3: lambda x: ops.mul(ops.mul(x, x), x),
    1: lambda x: ops.mul(x, scalar(1, x.dtype)),
    0: lambda x: ops.add(zeros_like(x), scalar(1, x.dtype)),
    0.5: ops.sqrt,
    -1: lambda x: ops.div(scalar(1.0, x.dtype), x),
}


def _constant_power(input: Tensor, exponent: Any) -> Node:
    node = input.node
    kind = with_number(node.spec.dtype, exponent)
    node = cast(node, kind)
    if not kind.is_floating_point and exponent < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    rule = _POWERS.get(exponent)
    if rule is not None and (kind.is_floating_point or exponent != 0.5):
        return rule(node)
    return ops.pow(node, scalar(plain(exponent, kind), kind))


def float_power(input: Any, exponent: Any) -> Tensor:
    """`input ** exponent`, in float64."""
    return pow(_double(input), _double(exponent))


def _double(value: Any) -> Any:
    return wrap(cast(value.node, dtypes.float64)) if isinstance(value, Tensor) else float(value)


def maximum(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The larger of two elements; NaN if one is."""
    check_tensor("maximum", "other", 2, other)
    a, b = operands(input, other)
    return finish(ops.maximum(a, b), out)


def minimum(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The smaller of two elements; NaN if one is."""
    check_tensor("minimum", "other", 2, other)
    a, b = operands(input, other)
    return finish(ops.minimum(a, b), out)


def fmax(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The larger of two elements; of a number and a NaN, the number."""
    a, b = operands(input, other)
    return finish(where(ne(b, b), a, where(ne(a, a), b, ops.maximum(a, b))), out)


def fmin(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The smaller of two elements; of a number and a NaN, the number."""
    a, b = operands(input, other)
    return finish(where(ne(b, b), a, where(ne(a, a), b, ops.minimum(a, b))), out)


def clamp(input: Tensor, min: Any = None, max: Any = None, *, out: Tensor | None = None) -> Tensor:
    """`input` limited to [min, max], numbers or tensors; either may be left out.

    >>> import flambeau
    >>> flambeau.clamp(flambeau.tensor([-2.0, 0.5, 2.0]), -1, 1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    node = input.node
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        kind = result_dtype(*[one for one in (input, min, max) if one is not None])
    else:
        kind = node.spec.dtype if min is None else with_number(node.spec.dtype, min)
        kind = kind if max is None else with_number(kind, max)
    node = cast(node, kind)
    if max is None:
        return finish(ops.clamp_min(node, to_node(min, kind)), out)
    if min is None:
        return finish(ops.clamp_max(node, to_node(max, kind)), out)
    return finish(ops.clamp(node, to_node(min, kind), to_node(max, kind)), out)


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """`input`, at least `min`."""
    return clamp(input, min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """`input`, at most `max`."""
    return clamp(input, None, max)


def addcmul(
    input: Tensor,
    tensor1: Any,
    tensor2: Any,
    legacy: Any = None,
    *,
    value: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`input + value * tensor1 * tensor2`; the old order with `value` second works too."""
    if legacy is not None:
        value, tensor1, tensor2 = tensor1, tensor2, legacy
    x, a, b = _three(input, tensor1, tensor2)
    product = ops.mul(a, b) if value == 1 else ops.mul(ops.mul(scalar_like(value, a), a), b)
    return finish(ops.add(x, product), out)


def addcdiv(
    input: Tensor,
    tensor1: Any,
    tensor2: Any,
    legacy: Any = None,
    *,
    value: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`input + value * tensor1 / tensor2`; the old order with `value` second works too."""
    if legacy is not None:
        value, tensor1, tensor2 = tensor1, tensor2, legacy
    x, a, b = _three(input, tensor1, tensor2)
    if not a.dtype.is_floating_point:
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2."
        )
    quotient = ops.div(a if value == 1 else ops.mul(scalar_like(value, a), a), b)
    return finish(ops.add(x, quotient), out)


def _three(*values: Any) -> tuple[Node, ...]:
    kind = result_dtype(*values)
    return tuple([to_node(value, kind) for value in values])


def scalar_like(value: Any, node: Node) -> Node:
    """A number as a node of the same dtype."""
    return scalar(plain(value, node.dtype), node.dtype)


def lerp(input: Tensor, end: Tensor, weight: Any, *, out: Tensor | None = None) -> Tensor:
    """`input + weight * (end - input)`, computed from the nearer end."""
    if input.dtype is not end.dtype:
        raise RuntimeError(f"expected dtype {input.dtype} for `end` but got dtype {end.dtype}")
    a, b = operands(input, end)
    w = to_node(weight, a.dtype)
    difference = ops.sub(b, a)
    if isinstance(weight, (Tensor, Live)):
        near = lt(ops.abs(w), scalar(0.5, a.dtype))
        share = where(near, w, ops.sub(w, scalar(1, a.dtype)))
        return finish(ops.add(where(near, a, b), ops.mul(difference, share)), out)
    if math.fabs(weight) < 0.5:
        return finish(ops.add(a, ops.mul(w, difference)), out)
    return finish(ops.sub(b, ops.mul(difference, ops.sub(scalar(1, a.dtype), w))), out)


def hypot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`sqrt(input² + other²)` without overflow."""
    a, b = operands(input, other)
    return finish(ops.hypot(a, b), out)


def logaddexp(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`log(exp(input) + exp(other))` without overflow."""
    a, b = float_operands(input, other)
    larger, gap = ops.maximum(a, b), ops.neg(ops.abs(ops.sub(a, b)))
    sum_ = ops.add(larger, exponential.log1p(exponential.exp(gap)))
    return finish(where(eq(a, b), ops.add(a, scalar(math.log(2), a.dtype)), sum_), out)


def logaddexp2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`log2(2**input + 2**other)` without overflow."""
    a, b = float_operands(input, other)
    larger, gap = ops.maximum(a, b), ops.neg(ops.abs(ops.sub(a, b)))
    tail = scaled(exponential.log1p(exponential.exp2(gap)), 1 / math.log(2))
    return finish(where(eq(a, b), ops.add(a, scalar(1.0, a.dtype)), ops.add(larger, tail)), out)


def xlogy(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """`input * log(other)`, and 0 where input is 0 unless other is NaN."""
    a, b = float_operands(input, other)
    zero = scalar(0.0, a.dtype)
    nothing = logic.logical_and(eq(a, zero), eq(b, b))
    safe = where(nothing, scalar(1.0, a.dtype), b)
    return finish(ops.mul(a, exponential.log(safe)), out)


def heaviside(input: Tensor, values: Tensor, *, out: Tensor | None = None) -> Tensor:
    """0 below zero, 1 above, `values` at zero."""
    if input.dtype is not values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    node, zero = input.node, scalar(0, input.dtype)
    step = cast(gt(node, zero), node.dtype)
    return finish(where(eq(node, zero), values.node, step), out)


def frac(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The part after the point, with the sign of `input`."""
    return finish(ops.sub(input.node, rounding.trunc(input.node)), out)


def round(input: Tensor, *, decimals: int = 0, out: Tensor | None = None) -> Tensor:  # noqa: A001
    """To the nearest whole number, halves to even; or to a number of decimals."""
    node = input.node
    if not decimals:
        return finish(rounding.round(node), out)
    factor = scalar(10.0 ** math.fabs(decimals), node.dtype)
    if decimals > 0:
        return finish(ops.div(rounding.round(ops.mul(node, factor)), factor), out)
    return finish(ops.mul(rounding.round(ops.div(node, factor)), factor), out)


def nan_to_num(
    input: Tensor,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """NaN and infinities replaced: by 0 and the dtype's extremes unless given."""
    node = input.node
    if not node.dtype.is_floating_point:
        return wrap(ops.add(node, scalar(0, node.dtype)))
    largest = largest_finite(node.dtype)
    infinity = scalar(math.inf, node.dtype)
    high = scalar(largest if posinf is None else posinf, node.dtype)
    low = scalar(-largest if neginf is None else neginf, node.dtype)
    result = where(eq(node, infinity), high, node)
    result = where(eq(node, ops.neg(infinity)), low, result)
    return wrap(where(ne(node, node), scalar(nan or 0.0, node.dtype), result))


def largest_finite(kind: dtype) -> float:
    """The largest number of a floating-point type."""
    mantissa, exponent = {
        dtypes.float16: (10, 15),
        dtypes.bfloat16: (7, 127),
        dtypes.float32: (23, 127),
        dtypes.float64: (52, 1023),
    }[kind]
    return (2.0 - 2.0**-mantissa) * 2.0**exponent


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """`log(x / (1 - x))`, with x limited to [eps, 1 - eps] if eps is given."""
    x = float_node(input)
    if eps is not None:
        x = ops.clamp(x, scalar(eps, x.dtype), scalar(1 - eps, x.dtype))
    one = scalar(1.0, x.dtype)
    return wrap(exponential.log(ops.div(x, ops.sub(one, x))))


def signbit(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the sign bit is set, -0. included."""
    node = input.node
    if not node.dtype.is_floating_point:
        return finish(lt(node, scalar(0, node.dtype)), out)
    sign_ = ops.div(scalar(1.0, node.dtype), node)
    return finish(
        where(
            eq(node, scalar(0, node.dtype)),
            lt(sign_, scalar(0, node.dtype)),
            lt(node, scalar(0, node.dtype)),
        ),
        out,
    )


def deg2rad(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Degrees to radians."""
    return finish(scaled(float_node(input), math.pi / 180), out)


def rad2deg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Radians to degrees."""
    return finish(scaled(float_node(input), 180 / math.pi), out)


def ldexp(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`input * 2**other`."""
    x, exponent = float_operands(input, other)
    return finish(ops.mul(x, exponential.exp2(exponent)), out)


def filled_like(node: Node, value: float) -> Node:
    """A number in every place."""
    return full(node.shape, plain(value, node.dtype), node.dtype)
