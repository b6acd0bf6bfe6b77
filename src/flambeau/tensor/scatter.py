"""Reading and writing at index tensors along one dimension, and through masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau.autograd.aliases import HISTORY
from flambeau.core import dtypes
from flambeau.core.shapes import Shape, broadcast, normalize_dim
from flambeau.graph.node import Node
from flambeau.graph.op import DETACH
from flambeau.graph.recording import record, scalar
from flambeau.ops import algebra, extrema
from flambeau.ops.arithmetic import floor_div
from flambeau.ops.comparison import eq
from flambeau.ops.indexing import check_range, index, index_put, places_along, wrap_index
from flambeau.ops.indexing import gather as gather_op
from flambeau.ops.scan import cumsum
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import expand, full, iota, reshape
from flambeau.ops.sorting import argsort
from flambeau.ops.strided import slice_
from flambeau.tensor.cloning import distinct
from flambeau.tensor.promotion import plain
from flambeau.tensor.results import finish
from flambeau.tensor.tensor import Tensor, wrap

Places = tuple[Node, ...]


def check_index(op: str, index: Tensor) -> Node:
    """The index as int64; RuntimeError in PyTorch's words for other types."""
    if index.dtype not in (dtypes.int64, dtypes.int32) and index.node.spec.numel:
        raise RuntimeError(f"{op}(): Expected dtype int64 for index")
    return cast(index.node, dtypes.int64)


def _at_least_one_dim(node: Node) -> Node:
    return node if node.spec.shape else reshape(node, (1,))


def _check_sizes(op: str, node: Node, dim: int, at: Node, other: Node | None) -> None:
    if len(at.spec.shape) != len(node.spec.shape):
        raise RuntimeError(
            f"{op}: Index tensor must have the same number of dimensions as "
            f"{'input' if op == 'gather' else 'self'} tensor"
        )
    for one, size in enumerate(at.spec.shape):
        if one != dim and size > node.spec.shape[one]:
            raise RuntimeError(
                f"Size does not match at dimension {one} expected index {list(at.spec.shape)} to "
                f"be no larger than self {list(node.spec.shape)} apart from dimension {dim}"
            )
        if other is not None and size > other.spec.shape[one]:
            raise RuntimeError(
                f"Expected index {list(at.spec.shape)} to be no larger than self "
                f"{list(node.spec.shape)} apart from dimension {dim} and to be no larger size than "
                f"src {list(other.spec.shape)}"
            )


def gather(
    input: Tensor,
    dim: int,
    index: Tensor,
    *,
    sparse_grad: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """`out[i][j] = input[index[i][j]][j]` for dim = 0, and so on.

    >>> import flambeau
    >>> flambeau.gather(flambeau.tensor([[1, 2], [3, 4]]), 1, flambeau.tensor([[0], [1]]))
    tensor([[1],
            [4]])
    """
    return finish(_gathered_anywhere(input, dim, index, check_range), out)


def _gathered_anywhere(
    input: Tensor, dim: int, index: Tensor, check: Callable[[Node, int], Node]
) -> Node:
    positions = check_index("gather", index)
    shape = positions.spec.shape
    node, positions = _at_least_one_dim(input.node), _at_least_one_dim(positions)
    dim = normalize_dim(dim, len(node.spec.shape))
    if positions.spec.numel:
        _check_sizes("gather", node, dim, positions, None)
        found = gather_op(node, check(positions, node.spec.shape[dim]), dim)
    else:
        found = slice_(reshape(node, (node.spec.numel,)), (0,), (1,), (0,))
    return reshape(found, shape)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with the other dimensions broadcast; on the flattened input without `dim`."""
    if dim is None:
        flat = wrap(reshape(input.node, (input.node.spec.numel,)))
        everything = wrap(reshape(indices.node, (indices.node.spec.numel,)))
        return wrap(_gathered_anywhere(flat, 0, everything, wrap_index))
    rank = len(input.shape)
    dim = normalize_dim(dim, rank)
    own, other = tuple(input.shape), tuple(indices.shape)
    if rank != len(other):
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {rank} dimensions for input, and {len(other)} dimensions for indices"
        )
    common = broadcast(
        [(*own[:dim], 1, *own[dim + 1 :]), (*other[:dim], 1, *other[dim + 1 :])], "take_along_dim"
    )
    node = expand(input.node, (*common[:dim], own[dim], *common[dim + 1 :]))
    at = expand(indices.node, (*common[:dim], other[dim], *common[dim + 1 :]))
    values, places = wrap(distinct(node, input.node)), wrap(distinct(at, indices.node))
    return wrap(_gathered_anywhere(values, dim, places, wrap_index))


def _scatter_operands(
    op: str, input: Tensor, dim: int, index: Tensor, src: Any
) -> tuple[Node, int, Places, Node]:
    """The value to write to, the dimension, the places, and what to write there."""
    node, at = _at_least_one_dim(input.node), _at_least_one_dim(check_index(op, index))
    dim = normalize_dim(dim, len(node.spec.shape))
    if isinstance(src, Tensor):
        if src.dtype is not input.dtype:
            raise RuntimeError(f"{op}(): Expected self.dtype to be equal to src.dtype")
        values = _at_least_one_dim(src.node)
        if at.spec.numel:
            _check_sizes(op, node, dim, at, values)
        rank = len(at.spec.shape)
        if values.spec.shape != at.spec.shape:
            values = slice_(values, (0,) * rank, (1,) * rank, at.spec.shape)
    else:
        if at.spec.numel:
            _check_sizes(op, node, dim, at, None)
        values = full(at.spec.shape, plain(src, node.dtype), node.dtype)
    places = places_along(check_range(at, node.spec.shape[dim]), dim) if at.spec.numel else ()
    return node, dim, places, values


def _put(node: Node, values: Node, places: Places, accumulate: bool) -> Node:
    if not places:
        return node
    return index_put(node, values, places, tuple(range(len(places))), accumulate)


def scatter_node(input: Tensor, dim: int, index: Tensor, src: Any, reduce: str | None) -> Node:
    """The value of `scatter`."""
    node, _, places, values = _scatter_operands("scatter", input, dim, index, src)
    if reduce is None:
        result = _put(node, values, places, False)
    elif reduce == "add":
        result = _put(node, values, places, True)
    elif reduce == "multiply":
        result = _product_at(node, places, values, normalize_dim(dim, len(node.spec.shape)))
    else:
        raise RuntimeError("reduce argument must be either add or multiply.")
    return distinct(reshape(result, tuple(input.shape)), input.node)


def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    *,
    value: Any = None,
    reduce: str | None = None,
) -> Tensor:
    """`input` with `src` (or a number) written at `index` along `dim`.

    >>> import flambeau
    >>> flambeau.zeros(3).scatter(0, flambeau.tensor([2]), 5.0)
    tensor([0., 0., 5.])
    """
    return wrap(scatter_node(input, dim, index, value if src is None else src, reduce))


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """`input` with `src` added at `index` along `dim`."""
    return wrap(scatter_node(input, dim, index, src, "add"))


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`src` combined into `input` at `index` by 'sum', 'prod', 'mean', 'amax' or 'amin'."""
    node, dim, places, values = _scatter_operands("scatter_reduce", input, dim, index, src)
    if not places:
        return wrap(distinct(reshape(node, tuple(input.shape)), input.node))
    result = _combined(node, places, values, dim, reduce, include_self)
    return wrap(reshape(result, tuple(input.shape)))


def _combined(
    node: Node, places: Places, values: Node, dim: int, reduce: str, include_self: bool
) -> Node:
    ones = full(values.spec.shape, 1, node.dtype)
    counts = _put(full(node.spec.shape, 0, node.dtype), ones, places, True)
    touched = cast(counts, dtypes.bool)
    if reduce in ("amax", "amin"):
        return _extreme_at(node, places, values, touched, reduce == "amax", include_self)
    if reduce not in ("sum", "mean", "prod"):
        raise RuntimeError(
            "reduce argument must be either sum, prod, mean, amax or amin, got " + reduce
        )
    neutral = scalar(1 if reduce == "prod" else 0, node.dtype)
    start = node if include_self else where(touched, neutral, node)
    if reduce == "prod":
        return _product_at(start, places, values, dim)
    total = _put(start, values, places, True)
    if reduce == "sum":
        return total
    one = scalar(1, node.dtype)
    divisor = algebra.add(counts, one) if include_self else where(touched, counts, one)
    if node.dtype.is_floating_point:
        return algebra.div(total, divisor)
    return floor_div(total, divisor)


def _product_at(node: Node, places: Places, values: Node, dim: int) -> Node:
    """Products, one step along `dim` after the other: within a step no two places coincide."""
    shape = values.spec.shape
    rank = len(shape)
    steps, counts = (1,) * rank, (*shape[:dim], 1, *shape[dim + 1 :])
    dims = tuple(range(rank))
    for number in range(shape[dim]):
        starts = tuple([number if one == dim else 0 for one in range(rank)])
        here = tuple([slice_(place, starts, steps, counts) for place in places])
        factor = slice_(values, starts, steps, counts)
        node = index_put(node, algebra.mul(index(node, here, dims), factor), here, dims, False)
    return node


def _extreme_at(
    node: Node, places: Places, values: Node, touched: Node, largest: bool, include_self: bool
) -> Node:
    """Extremes: the values are written in order, so that the last one written is the extreme."""
    cut = [record(DETACH, (one,)) if one.requires_grad else one for one in (node, values)]
    count = values.spec.numel
    flat = reshape(cut[1], (count,))
    order = argsort(flat, not largest)
    sorted_places = tuple([index(reshape(place, (count,)), (order,), (0,)) for place in places])
    best = index_put(
        cut[0], index(flat, (order,), (0,)), sorted_places, tuple(range(len(places))), False
    )
    if include_self:
        best = (extrema.maximum if largest else extrema.minimum)(cut[0], best)
    if not (node.requires_grad or values.requires_grad):
        return best
    # The gradient goes in equal parts to all that attain the extreme.
    kind, dims = node.dtype, tuple(range(len(places)))
    chosen = eq(values, index(best, places, dims))
    own = eq(node, best) if include_self else _opposite(touched)
    ties = _put(cast(own, kind), cast(chosen, kind), places, True)
    share = algebra.div(algebra.mul(node, cast(own, kind)), ties)
    part = algebra.div(algebra.mul(values, cast(chosen, kind)), index(ties, places, dims))
    traced = _put(share, part, places, True)
    return record(HISTORY, (best, traced))


def _opposite(mask: Node) -> Node:
    """The opposite of a mask."""
    return eq(mask, scalar(False, dtypes.bool))


def index_select(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The slices of `input` at the positions of a vector, along `dim`.

    >>> import flambeau
    >>> flambeau.index_select(flambeau.tensor([5, 6, 7]), 0, flambeau.tensor([2, 0]))
    tensor([7, 5])
    """
    node, dim, positions = _vector_index("index_select", input, dim, index)
    found = take_node(node, positions, dim)
    if not input.dim():
        found = reshape(found, ())
    return finish(found, out)


def take_node(node: Node, positions: Node, dim: int) -> Node:
    """The slices at checked positions along `dim`."""
    return index(node, (positions,), (dim,))


def _vector_index(op: str, input: Tensor, dim: int, at: Tensor) -> tuple[Node, int, Node]:
    if at.dim() > 1:
        raise IndexError(f"{op}(): Index is supposed to be a vector")
    positions = _at_least_one_dim(check_index(op, at))
    node = _at_least_one_dim(input.node)
    dim = normalize_dim(dim, len(node.spec.shape))
    check = wrap_index if op == "index_fill" else check_range
    return node, dim, check(positions, node.spec.shape[dim])


def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1
) -> Tensor:
    """`input` with slices of `source` times `alpha` added at `index` along `dim`."""
    node, dim, positions = _vector_index("index_add", input, dim, index)
    values = _slices("index_add", node, dim, positions, source)
    if alpha != 1:
        values = algebra.mul(values, scalar(plain(alpha, values.dtype), values.dtype))
    result = index_put(node, values, (positions,), (dim,), True)
    return wrap(reshape(result, tuple(input.shape)))


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """`input` with slices of `source` written at `index` along `dim`."""
    node, dim, positions = _vector_index("index_copy", input, dim, index)
    values = _slices("index_copy", node, dim, positions, source)
    result = index_put(node, values, (positions,), (dim,), False)
    return wrap(reshape(result, tuple(input.shape)))


def _slices(op: str, node: Node, dim: int, positions: Node, source: Tensor) -> Node:
    if source.dtype is not node.dtype:
        raise RuntimeError(
            f"{op}(): self and source expected to have the same dtype, but got (self) "
            f"{node.dtype} and (source) {source.dtype}"
        )
    shape = node.spec.shape
    wanted = (*shape[:dim], positions.spec.shape[0], *shape[dim + 1 :])
    values = source.node
    if not values.spec.shape:
        values = reshape(values, (1,) * len(wanted))
    if values.spec.shape != wanted:
        raise RuntimeError(
            f"{op}(): Source/destination tensor must have same slice shapes. Destination slice "
            f"shape: {list(wanted)} at dimension {dim} and source slice shape: "
            f"{list(values.spec.shape)} at dimension 0."
        )
    return values


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """`input` with a number written in the slices at `index` along `dim`."""
    node, dim, positions = _vector_index("index_fill", input, dim, index)
    size = node.spec.shape[dim]
    marks = full(positions.spec.shape, True, dtypes.bool)
    chosen = index_put(full((size,), False, dtypes.bool), marks, (positions,), (0,), False)
    along = tuple([size if one == dim else 1 for one in range(len(node.spec.shape))])
    result = where(reshape(chosen, along), _number(value, node), node)
    return wrap(reshape(result, tuple(input.shape)))


def _number(value: Any, node: Node) -> Node:
    if isinstance(value, Tensor):
        if value.dim():
            raise RuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.dim()} dimension(s)."
            )
        return cast(value.node, node.dtype)
    return scalar(plain(value, node.dtype), node.dtype)


def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """Slices of `source` combined into `input` by 'prod', 'mean', 'amax' or 'amin'."""
    node, dim, positions = _vector_index("index_reduce", input, dim, index)
    values = _slices("index_reduce", node, dim, positions, source)
    along = tuple([-1 if one == dim else 1 for one in range(len(values.spec.shape))])
    along = tuple([values.spec.shape[dim] if size == -1 else 1 for size in along])
    everywhere = expand(reshape(positions, along), values.spec.shape)
    places = places_along(everywhere, dim)
    result = _combined(node, places, values, dim, reduce, include_self)
    return wrap(reshape(result, tuple(input.shape)))


def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements of the flattened `input` at `index`."""
    positions = wrap_index(check_index("take", index), input.node.spec.numel)
    flat = reshape(input.node, (input.node.spec.numel,))
    return wrap(take_node(flat, positions, 0))


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """`input` with `source` written, or added, at positions of the flattened tensor."""
    node = input.node
    count = index.node.spec.numel
    if source.node.spec.numel != count:
        raise RuntimeError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source.node.spec.numel}, index.numel() = {count}"
        )
    positions = wrap_index(reshape(check_index("put_", index), (count,)), node.spec.numel)
    flat = reshape(node, (node.spec.numel,))
    values = reshape(source.node, (count,))
    result = index_put(flat, values, (positions,), (0,), accumulate)
    return wrap(reshape(result, node.spec.shape))


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`value` where the mask holds, `input` elsewhere."""
    if mask.dtype is not dtypes.bool:
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    node = input.node
    if isinstance(value, Tensor):
        if value.dim():
            raise RuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.dim()} dimension(s)."
            )
        number = cast(value.node, node.dtype)
    else:
        if isinstance(value, float) and not node.dtype.is_floating_point and value % 1:
            raise RuntimeError("value cannot be converted to type int64_t without overflow")
        number = scalar(plain(value, node.dtype), node.dtype)
    return wrap(where(mask.node, number, node))


def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements where the mask holds, as a vector; looks at the mask to count them."""
    if mask.dtype is not dtypes.bool:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    shape = broadcast([tuple(input.shape), tuple(mask.shape)], "masked_select")
    flat = reshape(expand(input.node, shape), (_count(shape),))
    positions = positions_that_hold(reshape(expand(mask.node, shape), (_count(shape),)))
    return finish(take_node(flat, positions, 0), out)


def _count(shape: Shape) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def positions_that_hold(mask: Node) -> Node:
    """Where a vector of bools is true, in order; the number of them is looked up."""
    count = mask.spec.numel
    if not count:
        return iota(0)
    so_far = cumsum(cast(mask, dtypes.int64), 0)
    total = int(wrap(slice_(so_far, (count - 1,), (1,), (1,))))
    # Each true one writes its position in its place; the others write behind the end.
    place = where(mask, algebra.sub(so_far, scalar(1, dtypes.int64)), scalar(total, dtypes.int64))
    room = full((total + 1,), 0, dtypes.int64)
    return slice_(index_put(room, iota(count), (place,), (0,), False), (0,), (1,), (total,))


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """`input` with the first elements of `source` written where the mask holds."""
    if source.dtype is not input.dtype:
        raise RuntimeError(
            f"masked_scatter: expected self and source to have same dtypes but got {input.dtype} "
            f"and {source.dtype}"
        )
    shape = broadcast([tuple(input.shape), tuple(mask.shape)], "masked_scatter")
    holds = expand(mask.node, shape)
    count, available = _count(shape), source.node.spec.numel
    node = expand(input.node, shape)
    if not count:
        return wrap(distinct(node, input.node))
    numbers = cumsum(reshape(cast(holds, dtypes.int64), (count,)), 0)
    numbers = algebra.sub(numbers, scalar(1, dtypes.int64))
    wanted = where(reshape(holds, (count,)), numbers, scalar(0, dtypes.int64))
    if not available:
        return wrap(where(holds, scalar(0, node.dtype), node))
    values = take_node(reshape(source.node, (available,)), wrap_index(wanted, available), 0)
    return wrap(where(holds, reshape(values, shape), node))
