"""Choosing and converting: where, cast, copysign, nextafter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import ALL, FLOATS, dtype
from flambeau.core.shapes import Shape, broadcast
from flambeau.graph.lowering import Expressions
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import BOTH, INPUTS, NOTHING, ErrorSample, Sample
from flambeau.graph.recording import record, scalar
from flambeau.ops.algebra import div, mul, zeros_like
from flambeau.ops.comparison import eq
from flambeau.ops.elementwise_base import Pointwise, edge_values, stored


class Where(Pointwise):
    """a where the condition holds, b elsewhere."""

    name, arity, reads, inputs_read = "where", 3, INPUTS, slice(1)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        condition, a, b = inputs
        if condition.dtype is not dtypes.bool:
            raise RuntimeError(
                f"where expected condition to be a boolean tensor, but got a tensor with dtype "
                f"{condition.dtype}"
            )
        _, kind = super().infer(a, b)
        return broadcast([condition.shape, a.shape, b.shape], self.name), kind

    def numpy(self, condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> Any:
        return np.where(condition, a, b)

    def lower(self, e: Expressions, condition: int, a: int, b: int) -> int:
        return e.select(condition, a, b)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        condition, a, b = node.inputs
        zero = scalar(0, grad.dtype)
        return (
            None,
            where(condition, grad, zero) if a.requires_grad else None,
            where(condition, zero, grad) if b.requires_grad else None,
        )

    def samples(self) -> Iterable[Sample]:
        condition = np.array([[True], [False], [True]])
        for one in super().samples():
            _, a, b = one.inputs
            rows = condition if a.ndim == 3 else np.array(True)
            yield Sample((rows, a, b), {}, one.differentiable)

    def edges(self, kind: dtype) -> tuple[np.ndarray, ...]:
        values = edge_values(kind)
        return values, values, values[::-1].copy()

    def error_samples(self) -> Iterable[ErrorSample]:
        one, mask = np.ones(2), np.array([True, False])
        yield ErrorSample((one, one, one), RuntimeError, "condition to be a boolean tensor")
        yield ErrorSample((mask, one, np.ones(2, "float32")), RuntimeError, "inputs of one dtype")
        yield ErrorSample((mask, one, np.ones(3)), RuntimeError, "must match the size")


class Cast(Pointwise):
    """The value in another dtype: towards zero for integers, `!= 0` for bool (so NaN is True)."""

    name, reads, parameters = "cast", NOTHING, ("kind",)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return inputs[0].shape, parameters["kind"]

    def numpy(self, x: np.ndarray, kind: dtype) -> Any:
        # As in PyTorch the way to the 16-bit types, where the evaluator rounds, is by float32.
        narrow = kind in (dtypes.float16, dtypes.bfloat16)
        return x.astype(np.float32 if narrow else kind.numpy)

    def lower(self, e: Expressions, x: int, kind: dtype) -> int:
        if kind is dtypes.bool:
            return e.compare("ne", x, e.constant(0, e.kind(x)))
        return e.cast(x, kind)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (cast(grad, node.inputs[0].dtype),)

    def samples(self) -> Iterable[Sample]:
        for source in ALL:
            values = edge_values(source)
            # What a float out of an integer's range becomes is not specified.
            small = np.array([0.0, -0.0, 1.5, 2.9, 100.0, 127.0], "float32")
            for target in ALL:
                narrows = source.is_floating_point and not target.is_floating_point
                bounded = narrows and target is not dtypes.bool
                given = stored(small, source) if bounded else values
                yield Sample((given,), {"kind": target}, False)
        yield Sample((np.linspace(-2, 2, 6).reshape(2, 3),), {"kind": dtypes.float64})
        yield Sample((np.zeros((0, 3)),), {"kind": dtypes.float32}, False)

    def error_samples(self) -> Iterable[ErrorSample]:
        return ()


class CopySign(Pointwise):
    """The magnitude of a with the sign of b; gradient 0 where a is 0."""

    name, arity, reads, inputs_read = "copysign", 2, BOTH, slice(1)
    accepts = FLOATS

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.copysign(a, b)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return e.call("copysign", a, b)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        a, _b = node.inputs
        zero = scalar(0, grad.dtype)
        return where(eq(a, zero), zero, mul(grad, div(node, a))), zeros_like(grad)


class NextAfter(Pointwise):
    """The neighbour of a on the way to b; b itself, and gradient 0, where they are equal."""

    name, arity, reads, refusal = "nextafter", 2, INPUTS, "nextafter_cpu"
    accepts = (dtypes.float32, dtypes.float64)

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.nextafter(a, b)

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return e.call("nextafter", a, b)

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return where(eq(*node.inputs), scalar(0, grad.dtype), grad), zeros_like(grad)


WHERE, CAST, COPYSIGN, NEXTAFTER = Where(), Cast(), CopySign(), NextAfter()


def where(condition: Node, a: Node, b: Node) -> Node:
    """a where `condition` (bool) holds, b elsewhere."""
    return record(WHERE, (condition, a, b))


def cast(x: Node, kind: dtype) -> Node:
    """x in another dtype."""
    return x if x.dtype is kind else record(CAST, (x,), (kind,))


def copysign(a: Node, b: Node) -> Node:
    """|a| with the sign of b."""
    return record(COPYSIGN, (a, b))


def nextafter(a: Node, b: Node) -> Node:
    """The neighbour of a on the way to b."""
    return record(NEXTAFTER, (a, b))
