"""Python's arithmetic, comparisons and indexing on tensors and variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau.tf1 import elementwise as e
from flambeau.tf1.graph import Tensor
from flambeau.tf1.products import matmul
from flambeau.tf1.slicing import getitem
from flambeau.tf1.variables import Variable

_BINARY: dict[str, Callable[..., Tensor]] = {
    "add": e.add,
    "sub": e.subtract,
    "mul": e.multiply,
    "truediv": e.truediv,
    "floordiv": e.floordiv,
    "mod": e.floormod,
    "pow": e.pow_,
    "matmul": matmul,
    "and": e.logical_and,
    "or": e.logical_or,
    "xor": e.logical_xor,
}
# Methods of one argument that have no reflected form.
_ONE_SIDED: dict[str, Callable[..., Tensor]] = {
    "getitem": getitem,
    "lt": e.less,
    "le": e.less_equal,
    "gt": e.greater,
    "ge": e.greater_equal,
}
_UNARY: dict[str, Callable[..., Tensor]] = {
    "neg": e.negative,
    "abs": e.abs_,
    "invert": e.logical_not,
}


def _method(function: Callable[..., Tensor]) -> Callable[[Any, Any], Tensor]:
    return lambda self, other: function(self, other)


def _reflected(function: Callable[..., Tensor]) -> Callable[[Any, Any], Tensor]:
    return lambda self, other: function(other, self)


def _alone(function: Callable[..., Tensor]) -> Callable[[Any], Tensor]:
    return lambda self: function(self)


def install() -> None:
    """Give both classes the operators; done once, when the package is loaded."""
    for owner in (Tensor, Variable):
        for name, function in _BINARY.items():
            setattr(owner, f"__{name}__", _method(function))
            setattr(owner, f"__r{name}__", _reflected(function))
        for name, function in _ONE_SIDED.items():
            setattr(owner, f"__{name}__", _method(function))
        for name, function in _UNARY.items():
            setattr(owner, f"__{name}__", _alone(function))
