"""Losses that ask for a margin between scores or distances.

A term that just reaches its margin has gradient 0 where PyTorch says so (`relu`), and the gradient
of the violated side elsewhere (`clamp`).
"""

from __future__ import annotations

from collections.abc import Callable

import flambeau.tensor as T
from flambeau.nn.functional._reduction import reduced, resolve_reduction
from flambeau.nn.functional.distance import pairwise_distance
from flambeau.tensor import Tensor

# Keeps the norms in the cosine embedding loss away from 0, as PyTorch does.
COSINE_EPS = 1e-12


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`max(0, -target * (input1 - input2) + margin)`: target 1 ranks the first higher, -1 lower.

    >>> F.margin_ranking_loss(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0]))
    tensor(2.)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return reduced((margin - target * (input1 - input2)).clamp(min=0), reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The input (a distance) where the target is 1; `max(0, margin - input)` where it is -1.

    >>> F.hinge_embedding_loss(torch.tensor([0.25, 0.25]), torch.tensor([1.0, -1.0]))
    tensor(0.5000)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    apart = T.where(target != 1, (margin - input).clamp(min=0), 0.0)
    return reduced(apart + T.where(target != -1, input, 0.0), reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`1 - cos` where the target is 1; `max(0, cos - margin)` where it is -1.

    (N, D) inputs with (N,) targets, or (D,) with ().

    >>> F.cosine_embedding_loss(torch.ones(1, 2), torch.ones(1, 2), torch.tensor([-1.0]))
    tensor(1.)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if target.dim() not in (0, 1) or input1.dim() != target.dim() + 1:
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, but found "
            f"inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    squares = ((input1 * input1).sum(-1) + COSINE_EPS) * ((input2 * input2).sum(-1) + COSINE_EPS)
    cosine = (input1 * input2).sum(-1) / T.sqrt(squares)
    together = T.where(target == 1, 1 - cosine, 0.0)
    apart = T.where(target == -1, (cosine - margin).clamp(min=0), 0.0)
    return reduced(together + apart, reduction)


def _triplet(
    distance: Callable[[Tensor, Tensor], Tensor],
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float,
    swap: bool,
) -> Tensor:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.dim()}D, positive {positive.dim()}D, and "
            f"negative {negative.dim()}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = T.minimum(far, distance(positive, negative))
    return (margin + near - far).clamp(min=0)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`max(0, d(anchor, positive) - d(anchor, negative) + margin)`, d the p-norm distance.

    `swap` uses the smaller of the negative's distances from the two others. Source: Balntas et
    al., https://doi.org/10.5244/C.30.119

    >>> a, b = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])
    >>> F.triplet_margin_loss(a, b, b, margin=2.0)
    tensor(2.)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return pairwise_distance(x, y, p, eps)

    return reduced(_triplet(distance, anchor, positive, negative, margin, swap), reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` with any distance.

    >>> a, b = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])
    >>> F.triplet_margin_with_distance_loss(a, b, b, margin=2.0)
    tensor(2.)
    """
    reduction = resolve_reduction(reduction=reduction)
    distance = pairwise_distance if distance_function is None else distance_function
    return reduced(_triplet(distance, anchor, positive, negative, margin, swap), reduction)


def _as_rows(name: str, input: Tensor, target: Tensor, listed: bool) -> tuple[Tensor, Tensor]:
    """The input as (N, C) and the target as (N, 1), or (N, C) if it lists classes."""
    classes = input.shape[-1] if input.dim() else 1
    rows = input.numel() // max(classes, 1)
    if input.dim() > 2 or target.numel() != (input.numel() if listed else rows):
        raise RuntimeError(
            f"{name}: expected an input of shape (N, C) or (C,) and a target that fits it, but got "
            f"{list(input.shape)} and {list(target.shape)}"
        )
    return input.reshape(rows, classes), target.reshape(rows, classes if listed else 1)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Mean over other classes c of `max(0, margin - x[target] + x[c]) ** p`: (N, C) and (N,).

    The sum is divided by C; `weight` (C,) scales each row by its target's weight.

    >>> F.multi_margin_loss(torch.tensor([[0.0, 1.0]]), torch.tensor([0]))
    tensor(1.)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    rows, index = _as_rows("multi_margin_loss", input, target, listed=False)
    classes = T.arange(rows.shape[1], device=input.device)
    excess = T.relu(margin - rows.gather(1, index) + rows)  # (N, C)
    excess = excess * excess if p == 2 else excess
    if weight is not None:
        excess = excess * weight[index]
    loss = T.where(classes == index, 0.0, excess).sum(1) / rows.shape[1]
    return reduced(loss.reshape(input.shape[:-1]), reduction)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Sum of `max(0, 1 - (x[t] - x[c]))` over targets t and other classes c, divided by C.

    Input and target are (N, C) or (C,); a row of the target lists class indices, ended by -1.

    >>> F.multilabel_margin_loss(torch.tensor([0.0, 1.0]), torch.tensor([1, -1]))
    tensor(0.)
    """
    reduction = resolve_reduction(size_average, reduce, reduction)
    rows, index = _as_rows("multilabel_margin_loss", input, target, listed=True)
    size = rows.shape[1]
    listed = (index >= 0).to(T.int64).cumprod(1) > 0  # (N, T)
    index = T.where(listed, index, 0)
    classes = T.arange(size, device=input.device)
    wanted = ((index.unsqueeze(2) == classes) & listed.unsqueeze(2)).any(1)  # (N, C)
    gaps = T.relu(1 - rows.gather(1, index).unsqueeze(2) + rows.unsqueeze(1))  # (N, T, C)
    counted = listed.unsqueeze(2) & ~wanted.unsqueeze(1)
    loss = T.where(counted, gaps, 0.0).sum((1, 2)) / size
    return reduced(loss.reshape(input.shape[:-1]), reduction)
