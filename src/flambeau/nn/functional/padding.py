"""Padding at the ends of dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flambeau.tensor as T
from flambeau.tensor import Tensor


def _edges(input: Tensor, dim: int, left: int, right: int) -> list[Tensor]:
    size = input.shape[dim]
    first, last = input.narrow(dim, 0, 1), input.narrow(dim, size - 1, 1)
    shape = list(input.shape)
    before, after = [*shape], [*shape]
    before[dim], after[dim] = left, right
    return [first.expand(before), input, last.expand(after)]


def _mirrored(input: Tensor, dim: int, left: int, right: int) -> list[Tensor]:
    size = input.shape[dim]
    if max(left, right) >= size:
        raise RuntimeError(
            "Padding size should be less than the corresponding input dimension, but got: padding "
            f"({left}, {right}) at dimension {dim} of input {list(input.shape)}"
        )
    before = input.narrow(dim, 1, left).flip(dim)
    after = input.narrow(dim, size - 1 - right, right).flip(dim)
    return [before, input, after]


def _wrapped(input: Tensor, dim: int, left: int, right: int) -> list[Tensor]:
    size = input.shape[dim]
    if max(left, right) > size:
        raise RuntimeError(
            "Padding value causes wrapping around more than once: padding "
            f"({left}, {right}) at dimension {dim} of input {list(input.shape)}"
        )
    return [input.narrow(dim, size - left, left), input, input.narrow(dim, 0, right)]


PIECES: dict[str, Callable[[Tensor, int, int, int], list[Tensor]]] = {
    "replicate": _edges,
    "reflect": _mirrored,
    "circular": _wrapped,
}


def _pad_dim(input: Tensor, dim: int, left: int, right: int, mode: str) -> Tensor:
    """Pad one dimension; a negative amount crops."""
    added_left, added_right = max(left, 0), max(right, 0)
    size = input.shape[dim] + left + right
    kept = input
    if mode == "circular":  # what is cut off one end does not come back at the other
        kept = input.narrow(dim, max(-left, 0), size - added_left - added_right)
        left = right = 0
    padded = kept
    if added_left or added_right:
        padded = T.cat(PIECES[mode](kept, dim, added_left, added_right), dim)
    return padded if padded.shape[dim] == size else padded.narrow(dim, max(-left, 0), size)


def _check(input: Tensor, pad: Sequence[int], mode: str, value: float | None) -> None:
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, but got {len(pad)}")
    if len(pad) // 2 > input.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension, but "
            f"got padding length {len(pad)} and input of dimension {input.dim()}"
        )
    if mode == "constant":
        return
    if mode not in PIECES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value:
        raise ValueError(f"Padding mode '{mode}' doesn't take in value argument")
    if not 1 <= input.dim() - len(pad) // 2 <= 2 or len(pad) > 6:
        raise NotImplementedError(
            f"Padding mode '{mode}' pads the last 1, 2 or 3 dimensions of an input with one or two "
            f"more; got an input of dimension {input.dim()} and padding {list(pad)}"
        )


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Add `(left, right)` of the last dimension, then of the one before, and so on.

    Modes: `constant` (`value`, 0 by default), `reflect`, `replicate`, `circular`. Negative amounts
    crop.

    >>> F.pad(torch.tensor([[1, 2, 3]]), (1, 1))
    tensor([[0, 1, 2, 3, 0]])
    >>> F.pad(torch.tensor([[1, 2, 3]]), (2, 1), mode="reflect")
    tensor([[3, 2, 1, 2, 3, 2]])
    """
    _check(input, pad, mode, value)
    if mode == "constant":
        return T.constant_pad_nd(input, list(pad), 0 if value is None else value)
    padded = input
    for index in range(len(pad) // 2):
        left, right = pad[2 * index : 2 * index + 2]
        padded = _pad_dim(padded, input.dim() - 1 - index, left, right, mode)
    return padded
