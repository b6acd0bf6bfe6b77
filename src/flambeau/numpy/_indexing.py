"""`array[key]`, read and written, by NumPy's rules.

Integers, slices and None make a view. Where there are arrays or masks, integers count as arrays
too; the arrays broadcast together and replace the dimensions they stand in, in front if those are
apart.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.shapes import Shape, broadcast
from flambeau.graph.node import Node
from flambeau.graph.op import DATA
from flambeau.graph.recording import scalar
from flambeau.numpy import _single as single
from flambeau.numpy._kinds import check_bounds
from flambeau.numpy._ndarray import fresh, generic, made, ndarray, node_of, value_of, viewing
from flambeau.numpy._results import check_writable, spelled
from flambeau.ops.indexing import index, index_put, wrap_index
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import expand, reshape
from flambeau.tensor.indexing import unraveled
from flambeau.tensor.promotion import plain
from flambeau.tensor.scatter import positions_that_hold
from flambeau.tensor.tensor import Tensor, geometry, make_view, write
from flambeau.tensor.views import box

_VALID = (
    "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean "
    "arrays are valid indices"
)


class _Mask:
    """A boolean index, with the number of dimensions it takes up."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.rank = len(node.spec.shape)


def get_item(self: ndarray, key: Any) -> Any:
    """`self[key]`: a view, a scalar, or a new array where the key holds arrays."""
    tensor = self._tensor
    shape = geometry(tensor)[0]
    place = single.place_of(tensor, key)
    if place is not None:
        known = single.read(tensor, place)
        if known is not None:
            return known
    if type(key) is int and shape:
        return _at(tensor, shape, key)
    parts = _parts(key, shape)
    if any(isinstance(one, (Node, _Mask)) for one in parts):
        view, arrays = _boxed(tensor, shape, parts)
        nodes, dims = _positions(view, arrays)
        return made(index(view.node, nodes, dims))
    view, _ = _boxed(tensor, shape, parts)
    if view.dim() or any(one is Ellipsis for one in (key if type(key) is tuple else (key,))):
        return viewing(view)
    return made(fresh(view.node, view.node))


def _at(tensor: Tensor, shape: Shape, position: int) -> Any:
    position = single.checked(position, 0, shape)
    rank = len(shape)
    starts, ones = (position, *(0,) * (rank - 1)), (1,) * rank
    view = box(tensor, starts, ones, (1, *shape[1:]), range(1, rank))
    return viewing(view) if rank > 1 else made(fresh(view.node, view.node))


def set_item(self: ndarray, key: Any, value: Any) -> None:
    """`self[key] = value`, with the value broadcast and cast."""
    if isinstance(self, generic):
        raise TypeError(f"'{self.dtype}' object does not support item assignment")
    check_writable(self)
    tensor = self._tensor
    kind = tensor.dtype
    if isinstance(key, ndarray) and key._tensor.dtype is dtypes.bool:
        mask = key._tensor.node
        node = tensor.node
        if type(value) in (float, int) and mask.spec.shape == node.spec.shape:
            # The most frequent case: one number wherever a mask of the array's shape holds.
            write(tensor, where(mask, _value_node(value, kind), node))
            return
    place = single.place_of(tensor, key)
    if place is not None and single.write(tensor, place, value):
        return
    shape = geometry(tensor)[0]
    view, arrays = _boxed(tensor, shape, _parts(key, shape))
    node = _value_node(value, kind)
    if not arrays:
        write(view, fresh(_broadcast(node, tuple(view.shape)), *_sources(value)))
    elif node.spec.numel == 1 and len(arrays) == 1 and isinstance(arrays[0][1], _Mask):
        write(view, _filled(view, *arrays[0], node))
    else:
        write(view, _written(view, arrays, node))


def _sources(value: Any) -> tuple[Node, ...]:
    if isinstance(value, ndarray):
        return (value._tensor.node,)
    return (value.node,) if isinstance(value, Tensor) else ()


def _value_node(value: Any, kind: dtypes.dtype) -> Node:
    """What is written, in the array's dtype: whatever was given is cast, as NumPy does."""
    if isinstance(value, (int, float)) and not isinstance(value, np.generic):
        if isinstance(value, float) and not kind.is_floating_point and math.isnan(value):
            raise ValueError("cannot convert float NaN to integer")
        if type(value) is int:
            check_bounds(value, kind)
        return scalar(plain(value, kind), kind)
    return node_of(value, kind)


def _broadcast(node: Node, shape: Shape, indexed: bool = False) -> Node:
    """A value in the shape that it is written to; ValueError if it does not fit."""
    own = node.spec.shape
    while len(own) > len(shape) and own[0] == 1:
        own = own[1:]
    try:
        return expand(reshape(node, own), shape)
    except RuntimeError:
        if indexed:
            raise ValueError(
                f"shape mismatch: value array of shape {spelled(node.spec.shape)} could not be "
                f"broadcast to indexing result of shape {spelled(shape)}"
            ) from None
        raise ValueError(
            f"could not broadcast input array from shape {spelled(node.spec.shape)} into shape "
            f"{spelled(shape)}"
        ) from None


def _filled(view: Tensor, dim: int, mask: _Mask, value: Node) -> Node:
    """Writing one value through a mask needs no positions."""
    shape = tuple(view.shape)
    after = len(shape) - dim - mask.rank
    holds = reshape(mask.node, (*mask.node.spec.shape, *(1,) * after))
    return where(expand(holds, shape), reshape(value, ()), view.node)


def _written(view: Tensor, arrays: Sequence[tuple[int, Any]], value: Node) -> Node:
    nodes, dims = _positions(view, arrays)
    node = view.node
    rest = [size for dim, size in enumerate(node.spec.shape) if dim not in dims]
    together = list(dims) == list(range(dims[0], dims[0] + len(dims)))
    place = dims[0] if together else 0
    found = (*rest[:place], *nodes[0].spec.shape, *rest[place:])
    if len(arrays) == 1 and isinstance(arrays[0][1], _Mask) and not rest:
        count, given = found[0], value.spec.numel
        if len(value.spec.shape) == 1 and given not in (1, count):
            raise ValueError(
                "NumPy boolean array indexing assignment cannot assign "
                f"{given} input values to the {count} output values where the mask is true"
            )
    return index_put(node, _broadcast(value, found, True), nodes, dims, False)


def _parts(key: Any, shape: Shape) -> list[Any]:
    """The key's items: int, slice, None, a Node of positions or a _Mask; Ellipsis written out."""
    items = [_part(one) for one in (key if isinstance(key, tuple) else (key,))]
    used = sum([_width(one) for one in items])
    if used > len(shape):
        raise IndexError(
            f"too many indices for array: array is {len(shape)}-dimensional, but {used} were "
            "indexed"
        )
    dots = [place for place, one in enumerate(items) if one is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    missing = [slice(None)] * (len(shape) - used)
    place = dots[0] if dots else len(items)
    return [*items[:place], *missing, *items[place + 1 :]]


def _part(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, slice) or type(part) is int:
        return part
    if isinstance(part, (bool, np.bool_)):
        return _Mask(node_of(bool(part)))
    if isinstance(part, (ndarray, Tensor, np.ndarray, list, tuple, range)):
        node = _array_part(part)
        kind = node.spec.dtype
        if kind is dtypes.bool:
            return _Mask(node)
        if kind.is_floating_point:
            raise IndexError("arrays used as indices must be of integer (or boolean) type")
        if isinstance(part, generic):
            return int(part)
        return cast(node, dtypes.int64)
    try:
        return operator.index(part)
    except TypeError:
        raise IndexError(_VALID) from None


def _array_part(part: Any) -> Node:
    node = node_of(part)
    if isinstance(part, (list, tuple, range)) and not node.spec.numel:
        return cast(node, dtypes.int64)
    return node


def _width(item: Any) -> int:
    """How many dimensions an item takes up."""
    if item is None or item is Ellipsis:
        return 0
    return item.rank if isinstance(item, _Mask) else 1


def _boxed(
    tensor: Tensor, shape: Shape, parts: Sequence[Any]
) -> tuple[Tensor, list[tuple[int, Any]]]:
    """The view that slices, None and lone integers make; the arrays and their places."""
    advanced = any(isinstance(one, (Node, _Mask)) for one in parts)
    starts, steps, counts = [0] * len(shape), [1] * len(shape), list(shape)
    kept: list[int | None] = []
    arrays: list[tuple[int, Any]] = []
    dim = 0
    for part in parts:
        if part is None:
            kept.append(None)
        elif isinstance(part, slice):
            starts[dim], steps[dim], counts[dim] = _stretch(part, shape[dim])
            kept.append(dim)
            dim += 1
        elif isinstance(part, _Mask):
            arrays.append((len(kept), part))
            _check_mask(part, shape, dim)
            kept.extend(range(dim, dim + part.rank) if part.rank else [None])
            dim += part.rank
        elif isinstance(part, Node):
            arrays.append((len(kept), part))
            _check_known(part, shape, dim)
            kept.append(dim)
            dim += 1
        else:
            position = single.checked(part, dim, shape)
            if advanced:
                arrays.append((len(kept), node_of(position)))
                kept.append(dim)
            else:
                starts[dim], counts[dim] = position, 1
            dim += 1
    if kept == list(range(len(shape))) and tuple(counts) == shape and set(steps) <= {1}:
        return (tensor if advanced else _all_of(tensor)), arrays
    return box(tensor, tuple(starts), tuple(steps), tuple(counts), kept), arrays


def _all_of(tensor: Tensor) -> Tensor:
    shape, strides, offset = geometry(tensor)
    return make_view(tensor, tensor.node, strides, offset, reshape, shape)


def _check_known(positions: Node, shape: Shape, dim: int) -> None:
    """IndexError at once for positions that came as data; others are checked when they run."""
    if positions.op is DATA and positions.spec.numel:
        value = value_of(positions)
        for one in (int(value.min()), int(value.max())):
            single.checked(one, dim, shape)


def _stretch(item: slice, size: int) -> tuple[int, int, int]:
    """Start, step and number of elements."""
    bounds = [
        None if one is None else operator.index(one) for one in (item.start, item.stop, item.step)
    ]
    start, stop, step = slice(*bounds).indices(size)
    count = len(range(start, stop, step))
    return (start if count else 0), (step if count > 1 else 1), count


def _check_mask(mask: _Mask, shape: Shape, dim: int) -> None:
    for number, size in enumerate(mask.node.spec.shape):
        if size != shape[dim + number]:
            raise IndexError(
                f"boolean index did not match indexed array along axis {dim + number}; size of "
                f"axis is {shape[dim + number]} but size of corresponding boolean axis is {size}"
            )


def _positions(
    view: Tensor, arrays: Sequence[tuple[int, Any]]
) -> tuple[tuple[Node, ...], tuple[int, ...]]:
    """Checked positions, of one shape, and the dimensions they replace."""
    nodes: list[Node] = []
    dims: list[int] = []
    shape = tuple(view.shape)
    for dim, one in arrays:
        if isinstance(one, _Mask):
            found = mask_positions(one.node)
            nodes += found
            dims += range(dim, dim + len(found))
        else:
            nodes.append(wrap_index(one, shape[dim]))
            dims.append(dim)
    try:
        common = broadcast([node.spec.shape for node in nodes])
    except RuntimeError:
        shapes = " ".join([spelled(node.spec.shape) for node in nodes])
        raise IndexError(
            f"shape mismatch: indexing arrays could not be broadcast together with shapes {shapes}"
        ) from None
    return tuple([expand(node, common) for node in nodes]), tuple(dims)


def mask_positions(mask: Node) -> list[Node]:
    """Where a mask holds: one vector of positions for each of its dimensions."""
    shape = mask.spec.shape
    flat = positions_that_hold(reshape(mask, (mask.spec.numel,)))
    return unraveled(flat, shape or (1,))


def contains(self: ndarray, element: Any) -> bool:
    """Whether an element equals `element`."""
    return bool((self == element).any())
