"""Derivatives of an op along a direction: by its gradient rule, and by finite differences.

All float64 inputs move at once along one random direction, so an op costs two evaluations however
many inputs it has (the method of Chainer's `check_backward`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from flambeau.autograd.engine import gradients, identity
from flambeau.engine.reference import evaluate
from flambeau.graph.node import Node
from flambeau.graph.op import Op, Sample
from flambeau.graph.recording import parameter
from ops.harness import apply, leaf

STEP = 1e-4
# Inputs that are always Python numbers, hence have no gradient: what fills the rest.
STILL = {"pad": (1,), "place": (2,)}
Arrays = Sequence[np.ndarray]


def smooth_samples(op: Op) -> Iterator[Sample]:
    """Samples with a float64 input that a gradient can be taken of."""
    for sample in op.samples() if op.differentiable else ():
        if sample.differentiable and any(is_smooth(one) for one in sample.inputs):
            yield sample


def is_smooth(array: np.ndarray) -> bool:
    """Whether these are real numbers: neither indices, nor masks, nor too coarse to differ."""
    return array.dtype == np.float64


def random_direction(op: Op, generator: np.random.Generator, inputs: Arrays) -> list[np.ndarray]:
    """Where to move the inputs: nowhere those that are not smooth or never have a gradient."""
    still = STILL.get(op.name, ())
    return [
        generator.standard_normal(one.shape)
        if is_smooth(one) and place not in still
        else np.zeros_like(one)
        for place, one in enumerate(inputs)
    ]


def moved(arrays: Arrays, direction: Arrays, distance: float) -> list[np.ndarray]:
    """The smooth arrays further along a direction."""
    return [
        one + distance * way if is_smooth(one) else one
        for one, way in zip(arrays, direction, strict=True)
    ]


class Weighted:
    """The numbers f = <weights, op(inputs)> and g = f's derivative along a direction."""

    def __init__(self, op: Op, parameters: dict[str, Any]) -> None:
        self.op = op
        self.parameters = parameters

    def shape(self, inputs: Arrays) -> tuple[int, ...]:
        """The shape of the op's result."""
        return self.op.numpy(*inputs, **self.parameters).shape

    def value(self, inputs: Arrays, weights: np.ndarray) -> float:
        """f, by the op's meaning."""
        return float(np.sum(weights * self.op.numpy(*inputs, **self.parameters)))

    def slope(self, inputs: Arrays, weights: np.ndarray, direction: Arrays) -> float:
        """g, by the op's gradient rule."""
        return _Rule(self, inputs, weights).slope(direction)

    def second_slope(
        self, inputs: Arrays, weights: np.ndarray, direction: Arrays, outer: Arrays
    ) -> float:
        """g's derivative by its own gradient rule; `outer` moves the inputs and, last, weights."""
        return _Rule(self, inputs, weights).second_slope(direction, outer)


class _Rule:
    """The graph of an op's gradient at given inputs."""

    def __init__(self, function: Weighted, inputs: Arrays, weights: np.ndarray) -> None:
        self.inputs = [variable(one) if is_smooth(one) else leaf(one) for one in inputs]
        self.weights = variable(weights)
        output = apply(function.op, self.inputs, function.parameters)
        self.grads = gradients_of([output], [self.weights], self.inputs)

    def slope(self, direction: Arrays) -> float:
        return _inner(self.grads, direction)

    def second_slope(self, direction: Arrays, outer: Arrays) -> float:
        again = [
            (grad, leaf(way))
            for grad, way in zip(self.grads, direction, strict=True)
            if grad is not None and grad.requires_grad
        ]
        variables = [*self.inputs, self.weights]
        return _inner(gradients_of([a for a, _ in again], [b for _, b in again], variables), outer)


def gradients_of(
    outputs: Sequence[Node], weights: Sequence[Node], variables: Sequence[Node]
) -> list[Node | None]:
    """The gradient of <weights, outputs> for each variable it depends on."""
    wanted = {identity(one) for one in variables if one.requires_grad}
    found = gradients(outputs, weights, wanted, retain_graph=True, create_graph=True)
    return [found[identity(one)][1] if identity(one) in found else None for one in variables]


def variable(array: np.ndarray) -> Node:
    """A leaf that a gradient can be taken of."""
    node = parameter(leaf(array))
    node.owner = lambda: array
    return node


def _inner(grads: Sequence[Node | None], direction: Arrays) -> float:
    cache: dict[Node, np.ndarray] = {}
    total = 0.0
    for grad, way in zip(grads, direction, strict=True):
        if grad is not None:
            value = evaluate(grad, cache)
            assert value.shape == way.shape
            total += float(np.sum(value * way))
    return total
