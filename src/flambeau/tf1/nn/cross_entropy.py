"""Cross entropies, computed from logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flambeau import tensor as ft
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tf1 import shape_rules
from flambeau.tf1.arrays import stop_gradient
from flambeau.tf1.building import apply, convert_to_tensor, graph_of, known_integer
from flambeau.tf1.elementwise import softplus
from flambeau.tf1.graph import Tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import Static, compatible, describe, merged


def _of_rows(logits: Value, labels: Value, axis: int) -> Value:
    return -ft.sum(labels * ft.log_softmax(logits, axis), axis)


def _rows(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> list[Static]:
    logits, labels = inputs[0].static, inputs[1].static
    if not compatible(logits, labels):
        raise ValueError(f"logits are {describe(logits)} and labels {describe(labels)}")
    known = merged(logits, labels)
    if known is None:
        return [None]
    place = shape_rules.checked_axis(attributes["axis"], len(known))
    return [known[:place] + known[place + 1 :]]


def _of_classes(logits: Value, labels: Value) -> Value:
    chosen = ft.gather(ft.log_softmax(logits, -1), -1, labels.long().unsqueeze(-1))
    return -chosen.squeeze(-1)


def _classes(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> list[Static]:
    logits, labels = inputs[0].static, inputs[1].static
    if logits is not None and labels is not None and not compatible(logits[:-1], labels):
        raise ValueError(
            "Rank mismatch: labels must have the shape of logits without the last dimension, but "
            f"logits are {describe(logits)} and labels {describe(labels)}"
        )
    return [merged(None if logits is None else logits[:-1], labels)]


_SOFTMAX = Kind("SoftmaxCrossEntropyWithLogits", _rows, _of_rows)
_SPARSE = Kind("SparseSoftmaxCrossEntropyWithLogits", _classes, _of_classes)


def _named(function: str, sentinel: Any, labels: Any, logits: Any) -> None:
    if sentinel is not None or labels is None or logits is None:
        raise ValueError(
            f"Only call `{function}` with named arguments (labels=..., logits=..., ...)"
        )


def softmax_cross_entropy_with_logits_v2(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    axis: Any = None,
    dim: Any = None,
    name: str | None = None,
) -> Tensor:
    """The cross entropy of each row's label probabilities with the softmax of its logits."""
    _named("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    values = convert_to_tensor(logits)
    given = dim if axis is None else axis
    place = -1 if given is None else known_integer(given, "axis")
    return apply(_SOFTMAX, values, convert_to_tensor(labels, values.dtype), name=name, axis=place)


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    dim: Any = -1,
    name: str | None = None,
    axis: Any = None,
) -> Tensor:
    """Like `softmax_cross_entropy_with_logits_v2`, without a gradient for the labels."""
    _named("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    values = convert_to_tensor(logits)
    constant = stop_gradient(convert_to_tensor(labels, values.dtype))
    return softmax_cross_entropy_with_logits_v2(
        labels=constant, logits=values, axis=dim if axis is None else axis, name=name
    )


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """The cross entropy of each row's class (an integer) with the softmax of its logits."""
    _named("sparse_softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    return apply(_SPARSE, convert_to_tensor(logits), convert_to_tensor(labels), name=name)


def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """The cross entropy of each element's probability with the sigmoid of its logit."""
    _named("sigmoid_cross_entropy_with_logits", _sentinel, labels, logits)
    x = convert_to_tensor(logits)
    z = convert_to_tensor(labels, x.dtype)
    if not compatible(x.static, z.static):
        raise ValueError(
            f"logits and labels must have the same shape ({describe(x.static)} vs "
            f"{describe(z.static)})"
        )
    with graph_of([x]).name_scope(name or "logistic_loss"):
        # max(x, 0) - x z + log(1 + exp(-|x|)) is softplus(x) - x z.
        return softplus(x) - x * z


def weighted_cross_entropy_with_logits(
    labels: Any = None,
    logits: Any = None,
    pos_weight: Any = None,
    name: str | None = None,
    targets: Any = None,
) -> Tensor:
    """The sigmoid cross entropy with positive examples weighted by `pos_weight`."""
    x = convert_to_tensor(logits)
    z = convert_to_tensor(targets if labels is None else labels, x.dtype)
    weight = 1 + (pos_weight - 1) * z
    with graph_of([x]).name_scope(name or "logistic_loss"):
        return (1 - z) * x + weight * softplus(-x)
