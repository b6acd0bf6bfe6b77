"""The QR factorisation and products of Householder reflections."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from flambeau.tensor.creation import eye
from flambeau.tensor.function import Function
from flambeau.tensor.joining import cat, tril
from flambeau.tensor.linalg.host import (
    check_float,
    check_matrix,
    deliver,
    deliver_all,
    on_host,
    with_half_diagonal,
)
from flambeau.tensor.linalg.triangular import TriangularSolve
from flambeau.tensor.tensor import Tensor

MODES = ("reduced", "complete", "r")


class QR(NamedTuple):
    """Orthonormal columns and an upper triangle: `Q @ R` is the matrix."""

    Q: Tensor
    R: Tensor


class Reflections(NamedTuple):
    """R, with the Householder vectors below its diagonal, and their factors."""

    a: Tensor
    tau: Tensor


class Orthogonalise(Function):
    """Q and R. Gradient: Liao, Liu, Wang and Xiang 2019, Differentiable tensor networks."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, mode: str) -> Any:
        q, r = on_host(lambda a: _factors(a, mode), a)
        ctx.mode = mode
        ctx.save_for_backward(q, r)
        return q, r

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        q, r = ctx.saved_tensors
        if ctx.mode == "r":
            raise RuntimeError(
                "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
                "Please use linalg.qr(A, mode='reduced') if you are going to require gradients."
            )
        rows, columns = q.shape[-2], r.shape[-1]
        if ctx.mode == "complete" and rows > columns:
            raise RuntimeError(
                "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
            )
        grad_q, grad_r = grads
        if rows >= columns:
            return _tall(q, r, grad_q, grad_r), None
        # The columns beyond the square are Q V: Q' A2 = V.
        beyond = q @ grad_r[..., rows:]
        grad_q = grad_q + q @ r[..., rows:] @ grad_r[..., rows:].mT
        square = _tall(q, r[..., :rows], grad_q, grad_r[..., :rows])
        return cat((square, beyond), -1), None


def _factors(a: np.ndarray, mode: str) -> tuple[np.ndarray, np.ndarray]:
    if mode == "r":
        triangle: Any = np.linalg.qr(a, "r")
        return np.empty((0,), a.dtype), triangle
    found: Any = np.linalg.qr(a, "complete" if mode == "complete" else "reduced")
    return found[0], found[1]


def _tall(q: Tensor, r: Tensor, grad_q: Tensor, grad_r: Tensor) -> Tensor:
    """The gradient where R is square."""
    upper = (grad_r @ r.mT - q.mT @ grad_q).triu()
    middle = grad_q + q @ with_half_diagonal(upper + upper.mT)
    result: Tensor = TriangularSolve.apply(r, middle.mT, True, False)
    return result.mT


def qr(A: Tensor, mode: str = "reduced", *, out: Any = None) -> QR:
    """Q and R with `A = Q R`; (*, m, n) gives (*, m, k) and (*, k, n), k = min(m, n).

    Mode 'complete' gives (*, m, m) and (*, m, n); mode 'r' an empty Q.

    >>> import flambeau
    >>> Q, R = flambeau.linalg.qr(flambeau.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> flambeau.allclose(Q.T @ Q, flambeau.eye(2), atol=1e-6)
    True
    """
    check_matrix("linalg.qr", A)
    if mode not in MODES:
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    check_float("linalg.qr", A)
    return QR(*deliver_all(Orthogonalise.apply(A, mode), out))


def old_qr(input: Tensor, some: bool = True, *, out: Any = None) -> QR:
    """`torch.qr`: `linalg.qr`, complete if not `some`."""
    return qr(input, "reduced" if some else "complete", out=out)


def geqrf(input: Tensor, *, out: Any = None) -> Reflections:
    """The QR factorisation as LAPACK leaves it: R and the Householder vectors."""
    check_matrix("torch.geqrf", input)
    check_float("torch.geqrf", input)
    found = on_host(_raw, input)
    return Reflections(*deliver_all(found, out))


def _raw(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    vectors, tau = np.linalg.qr(a, "raw")
    return np.swapaxes(vectors, -1, -2).astype(a.dtype), tau.astype(a.dtype)


def householder_product(input: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The first n columns of `H1 H2 ... Hk`, for the k vectors below the diagonal of (*, m, n)."""
    op = "torch.linalg.householder_product"
    if input.dim() < 2:
        raise RuntimeError(f"{op}: input must have at least 2 dimensions.")
    rows, columns = input.shape[-2:]
    if rows < columns:
        raise RuntimeError(
            f"{op}: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if columns < tau.shape[-1]:
        raise RuntimeError(f"{op}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    start = eye(rows, columns, dtype=input.dtype).expand(*input.shape[:-2], rows, columns)
    return deliver(_reflected(input, tau, start, transpose=False), out)


def _reflected(vectors: Tensor, tau: Tensor, x: Tensor, transpose: bool) -> Tensor:
    """`H1 H2 ... Hk x`, or the transposed product times x."""
    rows, count = vectors.shape[-2], tau.shape[-1]
    shape = (*vectors.shape[:-2], rows, count)
    unit = eye(rows, count, dtype=vectors.dtype)
    directions = tril(vectors[..., :count], -1) + unit.expand(*shape)
    scaled = directions * tau[..., None, :]
    if not count:
        return x - scaled @ (directions.mT @ x)
    for number in range(count) if transpose else reversed(range(count)):
        one = slice(number, number + 1)
        x = x - scaled[..., one] @ (directions[..., one].mT @ x)
    return x


def ormqr(
    input: Tensor,
    tau: Tensor,
    other: Tensor,
    left: bool = True,
    transpose: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """`Q C`, or `C Q` if not `left`, where Q (or its transpose) is what `geqrf` stands for."""
    if left:
        return deliver(_reflected(input, tau, other, transpose), out)
    return deliver(_reflected(input, tau, other.mT, not transpose).mT, out)
