"""Parts of tensors: slices, gathered rows, and choices by a condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau import tensor as ft
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tf1 import dtypes, shape_rules
from flambeau.tf1.building import (
    alike,
    apply,
    convert_to_tensor,
    integers,
    known_integer,
    operation,
)
from flambeau.tf1.graph import Tensor, as_tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import Dimension, Static
from flambeau.tf1.values import array_of, tensor_of

Inputs = Sequence[Tensor]
Attributes = dict[str, Any]


class Given(int):
    """In a specification of slices: the number of the operand that holds the value."""


# ---------------------------------------------------------------------- strided slices


def getitem(self: Any, key: Any) -> Tensor:
    """`tensor[1, :, ::-1, None, ..., index]`; numbers may be integer tensors."""
    tensor = convert_to_tensor(self)
    items = key if isinstance(key, tuple) else (key,)
    operands: list[Tensor] = [tensor]
    static: list[int] = []
    spec: list[Any] = []
    for item in items:
        if isinstance(item, slice):
            ends = (item.start, item.stop, item.step)
            spec.append(slice(*[_number(one, operands, static) for one in ends]))
        elif item is None or item is Ellipsis:
            spec.append(item)
        else:
            spec.append(_number(item, operands, None))
    attributes = {"spec": tuple(spec), "static": tuple(static)}
    return operation(_STRIDED_SLICE, operands, [tensor.dtype], attributes, "strided_slice").outputs[
        0
    ]


def _number(value: Any, operands: list[Tensor], static: list[int] | None) -> Any:
    """A number of a specification; a tensor becomes an operand, static where it is a bound."""
    if value is None or isinstance(value, (int, np.integer)):
        if isinstance(value, (bool, np.bool_)):
            raise TypeError("a tensor is indexed by numbers, slices, `...` and None, got a bool")
        return None if value is None else int(value)
    tensor = as_tensor(value)
    if isinstance(value, Dimension):
        return value.value
    if tensor is None or not tensor.dtype.is_integer or tensor.static not in ((), None):
        raise TypeError(
            f"a tensor is indexed by numbers, slices, `...` and None, got {value!r}; see tf.gather "
            "and tf.boolean_mask"
        )
    known = shape_rules.constant_value(tensor)
    if known is not None:
        return int(known)
    operands.append(tensor)
    if static is not None:
        static.append(len(operands) - 1)
    return Given(len(operands) - 1)


def _spelled_out(spec: Sequence[Any], rank: int) -> list[Any]:
    """The specification with whole slices in place of `...` and of what is left out."""
    named = sum(one is not None and one is not Ellipsis for one in spec)
    if named > rank:
        raise ValueError(f"Index out of range using input dim {rank}; input has only {rank} dims")
    rest = [slice(None)] * (rank - named)
    if Ellipsis in spec:
        place = list(spec).index(Ellipsis)
        return [*spec[:place], *rest, *spec[place + 1 :]]
    return [*spec, *rest]


def _strided_slice(x: Value, *numbers: Any, spec: Sequence[Any]) -> Value:
    dim = 0
    for item in _spelled_out(spec, x.dim()):
        if item is None:
            x, dim = x.unsqueeze(dim), dim + 1
        elif isinstance(item, Given):
            index = numbers[item - 1].reshape(1).long()
            x = ft.index_select(x, dim, index).squeeze(dim)
        elif isinstance(item, int):
            x = ft.select(x, dim, item)
        else:
            ends = [
                int(numbers[one - 1]) if isinstance(one, Given) else one
                for one in (item.start, item.stop, item.step)
            ]
            x, dim = _sliced(x, dim, slice(*ends)), dim + 1
    return x


def _sliced(x: Value, dim: int, item: slice) -> Value:
    length = x.shape[dim]
    start, stop, step = item.indices(length)
    count = len(range(start, stop, step))
    if (start, count, step) == (0, length, 1):
        return x
    if step < 0:
        x = ft.flip(x, (dim,))
        start, step = length - 1 - start, -step
    key = (slice(None),) * dim + (slice(start, start + (count - 1) * step + 1, step),)
    return x[key] if count else ft.narrow(x, dim, 0, 0)


def _slice_shape(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known = inputs[0].static
    if known is None:
        return [None]
    found: list[int | None] = []
    sizes = iter(known)
    for item in _spelled_out(attributes["spec"], len(known)):
        if item is None:
            found.append(1)
            continue
        size = next(sizes)
        if isinstance(item, slice):
            found.append(_slice_length(item, size))
        elif not isinstance(item, Given) and size is not None and not -size <= item < size:
            raise ValueError(f"slice index {item} of dimension with size {size} out of bounds")
    return [tuple(found)]


def _slice_length(item: slice, size: int | None) -> int | None:
    ends = (item.start, item.stop, item.step)
    if any(isinstance(one, Given) for one in ends):
        return None
    if size is not None:
        return len(range(*item.indices(size)))
    return None


_STRIDED_SLICE = Kind("StridedSlice", _slice_shape, _strided_slice)


def strided_slice(
    input_: Any, begin: Any, end: Any, strides: Any = None, name: str | None = None, **masks: Any
) -> Tensor:
    """The elements from `begin` to before `end` in steps of `strides`, along each dimension."""
    if masks:
        raise NotImplementedError(f"strided_slice: {', '.join(masks)}; index the tensor instead")
    ends = [list(one) for one in (begin, end, strides if strides is not None else [1] * len(begin))]
    return getitem(input_, tuple([slice(*one) for one in zip(*ends, strict=True)]))


def _part_shape(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known = inputs[0].static
    begin, size = (shape_rules.constant_value(one) for one in inputs[1:])
    if known is None or begin is None or size is None:
        return [None if known is None else (None,) * len(known)]
    rows = zip(known, begin.tolist(), size.tolist(), strict=True)
    found = []
    for whole, start, count in rows:
        found.append(count if count != -1 else None if whole is None else whole - start)
        if whole is not None and start + max(count, 0) > whole:
            raise ValueError(f"a slice of {count} from {start} leaves a dimension of size {whole}")
    return [tuple(found)]


def _part(x: Value, begin: np.ndarray, size: np.ndarray) -> Value:
    for dim, (start, count) in enumerate(zip(begin.tolist(), size.tolist(), strict=True)):
        x = ft.narrow(x, dim, start, x.shape[dim] - start if count == -1 else count)
    return x


_SLICE = Kind("Slice", _part_shape, _part, static=(1, 2))


def slice_(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """`size` elements from `begin` on along each dimension; -1 means all that are left."""
    return apply(_SLICE, convert_to_tensor(input_), integers(begin), integers(size), name=name)


# ---------------------------------------------------------------------- gathering


def _gather(x: Value, indices: Value, axis: int) -> Value:
    place = axis % x.dim()
    rows = ft.index_select(x, place, indices.reshape(-1).long())
    return ft.reshape(rows, (*x.shape[:place], *indices.shape, *x.shape[place + 1 :]))


_GATHER = Kind("GatherV2", shape_rules.gathered, _gather)


def gather(
    params: Any,
    indices: Any,
    validate_indices: bool | None = None,
    name: str | None = None,
    axis: Any = 0,
    batch_dims: int = 0,
) -> Tensor:
    """The slices of `params` along `axis` that `indices` name.

    >>> import flambeau.tf1 as tf
    >>> with tf.Session() as session:
    ...     session.run(tf.gather([10, 20, 30], [2, 0]))
    array([30, 10], dtype=int32)
    """
    if batch_dims:
        raise NotImplementedError("gather: batch_dims other than 0 are not supported")
    inputs = [convert_to_tensor(params), convert_to_tensor(indices)]
    return apply(_GATHER, *inputs, name=name, axis=known_integer(axis, "axis"))


def _gather_nd(x: Value, indices: Value) -> Value:
    places = indices.long()
    return x[tuple([places[..., one] for one in range(indices.shape[-1])])]


def _gathered_nd(inputs: Inputs, attributes: Attributes) -> list[Static]:
    values, indices = inputs[0].static, inputs[1].static
    if values is None or indices is None or indices[-1] is None:
        return [None]
    return [(*indices[:-1], *values[indices[-1] :])]


_GATHER_ND = Kind("GatherNd", _gathered_nd, _gather_nd)


def gather_nd(params: Any, indices: Any, name: str | None = None, batch_dims: int = 0) -> Tensor:
    """The elements (or slices) of `params` at the positions in the last dimension of `indices`."""
    return apply(_GATHER_ND, convert_to_tensor(params), convert_to_tensor(indices), name=name)


def _scatter_nd(indices: Value, updates: Value, dims: np.ndarray) -> Value:
    places = indices.long()
    at = tuple([places[..., one] for one in range(indices.shape[-1])])
    empty = ft.zeros(tuple(int(one) for one in dims), dtype=updates.dtype)
    return empty.index_put(at, updates, accumulate=True)


_SCATTER_ND = Kind("ScatterNd", shape_rules.of_value(2), _scatter_nd, static=(2,))


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    """Zeros of `shape` with `updates` added at the positions `indices`."""
    values = convert_to_tensor(updates)
    inputs = [convert_to_tensor(indices), values, integers(shape)]
    return apply(_SCATTER_ND, *inputs, name=name, dtype=values.dtype)


def _segment_sum(x: Value, segments: Value, count: np.ndarray) -> Value:
    rank = segments.dim()
    empty = ft.zeros((int(count), *x.shape[rank:]), dtype=x.dtype)
    return empty.index_put((segments.long(),), x, accumulate=True)


def _segment_shape(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known, segments, count = (
        inputs[0].static,
        inputs[1].static,
        shape_rules.constant_value(inputs[2]),
    )
    if known is None or segments is None:
        return [None]
    return [(None if count is None else int(count), *known[len(segments) :])]


_SEGMENT_SUM = Kind("UnsortedSegmentSum", _segment_shape, _segment_sum, static=(2,))


def unsorted_segment_sum(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Tensor:
    """The sums of the rows of each segment."""
    inputs = [convert_to_tensor(one) for one in (data, segment_ids, num_segments)]
    return apply(_SEGMENT_SUM, *inputs, name=name)


# ---------------------------------------------------------------------- choosing


def _select(condition: Value, x: Value, y: Value) -> Value:
    if condition.dim() == 1 and x.dim() > 1:
        condition = condition.reshape(-1, *[1] * (x.dim() - 1))
    return ft.where(condition, x, y)


def _selected(inputs: Inputs, attributes: Attributes) -> list[Static]:
    return shape_rules.all_same(inputs[1:], attributes)


def _positions(condition: Value) -> Value:
    return ft.nonzero(condition)


def _positions_shape(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known = inputs[0].static
    return [(None, None if known is None else len(known))]


SELECT = Kind("Select", _selected, _select)
_WHERE = Kind("Where", _positions_shape, _positions, differentiable=False)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """x where the condition is true, else y; without them, the positions (int64) that are true."""
    chosen = convert_to_tensor(condition)
    if x is None and y is None:
        return apply(_WHERE, chosen, name=name, dtype=dtypes.int64)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    one, other = alike("Select", x, y)
    return apply(SELECT, chosen, one, other, name=name, dtype=one.dtype)


def _masked(x: Value, mask: Value) -> Value:
    return x[mask]


def _masked_shape(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known, mask = inputs[0].static, inputs[1].static
    return [None if known is None or mask is None else (None, *known[len(mask) :])]


_BOOLEAN_MASK = Kind("BooleanMask", _masked_shape, _masked)


def boolean_mask(
    tensor: Any, mask: Any, name: str | None = "boolean_mask", axis: int = 0
) -> Tensor:
    """The slices of `tensor` where `mask` is true."""
    if axis:
        raise NotImplementedError("boolean_mask: an axis other than 0 is not supported")
    inputs = [convert_to_tensor(tensor), convert_to_tensor(mask)]
    return apply(_BOOLEAN_MASK, *inputs, name=name)


def _unique(x: Value, result: Any) -> tuple[Value, Value]:
    """In the order of first appearance, which `unique` of NumPy and PyTorch is not."""
    array = np.asarray(array_of(x))
    _, first, inverse = np.unique(array, return_index=True, return_inverse=True)
    ranks = np.argsort(np.argsort(first))
    kind = dtypes.of_native(x.dtype)
    return tensor_of(array[np.sort(first)], kind), tensor_of(ranks[inverse], result)


_UNIQUE = Kind(
    "Unique",
    lambda inputs, attributes: [(None,), inputs[0].static],
    _unique,
    differentiable=False,
)


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The different elements in order of appearance, and for each element which one it is."""
    tensor = convert_to_tensor(x)
    attributes = {"result": out_idx}
    values, places = operation(_UNIQUE, [tensor], [tensor.dtype, out_idx], attributes, name).outputs
    return values, places
