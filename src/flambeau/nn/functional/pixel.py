"""Moving values between channels and positions."""

from __future__ import annotations

from flambeau.tensor import Tensor


def _inner_permuted(input: Tensor, *order: int) -> Tensor:
    """The last dimensions in another order, those before them as they are."""
    outer = input.dim() - len(order)
    return input.permute(*range(outer), *(outer + place for place in order))


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(..., C r², H, W) to (..., C, H r, W r).

    Source: Shi et al., https://arxiv.org/abs/1609.05158

    >>> F.pixel_shuffle(torch.ones(1, 4, 2, 2), 2).shape
    torch.Size([1, 1, 4, 4])
    """
    r = upscale_factor
    if input.dim() < 3:
        raise RuntimeError(
            "pixel_shuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *batch, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    split = input.reshape(*batch, channels // (r * r), r, r, height, width)
    moved = _inner_permuted(split, 0, 3, 1, 4, 2)  # (..., C, H, r, W, r)
    return moved.reshape(*batch, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(..., C, H r, W r) to (..., C r², H, W): the inverse of `pixel_shuffle`.

    >>> F.pixel_unshuffle(torch.ones(1, 1, 4, 4), 2).shape
    torch.Size([1, 4, 2, 2])
    """
    r = downscale_factor
    if input.dim() < 3:
        raise RuntimeError(
            "pixel_unshuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *batch, channels, height, width = input.shape
    if height % r or width % r:
        raise RuntimeError(
            "pixel_unshuffle expects height and width to be divisible by downscale_factor, but "
            f"({height}, {width}) are not both divisible by {r}"
        )
    split = input.reshape(*batch, channels, height // r, r, width // r, r)
    moved = _inner_permuted(split, 0, 2, 4, 1, 3)  # (..., C, r, r, H, W)
    return moved.reshape(*batch, channels * r * r, height // r, width // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleave the channels of (N, C, ...): channel i of group g goes to place i * groups + g.

    Source: Zhang et al., https://arxiv.org/abs/1707.01083

    >>> F.channel_shuffle(torch.arange(4).view(1, 4, 1), 2).flatten()
    tensor([0, 2, 1, 3])
    """
    if input.dim() < 3:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with {input.dim()} dims"
        )
    samples, channels = input.shape[:2]
    if groups <= 0 or channels % groups:
        raise RuntimeError(
            "Number of channels must be divisible by groups. Got "
            f"{channels} channels and {groups} groups."
        )
    split = input.reshape(samples, groups, channels // groups, *input.shape[2:])
    return split.transpose(1, 2).reshape(input.shape)
