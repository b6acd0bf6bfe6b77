"""Boxes, strides and joins: index maps whose adjoint writes into a larger value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape, contiguous_strides
from flambeau.graph.index import Coordinates, Index, linearize
from flambeau.graph.lowering import Reader, StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import NOTHING, Sample, Template, View
from flambeau.graph.recording import record, scalar
from flambeau.ops.indexing import index_put
from flambeau.ops.shape import iota, pad, reshape, zeros


def _ramp(*shape: int) -> np.ndarray:
    return (np.arange(math.prod(shape)) - 3.0).reshape(shape)


class Slice(View):
    """`sizes[d]` elements from `starts[d]` on, `steps[d]` apart; steps may be negative."""

    name = "slice"
    parameters = ("starts", "steps", "sizes")

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return parameters["sizes"], inputs[0].dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        x = arrays[0]
        triples = zip(parameters["starts"], parameters["steps"], parameters["sizes"], strict=True)
        for dim, (start, step, size) in enumerate(triples):
            x = np.take(x, start + step * np.arange(size), axis=dim)
        return x

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        starts, steps, _ = node.attributes
        inner = [one * step + start for one, start, step in zip(at, starts, steps, strict=True)]
        return reader.value(node.inputs[0], tuple(inner))

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        shape, starts, steps = node.inputs[0].shape, parameters["starts"], parameters["steps"]
        sizes = parameters["sizes"]
        if all(step == 1 for step in steps):
            triples = zip(shape, starts, sizes, strict=True)
            after = tuple([whole - start - size for whole, start, size in triples])
            return (pad(grad, scalar(0, grad.dtype), starts, after),)
        strides = contiguous_strides(shape)
        offset = sum(start * by for start, by in zip(starts, strides, strict=True))
        by = tuple([step * stride for step, stride in zip(steps, strides, strict=True)])
        return (as_strided_scatter(zeros(shape, grad.dtype), grad, by, offset),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((_ramp(4, 5),), {"starts": (1, 0), "steps": (1, 2), "sizes": (2, 3)})
        yield Sample((_ramp(4, 5),), {"starts": (3, 1), "steps": (-1, 1), "sizes": (4, 2)})
        yield Sample((_ramp(4, 5),), {"starts": (1, 1), "steps": (1, 1), "sizes": (0, 4)})


class AsStrided(View):
    """Element `offset + sum(i * stride)` of `x` in row-major order."""

    name = "as_strided"
    parameters = ("shape", "strides", "offset")

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        (x,), shape = inputs, parameters["shape"]
        _check_reach("as_strided", x, shape, parameters["strides"], parameters["offset"])
        return shape, x.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        flat = np.ascontiguousarray(arrays[0]).reshape(-1)
        return flat[_positions(parameters["shape"], parameters["strides"], parameters["offset"])]

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        _, strides, offset = node.attributes
        position = Index(offset)
        for one, stride in zip(at, strides, strict=True):
            position = position + one * stride
        return reader.linear(node.inputs[0], position)

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        x = node.inputs[0]
        shape, strides, offset = parameters["shape"], parameters["strides"], parameters["offset"]
        if not overlaps(shape, strides):
            return (as_strided_scatter(zeros(x.shape, grad.dtype), grad, strides, offset),)
        count = math.prod(x.shape)
        where = as_strided(iota(count), shape, strides, offset)
        flat = index_put(zeros((count,), grad.dtype), grad, (where,), (0,), True)
        return (reshape(flat, x.shape),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((_ramp(4, 5),), {"shape": (3, 2), "strides": (5, 2), "offset": 1})
        yield Sample((_ramp(10),), {"shape": (4, 3), "strides": (2, 1), "offset": 1})


class AsStridedScatter(Template):
    """`base` with `value` written where `as_strided(base, ...)` would read."""

    name = "as_strided_scatter"
    inlines = True
    parameters = ("strides", "offset")
    reads = NOTHING

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        base, value = inputs
        _check_reach(
            "as_strided_scatter", base, value.shape, parameters["strides"], parameters["offset"]
        )
        return base.shape, base.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        base, value = arrays
        result = np.array(base).reshape(-1)
        where = _positions(value.shape, parameters["strides"], parameters["offset"])
        result[where] = value
        return result.reshape(base.shape)

    def steps(self, builder: StepBuilder, node: Node) -> None:
        base, value = node.inputs
        strides, offset = node.attributes
        builder.store(base, node, lambda _, at: linearize(at, base.shape))

        def place(_: Reader, at: Coordinates) -> Index:
            position = Index(offset)
            for one, stride in zip(at, strides, strict=True):
                position = position + one * stride
            return position

        builder.store(value, node, place)

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        value = node.inputs[1]
        strides, offset = parameters["strides"], parameters["offset"]
        outside = as_strided_scatter(grad, zeros(value.shape, grad.dtype), strides, offset)
        return outside, as_strided(grad, value.shape, strides, offset)

    def samples(self) -> Iterable[Sample]:
        yield Sample((_ramp(4, 5), _ramp(3, 2)), {"strides": (5, 2), "offset": 1})
        yield Sample((_ramp(6), _ramp(6)), {"strides": (-1,), "offset": 5})


class Concatenate(Template):
    """The inputs one after another along `dim`."""

    name = "cat"
    inlines = True
    parameters = ("dim",)
    reads = NOTHING

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        dim, first = parameters["dim"], inputs[0]
        for number, one in enumerate(inputs):
            if _without(one.shape, dim) != _without(first.shape, dim):
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected sizes like "
                    f"{list(first.shape)} but got {list(one.shape)} for tensor number {number} "
                    "in the list."
                )
        total = sum(one.shape[dim] for one in inputs)
        return (*first.shape[:dim], total, *first.shape[dim + 1 :]), first.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return np.concatenate(arrays, axis=parameters["dim"])

    def steps(self, builder: StepBuilder, node: Node) -> None:
        dim = node.attributes[0]
        stride = contiguous_strides(node.shape)[dim]
        start = 0
        for one in node.inputs:
            offset = start * stride
            if one.spec.numel:
                builder.store(one, node, _shifted(node.shape, offset))
            start += one.shape[dim]

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        dim, start, result = parameters["dim"], 0, []
        ones = (1,) * len(node.shape)
        for one in node.inputs:
            starts = tuple([start if d == dim else 0 for d in range(len(node.shape))])
            result.append(slice_(grad, starts, ones, one.shape))
            start += one.shape[dim]
        return tuple(result)

    def samples(self) -> Iterable[Sample]:
        yield Sample((_ramp(2, 3), _ramp(2, 1), _ramp(2, 4)), {"dim": 1})
        yield Sample((_ramp(2, 3), _ramp(0, 3)), {"dim": 0})


def _shifted(shape: Shape, offset: int) -> Callable[[Reader, Coordinates], Index]:
    return lambda _, at: linearize(at, shape) + offset


def _without(shape: Shape, dim: int) -> Shape:
    return shape[:dim] + shape[dim + 1 :]


def _positions(shape: Shape, strides: Shape, offset: int) -> np.ndarray:
    position = np.full(shape, offset)
    for dim, (size, stride) in enumerate(zip(shape, strides, strict=True)):
        along = np.arange(size) * stride
        position = position + along.reshape([-1 if d == dim else 1 for d in range(len(shape))])
    return position


def _check_reach(op: str, base: Spec, shape: Shape, strides: Shape, offset: int) -> None:
    if math.prod(shape) == 0:
        return
    ends = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    low = offset + sum(min(end, 0) for end in ends)
    high = offset + sum(max(end, 0) for end in ends)
    if low < 0 or high >= base.numel:
        raise RuntimeError(
            f"{op}: setStorage: sizes {list(shape)}, strides {list(strides)}, storage offset "
            f"{offset} reach from element {low} to {high}, out of bounds for storage of "
            f"{base.numel} elements"
        )


def overlaps(shape: Shape, strides: Shape) -> bool:
    """Whether two coordinates may share an element (a safe guess for unusual strides)."""
    reach = 0
    for stride, size in sorted((abs(by), n) for by, n in zip(strides, shape, strict=True) if n > 1):
        if stride <= reach:
            return True
        reach += stride * (size - 1)
    return False


SLICE, AS_STRIDED = Slice(), AsStrided()
AS_STRIDED_SCATTER, CONCATENATE = AsStridedScatter(), Concatenate()


def slice_(x: Node, starts: Shape, steps: Shape, sizes: Shape) -> Node:
    """A box of `x`; one start, step and size for each dimension."""
    return record(SLICE, (x,), (starts, steps, sizes))


def as_strided(x: Node, shape: Shape, strides: Shape, offset: int) -> Node:
    """The elements of row-major `x` that these strides and offset reach."""
    return record(AS_STRIDED, (x,), (shape, strides, offset))


def as_strided_scatter(base: Node, value: Node, strides: Shape, offset: int) -> Node:
    """`base` with `value` written through a strided view."""
    return record(AS_STRIDED_SCATTER, (base, value), (strides, offset))


def cat(nodes: tuple[Node, ...], dim: int) -> Node:
    """The nodes joined along `dim`."""
    return record(CONCATENATE, nodes, (dim,))
