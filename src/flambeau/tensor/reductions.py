"""Sums, products, extremes and statistics over dimensions.

`axis` and `keepdims`, NumPy's names, are understood as `dim` and `keepdim`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape, normalize_dim, normalize_dims
from flambeau.graph.node import Node
from flambeau.graph.op import DETACH
from flambeau.graph.recording import record, scalar
from flambeau.ops import algebra, exponential, logic, power
from flambeau.ops import reduction as ops
from flambeau.ops.comparison import eq, ne
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.indexing import gather
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import expand, iota, kept_as_ones, reshape, sum_
from flambeau.tensor.arguments import chosen_dtype
from flambeau.tensor.arithmetic import maximum, minimum
from flambeau.tensor.cloning import distinct
from flambeau.tensor.results import finish
from flambeau.tensor.tensor import Tensor, wrap

NARROW = (dtypes.float16, dtypes.bfloat16)
Dims = tuple[int, ...]


class MaxResult(NamedTuple):
    """Extremes along a dimension and where they are."""

    values: Tensor
    indices: Tensor


def reduced_dims(dim: Any, axis: Any, rank: int) -> Dims:
    """The dimensions to reduce, sorted; all for None."""
    if axis is not None:
        dim = axis
    return normalize_dims(dim if dim is None or isinstance(dim, int) else tuple(dim), rank)


def shaped(node: Node, source: Node, dims: Dims, keepdim: bool) -> Node:
    """A reduced value, with the reduced dimensions kept as ones if wanted."""
    if keepdim:
        node = reshape(node, kept_as_ones(source.spec.shape, dims))
    return distinct(node, source) if node is source else node


def sum(  # noqa: A001 - PyTorch's spelling
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
    axis: Any = None,
    keepdims: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The sum over `dim`, or of all elements; integers and bools sum as int64.

    >>> import flambeau
    >>> flambeau.ones(2, 3).sum(dim=1)
    tensor([3., 3.])
    """
    node = _summand(input.node, dtype)
    if dim is None and axis is None:
        dims = tuple(range(len(node.spec.shape)))
    else:
        dims = reduced_dims(dim, axis, len(node.spec.shape))
    return finish(shaped(sum_(node, dims), input.node, dims, keepdim or keepdims), out)


def _summand(node: Node, kind: dtype | None) -> Node:
    if kind is None:
        if node.spec.dtype.is_floating_point:
            return node
        return cast(node, dtypes.int64)
    return cast(node, chosen_dtype(kind, node.dtype))


def nansum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """The sum with NaN counted as 0."""
    node = input.node
    filled = where(ne(node, node), scalar(0, node.dtype), node)
    return sum(wrap(filled), dim, keepdim, dtype=dtype)


def count_of(shape: Shape, dims: Dims) -> int:
    """How many elements are folded into one."""
    return math.prod([shape[dim] for dim in dims])


def mean(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
    axis: Any = None,
    keepdims: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The average over `dim`, or of all elements; of floats.

    >>> import flambeau
    >>> flambeau.tensor([1.0, 2.0]).mean()
    tensor(1.5000)
    """
    node = input.node if dtype is None else cast(input.node, dtype)
    if not node.dtype.is_floating_point:
        name = "Input" if dtype is None else "Optional"
        raise RuntimeError(
            f"mean(): could not infer output dtype. {name} dtype must be either a floating point "
            f"or complex dtype. Got: {_spelled(node.dtype)}"
        )
    dims = reduced_dims(dim, axis, len(node.spec.shape))
    result = _mean(node, dims)
    return finish(shaped(result, input.node, dims, keepdim or keepdims), out)


def _spelled(kind: dtype) -> str:
    return SPELLING[kind]


def _mean(node: Node, dims: Dims) -> Node:
    kind = node.dtype
    wide = cast(node, dtypes.float32) if kind in NARROW else node
    count = scalar(float(count_of(node.spec.shape, dims)), wide.dtype)
    return cast(algebra.div(sum_(wide, dims), count), kind)


def nanmean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """The average of the elements that are not NaN."""
    node = input.node
    present = wrap(cast(eq(node, node), node.dtype))
    total = nansum(input, dim, keepdim, dtype=dtype)
    return wrap(algebra.div(total.node, sum(present, dim, keepdim).node))


def prod(
    input: Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
) -> Tensor:
    """The product over one dimension, or of all elements; integers and bools multiply as int64."""
    node = _summand(input.node, dtype)
    dims = normalize_dims(dim, len(node.spec.shape))
    return wrap(shaped(ops.prod(node, dims), input.node, dims, keepdim))


def _check_nonempty(name: str, node: Node, dims: Dims) -> None:
    if node.spec.numel == 0 and count_of(node.spec.shape, dims) == 0:
        if len(dims) == len(node.spec.shape):
            raise IndexError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                "Specify the reduction dim with the 'dim' argument."
            )
        empty = next(dim for dim in dims if node.spec.shape[dim] == 0)
        raise IndexError(f"{name}(): Expected reduction dim {empty} to have non-zero size.")


def amax(
    input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """The largest element over `dim`; ties share the gradient."""
    node = input.node
    dims = reduced_dims(dim, None, len(node.spec.shape))
    _check_nonempty("amax", node, dims)
    return finish(shaped(_extreme(node, dims, True), node, dims, keepdim), out)


def amin(
    input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """The smallest element over `dim`; ties share the gradient."""
    node = input.node
    dims = reduced_dims(dim, None, len(node.spec.shape))
    _check_nonempty("amin", node, dims)
    return finish(shaped(_extreme(node, dims, False), node, dims, keepdim), out)


def _extreme(node: Node, dims: Dims, largest: bool) -> Node:
    if node.dtype is dtypes.bool:
        return ops.any_(node, dims) if largest else ops.all_(node, dims)
    return ops.amax(node, dims) if largest else ops.amin(node, dims)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element."""
    low, high = amin(input, () if dim is None else dim, keepdim), None
    high = amax(input, () if dim is None else dim, keepdim)
    return _MinMax(low, high)


class _MinMax(NamedTuple):
    min: Tensor
    max: Tensor


def max(  # noqa: A001 - PyTorch's spelling
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    axis: int | None = None,
    keepdims: bool = False,
    out: Any = None,
) -> Any:
    """The largest element; with `dim` also where it is; with a second tensor, `maximum`.

    >>> import flambeau
    >>> flambeau.tensor([[1, 3], [4, 2]]).max(dim=1).indices
    tensor([1, 0])
    """
    if isinstance(dim, Tensor) or other is not None:
        return maximum(input, other if other is not None else dim, out=out)
    dim = axis if axis is not None else dim
    if dim is None:
        return _total_extreme("max", input, True, out)
    return _located(input, dim, keepdim or keepdims, True, out)


def min(  # noqa: A001 - PyTorch's spelling
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    axis: int | None = None,
    keepdims: bool = False,
    out: Any = None,
) -> Any:
    """The smallest element; with `dim` also where it is; with a second tensor, `minimum`."""
    if isinstance(dim, Tensor) or other is not None:
        return minimum(input, other if other is not None else dim, out=out)
    dim = axis if axis is not None else dim
    if dim is None:
        return _total_extreme("min", input, False, out)
    return _located(input, dim, keepdim or keepdims, False, out)


def _total_extreme(name: str, input: Tensor, largest: bool, out: Tensor | None) -> Tensor:
    node = input.node
    if not node.spec.numel:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify "
            "the reduction dim with the 'dim' argument."
        )
    dims = tuple(range(len(node.spec.shape)))
    return finish(distinct(_extreme(node, dims, largest), node), out)


def _located(input: Tensor, dim: int, keepdim: bool, largest: bool, out: Any) -> MaxResult:
    node = input.node
    dim = normalize_dim(dim, len(node.spec.shape))
    if node.spec.shape:
        _check_nonempty("max" if largest else "min", node, (dim,))
    where_ = position_of_extreme(node, dim, largest)
    values = taken_at(node, where_, dim)
    if keepdim and node.spec.shape:
        shape = kept_as_ones(node.spec.shape, (dim,))
        values, where_ = reshape(values, shape), reshape(where_, shape)
    result = MaxResult(wrap(distinct(values, node)), wrap(where_))
    if out is not None:
        return MaxResult(finish(result.values.node, out[0]), finish(where_, out[1]))
    return result


def position_of_extreme(node: Node, dim: int, largest: bool) -> Node:
    """Where along `dim` the first largest (or smallest) element is; a NaN counts as extreme."""
    shape = node.spec.shape
    if not shape:
        return _zero()
    extreme = _extreme(node, (dim,), largest)
    extreme = expand(reshape(extreme, kept_as_ones(shape, (dim,))), shape)
    found = eq(node, extreme)
    if node.dtype.is_floating_point:
        found = logic.logical_or(found, ne(node, node))
    along = tuple([shape[dim] if one == dim else 1 for one in range(len(shape))])
    numbers = expand(reshape(iota(shape[dim]), along), shape)
    return ops.amin(where(found, numbers, scalar(shape[dim], dtypes.int64)), (dim,))


def _zero() -> Node:
    return reshape(iota(1), ())


def taken_at(node: Node, positions: Node, dim: int) -> Node:
    """The elements at `positions` along `dim`, one for each place in the other dimensions."""
    shape = node.spec.shape
    if not shape:
        return node
    each = reshape(positions, kept_as_ones(shape, (dim,)))
    return reshape(gather(node, each, dim), positions.spec.shape)


def argmax(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None
) -> Tensor:
    """Where the first largest element is: along `dim`, or among all in row-major order."""
    return _arg("argmax", input, dim if axis is None else axis, keepdim, True)


def argmin(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None
) -> Tensor:
    """Where the first smallest element is: along `dim`, or among all in row-major order."""
    return _arg("argmin", input, dim if axis is None else axis, keepdim, False)


def _arg(name: str, input: Tensor, dim: int | None, keepdim: bool, largest: bool) -> Tensor:
    node = input.node
    shape = node.spec.shape
    if dim is None:
        _check_nonempty(name, node, tuple(range(len(shape))))
        place = position_of_extreme(reshape(node, (node.spec.numel,)), 0, largest)
        return wrap(reshape(place, (1,) * len(shape)) if keepdim else place)
    dim = normalize_dim(dim, len(shape))
    if shape:
        _check_nonempty(name, node, (dim,))
    place = position_of_extreme(node, dim, largest)
    return wrap(reshape(place, kept_as_ones(shape, (dim,))) if keepdim else place)


def any(  # noqa: A001 - PyTorch's spelling
    input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None
) -> Tensor:
    """Whether one element over `dim` is nonzero."""
    return _logical(input, reduced_dims(dim, axis, input.dim()), keepdim, True)


def all(  # noqa: A001 - PyTorch's spelling
    input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None
) -> Tensor:
    """Whether all elements over `dim` are nonzero."""
    return _logical(input, reduced_dims(dim, axis, input.dim()), keepdim, False)


def _logical(input: Tensor, dims: Dims, keepdim: bool, either: bool) -> Tensor:
    node = input.node
    truth = cast(node, dtypes.bool)
    result = ops.any_(truth, dims) if either else ops.all_(truth, dims)
    if node.dtype is dtypes.uint8:
        result = cast(result, dtypes.uint8)
    return wrap(shaped(result, node, dims, keepdim))


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are nonzero."""
    return sum(wrap(ne(input.node, scalar(0, input.dtype))), dim)


def var(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
    axis: Any = None,
) -> Tensor:
    """The variance: squared deviations over `n - correction`, which is 1 unless given.

    >>> import flambeau
    >>> flambeau.tensor([1.0, 3.0]).var()
    tensor(2.)
    """
    dim, corrected = _correction(dim if axis is None else axis, unbiased, correction)
    return wrap(_variance(input, dim, corrected, keepdim)[0])


def std(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
    axis: Any = None,
) -> Tensor:
    """The square root of the variance."""
    dim, corrected = _correction(dim if axis is None else axis, unbiased, correction)
    return wrap(_safe_root(_variance(input, dim, corrected, keepdim)[0]))


def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Variance and average."""
    dim, corrected = _correction(dim, unbiased, correction)
    variance, average = _variance(input, dim, corrected, keepdim)
    return wrap(variance), wrap(average)


def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Standard deviation and average."""
    dim, corrected = _correction(dim, unbiased, correction)
    variance, average = _variance(input, dim, corrected, keepdim)
    return wrap(_safe_root(variance)), wrap(average)


def _correction(dim: Any, unbiased: Any, correction: float | None) -> tuple[Any, float]:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is not None:
        return dim, correction
    return dim, 1 if unbiased is None else int(unbiased)


def _variance(input: Tensor, dim: Any, correction: float, keepdim: bool) -> tuple[Node, Node]:
    node = input.node
    if not node.dtype.is_floating_point:
        raise RuntimeError("std and var only support floating point and complex dtypes")
    kind, shape = node.dtype, node.spec.shape
    dims = reduced_dims(dim, None, len(shape))
    wide = cast(node, dtypes.float32) if kind in NARROW else node
    average = _mean(wide, dims)
    deviation = algebra.sub(wide, reshape(average, kept_as_ones(shape, dims)))
    freedom = scalar(float(_at_least_zero(count_of(shape, dims) - correction)), wide.dtype)
    variance = algebra.div(sum_(algebra.mul(deviation, deviation), dims), freedom)
    return (
        cast(shaped(variance, node, dims, keepdim), kind),
        cast(shaped(average, node, dims, keepdim), kind),
    )


def _at_least_zero(value: float) -> float:
    return value if value > 0 else 0.0


def _safe_root(node: Node) -> Node:
    """The square root, with gradient 0 at 0."""
    zero = scalar(0.0, node.dtype)
    is_zero = eq(node, zero)
    return where(is_zero, zero, power.sqrt(where(is_zero, scalar(1.0, node.dtype), node)))


def vector_norm_node(node: Node, order: float, dims: Dims) -> Node:
    """The norm of order `order` over `dims`."""
    kind = node.dtype
    if kind in NARROW:
        return cast(vector_norm_node(cast(node, dtypes.float32), order, dims), kind)
    if order == 2:
        return _safe_root(sum_(algebra.mul(node, node), dims))
    size = algebra.abs(node)
    if math.isinf(order):
        return ops.amax(size, dims) if order > 0 else ops.amin(size, dims)
    if order in (0, 1):
        return sum_(size if order == 1 else algebra.sign(size), dims)
    return _power_norm(size, order, dims)


def _power_norm(size: Node, order: float, dims: Dims) -> Node:
    """`(Σ size^order)^(1/order)`, with gradient 0 at 0."""
    kind = size.dtype
    zero, one = scalar(0.0, kind), scalar(1.0, kind)
    at_zero = eq(size, zero)
    terms = power.pow(where(at_zero, one, size), scalar(order, kind))
    if order < 0:
        total = sum_(where(at_zero, scalar(math.inf, kind), terms), dims)
        return power.pow(total, scalar(1 / order, kind))
    total = sum_(where(at_zero, zero, terms), dims)
    empty = eq(total, zero)
    return where(empty, zero, power.pow(where(empty, one, total), scalar(1 / order, kind)))


def logsumexp(
    input: Tensor, dim: Any, keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """`log(Σ exp(x))` over `dim`, without overflow."""
    node = input.node
    if not node.dtype.is_floating_point:
        node = cast(node, dtypes.float32)
    kind, shape = node.dtype, node.spec.shape
    dims = reduced_dims(dim, None, len(shape))
    if count_of(shape, dims) == 0:
        result = exponential.log(sum_(exponential.exp(node), dims))
        return finish(shaped(result, input.node, dims, keepdim), out)
    largest = detached(ops.amax(node, dims))
    infinite = eq(algebra.abs(largest), scalar(math.inf, kind))
    shift = where(infinite, scalar(0.0, kind), largest)
    spread = exponential.exp(algebra.sub(node, reshape(shift, kept_as_ones(shape, dims))))
    result = algebra.add(exponential.log(sum_(spread, dims)), shift)
    return finish(shaped(result, input.node, dims, keepdim), out)


def detached(node: Node) -> Node:
    """The value without its history."""
    return record(DETACH, (node,)) if node.requires_grad else node
