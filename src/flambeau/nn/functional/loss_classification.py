"""Losses between scores or probabilities and classes."""

from __future__ import annotations

import flambeau.tensor as T
from flambeau.nn.functional._reduction import reduced, resolve_reduction
from flambeau.nn.functional.activation import logsigmoid
from flambeau.nn.functional.softmax import log_softmax
from flambeau.tensor import Tensor

# PyTorch limits the logarithm of a probability to this, so that the loss of a sure mistake is
# finite.
SMALLEST_LOGARITHM = -100.0


def _class_dim(input: Tensor) -> int:
    if input.dim() == 0:
        raise ValueError("Expected input with at least 1 dimension: classes are dimension 0 or 1")
    return 0 if input.dim() == 1 else 1


def _check_target(input: Tensor, target: Tensor, dim: int) -> None:
    if target.dtype not in (T.int64, T.uint8):
        raise RuntimeError(
            f"expected target dtype to be int64 or uint8 (Long or Byte), but got {target.dtype}"
        )
    expected = (*input.shape[:dim], *input.shape[dim + 1 :])
    if tuple(target.shape) == expected:
        return
    if input.dim() > 1 and target.dim() and target.shape[0] != input.shape[0]:
        raise ValueError(
            f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
            f"({target.shape[0]})."
        )
    raise RuntimeError(
        f"Expected target of shape {list(expected)} for an input of shape {list(input.shape)}, "
        f"but got {list(target.shape)}"
    )


def _check_class_weight(weight: Tensor, input: Tensor, dim: int) -> None:
    if tuple(weight.shape) != (input.shape[dim],):
        raise RuntimeError(
            f"weight tensor should be defined either for all {input.shape[dim]} classes or no "
            f"classes but got weight tensor of shape: {list(weight.shape)}"
        )


def _along(weight: Tensor, rank: int, dim: int) -> Tensor:
    """Class weights, shaped to broadcast along the class dimension."""
    return weight.view([-1 if index == dim else 1 for index in range(rank)])


def _class_losses(
    log_probabilities: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """Negative log-probability of the target classes; a mean is weighted like the terms."""
    dim = _class_dim(log_probabilities)
    _check_target(log_probabilities, target, dim)
    valid = target != ignore_index
    index = T.where(valid, target, 0).to(T.int64)
    picked = log_probabilities.gather(dim, index.unsqueeze(dim)).squeeze(dim)
    if weight is None:
        weights = valid.to(log_probabilities.dtype)
        loss = T.where(valid, -picked, 0.0)
    else:
        _check_class_weight(weight, log_probabilities, dim)
        weights = T.where(valid, weight[index], 0.0)
        loss = T.where(valid, -picked * weights, 0.0)
    if smoothing:
        if weight is not None:
            log_probabilities = log_probabilities * _along(weight, log_probabilities.dim(), dim)
        spread = T.where(valid, -log_probabilities.sum(dim), 0.0)
        classes = log_probabilities.shape[dim]
        loss = loss * (1 - smoothing) + spread * (smoothing / classes)
    if reduction == "mean":
        return loss.sum() / weights.sum()
    return reduced(loss, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`-input` at the target classes: log-probabilities (N, C, ...) or (C,), targets (N, ...).

    `weight` (C,) scales the classes, also in the mean; targets equal to `ignore_index` do not
    count. IndexError for any other index out of range.

    >>> F.nll_loss(torch.log(torch.tensor([[0.5, 0.5]])), torch.tensor([1]))
    tensor(0.6931)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    return _class_losses(input, target, weight, ignore_index, reduction, 0.0)


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    dim = _class_dim(input)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / input.shape[dim]
    loss = -(log_softmax(input, dim) * target)
    if weight is not None:
        _check_class_weight(weight, input, dim)
        loss = loss * _along(weight, input.dim(), dim)
    if reduction == "mean":
        return loss.sum() / (input.numel() // input.shape[dim])
    return reduced(loss.sum(dim), reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Negative log-softmax of scores (N, C, ...) or (C,) at the target classes.

    Targets are class indices (N, ...), or probabilities in the shape of the input. `weight` (C,)
    scales the classes; indices equal to `ignore_index` do not count; `label_smoothing` moves that
    share of each target to all classes evenly.

    >>> F.cross_entropy(torch.zeros(1, 2), torch.tensor([1]))
    tensor(0.6931)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if target.shape == input.shape:
        if not target.is_floating_point():
            raise RuntimeError(
                f"Expected floating point type for target with class probabilities, got "
                f"{target.dtype}"
            )
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    log_probabilities = log_softmax(input, _class_dim(input))
    return _class_losses(
        log_probabilities, target, weight, ignore_index, reduction, label_smoothing
    )


def _limited_log(probability: Tensor) -> Tensor:
    """The logarithm, not below SMALLEST_LOGARITHM; no gradient where it is limited."""
    positive = probability > 0
    logarithm = T.log(T.where(positive, probability, 1.0)).clamp(min=SMALLEST_LOGARITHM)
    return T.where(positive, logarithm, SMALLEST_LOGARITHM)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`-(t log(p) + (1 - t) log(1 - p))` of probabilities p, logarithms limited to -100.

    ValueError if the sizes differ.

    >>> F.binary_cross_entropy(torch.tensor([0.5]), torch.tensor([1.0]))
    tensor(0.6931)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}) is deprecated. Please ensure they have the same size."
        )
    loss = (target - 1) * _limited_log(1 - input) - target * _limited_log(input)
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of `sigmoid(input)`, without its loss of precision.

    `pos_weight` scales the positive part of the loss.

    >>> F.binary_cross_entropy_with_logits(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor(0.6931)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(
            f"Target size ({target.size()}) must be the same as input size ({input.size()})"
        )
    log_probability = logsigmoid(input)
    if pos_weight is not None:
        log_probability = log_probability * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input - log_probability
    return reduced(loss if weight is None else loss * weight, reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`log(1 + exp(-target * input))`, targets 1 and -1.

    >>> F.soft_margin_loss(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor(0.6931)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    return reduced(-logsigmoid(target * input), reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`binary_cross_entropy_with_logits`, averaged over the classes (..., C).

    >>> F.multilabel_soft_margin_loss(torch.zeros(1, 2), torch.ones(1, 2))
    tensor(0.6931)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    loss = loss if weight is None else loss * weight
    return reduced(loss.mean(-1), reduction)
