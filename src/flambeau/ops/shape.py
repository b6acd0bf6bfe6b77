"""Index maps: the same elements at other coordinates; and the sum, which undoes a broadcast.

An index map does no arithmetic and usually costs no copy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph.index import ZERO, Coordinates, linearize
from flambeau.graph.lowering import Reader
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import NOTHING, Reduction, Sample, View
from flambeau.graph.recording import record, scalar


def _ramp(*shape: int, kind: str = "float64") -> np.ndarray:
    return (np.arange(math.prod(shape)) - 3).astype(kind).reshape(shape)


class Reshape(View):
    """The elements in the same row-major order under another shape."""

    name = "reshape"
    parameters = ("shape",)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        (x,), shape = inputs, parameters["shape"]
        if math.prod(shape) != x.numel:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {x.numel}")
        return shape, x.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return arrays[0].reshape(parameters["shape"])

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        return reader.linear(node.inputs[0], linearize(at, node.shape))

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        return (reshape(grad, node.inputs[0].shape),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((_ramp(2, 6),), {"shape": (3, 4)})
        yield Sample((_ramp(1),), {"shape": ()})
        yield Sample((_ramp(0, 3),), {"shape": (3, 0, 2)})


class Permute(View):
    """The dimensions in another order."""

    name = "permute"
    parameters = ("dims",)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        (x,), dims = inputs, parameters["dims"]
        return tuple([x.shape[dim] for dim in dims]), x.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return arrays[0].transpose(parameters["dims"])

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        dims = node.attributes[0]
        inner = [ZERO] * len(dims)
        for here, dim in zip(at, dims, strict=True):
            inner[dim] = here
        return reader.value(node.inputs[0], tuple(inner))

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        dims = parameters["dims"]
        return (permute(grad, tuple(sorted(range(len(dims)), key=dims.__getitem__))),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((_ramp(2, 3),), {"dims": (1, 0)})
        yield Sample((_ramp(2, 3, 4),), {"dims": (1, 2, 0)})
        yield Sample((_ramp(2, 0, 4),), {"dims": (2, 1, 0)})


class Expand(View):
    """Dimensions of size 1 repeated, and new ones in front."""

    name = "expand"
    parameters = ("shape",)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        (x,), shape = inputs, parameters["shape"]
        lead = len(shape) - len(x.shape)
        for dim, size in enumerate(x.shape):
            if size not in (1, shape[lead + dim]):
                raise RuntimeError(
                    f"The expanded size of the tensor ({shape[lead + dim]}) must match the "
                    f"existing size ({size}) at non-singleton dimension {lead + dim}.  Target "
                    f"sizes: {list(shape)}.  Tensor sizes: {list(x.shape)}"
                )
        return shape, x.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return np.broadcast_to(arrays[0], parameters["shape"])

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        inner = node.inputs[0]
        tail = at[len(at) - len(inner.shape) :]
        where = [ZERO if size == 1 else one for size, one in zip(inner.shape, tail, strict=True)]
        return reader.value(inner, tuple(where))

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        from_shape = node.inputs[0].shape
        return (sum_to(grad, from_shape),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((_ramp(3, 1),), {"shape": (2, 3, 4)})
        yield Sample((_ramp(),), {"shape": (2, 2)})
        yield Sample((_ramp(1, 3),), {"shape": (0, 3)})


def kept(shape: Shape, dims: tuple[int, ...]) -> Shape:
    """`shape` without `dims`."""
    return tuple([size for dim, size in enumerate(shape) if dim not in dims])


def kept_as_ones(shape: Shape, dims: tuple[int, ...]) -> Shape:
    """`shape` with size 1 in `dims`."""
    return tuple([1 if dim in dims else size for dim, size in enumerate(shape)])


def broadcast_back(x: Node, node: Node) -> Node:
    """A value of the reduced shape, expanded to the shape of the reduction's input."""
    shape, dims = node.inputs[0].shape, node.attributes[0]
    if len(dims) < len(shape):
        x = reshape(x, kept_as_ones(shape, dims))
    return expand(x, shape)


class Fold(Reduction):
    """What the reductions share."""

    parameters = ("dims",)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return kept(inputs[0].shape, parameters["dims"]), inputs[0].dtype

    def samples(self) -> Iterable[Sample]:
        values = np.random.default_rng(7)
        short = [((5,), (0,)), ((3, 4), (1,)), ((3, 4), (0,)), ((2, 3, 4), (0, 2)), ((3, 1), (1,))]
        long = [((2, 70), (0, 1)), ((300, 5), (0,)), ((2, 5000), (1,))]
        for size, dims in short + long:
            x = values.permutation(math.prod(size)).reshape(size) / math.prod(size) + 0.5
            yield Sample((x,), {"dims": dims})


class Sum(Fold):
    """Sum; float16 and bfloat16 accumulate in float32."""

    name, combine, reads = "sum", "add", NOTHING

    def identity(self, kind: dtype) -> float | int:
        return 0

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return np.sum(arrays[0], axis=parameters["dims"], dtype=arrays[0].dtype)

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        return (broadcast_back(grad, node),)

    def samples(self) -> Iterable[Sample]:
        yield from super().samples()
        yield Sample((np.zeros((0, 3)),), {"dims": (0,)})
        yield Sample((np.ones((4, 0)),), {"dims": (1,)})


class Pad(View):
    """`x` with `before[d]` and `after[d]` elements of `fill` (a 0-dim value) around it."""

    name = "pad"
    parameters = ("before", "after")

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        x = inputs[0]
        triples = zip(x.shape, parameters["before"], parameters["after"], strict=True)
        shape = tuple([size + low + high for size, low, high in triples])
        if any(size < 0 for size in shape):
            raise RuntimeError(
                f"pad: the resulting shape {list(shape)} is negative for input {list(x.shape)}, "
                f"before={parameters['before']} and after={parameters['after']}"
            )
        return shape, x.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        x, fill = arrays
        before, after = parameters["before"], parameters["after"]
        widths = [(max(low, 0), max(high, 0)) for low, high in zip(before, after, strict=True)]
        wide = np.pad(x, widths, constant_values=fill[()]) if widths else x
        for dim, (low, high) in enumerate(zip(before, after, strict=True)):
            start, stop = max(-low, 0), wide.shape[dim] - max(-high, 0)
            wide = np.take(wide, np.arange(start, stop), axis=dim)
        return wide

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        x, fill = node.inputs
        before, after = node.attributes
        inner = tuple([one + -low for one, low in zip(at, before, strict=True)])
        guards = [
            (one, size)
            for one, size, low, high in zip(inner, x.shape, before, after, strict=True)
            if low > 0 or high > 0
        ]
        return reader.where_inside(guards, lambda: reader.value(x, inner), fill)

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        before, after = parameters["before"], parameters["after"]
        back = pad(
            grad,
            scalar(0, grad.dtype),
            tuple([-low for low in before]),
            tuple([-high for high in after]),
        )
        return (back, None)

    def samples(self) -> Iterable[Sample]:
        fill = np.array(7.5)
        yield Sample((_ramp(2, 3), fill), {"before": (1, 0), "after": (0, 2)})
        yield Sample((_ramp(4, 3), fill), {"before": (-1, 2), "after": (3, -2)})
        yield Sample((_ramp(0, 3), fill), {"before": (1, 0), "after": (1, 0)})


class Iota(View):
    """The int64 numbers 0 to n-1."""

    name = "iota"
    parameters = ("count",)
    differentiable = False

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return (parameters["count"],), dtypes.int64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return np.arange(parameters["count"])

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        return reader.coordinate(at[0])

    def samples(self) -> Iterable[Sample]:
        yield Sample((), {"count": 5}, differentiable=False)
        yield Sample((), {"count": 0}, differentiable=False)


RESHAPE, PERMUTE, EXPAND, SUM = Reshape(), Permute(), Expand(), Sum()
PAD, IOTA = Pad(), Iota()


def reshape(x: Node, shape: Shape) -> Node:
    """`x` under another shape of as many elements."""
    return x if x.spec.shape == shape else record(RESHAPE, (x,), (shape,))


def permute(x: Node, dims: tuple[int, ...]) -> Node:
    """`x` with its dimensions in the order `dims`."""
    if dims == tuple(range(len(dims))):
        return x
    if x.op is PERMUTE and x.inputs and [x.attributes[0][dim] for dim in dims] == sorted(dims):
        # There and back again.
        return x.inputs[0]
    return record(PERMUTE, (x,), (dims,))


def expand(x: Node, shape: Shape) -> Node:
    """`x` broadcast to `shape`."""
    return x if x.spec.shape == shape else record(EXPAND, (x,), (shape,))


def pad(x: Node, fill: Node, before: Shape, after: Shape) -> Node:
    """`x` with a border of `fill`; negative widths crop."""
    return record(PAD, (x, fill), (before, after))


def iota(count: int) -> Node:
    """int64 0 to count-1."""
    return record(IOTA, (), (count,))


def sum_(x: Node, dims: tuple[int, ...]) -> Node:
    """Sum over `dims`, which are removed."""
    return record(SUM, (x,), (dims,)) if dims else x


def full(shape: Shape, value: float | int, kind: dtype) -> Node:
    """`value` in every element."""
    return record(EXPAND, (scalar(value, kind),), (shape,))


def zeros(shape: Shape, kind: dtype) -> Node:
    """Zero in every element."""
    return full(shape, 0, kind)


def sum_to(x: Node, shape: Shape) -> Node:
    """The adjoint of broadcasting: sums `x` down to `shape`."""
    if x.spec.shape == shape:
        return x
    lead = len(x.shape) - len(shape)
    dims = [
        dim
        for dim, size in enumerate(x.shape)
        if dim < lead or (shape[dim - lead] == 1 and size != 1)
    ]
    return reshape(sum_(x, tuple(dims)), shape)
