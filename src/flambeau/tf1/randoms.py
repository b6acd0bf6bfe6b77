"""Random tensors. With a seed, of the graph or the operation, a session draws the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau import tensor as ft
from flambeau.tensor.generator import Generator
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tf1 import dtypes
from flambeau.tf1.arrays import sizes_of
from flambeau.tf1.building import convert_to_tensor, integers, operation
from flambeau.tf1.dtypes import DType, as_dtype
from flambeau.tf1.evaluation import Evaluation
from flambeau.tf1.graph import Operation, Tensor, get_default_graph
from flambeau.tf1.kind import Kind
from flambeau.tf1.shape_rules import of_value, same

DEFAULT_GRAPH_SEED = 87654321

Draw = Callable[[tuple[int, ...], DType, Generator], Value]


def set_random_seed(seed: int | None) -> None:
    """Seed the random operations that are made in the default graph from now on."""
    get_default_graph().seed = seed


def seed_of(op_seed: int | None) -> int | None:
    """The seed of a new operation from the graph's and its own; None if neither was set."""
    graph = get_default_graph()
    if graph.seed is None and op_seed is None:
        return None
    first = DEFAULT_GRAPH_SEED if graph.seed is None else graph.seed
    second = len(graph.operations) if op_seed is None else op_seed
    # Both in one number that differs for different pairs.
    return int(
        np.random.SeedSequence([first % 2**64, second % 2**64]).generate_state(1, np.uint64)[0]
    )


def _drawn(draw: Draw) -> Callable[[Evaluation, Operation], Sequence[Value]]:
    def evaluate(evaluation: Evaluation, made: Operation) -> Sequence[Value]:
        dims = sizes_of(evaluation.static(made.inputs[0]))
        return [draw(dims, made.outputs[0].dtype, evaluation.state.generator(made))]

    return evaluate


def _normal(dims: tuple[int, ...], kind: DType, generator: Generator) -> Value:
    return ft.randn(dims, dtype=kind.native, generator=generator)


def _uniform(dims: tuple[int, ...], kind: DType, generator: Generator) -> Value:
    return ft.rand(dims, dtype=kind.native, generator=generator)


def _truncated(dims: tuple[int, ...], kind: DType, generator: Generator) -> Value:
    """By the inverse of the distribution function, as nothing is drawn again in a plan."""
    reach = 0.9544997361036416  # of the distribution within two standard deviations
    uniform = ft.rand(dims, dtype=kind.native, generator=generator)
    inner = ft.special.erfinv((uniform * 2 - 1) * reach) * 2**0.5
    return ft.clamp(inner, -2, 2)


def _random(name: str, draw: Draw) -> Kind:
    return Kind(name, of_value(), in_session=_drawn(draw), differentiable=False)


_NORMAL = _random("RandomStandardNormal", _normal)
_UNIFORM = _random("RandomUniform", _uniform)
_TRUNCATED = _random("TruncatedNormal", _truncated)


def _draw(kind: Kind, shape: Any, dtype: Any, seed: int | None, name: str) -> Tensor:
    result = as_dtype(dtype)
    if not result.is_floating:
        raise TypeError(f"{name}: the type must be a floating-point type, got {result.name}")
    attributes = {"seed": seed_of(seed)}
    return operation(kind, [integers(shape)], [result], attributes, name).outputs[0]


def random_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers.

    >>> random_normal([2, 3]).shape.as_list()
    [2, 3]
    """
    with get_default_graph().name_scope(name or "random_normal"):
        drawn = _draw(_NORMAL, shape, dtype, seed, "RandomStandardNormal")
        return _placed(drawn, stddev, mean)


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers within two standard deviations of the mean."""
    with get_default_graph().name_scope(name or "truncated_normal"):
        drawn = _draw(_TRUNCATED, shape, dtype, seed, "TruncatedNormal")
        return _placed(drawn, stddev, mean)


def _placed(drawn: Tensor, scale: Any, shift: Any) -> Tensor:
    if not (isinstance(scale, (int, float)) and scale == 1):
        drawn = drawn * convert_to_tensor(scale, drawn.dtype)
    if not (isinstance(shift, (int, float)) and shift == 0):
        drawn = drawn + convert_to_tensor(shift, drawn.dtype)
    return drawn


def _integers(evaluation: Evaluation, made: Operation) -> Sequence[Value]:
    dims, low, high = (evaluation.static(one) for one in made.inputs)
    generator = evaluation.state.generator(made)
    kind = made.outputs[0].dtype.native
    return [ft.randint(int(low), int(high), sizes_of(dims), dtype=kind, generator=generator)]


_UNIFORM_INT = Kind("RandomUniformInt", of_value(), in_session=_integers, differentiable=False)


def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers evenly distributed from `minval` to before `maxval` (1 for floats)."""
    result = as_dtype(dtype)
    if result.is_floating:
        with get_default_graph().name_scope(name or "random_uniform"):
            drawn = _draw(_UNIFORM, shape, dtype, seed, "RandomUniform")
            low = convert_to_tensor(minval, result)
            if minval == 0 and maxval is None:
                return drawn
            high = convert_to_tensor(1 if maxval is None else maxval, result)
            return drawn * (high - low) + low
    if maxval is None:
        raise ValueError(f"Must specify maxval for integer dtype {result.name}")
    ends = [convert_to_tensor(one, result) for one in (minval, maxval)]
    inputs = [integers(shape), *ends]
    attributes = {"seed": seed_of(seed)}
    return operation(_UNIFORM_INT, inputs, [result], attributes, name or "random_uniform").outputs[
        0
    ]


def _shuffled(evaluation: Evaluation, made: Operation) -> Sequence[Value]:
    value: Value = evaluation.value(made.inputs[0])
    order = ft.randperm(value.shape[0], generator=evaluation.state.generator(made))
    return [ft.index_select(value, 0, order)]


_SHUFFLE = Kind("RandomShuffle", same, in_session=_shuffled)


def random_shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """The rows in a random order."""
    tensor = convert_to_tensor(value)
    return operation(_SHUFFLE, [tensor], [tensor.dtype], {"seed": seed_of(seed)}, name).outputs[0]


def _chosen(evaluation: Evaluation, made: Operation) -> Sequence[Value]:
    logits: Value = evaluation.value(made.inputs[0]).detach()
    count = int(evaluation.static(made.inputs[1]))
    shape = (*logits.shape[:-1], count, logits.shape[-1])
    uniform = ft.rand(shape, dtype=logits.dtype, generator=evaluation.state.generator(made))
    # The largest of the logits with Gumbel noise is distributed as their softmax.
    noise = -ft.log(-ft.log(ft.clamp(uniform, min=1e-20)))
    return [ft.argmax(logits.unsqueeze(-2) + noise, -1).to(made.outputs[0].dtype.native)]


def _chosen_shape(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> list[Any]:
    known = inputs[0].static
    return [None if known is None else (known[0], *(of_value(1)(inputs, attributes)[0] or (None,)))]


_MULTINOMIAL = Kind("Multinomial", _chosen_shape, in_session=_chosen, differentiable=False)


def multinomial(
    logits: Any,
    num_samples: Any,
    seed: int | None = None,
    name: str | None = None,
    output_dtype: Any = dtypes.int64,
) -> Tensor:
    """`num_samples` classes for each row of `logits`, drawn by their softmax."""
    inputs = [convert_to_tensor(logits), convert_to_tensor(num_samples)]
    attributes = {"seed": seed_of(seed)}
    return operation(_MULTINOMIAL, inputs, [as_dtype(output_dtype)], attributes, name).outputs[0]
