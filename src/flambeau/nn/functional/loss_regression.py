"""Losses between numbers: squared, absolute, and in between; and negative log-likelihoods."""

from __future__ import annotations

import math
import warnings

import flambeau.tensor as T
from flambeau.nn.functional._reduction import reduced, resolve_reduction
from flambeau.tensor import Tensor


def _warn_if_sizes_differ(input: Tensor, target: Tensor) -> None:
    if target.shape != input.shape:
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            UserWarning,
            stacklevel=3,
        )


def _check_weight(weight: Tensor, input: Tensor) -> None:
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")


def _weighted(loss: Tensor, input: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """Reduce; a weighted mean is divided by the sum of the weights."""
    if weight is None:
        return reduced(loss, reduction)
    _check_weight(weight, input)
    if reduction == "mean":
        return (loss * weight).sum() / weight.sum()
    return reduced(loss * weight, reduction)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """`(input - target)²`, reduced.

    >>> F.mse_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """
    _warn_if_sizes_differ(input, target)
    reduction = resolve_reduction(size_average, reduce, reduction)
    difference = input - target
    return _weighted(difference * difference, input, weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """`|input - target|`, reduced.

    >>> F.l1_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(1.)
    """
    _warn_if_sizes_differ(input, target)
    reduction = resolve_reduction(size_average, reduce, reduction)
    return _weighted(T.abs(input - target), input, weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """`d² / (2 beta)` where `d = |input - target| < beta`, and `d - beta / 2` elsewhere.

    Source: Girshick, https://arxiv.org/abs/1504.08083

    >>> F.smooth_l1_loss(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 3.0]))
    tensor(1.5000)
    """
    _warn_if_sizes_differ(input, target)
    reduction = resolve_reduction(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    distance = T.abs(input - target)
    if beta == 0:
        return reduced(distance, reduction)
    near = distance * distance * (0.5 / beta)
    return reduced(T.where(distance < beta, near, distance - 0.5 * beta), reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """`d² / 2` where `d = |input - target| <= delta`, and `delta (d - delta / 2)` elsewhere.

    Source: Huber, https://doi.org/10.1214/aoms/1177703732

    >>> F.huber_loss(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 3.0]), delta=2.0)
    tensor(2.2500)
    """
    _warn_if_sizes_differ(input, target)
    reduction = resolve_reduction(reduction=reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    distance = T.abs(input - target)
    far = (distance - 0.5 * delta) * delta
    loss = T.where(distance <= delta, distance * distance * 0.5, far)
    if weight is not None:
        _check_weight(weight, input)
        loss = loss * weight
    return reduced(loss, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """`target * (log(target) - input)`: the input holds log-probabilities, as may the target.

    `reduction='batchmean'` divides the sum by the size of the first dimension.

    >>> F.kl_div(torch.log(torch.tensor([0.5, 0.5])), torch.tensor([1.0, 0.0]), reduction="sum")
    tensor(0.6931)
    """
    batch_mean = reduction == "batchmean"
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support "
            "size. 'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.",
            UserWarning,
            stacklevel=2,
        )
    reduction = resolve_reduction(size_average, reduce, "sum" if batch_mean else reduction)
    if log_target:
        loss = T.exp(target) * (target - input)
    else:
        # 0 log 0 counts as 0.
        logarithm = T.log(T.where(target == 0, 1.0, target))
        loss = target * (logarithm - input)
    total = reduced(loss, reduction)
    return total / input.shape[0] if batch_mean and input.dim() else total


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of counts under a Poisson law whose (log-)rate is the input.

    `full` adds Stirling's approximation of `log(target!)` where the target exceeds 1.

    >>> F.poisson_nll_loss(torch.tensor([0.0]), torch.tensor([2.0]))
    tensor(1.)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    rate, log_rate = (T.exp(input), input) if log_input else (input, T.log(input + eps))
    loss = rate - target * log_rate
    if full:
        count = T.where(target > 1, target, 1.0)
        stirling = count * T.log(count) - count + 0.5 * T.log(2 * math.pi * count)
        loss = loss + T.where(target > 1, stirling, 0.0)
    return reduced(loss, reduction)


def _matching_variance(input: Tensor, var: Tensor) -> Tensor:
    if var.shape == input.shape:
        return var
    if input.shape[:-1] == var.shape:
        return var.unsqueeze(-1)
    pairs = zip(input.shape, var.shape, strict=True) if input.dim() == var.dim() else ()
    differing = [own for size, own in pairs if size != own]
    if sum(differing) != 1:
        raise ValueError(
            f"var is of incorrect size: expected {tuple(input.shape)}, with the last dimension "
            f"left out or one dimension of size 1, but got {tuple(var.shape)}"
        )
    return var


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood under a normal law with mean `input` and variance `var`.

    Variances below `eps` count as `eps`; `full` adds the constant `log(2π) / 2`. ValueError for a
    negative variance. Source: Nix and Weigend, https://doi.org/10.1109/ICNN.1994.374138

    >>> F.gaussian_nll_loss(torch.tensor([0.0]), torch.tensor([2.0]), torch.tensor([1.0]))
    tensor(2.)
    """
    reduction = resolve_reduction(reduction=reduction)
    given = var if isinstance(var, Tensor) else T.full_like(input, var)
    if bool((given < 0).any()):
        raise ValueError("var has negative entry/entries")
    variance = _matching_variance(input, given)
    # The limit applies to the value only: the gradient passes as if it were not there.
    variance = T.where(variance < eps, variance - variance.detach() + eps, variance)
    difference = input - target
    loss = 0.5 * (T.log(variance) + difference * difference / variance)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction)
