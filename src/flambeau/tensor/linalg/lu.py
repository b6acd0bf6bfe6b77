"""The LU factorisation with row exchanges, and what is solved with it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from flambeau.core import dtypes
from flambeau.ops.elementwise_base import SPELLING
from flambeau.tensor.creation import eye
from flambeau.tensor.function import Function
from flambeau.tensor.joining import cat, tril
from flambeau.tensor.linalg.host import (
    NARROW,
    array_of,
    check_float,
    check_matrix,
    check_same_dtype,
    check_square,
    deliver,
    deliver_all,
    from_array,
    on_host,
)
from flambeau.tensor.linalg.triangular import TriangularSolve, same_stacks
from flambeau.tensor.tensor import Tensor


class LUFactor(NamedTuple):
    """Both factors in one matrix, and the row each row was exchanged with, counted from 1."""

    LU: Tensor
    pivots: Tensor


class LUFactorEx(NamedTuple):
    """`LUFactor`, and for each matrix the number of the first pivot that is zero, or 0."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


class LU(NamedTuple):
    """The factors: `P @ L @ U` is the matrix."""

    P: Tensor
    L: Tensor
    U: Tensor


def packed(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both factors in one array, the pivots, and the number of the first zero pivot or 0.

    Gaussian elimination with partial pivoting: Golub and Van Loan, Matrix Computations, 3.4.
    """
    rows, columns = a.shape[-2:]
    stack = a.shape[:-2]
    work = a.astype(np.float64).reshape(math.prod(stack), rows, columns)
    steps, every = min(rows, columns), np.arange(len(work))
    pivots = np.empty((len(work), steps), np.int32)
    info = np.zeros(len(work), np.int32)
    for step in range(steps):
        best = step + np.abs(work[:, step:, step]).argmax(1)
        pivots[:, step] = best + 1
        work[every, best], work[:, step] = work[:, step].copy(), work[every, best]
        pivot = work[:, step, step]
        info[(pivot == 0) & (info == 0)] = step + 1
        work[:, step + 1 :, step] /= np.where(pivot == 0, 1, pivot)[:, None]
        below, right = work[:, step + 1 :, step, None], work[:, step, None, step + 1 :]
        work[:, step + 1 :, step + 1 :] -= below * right
    return (
        work.astype(a.dtype).reshape(a.shape),
        pivots.reshape(*stack, steps),
        info.reshape(stack),
    )


def first_zero_pivot(a: np.ndarray) -> int:
    """The number, counted from 1, of the first zero pivot of a singular matrix."""
    return int(packed(a)[2]) or a.shape[-1]


def permutation(pivots: np.ndarray, rows: int) -> np.ndarray:
    """The order that the exchanges bring the rows into."""
    stack, steps = pivots.shape[:-1], pivots.shape[-1]
    flat = pivots.reshape(math.prod(stack), steps)
    order = np.tile(np.arange(rows), (len(flat), 1))
    every = np.arange(len(flat))
    for step in range(steps):
        other = flat[:, step] - 1
        order[every, other], order[:, step] = order[:, step].copy(), order[every, other]
    return order.reshape(*stack, rows)


def permutation_matrix(pivots: Tensor, rows: int, like: Tensor) -> Tensor:
    """P of `P @ L @ U`, in the dtype of `like`."""
    order = permutation(array_of(pivots), rows)
    return from_array(np.eye(rows, dtype=like.dtype.numpy)[order]).mT


class Factor(Function):
    """The packed factors. Gradient: de Hoog, Anderssen and Lukas 2011, extended to any shape."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        factors, pivots, info = on_host(packed, a)
        ctx.save_for_backward(factors, pivots)
        return factors, pivots, info

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        factors, pivots = ctx.saved_tensors
        rows, columns = factors.shape[-2:]
        size = min(rows, columns)
        grad_l = grads[0].tril(-1)[..., :size]
        grad_u = grads[0].triu()[..., :size, :]
        lower = unit_lower(factors)
        upper = factors.triu()[..., :size, :]
        if columns > rows:
            to_permuted = _wide(lower, upper, grad_l, grad_u)
        elif rows > columns:
            to_permuted = _tall(lower, upper, grad_l, grad_u)
        else:
            to_permuted = _square(lower, upper, grad_l, grad_u)
        return permutation_matrix(pivots, rows, factors) @ to_permuted


def _square(lower: Tensor, upper: Tensor, grad_l: Tensor, grad_u: Tensor) -> Tensor:
    middle = (lower.mT @ grad_l).tril(-1) + (grad_u @ upper.mT).triu()
    return _solve_right(upper.mT, _solve_lower_transposed(lower, middle))


def _wide(lower: Tensor, upper: Tensor, grad_l: Tensor, grad_u: Tensor) -> Tensor:
    """The columns beyond the square give `L U2 = A2`."""
    rows = lower.shape[-1]
    beyond = _solve_lower_transposed(lower, grad_u[..., rows:])
    grad_l = grad_l - beyond @ upper[..., rows:].mT
    square = _square(lower, upper[..., :rows], grad_l, grad_u[..., :rows])
    return cat((square, beyond), -1)


def _tall(lower: Tensor, upper: Tensor, grad_l: Tensor, grad_u: Tensor) -> Tensor:
    """The rows below the square give `L2 U = A2`."""
    columns = upper.shape[-1]
    below = _solve_right(upper.mT, grad_l[..., columns:, :])
    grad_u = grad_u - lower[..., columns:, :].mT @ below
    square = _square(lower[..., :columns, :], upper, grad_l[..., :columns, :], grad_u)
    return cat((square, below), -2)


def unit_lower(factors: Tensor) -> Tensor:
    """L of packed factors."""
    size = min(factors.shape[-2:])
    below = tril(factors, -1)[..., :size]
    return below + eye(factors.shape[-2], size, dtype=factors.dtype)


def _solve_lower_transposed(lower: Tensor, b: Tensor) -> Tensor:
    """`L⁻ᵀ b`, of a unit lower triangle."""
    x: Tensor = TriangularSolve.apply(lower.mT, b, True, True)
    return x


def _solve_right(lower: Tensor, b: Tensor) -> Tensor:
    """`b L⁻¹`, of a lower triangle."""
    x: Tensor = TriangularSolve.apply(lower.mT, b.mT, True, False)
    return x.mT


def _check(op: str, a: Tensor, pivot: bool) -> None:
    if a.dim() < 2:
        raise RuntimeError(
            f"{op}: Expected tensor with 2 or more dimensions. Got size: {list(a.shape)} instead"
        )
    if not a.dtype.is_floating_point or a.dtype in NARROW:
        raise NotImplementedError(f"\"lu_cpu\" not implemented for '{SPELLING[a.dtype]}'")
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")


def lu_factor_ex(
    A: Tensor, *, pivot: bool = True, check_errors: bool = False, out: Any = None
) -> LUFactorEx:
    """`lu_factor`, and the number of the first zero pivot of each matrix (0 if there is none)."""
    _check("torch.lu_factor", A, pivot)
    found = LUFactorEx(*Factor.apply(A))
    if check_errors:
        _check_pivots(found.info)
    return LUFactorEx(*deliver_all(found, out))


def lu_factor(A: Tensor, *, pivot: bool = True, out: Any = None) -> LUFactor:
    """The factors of `A = P L U` in one matrix, and the row exchanges that P stands for.

    RuntimeError for a singular matrix.

    >>> import flambeau
    >>> flambeau.linalg.lu_factor(flambeau.tensor([[1.0, 2.0], [2.0, 2.0]])).LU
    tensor([[2.0000, 2.0000],
            [0.5000, 1.0000]])
    """
    found = lu_factor_ex(A, pivot=pivot, check_errors=True)
    return LUFactor(*deliver_all((found.LU, found.pivots), out))


def _check_pivots(info: Tensor) -> None:
    codes = array_of(info)
    failed = np.flatnonzero(codes)
    if failed.size:
        where = f"(Batch element {failed[0]}): " if codes.ndim else ""
        number = codes.flat[failed[0]]
        raise RuntimeError(
            f"torch.linalg.lu_factor: {where}U[{number},{number}] is zero and using it on lu_solve "
            "would result in a division by zero. If you still want to perform the factorization, "
            "consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )


def lu(A: Tensor, *, pivot: bool = True, out: Any = None) -> LU:
    """P, L and U with `A = P @ L @ U`: (*, m, n) gives (*, m, m), (*, m, k), (*, k, n)."""
    _check("linalg.lu", A, pivot)
    factors, pivots, _ = Factor.apply(A)
    return LU(*deliver_all(unpacked(factors, pivots), out))


def unpacked(factors: Tensor, pivots: Tensor) -> LU:
    """The factors as three matrices."""
    size = min(factors.shape[-2:])
    lower, upper = unit_lower(factors), factors.triu()[..., :size, :]
    return LU(permutation_matrix(pivots, factors.shape[-2], factors), lower, upper)


def lu_solve(
    LU: Tensor,
    pivots: Tensor,
    B: Tensor,
    *,
    left: bool = True,
    adjoint: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """X with `A X = B`, given what `lu_factor` made of A; `X A = B` if not `left`."""
    op = "linalg.lu_solve"
    check_square(op, LU, "LU")
    check_matrix(op, B, "B")
    check_float(op, LU)
    check_same_dtype(op, LU, B, "LU", "B")
    if pivots.dtype is not dtypes.int32:
        raise RuntimeError(f"{op}: pivots should be a Tensor of scalar type torch.int32")
    if not left:
        return deliver(lu_solve(LU, pivots, B.mT, adjoint=not adjoint).mT, out)
    if B.shape[-2] != LU.shape[-1]:
        raise RuntimeError(
            f"{op}: Incompatible shapes of A and B for the equation AX = B "
            f"({LU.shape[-2]}x{LU.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )
    order = permutation_matrix(pivots, LU.shape[-1], LU)
    if not adjoint:
        factors, right = same_stacks(LU, order.mT @ B)
        x = TriangularSolve.apply(factors, right, False, True)
        return deliver(TriangularSolve.apply(factors, x, True, False), out)
    factors, right = same_stacks(LU.mT, B)
    x = TriangularSolve.apply(factors, right, False, False)
    return deliver(order @ TriangularSolve.apply(factors, x, True, True), out)
