"""Losses over a few sampled classes instead of all of them, and the samplers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from flambeau import tensor as ft
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tf1 import dtypes
from flambeau.tf1.arrays import concat, ones_like, reshape, stop_gradient, zeros_like
from flambeau.tf1.building import convert_to_tensor, graph_of, known_integer, operation
from flambeau.tf1.elementwise import cast, equal, log
from flambeau.tf1.evaluation import Evaluation
from flambeau.tf1.graph import Operation, Tensor, as_tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.nn.basic import embedding_lookup
from flambeau.tf1.nn.cross_entropy import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
)
from flambeau.tf1.products import matmul
from flambeau.tf1.randoms import seed_of
from flambeau.tf1.reductions import reduce_any, reduce_sum
from flambeau.tf1.shapes import Static
from flambeau.tf1.slicing import gather
from flambeau.tf1.values import tensor_of


class Candidates(NamedTuple):
    """Sampled classes; how often true and sampled classes were to be expected among them."""

    sampled_candidates: Tensor
    true_expected_count: Tensor
    sampled_expected_count: Tensor


def _sampled(evaluation: Evaluation, made: Operation) -> Sequence[Value]:
    probabilities = made.attributes["probabilities"]
    count, unique = made.attributes["count"], made.attributes["unique"]
    generator = evaluation.state.generator(made)
    if unique:
        # The places of the largest of log p + Gumbel noise are drawn without replacement.
        uniform = ft.rand(len(probabilities), generator=generator, dtype=ft.float64)
        noise = -ft.log(-ft.log(ft.clamp(uniform, min=1e-300)))
        chosen = ft.topk(tensor_of(np.log(probabilities), dtypes.float64) + noise, count)[1]
    else:
        uniform = ft.rand(count, generator=generator, dtype=ft.float64)
        limits = tensor_of(np.cumsum(probabilities), dtypes.float64)
        chosen = ft.clamp(ft.searchsorted(limits, uniform, right=True), max=len(probabilities) - 1)
    expected = tensor_of(_expected(probabilities, count, unique), dtypes.float32)
    true = evaluation.value(made.inputs[0]).long()
    of_true = ft.index_select(expected, 0, true.reshape(-1)).reshape(true.shape)
    return [chosen, of_true, ft.index_select(expected, 0, chosen)]


def _expected(probabilities: np.ndarray, count: int, unique: bool) -> np.ndarray:
    """How often each class is drawn: without replacement, in as many tries as that takes."""
    if not unique:
        return probabilities * count
    if count == len(probabilities):
        return np.ones(count)

    def found(tries: float) -> np.ndarray:
        chances: np.ndarray = -np.expm1(tries * np.log1p(-probabilities))
        return chances

    low, high = float(count), 2.0 * count
    while found(high).sum() < count:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle).sum() < count else (low, middle)
    return found(high)


def _sampled_shapes(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> list[Static]:
    count = attributes["count"]
    return [(count,), inputs[0].static, (count,)]


_CANDIDATES = Kind("CandidateSampler", _sampled_shapes, in_session=_sampled, differentiable=False)


def _candidates(
    probabilities: np.ndarray,
    true_classes: Any,
    num_sampled: Any,
    unique: bool,
    seed: int | None,
    name: str | None,
) -> Candidates:
    count = known_integer(num_sampled, "num_sampled")
    if unique and count > len(probabilities):
        raise ValueError(f"cannot draw {count} different classes of {len(probabilities)}")
    attributes = {
        "probabilities": probabilities,
        "count": count,
        "unique": unique,
        "seed": seed_of(seed),
    }
    kinds = [dtypes.int64, dtypes.float32, dtypes.float32]
    true = convert_to_tensor(true_classes)
    return Candidates(*operation(_CANDIDATES, [true], kinds, attributes, name).outputs)


def log_uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: Any,
    unique: bool,
    range_max: Any,
    seed: int | None = None,
    name: str | None = None,
) -> Candidates:
    """Classes drawn with probability `log((k + 2) / (k + 1)) / log(range_max + 1)`: by Zipf's law.

    The classes should be in order of decreasing frequency.
    """
    count = known_integer(range_max, "range_max")
    classes = np.arange(count, dtype=np.float64)
    probabilities = np.log1p(1 / (classes + 1)) / np.log1p(count)
    name = name or "LogUniformCandidateSampler"
    return _candidates(probabilities, true_classes, num_sampled, unique, seed, name)


def uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: Any,
    unique: bool,
    range_max: Any,
    seed: int | None = None,
    name: str | None = None,
) -> Candidates:
    """Classes drawn with equal probability."""
    count = known_integer(range_max, "range_max")
    name = name or "UniformCandidateSampler"
    probabilities = np.full(count, 1 / count)
    return _candidates(probabilities, true_classes, num_sampled, unique, seed, name)


def _sampled_logits(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: Any,
    num_classes: Any,
    num_true: int,
    sampled_values: Any,
    remove_accidental_hits: bool,
) -> tuple[Tensor, Tensor]:
    """Logits of the true and the sampled classes (batch, num_true + num_sampled), and labels."""
    x = convert_to_tensor(inputs)
    true = reshape(cast(convert_to_tensor(labels), dtypes.int64), [-1, num_true])  # (batch, true)
    if sampled_values is None:
        sampled_values = log_uniform_candidate_sampler(
            true, num_true, num_sampled, True, num_classes
        )
    sampled, expected_true, expected = (stop_gradient(one) for one in sampled_values)
    true_weights = embedding_lookup(weights, true)  # (batch, true, dim)
    of_true = reduce_sum(reshape(x, [-1, 1, _width(x)]) * true_weights, 2)
    of_true = of_true + gather(biases, true) - log(expected_true)
    of_sampled = matmul(x, embedding_lookup(weights, sampled), transpose_b=True)  # (batch, sampled)
    of_sampled = of_sampled + gather(biases, sampled) - log(expected)
    if remove_accidental_hits:
        hits = reduce_any(equal(reshape(true, [-1, num_true, 1]), reshape(sampled, [1, 1, -1])), 1)
        of_sampled = of_sampled + cast(hits, x.dtype) * float(np.finfo(np.float32).min)
    targets = concat([ones_like(of_true) / float(num_true), zeros_like(of_sampled)], 1)
    return concat([of_true, of_sampled], 1), stop_gradient(targets)


def _width(x: Tensor) -> int:
    if x.static is None or x.static[-1] is None:
        raise ValueError(f"the last dimension of the inputs {x} has to be known")
    return x.static[-1]


def nce_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: Any,
    num_classes: Any,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = False,
    partition_strategy: str = "mod",
    name: str = "nce_loss",
) -> Tensor:
    """The noise-contrastive loss of each row: its true classes against sampled ones.

    weights (num_classes, dim), biases (num_classes,), labels (batch, num_true), inputs (batch,
    dim). Gutmann and Hyvärinen, 2010.
    """
    with graph_of([as_tensor(inputs)]).name_scope(name):
        logits, targets = _sampled_logits(
            weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
            remove_accidental_hits,
        )  # fmt: skip
        return reduce_sum(sigmoid_cross_entropy_with_logits(labels=targets, logits=logits), 1)


def sampled_softmax_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: Any,
    num_classes: Any,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = True,
    partition_strategy: str = "mod",
    name: str = "sampled_softmax_loss",
    seed: int | None = None,
) -> Tensor:
    """The softmax cross entropy of each row over its true classes and sampled ones.

    Shapes as in `nce_loss`. Jean et al., 2014, arXiv:1412.2007.
    """
    with graph_of([as_tensor(inputs)]).name_scope(name):
        logits, targets = _sampled_logits(
            weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
            remove_accidental_hits,
        )  # fmt: skip
        return softmax_cross_entropy_with_logits_v2(labels=targets, logits=logits)
