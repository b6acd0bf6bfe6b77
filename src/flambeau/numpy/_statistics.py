"""Rounding to digits, order statistics, correlations, differences and integrals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from flambeau.core import dtypes
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.numpy._elements import is_nan, number, zero_like
from flambeau.numpy._folding import dims_for, kept_dims
from flambeau.numpy._joining import concatenate
from flambeau.numpy._kinds import kind_of, promoted
from flambeau.numpy._ndarray import (
    array_of,
    fresh,
    from_host,
    host_value,
    made_array,
    ndarray,
    node_of,
)
from flambeau.numpy._reductions import average as average_of
from flambeau.numpy._reductions import sum as sum_of
from flambeau.numpy._results import finished
from flambeau.numpy._shaping import along
from flambeau.numpy._ufuncs import UFUNCS
from flambeau.ops import algebra, rounding
from flambeau.ops.comparison import eq, ge, gt
from flambeau.ops.indexing import index
from flambeau.ops.reduction import any_
from flambeau.ops.selection import cast
from flambeau.ops.selection import where as choose
from flambeau.ops.shape import expand, iota, kept, pad, permute, reshape, sum_
from flambeau.tensor.reductions import taken_at
from flambeau.tensor.searching import sort as sort_tensor
from flambeau.tensor.tensor import wrap


def round(a: Any, decimals: int = 0, out: Any = None) -> Any:  # noqa: A001 - NumPy's spelling
    """Rounded to this many decimals, halves to even.

    >>> import flambeau.numpy as np
    >>> np.round([1.25, 2.5])
    array([1., 2.])
    """
    node = node_of(a)
    given = node
    if node.spec.dtype is dtypes.bool:
        node = cast(node, dtypes.float16)
    kind = node.spec.dtype
    if decimals == 0 or (decimals > 0 and not kind.is_floating_point):
        result = rounding.round(node)
    else:
        wide = node if kind.is_floating_point else cast(node, dtypes.float64)
        by = number(float(10 ** abs(decimals)), wide)
        up, down = (algebra.mul, algebra.div) if decimals > 0 else (algebra.div, algebra.mul)
        result = cast(down(rounding.round(up(wide, by)), by), kind)
    return finished(result, out, "round", given)


around = round


def fix(x: Any, out: Any = None) -> Any:
    """Rounded towards zero."""
    return UFUNCS["trunc"](x, out=out)


# Order statistics. `method` names how to interpolate between the two nearest elements.

_EXACT = ("lower", "higher", "nearest", "midpoint", "linear")


def quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: Any = "linear",
    keepdims: Any = False,
    *,
    weights: Any = None,
) -> Any:
    """The value below which a fraction `q` of the elements lies; NaN if one of them is.

    >>> import flambeau.numpy as np
    >>> np.quantile([1.0, 2.0, 4.0], [0.5, 0.75])
    array([2., 3.])
    """
    levels = np.asarray(host_value(q), np.float64)
    if not ((levels >= 0) & (levels <= 1)).all():
        raise ValueError("Quantiles must be in the range [0, 1]")
    if method not in _EXACT or weights is not None:
        found = np.quantile(
            host_value(a),
            levels,
            axis,
            method=method,
            keepdims=keepdims,
            weights=host_value(weights),
        )
        return finished(node_of(found), out, "quantile")
    return finished(_quantiles(node_of(a), levels, axis, method, keepdims, False), out, "quantile")


def percentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: Any = "linear",
    keepdims: Any = False,
    *,
    weights: Any = None,
) -> Any:
    """`quantile` of `q` in percent."""
    levels = np.asarray(host_value(q), np.float64)
    if not ((levels >= 0) & (levels <= 100)).all():
        raise ValueError("Percentiles must be in the range [0, 100]")
    return quantile(a, levels / 100, axis, out, False, method, keepdims, weights=weights)


def nanquantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: Any = "linear",
    keepdims: Any = False,
) -> Any:
    """`quantile` of the elements that are not NaN."""
    levels = np.asarray(host_value(q), np.float64)
    if not ((levels >= 0) & (levels <= 1)).all():
        raise ValueError("Quantiles must be in the range [0, 1]")
    return finished(
        _quantiles(node_of(a), levels, axis, method, keepdims, True), out, "nanquantile"
    )


def nanpercentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: Any = "linear",
    keepdims: Any = False,
) -> Any:
    """`percentile` of the elements that are not NaN."""
    return nanquantile(
        a, np.asarray(host_value(q), np.float64) / 100, axis, out, False, method, keepdims
    )


def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Any:
    """The middle element, or the average of the two in the middle."""
    found = _quantiles(node_of(a), np.asarray(0.5), axis, "midpoint", keepdims, False)
    return finished(found, out, "median")


def nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Any:
    """`median` of the elements that are not NaN."""
    found = _quantiles(node_of(a), np.asarray(0.5), axis, "midpoint", keepdims, True)
    return finished(found, out, "nanmedian")


def _quantiles(
    node: Node, levels: np.ndarray, axis: Any, method: str, keepdims: Any, skip_nan: bool
) -> Node:
    """The value at each level, along a dimension in front unless there is one level."""
    kind = node.spec.dtype if node.spec.dtype.is_floating_point else dtypes.float64
    shape = node.spec.shape
    dims = dims_for(axis, len(shape))
    rest = kept(shape, dims)
    rows = permute(node, (*[dim for dim in range(len(shape)) if dim not in dims], *dims))
    count = math.prod([shape[dim] for dim in dims])
    rows = cast(reshape(rows, (*rest, count)), kind)
    ordered = sort_tensor(wrap(fresh(rows, node)), -1).values.node
    last = len(rest)
    present = sum_(cast(eq(ordered, ordered), dtypes.int64), (last,))
    if not skip_nan:
        present = expand(scalar(count, dtypes.int64), rest)
    found = [
        kept_dims(_at_level(ordered, present, float(level), method), shape, dims, keepdims)
        for level in levels.ravel()
    ]
    if not skip_nan and node.spec.dtype.is_floating_point:
        missing = kept_dims(any_(is_nan(rows), (last,)), shape, dims, keepdims)
        found = [choose(missing, number(math.nan, one), one) for one in found]
    if not levels.ndim:
        return found[0]
    final = found[0].spec.shape
    stacked = node_of([made_array(one) for one in found])
    return reshape(stacked, (*levels.shape, *final))


def _at_level(ordered: Node, present: Node, level: float, method: str) -> Node:
    """The element at a fraction of the rows' length, between neighbours by `method`."""
    kind, dim = ordered.spec.dtype, len(ordered.spec.shape) - 1
    ends = cast(algebra.sub(present, scalar(1, dtypes.int64)), dtypes.float64)
    spot = UFUNCS["maximum"].node(algebra.mul(ends, scalar(level, dtypes.float64)), 0.0)
    if method == "nearest":
        spot = rounding.round(spot)
    low, high = rounding.floor(spot), rounding.ceil(spot)
    first, second = {"lower": (low, low), "higher": (high, high)}.get(method, (low, high))
    below, above = [taken_at(ordered, cast(one, dtypes.int64), dim) for one in (first, second)]
    gap = algebra.sub(above, below)
    if method == "midpoint":
        half = algebra.mul(algebra.add(below, above), scalar(0.5, kind))
        return choose(UFUNCS["equal"].node(low, high), below, half)
    weight = cast(algebra.sub(spot, low), kind)
    near = algebra.add(below, algebra.mul(gap, weight))
    far = algebra.sub(above, algebra.mul(gap, algebra.sub(scalar(1.0, kind), weight)))
    result = choose(ge(weight, scalar(0.5, kind)), far, near)
    return choose(gt(present, scalar(0, dtypes.int64)), result, scalar(math.nan, kind))


# Correlations.


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Covariances of variables, one a row, from observations, one a column."""
    if array_of(m).ndim > 2:
        raise ValueError("m has more than 2 dimensions")
    if y is not None and array_of(y).ndim > 2:
        raise ValueError("y has more than 2 dimensions")
    kind = promoted(*[node_of(one).spec.dtype for one in (m, y) if one is not None], dtypes.float64)
    kind = kind if dtype is None else kind_of(dtype)
    rows = _rows(m, rowvar, kind)
    if y is not None:
        rows = concatenate([rows, _rows(y, rowvar, kind)], 0)
    less = (0 if bias else 1) if ddof is None else ddof
    weights, total = _weights(rows, fweights, aweights)
    mean = average_of(rows, 1, weights)
    freedom: Any = total - less
    if weights is not None and aweights is not None and less:
        freedom = total - less * sum_of(weights * array_of(aweights)) / total
    gaps = rows - mean[:, None]
    weighted = gaps if weights is None else gaps * weights
    limited = UFUNCS["maximum"](freedom, 0.0)
    return (gaps.dot(weighted.T) / limited).squeeze()[()]


def _rows(m: Any, rowvar: bool, kind: dtypes.dtype) -> ndarray:
    node = node_of(m, kind)
    shape = node.spec.shape
    wide = reshape(node, (1,) * (2 - len(shape)) + shape)
    if not rowvar and wide.spec.shape[0] != 1:
        wide = permute(wide, (1, 0))
    return made_array(fresh(wide, node_of(m)))


def _weights(rows: ndarray, fweights: Any, aweights: Any) -> tuple[Any, Any]:
    """The observations' weights, and how much they are together."""
    weights: Any = None
    for one in (fweights, aweights):
        if one is not None:
            weights = UFUNCS["multiply"](one, 1.0 if weights is None else weights)
    return weights, float(rows.shape[1]) if weights is None else sum_of(weights)


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Correlations of variables, one a row, from observations, one a column."""
    found = cov(x, y, rowvar, dtype=dtype)
    if not found.ndim:
        return found / found
    spread = UFUNCS["sqrt"](found.diagonal())
    return (found / spread[:, None] / spread[None, :]).clip(-1, 1)


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """The discrete convolution of two vectors."""
    first, second = _vectors(a, v)
    if first.spec.numel < second.spec.numel:
        first, second = second, first
    return _slid(first, made_array(fresh(second, second))[::-1]._tensor.node, mode)


def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """The products of `a` with `v` at each shift, summed."""
    first, second = _vectors(a, v)
    if first.spec.numel < second.spec.numel:
        return _slid(second, first, mode)[::-1]
    return _slid(first, second, mode)


def _vectors(a: Any, v: Any) -> tuple[Node, Node]:
    first, second = node_of(a), node_of(v)
    kind = promoted(first.spec.dtype, second.spec.dtype)
    flat = [reshape(cast(one, kind), (one.spec.numel,)) for one in (first, second)]
    for name, one in zip("av", flat, strict=True):
        if not one.spec.numel:
            raise ValueError(f"{name} cannot be empty")
    return flat[0], flat[1]


def _slid(long: Node, short: Node, mode: str) -> Any:
    """The sums of products of `short` with each stretch of `long`, the longer of the two."""
    size, width = long.spec.numel, short.spec.numel
    before, after = {
        "full": (width - 1, width - 1),
        "same": (width // 2, width - 1 - width // 2),
        "valid": (0, 0),
    }[mode]
    wide = pad(long, zero_like(long), (before,), (after,))
    count = size + before + after - width + 1
    starts = reshape(iota(count), (count, 1))
    places = algebra.add(starts, reshape(iota(width), (1, width)))
    windows = index(wide, (places,), (0,))
    return made_array(sum_(algebra.mul(windows, reshape(short, (1, width))), (1,)))


# Differences and integrals.


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along `axis`, `n` times over.

    >>> import flambeau.numpy as np
    >>> np.diff([1, 4, 9])
    array([3, 5])
    """
    found = array_of(a)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    if not found.ndim:
        raise ValueError("diff requires input that is at least one dimensional")
    dim = normalize_axis_index(axis, found.ndim)
    ends = [found]
    for place, one in ((0, prepend), (2, append)):
        if one is not None:
            end = array_of(one)
            if not end.ndim:
                shape = (*found.shape[:dim], 1, *found.shape[dim + 1 :])
                end = made_array(expand(node_of(end), shape))
            ends.insert(place, end)
    found = concatenate(ends, dim) if len(ends) > 1 else found
    name = "not_equal" if found._tensor.dtype is dtypes.bool else "subtract"
    for _ in range(n):
        later, earlier = found[along(dim, slice(1, None))], found[along(dim, slice(None, -1))]
        found = UFUNCS[name](later, earlier)
    return found


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of neighbours of the flattened array, with more at both ends if wanted."""
    parts = [diff(array_of(ary).ravel())]
    if to_begin is not None:
        parts.insert(0, array_of(to_begin).ravel())
    if to_end is not None:
        parts.append(array_of(to_end).ravel())
    return concatenate(parts).astype(parts[0].dtype if to_begin is None else parts[1].dtype)


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The area under samples `y` at `x`, or `dx` apart, along `axis`."""
    found = array_of(y)
    dim = normalize_axis_index(axis, found.ndim)
    gaps: Any = dx
    if x is not None:
        places = array_of(x)
        gaps = diff(places, axis=-1 if places.ndim == 1 else dim)
        if places.ndim == 1:
            gaps = gaps.reshape([-1 if one == dim else 1 for one in range(found.ndim)])
    sums = found[along(dim, slice(1, None))] + found[along(dim, slice(None, -1))]
    return sum_of(gaps * sums / 2.0, dim)


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: Any = 1) -> Any:
    """Slopes from differences, by NumPy on the host."""
    given = [host_value(one) for one in varargs]
    return from_host(np.gradient(host_value(f), *given, axis=axis, edge_order=edge_order))


def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """NaN replaced by `nan`, infinities by the largest numbers or by those given."""
    node = node_of(x)
    kind = node.spec.dtype
    result = node
    if kind.is_floating_point:
        limits = np.finfo(kind.numpy)
        high = float(limits.max) if posinf is None else posinf
        low = float(limits.min) if neginf is None else neginf
        result = choose(is_nan(node), _filler(nan, kind), node)
        result = choose(UFUNCS["equal"].node(node, math.inf), _filler(high, kind), result)
        result = choose(UFUNCS["equal"].node(node, -math.inf), _filler(low, kind), result)
    return finished(result, None if copy else x, "nan_to_num", node)


def _filler(value: Any, kind: dtypes.dtype) -> Node:
    return cast(node_of(value), kind)
