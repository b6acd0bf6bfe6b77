"""Tensors filled with random numbers; their memory has the numbers in the order of drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau.core import dtypes
from flambeau.graph.node import Node
from flambeau.ops import random as source
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.selection import cast
from flambeau.ops.shape import expand, permute, reshape
from flambeau.tensor.generator import Generator, state_of
from flambeau.tensor.random_checks import (
    C_NAMES,
    bounds,
    check_float,
    check_probabilities,
    check_probability,
    check_range,
    check_std,
    check_uniform_bounds,
    flattened,
    integer,
)
from flambeau.tensor.results import assign
from flambeau.tensor.tensor import Tensor, check_writable, geometry, is_contiguous


def uniform_(
    self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with uniform numbers from `from_` up to `to`."""
    check_float(self.dtype, "check_uniform_bounds")
    check_uniform_bounds(float(from_), float(to), self.dtype)
    kind = self.dtype
    return _fill("uniform_", self, generator, source.uniform, float(from_), float(to), kind)


def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers."""
    check_std(std)
    check_float(self.dtype, "normal_kernel_cpu")
    how = float(mean), float(std), self.dtype, is_contiguous(self)
    return _fill("normal_", self, generator, source.normal, *how)


def bernoulli_(
    self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fill with 0 and 1; 1 with probability `p`, a number or one for each place."""
    if not isinstance(p, Tensor):
        check_probability(p)
        return _fill("bernoulli_", self, generator, source.bernoulli, float(p))
    check_writable(self)
    check_probabilities(p)
    each = permute(expand(p.node, tuple(self.shape)), memory_dims(self))
    truth = source.bernoulli_each(state_of("bernoulli_", generator), flattened(each))
    return assign(self, cast(placed(self, truth), self.dtype))


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of the exponential distribution of rate `lambd`."""
    if not self.dtype.is_floating_point:
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {SPELLING[self.dtype]}"
        )
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    return _fill("exponential_", self, generator, source.exponential, float(lambd), self.dtype)


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with how many trials it takes to succeed, each with probability `p`."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if self.dtype is dtypes.bool:
        raise NotImplementedError("\"geometric_cpu\" not implemented for 'Bool'")
    return _fill("geometric_", self, generator, source.geometric, float(p), self.dtype)


def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with e to the power of normal numbers."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    check_float(self.dtype, "log_normal_cpu")
    how = float(mean), float(std), self.dtype
    return _fill("log_normal_", self, generator, source.log_normal, *how)


def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers of the Cauchy distribution."""
    if not self.dtype.is_floating_point:
        raise RuntimeError(
            "Cauchy distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {C_NAMES[self.dtype]}"
        )
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    how = float(median), float(sigma), self.dtype
    return _fill("cauchy_", self, generator, source.cauchy, *how)


def random_(self: Tensor, *args: Any, to: Any = None, generator: Generator | None = None) -> Tensor:
    """Fill with integers: `random_(low, high)`, `random_(high)`, or any that are not negative.

    Of a float dtype, `random_()` gives the integers it has exactly; `random_(low, None)` has no
    upper limit but the dtype's.
    """
    kind = self.dtype
    if not args and to is None:
        return _fill("random_", self, generator, source.non_negative, kind)
    if len(args) == 2 and args[1] is None:
        low, high = integer("random_", args[0]), source.largest_whole(kind) + 1
    else:
        low, high = bounds("random_", args, None, to)
    check_range(low, high, kind)
    return _fill("random_", self, generator, source.integers, low, high - low)


def _fill(
    op: str, tensor: Tensor, generator: Generator | None, draw: Callable[..., Node], *how: Any
) -> Tensor:
    """`tensor` filled with what `draw(state, count, *how)` gives."""
    check_writable(tensor)
    node = draw(state_of(op, generator), tensor.numel(), *how)
    return assign(tensor, placed(tensor, cast(node, tensor.dtype)))


def memory_dims(tensor: Tensor) -> tuple[int, ...]:
    """The dimensions from the longest stride to the shortest."""
    shape, strides, _ = geometry(tensor)
    return tuple(sorted(range(len(shape)), key=lambda dim: -strides[dim]))


def placed(tensor: Tensor, flat: Node) -> Node:
    """Numbers in the tensor's shape, so that its memory has them in the order of drawing."""
    shape, dims = tuple(tensor.shape), memory_dims(tensor)
    stored = reshape(flat, tuple([shape[dim] for dim in dims]))
    return permute(stored, tuple(sorted(range(len(dims)), key=dims.__getitem__)))
