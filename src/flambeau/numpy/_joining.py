"""Joining, splitting, repeating and rearranging."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype as Kind
from flambeau.core.shapes import Shape
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.numpy._creation import lower_triangle
from flambeau.numpy._elements import zero_like
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
from flambeau.numpy._results import finished
from flambeau.numpy._shaping import along, atleast_1d, atleast_2d, atleast_3d, diagonal, moveaxis
from flambeau.numpy._ufuncs import UFUNCS
from flambeau.ops.algebra import add
from flambeau.ops.arithmetic import clamp
from flambeau.ops.comparison import eq
from flambeau.ops.indexing import index, wrap_index
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import expand, full, iota, reshape
from flambeau.ops.shape import pad as pad_node
from flambeau.ops.strided import cat, slice_
from flambeau.tensor.promotion import plain


def _nodes(arrays: Any) -> list[Node]:
    if isinstance(arrays, ndarray):
        arrays = list(arrays)
    return [node_of(one) for one in arrays]


def _common(nodes: Sequence[Node], wanted: Any) -> Kind:
    return kind_of(wanted) if wanted is not None else promoted(*[n.spec.dtype for n in nodes])


def concatenate(
    arrays: Any,
    /,
    axis: int | None = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: Any = "same_kind",
) -> ndarray:
    """The arrays one after another along `axis`; flattened first for None.

    >>> import flambeau.numpy as np
    >>> np.concatenate([[1, 2], [3.5]])
    array([1. , 2. , 3.5])
    """
    nodes = _nodes(arrays)
    if not nodes:
        raise ValueError("need at least one array to concatenate")
    if axis is None:
        nodes, axis = [reshape(node, (node.spec.numel,)) for node in nodes], 0
    rank = len(nodes[0].spec.shape)
    if not rank:
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    dim = normalize_axis_index(axis, rank)
    for number_, node in enumerate(nodes):
        _check_fits(nodes[0].spec.shape, node.spec.shape, dim, number_)
    kind = _common(nodes, dtype)
    for node in nodes:
        if not np.can_cast(node.spec.dtype.numpy, kind.numpy, casting):
            raise TypeError(
                f"Cannot cast array data from {node.spec.dtype.numpy!r} to {kind.numpy!r} "
                f"according to the rule '{casting}'"
            )
    joined = cat(tuple([cast(node, kind) for node in nodes]), dim)
    return finished(joined, out, "concatenate", *nodes)


def _check_fits(first: Shape, shape: Shape, dim: int, place: int) -> None:
    if len(shape) != len(first):
        raise ValueError(
            "all the input array dimensions except for the concatenation axis must match exactly, "
            f"but along dimension 0, the array at index 0 has {len(first)} dimension(s) and the "
            f"array at index {place} has {len(shape)} dimension(s)"
        )
    for one, (a, b) in enumerate(zip(first, shape, strict=True)):
        if a != b and one != dim:
            raise ValueError(
                "all the input array dimensions except for the concatenation axis must match "
                f"exactly, but along dimension {one}, the array at index 0 has size {a} and the "
                f"array at index {place} has size {b}"
            )


concat = concatenate


def stack(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> ndarray:
    """The arrays, of one shape, along a new dimension."""
    nodes = _nodes(arrays)
    if not nodes:
        raise ValueError("need at least one array to stack")
    shape = nodes[0].spec.shape
    if any(node.spec.shape != shape for node in nodes):
        raise ValueError("all input arrays must have the same shape")
    dim = normalize_axis_index(axis, len(shape) + 1)
    wide = (*shape[:dim], 1, *shape[dim:])
    return concatenate(
        [reshape(node, wide) for node in nodes], dim, out, dtype=dtype, casting=casting
    )


def unstack(x: Any, /, *, axis: int = 0) -> tuple[ndarray, ...]:
    """The slices along `axis`: views."""
    if not array_of(x).ndim:
        raise ValueError("Input array must be at least 1-d.")
    moved = moveaxis(x, axis, 0)
    return tuple([moved[place, ...] for place in range(len(moved))])


def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> ndarray:
    """Joined along rows."""
    return concatenate([atleast_2d(one) for one in tup], 0, dtype=dtype, casting=casting)


def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> ndarray:
    """Joined along columns; vectors along their only dimension."""
    wide = [atleast_1d(one) for one in tup]
    axis = 0 if wide and wide[0].ndim == 1 else 1
    return concatenate(wide, axis, dtype=dtype, casting=casting)


def dstack(tup: Any) -> ndarray:
    """Joined along the third dimension."""
    return concatenate([atleast_3d(one) for one in tup], 2)


def column_stack(tup: Any) -> ndarray:
    """Vectors as the columns of a matrix."""
    arrays = [array_of(one) for one in tup]
    return concatenate([one if one.ndim > 1 else one.reshape(-1, 1) for one in arrays], 1)


def block(arrays: Any) -> ndarray:
    """An array of nested lists of blocks: the innermost lists join along the last dimension."""

    def depth(one: Any) -> int:
        return 1 + max(map(depth, one)) if isinstance(one, list) else 0

    def leaves(one: Any) -> list[Any]:
        return [leaf for part in one for leaf in leaves(part)] if isinstance(one, list) else [one]

    levels = depth(arrays)
    rank = max(levels, *[array_of(one).ndim for one in leaves(arrays)])

    def joined(one: Any, level: int) -> Any:
        if isinstance(one, list):
            parts = [joined(part, level + 1) for part in one]
            return concatenate(parts, rank - levels + level)
        node = node_of(one)
        shape = node.spec.shape
        return made_array(fresh(reshape(node, (1,) * (rank - len(shape)) + shape), node))

    return joined(arrays, 0)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[ndarray]:
    """Parts along `axis`, of nearly equal size or cut at the given places: views."""
    found = array_of(ary)
    dim = normalize_axis_index(axis, found.ndim)
    length = found.shape[dim]
    try:
        count = operator.index(indices_or_sections)
    except TypeError:
        cuts = [0, *[int(one) for one in indices_or_sections], length]
    else:
        if count <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, more = divmod(length, count)
        cuts = [place * each + min(place, more) for place in range(count + 1)]
    return [found[along(dim, slice(low, high))] for low, high in itertools.pairwise(cuts)]


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[ndarray]:
    """Parts along `axis`, of equal size or cut at the given places: views."""
    found = array_of(ary)
    if isinstance(indices_or_sections, (int, np.integer)):
        length = found.shape[normalize_axis_index(axis, found.ndim)]
        if length % indices_or_sections:
            raise ValueError("array split does not result in an equal division")
    return array_split(found, indices_or_sections, axis)


def vsplit(ary: Any, indices_or_sections: Any) -> list[ndarray]:
    """Split along rows."""
    if array_of(ary).ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


def hsplit(ary: Any, indices_or_sections: Any) -> list[ndarray]:
    """Split along columns; a vector along its only dimension."""
    rank = array_of(ary).ndim
    if not rank:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 1 if rank > 1 else 0)


def dsplit(ary: Any, indices_or_sections: Any) -> list[ndarray]:
    """Split along the third dimension."""
    if array_of(ary).ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


def tile(A: Any, reps: Any) -> ndarray:
    """The array repeated `reps` times along each dimension.

    >>> import flambeau.numpy as np
    >>> np.tile([1, 2], (2, 2))
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]])
    """
    node = node_of(A)
    times = tuple(reps) if isinstance(reps, (tuple, list, ndarray)) else (reps,)
    rank = max(len(times), len(node.spec.shape))
    shape = (1,) * (rank - len(node.spec.shape)) + node.spec.shape
    counts = (1,) * (rank - len(times)) + tuple([int(one) for one in times])
    apart = [size for pair in zip([1] * rank, shape, strict=True) for size in pair]
    spread = [size for pair in zip(counts, shape, strict=True) for size in pair]
    wide = expand(reshape(node, tuple(apart)), tuple(spread))
    final = tuple([count * size for count, size in zip(counts, shape, strict=True)])
    return made_array(fresh(reshape(wide, final), node))


def repeat(a: Any, repeats: Any, axis: int | None = None) -> ndarray:
    """Each element (or slice along `axis`) repeated, as often as `repeats` says."""
    node = node_of(a)
    if axis is None:
        node, axis = reshape(node, (node.spec.numel,)), 0
    dim = normalize_axis_index(axis, len(node.spec.shape))
    size = node.spec.shape[dim]
    counts = np.asarray(host_value(repeats))
    if counts.size not in (1, size):
        raise ValueError(
            f"operands could not be broadcast together with shape ({size},) {counts.shape}"
        )
    if (counts < 0).any():
        raise ValueError("repeats may not contain negative values.")
    places = np.repeat(np.arange(size), counts if counts.size != 1 else counts.ravel()[0])
    return made_array(index(node, (node_of(places),), (dim,)))


def roll(a: Any, shift: Any, axis: Any = None) -> ndarray:
    """The elements moved by `shift` along `axis`; what leaves at one end comes in at the other."""
    node = node_of(a)
    shape = node.spec.shape
    if axis is None:
        flat = reshape(node, (node.spec.numel,))
        return made_array(fresh(reshape(_rolled(flat, int(_total(shift)), 0), shape), node))
    dims = normalize_axis_tuple(axis, len(shape), allow_duplicate=True)
    result = node
    for by, dim in np.broadcast(host_value(shift), dims):
        result = _rolled(result, int(by), int(dim))
    return made_array(fresh(result, node))


def _total(shift: Any) -> int:
    return int(np.sum(host_value(shift)))


def _rolled(node: Node, shift: int, dim: int) -> Node:
    shape = node.spec.shape
    size = shape[dim]
    shift = shift % size if size else 0
    if not shift:
        return node

    def part(start: int, length: int) -> Node:
        starts = tuple([start if one == dim else 0 for one in range(len(shape))])
        counts = (*shape[:dim], length, *shape[dim + 1 :])
        return slice_(node, starts, (1,) * len(shape), counts)

    return cat((part(size - shift, shift), part(0, size - shift)), dim)


def append(arr: Any, values: Any, axis: int | None = None) -> ndarray:
    """`values` behind the array, both flattened unless there is an `axis`."""
    return concatenate([array_of(arr), array_of(values)], axis)


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> ndarray:
    """`values` put in before the places `obj`."""
    return from_host(np.insert(host_value(arr), host_value(obj), host_value(values), axis))


def delete(arr: Any, obj: Any, axis: int | None = None) -> ndarray:
    """The array without the slices at `obj`."""
    node = node_of(arr)
    if axis is None:
        node, axis = reshape(node, (node.spec.numel,)), 0
    dim = normalize_axis_index(axis, len(node.spec.shape))
    places = np.delete(np.arange(node.spec.shape[dim]), host_value(obj))
    return made_array(index(node, (node_of(places),), (dim,)))


def resize(a: Any, new_shape: Any) -> ndarray:
    """An array of this shape, filled with the elements again and again."""
    node = node_of(a)
    shape = (new_shape,) if isinstance(new_shape, int) else tuple(new_shape)
    count = int(np.prod(shape, dtype=np.int64))
    flat = reshape(node, (node.spec.numel,))
    if not node.spec.numel:
        return made_array(full(shape, 0, node.spec.dtype))
    places = np.arange(count) % node.spec.numel
    return made_array(reshape(index(flat, (node_of(places),), (0,)), shape))


def tril(m: Any, k: int = 0) -> ndarray:
    """Zeros above the `k`-th diagonal."""
    return _triangle(m, k, True)


def triu(m: Any, k: int = 0) -> ndarray:
    """Zeros below the `k`-th diagonal."""
    return _triangle(m, k - 1, False)


def _triangle(m: Any, k: int, lower: bool) -> ndarray:
    node = node_of(m)
    shape = node.spec.shape
    if len(shape) < 2:
        shape = (*shape, *shape)
    below = lower_triangle(shape[-2], shape[-1], k)
    zero = zero_like(node)
    return made_array(where(below, node, zero) if lower else where(below, zero, node))


def diag(v: Any, k: int = 0) -> ndarray:
    """The matrix with this diagonal, or the diagonal of this matrix."""
    node = node_of(v)
    if len(node.spec.shape) == 2:
        return diagonal(v, k)
    if len(node.spec.shape) != 1:
        raise ValueError("Input must be 1- or 2-d.")
    size = node.spec.shape[0] + abs(k)
    down = expand(reshape(iota(size), (size, 1)), (size, size))
    across = expand(reshape(iota(size), (1, size)), (size, size))
    on = eq(across, add(down, scalar(k, dtypes.int64)))
    row = pad_node(node, scalar(0, node.spec.dtype), (max(k, 0),), (max(-k, 0),))
    wide = expand(reshape(row, (1, size)), (size, size))
    return made_array(where(on, wide, zero_like(node)))


def diagflat(v: Any, k: int = 0) -> ndarray:
    """The matrix with the flattened elements on its diagonal."""
    return diag(array_of(v).ravel(), k)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> ndarray:
    """The matrix of powers of a vector."""
    found = array_of(x)
    if found.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    columns = found.size if N is None else N
    powers = array_of(np.arange(columns) if increasing else np.arange(columns)[::-1])
    kind = promoted(found._tensor.dtype, dtypes.int64)
    return found.astype(kind.numpy).reshape(-1, 1) ** powers


def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> ndarray:
    """The array with a border of `pad_width`: of a number, or of its own elements.

    >>> import flambeau.numpy as np
    >>> np.pad([1, 2], 1)
    array([0, 1, 2, 0])
    """
    node = node_of(array)
    rank = len(node.spec.shape)
    if mode == "constant":
        fill = options.pop("constant_values", 0)
        if options:
            raise ValueError(f"unsupported keyword arguments for mode 'constant': {set(options)}")
        widths = _pairs(pad_width, rank)
        fills = (
            np.broadcast_to(np.asarray(host_value(fill)), (rank, 2)) if rank else np.zeros((0, 2))
        )
        for dim, ((low, high), pair) in enumerate(zip(widths, fills, strict=True)):
            node = _bordered(node, dim, low, high, pair)
        return made_array(fresh(node, node_of(array)))
    if callable(mode) or mode in ("linear_ramp", "mean", "median", "maximum", "minimum", "empty"):
        return from_host(np.pad(host_value(array), pad_width, mode, **options))
    # The other modes place elements, so their positions are padded the same way.
    result = node
    for dim, (low, high) in enumerate(_pairs(pad_width, rank)):
        places = np.pad(np.arange(node.spec.shape[dim]), (low, high), mode, **options)
        result = index(result, (node_of(places),), (dim,))
    return made_array(fresh(result, node))


def _pairs(widths: Any, rank: int) -> list[tuple[int, int]]:
    found = host_value(widths)
    if isinstance(found, dict):
        table: list[Any] = [(0, 0)] * rank
        for dim, width in found.items():
            table[dim] = width if isinstance(width, tuple) else (width, width)
        found = table
    pairs = np.broadcast_to(np.asarray(found), (rank, 2)) if rank else np.zeros((0, 2), int)
    if pairs.dtype.kind not in "iu":
        raise TypeError("`pad_width` must be of integral type.")
    if (pairs < 0).any():
        raise ValueError("index can't contain negative values")
    return [(int(low), int(high)) for low, high in pairs]


def _bordered(node: Node, dim: int, low: int, high: int, fills: Any) -> Node:
    kind, rank = node.spec.dtype, len(node.spec.shape)

    def widths(size: int) -> Shape:
        return tuple([size if one == dim else 0 for one in range(rank)])

    first, last = [scalar(plain(one.item(), kind), kind) for one in fills]
    if low:
        node = pad_node(node, first, widths(low), widths(0))
    return pad_node(node, last, widths(0), widths(high)) if high else node


def take(
    a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise"
) -> Any:
    """The elements (or slices along `axis`) at `indices`."""
    node, places = node_of(a), node_of(indices)
    if axis is None:
        node, axis = reshape(node, (node.spec.numel,)), 0
    dim = normalize_axis_index(axis, len(node.spec.shape))
    size = node.spec.shape[dim]
    if places.spec.dtype.is_floating_point:
        raise TypeError(
            "Cannot cast array data from dtype('float64') to dtype('int64') according to the rule "
            "'safe'"
        )
    places = cast(places, dtypes.int64)
    if mode == "raise":
        places = wrap_index(places, size)
    elif mode == "wrap":
        places = UFUNCS["remainder"].node(places, size)
    else:
        places = clamp(places, scalar(0, dtypes.int64), scalar(size - 1, dtypes.int64))
    return finished(index(node, (places,), (dim,)), out, "take")
