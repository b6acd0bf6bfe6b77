"""The Hurwitz zeta function and the derivatives of digamma, computed by NumPy on the host."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flambeau.tensor.elementwise import digamma
from flambeau.tensor.function import Function
from flambeau.tensor.linalg.host import on_host
from flambeau.tensor.promotion import float_node, float_operands
from flambeau.tensor.results import finish
from flambeau.tensor.tensor import Tensor, wrap

# From here on the series is accurate to float64; smaller arguments are raised one by one, so far.
_ACCURATE, _MOST_STEPS = 10.0, 10_000
# Bernoulli numbers B(2), B(4), ... over (2k)!.
_COEFFICIENTS = tuple(
    [
        bernoulli / math.factorial(2 * k)
        for k, bernoulli in enumerate(
            (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510), 1
        )
    ]
)


def hurwitz(s: np.ndarray, q: np.ndarray) -> np.ndarray:
    """`Σ (q + k)^-s` over k = 0, 1, ..., by the Euler-Maclaurin formula (DLMF 25.11.5)."""
    order, start = np.broadcast_arrays(s.astype(np.float64), q.astype(np.float64))
    at, total = start.copy(), np.zeros(start.shape)
    for _ in range(_MOST_STEPS):
        small = at < _ACCURATE
        if not small.any():
            break
        total += np.where(small, at**-order, 0.0)
        at += small
    total += at ** (1 - order) / (order - 1) + 0.5 * at**-order
    factor = order * at ** (-order - 1)
    for k, coefficient in enumerate(_COEFFICIENTS, 1):
        total += coefficient * factor
        factor = factor * (order + 2 * k - 1) * (order + 2 * k) / at**2
    total = np.where((start <= 0) & (order != np.floor(order)), np.nan, total)
    total = np.where((start <= 0) & (start == np.floor(start)), np.inf, total)
    total = np.where(at < _ACCURATE, np.nan, total)
    total = np.where(order == 1, np.inf, np.where(order > 1, total, np.nan))
    return np.asarray(total).astype(s.dtype)


class Zeta(Function):
    """The Hurwitz zeta function."""

    @staticmethod
    def forward(ctx: Any, s: Tensor, q: Tensor) -> Any:
        ctx.save_for_backward(s, q)
        return on_host(lambda s, q: (hurwitz(s, q),), s, q)[0]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        s, q = ctx.saved_tensors
        if ctx.needs_input_grad[0]:
            raise NotImplementedError("the derivative for 'self' of 'zeta' is not implemented.")
        return None, grads[0] * -s * Zeta.apply(s + 1, q)


def zeta(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """`Σ (other + k)^-input` over k = 0, 1, ...

    >>> import flambeau
    >>> flambeau.special.zeta(flambeau.tensor([2.0]), 1.0)
    tensor([1.6449])
    """
    s, q = float_operands(input, other)
    return finish(Zeta.apply(wrap(s), wrap(q)).node, out)


def polygamma(n: int, input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The derivative of order `n` of digamma.

    >>> import flambeau
    >>> flambeau.polygamma(1, flambeau.tensor([1.0]))
    tensor([1.6449])
    """
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    if n == 0:
        return digamma(input, out=out)
    x = wrap(float_node(input))
    factor = math.factorial(n) * (-1) ** (n + 1)
    value: Tensor = Zeta.apply(x.new_full((), n + 1), x) * factor
    return finish(value.node, out)
