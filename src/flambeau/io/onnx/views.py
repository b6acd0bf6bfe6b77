"""Index maps, joins, and reading and writing at positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from flambeau.core.shapes import Shape
from flambeau.io.onnx.builder import Builder, Tensor
from flambeau.io.onnx.elementwise import Emitter, in_float32
from flambeau.io.onnx.sizes import Size, fixed

# As the end of a slice that goes down to the first element.
_BEFORE_ALL = int(np.iinfo(np.int64).min)


def reshape(g: Builder, x: Tensor, shape: Shape) -> Tensor:
    """The elements under another shape; a size of 0 means none."""
    sizes = [one for one in shape if isinstance(one, Size)]
    if len(sizes) == 1 and 0 not in shape:
        shape = tuple([-1 if one is sizes[0] else one for one in shape])  # what is left
    return g.op("Reshape", x, g.integers(shape), allowzero=int(0 in shape))


def permute(g: Builder, x: Tensor, dims: Sequence[int]) -> Tensor:
    """The dimensions in this order."""
    return g.op("Transpose", x, perm=list(dims)) if list(dims) != sorted(dims) else x


def reverse(g: Builder, x: Tensor, size: int) -> Tensor:
    """The first dimension, of this size, from its end."""
    return box(g, x, (size,), (size - 1,), (-1,), (size,))


def box(
    g: Builder, x: Tensor, shape: Shape, starts: Sequence[int], steps: Sequence[int], sizes: Shape
) -> Tensor:
    """`sizes[d]` elements of x, whose first sizes are `shape`, from `starts[d]` on."""
    dims = [
        dim
        for dim, size in enumerate(shape)
        if (starts[dim], steps[dim], sizes[dim]) != (0, 1, size)
    ]
    if not dims:
        return x
    ends = [starts[dim] + steps[dim] * sizes[dim] for dim in dims]
    ends = [end if end >= 0 else _BEFORE_ALL for end in ends]
    bounds = [[starts[dim] for dim in dims], ends, dims, [steps[dim] for dim in dims]]
    return g.op("Slice", x, *map(g.integers, bounds))


def _expand(g: Builder, x: Tensor, shape: Shape) -> Tensor:
    # Where x has the size already, 1 says as much, and need not be computed.
    lead = len(shape) - len(g.shape(x))
    given = [1] * lead + list(g.shape(x))
    wide = [1 if a == b else b for a, b in zip(given, shape, strict=True)]
    return g.op("Expand", x, g.integers(wide))


def _slice(g: Builder, x: Tensor, starts: Shape, steps: Shape, sizes: Shape) -> Tensor:
    return box(g, x, g.shape(x), starts, steps, sizes)


def _pad(g: Builder, x: Tensor, fill: Tensor, before: Shape, after: Shape) -> Tensor:
    # What is added on one side may be cut off on the other.
    added = [[max(one, 0) for one in widths] for widths in (before, after)]
    shape = tuple([size + low + high for size, low, high in zip(g.shape(x), *added, strict=True)])
    if any(map(any, added)):
        x = g.op("Pad", x, g.integers(added[0] + added[1]), fill)
    starts = [max(-one, 0) for one in before]
    ends = [size - max(-one, 0) for size, one in zip(shape, after, strict=True)]
    sizes = tuple([end - start for start, end in zip(starts, ends, strict=True)])
    return box(g, x, shape, starts, [1] * len(shape), sizes)


def _iota(g: Builder, count: int) -> Tensor:
    zero, end, one = [g.number(value, TensorProto.INT64) for value in (0, count, 1)]
    return g.op("Range", zero, end, one)


def _cat(g: Builder, *inputs: Tensor, dim: int) -> Tensor:
    return g.op("Concat", *inputs, axis=dim)


# ---------------------------------------------------------------------- strides


def _positions(g: Builder, shape: Shape, strides: Shape, offset: int) -> Tensor:
    """Where `as_strided` reads: the sum of a vector for each dimension, by broadcasting."""
    fixed((*shape, *strides, offset))
    total = g.number(offset, TensorProto.INT64)
    for dim, (size, stride) in enumerate(zip(shape, strides, strict=True)):
        column = (np.arange(size) * stride).reshape(-1, *[1] * (len(shape) - dim - 1))
        total = g.op("Add", total, g.constant(column, TensorProto.INT64))
    return total


def _as_strided(g: Builder, x: Tensor, shape: Shape, strides: Shape, offset: int) -> Tensor:
    flat = reshape(g, x, (-1,))
    return g.op("Gather", flat, _positions(g, shape, strides, offset), axis=0)


def _as_strided_scatter(
    g: Builder, base: Tensor, value: Tensor, strides: Shape, offset: int
) -> Tensor:
    positions = reshape(g, _positions(g, g.shape(value), strides, offset), (-1,))
    flat, updates = reshape(g, base, (-1,)), reshape(g, value, (-1,))
    written = g.op("ScatterElements", flat, positions, updates, axis=0)
    return reshape(g, written, g.shape(base))


# ---------------------------------------------------------------------- positions


def _wrap_index(g: Builder, positions: Tensor, size: int, lowest: int) -> Tensor:
    # Whether they are in range, the operators that use them check.
    if lowest == 0:
        return positions
    return g.op("Where", g.op("Less", positions, 0), g.op("Add", positions, size), positions)


def _index(g: Builder, x: Tensor, *indices: Tensor, dims: Shape) -> Tensor:
    if len(dims) == 1:
        return g.op("Gather", x, indices[0], axis=dims[0])
    to_front, to_place = _orders(len(g.shape(x)), len(g.shape(indices[0])), dims)
    found = g.op("GatherND", permute(g, x, to_front), _stacked(g, indices))
    return permute(g, found, np.argsort(to_place).tolist())


def _gather(g: Builder, x: Tensor, positions: Tensor, dim: int) -> Tensor:
    # The operator wants x no larger than the positions, other than along `dim`.
    sizes = list(g.shape(positions))
    sizes[dim] = g.shape(x)[dim]
    rank = len(sizes)
    part = box(g, x, g.shape(x), [0] * rank, [1] * rank, tuple(sizes))
    return g.op("GatherElements", part, positions, axis=dim)


def _place(
    g: Builder, value: Tensor, positions: Tensor, fill: Tensor, dim: int, size: int
) -> Tensor:
    column = reshape(g, _iota(g, size), (-1, *[1] * (len(g.shape(value)) - dim - 1)))
    return g.op("Where", g.op("Equal", column, positions), value, fill)


def _index_put(
    g: Builder, x: Tensor, value: Tensor, *indices: Tensor, dims: Shape, accumulate: bool
) -> Tensor:
    to_front, to_place = _orders(len(g.shape(x)), len(g.shape(indices[0])), dims)
    where = _stacked(g, indices)

    def scatter(g: Builder, x: Tensor, value: Tensor) -> Tensor:
        base, updates = permute(g, x, to_front), permute(g, value, to_place)
        return g.op("ScatterND", base, where, updates, reduction="add" if accumulate else "none")

    emit: Emitter = in_float32(scatter) if accumulate else scatter
    return permute(g, emit(g, x, value), np.argsort(to_front).tolist())


def _stacked(g: Builder, indices: Sequence[Tensor]) -> Tensor:
    """The positions of one element side by side in a last dimension."""
    columns = [reshape(g, one, (*g.shape(one), 1)) for one in indices]
    return g.op("Concat", *columns, axis=-1) if len(columns) > 1 else columns[0]


def _orders(rank: int, index_rank: int, dims: Shape) -> tuple[list[int], list[int]]:
    """The dimensions of x with the indexed ones first, and those of what is found likewise."""
    rest = [dim for dim in range(rank) if dim not in dims]
    together = dims == tuple(range(dims[0], dims[0] + len(dims)))
    place = dims[0] if together else 0
    found = range(index_rank + len(rest))
    indexed = range(place, place + index_rank)
    return [*dims, *rest], [*indexed, *[dim for dim in found if dim not in indexed]]


VIEWS: dict[str, Emitter] = {
    "reshape": reshape, "permute": permute, "expand": _expand, "slice": _slice, "pad": _pad,
    "iota": _iota, "cat": _cat, "as_strided": _as_strided,
    "as_strided_scatter": _as_strided_scatter, "wrap_index": _wrap_index, "index": _index,
    "gather": _gather, "place": _place, "index_put": _index_put,
}  # fmt: skip
