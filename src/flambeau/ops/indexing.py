"""Reading and writing at positions that are themselves values.

`wrap_index` checks positions at run time, in a step of its own that runs before any step that uses
them, so a bad one stops the plan before anything is read out of bounds or written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph import faults
from flambeau.graph.index import ZERO, Coordinates, Index, linearize
from flambeau.graph.lowering import Expressions, Reader, StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import INPUTS, Elementwise, ErrorSample, Sample, Template, View
from flambeau.graph.recording import record, scalar
from flambeau.ops.algebra import add
from flambeau.ops.shape import expand, iota, pad, reshape, zeros


class WrapIndex(Elementwise):
    """An int64 position with negative ones counted from the end; IndexError out of range.

    The range is from `lowest`, which is `-size` or 0, up to `size`.
    """

    name = "wrap_index"
    parameters = ("size", "lowest")
    differentiable = False
    checks = True

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        if inputs[0].dtype is not dtypes.int64:
            raise IndexError(
                "tensors used as indices must be long, int, byte or bool tensors, received "
                f"{inputs[0].dtype}"
            )
        return inputs[0].shape, dtypes.int64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        positions, size = arrays[0], parameters["size"]
        wrong = positions[(positions < parameters["lowest"]) | (positions >= size)]
        if wrong.size:
            raise faults.exception(faults.INDEX, int(wrong.flat[0]), size)
        return np.where(positions < 0, positions + size, positions)

    def lower(self, e: Expressions, *values: int, **parameters: Any) -> int:
        size, (given,) = parameters["size"], values
        bound, zero = e.constant(size, dtypes.int64), e.constant(0, dtypes.int64)
        if parameters["lowest"] == 0:
            low, high = e.compare("lt", given, zero), e.compare("ge", given, bound)
            e.fail_if(e.call("or", low, high), faults.INDEX, given, bound)
            return given
        wrapped = e.select(e.compare("lt", given, zero), e.call("add", given, bound), given)
        low, high = e.compare("lt", wrapped, zero), e.compare("ge", wrapped, bound)
        e.fail_if(e.call("or", low, high), faults.INDEX, given, bound)
        return wrapped

    def samples(self) -> Iterable[Sample]:
        for positions, lowest in (([0, -1, 2, -3], -3), ([0, 2, 1], 0)):
            parameters = {"size": 3, "lowest": lowest}
            yield Sample((np.array(positions),), parameters, differentiable=False)

    def error_samples(self) -> Iterable[ErrorSample]:
        for position, lowest in ((3, -3), (-4, -3), (3, 0), (-1, 0)):
            parameters = {"size": 3, "lowest": lowest}
            yield ErrorSample((np.array([0, position]),), IndexError, "out of bounds", parameters)


class IndexOp(View):
    """Advanced indexing: the index values replace the dimensions `dims` of x.

    Where `dims` are neighbours the indices' shape stands in their place, else in front.
    Positions must have gone through `wrap_index`.
    """

    name = "index"
    parameters = ("dims",)
    reads, inputs_read = INPUTS, slice(1, None)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        x, *indices = inputs
        place, rest = _layout(x.shape, parameters["dims"])
        return (*rest[:place], *indices[0].shape, *rest[place:]), x.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        x, *indices = arrays
        key: list[Any] = [slice(None)] * x.ndim
        for dim, one in zip(parameters["dims"], indices, strict=True):
            key[dim] = one
        return np.asarray(x[tuple(key)])

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        x, *indices = node.inputs
        return reader.value(x, _target(reader, node, x.shape, tuple(indices), at))

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        x, *indices = node.inputs
        back = index_put(zeros(x.shape, grad.dtype), grad, tuple(indices), parameters["dims"], True)
        return (back, *[None] * len(indices))

    def samples(self) -> Iterable[Sample]:
        x = np.arange(24.0).reshape(2, 3, 4)
        yield Sample((x, np.array([1, 0, 1])), {"dims": (0,)})
        yield Sample((x, np.array([[1, 0], [2, 2]]), np.array([[3, 0], [1, 1]])), {"dims": (1, 2)})
        yield Sample((x, np.array([1, 0]), np.array([3, 0])), {"dims": (0, 2)})
        yield Sample((x, np.array([], dtype=np.int64)), {"dims": (1,)})


class Gather(View):
    """x at `positions` along `dim`; the other coordinates are the element's own.

    Positions have as many dimensions as x, none but `dim` longer, and have gone through
    `wrap_index`.
    """

    name = "gather"
    parameters = ("dim",)
    reads, inputs_read = INPUTS, slice(1, 2)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        x, positions = inputs
        return positions.shape, x.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        x, positions = arrays
        places: list[np.ndarray] = list(np.indices(positions.shape, sparse=True))
        places[parameters["dim"]] = positions
        return np.asarray(x[tuple(places)])

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        (x, positions), dim = node.inputs, node.attributes[0]
        return reader.value(x, (*at[:dim], reader.dynamic(positions, at), *at[dim + 1 :]))

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        (x, positions), dim = node.inputs, parameters["dim"]
        if positions.shape[dim] != 1:
            places, dims = places_along(positions, dim), tuple(range(len(x.shape)))
            return index_put(zeros(x.shape, grad.dtype), grad, places, dims, True), None
        # As the sum would, 0 + -0 makes 0.
        back = place(add(grad, scalar(0, grad.dtype)), positions, dim, x.shape[dim])
        if back.shape != x.shape:
            longer = tuple([size - own for size, own in zip(x.shape, back.shape, strict=True)])
            back = pad(back, scalar(0, grad.dtype), (0,) * len(longer), longer)
        return back, None

    def samples(self) -> Iterable[Sample]:
        x = np.arange(24.0).reshape(2, 3, 4)
        yield Sample((x, np.array([[[3, 0], [1, 1], [2, 3]]])), {"dim": 2})
        yield Sample((x, np.array([[[1, 0, 1], [0, 1, 1]]])), {"dim": 0})
        yield Sample((x, np.array([[[2, 0, 1, 2]], [[1, 1, 0, 0]]])), {"dim": 1})
        yield Sample((x[0, 0], np.array([2, 2, 0])), {"dim": 0})
        yield Sample((x, np.zeros((2, 0, 4), np.int64)), {"dim": 1})


class Place(View):
    """`size` elements along `dim`: that of `value` at its position, `fill` elsewhere.

    The opposite of `gather` with one position along `dim`. As a view it is not stored: whatever
    reads it compares coordinates with positions.
    """

    name = "place"
    parameters = ("dim", "size")
    reads, inputs_read = INPUTS, slice(1, 2)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        value, dim = inputs[0], parameters["dim"]
        return (*value.shape[:dim], parameters["size"], *value.shape[dim + 1 :]), value.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        (value, positions, fill), dim, size = arrays, parameters["dim"], parameters["size"]
        along = [size if one == dim else 1 for one in range(value.ndim)]
        return np.where(np.arange(size).reshape(along) == positions, value, fill)

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        (value, positions, fill), dim = node.inputs, node.attributes[0]
        own = (*at[:dim], ZERO, *at[dim + 1 :])
        distance = at[dim] + reader.dynamic(positions, own) * -1
        # Outside of the guard, so that it is computed once and not in each place.
        element = reader.value(value, own)
        return reader.where_inside([(distance, 1)], lambda: element, fill)

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        return gather(grad, node.inputs[1], parameters["dim"]), None, None

    def samples(self) -> Iterable[Sample]:
        fill = np.array(7.5)
        rows, columns = np.array([[2], [0]]), np.array([[0, 2, 1]])
        yield Sample((np.array([[1.5], [-2.0]]), rows, fill), {"dim": 1, "size": 3})
        yield Sample((np.array([[1.5, -2.0, 0.5]]), columns, fill), {"dim": 0, "size": 4})
        values, positions = np.arange(6.0).reshape(2, 1, 3), np.arange(6).reshape(2, 1, 3)
        yield Sample((values, positions, fill), {"dim": 1, "size": 6})
        yield Sample((np.array([4.0]), np.array([70]), fill), {"dim": 0, "size": 100})
        yield Sample((np.zeros((0, 1)), np.zeros((0, 1), np.int64), fill), {"dim": 1, "size": 3})


class IndexPut(Template):
    """x with `value` written (or added) at the indexed positions, in row-major order."""

    name = "index_put"
    inlines = True
    parameters = ("dims", "accumulate")
    reads, inputs_read = INPUTS, slice(2, None)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        x, value, *indices = inputs
        place, rest = _layout(x.shape, parameters["dims"])
        shape = (*rest[:place], *indices[0].shape, *rest[place:])
        if value.shape != shape:
            raise RuntimeError(
                f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast "
                f"to indexing result of shape {list(shape)}"
            )
        return x.shape, x.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        x, value, *indices = arrays
        key: list[Any] = [slice(None)] * x.ndim
        for dim, one in zip(parameters["dims"], indices, strict=True):
            key[dim] = one
        result = np.array(x)
        if parameters["accumulate"]:
            np.add.at(result, tuple(key), value)
        else:
            result[tuple(key)] = value
        return result

    def steps(self, builder: StepBuilder, node: Node) -> None:
        x, value, *indices = node.inputs
        builder.store(x, node, lambda _, at: linearize(at, x.shape))
        accumulate = node.attributes[1]

        def place(reader: Reader, at: Coordinates) -> Index:
            return linearize(_target(reader, node, node.shape, tuple(indices), at), node.shape)

        # In order, as later writes win and sums of floats depend on it.
        builder.store(value, node, place, serial=True, accumulate=accumulate)

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        _, value, *indices = node.inputs
        dims = parameters["dims"]
        to_value = index(grad, tuple(indices), dims)
        if parameters["accumulate"]:
            to_x = grad
        else:
            to_x = index_put(grad, zeros(value.shape, grad.dtype), tuple(indices), dims, False)
        return (to_x, to_value, *[None] * len(indices))

    def samples(self) -> Iterable[Sample]:
        x = np.arange(24.0).reshape(2, 3, 4)
        rows, columns = np.array([1, 0]), np.array([3, 0])
        blocks, pairs = -np.arange(16.0).reshape(2, 2, 4), -np.arange(6.0).reshape(2, 3)
        for accumulate in (False, True):
            how = {"accumulate": accumulate}
            yield Sample((x, blocks, np.array([2, 0])), {"dims": (1,), **how})
            yield Sample((x, pairs, rows, columns), {"dims": (0, 2), **how})
        again = np.array([1, 1, 0, 1])
        yield Sample((x[0], np.ones((4, 4)), again), {"dims": (0,), "accumulate": True})


def _layout(shape: Shape, dims: tuple[int, ...]) -> tuple[int, Shape]:
    """Where the indices' shape goes among the other dimensions, and the sizes of those."""
    rest = tuple([size for dim, size in enumerate(shape) if dim not in dims])
    together = dims == tuple(range(dims[0], dims[0] + len(dims)))
    return (dims[0] if together else 0), rest


def _target(
    reader: Reader, node: Node, shape: Shape, indices: tuple[Node, ...], at: Coordinates
) -> Coordinates:
    """The coordinates in a value of `shape` of the indexed element at `at`."""
    dims = node.attributes[0]
    place, _ = _layout(shape, dims)
    rank = len(indices[0].shape)
    here, others = at[place : place + rank], [*at[:place], *at[place + rank :]]
    found = dict(zip(dims, [reader.dynamic(one, here) for one in indices], strict=True))
    return tuple([found[dim] if dim in found else others.pop(0) for dim in range(len(shape))])


WRAP_INDEX, INDEX, INDEX_PUT = WrapIndex(), IndexOp(), IndexPut()
GATHER, PLACE = Gather(), Place()


def wrap_index(positions: Node, size: int) -> Node:
    """int64 positions checked against `size`, negative ones counted from the end."""
    return record(WRAP_INDEX, (positions,), (size, -size))


def check_range(positions: Node, size: int) -> Node:
    """int64 positions checked to be from 0 up to `size`."""
    return record(WRAP_INDEX, (positions,), (size, 0))


def index(x: Node, indices: tuple[Node, ...], dims: tuple[int, ...]) -> Node:
    """`x` at checked positions along `dims`."""
    return record(INDEX, (x, *indices), (dims,))


def gather(x: Node, positions: Node, dim: int) -> Node:
    """`x` at checked positions along `dim`, the other coordinates being the element's own."""
    return record(GATHER, (x, positions), (dim,))


def place(value: Node, positions: Node, dim: int, size: int) -> Node:
    """Zeros, `size` of them along `dim`, but for the element of `value` at its position."""
    return record(PLACE, (value, positions, scalar(0, value.dtype)), (dim, size))


def places_along(positions: Node, dim: int) -> tuple[Node, ...]:
    """Indices of all dimensions that differ from the element's own along `dim` only."""
    shape = positions.spec.shape
    return tuple([positions if one == dim else _counting(shape, one) for one in range(len(shape))])


def _counting(shape: Shape, dim: int) -> Node:
    """0, 1, 2, ... along `dim` in every place of `shape`."""
    along = tuple([size if one == dim else 1 for one, size in enumerate(shape)])
    return expand(reshape(iota(shape[dim]), along), shape)


def index_put(
    x: Node, value: Node, indices: tuple[Node, ...], dims: tuple[int, ...], accumulate: bool
) -> Node:
    """`x` with `value` written or added at checked positions along `dims`."""
    return record(INDEX_PUT, (x, value, *indices), (dims, accumulate))
