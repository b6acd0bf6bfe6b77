"""Padding layers: `padding` is one number for all sides, or (left, right, top, bottom, ...)."""

from __future__ import annotations

from collections.abc import Sequence

import flambeau.nn.functional as F
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor


class _Pad(Module):
    rank: int
    mode: str

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        sides = 2 * self.rank
        self.padding = (padding,) * sides if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != sides:
            raise ValueError(
                f"padding must be one int or {sides} of them, but got {len(self.padding)}"
            )

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """A constant at the ends of the last dimension.

    >>> nn.ConstantPad1d(1, 9.0)(torch.ones(1, 2))
    tensor([[9., 1., 1., 9.]])
    """

    rank = 1


class ConstantPad2d(_ConstantPad):
    """A constant around the last two dimensions.

    >>> nn.ConstantPad2d(1, 9.0)(torch.ones(1, 2, 2)).shape
    torch.Size([1, 4, 4])
    """

    rank = 2


class ConstantPad3d(_ConstantPad):
    """A constant around the last three dimensions.

    >>> nn.ConstantPad3d(1, 9.0)(torch.ones(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    rank = 3


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Zeros at the ends of the last dimension.

    >>> nn.ZeroPad1d(1)(torch.ones(1, 2))
    tensor([[0., 1., 1., 0.]])
    """

    rank = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last two dimensions.

    >>> nn.ZeroPad2d(1)(torch.ones(1, 2, 2)).shape
    torch.Size([1, 4, 4])
    """

    rank = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around the last three dimensions.

    >>> nn.ZeroPad3d(1)(torch.ones(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    rank = 3


class ReflectionPad1d(_Pad):
    """The mirror image at the ends of the last dimension of (N, C, L) or (C, L).

    >>> nn.ReflectionPad1d(1)(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 1., 2., 3., 2.]])
    """

    rank, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """The mirror image around (N, C, H, W) or (C, H, W).

    >>> nn.ReflectionPad2d(1)(torch.ones(1, 2, 2)).shape
    torch.Size([1, 4, 4])
    """

    rank, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """The mirror image around (N, C, D, H, W) or (C, D, H, W).

    >>> nn.ReflectionPad3d(1)(torch.ones(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    rank, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """The border values at the ends of the last dimension of (N, C, L) or (C, L).

    >>> nn.ReplicationPad1d(1)(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 1., 2., 2.]])
    """

    rank, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """The border values around (N, C, H, W) or (C, H, W).

    >>> nn.ReplicationPad2d(1)(torch.ones(1, 2, 2)).shape
    torch.Size([1, 4, 4])
    """

    rank, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """The border values around (N, C, D, H, W) or (C, D, H, W).

    >>> nn.ReplicationPad3d(1)(torch.ones(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    rank, mode = 3, "replicate"


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (self.rank + 1, self.rank + 2):
            raise ValueError(
                f"expected {self.rank + 1}D or {self.rank + 2}D input (got {input.dim()}D input)"
            )
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """Values from the other end, at the ends of the last dimension of (N, C, L) or (C, L).

    >>> nn.CircularPad1d(1)(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1.]])
    """

    rank = 1


class CircularPad2d(_CircularPad):
    """Values from the other end, around (N, C, H, W) or (C, H, W).

    >>> nn.CircularPad2d(1)(torch.ones(1, 2, 2)).shape
    torch.Size([1, 4, 4])
    """

    rank = 2


class CircularPad3d(_CircularPad):
    """Values from the other end, around (N, C, D, H, W) or (C, D, H, W).

    >>> nn.CircularPad3d(1)(torch.ones(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    rank = 3
