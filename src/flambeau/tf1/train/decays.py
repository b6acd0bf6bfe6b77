"""Learning rates that fall with the count of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from flambeau.tf1 import dtypes
from flambeau.tf1.building import apply, convert_to_tensor
from flambeau.tf1.elementwise import cast, ceil, cos, exp, floor, less_equal, maximum, minimum, pow_
from flambeau.tf1.graph import Tensor, get_default_graph
from flambeau.tf1.slicing import SELECT


def _steps(global_step: Any, decay_steps: Any, kind: Any, staircase: bool = False) -> Tensor:
    """How many times `decay_steps` have passed."""
    if global_step is None:
        raise ValueError("global_step is required for a learning-rate decay.")
    passed = cast(global_step, kind) / cast(convert_to_tensor(decay_steps), kind)
    return floor(passed) if staircase else passed


def exponential_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """`learning_rate * decay_rate ** (global_step / decay_steps)`.

    >>> import flambeau.tf1 as tf
    >>> with tf.Session() as session:
    ...     session.run(tf.train.exponential_decay(1.0, tf.constant(20), 10, 0.5))
    np.float32(0.25)
    """
    with get_default_graph().name_scope(name or "ExponentialDecay"):
        rate = convert_to_tensor(learning_rate, preferred_dtype=dtypes.float32)
        passed = _steps(global_step, decay_steps, rate.dtype, staircase)
        return rate * pow_(convert_to_tensor(decay_rate, rate.dtype), passed)


def natural_exp_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """`learning_rate * exp(-decay_rate * global_step / decay_steps)`."""
    with get_default_graph().name_scope(name or "NaturalExpDecay"):
        rate = convert_to_tensor(learning_rate, preferred_dtype=dtypes.float32)
        passed = _steps(global_step, decay_steps, rate.dtype, staircase)
        return rate * exp(-passed * decay_rate)


def inverse_time_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """`learning_rate / (1 + decay_rate * global_step / decay_steps)`."""
    with get_default_graph().name_scope(name or "InverseTimeDecay"):
        rate = convert_to_tensor(learning_rate, preferred_dtype=dtypes.float32)
        passed = _steps(global_step, decay_steps, rate.dtype, staircase)
        return rate / (1.0 + passed * decay_rate)


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Tensor:
    """From `learning_rate` to `end_learning_rate` in `decay_steps`, by a power of what is left."""
    with get_default_graph().name_scope(name or "PolynomialDecay"):
        rate = convert_to_tensor(learning_rate, preferred_dtype=dtypes.float32)
        passed = _steps(global_step, decay_steps, rate.dtype)
        # In cycles, the steps are stretched so that the end comes with each of them.
        share = passed / maximum(ceil(passed), 1.0) if cycle else minimum(passed, 1.0)
        return (rate - end_learning_rate) * pow_(1.0 - share, power) + end_learning_rate


def cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, alpha: float = 0.0,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Along half a cosine, down to `alpha * learning_rate` (Loshchilov, 2016, arXiv:1608.03983)."""
    with get_default_graph().name_scope(name or "CosineDecay"):
        rate = convert_to_tensor(learning_rate, preferred_dtype=dtypes.float32)
        share = minimum(_steps(global_step, decay_steps, rate.dtype), 1.0)
        wave = (cos(share * math.pi) + 1.0) * 0.5
        return rate * (wave * (1 - alpha) + alpha)


def piecewise_constant(
    x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None
) -> Tensor:
    """`values[0]` up to and including `boundaries[0]`, then `values[1]`, and so on."""
    if len(boundaries) != len(values) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")
    with get_default_graph().name_scope(name or "PiecewiseConstant"):
        step = convert_to_tensor(x)
        found = convert_to_tensor(values[-1])
        for limit, value in zip(reversed(boundaries), reversed(values[:-1]), strict=True):
            below = less_equal(step, convert_to_tensor(limit, step.dtype))
            chosen = convert_to_tensor(value, found.dtype)
            found = apply(SELECT, below, chosen, found, dtype=found.dtype)
        return found
