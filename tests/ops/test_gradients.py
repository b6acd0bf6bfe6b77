"""Gradient rules, first and second order, agree with finite differences along a direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from flambeau.graph.op import INPUTS, OUTPUT, Op
from ops.derivatives import (
    STEP,
    Arrays,
    Weighted,
    is_smooth,
    moved,
    random_direction,
    smooth_samples,
    variable,
)
from ops.harness import all_ops, apply, forget_recording, leaf

OPS = [op for op in all_ops() if op.differentiable and not op.effect]
ATTEMPTS = 20

# By the gradient rule, and measured; None where the inputs are at a kink.
Slopes = tuple[float, float | None]


@pytest.fixture(autouse=True)
def own_recording() -> Iterator[None]:
    forget_recording()
    yield
    forget_recording()


def first_slopes(f: Weighted, inputs: Arrays, generator: np.random.Generator) -> Slopes:
    weights = generator.standard_normal(f.shape(inputs))
    way = random_direction(f.op, generator, inputs)
    measured = difference(lambda t: f.value(moved(inputs, way, t), weights))
    return f.slope(inputs, weights, way), measured


def second_slopes(f: Weighted, inputs: Arrays, generator: np.random.Generator) -> Slopes:
    weights, turn = generator.standard_normal((2, *f.shape(inputs)))
    way, outer = [random_direction(f.op, generator, inputs) for _ in range(2)]
    measured = difference(lambda t: f.slope(moved(inputs, outer, t), weights + t * turn, way))
    return f.second_slope(inputs, weights, way, [*outer, turn]), measured


def difference(function: Callable[[float], float]) -> float | None:
    """The slope at 0 by differences of fourth order; None at a kink, where the sides disagree."""
    near, far = [(function(k * STEP) - function(-k * STEP)) / (2 * k * STEP) for k in (1, 2)]
    here = function(0.0)
    right, left = (function(STEP) - here) / STEP, (here - function(-STEP)) / STEP
    scale = 1 + abs(near)
    if abs(near - far) > 1e-3 * scale or abs(right - left) > 1e-1 * scale:
        return None
    return (4 * near - far) / 3


@pytest.mark.parametrize("slopes", [first_slopes, second_slopes])
@pytest.mark.parametrize("op", OPS, ids=str)
def test_rule_is_what_is_measured(op: Op, slopes: Callable[..., Slopes]) -> None:
    for sample in smooth_samples(op):
        generator = np.random.default_rng(0)
        inputs = [*sample.inputs]
        for _ in range(ATTEMPTS):
            with np.errstate(all="ignore"):
                by_rule, measured = slopes(Weighted(op, sample.parameters), inputs, generator)
            if measured is not None:
                break
            inputs = moved(inputs, random_direction(op, generator, inputs), 0.01)
        assert by_rule == pytest.approx(measured, rel=1e-6, abs=1e-7), (op, sample)


@pytest.mark.parametrize("op", OPS, ids=str)
def test_rule_reads_no_value_that_is_not_kept_for_it(op: Op) -> None:
    for sample in smooth_samples(op):
        inputs = [variable(one) if is_smooth(one) else leaf(one) for one in sample.inputs]
        output = apply(op, inputs, sample.parameters)
        kept = [output] if op.reads & OUTPUT else []
        if op.reads & INPUTS:
            kept += inputs[op.inputs_read]
        grad = leaf(np.ones(output.shape))
        waiting = [one for one in op.gradient(grad, output, **sample.parameters) if one is not None]
        while waiting:
            node = waiting.pop()
            if node not in kept:
                assert node not in (output, *inputs), (op, sample)
                waiting += node.inputs
