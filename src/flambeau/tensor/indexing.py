"""`tensor[key]`, read and written: integers, slices, None, Ellipsis, masks and index tensors.

A key is taken in two steps. Integers, slices and None make a view; index tensors and masks then
replace dimensions of that view.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.shapes import Shape, broadcast
from flambeau.graph.node import Node
from flambeau.ops.indexing import index, wrap_index
from flambeau.ops.indexing import index_put as index_put_op
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import expand, iota, reshape
from flambeau.tensor.cloning import distinct
from flambeau.tensor.creation import tensor
from flambeau.tensor.promotion import NUMBERS, to_node
from flambeau.tensor.scatter import positions_that_hold
from flambeau.tensor.tensor import Tensor, check_writable, wrap, write
from flambeau.tensor.views import box, select, unsqueeze

_VALID = (
    "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
    "indices (got {})"
)
_MASKS = (dtypes.bool, dtypes.uint8)


def get_item(self: Tensor, key: Any) -> Tensor:
    """`self[key]`: a view unless the key holds index tensors or masks."""
    if type(key) is int and self.dim():
        return _select_first(self, key)
    view, tensors = _basic(self, key)
    if not tensors:
        return view
    return wrap(_read(view, tensors))


def _select_first(self: Tensor, position: int) -> Tensor:
    size = self.shape[0]
    if not -size <= position < size:
        raise IndexError(f"index {position} is out of bounds for dimension 0 with size {size}")
    return select(self, 0, position)


def set_item(self: Tensor, key: Any, value: Any) -> None:
    """`self[key] = value`, with the value broadcast and cast."""
    if isinstance(value, (list, tuple, np.ndarray)):
        value = tensor(value, dtype=self.dtype)
    view, tensors = _basic(self, key)
    check_writable(view)
    node = to_node(value, self.dtype)
    if not tensors:
        node = _fitted(node, tuple(view.shape))
        write(view, distinct(node, *_sources(value)))
    elif node.spec.numel == 1 and len(tensors) == 1 and tensors[0][1].dtype in _MASKS:
        write(view, _filled(view, *tensors[0], node))
    else:
        write(view, _written(view, tensors, node, False))


def _sources(value: Any) -> tuple[Node, ...]:
    return (value.node,) if isinstance(value, Tensor) else ()


def _fitted(node: Node, shape: Shape) -> Node:
    """A value broadcast to `shape`; leading dimensions of size 1 may be too many."""
    own = node.spec.shape
    while len(own) > len(shape) and own[0] == 1:
        own = own[1:]
    return expand(reshape(node, own), shape)


def _filled(view: Tensor, dim: int, mask: Tensor, value: Node) -> Node:
    """Writing one value through a mask needs no positions."""
    holds = _mask_node(view, dim, mask)
    shape = tuple(view.shape)
    after = len(shape) - dim - len(holds.spec.shape)
    holds = reshape(holds, (*holds.spec.shape, *(1,) * after))
    return where(expand(holds, shape), reshape(value, ()), view.node)


def _mask_node(view: Tensor, dim: int, mask: Tensor) -> Node:
    shape, own = tuple(mask.shape), tuple(view.shape)
    for number, size in enumerate(shape):
        if dim + number >= len(own):
            raise IndexError(f"too many indices for tensor of dimension {len(own)}")
        if size != own[dim + number]:
            raise IndexError(
                f"The shape of the mask {list(shape)} at index {number} does not match the shape "
                f"of the indexed tensor {list(own)} at index {dim + number}"
            )
    return cast(mask.node, dtypes.bool)


def _basic(self: Tensor, key: Any) -> tuple[Tensor, list[tuple[int, Tensor]]]:
    """The view that integers, slices and None make, and the index tensors with their dimensions."""
    items = _items(self, key)
    shape = tuple(self.shape)
    starts, steps, counts = [0] * len(shape), [1] * len(shape), list(shape)
    kept: list[int | None] = []
    tensors: list[tuple[int, Tensor]] = []
    dim = 0
    for item in items:
        if item is None:
            kept.append(None)
        elif isinstance(item, bool):
            tensors.append((len(kept), tensor(item)))
            kept.append(None)
        elif isinstance(item, slice):
            starts[dim], steps[dim], counts[dim] = _slice(item, shape[dim])
            kept.append(dim)
            dim += 1
        elif isinstance(item, Tensor):
            tensors.append((len(kept), item))
            width = item.dim() if item.dtype in _MASKS else 1
            if not width:
                kept.append(None)
            kept.extend(range(dim, dim + width))
            dim += width
        else:
            starts[dim], counts[dim] = _position(item, dim, shape), 1
            dim += 1
    kept.extend(range(dim, len(shape)))
    if (
        not tensors
        or kept != list(range(len(shape)))
        or any(starts)
        or tuple(counts) != shape
        or any(step != 1 for step in steps)
    ):
        self = box(self, tuple(starts), tuple(steps), tuple(counts), kept)
    return self, tensors


def _items(self: Tensor, key: Any) -> list[Any]:
    """The parts of a key, with the Ellipsis written out and sequences made tensors."""
    parts = list(key) if isinstance(key, tuple) else [key]
    items = [_item(part, len(parts)) for part in parts]
    rank = self.dim()
    if not rank and len(items) == 1 and type(items[0]) is int and items[0] in (0, -1):
        return []  # Programs written for PyTorch before 0.4 read numbers as `loss.data[0]`.
    used = sum(_width(item) for item in items)
    dots = [place for place, item in enumerate(items) if item is Ellipsis]
    if used > rank:
        if not rank:
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
            )
        raise IndexError(f"too many indices for tensor of dimension {rank}")
    if dots:
        first = dots[0]
        rest = [item for item in items[first + 1 :] if item is not Ellipsis]
        items = [*items[:first], *[slice(None)] * (rank - used), *rest]
    return items


def _item(part: Any, count: int) -> Any:
    if part is None or part is Ellipsis or isinstance(part, (bool, slice)) or type(part) is int:
        return part
    if isinstance(part, Tensor):
        if part.dtype.is_floating_point:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        if not part.dim() and part.dtype not in _MASKS and count > 1:
            return int(part)
        return part
    if isinstance(part, np.bool_):
        return bool(part)
    if isinstance(part, (list, np.ndarray, range)) and not (
        isinstance(part, np.ndarray) and not part.ndim
    ):
        made = tensor(list(part) if isinstance(part, range) else part)
        return made if made.node.spec.numel else tensor(part, dtype=dtypes.int64)
    try:
        return operator.index(part)
    except TypeError:
        raise IndexError(_VALID.format(type(part).__name__)) from None


def _width(item: Any) -> int:
    """How many dimensions an item takes up."""
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    if isinstance(item, Tensor) and item.dtype in _MASKS:
        return item.dim()
    return 1


def _slice(item: slice, size: int) -> tuple[int, int, int]:
    """Start, step and number of elements."""
    bounds = [None if one is None else int(one) for one in (item.start, item.stop, item.step)]
    if bounds[2] is not None and bounds[2] <= 0:
        raise ValueError("step must be greater than zero")
    start, stop, step = slice(*bounds).indices(size)
    count = max(0, -(-(stop - start) // step))
    return (start if count else min(start, size)), step, count


def _position(item: int, dim: int, shape: Shape) -> int:
    size = shape[dim]
    if not -size <= item < size:
        raise IndexError(f"index {item} is out of bounds for dimension {dim} with size {size}")
    return item % size


def _indices(view: Tensor, tensors: Sequence[tuple[int, Tensor]]) -> tuple[list[Node], list[int]]:
    """Checked positions, of one shape, and the dimensions they replace."""
    nodes: list[Node] = []
    dims: list[int] = []
    shape = tuple(view.shape)
    for dim, one in tensors:
        if one.dtype in _MASKS:
            found = _positions(_mask_node(view, dim, one) if one.dim() else one.node)
            nodes += found
            dims += range(dim, dim + len(found))
        else:
            nodes.append(wrap_index(cast(one.node, dtypes.int64), shape[dim]))
            dims.append(dim)
    try:
        common = broadcast([node.spec.shape for node in nodes])
    except RuntimeError:
        shapes = ", ".join(str(list(node.spec.shape)) for node in nodes)
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None
    return [expand(node, common) for node in nodes], dims


def _positions(mask: Node) -> list[Node]:
    """Where a mask holds: one vector of positions for each of its dimensions."""
    shape = mask.spec.shape
    flat = positions_that_hold(reshape(mask, (mask.spec.numel,)))
    return unraveled(flat, shape or (1,))


def unraveled(flat: Node, shape: Shape) -> list[Node]:
    """Row-major positions as one position in each dimension."""
    if len(shape) == 1:
        return [flat]
    grids = [
        reshape(
            expand(
                reshape(
                    iota(size), tuple([size if one == dim else 1 for one in range(len(shape))])
                ),
                shape,
            ),
            (_total(shape),),
        )
        for dim, size in enumerate(shape)
    ]
    return [index(grid, (flat,), (0,)) for grid in grids]


def _total(shape: Shape) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _read(view: Tensor, tensors: Sequence[tuple[int, Tensor]]) -> Node:
    nodes, dims = _indices(view, tensors)
    return index(view.node, tuple(nodes), tuple(dims))


def _written(
    view: Tensor, tensors: Sequence[tuple[int, Tensor]], value: Node, accumulate: bool
) -> Node:
    nodes, dims = _indices(view, tensors)
    node = view.node
    found = _result_shape(node.spec.shape, nodes[0].spec.shape, dims)
    try:
        fitted = _fitted(value, found)
    except RuntimeError:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(value.spec.shape)} cannot be broadcast "
            f"to indexing result of shape {list(found)}"
        ) from None
    return index_put_op(node, fitted, tuple(nodes), tuple(dims), accumulate)


def _result_shape(shape: Shape, indexed: Shape, dims: Sequence[int]) -> Shape:
    rest = [size for dim, size in enumerate(shape) if dim not in dims]
    together = list(dims) == list(range(dims[0], dims[0] + len(dims)))
    place = dims[0] if together else 0
    return (*rest[:place], *indexed, *rest[place:])


def index_put(
    input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False
) -> Tensor:
    """`input` with `values` written, or added, at the indices; None takes a whole dimension."""
    if values.dtype is not input.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{input.dtype} for the destination and {values.dtype} for the source."
        )
    key = tuple([slice(None) if one is None else one for one in indices])
    view, tensors = _basic(input, tuple([_as_vector(one) for one in key]))
    return wrap(_written(view, tensors, values.node, accumulate))


def _as_vector(item: Any) -> Any:
    """0-dim index tensors index like any other here."""
    if isinstance(item, Tensor) and not item.dim() and item.dtype not in _MASKS:
        return unsqueeze(item, 0)
    return item


def contains(self: Tensor, element: Any) -> bool:
    """Whether an element equals `element`."""
    if not isinstance(element, (Tensor, *NUMBERS)):
        raise RuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{type(element)}."
        )
    return bool((self == element).any())
