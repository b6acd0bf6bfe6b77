"""`tf.losses`: mean losses, which are also kept in the collection of losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau.tf1 import dtypes
from flambeau.tf1.arrays import broadcast_to, shape
from flambeau.tf1.building import add_to_collection, convert_to_tensor, get_collection, graph_of
from flambeau.tf1.elementwise import (
    abs_,
    add_n,
    cast,
    div_no_nan,
    log,
    minimum,
    multiply,
    not_equal,
    squared_difference,
)
from flambeau.tf1.graph import GraphKeys, Tensor
from flambeau.tf1.nn.cross_entropy import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
    sparse_softmax_cross_entropy_with_logits,
)
from flambeau.tf1.reductions import reduce_mean, reduce_sum


class Reduction:
    """How losses become one number."""

    NONE = "none"
    SUM = "weighted_sum"
    MEAN = "weighted_mean"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"
    SUM_OVER_NONZERO_WEIGHTS = SUM_BY_NONZERO_WEIGHTS


def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The losses times their weights, made one number, and added to the collection."""
    each = convert_to_tensor(losses)
    with graph_of([each]).name_scope(scope or "weighted_loss"):
        loss = _reduced(each, weights, reduction)
    if loss_collection:
        add_to_collection(loss_collection, loss)
    return loss


def _reduced(each: Tensor, weights: Any, reduction: str) -> Tensor:
    plain = isinstance(weights, (int, float))
    weighted = each if plain and weights == 1 else multiply(each, weights)
    if reduction == Reduction.NONE:
        return weighted
    if reduction == Reduction.SUM:
        return reduce_sum(weighted)
    if reduction == Reduction.SUM_OVER_BATCH_SIZE or (plain and reduction != Reduction.MEAN):
        return reduce_mean(weighted)
    spread = broadcast_to(convert_to_tensor(weights, each.dtype), shape(each))
    if reduction == Reduction.MEAN:
        return div_no_nan(reduce_sum(weighted), reduce_sum(spread))
    present = reduce_sum(cast(not_equal(spread, 0.0), each.dtype))
    return div_no_nan(reduce_sum(weighted), present)


def _elementwise(
    name: str, function: Callable[[Tensor, Tensor], Tensor], text: str
) -> Callable[..., Tensor]:
    def loss(
        labels: Any,
        predictions: Any,
        weights: Any = 1.0,
        scope: str | None = None,
        loss_collection: str | None = GraphKeys.LOSSES,
        reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
    ) -> Tensor:
        found = convert_to_tensor(predictions, preferred_dtype=dtypes.float32)
        found = found if found.dtype.is_floating else cast(found, dtypes.float32)
        wanted = cast(convert_to_tensor(labels), found.dtype)
        found.shape.assert_is_compatible_with(wanted.shape)
        with graph_of([found]).name_scope(scope or name):
            each = function(wanted, found)
        return compute_weighted_loss(each, weights, scope, loss_collection, reduction)

    loss.__name__ = loss.__qualname__ = name
    loss.__doc__ = text
    return loss


mean_squared_error = _elementwise(
    "mean_squared_error", squared_difference, "The mean of the squared differences."
)
absolute_difference = _elementwise(
    "absolute_difference", lambda y, p: abs_(p - y), "The mean of the absolute differences."
)


def log_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    epsilon: float = 1e-7,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean cross entropy of probabilities."""
    p = convert_to_tensor(predictions)
    y = cast(convert_to_tensor(labels), p.dtype)
    each = -(y * log(p + epsilon)) - (1 - y) * log(1 - p + epsilon)
    return compute_weighted_loss(each, weights, scope, loss_collection, reduction)


def huber_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    delta: float = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean of half the squared differences, which grow linearly beyond `delta`."""
    p = convert_to_tensor(predictions)
    distance = abs_(p - cast(convert_to_tensor(labels), p.dtype))
    near = minimum(distance, delta)
    each = 0.5 * near * near + delta * (distance - near)
    return compute_weighted_loss(each, weights, scope, loss_collection, reduction)


def softmax_cross_entropy(
    onehot_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean cross entropy of label probabilities with the softmax of logits."""
    x = convert_to_tensor(logits)
    y = cast(convert_to_tensor(onehot_labels), x.dtype)
    if label_smoothing:
        classes = int(y.shape[-1])
        y = y * (1 - label_smoothing) + label_smoothing / classes
    each = softmax_cross_entropy_with_logits_v2(labels=y, logits=x)
    return compute_weighted_loss(each, weights, scope, loss_collection, reduction)


def sparse_softmax_cross_entropy(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean cross entropy of classes (integers) with the softmax of logits."""
    each = sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return compute_weighted_loss(each, weights, scope, loss_collection, reduction)


def sigmoid_cross_entropy(
    multi_class_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean cross entropy of probabilities with the sigmoid of logits."""
    x = convert_to_tensor(logits)
    y = cast(convert_to_tensor(multi_class_labels), x.dtype)
    if label_smoothing:
        y = y * (1 - label_smoothing) + 0.5 * label_smoothing
    each = sigmoid_cross_entropy_with_logits(labels=y, logits=x)
    return compute_weighted_loss(each, weights, scope, loss_collection, reduction)


def add_loss(loss: Any, loss_collection: str | None = GraphKeys.LOSSES) -> None:
    """Add a loss to the collection."""
    if loss_collection:
        add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: str = GraphKeys.LOSSES) -> list[Tensor]:
    """The collected losses."""
    return get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Tensor]:
    """The collected losses of regularizers."""
    return get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_total_loss(
    add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None
) -> Tensor:
    """The sum of the collected losses."""
    found = get_losses(scope)
    if add_regularization_losses:
        found += get_regularization_losses(scope)
    return add_n(found, name=name)
