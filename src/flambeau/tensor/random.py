"""Random tensors: PyTorch's numbers for the same seed, by tests/random_reference.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import random as source
from flambeau.ops.comparison import ge
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.logic import logical_not
from flambeau.ops.reduction import any_
from flambeau.ops.selection import cast
from flambeau.ops.shape import reshape, zeros
from flambeau.tensor import arithmetic
from flambeau.tensor.cloning import detach
from flambeau.tensor.creation import finished
from flambeau.tensor.generator import (
    Generator,
    default_generator,
    fork_rng,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
    state_of,
)
from flambeau.tensor.random_checks import (
    bounds,
    check_float,
    check_multinomial,
    check_probabilities,
    check_probability,
    check_range,
    check_std,
    check_weights,
    checked_shape,
    chosen_kind,
    flattened,
    is_true,
)
from flambeau.tensor.random_inplace import (
    bernoulli_,
    cauchy_,
    exponential_,
    geometric_,
    log_normal_,
    memory_dims,
    normal_,
    placed,
    random_,
    uniform_,
)
from flambeau.tensor.tensor import Tensor, wrap

# ------------------------------------------------------------------------------------ creation


def rand(
    *args: Any,
    size: Any = None,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform numbers from 0 up to 1.

    >>> import flambeau
    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.rand(2, 2)
    tensor([[0.4963, 0.7682],
            [0.0885, 0.1320]])
    """
    shape, kind = checked_shape("rand", args, size), chosen_kind(out, dtype, device)
    check_float(kind, "check_uniform_bounds")
    node = source.uniform(state_of("rand", generator), math.prod(shape), 0.0, 1.0, kind)
    return finished(reshape(node, shape), requires_grad, out)


def randn(
    *args: Any,
    size: Any = None,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Standard normal numbers.

    >>> import flambeau
    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    shape, kind = checked_shape("randn", args, size), chosen_kind(out, dtype, device)
    check_float(kind, "normal_kernel_cpu")
    node = source.normal(state_of("randn", generator), math.prod(shape), 0.0, 1.0, kind)
    return finished(reshape(node, shape), requires_grad, out)


def randint(
    *args: Any,
    low: Any = None,
    high: Any = None,
    size: Any = None,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Integers from `low` (0 by default) up to `high`, which is left out.

    >>> import flambeau
    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.randint(10, (5,))
    tensor([4, 9, 3, 0, 3])
    """
    given = list(args)
    if size is None:
        if len(given) < 2 and high is None:
            raise TypeError(
                "randint() expects (high, size) or (low, high, size), but got "
                f"{len(given)} positional arguments and no size"
            )
        size = given.pop()
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"randint(): argument 'size' must be tuple of ints, not {type(size).__name__}"
        )
    first, last = bounds("randint", given, low, high)
    shape = checked_shape("randint", (size,))
    kind = chosen_kind(out, dtype, device, dtypes.int64)
    check_range(first, last, kind)
    state = state_of("randint", generator)
    node = source.integers(state, math.prod(shape), first, last - first)
    return finished(reshape(cast(node, kind), shape), requires_grad, out)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """0 to n-1 in random order.

    >>> import flambeau
    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.randperm(5)
    tensor([4, 0, 1, 3, 2])
    """
    (count,) = checked_shape("randperm", (n,))
    kind = chosen_kind(out, dtype, device, dtypes.int64)
    if kind is dtypes.bool:
        raise NotImplementedError("\"randperm\" not implemented for 'Bool'")
    largest = source.largest_whole(kind)
    if count > largest + 1:
        raise RuntimeError(
            f"n cannot be greater than {largest + 1} for {SPELLING[kind]} type."
            if kind.is_floating_point
            else f"value cannot be converted to type {kind.name}_t without overflow"
        )
    node = source.permutation(state_of("randperm", generator), count)
    return finished(cast(node, kind), requires_grad, out)


def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Uniform numbers from 0 up to 1, of the shape and dtype of `input`."""
    kind = chosen_kind(None, dtype, device, input.dtype)
    check_float(kind, "check_uniform_bounds")
    node = source.uniform(state_of("rand_like", generator), input.numel(), 0.0, 1.0, kind)
    return finished(placed(input, node), requires_grad)


def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Standard normal numbers of the shape and dtype of `input`."""
    kind = chosen_kind(None, dtype, device, input.dtype)
    check_float(kind, "normal_kernel_cpu")
    dims = [dim for dim in memory_dims(input) if input.shape[dim] != 1]
    state = state_of("randn_like", generator)
    node = source.normal(state, input.numel(), 0.0, 1.0, kind, dims == sorted(dims))
    return finished(placed(input, node), requires_grad)


def randint_like(
    input: Tensor,
    *args: Any,
    low: Any = None,
    high: Any = None,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Integers from `low` (0 by default) up to `high`, of the shape and dtype of `input`."""
    first, last = bounds("randint_like", args, low, high)
    kind = chosen_kind(None, dtype, device, input.dtype)
    check_range(first, last, kind)
    state = state_of("randint_like", generator)
    node = source.integers(state, input.numel(), first, last - first)
    return finished(placed(input, cast(node, kind)), requires_grad)


# --------------------------------------------------------------------------- given distributions


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers; where `mean` or `std` is a tensor, each with its own.

    >>> import flambeau
    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.normal(2.0, 3.0, (2,))
    tensor([6.6230, 1.1197])
    """
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        return finished(_normal_each(mean, std, generator), requires_grad, out)
    if size is None:
        raise TypeError("normal() of two numbers expects a size as its third argument")
    check_std(std)
    shape, kind = checked_shape("normal", (size,)), chosen_kind(out, dtype, device)
    check_float(kind, "normal_kernel_cpu")
    state = state_of("normal", generator)
    node = source.normal(state, math.prod(shape), float(mean), float(std), kind)
    return finished(reshape(node, shape), requires_grad, out)


def _normal_each(mean: Any, std: Any, generator: Generator | None) -> Node:
    kind = mean.dtype if isinstance(mean, Tensor) else std.dtype
    check_float(kind, "normal_kernel_cpu")
    state = state_of("normal", generator)
    if not isinstance(std, Tensor):
        check_std(std)
        count, shape = mean.numel(), tuple(mean.shape)
        scaled = wrap(reshape(source.normal(state, count, 0.0, float(std), kind), shape))
        return arithmetic.add(scaled, detach(mean)).node
    negative = any_(flattened(logical_not(ge(std.node, scalar(0, std.dtype)))), (0,))
    if std.numel() and is_true(negative):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    shape = np.broadcast_shapes(tuple(mean.shape) if isinstance(mean, Tensor) else (), std.shape)
    plain = reshape(source.normal(state, math.prod(shape), 0.0, 1.0, kind), shape)
    scaled = arithmetic.mul(wrap(plain), detach(std))
    offset = detach(mean) if isinstance(mean, Tensor) else float(mean)
    return cast(arithmetic.add(wrap(cast(scaled.node, kind)), offset).node, kind)


def bernoulli(
    input: Tensor,
    p: float | None = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """0 or 1; 1 with the probability that `input` has at the place, or with probability `p`.

    >>> import flambeau
    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.bernoulli(flambeau.full((5,), 0.5))
    tensor([1., 0., 1., 1., 1.])
    """
    state = state_of("bernoulli", generator)
    if p is not None:
        check_probability(p)
        truth = source.bernoulli(state, input.numel(), float(p))
    else:
        check_probabilities(input)
        truth = source.bernoulli_each(state, flattened(input.node))
    return finished(cast(reshape(truth, tuple(input.shape)), input.dtype), False, out)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Positions (int64) in the last dimension, drawn with probabilities in proportion to `input`.

    `input` has shape (categories,) or (rows, categories), the result (num_samples,) or
    (rows, num_samples). RuntimeError for weights that are negative, not finite or all 0.

    >>> import flambeau
    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.multinomial(flambeau.tensor([0.0, 3.0, 1.0]), 2)
    tensor([1, 2])
    """
    check_multinomial(input, num_samples, replacement, out)
    shape = tuple(input.shape)
    rows = shape[0] if len(shape) == 2 else 1
    weights = reshape(input.node, (rows, shape[-1]))
    state = state_of("multinomial", generator)
    if rows:
        check_weights(weights, replacement and num_samples > 1)
        node = source.multinomial(state, weights, num_samples, replacement)
    else:
        node = zeros((0, num_samples), dtypes.int64)
    return finished(reshape(node, (*shape[:-1], num_samples)), False, out)


__all__ = [
    "FUNCTIONS", "METHODS", "Generator", "bernoulli", "default_generator", "fork_rng",
    "get_rng_state", "initial_seed", "manual_seed", "multinomial", "normal", "rand", "rand_like",
    "randint", "randint_like", "randn", "randn_like", "randperm", "seed", "set_rng_state",
]  # fmt: skip

METHODS: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        bernoulli, bernoulli_, cauchy_, exponential_, geometric_, log_normal_, multinomial,
        normal_, random_, uniform_,
    )
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        bernoulli, get_rng_state, initial_seed, manual_seed, multinomial, normal, rand, rand_like,
        randint, randint_like, randn, randn_like, randperm, seed, set_rng_state,
    )
}  # fmt: skip
