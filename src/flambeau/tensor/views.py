"""Views: tensors that share a storage with the one they are made from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape, contiguous_strides, normalize_dim
from flambeau.graph.node import Node
from flambeau.ops import shape as ops
from flambeau.ops import strided
from flambeau.tensor.arguments import sizes
from flambeau.tensor.cloning import clone, reinterpreted
from flambeau.tensor.tensor import (
    Tensor,
    alias,
    geometry,
    is_contiguous,
    make_view,
    wrap,
)


def view(input: Tensor, *shape: Any) -> Tensor:
    """The same elements under another shape, one size of which may be -1.

    RuntimeError if the strides do not allow it without a copy. A dtype instead of a shape gives a
    copy whose bits are read as that dtype.

    >>> import flambeau
    >>> flambeau.arange(6).view(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    if len(shape) == 1 and isinstance(shape[0], dtype):
        return reinterpreted(input, shape[0])
    node = input.node
    wanted = inferred(sizes(shape), node.spec.numel)
    strides = strides_for(input, wanted)
    if strides is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return make_view(
        input, ops.reshape(node, wanted), strides, geometry(input)[2], ops.reshape, wanted
    )


def reshape(input: Tensor, *sizes_: Any, shape: Any = ()) -> Tensor:
    """The elements under another shape: a view where possible, else a copy."""
    node = input.node
    wanted = inferred(sizes(sizes_ or (shape,)), node.spec.numel)
    strides = strides_for(input, wanted)
    if strides is None:
        return wrap(ops.reshape(node, wanted))
    if wanted == node.spec.shape:
        return view_as_itself(input)
    return make_view(
        input, ops.reshape(node, wanted), strides, geometry(input)[2], ops.reshape, wanted
    )


def view_as_itself(input: Tensor) -> Tensor:
    """A view of all of it."""
    shape, strides, offset = geometry(input)
    return make_view(input, input.node, strides, offset, ops.reshape, shape)


def inferred(shape: Shape, count: int) -> Shape:
    """The shape with a -1 replaced; RuntimeError if it does not hold `count` elements."""
    known = 1
    unknown = -1
    for dim, size in enumerate(shape):
        if size >= 0:
            known *= size
        elif size == -1 and unknown < 0:
            unknown = dim
        elif size == -1:
            raise RuntimeError("only one dimension can be inferred")
        else:
            raise RuntimeError(f"invalid shape dimension {size}")
    if unknown < 0:
        if known == count:
            return shape
    elif known == 0:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified "
            "dimension size -1 can be any value and is ambiguous"
        )
    elif count % known == 0:
        return (*shape[:unknown], count // known, *shape[unknown + 1 :])
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {count}")


def strides_for(input: Tensor, wanted: Shape) -> Shape | None:
    """The strides of `input` seen under another shape, or None where only a copy will do."""
    if input._view is None:
        return contiguous_strides(wanted)
    shape, strides, _ = geometry(input)
    if math.prod(shape) == 0:
        return strides if wanted == shape else contiguous_strides(wanted)
    result: list[int] = []
    remaining = list(reversed(wanted))
    for size, stride in _runs(shape, strides):
        left = size
        while remaining and (left > 1 or remaining[0] == 1):
            if left % remaining[0]:
                return None
            result.append(stride)
            stride *= remaining[0]
            left //= remaining.pop(0)
        if left != 1:
            return None
    result.extend(1 for _ in remaining)
    return tuple(reversed(result))


def _runs(shape: Shape, strides: Shape) -> list[tuple[int, int]]:
    """Neighbouring dimensions joined where they lie as one; innermost first."""
    runs: list[tuple[int, int]] = []
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size == 1:
            continue
        if runs and stride == runs[-1][0] * runs[-1][1]:
            runs[-1] = (runs[-1][0] * size, runs[-1][1])
        else:
            runs.append((size, stride))
    return runs or [(1, 1)]


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """A view with the shape of `other`."""
    return view(input, *other.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The elements in the shape of `other`."""
    return reshape(input, *other.shape)


def permute(input: Tensor, *order: Any, dims: Any = ()) -> Tensor:
    """The dimensions in another order."""
    shape, strides, offset = geometry(input)
    given = sizes(order or (dims,))
    if len(given) != len(shape):
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {len(shape)} is not "
            f"equal to len(dims) = {len(given)}"
        )
    final = tuple([normalize_dim(dim, len(shape)) for dim in given])
    if len(set(final)) != len(final):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    moved = tuple([strides[dim] for dim in final])
    return make_view(input, ops.permute(input.node, final), moved, offset, ops.permute, final)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged."""
    rank = input.dim()
    first, second = normalize_dim(dim0, rank), normalize_dim(dim1, rank)
    order = list(range(rank))
    if rank:
        order[first], order[second] = second, first
    return permute(input, order)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors and scalars stay as they are."""
    rank = input.dim()
    if rank > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {rank}D")
    return permute(input, range_of(rank)) if rank < 2 else permute(input, (1, 0))


def range_of(rank: int) -> list[int]:
    """0 to rank-1."""
    return list(range(rank))


def reversed_dims(input: Tensor) -> Tensor:
    """`Tensor.T`: all dimensions in the opposite order."""
    return permute(input, range_of(input.dim())[::-1])


def matrix_transpose(input: Tensor) -> Tensor:
    """`Tensor.mT`: the last two dimensions exchanged."""
    if input.dim() < 2:
        raise RuntimeError(
            "tensor.mT is only supported on matrices or batches of matrices. Got "
            f"{input.dim()}-D tensor."
        )
    return transpose(input, -2, -1)


def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged, of real numbers."""
    return matrix_transpose(input)


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions moved to other places; the rest keep their order."""
    rank = input.dim()
    sources = [source] if isinstance(source, int) else list(source)
    places = [destination] if isinstance(destination, int) else list(destination)
    if len(sources) != len(places):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({sources} dims) should contain the same number of dims as destination "
            f"({places} dims)"
        )
    sources = [normalize_dim(dim, rank) for dim in sources]
    places = [normalize_dim(dim, rank) for dim in places]
    if len(set(sources)) != len(sources):
        raise RuntimeError(f"movedim: repeated dim in `source` ({sources})")
    if len(set(places)) != len(places):
        raise RuntimeError(f"movedim: repeated dim in `destination` ({places})")
    others = iter([dim for dim in range(rank) if dim not in sources])
    moved = dict(zip(places, sources, strict=True))
    order = [moved[dim] if dim in moved else next(others) for dim in range(rank)]
    return permute(input, order)


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A new dimension of size 1 at `dim`."""
    shape, strides, offset = geometry(input)
    dim = normalize_dim(dim, len(shape) + 1)
    wanted = (*shape[:dim], 1, *shape[dim:])
    stride = shape[dim] * strides[dim] if dim < len(shape) else 1
    steps = (*strides[:dim], stride, *strides[dim:])
    return make_view(input, ops.reshape(input.node, wanted), steps, offset, ops.reshape, wanted)


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions of size 1, or without those of `dim` that have size 1."""
    shape, strides, offset = geometry(input)
    rank = len(shape)
    given = range(rank) if dim is None else [dim] if isinstance(dim, int) else dim
    dropped = {normalize_dim(one, rank) for one in given}
    kept = [one for one in range(rank) if one not in dropped or shape[one] != 1]
    wanted = tuple([shape[one] for one in kept])
    steps = tuple([strides[one] for one in kept])
    return make_view(input, ops.reshape(input.node, wanted), steps, offset, ops.reshape, wanted)


def expand(input: Tensor, *shape: Any, implicit: bool = False) -> Tensor:
    """Dimensions of size 1 repeated without a copy, and new ones in front; -1 keeps a size."""
    given = sizes(shape)
    own, strides, offset = geometry(input)
    lead = len(given) - len(own)
    if lead < 0:
        raise RuntimeError(
            f"expand(torch.{type(input).__name__}{{{list(own)}}}, size={list(given)}): the number "
            f"of sizes provided ({len(given)}) must be greater or equal to the number of "
            f"dimensions in the tensor ({len(own)})"
        )
    wanted = []
    for dim, size in enumerate(given):
        if size == -1 and dim < lead:
            raise RuntimeError(
                f"The expanded size of the tensor ({size}) isn't allowed in a leading, "
                f"non-existing dimension {dim}"
            )
        wanted.append(own[dim - lead] if size == -1 else size)
    steps = [0] * lead
    for size, stride, target in zip(own, strides, wanted[lead:], strict=True):
        steps.append(0 if size == 1 and target != 1 else stride)
    final = tuple(wanted)
    return make_view(input, ops.expand(input.node, final), tuple(steps), offset, ops.expand, final)


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expanded to the shape of `other`."""
    return expand(input, other.shape)


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Expanded to `size`."""
    return expand(input, tuple(size))


def boxed(node: Node, starts: Shape, steps: Shape, counts: Shape, shape: Shape) -> Node:
    """A strided box of a value, under another shape."""
    if counts != node.spec.shape or any(
        start or step != 1 for start, step in zip(starts, steps, strict=True)
    ):
        node = strided.slice_(node, starts, steps, counts)
    return ops.reshape(node, shape)


def box(
    input: Tensor, starts: Shape, steps: Shape, counts: Shape, kept: Sequence[int | None]
) -> Tensor:
    """A view of a strided box; `kept` lists its dimensions, None for a new one."""
    _, strides, offset = geometry(input)
    offset += sum([start * stride for start, stride in zip(starts, strides, strict=True)])
    shape = tuple([1 if dim is None else counts[dim] for dim in kept])
    by = tuple([1 if dim is None else strides[dim] * steps[dim] for dim in kept])
    node = boxed(input.node, starts, steps, counts, shape)
    return make_view(input, node, by, offset, boxed, starts, steps, counts, shape)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at `index` along `dim`, which is dropped."""
    shape = geometry(input)[0]
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim, index = normalize_dim(dim, len(shape)), int(index)
    if not -shape[dim] <= index < shape[dim]:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(shape)} at dimension "
            f"{dim}"
        )
    starts = tuple([index % shape[dim] if one == dim else 0 for one in range(len(shape))])
    counts = (*shape[:dim], 1, *shape[dim + 1 :])
    kept = [one for one in range(len(shape)) if one != dim]
    return box(input, starts, (1,) * len(shape), counts, kept)


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` elements along `dim` from `start` on."""
    shape = geometry(input)[0]
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    dim, start = normalize_dim(dim, len(shape)), int(start)
    if not -shape[dim] <= start <= shape[dim]:
        raise IndexError(
            f"start out of range (expected to be in range of [{-shape[dim]}, {shape[dim]}], but "
            f"got {start})"
        )
    start = start + shape[dim] if start < 0 else start
    if start + length > shape[dim]:
        raise RuntimeError(
            f"start ({start}) + length ({length}) exceeds dimension size ({shape[dim]})."
        )
    return _along(input, shape, dim, start, length)


def _along(input: Tensor, shape: Shape, dim: int, start: int, length: int) -> Tensor:
    starts = tuple([start if one == dim else 0 for one in range(len(shape))])
    counts = (*shape[:dim], length, *shape[dim + 1 :])
    return box(input, starts, (1,) * len(shape), counts, range(len(shape)))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along `dim`."""
    if not input.dim():
        raise RuntimeError("unbind(): cannot unbind a 0-dim tensor")
    return tuple([select(input, dim, index) for index in range(input.shape[dim])])


def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Pieces along `dim`, of one size (the last may be smaller) or of the given sizes."""
    shape = geometry(tensor)[0]
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = normalize_dim(dim, len(shape))
    if isinstance(split_size_or_sections, int):
        return _split_evenly(tensor, shape, split_size_or_sections, dim)
    sections = list(split_size_or_sections)
    if sum(sections) != shape[dim] or min(sections, default=0) < 0:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {shape[dim]} (input tensor's "
            f"size at dimension {dim}), but got split_sizes={sections}"
        )
    pieces, start = [], 0
    for length in sections:
        pieces.append(_along(tensor, shape, dim, start, length))
        start += length
    return tuple(pieces)


def _split_evenly(tensor: Tensor, shape: Shape, length: int, dim: int) -> tuple[Tensor, ...]:
    total = shape[dim]
    if length < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={length}")
    if length == 0:
        if total:
            raise RuntimeError(
                "split_size can only be 0 if dimension size is 0, but got dimension size of "
                f"{total}"
            )
        return (_along(tensor, shape, dim, 0, 0),)
    starts = range(0, max(total, 1), length)
    return tuple(
        [_along(tensor, shape, dim, start, min(length, total - start)) for start in starts]
    )


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of the given sizes along `dim`."""
    return split(input, split_sizes, dim)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of one size along `dim`; the last may be smaller."""
    if not input.dim():
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks < 1:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    total = input.shape[dim]
    length = -(-total // chunks)
    if length == 0:
        return split(input, [0] * chunks, dim)
    return split(input, length, dim)


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of nearly one size, or cut at the given indices, along `dim`."""
    shape = geometry(input)[0]
    if not shape:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    dim = normalize_dim(dim, len(shape))
    total = shape[dim]
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        count = indices_or_sections
        if count <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {count}")
        small, extra = divmod(total, count)
        cuts = [number * small + min(number, extra) for number in range(count + 1)]
    else:
        inner = [cut + total if cut < 0 else cut for cut in indices_or_sections]
        cuts = [0, *[min(max(cut, 0), total) for cut in inner], total]
    pairs = itertools.pairwise(cuts)
    return tuple([_along(input, shape, dim, low, max(high - low, 0)) for low, high in pairs])


def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along columns."""
    if not input.dim():
        raise RuntimeError(
            "torch.hsplit requires a tensor with at least 1 dimension, but got a tensor with 0 "
            "dimensions!"
        )
    return tensor_split(input, indices_or_sections, 0 if input.dim() == 1 else 1)


def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along rows."""
    return tensor_split(input, indices_or_sections, 0)


def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along the third dimension."""
    return tensor_split(input, indices_or_sections, 2)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` as one."""
    shape = tuple(input.shape)
    first, last = normalize_dim(start_dim, len(shape)), normalize_dim(end_dim, len(shape))
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return reshape(input, (1,))
    if first == last:
        return input
    return reshape(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Dimension `dim` as several, one size of which may be -1."""
    shape = tuple(input.shape)
    dim = normalize_dim(dim, len(shape))
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    inner = list(sizes)
    known = math.prod(size for size in inner if size != -1)
    if -1 in inner and known and shape[dim] % known == 0:
        inner[inner.index(-1)] = shape[dim] // known
    if math.prod(inner) != shape[dim] or -1 in inner:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} "
            f"({shape[dim]}) in the input tensor"
        )
    return view(input, (*shape[:dim], *inner, *shape[dim + 1 :]))


def ravel(input: Tensor) -> Tensor:
    """The elements as a vector."""
    return reshape(input, (-1,))


def _dense(node: Node, shape: Shape, strides: Shape, offset: int) -> Node:
    return strided.as_strided(node, shape, strides, offset)


def _restrided(
    input: Tensor, shape: Shape, picks: Sequence[tuple[int, ...]], lead: Sequence[int]
) -> Tensor:
    """A view along other directions.

    Each direction of the result is a vector of steps in the dimensions of `input` (`picks`); `lead`
    is the position of the first element.
    """
    own, strides, offset = geometry(input)
    dense = contiguous_strides(own)

    def along(steps: Shape) -> Shape:
        return tuple([sum(a * b for a, b in zip(pick, steps, strict=True)) for pick in picks])

    start = sum(a * b for a, b in zip(lead, dense, strict=True))
    offset += sum(a * b for a, b in zip(lead, strides, strict=True))
    arguments = (shape, along(dense), start)
    node = _dense(input.node, *arguments)
    return make_view(input, node, along(strides), offset, _dense, *arguments)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The elements where the indices of `dim1` and `dim2` differ by `offset`, as the last dim."""
    shape = tuple(input.shape)
    rank = len(shape)
    first, second = normalize_dim(dim1, rank), normalize_dim(dim2, rank)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rows, columns = shape[first], shape[second]
    length = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    lead = [0] * rank
    if length:
        lead[first], lead[second] = max(-offset, 0), max(offset, 0)
    others = [dim for dim in range(rank) if dim not in (first, second)]
    picks = [tuple([int(one == dim) for one in range(rank)]) for dim in others]
    picks.append(tuple([int(one in (first, second)) for one in range(rank)]))
    return _restrided(input, (*[shape[dim] for dim in others], length), picks, lead)


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of `size` elements along `dimension`, `step` apart, as a new last dimension."""
    if not input.dim():
        return unfold(unsqueeze(input, 0), dimension, size, step).squeeze(0)
    shape = tuple(input.shape)
    rank = len(shape)
    dim = normalize_dim(dimension, rank)
    if not 0 <= size <= shape[dim]:
        raise RuntimeError(
            f"maximum size for tensor at dimension {dim} is {shape[dim]} but size is {size}"
        )
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    count = (shape[dim] - size) // step + 1
    picks = [
        tuple([(step if dim == one else 1) * int(one == other) for one in range(rank)])
        for other in range(rank)
    ]
    picks.append(tuple([int(one == dim) for one in range(rank)]))
    return _restrided(input, (*shape[:dim], count, *shape[dim + 1 :], size), picks, [0] * rank)


def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A view of the storage with this shape, these strides and this offset."""
    shape, strides = sizes((tuple(size),)), sizes((tuple(stride),))
    if len(shape) != len(strides):
        raise RuntimeError("mismatch in length of strides and shape")
    offset = geometry(input)[2] if storage_offset is None else storage_offset
    whole = input
    while whole._view is not None and whole._view.base is not None:
        whole = whole._view.base
    if whole._view is not None:
        whole = alias(input)
        whole._view = None
    node = strided.as_strided(whole.node, shape, strides, offset)
    return make_view(whole, node, strides, offset, _dense, shape, strides, offset)


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """`input` if its elements lie in row-major order, else a copy for which they do."""
    return input if is_contiguous(input) else clone(input)
