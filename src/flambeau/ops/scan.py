"""Running results along a dimension, each from the one before it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import BOTH, Sample, Template
from flambeau.graph.recording import record, scalar
from flambeau.ops.arithmetic import mul
from flambeau.ops.comparison import eq
from flambeau.ops.selection import where
from flambeau.ops.shape import expand, full, iota, pad, reshape


class Recurrence(Template):
    """s[i] = a[i] * s[i-1] + b[i] along `dim` from s[-1] = 0; from the end if `reverse`."""

    name = "recurrence"
    parameters = ("dim", "reverse")
    reads = BOTH

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return inputs[1].shape, inputs[1].dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        dim, step = parameters["dim"], -1 if parameters["reverse"] else 1
        a, b = (np.moveaxis(one, dim, 0)[::step] for one in arrays)
        result = np.empty_like(b)
        state = np.zeros(b.shape[1:], b.dtype)
        for i in range(len(b)):
            state = a[i] * state + b[i]
            result[i] = state
        return np.moveaxis(result[::step], 0, dim)

    def steps(self, builder: StepBuilder, node: Node) -> None:
        from flambeau.compiler.templates import scan as template

        template.add_steps(builder, node, "linear")

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        dim, reverse = parameters["dim"], parameters["reverse"]
        a = node.inputs[0]
        to_b = recurrence(_shift(a, dim, not reverse), grad, dim, not reverse)
        return mul(to_b, _shift(node, dim, reverse)), to_b

    def samples(self) -> Iterable[Sample]:
        values = np.random.default_rng(5)
        for shape, dim in [((7,), 0), ((3, 5), 1), ((3, 5, 2), 1), ((0, 2), 0)]:
            for reverse in (False, True):
                a, b = values.standard_normal((2, *shape))
                yield Sample((a, b), {"dim": dim, "reverse": reverse})


class RunningExtreme(Template):
    """The largest (or smallest) element so far along `dim`; NaN from the first NaN on."""

    name = "running_extreme"
    parameters = ("dim", "largest")
    differentiable = False

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return inputs[0].shape, inputs[0].dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        choose = np.maximum if parameters["largest"] else np.minimum
        return choose.accumulate(arrays[0], axis=parameters["dim"])

    def steps(self, builder: StepBuilder, node: Node) -> None:
        from flambeau.compiler.templates import scan as template

        template.add_steps(builder, node, "max" if node.attributes[1] else "min")

    def samples(self) -> Iterable[Sample]:
        x = np.random.default_rng(5).standard_normal((3, 6))
        x[1, 2] = np.nan
        for largest in (False, True):
            yield Sample((x,), {"dim": 1, "largest": largest}, differentiable=False)
            yield Sample((x,), {"dim": 0, "largest": largest}, differentiable=False)


RECURRENCE, RUNNING_EXTREME = Recurrence(), RunningExtreme()


def recurrence(a: Node, b: Node, dim: int, reverse: bool) -> Node:
    """The linear recurrence s[i] = a[i] * s[i-1] + b[i]."""
    return record(RECURRENCE, (a, b), (dim, reverse))


def running_extreme(x: Node, dim: int, largest: bool) -> Node:
    """The running maximum or minimum."""
    return record(RUNNING_EXTREME, (x,), (dim, largest))


def cumsum(x: Node, dim: int, reverse: bool = False) -> Node:
    """Running sum along `dim`."""
    return recurrence(full(x.shape, 1, x.dtype), x, dim, reverse)


def cumprod(x: Node, dim: int, reverse: bool = False) -> Node:
    """Running product along `dim`."""
    size = x.shape[dim]
    first = size - 1 if reverse else 0
    is_first = eq(iota(size), scalar(first, dtypes.int64))
    is_first = expand(reshape(is_first, _along(dim, x.shape)), x.shape)
    zero = full(x.shape, 0, x.dtype)
    return recurrence(where(is_first, zero, x), where(is_first, x, zero), dim, reverse)


def product_of_others(x: Node, dim: int) -> Node:
    """For each element the product along `dim` of all the others; zeros are no special case."""
    before = _shift(cumprod(x, dim), dim, False, fill=1)
    after = _shift(cumprod(x, dim, True), dim, True, fill=1)
    return mul(before, after)


def _along(dim: int, shape: Shape) -> Shape:
    return tuple([size if d == dim else 1 for d, size in enumerate(shape)])


def _shift(x: Node, dim: int, reverse: bool, fill: float = 0) -> Node:
    """x one place later along `dim` (earlier if `reverse`), with `fill` where nothing moves in."""
    low = tuple([(-1 if reverse else 1) if d == dim else 0 for d in range(len(x.shape))])
    high = tuple([-one for one in low])
    return pad(x, scalar(fill, x.dtype), low, high)
