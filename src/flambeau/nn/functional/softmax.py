"""Softmax and its relatives, along one dimension."""

from __future__ import annotations

import warnings
from typing import Any

import flambeau.tensor as T
from flambeau.nn.functional._precision import computed_wide
from flambeau.tensor import Tensor


def _chosen_dim(name: str, dim: int | None, rank: int) -> int:
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        UserWarning,
        stacklevel=4,
    )
    return 0 if rank in (0, 1, 3) else 1


def _shifted(input: Tensor, dim: int) -> Tensor:
    """The input less its maximum, which both functions are indifferent to: no overflow."""
    if not input.numel():
        return input
    return input - input.detach().amax(dim, keepdim=True)


@computed_wide
def _softmax(input: Tensor, dim: int) -> Tensor:
    exponentials = T.exp(_shifted(input, dim))
    # A division for each row, not for each element.
    return exponentials * exponentials.sum(dim, keepdim=True).reciprocal()


@computed_wide
def _log_softmax(input: Tensor, dim: int) -> Tensor:
    shifted = _shifted(input, dim)
    return shifted - T.log(T.exp(shifted).sum(dim, keepdim=True))


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """`exp(x)` divided by its sum along `dim`; computed in `dtype` if one is given.

    >>> F.softmax(torch.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    dim = _chosen_dim("softmax", dim, input.dim())
    return _softmax(input if dtype is None else input.to(dtype), dim)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """`log(softmax(x))`, accurate also where the softmax is tiny.

    >>> F.log_softmax(torch.tensor([0.0, 0.0]), dim=0)
    tensor([-0.6931, -0.6931])
    """
    dim = _chosen_dim("log_softmax", dim, input.dim())
    return _log_softmax(input if dtype is None else input.to(dtype), dim)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """`softmax(-x)`.

    >>> F.softmin(torch.tensor([1.0, 1.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    dim = _chosen_dim("softmin", dim, input.dim())
    return softmax(-input, dim, dtype=dtype)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A random sample from the softmax of `logits`, one-hot if `hard`, differentiable either way.

    `eps` is not used. Source: Jang et al., https://arxiv.org/abs/1611.01144

    >>> F.gumbel_softmax(torch.zeros(2, 3), hard=True).sum(-1)
    tensor([1., 1.])
    """
    gumbels = -T.log(T.empty_like(logits).exponential_())
    soft = softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    index = soft.argmax(dim, keepdim=True)
    one_hot = T.zeros_like(logits).scatter_(dim, index, 1.0)
    # The value of the one, the gradient of the other.
    return one_hot - soft.detach() + soft
