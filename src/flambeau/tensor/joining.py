"""Joining, repeating and rearranging: results with storages of their own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.shapes import Size, broadcast, normalize_dim
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import algebra, strided
from flambeau.ops.comparison import eq, ge, le
from flambeau.ops.indexing import index
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import expand, iota, permute, reshape
from flambeau.ops.shape import pad as pad_node
from flambeau.tensor.arguments import sizes
from flambeau.tensor.cloning import distinct
from flambeau.tensor.creation import tensor
from flambeau.tensor.indexing import get_item
from flambeau.tensor.promotion import plain, result_dtype
from flambeau.tensor.results import finish
from flambeau.tensor.tensor import Tensor, wrap
from flambeau.tensor.views import diagonal
from flambeau.tensor.views import expand as expand_view
from flambeau.tensor.views import reshape as reshape_tensor


def cat(
    tensors: Sequence[Tensor],
    dim: int = 0,
    *,
    axis: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The tensors one after another along `dim`.

    >>> import flambeau
    >>> flambeau.cat([flambeau.zeros(1), flambeau.ones(2)])
    tensor([0., 1., 1.])
    """
    dim = dim if axis is None else axis
    if isinstance(tensors, Tensor):
        raise TypeError(
            "cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"
        )
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for number, one in enumerate(tensors):
        if not isinstance(one, Tensor):
            raise TypeError(
                f"expected Tensor as element {number} in argument 0, but got {type(one).__name__}"
            )
        if not one.dim():
            raise RuntimeError(
                f"zero-dimensional tensor (at position {number}) cannot be concatenated"
            )
    # Empty vectors fit anything, for the sake of old programs.
    nodes = [one.node for one in tensors]
    kind = result_dtype(*tensors)
    present = [node for node in nodes if node.spec.shape != (0,)] or nodes[:1]
    rank = len(present[0].spec.shape)
    for node in present:
        if len(node.spec.shape) != rank:
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {rank} and "
                f"{len(node.spec.shape)}"
            )
    dim = normalize_dim(dim, rank)
    joined = strided.cat(tuple([cast(node, kind) for node in present]), dim)
    return finish(joined, out)


def stack(
    tensors: Sequence[Tensor],
    dim: int = 0,
    *,
    axis: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The tensors, of one shape, along a new dimension."""
    dim = dim if axis is None else axis
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    kind = result_dtype(*tensors)
    nodes = [cast(one.node, kind) for one in tensors]
    shape = nodes[0].spec.shape
    for number, node in enumerate(nodes):
        if node.spec.shape != shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and "
                f"{list(node.spec.shape)} at entry {number}"
            )
    dim = normalize_dim(dim, len(shape) + 1)
    wide = (*shape[:dim], 1, *shape[dim:])
    return finish(strided.cat(tuple([reshape(node, wide) for node in nodes]), dim), out)


def atleast_1d(*tensors: Any) -> Any:
    """With at least one dimension."""
    return _at_least(tensors, lambda one: reshape_tensor(one, (1,)) if not one.dim() else one)


def atleast_2d(*tensors: Any) -> Any:
    """With at least two dimensions; new ones in front."""

    def widened(one: Tensor) -> Tensor:
        return reshape_tensor(one, (1,) * (2 - one.dim()) + tuple(one.shape))

    return _at_least(tensors, lambda one: widened(one) if one.dim() < 2 else one)


def atleast_3d(*tensors: Any) -> Any:
    """With at least three dimensions: a matrix gets one behind, a vector one on each side."""

    def widened(one: Tensor) -> Tensor:
        shape = tuple(one.shape)
        return reshape_tensor(one, [(1, 1, 1), (1, *shape, 1), (*shape, 1)][len(shape)])

    return _at_least(tensors, lambda one: widened(one) if one.dim() < 3 else one)


def _at_least(tensors: tuple[Any, ...], widen: Any) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return widen(tensors[0])
    given = tensors[0] if len(tensors) == 1 else tensors
    return tuple([widen(one) for one in given])


def hstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Joined along columns; vectors along their only dimension."""
    wide = atleast_1d(*tensors) if len(tensors) > 1 else (atleast_1d(tensors[0]),)
    return cat(wide, 0 if wide[0].dim() == 1 else 1, out=out)


def vstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Joined along rows."""
    return cat([atleast_2d(one) for one in tensors], 0, out=out)


def dstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Joined along the third dimension."""
    return cat([atleast_3d(one) for one in tensors], 2, out=out)


def column_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Vectors as the columns of a matrix."""
    columns = [
        reshape_tensor(one, (one.node.spec.numel, 1)) if one.dim() < 2 else one for one in tensors
    ]
    return cat(columns, 1, out=out)


def block_diag(*tensors: Tensor) -> Tensor:
    """The matrices along the diagonal, zeros elsewhere."""
    matrices = [atleast_2d(one) for one in tensors] or [atleast_2d(_empty_matrix())]
    columns = sum([one.shape[1] for one in matrices])
    kind = result_dtype(*matrices)
    rows, start = [], 0
    for one in matrices:
        width = one.shape[1]
        node = cast(one.node, kind)
        rows.append(pad_node(node, scalar(0, kind), (0, start), (0, columns - start - width)))
        start += width
    return wrap(strided.cat(tuple(rows), 0))


def _empty_matrix() -> Tensor:
    return wrap(cast(reshape(iota(0), (1, 0)), dtypes.float32))


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors expanded to their common shape."""
    given = tensors[0] if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else tensors
    shape = broadcast([tuple(one.shape) for one in given] or [()])
    return tuple([expand_view(one, shape) for one in given])


def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that all of these expand to."""
    return Size(broadcast([(one,) if isinstance(one, int) else tuple(one) for one in shapes]))


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinates on a grid: each vector expanded along all the others."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(
            'torch.meshgrid: indexing must be one of "xy" or "ij", but received: ' + str(indexing)
        )
    counts = tuple([one.node.spec.numel for one in given])
    swap = indexing == "xy" and len(counts) >= 2
    if swap:
        counts = (counts[1], counts[0], *counts[2:])
    grids = []
    for number, one in enumerate(given):
        dim = 1 - number if swap and number < 2 else number
        along = tuple([counts[dim] if at == dim else 1 for at in range(len(counts))])
        grids.append(expand_view(reshape_tensor(one, along), counts))
    return tuple(grids)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples of elements, one a row."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape_tensor(grid, (-1,)) for grid in meshgrid(*tensors, indexing="ij")], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of `r` elements of a vector, one a row."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows: Any = list(choose(range(input.shape[0]), r))
    if not rows:
        rows = np.empty((0, r), np.int64)
    return get_item(input, tensor(rows))


def flip(input: Tensor, *order: Any, dims: Any = ()) -> Tensor:
    """The elements in the opposite order along `dims`."""
    shape = tuple(input.shape)
    chosen = [normalize_dim(dim, len(shape)) for dim in sizes(order or (dims,))]
    if len(set(chosen)) != len(chosen):
        raise RuntimeError("dim appears multiple times in the list of dims")
    if not shape or not input.node.spec.numel:
        return wrap(distinct(input.node, input.node))
    starts = tuple([size - 1 if dim in chosen else 0 for dim, size in enumerate(shape)])
    steps = tuple([-1 if dim in chosen else 1 for dim in range(len(shape))])
    return wrap(strided.slice_(input.node, starts, steps, shape))


def fliplr(input: Tensor) -> Tensor:
    """Columns in the opposite order."""
    if input.dim() < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """Rows in the opposite order."""
    if input.dim() < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned by `k` right angles in the plane of two dimensions."""
    first, second = [normalize_dim(dim, input.dim()) for dim in dims]
    if first == second:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {first} and dim1 = {second}"
        )
    if k % 4 == 0:
        return wrap(distinct(input.node, input.node))
    if k % 4 == 2:
        return flip(input, first, second)
    order = list(range(input.dim()))
    order[first], order[second] = second, first
    turned = wrap(distinct(permute(input.node, tuple(order)), input.node))
    return flip(turned, first if k % 4 == 1 else second)


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """The elements moved along `dims`; what leaves at one end enters at the other."""
    node = input.node
    shape = node.spec.shape
    if dims is None or dims == () or dims == []:
        amounts = [shifts] if isinstance(shifts, int) else list(shifts)
        if len(amounts) != 1:
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(amounts)}, dims:0")
        flat = reshape(node, (node.spec.numel,))
        return wrap(distinct(reshape(_rolled(flat, amounts[0], 0), shape), node))
    amounts = [shifts] if isinstance(shifts, int) else list(shifts)
    chosen = [dims] if isinstance(dims, int) else list(dims)
    if len(amounts) != len(chosen):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(amounts)}, dims:{len(chosen)}"
        )
    result = node
    for amount, dim in zip(amounts, chosen, strict=True):
        result = _rolled(result, amount, normalize_dim(dim, len(shape)))
    return wrap(distinct(result, node))


def _rolled(node: Node, amount: int, dim: int) -> Node:
    shape = node.spec.shape
    if not shape or not node.spec.numel:
        return node
    size = shape[dim]
    amount %= size
    if not amount:
        return node
    ones = (1,) * len(shape)

    def part(start: int, length: int) -> Node:
        starts = tuple([start if one == dim else 0 for one in range(len(shape))])
        return strided.slice_(node, starts, ones, (*shape[:dim], length, *shape[dim + 1 :]))

    return strided.cat((part(size - amount, amount), part(0, size - amount)), dim)


def repeat(input: Tensor, *counts: Any, repeats: Any = ()) -> Tensor:
    """The whole repeated along each dimension.

    >>> import flambeau
    >>> flambeau.tensor([1, 2]).repeat(2)
    tensor([1, 2, 1, 2])
    """
    times = sizes(counts or (repeats,))
    node = input.node
    shape = node.spec.shape
    if len(times) < len(shape):
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    shape = (1,) * (len(times) - len(shape)) + shape
    apart = [one for size in shape for one in (1, size)]
    wide = [one for time, size in zip(times, shape, strict=True) for one in (time, size)]
    final = tuple([time * size for time, size in zip(times, shape, strict=True)])
    result = reshape(expand(reshape(node, tuple(apart)), tuple(wide)), final)
    return wrap(distinct(result, node))


def tile(input: Tensor, *counts: Any, dims: Any = ()) -> Tensor:
    """Like `repeat`; missing counts in front are 1."""
    times = sizes(counts or (dims,))
    return repeat(input, (1,) * (input.dim() - len(times)) + times)


def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element (or slice along `dim`) repeated, by one number or each by its own."""
    if repeats is None:
        node, repeats = iota(input.shape[0]), input
    else:
        node = input.node
    if dim is None:
        node, dim = reshape(node, (node.spec.numel,)), 0
    dim = normalize_dim(dim, len(node.spec.shape))
    if not node.spec.shape:
        node = reshape(node, (1,))
    shape = node.spec.shape
    if isinstance(repeats, int):
        counts = [repeats] * shape[dim]
    else:
        counts = repeats.reshape(-1).tolist()
        counts = counts * shape[dim] if len(counts) == 1 else counts
    if len(counts) != shape[dim]:
        raise RuntimeError(
            f"repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{len(counts)} and input.size({dim}) = {shape[dim]}"
        )
    if any(count < 0 for count in counts):
        raise RuntimeError("repeats can not be negative")
    if isinstance(repeats, int):
        wide = (*shape[: dim + 1], repeats, *shape[dim + 1 :])
        apart = reshape(node, (*shape[: dim + 1], 1, *shape[dim + 1 :]))
        final = (*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :])
        return wrap(distinct(reshape(expand(apart, wide), final), input.node))
    chosen = [number for number, count in enumerate(counts) for _ in range(int(count))]
    positions = tensor(chosen, dtype=dtypes.int64).node
    return wrap(index(node, (positions,), (dim,)))


def tril(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The lower triangle of matrices, up to a diagonal; zeros elsewhere."""
    return finish(_triangle("tril", input, diagonal, True), out)


def triu(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The upper triangle of matrices, from a diagonal on; zeros elsewhere."""
    return finish(_triangle("triu", input, diagonal, False), out)


def _triangle(op: str, input: Tensor, offset: int, lower: bool) -> Node:
    node = input.node
    shape = node.spec.shape
    if len(shape) < 2:
        raise RuntimeError(f"{op}: input tensor must have at least 2 dimensions")
    kept = triangle_mask(shape[-2], shape[-1], offset, lower)
    return where(expand(kept, shape), node, scalar(0, node.dtype))


def triangle_mask(rows: int, columns: int, offset: int, lower: bool) -> Node:
    """Where the column is at most (at least, if not `lower`) the row plus `offset`."""
    down = algebra.add(reshape(iota(rows), (rows, 1)), scalar(offset, dtypes.int64))
    across = expand(reshape(iota(columns), (1, columns)), (rows, columns))
    return (le if lower else ge)(across, expand(down, (rows, columns)))


def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = None,
    device: Any = None,
    layout: Any = None,
) -> Tensor:
    """Rows and columns of the lower triangle's elements."""
    return _triangle_indices(row, col, offset, True, dtype)


def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = None,
    device: Any = None,
    layout: Any = None,
) -> Tensor:
    """Rows and columns of the upper triangle's elements."""
    return _triangle_indices(row, col, offset, False, dtype)


def _triangle_indices(row: int, col: int, offset: int, lower: bool, kind: Any) -> Tensor:
    pairs = np.tril_indices(row, offset, col) if lower else np.triu_indices(row, offset, col)
    return tensor(np.stack(pairs), dtype=kind or dtypes.int64)


def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The matrix with a vector on its diagonal, or the diagonal of a matrix."""
    if input.dim() == 1:
        return finish(diag_embed(input, diagonal).node, out)
    if input.dim() != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.dim()}D")
    return finish(_copy_of(diagonal_of(input, diagonal)), out)


def diagonal_of(input: Tensor, offset: int) -> Tensor:
    """The view of a matrix's diagonal."""
    return diagonal(input, offset)


def _copy_of(view: Tensor) -> Node:
    node = view.node
    return distinct(node, node)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with the flattened elements on its diagonal."""
    return diag_embed(reshape_tensor(input, (-1,)), offset)


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last dimension's elements on their diagonals, zeros elsewhere."""
    node = input.node
    shape = node.spec.shape
    rank = len(shape) + 1
    first, second = normalize_dim(dim1, rank), normalize_dim(dim2, rank)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    if first > second:
        first, second, offset = second, first, -offset
    size = shape[-1] + abs(offset)
    before = (*(0,) * (len(shape) - 1), max(-offset, 0))
    after = (*(0,) * (len(shape) - 1), max(offset, 0))
    zero = scalar(0, node.dtype)
    rows = reshape(pad_node(node, zero, before, after), (*shape[:-1], size, 1))  # (..., row, 1)
    wide = (*shape[:-1], size, size)
    numbers = expand(reshape(iota(size), (1, size)), (size, size))
    lines = algebra.add(reshape(iota(size), (size, 1)), scalar(offset, dtypes.int64))
    on = eq(numbers, expand(lines, (size, size)))
    matrices = where(expand(on, wide), expand(rows, wide), zero)
    order = list(range(len(shape) - 1))
    order.insert(first, len(shape) - 1)
    order.insert(second, len(shape))
    return wrap(permute(matrices, tuple(order)))


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """`value` around the elements: two widths a dimension, the last dimension's first."""
    node = input.node
    rank = len(node.spec.shape)
    if len(pad) % 2 or len(pad) > 2 * rank:
        raise RuntimeError(
            f"Length of pad must be even and no more than twice the number of dimensions of the "
            f"input. Got {len(pad)} for {rank} dimensions"
        )
    before, after = [0] * rank, [0] * rank
    for number in range(len(pad) // 2):
        before[rank - 1 - number], after[rank - 1 - number] = pad[2 * number], pad[2 * number + 1]
    number_node = scalar(plain(value, node.dtype), node.dtype)
    return wrap(pad_node(node, number_node, tuple(before), tuple(after)))
