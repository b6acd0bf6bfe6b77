"""How a loss is reduced: today's `reduction` and the older `size_average` and `reduce`."""

from __future__ import annotations

import warnings

from flambeau.tensor import Tensor


def resolve_reduction(
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> str:
    """`'none'`, `'mean'` or `'sum'`, with a warning where an old spelling was used.

    >>> from flambeau.nn.functional._reduction import resolve_reduction
    >>> resolve_reduction(reduction="sum")
    'sum'
    """
    if size_average is not None or reduce is not None:
        summed = "mean" if size_average in (None, True) else "sum"
        reduction = summed if reduce in (None, True) else "none"
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{reduction}' instead.",
            UserWarning,
            stacklevel=3,
        )
    if reduction == "elementwise_mean":
        warnings.warn(
            "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.",
            UserWarning,
            stacklevel=3,
        )
        return "mean"
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The loss elements, their mean or their sum."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss
