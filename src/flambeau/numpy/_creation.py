"""Making arrays: of data, of one value, of sequences, and by shape."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype as Kind
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.numpy._kinds import kind_of, optional_kind, promoted
from flambeau.numpy._ndarray import (
    array_of,
    fresh,
    from_host,
    generic,
    host_value,
    made,
    made_array,
    ndarray,
    node_of,
    shape_of,
    viewing,
)
from flambeau.numpy._results import check_broadcast
from flambeau.numpy._ufuncs import UFUNCS
from flambeau.ops import algebra
from flambeau.ops.comparison import eq, ge
from flambeau.ops.rounding import floor
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import expand, iota, permute, reshape
from flambeau.ops.shape import full as full_node
from flambeau.tensor.creation import same_index
from flambeau.tensor.promotion import plain
from flambeau.tensor.tensor import Tensor


def _check_device(device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {device}')


def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    like: Any = None,
) -> ndarray:
    """An array of a number, nested sequences, or another array, copied unless `copy=None`.

    >>> import flambeau.numpy as np
    >>> np.array([[1, 2], [3, 4]], dtype=np.float32)
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    kind = optional_kind(dtype)
    if not copy and isinstance(object, (ndarray, Tensor)):
        found = asarray(object, dtype, copy=copy)
        return found if found.ndim >= ndmin else _widened(found, ndmin)
    if copy is False:
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    if isinstance(object, (ndarray, Tensor)):
        given = node_of(object)
        node = fresh(given if kind is None else cast(given, kind), given)
    else:
        node = _converted(object, kind)
    if len(node.spec.shape) < ndmin:
        node = reshape(node, (1,) * (ndmin - len(node.spec.shape)) + node.spec.shape)
    return made_array(node)


def _widened(found: ndarray, ndmin: int) -> ndarray:
    return viewing(found._tensor.reshape((1,) * (ndmin - found.ndim) + tuple(found.shape)))


def _converted(given: Any, kind: Kind | None) -> Node:
    """A new node of Python's or NumPy's data, in its own or the given dtype."""
    if kind is None or not isinstance(given, (list, tuple, int, float)):
        return node_of(given, kind)
    try:
        node = node_of(given)
    except TypeError:
        node = node_of(np.array(given, kind.numpy))
    if node.spec.dtype is kind:
        return node
    if node.spec.dtype is dtypes.int64 and not kind.is_floating_point:
        # NumPy refuses Python integers that do not fit.
        return node_of(np.array(host_value(given), kind.numpy))
    return cast(node, kind)


def asarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    like: Any = None,
) -> ndarray:
    """`a` as an array: itself where it is one of the dtype, a Tensor's elements shared."""
    _check_device(device)
    kind = optional_kind(dtype)
    if copy:
        return array(a, dtype)
    if isinstance(a, generic):
        node = a._tensor.node
        return made_array(fresh(node if kind is None else cast(node, kind), node))
    if isinstance(a, (ndarray, Tensor)):
        found = array_of(a)
        if kind is None or found._tensor.dtype is kind:
            return found
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        return made_array(cast(found._tensor.node, kind))
    if copy is False:
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    return made_array(_converted(a, kind))


def asanyarray(a: Any, dtype: Any = None, order: str | None = None, **options: Any) -> ndarray:
    """`asarray`: there are no other kinds of arrays."""
    return asarray(a, dtype, order, **options)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    """An array of at least one dimension; in the graph every value is dense."""
    found = asarray(a, dtype)
    return found if found.ndim else found.reshape(1)


def asfortranarray(a: Any, dtype: Any = None) -> ndarray:
    """`asarray`: how elements lie in memory is the compiler's choice."""
    return asarray(a, dtype)


def require(a: Any, dtype: Any = None, requirements: Any = None) -> ndarray:
    """`asarray`, which meets all requirements."""
    return asarray(a, dtype)


def copy(a: Any, order: str = "K", subok: bool = False) -> ndarray:
    """A copy with elements of its own."""
    return array(a)


def asarray_chkfinite(a: Any, dtype: Any = None, order: str | None = None) -> ndarray:
    """`asarray`; ValueError if an element is infinite or NaN."""
    found = asarray(a, dtype)
    np.asarray_chkfinite(host_value(found))
    return found


def filled(shape: Any, value: Any, kind: Kind) -> ndarray:
    """`value` in every place."""
    return made_array(full_node(shape_of(shape), plain(value, kind), kind))


def zeros(
    shape: Any, dtype: Any = float, order: str = "C", *, device: Any = None, like: Any = None
) -> ndarray:
    """Zeros.

    >>> import flambeau.numpy as np
    >>> np.zeros((2, 3))
    array([[0., 0., 0.],
           [0., 0., 0.]])
    """
    _check_device(device)
    return filled(shape, 0, kind_of(dtype))


def ones(
    shape: Any, dtype: Any = None, order: str = "C", *, device: Any = None, like: Any = None
) -> ndarray:
    """Ones."""
    _check_device(device)
    return filled(shape, 1, kind_of(dtype))


def empty(
    shape: Any, dtype: Any = float, order: str = "C", *, device: Any = None, like: Any = None
) -> ndarray:
    """An array to be filled; it holds zeros, so that programs give the same result each time."""
    _check_device(device)
    return filled(shape, 0, kind_of(dtype))


def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> ndarray:
    """`fill_value`, a number or what broadcasts to `shape`, in every place.

    >>> import flambeau.numpy as np
    >>> np.full(2, 7)
    array([7, 7])
    """
    _check_device(device)
    node = node_of(fill_value, optional_kind(dtype))
    check_broadcast(node.spec.shape, shape_of(shape))
    return made_array(fresh(expand(node, shape_of(shape)), node))


def _like(a: Any, value: Any, dtype: Any, shape: Any, device: Any) -> ndarray:
    _check_device(device)
    spec = node_of(a).spec
    kind = spec.dtype if dtype is None else kind_of(dtype)
    return filled(spec.shape if shape is None else shape, value, kind)


def zeros_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> ndarray:
    """Zeros in the shape and dtype of `a`."""
    return _like(a, 0, dtype, shape, device)


def ones_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> ndarray:
    """Ones in the shape and dtype of `a`."""
    return _like(a, 1, dtype, shape, device)


def empty_like(
    prototype: Any,
    /,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> ndarray:
    """An array to be filled in the shape and dtype of `prototype`; it holds zeros."""
    return _like(prototype, 0, dtype, shape, device)


def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> ndarray:
    """`fill_value` in the shape and dtype of `a`."""
    spec = node_of(a).spec
    kind = spec.dtype if dtype is None else kind_of(dtype)
    return full(spec.shape if shape is None else shape, fill_value, kind, device=device)


def arange(
    start: Any,
    stop: Any = None,
    step: Any = 1,
    dtype: Any = None,
    *,
    device: Any = None,
    like: Any = None,
) -> ndarray:
    """start, start + step, ... below `stop`; from 0 with one argument.

    >>> import flambeau.numpy as np
    >>> np.arange(3), np.arange(1, 2, 0.5)
    (array([0, 1, 2]), array([1. , 1.5]))
    """
    _check_device(device)
    if stop is None:
        start, stop = 0, start
    start, stop, step = (_plain_number(one) for one in (start, stop, 1 if step is None else step))
    if step == 0:
        raise ZeroDivisionError("division by zero")
    kind = optional_kind(dtype)
    if kind is None:
        kind = promoted(*[node_of(one).spec.dtype for one in (start, stop, step)])
        kind = dtypes.int64 if kind is dtypes.bool else kind
    count = max(0, math.ceil((stop - start) / step))
    start, step = plain(start, kind), plain(start + step, kind) - plain(start, kind)
    return made_array(_steps(start, step, count, kind))


def _plain_number(value: Any) -> Any:
    value = host_value(value)
    return value.item() if isinstance(value, (np.ndarray, np.generic)) else value


def _steps(start: Any, step: Any, count: int, kind: Kind) -> Node:
    wide = kind if kind.is_floating_point else dtypes.int64
    numbers = cast(iota(count), wide)
    if step != 1:
        numbers = algebra.mul(numbers, scalar(plain(step, wide), wide))
    return cast(algebra.add(numbers, scalar(plain(start, wide), wide)), kind)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """`num` numbers evenly from `start` to `stop`, which is the last unless `endpoint=False`.

    >>> import flambeau.numpy as np
    >>> np.linspace(0, 1, 5)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    _check_device(device)
    count = operator.index(num)
    if count < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    first, last = node_of(start), node_of(stop)
    check_broadcast(first.spec.shape, last.spec.shape)
    wide = UFUNCS["divide"].plan(first.spec.dtype, last.spec.dtype)[2]
    first, last = cast(first, wide), cast(last, wide)
    spread = algebra.sub(last, first)
    shape = spread.spec.shape
    gaps = count - 1 if endpoint else count
    step = algebra.div(spread, scalar(float(gaps) if gaps > 0 else math.nan, wide))
    place = reshape(iota(count), (count, *(1,) * len(shape)))
    values = algebra.mul(cast(place, wide), step if gaps > 0 else spread)
    values = algebra.add(values, first)
    if endpoint and count > 1:
        values = where(eq(place, scalar(count - 1, dtypes.int64)), last, values)
    kind = wide if dtype is None else kind_of(dtype)
    if not kind.is_floating_point:
        values = floor(values)
    rank = normalize_axis_index(axis, len(shape) + 1)
    order = (*range(1, rank + 1), 0, *range(rank + 1, len(shape) + 1))
    result = made_array(permute(cast(values, kind), order))
    return (result, made(fresh(step, spread))) if retstep else result


def eye(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: Any = float,
    order: str = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> ndarray:
    """Ones on the `k`-th diagonal of an N × M matrix, zeros elsewhere."""
    _check_device(device)
    rows, columns = shape_of((N, N if M is None else M))
    return made_array(cast(same_index(rows, columns, int(k)), kind_of(dtype)))


def identity(n: int, dtype: Any = None, *, like: Any = None) -> ndarray:
    """The n × n identity matrix."""
    return eye(n, dtype=dtype)


def tri(
    N: int, M: int | None = None, k: int = 0, dtype: Any = float, *, like: Any = None
) -> ndarray:
    """Ones at and below the `k`-th diagonal, zeros above."""
    rows, columns = shape_of((N, N if M is None else M))
    return made_array(cast(lower_triangle(rows, columns, k), kind_of(dtype)))


def lower_triangle(rows: int, columns: int, k: int) -> Node:
    """Where the column is at most the row plus `k`."""
    down = expand(reshape(iota(rows), (rows, 1)), (rows, columns))
    across = expand(reshape(iota(columns), (1, columns)), (rows, columns))
    return ge(algebra.add(down, scalar(int(k), dtypes.int64)), across)


def fromfunction(
    function: Callable[..., Any], shape: Any, *, dtype: Any = float, **named: Any
) -> Any:
    """`function` of the coordinates of an array of `shape`."""
    return function(*indices(shape, dtype), **named)


def indices(dimensions: Any, dtype: Any = int, sparse: bool = False) -> Any:
    """The coordinates of an array: one array for each dimension, stacked unless `sparse`."""
    shape = shape_of(dimensions)
    kind = kind_of(dtype)
    nodes = []
    for dim, size in enumerate(shape):
        along = tuple([size if one == dim else 1 for one in range(len(shape))])
        node = cast(reshape(iota(size), along), kind)
        nodes.append(node if sparse else expand(node, shape))
    if sparse:
        return tuple([made_array(node) for node in nodes])
    return array([made_array(node) for node in nodes], dtype=kind) if nodes else zeros((0,), kind)


def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0) -> ndarray:
    """A vector of the buffer's bytes, copied."""
    return from_host(np.frombuffer(buffer, dtype, count, offset))


def fromiter(iter: Any, dtype: Any, count: int = -1) -> ndarray:
    """A vector of what the iterable gives."""
    return from_host(np.fromiter(map(host_value, iter), kind_of(dtype).numpy, count))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> ndarray:
    """An array of another library's elements."""
    _check_device(device)
    if isinstance(x, (ndarray, Tensor)):
        return array(x) if copy else array_of(x)
    return from_host(np.from_dlpack(x))


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """Coordinates on a grid: each vector along a dimension of its own."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    nodes = [node_of(one) for one in xi]
    order = list(range(len(nodes)))
    if indexing == "xy" and len(nodes) > 1:
        order[:2] = 1, 0
    counts = tuple([nodes[dim].spec.numel for dim in order])
    wide = [
        reshape(node, tuple([node.spec.numel if dim == number else 1 for dim in order]))
        for number, node in enumerate(nodes)
    ]
    if not sparse:
        wide = [expand(node, counts) for node in wide]
    return tuple([made_array(fresh(node, *nodes)) for node in wide])
