"""Sorting, searching, choosing, and comparing whole arrays."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from flambeau.core import dtypes
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.numpy._elements import is_nan, number
from flambeau.numpy._indexing import mask_positions
from flambeau.numpy._kinds import promoted
from flambeau.numpy._ndarray import (
    array_of,
    fresh,
    host_value,
    made,
    made_array,
    ndarray,
    node_of,
)
from flambeau.numpy._reductions import all as all_true
from flambeau.numpy._results import check_broadcast, finished
from flambeau.numpy._ufunc import adapted, operand_of
from flambeau.numpy._ufuncs import UFUNCS
from flambeau.ops import algebra, logic
from flambeau.ops.comparison import eq, lt, ne
from flambeau.ops.indexing import gather, index, wrap_index
from flambeau.ops.selection import cast
from flambeau.ops.selection import where as choose
from flambeau.ops.shape import expand, reshape
from flambeau.ops.strided import cat
from flambeau.tensor.searching import searchsorted as search
from flambeau.tensor.searching import sort as sort_tensor
from flambeau.tensor.tensor import wrap, write


def _ordered(a: Any, axis: Any, descending: bool = False) -> tuple[Node, Node]:
    """The sorted elements along `axis` and where they were."""
    node = node_of(a)
    if axis is None:
        node, axis = reshape(node, (node.spec.numel,)), -1
    dim = normalize_axis_index(axis, len(node.spec.shape))
    if not node.spec.numel:
        return node, expand(scalar(0, dtypes.int64), node.spec.shape)
    values, places = sort_tensor(wrap(fresh(node, node)), dim, descending)
    return values.node, places.node


def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> ndarray:
    """The elements in order along `axis`; equal ones keep theirs, NaN is last.

    >>> import flambeau.numpy as np
    >>> np.sort([3, 1, 2])
    array([1, 2, 3])
    """
    values, _ = _ordered(a, axis)
    return made_array(fresh(values, values))


def argsort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> ndarray:
    """The positions that sort along `axis`; equal elements keep their order."""
    _, places = _ordered(a if array_of(a).ndim else array_of(a).reshape(1), axis)
    return made_array(fresh(places, places))


def sort_in_place(
    self: ndarray, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> None:
    """Sort the array itself along `axis`."""
    write(self._tensor, fresh(_ordered(self, axis)[0], self._tensor.node))


def partition(a: Any, kth: Any, axis: int | None = -1, kind: Any = None, order: Any = None) -> Any:
    """`sort`, which puts the `kth` element in its place too."""
    check_kth(a, kth, axis)
    return sort(a, axis)


def argpartition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = None, order: Any = None
) -> Any:
    """`argsort`, which puts the `kth` element in its place too."""
    check_kth(a, kth, axis)
    return argsort(a, axis)


def check_kth(a: Any, kth: Any, axis: Any) -> None:
    """ValueError for positions that there are not."""
    spec = node_of(a).spec
    size = spec.numel if axis is None else spec.shape[axis]
    for one in np.atleast_1d(host_value(kth)):
        if not -size <= one < size:
            raise ValueError(f"kth(={one}) out of bounds ({size})")


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Where to put `v` into sorted `a` so that the order is kept."""
    if side not in ("left", "right"):
        raise ValueError(f"search side must be one of 'left' or 'right', got '{side}'")
    edges, given = node_of(a), node_of(v)
    if len(edges.spec.shape) != 1:
        raise ValueError("object too deep for desired array")
    if sorter is not None:
        edges = index(edges, (wrap_index(node_of(sorter, dtypes.int64), edges.spec.numel),), (0,))
    kind = promoted(edges.spec.dtype, given.spec.dtype)
    found = search(
        wrap(fresh(cast(edges, kind), edges)),
        wrap(fresh(cast(given, kind), given)),
        right=side == "right",
    )
    return made(fresh(found.node, found.node))


def nonzero(a: Any) -> tuple[ndarray, ...]:
    """Where the elements are nonzero: one array of positions for each dimension."""
    node = node_of(a)
    if not node.spec.shape:
        raise ValueError(
            "Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() "
            "instead. If the context of this error is of the form `arr[nonzero(cond)]`, just use "
            "`arr[cond]`."
        )
    return tuple([made_array(fresh(one, one)) for one in mask_positions(_truth(node))])


def _truth(node: Node) -> Node:
    return node if node.spec.dtype is dtypes.bool else ne(node, number(0, node))


def flatnonzero(a: Any) -> ndarray:
    """Where the elements are nonzero, in row-major order."""
    return nonzero(array_of(a).ravel())[0]


def argwhere(a: Any) -> ndarray:
    """Where the elements are nonzero: a row of coordinates for each."""
    node = node_of(a)
    if not node.spec.shape:
        count = int(bool(made(fresh(node, node))))
        return made_array(expand(scalar(0, dtypes.int64), (count, 0)))
    found = mask_positions(_truth(node))
    return made_array(cat(tuple([reshape(one, (one.spec.numel, 1)) for one in found]), 1))


def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """`x` where the condition holds, `y` elsewhere; without them `nonzero`.

    >>> import flambeau.numpy as np
    >>> np.where([True, False], [1.0, 2.0], 0)
    array([1., 0.])
    """
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    holds = _truth(node_of(condition))
    (a, first), (b, second) = operand_of(x), operand_of(y)
    kind = _choice_kind(first, second)
    left, right = adapted(a, first, kind), adapted(b, second, kind)
    check_broadcast(holds.spec.shape, left.spec.shape, right.spec.shape)
    return made_array(choose(holds, left, right))


def _choice_kind(first: Any, second: Any) -> dtypes.dtype:
    """The common dtype; Python's numbers give way to arrays."""
    # A sum has the same dtypes, with one difference: that of bools is none.
    return UFUNCS["add"].plan(first, second)[2]


def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
    **options: Any,
) -> Any:
    """The elements limited to [a_min, a_max]; either may be left out.

    >>> import flambeau.numpy as np
    >>> np.clip([-2.0, 0.5, 2.0], -1, 1)
    array([-1. ,  0.5,  1. ])
    """
    low, high = (min if a_min is None else a_min), (max if a_max is None else a_max)
    node = given = node_of(a)
    if low is not None:
        node = UFUNCS["maximum"].node(node, _bound(low, given))
    if high is not None:
        node = UFUNCS["minimum"].node(node, _bound(high, given))
    return finished(node, out, "clip", given)


def _bound(value: Any, like: Node) -> Any:
    """A limit; a Python integer beyond the dtype's range is as good as the range's end."""
    kind = like.spec.dtype
    if type(value) is int and kind in dtypes.INTEGERS:
        limits = np.iinfo(kind.numpy)
        return builtins.min(builtins.max(value, int(limits.min)), int(limits.max))
    return value


def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> ndarray:
    """The elements at `indices` along `axis`, the other dimensions broadcast."""
    node, places = node_of(arr), node_of(indices)
    if axis is None:
        node, axis = reshape(node, (node.spec.numel,)), 0
    if len(places.spec.shape) != len(node.spec.shape):
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    dim = normalize_axis_index(axis, len(node.spec.shape))
    rest = np.broadcast_shapes(
        *[(*one.spec.shape[:dim], 1, *one.spec.shape[dim + 1 :]) for one in (node, places)]
    )
    size = node.spec.shape[dim]
    checked = wrap_index(cast(places, dtypes.int64), size)
    checked = expand(checked, (*rest[:dim], places.spec.shape[dim], *rest[dim + 1 :]))
    wide = expand(node, (*rest[:dim], size, *rest[dim + 1 :]))
    return made_array(gather(wide, checked, dim))


def put_along_axis(arr: ndarray, indices: Any, values: Any, axis: int | None) -> None:
    """Write `values` at `indices` along `axis`."""
    value = np.array(host_value(arr))
    np.put_along_axis(value, host_value(indices), host_value(values), axis)
    write(arr._tensor, node_of(value))


def put(a: ndarray, ind: Any, v: Any, mode: Any = "raise") -> None:
    """Write `v`, again and again, at flat positions."""
    value = np.array(host_value(a))
    np.put(value, host_value(ind), host_value(v), mode)
    write(a._tensor, node_of(value))


def putmask(a: ndarray, mask: Any, values: Any) -> None:
    """Write where the mask holds the element of `values` at the same place."""
    value = np.array(host_value(a))
    np.putmask(value, host_value(mask), host_value(values))
    write(a._tensor, node_of(value))


def copyto(dst: ndarray, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """Write `src`, broadcast, into `dst`, where the mask holds."""
    source = node_of(src)
    tensor = dst._tensor
    kind, shape = tensor.dtype, tuple(tensor.shape)
    weak = isinstance(src, (int, float)) and not isinstance(src, np.generic)
    if not weak and not np.can_cast(source.spec.dtype.numpy, kind.numpy, casting):
        raise TypeError(
            f"Cannot cast array data from {source.spec.dtype.numpy!r} to {kind.numpy!r} according "
            f"to the rule '{casting}'"
        )
    value = expand(cast(source, kind), shape)
    if where is not True:
        value = choose(expand(node_of(where, dtypes.bool), shape), value, tensor.node)
    write(tensor, fresh(value, source))


def fill_diagonal(a: ndarray, val: Any, wrap: bool = False) -> None:
    """Write `val` on the main diagonal."""
    value = np.array(host_value(a))
    np.fill_diagonal(value, host_value(val), wrap)
    write(a._tensor, node_of(value))


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> ndarray:
    """The element of the first choice whose condition holds."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    result: Any = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = where(condition, choice, result)
    return array_of(result)


def choose_from(a: Any, choices: Any, out: Any = None, mode: Any = "raise") -> Any:
    """The element of the choice whose number is in `a`."""
    found: Any = np.choose(host_value(a), [host_value(one) for one in choices], mode=mode)
    return finished(node_of(found), out, "choose")


def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """The slices along `axis` for which the condition holds."""
    holds = np.flatnonzero(host_value(condition))
    node = node_of(a)
    if axis is None:
        node, axis = reshape(node, (node.spec.numel,)), 0
    dim = normalize_axis_index(axis, len(node.spec.shape))
    checked = wrap_index(node_of(holds), node.spec.shape[dim])
    return finished(index(node, (checked,), (dim,)), out, "compress")


def extract(condition: Any, arr: Any) -> ndarray:
    """The elements for which the condition holds."""
    return compress(array_of(condition).ravel(), arr)


def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether `|a - b| <= atol + rtol * |b|`."""
    kind = UFUNCS["divide"].plan(node_of(a).spec.dtype, node_of(b).spec.dtype)[2]
    kind = promoted(kind, dtypes.float32)
    x, y = node_of(a, kind), node_of(b, kind)
    check_broadcast(x.spec.shape, y.spec.shape)
    gap = algebra.abs(algebra.sub(x, y))
    allowed = UFUNCS["add"].node(UFUNCS["multiply"].node(algebra.abs(y), rtol), atol)
    finite = lt(algebra.abs(y), number(math.inf, y))
    close = logic.logical_and(finite, UFUNCS["less_equal"].node(gap, allowed))
    close = logic.logical_or(close, eq(x, y))
    if equal_nan:
        close = logic.logical_or(close, logic.logical_and(is_nan(x), is_nan(y)))
    return made(close)


def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close, see `isclose`."""
    return bool(all_true(isclose(a, b, rtol, atol, equal_nan)))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """Whether both have the same shape and elements."""
    first, second = node_of(a1), node_of(a2)
    if first.spec.shape != second.spec.shape:
        return False
    same = UFUNCS["equal"].node(first, second)
    if equal_nan:
        same = logic.logical_or(same, logic.logical_and(is_nan(first), is_nan(second)))
    return bool(all_true(same))


def array_equiv(a1: Any, a2: Any) -> bool:
    """Whether both have the same elements when broadcast."""
    try:
        return bool(all_true(UFUNCS["equal"](a1, a2)))
    except ValueError:
        return False
