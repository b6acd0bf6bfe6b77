"""Making, reshaping, joining and taking apart tensors."""

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
    constant,
    convert_to_tensor,
    integers,
    known_integer,
    known_integers,
    operation,
    packed,
)
from flambeau.tf1.dtypes import DType, as_dtype
from flambeau.tf1.elementwise import cast, less
from flambeau.tf1.evaluation import Evaluation
from flambeau.tf1.graph import Operation, Tensor, as_tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import Static, TensorShape
from flambeau.tf1.values import tensor_of

Inputs = Sequence[Tensor]
Attributes = dict[str, Any]


def sizes_of(array: np.ndarray) -> tuple[int, ...]:
    """The values of a static input as a shape."""
    return tuple([int(one) for one in np.ravel(array)])


# ---------------------------------------------------------------------- what a tensor is

_IDENTITY = Kind("Identity", shape_rules.same, lambda x: x)
_STOP_GRADIENT = Kind("StopGradient", shape_rules.same, lambda x: x.detach(), differentiable=False)


def identity(input: Any, name: str | None = None) -> Tensor:
    """The same value, as the result of an operation of its own."""
    return apply(_IDENTITY, convert_to_tensor(input), name=name)


def stop_gradient(input: Any, name: str | None = None) -> Tensor:
    """The same value, which gradients do not pass."""
    return apply(_STOP_GRADIENT, convert_to_tensor(input), name=name)


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor that has the value of `input` unless it is fed."""
    made = apply(_WITH_DEFAULT, convert_to_tensor(input), name=name)
    made.static = TensorShape(shape).static
    return made


_WITH_DEFAULT = Kind("PlaceholderWithDefault", shape_rules.same, lambda x: x)


def _measured(evaluation: Evaluation, asked: Operation) -> list[Value]:
    result = asked.outputs[0]
    return [tensor_of(evaluation.static(result), result.dtype)]


def _rank_of(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known = inputs[0].static
    return [(None,) if known is None else (len(known),)]


_SHAPE = Kind("Shape", _rank_of, in_session=_measured, differentiable=False)
_SIZE = Kind("Size", shape_rules.scalar, in_session=_measured, differentiable=False)
_RANK = Kind("Rank", shape_rules.scalar, in_session=_measured, differentiable=False)


def shape(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Tensor:
    """The sizes of the dimensions, as a tensor: known in each run, even where not before."""
    return apply(_SHAPE, convert_to_tensor(input), name=name, dtype=as_dtype(out_type))


def size(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Tensor:
    """The number of elements."""
    return apply(_SIZE, convert_to_tensor(input), name=name, dtype=as_dtype(out_type))


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of dimensions."""
    return apply(_RANK, convert_to_tensor(input), name=name, dtype=dtypes.int32)


# ---------------------------------------------------------------------- making

_FILL = Kind(
    "Fill",
    shape_rules.of_value(),
    lambda dims, value: value.expand(sizes_of(dims)) if sizes_of(dims) else value,
    static=(0,),
)


def _filled(dims: np.ndarray, value: float, dtype: DType) -> Value:
    return ft.full(sizes_of(dims), value, dtype=dtype.native)


_FULL = Kind("Fill", shape_rules.of_value(), _filled, static=(0,), differentiable=False)


def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    """A tensor of shape `dims`, all elements `value`."""
    element = convert_to_tensor(value)
    return apply(_FILL, integers(dims), element, name=name, dtype=element.dtype)


def _constant_tensor(shape: Any, value: float, dtype: Any, name: str) -> Tensor:
    kind = as_dtype(dtype)
    number = bool(value) if kind.is_bool else int(value) if kind.is_integer else value
    attributes = {"value": number, "dtype": kind}
    return operation(_FULL, [integers(shape)], [kind], attributes, name).outputs[0]


def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """A tensor of zeros.

    >>> zeros([2, 3]).shape.as_list()
    [2, 3]
    """
    return _constant_tensor(shape, 0.0, dtype, name or "zeros")


def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """A tensor of ones."""
    return _constant_tensor(shape, 1.0, dtype, name or "ones")


def _alike(x: Value, value: float, dtype: DType) -> Value:
    return ft.full_like(x, value, dtype=dtype.native)


_ZEROS_LIKE = Kind("ZerosLike", shape_rules.same, _alike, differentiable=False)
_ONES_LIKE = Kind("OnesLike", shape_rules.same, _alike, differentiable=False)


def zeros_like(
    tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True
) -> Tensor:
    """Zeros in the shape of `tensor`."""
    return _like(_ZEROS_LIKE, 0, tensor, dtype, name)


def ones_like(
    tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True
) -> Tensor:
    """Ones in the shape of `tensor`."""
    return _like(_ONES_LIKE, 1, tensor, dtype, name)


def _like(kind: Kind, value: int, tensor: Any, dtype: Any, name: str | None) -> Tensor:
    source = convert_to_tensor(tensor)
    result = source.dtype if dtype is None else as_dtype(dtype)
    number = bool(value) if result.is_bool else value
    attributes = {"value": number, "dtype": result}
    return operation(kind, [source], [result], attributes, name).outputs[0]


def _range(start: np.ndarray, limit: np.ndarray, delta: np.ndarray, dtype: DType) -> Value:
    numbers = np.arange(start.item(), limit.item(), delta.item())
    return tensor_of(numbers.astype(dtype.numpy), dtype)


def _range_shape(inputs: Inputs, attributes: Attributes) -> list[Static]:
    values = [shape_rules.constant_value(one) for one in inputs]
    if any(one is None for one in values):
        return [(None,)]
    start, limit, delta = (one.item() for one in values if one is not None)
    return [(max(0, int(np.ceil((limit - start) / delta))),)]


_RANGE = Kind("Range", _range_shape, _range, static=(0, 1, 2), differentiable=False)


def range_(
    start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range"
) -> Tensor:
    """The numbers from `start` to before `limit` in steps of `delta`; `range_(limit)` is from 0.

    >>> import flambeau.tf1 as tf
    >>> with tf.Session() as session:
    ...     session.run(tf.range(3))
    array([0, 1, 2], dtype=int32)
    """
    if limit is None:
        start, limit = 0, start
    ends = [convert_to_tensor(one) for one in (start, limit, delta)]
    order = [dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64]
    kind = (
        as_dtype(dtype) if dtype is not None else max([one.dtype for one in ends], key=order.index)
    )
    return operation(_RANGE, ends, [kind], {"dtype": kind}, name).outputs[0]


def linspace(start: Any, stop: Any, num: Any, name: str | None = None) -> Tensor:
    """`num` numbers from `start` to `stop`, evenly spaced."""
    first, last = alike("LinSpace", start, stop)
    count = known_integer(num, "num")
    return apply(_LINSPACE, first, last, name=name, count=count)


def _linspace(start: Value, stop: Value, count: int) -> Value:
    steps = tensor_of(np.arange(count), dtypes.of_native(start.dtype))
    return start + (stop - start) * steps / max(1, count - 1)


_LINSPACE = Kind("LinSpace", lambda inputs, attributes: [(attributes["count"],)], _linspace)


def _one_hot(indices: Value, depth: np.ndarray, on: Value, off: Value, axis: int) -> Value:
    count = int(depth)
    place = axis % (indices.dim() + 1)
    classes = tensor_of(np.arange(count), dtypes.int64)
    wide = classes.reshape(*[count if one == place else 1 for one in range(indices.dim() + 1)])
    return ft.where(indices.long().unsqueeze(place) == wide, on, off)


def _one_hot_shape(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known, depth = inputs[0].static, shape_rules.constant_value(inputs[1])
    if known is None:
        return [None]
    place = attributes["axis"] % (len(known) + 1)
    return [(*known[:place], None if depth is None else int(depth), *known[place:])]


_ONE_HOT = Kind("OneHot", _one_hot_shape, _one_hot, static=(1,))


def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """`on_value` (1) at each index along a new dimension of size `depth`, else `off_value` (0).

    >>> import flambeau.tf1 as tf
    >>> with tf.Session() as session:
    ...     session.run(tf.one_hot([0, 2], 3))
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    kind = None if dtype is None else as_dtype(dtype)
    for given in (on_value, off_value):
        tensor = as_tensor(given)
        kind = kind or (None if given is None else (tensor or convert_to_tensor(given)).dtype)
    kind = kind or dtypes.float32
    on = convert_to_tensor(1 if on_value is None else on_value, kind)
    off = convert_to_tensor(0 if off_value is None else off_value, kind)
    attributes = {"axis": -1 if axis is None else axis}
    inputs = [convert_to_tensor(indices), convert_to_tensor(depth), on, off]
    return operation(_ONE_HOT, inputs, [kind], attributes, name).outputs[0]


def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """The identity matrix."""
    rows = known_integer(num_rows, "num_rows")
    columns = rows if num_columns is None else known_integer(num_columns, "num_columns")
    batch = known_integers(batch_shape, "batch_shape") or ()
    values = np.broadcast_to(np.eye(rows, columns), (*batch, rows, columns))
    return constant(values.astype(as_dtype(dtype).numpy), dtype, name=name or "eye")


# ---------------------------------------------------------------------- the same elements

_RESHAPE = Kind(
    "Reshape", shape_rules.resized, lambda x, dims: ft.reshape(x, sizes_of(dims)), static=(1,)
)


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """The elements in another shape, of which one size may be -1: what fits."""
    return apply(_RESHAPE, convert_to_tensor(tensor), integers(shape), name=name)


_TRANSPOSE = Kind(
    "Transpose",
    shape_rules.transposed,
    lambda x, perm: ft.permute(x, tuple(range(x.dim()))[::-1] if perm is None else perm),
)


def transpose(a: Any, perm: Any = None, name: str | None = None, conjugate: bool = False) -> Tensor:
    """The dimensions in the order `perm` (default: reversed)."""
    return apply(_TRANSPOSE, convert_to_tensor(a), name=name, perm=known_integers(perm, "perm"))


def matrix_transpose(a: Any, name: str | None = None) -> Tensor:
    """The last two dimensions exchanged."""
    tensor = convert_to_tensor(a)
    if tensor.static is None:
        raise ValueError(f"matrix_transpose: the number of dimensions of {tensor} is not known")
    order = list(range(len(tensor.static)))
    return transpose(tensor, [*order[:-2], order[-1], order[-2]], name)


def _expanded(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known = inputs[0].static
    if known is None:
        return [None]
    place = shape_rules.checked_axis(attributes["axis"], len(known) + 1)
    return [(*known[:place], 1, *known[place:])]


_EXPAND = Kind("ExpandDims", _expanded, lambda x, axis: x.unsqueeze(axis))


def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """A new dimension of size 1 at `axis`."""
    place = known_integer(dim if axis is None else axis, "axis")
    return apply(_EXPAND, convert_to_tensor(input), name=name, axis=place)


def _squeezed(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known, axis = inputs[0].static, attributes["axis"]
    if known is None or (axis is None and None in known):
        return [None]
    if axis is None:
        return [tuple([one for one in known if one != 1])]
    places = [shape_rules.checked_axis(one, len(known)) for one in axis]
    for one in places:
        if known[one] not in (1, None):
            raise ValueError(
                f"Can not squeeze dim[{one}], expected a dimension of 1, got {known[one]}"
            )
    return [tuple([one for place, one in enumerate(known) if place not in places])]


def _squeeze(x: Value, axis: tuple[int, ...] | None) -> Value:
    sizes = tuple(x.shape)
    places = [place for place, one in enumerate(sizes) if one == 1]
    if axis is not None:
        places = [one % len(sizes) for one in axis]
    return ft.reshape(x, tuple([one for place, one in enumerate(sizes) if place not in places]))


_SQUEEZE = Kind("Squeeze", _squeezed, _squeeze)


def squeeze(
    input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None
) -> Tensor:
    """Without the dimensions of size 1: those in `axis`, or all."""
    places = known_integers(squeeze_dims if axis is None else axis, "axis") or None
    return apply(_SQUEEZE, convert_to_tensor(input), name=name, axis=places)


_BROADCAST_TO = Kind(
    "BroadcastTo", shape_rules.of_value(1), lambda x, dims: x.expand(sizes_of(dims)), static=(1,)
)


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """The tensor repeated into `shape` where its sizes are 1."""
    return apply(_BROADCAST_TO, convert_to_tensor(input), integers(shape), name=name)


_REVERSE = Kind("ReverseV2", shape_rules.same, lambda x, axis: ft.flip(x, axis) if axis else x)


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """The elements in the opposite order along these dimensions."""
    return apply(_REVERSE, convert_to_tensor(tensor), name=name, axis=known_integers(axis, "axis"))


# ---------------------------------------------------------------------- joining and repeating

_CONCAT = Kind("ConcatV2", shape_rules.concatenated, lambda *values, axis: ft.cat(values, axis))


def concat(values: Any, axis: Any, name: str = "concat") -> Tensor:
    """The tensors one after the other along `axis`.

    >>> import flambeau.tf1 as tf
    >>> tf.concat([tf.zeros([2, 3]), tf.zeros([4, 3])], 0).shape.as_list()
    [6, 3]
    """
    many = values if isinstance(values, (list, tuple)) else [values]
    if isinstance(axis, (list, tuple)) or (as_tensor(axis) is None and not np.isscalar(axis)):
        raise TypeError(f"concat: the axis is the second argument, got {axis!r}")
    tensors = alike("ConcatV2", *many)
    attributes = {"axis": known_integer(axis, "axis")}
    return operation(_CONCAT, tensors, [tensors[0].dtype], attributes, name).outputs[0]


def stack(values: Any, axis: int = 0, name: str = "stack") -> Tensor:
    """Tensors of one shape as the slices of a new dimension at `axis`."""
    if not isinstance(values, (list, tuple)):
        return convert_to_tensor(values)
    return packed(values, None, name, axis)


def _unstacked(x: Value, axis: int, count: int) -> Any:
    return ft.unbind(x, axis)


def _unstack_shapes(inputs: Inputs, attributes: Attributes) -> list[Static]:
    (one,) = shape_rules.without_axis(inputs, attributes)
    return [one] * attributes["count"]


_UNSTACK = Kind("Unpack", _unstack_shapes, _unstacked)


def unstack(
    value: Any, num: int | None = None, axis: int = 0, name: str = "unstack"
) -> list[Tensor]:
    """The slices along `axis`; ValueError if their number (or `num`) is not known."""
    tensor = convert_to_tensor(value)
    if num is None and tensor.static is not None:
        num = tensor.static[shape_rules.checked_axis(axis, len(tensor.static))]
    if num is None:
        raise ValueError(f"Cannot infer num from shape {tensor.shape}")
    attributes = {"axis": axis, "count": num}
    return operation(_UNSTACK, [tensor], [tensor.dtype] * num, attributes, name).outputs


def _split(x: Value, axis: int, sizes: tuple[int, ...]) -> Any:
    if -1 in sizes:
        rest = x.shape[axis] - sum(sizes) - 1
        sizes = tuple([rest if one == -1 else one for one in sizes])
    return ft.split(x, list(sizes), axis)


def _split_evenly(x: Value, axis: int, count: int) -> Any:
    if x.shape[axis] % count:
        raise ValueError(f"a dimension of size {x.shape[axis]} cannot be split into {count} parts")
    return ft.split(x, max(1, x.shape[axis] // count), axis)


def _even_shapes(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known, count = inputs[0].static, attributes["count"]
    if known is None:
        return [None] * count
    place = shape_rules.checked_axis(attributes["axis"], len(known))
    whole = known[place]
    if whole is not None and whole % count:
        raise ValueError(f"Dimension size must be evenly divisible by {count} but is {whole}")
    part = None if whole is None else whole // count
    return [(*known[:place], part, *known[place + 1 :])] * count


def _sized_shapes(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known, sizes = inputs[0].static, attributes["sizes"]
    if known is None:
        return [None] * len(sizes)
    place = shape_rules.checked_axis(attributes["axis"], len(known))
    whole = known[place]
    rest = None if whole is None else whole - sum(sizes) - 1
    return [(*known[:place], rest if one == -1 else one, *known[place + 1 :]) for one in sizes]


_SPLIT = Kind("Split", _even_shapes, _split_evenly)
_SPLIT_V = Kind("SplitV", _sized_shapes, _split)


def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str = "split"
) -> list[Tensor]:
    """The tensor in so many equal parts, or in parts of these sizes, along `axis`."""
    tensor, place = convert_to_tensor(value), known_integer(axis, "axis")
    if isinstance(num_or_size_splits, int):
        count = num_or_size_splits
        named = {"axis": place, "count": count}
        return operation(_SPLIT, [tensor], [tensor.dtype] * count, named, name).outputs
    sizes = known_integers(num_or_size_splits, "num_or_size_splits") or ()
    attributes = {"axis": place, "sizes": sizes}
    return operation(_SPLIT_V, [tensor], [tensor.dtype] * len(sizes), attributes, name).outputs


def _tiled(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known, counts = inputs[0].static, shape_rules.shape_from_value(inputs[1])
    if known is None or counts is None:
        return [None if known is None else (None,) * len(known)]
    if len(known) != len(counts):
        raise ValueError(f"multiples {list(counts)} must have one number for each dimension")
    pairs = zip(known, counts, strict=True)
    return [tuple([None if a is None or b is None else a * b for a, b in pairs])]


_TILE = Kind("Tile", _tiled, lambda x, counts: x.repeat(*sizes_of(counts)), static=(1,))


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """The tensor repeated `multiples` times along each dimension."""
    return apply(_TILE, convert_to_tensor(input), integers(multiples), name=name)


def _padded(inputs: Inputs, attributes: Attributes) -> list[Static]:
    known, added = inputs[0].static, shape_rules.constant_value(inputs[1])
    if known is None or added is None:
        return [None if known is None else (None,) * len(known)]
    pairs = zip(known, added.tolist(), strict=True)
    return [tuple([None if one is None else one + sum(ends) for one, ends in pairs])]


def _pad(x: Value, paddings: np.ndarray, mode: str, value: float) -> Value:
    if mode == "CONSTANT":
        ends = [int(one) for pair in paddings[::-1] for one in pair]
        return ft.constant_pad_nd(x, ends, value)
    # The inner positions of each dimension, mirrored at the ends as NumPy does it.
    for dim, (before, after) in enumerate(paddings.tolist()):
        places = np.pad(np.arange(x.shape[dim]), (before, after), mode=mode.lower())  # type: ignore[call-overload]
        x = ft.index_select(x, dim, tensor_of(places, dtypes.int64))
    return x


_PAD = Kind("Pad", _padded, _pad, static=(1,))


def pad(
    tensor: Any,
    paddings: Any,
    mode: str = "CONSTANT",
    name: str | None = None,
    constant_values: float = 0,
) -> Tensor:
    """More elements before and after along each dimension: constant, REFLECT or SYMMETRIC ones."""
    mode = mode.upper()
    if mode not in ("CONSTANT", "REFLECT", "SYMMETRIC"):
        raise ValueError(f"Unknown padding mode: {mode}")
    inputs = [convert_to_tensor(tensor), integers(paddings)]
    return apply(_PAD, *inputs, name=name, mode=mode, value=constant_values)


def meshgrid(*args: Any, indexing: str = "xy", name: str | None = None) -> list[Tensor]:
    """The coordinates of a grid, one tensor for each of the vectors."""
    vectors = alike("Meshgrid", *args)
    order = list(range(len(vectors)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = [1, 0]
    counts = stack([size(vectors[place]) for place in order])
    found = []
    for number, vector in enumerate(vectors):
        where = order.index(number)
        wide = reshape(vector, [-1 if place == where else 1 for place in range(len(vectors))])
        found.append(broadcast_to(wide, counts))
    return found


def sequence_mask(
    lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool, name: str | None = None
) -> Tensor:
    """True in the first `lengths[i]` of `maxlen` places."""
    rows = convert_to_tensor(lengths)
    if maxlen is None:
        raise ValueError("sequence_mask: give maxlen; the longest length is not known beforehand")
    places = cast(range_(maxlen), rows.dtype)
    return cast(less(places, expand_dims(rows, -1)), dtype)
