"""The Cholesky factorisation, and what is solved with it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from flambeau.tensor.creation import eye
from flambeau.tensor.function import Function
from flambeau.tensor.linalg.host import (
    check_float,
    check_info,
    check_matrix,
    check_square,
    deliver,
    deliver_all,
    on_host,
    symmetric_part,
    with_half_diagonal,
    with_info,
)
from flambeau.tensor.linalg.triangular import TriangularSolve, same_stacks
from flambeau.tensor.tensor import Tensor

NOT_POSITIVE = (
    "The factorization could not be completed because the input is not positive-definite (the "
    "leading minor of order {} is not positive-definite)."
)


class CholeskyEx(NamedTuple):
    """The factor, and for each matrix 0 or the order of a leading minor that is not positive."""

    L: Tensor
    info: Tensor


class Cholesky(Function):
    """The lower factor. Gradient: Murray 2016, Differentiation of the Cholesky decomposition."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        factor, info = on_host(lambda a: with_info(np.linalg.cholesky, _bad_minor, a), a)
        ctx.save_for_backward(factor)
        return factor, info

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (factor,) = ctx.saved_tensors
        middle = symmetric_part(with_half_diagonal((factor.mT @ grads[0]).tril()))
        half = TriangularSolve.apply(factor.mT, middle, True, False)
        return TriangularSolve.apply(factor.mT, half.mT, True, False).mT


class CholeskySolve(Function):
    """x with `a x = b`, given the lower factor of a, whose other triangle counts as zero."""

    @staticmethod
    def forward(ctx: Any, factor: Tensor, b: Tensor) -> Any:
        half = TriangularSolve.apply(factor, b, False, False)
        x = TriangularSolve.apply(factor.mT, half, True, False)
        ctx.save_for_backward(factor, x)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        factor, x = ctx.saved_tensors
        to_b = CholeskySolve.apply(factor, grads[0])
        change = to_b @ x.mT
        return -((change + change.mT) @ factor), to_b


def _bad_minor(a: np.ndarray) -> int:
    """The order of the first leading minor that is not positive-definite."""
    for order in range(1, len(a) + 1):
        try:
            np.linalg.cholesky(a[:order, :order])
        except np.linalg.LinAlgError:
            return order
    return 0


def cholesky_ex(
    input: Tensor, *, upper: bool = False, check_errors: bool = False, out: Any = None
) -> CholeskyEx:
    """`cholesky` that reports a matrix that is not positive-definite in `info`."""
    found = _factor("linalg.cholesky_ex", input, upper, check_errors)
    return CholeskyEx(*deliver_all(found, out))


def _factor(op: str, a: Tensor, upper: bool, check_errors: bool) -> CholeskyEx:
    check_square(op, a)
    check_float(op, a)
    factor, info = Cholesky.apply(a.mT if upper else a)
    if check_errors:
        check_info(op, info, NOT_POSITIVE)
    return CholeskyEx(factor.mT if upper else factor, info)


def cholesky(A: Tensor, *, upper: bool = False, out: Tensor | None = None) -> Tensor:
    """L with `A = L Lᵀ`, for (*, n, n) symmetric and positive-definite; or Lᵀ if `upper`.

    Only that triangle of A is read. LinAlgError if A is not positive-definite.

    >>> import flambeau
    >>> flambeau.linalg.cholesky(flambeau.tensor([[4.0, 2.0], [2.0, 2.0]]))
    tensor([[2., 0.],
            [1., 1.]])
    """
    return deliver(_factor("linalg.cholesky", A, upper, True).L, out)


def old_cholesky(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """`torch.cholesky`: `linalg.cholesky` under its old name."""
    return deliver(_factor("cholesky", input, upper, True).L, out)


def cholesky_solve(
    B: Tensor, L: Tensor, upper: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """X with `A X = B`, given the Cholesky factor L of A, or Lᵀ if `upper`."""
    if B.dim() < 2 or L.dim() < 2:
        name, x = ("b", B) if B.dim() < 2 else ("u", L)
        raise RuntimeError(
            f"{name} should have at least 2 dimensions, but has {x.dim()} dimensions instead"
        )
    check_square("cholesky_solve", L)
    if L.shape[-1] != B.shape[-2]:
        raise RuntimeError(
            "Incompatible matrix sizes for cholesky_solve: each A matrix is "
            f"{L.shape[-1]} by {L.shape[-1]} but each b matrix is {B.shape[-2]} by {B.shape[-1]}"
        )
    check_float("cholesky_solve", L)
    factor, right = same_stacks(L.mT if upper else L, B)
    return deliver(CholeskySolve.apply(factor, right), out)


def cholesky_inverse(L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """The inverse of A, given the Cholesky factor L of A, or Lᵀ if `upper`."""
    check_matrix("cholesky_inverse", L)
    check_square("cholesky_inverse", L)
    unit = eye(L.shape[-1], dtype=L.dtype)
    return deliver(cholesky_solve(unit, L, upper), out)
