"""What the random functions refuse, in PyTorch's words."""

from __future__ import annotations

import math
import operator
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.core.device import resolve
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.engine.flush import compute
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import random as source
from flambeau.ops.comparison import eq, ge, le
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.logic import logical_and, logical_not
from flambeau.ops.reduction import all_, any_
from flambeau.ops.shape import reshape, sum_
from flambeau.tensor.arguments import chosen_dtype, sizes
from flambeau.tensor.tensor import Tensor


def checked_shape(op: str, args: Sequence[Any], size: Any = None) -> Shape:
    """The sizes given one by one, or as one sequence; none may be negative."""
    given = args if size is None else (size,)
    if not given:
        raise TypeError(f"{op}() expects the sizes of the dimensions, but got no argument")
    try:
        shape = sizes(given)
    except TypeError as error:
        raise TypeError(f"{op}(): argument 'size' must be tuple of ints: {error}") from None
    for one in shape:
        if one < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {one}: {list(shape)}"
            )
    return shape


def chosen_kind(out: Tensor | None, asked: Any, device: Any, default: dtype | None = None) -> dtype:
    """The dtype asked for, which must be that of `out`; `default`, or the default dtype."""
    resolve(device)
    if out is None:
        return chosen_dtype(asked, context.default_dtype if default is None else default)
    kind = chosen_dtype(asked, out.dtype)
    if kind is not out.dtype:
        raise RuntimeError(
            f"dtype {SPELLING[kind]} does not match dtype of out parameter ({SPELLING[out.dtype]})"
        )
    return kind


def integer(op: str, value: Any) -> int:
    """A bound as int64; TypeError, ValueError."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{op}(): a bound must be int, not {type(value).__name__}") from None
    if not -(2**63) <= number < 2**63:
        raise ValueError("Overflow when unpacking long long")
    return number


def bounds(op: str, given: Sequence[Any], low: Any, high: Any) -> tuple[int, int]:
    """Bounds given as (high), (low, high) or by name."""
    named = [one for one in (low, high) if one is not None]
    both = [*given, *named]
    if not 1 <= len(both) <= 2 or (low is not None and (given or high is None)):
        raise TypeError(f"{op}() expects (high) or (low, high), but got {len(both)} bounds")
    numbers = [integer(op, one) for one in both]
    return (0, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


C_NAMES = {
    dtypes.bool: "bool", dtypes.uint8: "unsigned char", dtypes.int8: "signed char",
    dtypes.int16: "short int", dtypes.int32: "int", dtypes.int64: "long int",
    dtypes.float16: "c10::Half", dtypes.bfloat16: "c10::BFloat16", dtypes.float32: "float",
    dtypes.float64: "double",
}  # fmt: skip
_LARGEST_FLOAT = {
    dtypes.float16: 65504.0, dtypes.bfloat16: float.fromhex("0x1.fep127"),
    dtypes.float32: float.fromhex("0x1.fffffep127"), dtypes.float64: sys.float_info.max,
}  # fmt: skip


def check_range(low: int, high: int, kind: dtype) -> None:
    """RuntimeError for an empty range of integers, or one beyond the dtype's."""
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    if kind.is_floating_point:
        lowest, largest = -_LARGEST_FLOAT[kind], _LARGEST_FLOAT[kind]
    else:
        largest = source.largest_whole(kind)
        lowest = -largest - 1 if kind.is_signed else 0
    exact = source.largest_whole(kind)
    for name, bound in (("from", low), ("to - 1", high - 1)):
        if not lowest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {C_NAMES[kind]}")
        if kind.is_floating_point and not -exact <= bound <= exact:
            warnings.warn(
                f"{name} is out of bounds [-{exact}, {exact}], within which {C_NAMES[kind]} has "
                "all integers; beyond, some cannot come up",
                UserWarning,
                stacklevel=3,
            )


def check_float(kind: dtype, kernel: str) -> None:
    if not kind.is_floating_point:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{SPELLING[kind]}'")


def check_std(std: float) -> None:
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")


def check_uniform_bounds(low: float, high: float, kind: dtype) -> None:
    largest = _LARGEST_FLOAT[kind]
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {C_NAMES[kind]}")
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    if high - low > largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{SPELLING[kind]}>::max(), but found "
            f"to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )


def check_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")


def is_true(condition: Node) -> bool:
    """The value of a 0-dim bool."""
    buffer: Any = compute(condition).buffer
    return bool(buffer.as_array(np.dtype(bool), ())[()])


def check_probabilities(p: Tensor) -> None:
    check_float(p.dtype, "bernoulli_tensor_cpu_p_")
    node = flattened(p.node)
    inside = logical_and(ge(node, scalar(0, p.dtype)), le(node, scalar(1, p.dtype)))
    if p.numel() and not is_true(all_(inside, (0,))):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")


def check_multinomial(input: Tensor, samples: int, replacement: bool, out: Tensor | None) -> None:
    if input.dim() not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if not input.dtype.is_floating_point:
        raise RuntimeError(
            "multinomial only supports floating-point dtypes for input, got: "
            f"{SPELLING[input.dtype]}"
        )
    if out is not None and out.dtype is not dtypes.int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {SPELLING[out.dtype]}")
    if samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and samples > input.shape[-1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    if input.shape[-1] > 2**24:
        raise RuntimeError("number of categories cannot exceed 2^24")


def check_weights(weights: Node, one_by_one: bool) -> None:
    """RuntimeError, in the words of either way to sample, for weights that are no distribution."""
    flat, kind = flattened(weights), weights.dtype
    negative = any_(logical_not(ge(flat, scalar(0, kind))), (0,))
    infinite = any_(eq(flat, scalar(math.inf, kind)), (0,))
    nothing = any_(eq(sum_(weights, (1,)), scalar(0, kind)), (0,))
    refusals = [
        (negative, "invalid multinomial distribution (encountering probability entry < 0)"),
        (infinite, "invalid multinomial distribution (encountering probability entry = infinity "
                   "or NaN)"),
    ]  # fmt: skip
    if not one_by_one:
        text = "probability tensor contains either `inf`, `nan` or element < 0"
        refusals = [(negative, text), (infinite, text)]
    text = "invalid multinomial distribution (sum of probabilities <= 0)"
    for wrong, message in (*refusals, (nothing, text)):
        if is_true(wrong):
            raise RuntimeError(message)


def flattened(node: Node) -> Node:
    """All elements in one row."""
    return reshape(node, (node.spec.numel,))
