"""Reductions over dimensions. The order of the operations depends on the shape alone.

That order is written down in compiler/emit_reduction.py; NumPy's is another one, so the two agree
to rounding. The sum is in shape.py, beside the broadcast it undoes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import BOTH, INPUTS, NOTHING, Sample
from flambeau.graph.recording import record
from flambeau.ops.arithmetic import div, mul
from flambeau.ops.comparison import eq
from flambeau.ops.scan import product_of_others
from flambeau.ops.selection import cast
from flambeau.ops.shape import Fold, broadcast_back, expand, reshape, sum_


class Product(Fold):
    """Product of the elements."""

    name, combine, reads = "prod", "mul", INPUTS

    def identity(self, kind: dtype) -> float | int:
        return 1

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return np.prod(arrays[0], axis=parameters["dims"], dtype=arrays[0].dtype)

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        # One dimension at a time, so that "all the others" is a running product.
        x, dims = node.inputs[0], parameters["dims"]
        partial = [x]
        for dim in reversed(dims[1:]):
            partial.append(prod(partial[-1], (dim,)))
        for dim, part in zip(dims, reversed(partial), strict=True):
            shape = part.shape
            ones = (*shape[:dim], 1, *shape[dim + 1 :])
            grad = mul(expand(reshape(grad, ones), shape), product_of_others(part, dim))
        return (grad,)


class Extreme(Fold):
    """Largest or smallest element; NaN if there is one. Ties share the gradient evenly."""

    reads = BOTH

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        x, dims = inputs[0], parameters["dims"]
        for dim in dims:
            if x.shape[dim] == 0:
                raise IndexError(
                    f"{self.name}(): Expected reduction dim {dim} to have non-zero size, "
                    f"received shape {list(x.shape)}."
                )
        return super().infer(*inputs, **parameters)

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        winners = cast(eq(node.inputs[0], broadcast_back(node, node)), grad.dtype)
        share = div(grad, sum_(winners, parameters["dims"]))
        return (mul(broadcast_back(share, node), winners),)


class Maximum(Extreme):
    """Largest element."""

    name, combine = "amax", "max"

    def identity(self, kind: dtype) -> float | int:
        return _limits(kind)[0]

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return np.max(arrays[0], axis=parameters["dims"])


class Minimum(Extreme):
    """Smallest element."""

    name, combine = "amin", "min"

    def identity(self, kind: dtype) -> float | int:
        return _limits(kind)[1]

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return np.min(arrays[0], axis=parameters["dims"])


class Logical(Fold):
    """any and all, of booleans."""

    reads = NOTHING
    differentiable = False

    def samples(self) -> Iterable[Sample]:
        for size, dims in [((5,), (0,)), ((3, 40), (1,)), ((3, 4), (0,)), ((0, 3), (0,))]:
            x = np.arange(math.prod(size)).reshape(size) % 3 == 0
            yield Sample((x,), {"dims": dims}, differentiable=False)


class AnyTrue(Logical):
    """Whether one is true."""

    name, combine = "any", "or"

    def identity(self, kind: dtype) -> float | int:
        return 0

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return np.any(arrays[0], axis=parameters["dims"])


class AllTrue(Logical):
    """Whether none is false."""

    name, combine = "all", "and"

    def identity(self, kind: dtype) -> float | int:
        return 1

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return np.all(arrays[0], axis=parameters["dims"])


def _limits(kind: dtype) -> tuple[float | int, float | int]:
    if kind.is_floating_point:
        return -math.inf, math.inf
    if kind is dtypes.bool:
        return 0, 1
    information = np.iinfo(kind.numpy)
    return int(information.min), int(information.max)


PRODUCT, MAXIMUM, MINIMUM, ANY, ALL = Product(), Maximum(), Minimum(), AnyTrue(), AllTrue()


def prod(x: Node, dims: tuple[int, ...]) -> Node:
    """Product over `dims`."""
    return record(PRODUCT, (x,), (dims,)) if dims else x


def amax(x: Node, dims: tuple[int, ...]) -> Node:
    """Maximum over `dims`."""
    return record(MAXIMUM, (x,), (dims,)) if dims else x


def amin(x: Node, dims: tuple[int, ...]) -> Node:
    """Minimum over `dims`."""
    return record(MINIMUM, (x,), (dims,)) if dims else x


def any_(x: Node, dims: tuple[int, ...]) -> Node:
    """Whether any bool over `dims` is true."""
    return record(ANY, (x,), (dims,)) if dims else x


def all_(x: Node, dims: tuple[int, ...]) -> Node:
    """Whether all bools over `dims` are true."""
    return record(ALL, (x,), (dims,)) if dims else x
