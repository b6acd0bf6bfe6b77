"""Devices: where a tensor's bytes live and its kernels run."""

from __future__ import annotations

import functools
from typing import Any

TYPES = ("cpu", "cuda", "meta")


class device:  # noqa: N801 - PyTorch's spelling
    """`device('cpu')`, `device('cuda', 1)` or `device('cuda:1')`.

    >>> device('cuda:1').index
    1
    """

    __slots__ = ("index", "type")

    def __init__(self, name: str | int | device, index: int | None = None) -> None:
        if isinstance(name, device):
            name = str(name)
        if isinstance(name, int):
            name = f"cuda:{name}"
        kind, colon, number = name.partition(":")
        if kind not in TYPES or (colon and not number.isdigit()):
            raise RuntimeError(
                f"Invalid device string: '{name}'. Expected one of "
                f"{', '.join(TYPES)}, optionally followed by ':' and a number"
            )
        if colon and index is not None:
            raise RuntimeError(f"device '{name}' names an index and index={index} was given too")
        self.type: str = kind
        self.index: int | None = int(number) if colon else index

    def __repr__(self) -> str:
        if self.index is None:
            return f"device(type='{self.type}')"
        return f"device(type='{self.type}', index={self.index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, device):
            return NotImplemented
        return self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return device, (str(self),)


CPU = device("cpu")


@functools.cache
def _resolved(name: str) -> device:
    asked = device(name)
    if asked.type == "cpu":
        return CPU
    if asked.type == "cuda":
        raise RuntimeError(
            "device='cuda' was asked for, but no CUDA device is available: this build computes on "
            "the CPU. Use device='cpu', or torch.cuda.is_available() to choose"
        )
    raise NotImplementedError(f"device='{name}' is not supported; use device='cpu'")


def resolve(asked: str | int | device | None) -> device:
    """The device to compute on; RuntimeError when this machine does not have it."""
    if asked is None or asked is CPU:
        return CPU
    return _resolved(str(device(asked)))
