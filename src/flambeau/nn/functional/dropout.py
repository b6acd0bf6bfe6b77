"""Randomly silenced elements, channels and feature maps.

Source: Srivastava et al., https://jmlr.org/papers/v15/srivastava14a.html
"""

from __future__ import annotations

import math
import warnings

import flambeau.tensor as T
from flambeau.tensor import Tensor

# The value SELU tends to for x going to minus infinity: alpha dropout sets elements to it.
_SATURATED = -1.7580993408473766


def _check(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _kept(input: Tensor, p: float, shape: tuple[int, ...]) -> Tensor:
    """One draw in `shape`: 1 with probability 1 - p, else 0."""
    return T.empty(shape, dtype=input.dtype, device=input.device).bernoulli_(1 - p)


def _drop(input: Tensor, p: float, shape: tuple[int, ...], inplace: bool) -> Tensor:
    if p == 1.0:
        noise = T.zeros(shape, dtype=input.dtype, device=input.device)
    else:
        noise = _kept(input, p, shape).div_(1 - p)
    return input.mul_(noise) if inplace else input * noise


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, each element is 0 with probability p and divided by 1 - p otherwise.

    >>> F.dropout(torch.ones(2), training=False)
    tensor([1., 1.])
    """
    _check(p)
    if not training or p == 0.0:
        return input
    return _drop(input, p, tuple(input.shape), inplace)


def _channels(input: Tensor) -> tuple[int, ...]:
    if input.dim() < 2:
        raise RuntimeError(
            f"Feature dropout requires at least 2 dimensions in the input, but got {input.dim()}"
        )
    return (input.shape[0], input.shape[1], *[1] * (input.dim() - 2))


def _channel_dropout(
    input: Tensor, p: float, training: bool, inplace: bool, unbatched: int
) -> Tensor:
    """Drop whole channels; an input of `unbatched` dimensions has no batch dimension."""
    _check(p)
    if not training or p == 0.0:
        return input
    if input.dim() == unbatched:
        shape = (input.shape[0], *[1] * (unbatched - 1))
        return _drop(input, p, shape, inplace)
    return _drop(input, p, _channels(input), inplace)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of a (N, C, L) or (C, L) input.

    >>> F.dropout1d(torch.ones(1, 2, 3), training=False).shape
    torch.Size([1, 2, 3])
    """
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension."
        )
    return _channel_dropout(input, p, training, inplace, unbatched=2)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of a (N, C, H, W) input.

    Source: Tompson et al., https://arxiv.org/abs/1411.4280

    >>> F.dropout2d(torch.ones(1, 2, 3, 3), training=False).shape
    torch.Size([1, 2, 3, 3])
    """
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d: it is taken as (N, C, L), with one "
            "draw per channel, not as a (C, H, W) input without a batch dimension.",
            UserWarning,
            stacklevel=2,
        )
    return _channel_dropout(input, p, training, inplace, unbatched=-1)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of a (N, C, D, H, W) or (C, D, H, W) input.

    >>> F.dropout3d(torch.ones(1, 2, 3, 3, 3), training=False).shape
    torch.Size([1, 2, 3, 3, 3])
    """
    return _channel_dropout(input, p, training, inplace, unbatched=4)


def _alpha(input: Tensor, p: float, shape: tuple[int, ...], inplace: bool) -> Tensor:
    if p == 1.0:
        return input.mul_(0.0) if inplace else input * 0.0
    scale = 1.0 / math.sqrt((_SATURATED**2 * p + 1) * (1 - p))
    kept = _kept(input, p, shape)
    shift = (kept - 1).mul_(_SATURATED * scale).add_(_SATURATED * scale * p)
    noise = kept.mul_(scale)
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for SELU networks, which keeps mean and variance.

    Source: Klambauer et al., https://arxiv.org/abs/1706.02515

    >>> F.alpha_dropout(torch.ones(2))
    tensor([1., 1.])
    """
    _check(p)
    if not training or p == 0.0:
        return input
    return _alpha(input, p, tuple(input.shape), inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels.

    >>> F.feature_alpha_dropout(torch.ones(1, 2, 3)).shape
    torch.Size([1, 2, 3])
    """
    _check(p)
    if not training or p == 0.0:
        return input
    return _alpha(input, p, _channels(input), inplace)
