"""What the static shapes of inputs tell of those of results; ValueError where they do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau.tf1.graph import Tensor
from flambeau.tf1.kind import ShapeRule
from flambeau.tf1.shapes import Static, describe, is_known, merged, merged_size

Inputs = Sequence[Tensor]
Attributes = dict[str, Any]


def same(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """That of the first input."""
    return [inputs[0].static]


def scalar(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """No dimensions."""
    return [()]


def unknown(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """Nothing is known."""
    return [None]


def nothing(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """There is no result."""
    return []


def stated(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """The attribute `shape`."""
    return [attributes["shape"]]


def all_same(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """All inputs have one shape."""
    shape: Static = None
    for one in inputs:
        shape = merged(shape, one.static)
    return [shape]


def broadcast(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """The inputs are broadcast against each other."""
    shape: Static = ()
    for one in inputs:
        shape = broadcast_pair(shape, one.static)
    return [shape]


def broadcast_pair(one: Static, other: Static) -> Static:
    """The shape of two broadcast operands."""
    if one is None or other is None:
        return None
    rank = max(len(one), len(other))
    padded = [(1,) * (rank - len(shape)) + shape for shape in (one, other)]
    return tuple([_broadcast_size(a, b) for a, b in zip(*padded, strict=True)])


def _broadcast_size(a: int | None, b: int | None) -> int | None:
    if a == 1 or b == 1:
        return b if a == 1 else a
    if a is None or b is None:
        # A known size other than 1 settles it: the unknown one is the same, or 1.
        return b if a is None else a
    if a != b:
        raise ValueError(f"Dimensions must be equal, but are {a} and {b}")
    return a


def reduced(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """Without the dimensions `axis` (None: all), or with size 1 there if `keepdims`."""
    shape, axis, keep = inputs[0].static, attributes["axis"], attributes["keepdims"]
    if axis is None and not keep:
        return [()]
    if shape is None:
        return [None]
    dims = range(len(shape)) if axis is None else [checked_axis(one, len(shape)) for one in axis]
    found = [
        1 if place in dims else size
        for place, size in enumerate(shape)
        if keep or place not in dims
    ]
    return [tuple(found)]


def checked_axis(axis: int, rank: int) -> int:
    """The axis counted from the front; ValueError if there is none such."""
    if not -rank <= axis < rank:
        raise ValueError(f"Invalid reduction dimension {axis} for input with {rank} dimensions")
    return axis % rank


def without_axis(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """Without the dimension `axis`."""
    shape = inputs[0].static
    if shape is None:
        return [None]
    place = checked_axis(attributes["axis"], len(shape))
    return [shape[:place] + shape[place + 1 :]]


def product(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """A product of (batches of) matrices."""
    one, other = inputs[0].static, inputs[1].static
    if one is None or other is None:
        return [None]
    if len(one) < 2 or len(other) < 2:
        raise ValueError("Shape must be at least rank 2")
    rows, depth = reversed(one[-2:]) if attributes["transpose_a"] else one[-2:]
    other_depth, columns = reversed(other[-2:]) if attributes["transpose_b"] else other[-2:]
    if depth is not None and other_depth is not None and depth != other_depth:
        raise ValueError(f"Dimensions must be equal, but are {depth} and {other_depth}")
    batch = broadcast_pair(one[:-2], other[:-2])
    return [None if batch is None else (*batch, rows, columns)]


def transposed(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """The dimensions in the order `perm` (None: reversed)."""
    shape, order = inputs[0].static, attributes["perm"]
    if shape is None:
        return [None if order is None else (None,) * len(order)]
    if order is None:
        return [shape[::-1]]
    if sorted(order) != list(range(len(shape))):
        raise ValueError(f"perm {list(order)} does not name each of {len(shape)} dimensions once")
    return [tuple([shape[one] for one in order])]


def concatenated(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """All joined along `axis`; the other sizes are equal."""
    shapes = [one.static for one in inputs]
    known = [one for one in shapes if one is not None]
    if not known:
        return [None]
    axis = checked_axis(attributes["axis"], len(known[0]))
    found: Static = None
    for one in known:
        found = merged(found, (*one[:axis], None, *one[axis + 1 :]))
    sizes = [None if one is None else one[axis] for one in shapes]
    total = None if None in sizes else sum(sizes)  # type: ignore[arg-type]
    return [(*found[:axis], total, *found[axis + 1 :])]  # type: ignore[index]


def stacked(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """One dimension more at `axis`."""
    (shape,) = all_same(inputs, attributes)
    if shape is None:
        return [None]
    axis = checked_axis(attributes["axis"], len(shape) + 1)
    return [(*shape[:axis], len(inputs), *shape[axis:])]


def gathered(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """Slices along `axis`, one for each index."""
    values, indices = inputs[0].static, inputs[1].static
    if values is None or indices is None:
        return [None]
    axis = checked_axis(attributes["axis"], len(values))
    return [values[:axis] + indices + values[axis + 1 :]]


def of_value(number: int = 0) -> ShapeRule:
    """The shape that the values of an input give."""

    def rule(inputs: Inputs, attributes: Attributes) -> list[Static]:
        return [shape_from_value(inputs[number])]

    return rule


def resized(inputs: Inputs, attributes: Attributes) -> list[Static]:
    """`reshape`: the second input's values, with one -1 worked out where that can be done."""
    before, after = inputs[0].static, shape_from_value(inputs[1], minus_one=-1)
    if after is None:
        return [None]
    if after.count(-1) > 1:
        raise ValueError(f"reshape cannot infer more than one size, but got {list(after)}")
    known = [one for one in after if one is not None and one != -1]
    rest = int(np.prod(known))
    total = int(np.prod(before)) if is_known(before) else None  # type: ignore[arg-type]
    if None in after or total is None:
        return [tuple([None if one == -1 else one for one in after])]
    if -1 not in after:
        if rest != total:
            raise ValueError(
                f"Cannot reshape a tensor with {total} elements to shape {list(after)} "
                f"({rest} elements)"
            )
        return [after]
    if rest == 0 or total % rest:
        raise ValueError(
            f"Cannot reshape a tensor with {total} elements to shape {list(after)}: {total} is not "
            f"a multiple of {rest}"
        )
    return [tuple([total // rest if one == -1 else one for one in after])]


def shape_from_value(tensor: Tensor, minus_one: int | None = None) -> Static:
    """The shape that a tensor's values will be, as far as that is known when the graph is built."""
    value = constant_value(tensor)
    if value is not None:
        return tuple([minus_one if one == -1 else int(one) for one in np.ravel(value)])
    known = _PARTIAL.get(tensor.op.type)
    if known is not None:
        return known(tensor, minus_one)
    if tensor.static is not None and len(tensor.static) == 1 and tensor.static[0] is not None:
        return (None,) * tensor.static[0]
    return None


def _of_shape(tensor: Tensor, minus_one: int | None) -> Static:
    return tensor.op.inputs[0].static


def _of_pack(tensor: Tensor, minus_one: int | None) -> Static:
    parts = [shape_from_value(one, minus_one) for one in tensor.op.inputs]
    return tuple([one[0] if one else None for one in parts])


def _of_concat(tensor: Tensor, minus_one: int | None) -> Static:
    found: tuple[int | None, ...] = ()
    for one in tensor.op.inputs:
        part = shape_from_value(one, minus_one)
        if part is None:
            return None
        found += part
    return found


def _of_slice(tensor: Tensor, minus_one: int | None) -> Static:
    spec = tensor.op.attributes["spec"]
    whole = shape_from_value(tensor.op.inputs[0], minus_one)
    if whole is not None and len(spec) == 1 and len(tensor.op.inputs) == 1:
        (item,) = spec
        if isinstance(item, slice):
            return whole[item]
        if isinstance(item, int) and -len(whole) <= item < len(whole):
            return (whole[item],)
    return (
        None if tensor.static is None else (None,) * (tensor.static[0] or 1 if tensor.static else 1)
    )


_PARTIAL: dict[str, Callable[[Tensor, int | None], Static]] = {
    "Shape": _of_shape,
    "Pack": _of_pack,
    "ConcatV2": _of_concat,
    "StridedSlice": _of_slice,
    "Cast": lambda tensor, minus_one: shape_from_value(tensor.op.inputs[0], minus_one),
}


def constant_value(tensor: Tensor) -> np.ndarray | None:
    """The value, if it is the same in every run and cheap to know; None otherwise.

    >>> import flambeau.tf1 as tf
    >>> constant_value(tf.shape(tf.zeros([2, 3])))
    array([2, 3], dtype=int32)
    """
    operation = tensor.op
    if operation.type == "Const":
        value: np.ndarray = operation.attributes["value"]
        return value
    if operation.type == "Shape" and is_known(operation.inputs[0].static):
        return np.array(operation.inputs[0].static, tensor.dtype.numpy)
    if operation.type == "Size" and is_known(operation.inputs[0].static):
        return np.array(np.prod(operation.inputs[0].static), tensor.dtype.numpy)  # type: ignore[arg-type]
    if operation.type == "Rank" and operation.inputs[0].static is not None:
        return np.array(len(operation.inputs[0].static), np.int32)
    if operation.type == "Pack":
        parts = [constant_value(one) for one in operation.inputs]
        if all(one is not None for one in parts):
            return np.stack(parts, operation.attributes["axis"])  # type: ignore[arg-type]
    return None


def sizes_merged(one: Static, other: Static, place: int, name: str) -> int | None:
    """One dimension's size as two shapes know it; ValueError that names the shapes."""
    try:
        return merged_size(
            None if one is None else one[place], None if other is None else other[place]
        )
    except ValueError:
        raise ValueError(f"{name}: shapes {describe(one)} and {describe(other)} differ") from None
