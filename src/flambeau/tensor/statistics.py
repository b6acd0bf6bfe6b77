"""Differences, quantiles, covariances and areas under sampled curves."""

from __future__ import annotations

import math
from typing import Any

from flambeau.core import dtypes
from flambeau.core.shapes import normalize_dim
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import comparison, reduction, rounding
from flambeau.ops.selection import cast
from flambeau.ops.selection import where as choose
from flambeau.ops.shape import sum_
from flambeau.tensor.creation import tensor
from flambeau.tensor.joining import atleast_2d, cat
from flambeau.tensor.norms import norm
from flambeau.tensor.reductions import taken_at
from flambeau.tensor.scans import cumsum
from flambeau.tensor.searching import sort, where
from flambeau.tensor.tensor import Tensor, wrap
from flambeau.tensor.views import movedim, narrow


def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Differences of neighbours along `dim`, `n` times over.

    >>> import flambeau
    >>> flambeau.diff(flambeau.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if not input.dim():
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    ends = [one for one in (prepend, input, append) if one is not None]
    result = cat(ends, dim) if len(ends) > 1 else input
    for _ in range(n):
        size = max(result.shape[dim] - 1, 0)
        later = narrow(result, dim, min(1, result.shape[dim]), size)
        earlier = narrow(result, dim, 0, size)
        result = later ^ earlier if result.dtype is dtypes.bool else later - earlier
    return result.clone() if result is input else result


def quantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The value below which a fraction `q` lies along `dim`, interpolated; NaN if one is."""
    return _quantile(input, q, dim, keepdim, interpolation, skip_nan=False)


def nanquantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """`quantile` of the elements that are not NaN."""
    return _quantile(input, q, dim, keepdim, interpolation, skip_nan=True)


def _quantile(
    input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip_nan: bool
) -> Tensor:
    fractions = q if isinstance(q, Tensor) else tensor(float(q), dtype=input.dtype)
    if fractions.dtype is not input.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    rank = input.dim()
    if dim is None:
        rows = input.reshape(-1)
        kept = (1,) * rank
    else:
        dim = normalize_dim(dim, rank)
        rows = movedim(input, dim, -1) if rank else input.reshape(-1)
        kept = tuple([1 if one == dim else size for one, size in enumerate(input.shape)])
    ordered = sort(rows, -1).values.node
    lead = ordered.spec.shape[:-1]
    count = _counts(ordered, skip_nan)
    levels = fractions.reshape(-1)
    found = [
        wrap(_at_level(ordered, count, levels[number].node, interpolation))
        for number in range(levels.shape[0])
    ]
    shape = kept if keepdim else lead
    stacked = cat([one.reshape(1, *shape) for one in found], 0)
    return stacked if fractions.dim() else stacked.squeeze(0)


def _counts(ordered: Node, skip_nan: bool) -> Node:
    """How many elements of each row count; -1 where a NaN makes the result NaN."""
    last = (len(ordered.spec.shape) - 1,)
    valid = comparison.eq(ordered, ordered)
    if skip_nan:
        return sum_(cast(valid, ordered.dtype), last)
    size = scalar(float(ordered.spec.shape[-1]), ordered.dtype)
    return choose(reduction.all_(valid, last), size, scalar(-1.0, ordered.dtype))


def _at_level(ordered: Node, count: Node, level: Node, interpolation: str) -> Node:
    kind, dim = ordered.dtype, len(ordered.spec.shape) - 1
    place = (wrap(level) * (wrap(count) - 1)).clamp(min=0).node
    if interpolation == "nearest":
        place = rounding.round(place)
    low, high = rounding.floor(place), rounding.ceil(place)
    picked = {"lower": (low, low), "higher": (high, high)}.get(interpolation, (low, high))
    below, above = [wrap(_picked(ordered, one, dim)) for one in picked]
    if interpolation == "midpoint":
        result = (below + above) / 2
    else:
        weight = wrap(place) - wrap(low)
        result = below + (above - below) * weight
    missing = comparison.lt(count, scalar(1.0, kind))
    return choose(missing, scalar(math.nan, kind), result.node)


def _picked(ordered: Node, place: Node, dim: int) -> Node:
    return taken_at(ordered, cast(place, dtypes.int64), dim)


def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """Covariances of variables, one a row, from observations, one a column."""
    if input.dim() > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input.dim()} dimensions"
        )
    rows = atleast_2d(input)
    if not rows.dtype.is_floating_point:
        rows = rows * 1.0
    weights = None
    for one in (fweights, aweights):
        if one is not None:
            weights = one if weights is None else weights * one
    if weights is None:
        total: Any = float(rows.shape[1])
        centered = rows - rows.mean(1, keepdim=True)
        weighted = centered
    else:
        total = weights.sum()
        average = (rows * weights).sum(1, keepdim=True) / total
        centered = rows - average
        weighted = centered * weights
    freedom = total - correction
    if aweights is not None and correction:
        freedom = total - correction * (weights * aweights).sum() / total
    limited = freedom.clamp(min=0) if isinstance(freedom, Tensor) else max(freedom, 0.0)
    result: Tensor = weighted @ centered.t() / limited
    return result.squeeze()


def corrcoef(input: Tensor) -> Tensor:
    """Correlations of variables, one a row, from observations, one a column."""
    if input.dim() > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{input.dim()} dimensions"
        )
    found = cov(input)
    if not found.dim():
        return found / found
    spread = found.diagonal().sqrt()
    scaled: Tensor = found / spread.unsqueeze(1) / spread.unsqueeze(0)
    return scaled.clamp(-1, 1)


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The area under samples `y` at `x`, or `dx` apart, along `dim`."""
    return _areas(y, x, dx, dim).sum(dim)


def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1
) -> Tensor:
    """The area under the samples so far, along `dim`."""
    return cumsum(_areas(y, x, dx, dim), dim)


def _areas(y: Tensor, x: Tensor | None, dx: float, dim: int) -> Tensor:
    size = max(y.shape[dim] - 1, 0)
    sums = narrow(y, dim, min(1, y.shape[dim]), size) + narrow(y, dim, 0, size)
    if x is None:
        return sums * dx / 2
    if x.dim() == 1 and y.dim() > 1:
        along = [1] * y.dim()
        along[dim] = x.shape[0]
        x = x.reshape(along)
    return sums * diff(x, dim=dim if x.dim() == y.dim() else -1) / 2


def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Slices along `dim` scaled down to the p-norm `maxnorm` where theirs is larger."""
    dim = normalize_dim(dim, input.dim())
    others = [one for one in range(input.dim()) if one != dim]
    sizes = norm(input, p, others, keepdim=True)
    shrunk: Tensor = where(sizes > maxnorm, maxnorm / (sizes + 1e-7), 1.0)
    return input * shrunk
