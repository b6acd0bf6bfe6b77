"""Least squares."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from flambeau.core import dtypes
from flambeau.ops.elementwise_base import SPELLING
from flambeau.tensor.creation import zeros
from flambeau.tensor.function import Function
from flambeau.tensor.linalg.host import NARROW, on_host
from flambeau.tensor.linalg.solve import is_vector
from flambeau.tensor.linalg.spectral import pinv, pseudo_inverse_gradient
from flambeau.tensor.linalg.triangular import same_stacks
from flambeau.tensor.tensor import Tensor

DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


class LeastSquares(NamedTuple):
    """The solution, and what the driver says beside it; what it does not say is empty."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


class Solution(Function):
    """The shortest x that makes `|a x - b|` smallest, and the squares of what is left of b."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, rcond: float, with_residuals: bool) -> Any:
        found = on_host(lambda a, b: _solved(a, b, rcond, with_residuals), a, b)
        ctx.rcond = rcond
        ctx.save_for_backward(a, b, found[0])
        ctx.mark_non_differentiable(found[3])
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        a, b, x = ctx.saved_tensors
        inverse = pinv(a, rtol=ctx.rcond)
        to_a = pseudo_inverse_gradient(a, inverse, grads[0] @ b.mT)
        to_b = inverse.mT @ grads[0]
        if grads[1].numel():
            # x makes the residuals smallest, so they do not change with it.
            change = 2 * (a @ x - b) * grads[1][..., None, :]
            to_a, to_b = to_a + change @ x.mT, to_b - change
        return to_a, to_b, None, None


def _solved(
    a: np.ndarray, b: np.ndarray, rcond: float, with_residuals: bool
) -> tuple[np.ndarray, ...]:
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    kept = s > rcond * s.max(-1, initial=0.0)[..., None]
    reciprocal = np.where(kept, 1 / np.where(kept, s, 1), 0)
    along = reciprocal[..., None] * (np.swapaxes(u, -1, -2) @ b)
    x = np.swapaxes(vh, -1, -2) @ along
    rank = kept.sum(-1, dtype=np.int64)
    residuals = np.zeros(0, a.dtype)
    if with_residuals and a.shape[-2] > a.shape[-1] and (rank == a.shape[-1]).all():
        residuals = ((a @ x - b) ** 2).sum(-2)
    return x.astype(a.dtype), residuals.astype(a.dtype), rank, s


def lstsq(
    input: Tensor, b: Tensor, rcond: float | None = None, *, driver: str | None = None
) -> LeastSquares:
    """X that makes `|A X - B|` smallest: A (*, m, n) and B (*, m, k) or (*, m) give (*, n, k).

    Singular values up to `rcond` (unless given: eps * max(m, n)) times the largest count as zero.
    `residuals` are given by all drivers but 'gelsy' where m > n and the rank is n, `rank` by all
    but 'gels', `singular_values` by 'gelsd' and 'gelss'.

    >>> import flambeau
    >>> A = flambeau.tensor([[2.0], [0.0]])
    >>> flambeau.linalg.lstsq(A, flambeau.tensor([[4.0], [3.0]])).solution
    tensor([[2.]])
    """
    name = _checked(input, b, driver)
    rows, columns = input.shape[-2:]
    vector = is_vector(input, b)
    a, right = same_stacks(input, b.unsqueeze(-1) if vector else b)
    limit = np.finfo(a.dtype.numpy).eps * max(rows, columns) if rcond is None else rcond
    x, residuals, rank, values = Solution.apply(a, right, float(limit), name != "gelsy")
    return LeastSquares(
        x.squeeze(-1) if vector else x,
        residuals,
        rank if name != "gels" else zeros(0, dtype=dtypes.int64),
        values if name in ("gelsd", "gelss") else zeros(0, dtype=a.dtype),
    )


def _checked(a: Tensor, b: Tensor, driver: str | None) -> str:
    op = "torch.linalg.lstsq"
    if a.dim() < 2:
        raise RuntimeError(f"{op}: input must have at least 2 dimensions.")
    if b.dim() < 1:
        raise RuntimeError(f"{op}: other must have at least 1 dimension.")
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"{op}: Expected input and other to have the same dtype, but got input's dtype "
            f"{SPELLING[a.dtype]} and other's dtype {SPELLING[b.dtype]}"
        )
    if not a.dtype.is_floating_point or a.dtype in NARROW:
        raise RuntimeError("This function doesn't handle types other than float and double")
    dim = -1 if is_vector(a, b) else -2
    if b.shape[dim] != a.shape[-2]:
        raise RuntimeError(f"{op}: input.size(-2) should match other.size({dim})")
    name = driver or "gelsy"
    if name not in DRIVERS:
        raise RuntimeError(f"{op}: parameter `driver` should be one of ({', '.join(DRIVERS)})")
    return name
