"""Sums, products, extremes, averages and running sums, over axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from flambeau.core import dtypes
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.numpy._elements import is_nan, number
from flambeau.numpy._folding import count_of, dims_for, folded, kept_dims
from flambeau.numpy._kinds import kind_of
from flambeau.numpy._ndarray import made, node_of
from flambeau.numpy._results import finished
from flambeau.numpy._ufuncs import UFUNCS
from flambeau.ops import algebra, arithmetic
from flambeau.ops.comparison import eq, ne
from flambeau.ops.selection import cast
from flambeau.ops.selection import where as choose
from flambeau.ops.shape import expand, full, kept_as_ones, reshape, sum_
from flambeau.ops.strided import cat
from flambeau.tensor.reductions import position_of_extreme


class _NoValue:
    """What an argument is when it is not given, where None means something."""

    def __repr__(self) -> str:
        return "<no value>"


NO_VALUE: Any = _NoValue()
_NARROW = (dtypes.float16,)


def _given(value: Any, otherwise: Any = None) -> Any:
    return otherwise if value is NO_VALUE or value is np._NoValue else value


def sum(  # noqa: A001 - NumPy's spelling
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The sum over `axis`; integers and bools sum as int64.

    >>> import flambeau.numpy as np
    >>> np.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([4., 6.])
    """
    if axis is None and out is None and not keepdims and initial is None and where is True:
        node = node_of(a)
        kind = UFUNCS["add"].fold_kind(node.spec.dtype, dtype)
        rank = len(node.spec.shape)
        if rank:
            return made(sum_(cast(node, kind), tuple(range(rank))))
    return UFUNCS["add"].reduce(a, axis, dtype, out, keepdims, _given(initial), where)


def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The product over `axis`; integers and bools multiply as int64."""
    return UFUNCS["multiply"].reduce(a, axis, dtype, out, keepdims, _given(initial), where)


def max(  # noqa: A001 - NumPy's spelling
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The largest element over `axis`; NaN if there is one."""
    return UFUNCS["maximum"].reduce(a, axis, None, out, keepdims, _given(initial), where)


def min(  # noqa: A001 - NumPy's spelling
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The smallest element over `axis`; NaN if there is one."""
    return UFUNCS["minimum"].reduce(a, axis, None, out, keepdims, _given(initial), where)


amax, amin = max, min


def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    """The largest element less the smallest, over `axis`."""
    spread = UFUNCS["subtract"].node(
        max(a, axis, keepdims=keepdims), min(a, axis, keepdims=keepdims)
    )
    return finished(spread, out, "ptp")


def _truth(a: Any, axis: Any, out: Any, keepdims: Any, where: Any, either: bool) -> Any:
    function = UFUNCS["logical_or" if either else "logical_and"]
    return function.reduce(a, axis, None, out, keepdims, None, where)


def any(  # noqa: A001 - NumPy's spelling
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
) -> Any:
    """Whether one element over `axis` is nonzero."""
    return _truth(a, axis, out, keepdims, where, True)


def all(  # noqa: A001 - NumPy's spelling
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
) -> Any:
    """Whether all elements over `axis` are nonzero."""
    return _truth(a, axis, out, keepdims, where, False)


def count_nonzero(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """How many elements over `axis` are nonzero."""
    node = node_of(a)
    truth = cast(ne(node, number(0, node)), dtypes.int64)
    found = folded(truth, axis, sum_, name="count_nonzero", identity=0, keepdims=keepdims)
    return finished(found, None, "count_nonzero", truth)


def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    *,
    where: Any = True,
) -> Any:
    """The average over `axis`; of integers and bools in float64.

    >>> import flambeau.numpy as np
    >>> np.mean(np.arange(6).reshape(2, 3), axis=1)
    array([1., 4.])
    """
    node = node_of(a)
    result = _average(node, dims_for(axis, len(node.spec.shape)), dtype, keepdims, where)
    return finished(result, out, "mean", node)


def _average(node: Node, dims: tuple[int, ...], dtype: Any, keepdims: Any, where: Any) -> Node:
    """Sum over count; float16 by way of float32."""
    own = node.spec.dtype
    kind = kind_of(dtype) if dtype is not None else own
    if dtype is None and not own.is_floating_point:
        kind = dtypes.float64
    wide = dtypes.float32 if kind in _NARROW else kind
    total = folded(
        cast(node, wide), dims, sum_, name="add", identity=0, where=where, keepdims=keepdims
    )
    return cast(algebra.div(total, _divisor(node, dims, where, wide, 0, keepdims)), kind)


def _divisor(
    node: Node, dims: tuple[int, ...], where: Any, kind: dtypes.dtype, less: Any, keepdims: Any
) -> Node:
    """How many elements count, less `less`; not below zero."""
    shape = node.spec.shape
    if where is True:
        value = float(count_of(shape, dims)) - float(less)
        return scalar(value if value > 0 else 0.0, kind)
    mask = expand(node_of(where, dtypes.bool), shape)
    count = cast(kept_dims(sum_(cast(mask, dtypes.int64), dims), shape, dims, keepdims), kind)
    return arithmetic.clamp_min(algebra.sub(count, scalar(float(less), kind)), scalar(0.0, kind))


def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """The variance over `axis`: squared deviations over the count less `ddof`."""
    node = node_of(a)
    result = _variance(node, axis, dtype, _freedom(ddof, correction), keepdims, where, mean)
    return finished(result, out, "var", node)


def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """The square root of the variance.

    >>> import flambeau.numpy as np
    >>> np.std([1.0, 3.0]), np.std([1.0, 3.0], ddof=1).round(4)
    (np.float64(1.0), np.float64(1.4142))
    """
    node = node_of(a)
    found = _variance(node, axis, dtype, _freedom(ddof, correction), keepdims, where, mean)
    return finished(arithmetic.sqrt(found), out, "std", node)


def _freedom(ddof: Any, correction: Any) -> Any:
    correction = _given(correction)
    if correction is None:
        return ddof
    if ddof != 0:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    return correction


def _variance(
    node: Node, axis: Any, dtype: Any, less: Any, keepdims: Any, where: Any, average: Any
) -> Node:
    dims = dims_for(axis, len(node.spec.shape))
    own = node.spec.dtype
    kind = kind_of(dtype) if dtype is not None else own
    if dtype is None and not own.is_floating_point:
        kind = dtypes.float64
    wide = cast(node, dtypes.float32 if kind in _NARROW else kind)
    given = _given(average)
    middle = _average(wide, dims, None, True, where) if given is None else node_of(given)
    gap = algebra.sub(wide, cast(middle, wide.spec.dtype))
    squares = algebra.mul(gap, gap)
    total = folded(squares, dims, sum_, name="add", identity=0, where=where, keepdims=keepdims)
    divisor = _divisor(node, dims, where, wide.spec.dtype, less, keepdims)
    return cast(algebra.div(total, divisor), kind)


def argmax(a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """Where the first largest element is: along `axis`, or among all in row-major order."""
    return _place("argmax", a, axis, out, keepdims, True)


def argmin(a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """Where the first smallest element is: along `axis`, or among all in row-major order."""
    return _place("argmin", a, axis, out, keepdims, False)


def _place(name: str, a: Any, axis: Any, out: Any, keepdims: Any, largest: bool) -> Any:
    node = node_of(a)
    shape = node.spec.shape
    dim = None if axis is None else normalize_axis_index(axis, len(shape) or 1)
    folding = node.spec.numel if dim is None or not shape else shape[dim]
    if not folding:
        raise ValueError(f"attempt to get {name} of an empty sequence")
    if dim is None or not shape:
        found = position_of_extreme(reshape(node, (node.spec.numel,)), 0, largest)
        wide = (1,) * len(shape)
    else:
        found = position_of_extreme(node, dim, largest)
        wide = kept_as_ones(shape, (dim,))
    return finished(reshape(found, wide) if keepdims else found, out, name)


def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The running sum along `axis`, or of all elements in row-major order."""
    return _scan("add", a, axis, dtype, out)


def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The running product along `axis`, or of all elements in row-major order."""
    return _scan("multiply", a, axis, dtype, out)


def _scan(name: str, a: Any, axis: Any, dtype: Any, out: Any) -> Any:
    node = node_of(a)
    if axis is None or not node.spec.shape:
        return UFUNCS[name].accumulate(reshape(node, (node.spec.numel,)), 0, dtype, out)
    return UFUNCS[name].accumulate(node, axis, dtype, out)


def cumulative_sum(
    x: Any,
    /,
    *,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    """The running sum along `axis`, with a zero in front if wanted."""
    return _cumulative("add", 0, x, axis, dtype, out, include_initial)


def cumulative_prod(
    x: Any,
    /,
    *,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    """The running product along `axis`, with a one in front if wanted."""
    return _cumulative("multiply", 1, x, axis, dtype, out, include_initial)


def _cumulative(
    name: str, start: int, x: Any, axis: Any, dtype: Any, out: Any, include_initial: bool
) -> Any:
    node = node_of(x)
    rank = len(node.spec.shape)
    if not rank:
        raise ValueError("0-d arrays are not supported")
    if axis is None:
        if rank > 1:
            raise ValueError(
                "For arrays which have more than one dimension ``axis`` argument is required."
            )
        axis = 0
    found = node_of(_scan(name, x, axis, dtype, None))
    if include_initial:
        dim = normalize_axis_index(axis, rank)
        shape = (*found.spec.shape[:dim], 1, *found.spec.shape[dim + 1 :])
        found = cat((full(shape, start, found.spec.dtype), found), dim)
    return finished(found, out, name, found)


def nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    initial: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    """The sum with NaN counted as 0."""
    return sum(_without_nan(a, 0), axis, dtype, out, keepdims, initial, where)


def nanprod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    initial: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    """The product with NaN counted as 1."""
    return prod(_without_nan(a, 1), axis, dtype, out, keepdims, initial, where)


def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The running sum with NaN counted as 0."""
    return cumsum(_without_nan(a, 0), axis, dtype, out)


def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The running product with NaN counted as 1."""
    return cumprod(_without_nan(a, 1), axis, dtype, out)


def _without_nan(a: Any, value: float) -> Any:
    node = node_of(a)
    if not node.spec.dtype.is_floating_point:
        return a
    return choose(is_nan(node), number(float(value), node), node)


def nanmax(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    """The largest element that is not NaN."""
    return UFUNCS["fmax"].reduce(a, axis, None, out, keepdims)


def nanmin(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    """The smallest element that is not NaN."""
    return UFUNCS["fmin"].reduce(a, axis, None, out, keepdims)


def _present(a: Any) -> Node:
    node = node_of(a)
    return eq(node, node)


def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False
) -> Any:
    """The average of the elements that are not NaN."""
    return mean(_without_nan(a, 0), axis, dtype, out, keepdims, where=_present(a))


def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0,
    keepdims: Any = False,
) -> Any:  # fmt: skip
    """The variance of the elements that are not NaN."""
    filled, present = _without_nan(a, 0), _present(a)
    return var(filled, axis, dtype, out, ddof, keepdims, where=present)


def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0,
    keepdims: Any = False,
) -> Any:  # fmt: skip
    """The standard deviation of the elements that are not NaN."""
    filled, present = _without_nan(a, 0), _present(a)
    return std(filled, axis, dtype, out, ddof, keepdims, where=present)


def nanargmax(a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """Where the first largest element is that is not NaN."""
    return argmax(_without_nan(a, -math.inf), axis, out, keepdims=keepdims)


def nanargmin(a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """Where the first smallest element is that is not NaN."""
    return argmin(_without_nan(a, math.inf), axis, out, keepdims=keepdims)


def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    """The average over `axis`, weighted if weights are given."""
    if weights is None:
        result = mean(a, axis, keepdims=keepdims)
        node = node_of(a)
        count = count_of(node.spec.shape, dims_for(axis, len(node.spec.shape)))
        total = full(node_of(result).spec.shape, float(count), node_of(result).spec.dtype)
        return (result, made(total)) if returned else result
    values, weight = node_of(a), node_of(weights)
    if weight.spec.shape != values.spec.shape:
        weight = _placed(weight, values, axis)
    product = UFUNCS["multiply"].node(values, weight)
    kind = UFUNCS["divide"].plan(product.spec.dtype, product.spec.dtype)[2]
    total = sum(weight, axis, kind, keepdims=keepdims)
    if any(UFUNCS["equal"](total, 0)):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    result = UFUNCS["divide"](sum(product, axis, kind, keepdims=keepdims), total)
    return (result, total) if returned else result


def _placed(weight: Node, values: Node, axis: Any) -> Node:
    """Weights of the averaged axis alone, in the place of that axis."""
    shape = values.spec.shape
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    dims = dims_for(axis, len(shape))
    if weight.spec.shape != tuple([shape[dim] for dim in dims]):
        raise ValueError(
            "Shape of weights must be consistent with shape of a along specified axis."
        )
    wide = tuple([size if dim in dims else 1 for dim, size in enumerate(shape)])
    return expand(reshape(weight, wide), shape)
