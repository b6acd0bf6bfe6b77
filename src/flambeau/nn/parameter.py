"""Tensors that belong to a module: trained parameters and carried-along buffers."""

from __future__ import annotations

from typing import Any

import flambeau.tensor as T
from flambeau.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a module registers when it is assigned, and that optimizers train.

    Shares its storage with `data`; a gradient is wanted unless `requires_grad=False`.

    >>> nn.Parameter(torch.zeros(2)).requires_grad
    True
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = T.empty(0)
        made: Parameter = Tensor._make_subclass(cls, data, requires_grad)
        return made

    def __repr__(self) -> str:
        return "Parameter containing:\n" + Tensor.__repr__(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        copied: Parameter = memo[id(self)]
        return copied

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (self.data, self.requires_grad)


class Buffer(Tensor):
    """A tensor that a module registers as a buffer: saved and moved with it, but not trained.

    `persistent=False` keeps it out of the state dict.

    >>> nn.Buffer(torch.zeros(2), persistent=False).persistent
    False
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        if data is None:
            data = T.empty(0)
        made: Buffer = Tensor._make_subclass(cls, data, data.requires_grad)
        made.persistent = persistent
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Buffer:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), persistent=self.persistent)
        copied: Buffer = memo[id(self)]
        return copied
