"""Sorting, ranking, and finding elements."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from flambeau.core import dtypes
from flambeau.core.shapes import normalize_dim
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import algebra, comparison, reduction
from flambeau.ops.arithmetic import clamp_min, floor_div
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.indexing import check_range, gather, index_put, wrap_index
from flambeau.ops.logic import logical_and, logical_or
from flambeau.ops.scan import cumsum
from flambeau.ops.selection import cast
from flambeau.ops.selection import where as choose
from flambeau.ops.shape import expand, full, iota, permute, reshape, sum_
from flambeau.ops.sorting import argsort as argsort_node
from flambeau.ops.strided import cat, slice_
from flambeau.tensor.creation import tensor
from flambeau.tensor.indexing import unraveled
from flambeau.tensor.promotion import operands, result_dtype, to_node
from flambeau.tensor.reductions import MaxResult, position_of_extreme, taken_at
from flambeau.tensor.scatter import positions_that_hold, take_node
from flambeau.tensor.tensor import Tensor, wrap


class SortResult(NamedTuple):
    """Sorted elements and where they were."""

    values: Tensor
    indices: Tensor


def _order(node: Node, dim: int, descending: bool) -> Node:
    """The positions along `dim` that sort."""
    rank = len(node.spec.shape)
    if node.dtype is dtypes.bool:
        node = cast(node, dtypes.uint8)
    if dim == rank - 1:
        return argsort_node(node, descending)
    order = (*[one for one in range(rank) if one != dim], dim)
    back = tuple([order.index(one) for one in range(rank)])
    return permute(argsort_node(permute(node, order), descending), back)


def sort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False
) -> SortResult:
    """The elements in order along `dim`, and where they were; equal ones keep their order.

    >>> import flambeau
    >>> flambeau.sort(flambeau.tensor([3, 1, 2])).indices
    tensor([1, 2, 0])
    """
    node = input.node
    dim = normalize_dim(dim, len(node.spec.shape))
    if not node.spec.shape:
        return SortResult(input.clone(), wrap(reshape(iota(1), ())))
    positions = _order(node, dim, descending)
    return SortResult(wrap(gather(node, positions, dim)), wrap(positions))


def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Tensor:
    """The positions that sort along `dim`."""
    node = input.node
    dim = normalize_dim(dim, len(node.spec.shape))
    return wrap(_order(node, dim, descending) if node.spec.shape else reshape(iota(1), ()))


def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dimension."""
    return sort(input, 0).values


def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> SortResult:
    """The `k` largest (or smallest) elements along `dim`, in order, and where they are."""
    node = input.node
    dim = normalize_dim(dim, len(node.spec.shape))
    size = node.spec.shape[dim] if node.spec.shape else 1
    k = int(k)
    if not 0 <= k <= size:
        raise RuntimeError("selected index k out of range")
    if not node.spec.shape:
        return SortResult(input.clone(), wrap(reshape(iota(1), ())))
    positions = _narrowed(_order(node, dim, largest), dim, 0, k)
    return SortResult(wrap(gather(node, positions, dim)), wrap(positions))


def _narrowed(node: Node, dim: int, start: int, length: int) -> Node:
    shape = node.spec.shape
    starts = tuple([start if one == dim else 0 for one in range(len(shape))])
    return slice_(node, starts, (1,) * len(shape), (*shape[:dim], length, *shape[dim + 1 :]))


def _picked(node: Node, dim: int, positions: Node, keepdim: bool) -> MaxResult:
    """The elements at one position in each place of the other dimensions."""
    values = taken_at(node, positions, dim)
    if keepdim and node.spec.shape:
        shape = tuple([1 if one == dim else size for one, size in enumerate(node.spec.shape)])
        values, positions = reshape(values, shape), reshape(positions, shape)
    return MaxResult(wrap(values).clone() if values is node else wrap(values), wrap(positions))


def _dropped(node: Node, dim: int) -> Node:
    shape = node.spec.shape
    return reshape(node, (*shape[:dim], *shape[dim + 1 :]))


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> MaxResult:
    """The `k`-th smallest element along `dim`, counted from 1, and where it is."""
    node = input.node
    dim = normalize_dim(dim, len(node.spec.shape))
    if not node.spec.shape:
        return _picked(node, dim, reshape(iota(1), ()), keepdim)
    if not 1 <= k <= node.spec.shape[dim]:
        raise RuntimeError("selected number k out of range for dimension " + str(dim))
    place = _dropped(_narrowed(_order(node, dim, False), dim, k - 1, 1), dim)
    return _picked(node, dim, place, keepdim)


def _median_place(node: Node, dim: int, skip_nan: bool) -> Node:
    """Where the lower of the middle elements is; the first NaN counts as it unless skipped."""
    shape = node.spec.shape
    ordered = _order(node, dim, False)
    middle = (shape[dim] - 1) // 2
    if not node.dtype.is_floating_point:
        return _dropped(_narrowed(ordered, dim, middle, 1), dim)
    is_nan = comparison.ne(node, node)
    if skip_nan:
        count = sum_(cast(comparison.eq(node, node), dtypes.int64), (dim,))
        one = scalar(1, dtypes.int64)
        spots = algebra.sub(count, one)
        spots = clamp_min(floor_div(spots, scalar(2, dtypes.int64)), scalar(0, dtypes.int64))
        return taken_at(ordered, spots, dim)
    place = _dropped(_narrowed(ordered, dim, middle, 1), dim)
    first_nan = position_of_extreme(cast(is_nan, dtypes.uint8), dim, True)
    return choose(reduction.any_(is_nan, (dim,)), first_nan, place)


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element, the lower of two; with `dim` also where it is."""
    return _median(input, dim, keepdim, False)


def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle of the elements that are not NaN."""
    return _median(input, dim, keepdim, True)


def _median(input: Tensor, dim: int | None, keepdim: bool, skip_nan: bool) -> Any:
    node = input.node
    if dim is None:
        flat = reshape(node, (node.spec.numel,))
        return wrap(taken_at(flat, _median_place(flat, 0, skip_nan), 0))
    dim = normalize_dim(dim, len(node.spec.shape))
    if not node.spec.shape:
        return _picked(node, dim, reshape(iota(1), ()), keepdim)
    return _picked(node, dim, _median_place(node, dim, skip_nan), keepdim)


def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> MaxResult:
    """The most frequent element along `dim` (the smallest of several), and where it is last."""
    node = input.node
    shape = node.spec.shape
    dim = normalize_dim(dim, len(shape))
    if not shape:
        return _picked(node, dim, reshape(iota(1), ()), keepdim)
    ordered = _order(node, dim, False)
    values = gather(node, ordered, dim)
    one, other = (reshape(values, (*shape[: dim + at], 1, *shape[dim + at :])) for at in (0, 1))
    counts = sum_(cast(comparison.eq(one, other), dtypes.int64), (dim,))
    best = position_of_extreme(counts, dim, True)
    frequency = taken_at(counts, best, dim)
    last = algebra.sub(algebra.add(best, frequency), scalar(1, dtypes.int64))
    return _picked(node, dim, taken_at(ordered, last, dim), keepdim)


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero, one a row; looks at them to count.

    >>> import flambeau
    >>> flambeau.nonzero(flambeau.tensor([0, 5, 7]))
    tensor([[1],
            [2]])
    """
    node = input.node
    mask = cast(node, dtypes.bool)
    shape = node.spec.shape
    flat = positions_that_hold(reshape(mask, (node.spec.numel,)))
    if as_tuple:
        return tuple([wrap(one) for one in unraveled(flat, shape or (1,))])
    count = flat.spec.shape[0]
    if not shape:
        return wrap(full((count, 0), 0, dtypes.int64))
    columns = [reshape(one, (count, 1)) for one in unraveled(flat, shape)]
    return wrap(cat(tuple(columns), 1))


def argwhere(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, one a row."""
    result: Tensor = nonzero(input)
    return result


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, `other` elsewhere; alone, the positions that hold.

    >>> import flambeau
    >>> x = flambeau.tensor([-1.0, 2.0])
    >>> flambeau.where(x > 0, x, 0)
    tensor([0., 2.])
    """
    if not isinstance(condition, Tensor):
        raise TypeError(
            "where(): argument 'condition' (position 1) must be Tensor, not "
            f"{type(condition).__name__}"
        )
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if condition.dtype not in (dtypes.bool, dtypes.uint8):
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{condition.dtype}"
        )
    kind = result_dtype(input, other)
    mask = cast(condition.node, dtypes.bool)
    return wrap(choose(mask, to_node(input, kind), to_node(other, kind)))


def method_where(input: Tensor, condition: Tensor, other: Any) -> Any:
    """`where`, as a method of what is kept."""
    return where(condition, input, other)


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements in order; on demand where each went, and how often each occurs.

    With `dim` the different slices along it.
    """
    if dim is not None:
        return _unique_slices(input, return_inverse, return_counts, dim)
    node = input.node
    flat = reshape(node, (node.spec.numel,))
    order = _order(flat, 0, False)
    values = take_node(flat, order, 0)
    return _runs(values, order, node.spec.shape, return_inverse, return_counts)


def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Runs of equal elements as one each."""
    if dim is not None and input.dim() != 1:
        raise NotImplementedError("unique_consecutive with dim is implemented for vectors")
    node = input.node
    flat = reshape(node, (node.spec.numel,))
    return _runs(flat, iota(node.spec.numel), node.spec.shape, return_inverse, return_counts)


def _runs(values: Node, order: Node, shape: tuple[int, ...], inverse: bool, counts: bool) -> Any:
    """The first of each run of equal values, which run each is in, and how long they are."""
    count = values.spec.numel
    if count:
        changes = comparison.ne(
            _narrowed(values, 0, 1, count - 1), _narrowed(values, 0, 0, count - 1)
        )
        first = cat((full((1,), True, dtypes.bool), changes), 0)
    else:
        first = full((0,), True, dtypes.bool)
    starts = positions_that_hold(first)
    results = [wrap(take_node(values, starts, 0))]
    if not (inverse or counts):
        return results[0]
    one = scalar(1, dtypes.int64)
    runs = algebra.sub(cumsum(cast(first, dtypes.int64), 0), one) if count else iota(0)
    if inverse:
        places = index_put(full((count,), 0, dtypes.int64), runs, (order,), (0,), False)
        results.append(wrap(reshape(places, shape)))
    if counts:
        lengths = index_put(
            full(starts.spec.shape, 0, dtypes.int64),
            full((count,), 1, dtypes.int64),
            (runs,),
            (0,),
            True,
        )
        results.append(wrap(lengths))
    return tuple(results)


def _unique_slices(input: Tensor, inverse: bool, counts: bool, dim: int) -> Any:
    found = np.unique(input.detach().numpy(), return_inverse=True, return_counts=True, axis=dim)
    values, places, lengths = found
    results = [tensor(values)]
    if inverse:
        results.append(tensor(places.reshape(-1)))
    if counts:
        results.append(tensor(lengths))
    return results[0] if len(results) == 1 else tuple(results)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each integer occurs, or the sum of the weights of its occurrences."""
    node = cast(input.node, dtypes.int64)
    if len(node.spec.shape) != 1:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    size = int(input.max()) + 1 if node.spec.numel else 0
    if node.spec.numel and int(input.min()) < 0:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    size = size if size > minlength else minlength
    if weights is None:
        values = full(node.spec.shape, 1, dtypes.int64)
    else:
        values = weights.node
        if values.dtype is not dtypes.float32:
            values = cast(values, dtypes.float64)
    room = full((size,), 0, values.dtype)
    if not node.spec.numel:
        return wrap(room)
    return wrap(index_put(room, values, (wrap_index(node, size),), (0,), True))


def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where to insert values so that the last dimension stays sorted.

    `sorter` gives the order of a sequence that is not: an int64 tensor of its shape.

    >>> import flambeau
    >>> given = flambeau.tensor([5, 1, 3])
    >>> flambeau.searchsorted(given, flambeau.tensor([2, 4]), sorter=flambeau.argsort(given))
    tensor([1, 2])
    """
    values = input if isinstance(input, Tensor) else tensor(input)
    row, wanted = operands(sorted_sequence, values)
    if sorter is not None:
        row = gather(row, _checked_sorter(sorter, row), len(row.spec.shape) - 1)
    lead = row.spec.shape[:-1]
    size = row.spec.shape[-1]
    shape = wanted.spec.shape
    compared = reshape(wanted, (*shape, 1))
    row = reshape(row, (*lead, *(1,) * (len(shape) - len(lead)), size)) if len(shape) else row
    before = comparison.ge if right or side == "right" else comparison.gt
    kind = dtypes.int32 if out_int32 else dtypes.int64
    passed = before(compared, row)
    if wanted.dtype.is_floating_point:
        passed = logical_or(passed, comparison.ne(compared, compared))
    count = sum_(cast(passed, kind), (len(passed.spec.shape) - 1,))
    return wrap(reshape(count, shape))


def _checked_sorter(sorter: Tensor, row: Node) -> Node:
    """The positions, of which those out of range are found when they are used."""
    given, shape = sorter.node, row.spec.shape
    if given.spec.shape != shape:
        raise RuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary "
            f"tensor {list(shape)} and got sorter tensor {list(given.spec.shape)}"
        )
    if given.dtype is not dtypes.int64:
        raise RuntimeError(
            "torch.searchsorted(): sorter must be a tensor of long dtype but got dtype "
            f"{SPELLING[given.dtype]}"
        )
    return check_range(given, shape[-1])


def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The bucket of each value between sorted boundaries."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element is among `test_elements`."""
    one, other = [
        value if isinstance(value, Tensor) else tensor(value) for value in (elements, test_elements)
    ]
    a, b = operands(one, other)
    shape = a.spec.shape
    equal = comparison.eq(reshape(a, (*shape, 1)), reshape(b, (b.spec.numel,)))
    found = reduction.any_(equal, (len(shape),))
    return wrap(comparison.eq(found, scalar(not invert, dtypes.bool)))


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of `bins` equal intervals from `min` to `max`."""
    node = reshape(input.node, (input.node.spec.numel,))
    least, most = (min, max) if min != max else (float(input.min()), float(input.max()))
    if least == most:
        least, most = least - 1, most + 1
    kind = node.dtype
    low, width = scalar(float(least), kind), scalar((most - least) / bins, kind)
    bucket = cast(algebra.div(algebra.sub(node, low), width), dtypes.int64)
    last = scalar(bins - 1, dtypes.int64)
    bucket = choose(comparison.eq(node, scalar(float(most), kind)), last, bucket)
    inside = comparison.ge(node, low)
    inside = logical_and(inside, comparison.le(node, scalar(float(most), kind)))
    numbers = expand(reshape(iota(bins), (bins, 1)), (bins, node.spec.numel))
    hits = logical_and(comparison.eq(numbers, bucket), inside)
    return wrap(sum_(cast(hits, kind), (1,)))
