"""Running sums, products and extremes along a dimension, and softmax."""

from __future__ import annotations

import math
from typing import Any

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import normalize_dim
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import algebra, exponential, reduction
from flambeau.ops import scan as ops
from flambeau.ops.comparison import eq, le, ne
from flambeau.ops.indexing import gather
from flambeau.ops.logic import logical_or
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import expand, iota, kept_as_ones, permute, reshape, sum_
from flambeau.tensor.cloning import distinct
from flambeau.tensor.reductions import (
    NARROW,
    MaxResult,
    _summand,
    detached,
    logsumexp,
)
from flambeau.tensor.tensor import Tensor, wrap


def cumsum(input: Tensor, dim: int, *, dtype: dtype | None = None) -> Tensor:
    """The running sum along `dim`.

    >>> import flambeau
    >>> flambeau.tensor([1, 2, 3]).cumsum(0)
    tensor([1, 3, 6])
    """
    node = _summand(input.node, dtype)
    dim = normalize_dim(dim, len(node.spec.shape))
    return wrap(distinct(ops.cumsum(node, dim) if node.spec.shape else node, input.node))


def cumprod(input: Tensor, dim: int, *, dtype: dtype | None = None) -> Tensor:
    """The running product along `dim`."""
    node = _summand(input.node, dtype)
    dim = normalize_dim(dim, len(node.spec.shape))
    return wrap(distinct(ops.cumprod(node, dim) if node.spec.shape else node, input.node))


def cummax(input: Tensor, dim: int) -> MaxResult:
    """The largest element so far along `dim`, and where it was last met."""
    return _running(input, dim, True)


def cummin(input: Tensor, dim: int) -> MaxResult:
    """The smallest element so far along `dim`, and where it was last met."""
    return _running(input, dim, False)


def _running(input: Tensor, dim: int, largest: bool) -> MaxResult:
    node = input.node
    shape = node.spec.shape
    dim = normalize_dim(dim, len(shape))
    if not shape:
        return MaxResult(wrap(distinct(node, node)), wrap(reshape(iota(1), ())))
    ordered = cast(node, dtypes.uint8) if node.dtype is dtypes.bool else node
    best = ops.running_extreme(ordered, dim, largest)
    numbers = _numbers(shape, dim)
    met = eq(ordered, best)
    if node.dtype.is_floating_point:
        met = logical_or(met, ne(ordered, ordered))
    last = ops.running_extreme(where(met, numbers, scalar(-1, dtypes.int64)), dim, True)
    return MaxResult(wrap(gather(node, last, dim)), wrap(last))


def _numbers(shape: tuple[int, ...], dim: int) -> Node:
    along = tuple([size if one == dim else 1 for one, size in enumerate(shape)])
    return expand(reshape(iota(shape[dim]), along), shape)


def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """`log` of the running sum of `exp`, without overflow."""
    node = input.node
    shape = node.spec.shape
    dim = normalize_dim(dim, len(shape))
    if not shape or not node.spec.numel:
        return wrap(distinct(node, node))
    # The whole matrix of pairs: exact, and gradients follow.
    size, rank = shape[dim], len(shape)
    last = [one for one in range(rank) if one != dim]
    moved = permute(node, (*last, dim))
    wide = (*[shape[one] for one in last], size, size)
    pairs = expand(reshape(moved, (*wide[:-2], 1, size)), wide)
    seen = le(
        expand(reshape(iota(size), (1, size)), (size, size)),
        expand(reshape(iota(size), (size, 1)), (size, size)),
    )
    masked = where(seen, pairs, scalar(-math.inf, node.dtype))
    result = logsumexp(wrap(masked), -1).node
    back = [0] * rank
    for place, one in enumerate((*last, dim)):
        back[one] = place
    return wrap(permute(result, tuple(back)))


def softmax(input: Tensor, dim: int, dtype: dtype | None = None, _stacklevel: int = 3) -> Tensor:
    """`exp(x)` divided by its sum along `dim`.

    >>> import flambeau
    >>> flambeau.softmax(flambeau.zeros(2), 0)
    tensor([0.5000, 0.5000])
    """
    node, kind = _wide(input, dtype)
    spread, dims = _spread(node, dim)
    powers = exponential.exp(spread)
    total = reshape(sum_(powers, dims), kept_as_ones(node.spec.shape, dims))
    # A division for each row, not for each element.
    share = algebra.div(scalar(1.0, node.dtype), total)
    return wrap(cast(algebra.mul(powers, share), kind))


def log_softmax(
    input: Tensor, dim: int, dtype: dtype | None = None, _stacklevel: int = 3
) -> Tensor:
    """`log(softmax(x))`, accurate also where the softmax is tiny."""
    node, kind = _wide(input, dtype)
    spread, dims = _spread(node, dim)
    total = sum_(exponential.exp(spread), dims)
    logarithm = reshape(exponential.log(total), kept_as_ones(node.spec.shape, dims))
    return wrap(cast(algebra.sub(spread, logarithm), kind))


def _wide(input: Tensor, kind: Any) -> tuple[Node, dtype]:
    """The operand, in float32 if narrow, and the result's dtype."""
    node = input.node if kind is None else cast(input.node, kind)
    if not node.dtype.is_floating_point:
        raise NotImplementedError(
            f"\"softmax_lastdim_kernel_impl\" not implemented for '{node.dtype}'"
        )
    result = node.dtype
    return (cast(node, dtypes.float32) if result in NARROW else node), result


def _spread(node: Node, dim: int) -> tuple[Node, tuple[int, ...]]:
    """The elements less the largest along `dim`: softmax is indifferent to it."""
    shape = node.spec.shape
    dim = normalize_dim(dim, len(shape))
    dims = (dim,) if shape else ()
    if not node.spec.numel:
        return node, dims
    largest = reshape(reduction.amax(detached(node), dims), kept_as_ones(shape, dims))
    return algebra.sub(node, largest), dims
