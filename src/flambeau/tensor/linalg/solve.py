"""Inverses, systems of equations and determinants."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from flambeau.tensor.function import Function
from flambeau.tensor.linalg.host import (
    array_of,
    check_float,
    check_info,
    check_matrix,
    check_same_dtype,
    check_square,
    deliver,
    deliver_all,
    on_host,
    with_info,
)
from flambeau.tensor.linalg.lu import first_zero_pivot
from flambeau.tensor.linalg.triangular import same_stacks
from flambeau.tensor.searching import where
from flambeau.tensor.tensor import Tensor

SINGULAR = (
    "The diagonal element {} is zero, the inversion could not be completed because the input "
    "matrix is singular."
)
UNSOLVABLE = "The solver failed because the input matrix is singular."


class InverseEx(NamedTuple):
    """The inverse, and for each matrix 0 or the number of a zero pivot."""

    inverse: Tensor
    info: Tensor


class SolveEx(NamedTuple):
    """The solution, and for each matrix 0 or the number of a zero pivot."""

    result: Tensor
    info: Tensor


class SignAndLogarithm(NamedTuple):
    """The determinant's sign and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


class Inverse(Function):
    """The inverse."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        inverse, info = on_host(lambda a: with_info(np.linalg.inv, first_zero_pivot, a), a)
        ctx.save_for_backward(inverse)
        return inverse, info

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        transposed = ctx.saved_tensors[0].mT
        return -(transposed @ grads[0] @ transposed)


class Solve(Function):
    """x with `a x = b`."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Any:
        x, info = on_host(lambda a, b: with_info(np.linalg.solve, first_zero_pivot, a, b), a, b)
        ctx.save_for_backward(a, x)
        return x, info

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        a, x = ctx.saved_tensors
        to_b = Solve.apply(a.mT, grads[0])[0]
        return -(to_b @ x.mT), to_b


class Determinant(Function):
    """The determinant. Its gradient is the matrix of cofactors, singular or not."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        (result,) = on_host(lambda a: (np.linalg.det(a),), a)
        ctx.save_for_backward(a, result)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        a, result = ctx.saved_tensors
        if array_of(result).all():
            cofactors = result[..., None, None] * Inverse.apply(a)[0].mT
        else:
            (cofactors,) = on_host(lambda a: (_cofactors(a),), a)
        return grads[0][..., None, None] * cofactors


def _cofactors(a: np.ndarray) -> np.ndarray:
    """det(U V) U diag(Π s[j≠i]) V, where a = U diag(s) V."""
    u, s, vh = np.linalg.svd(a)
    others = np.stack([np.prod(np.delete(s, place, -1), -1) for place in range(s.shape[-1])], -1)
    cofactors = np.linalg.det(u @ vh)[..., None, None] * ((u * others[..., None, :]) @ vh)
    result: np.ndarray = cofactors.astype(a.dtype)
    return result


class LogDeterminant(Function):
    """Sign and logarithm of the determinant."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        sign, logarithm = on_host(np.linalg.slogdet, a)
        ctx.save_for_backward(a)
        return sign, logarithm

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        inverse = Inverse.apply(ctx.saved_tensors[0])[0]
        return grads[1][..., None, None] * inverse.mT


def inv_ex(A: Tensor, *, check_errors: bool = False, out: Any = None) -> InverseEx:
    """`inv` that reports a singular matrix in `info` instead of raising."""
    return _inverse("linalg.inv_ex", A, check_errors, out)


def inv(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse of (*, n, n); LinAlgError for a singular matrix.

    >>> import flambeau
    >>> flambeau.linalg.inv(flambeau.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return deliver(_inverse("linalg.inv", A, True, None).inverse, out)


def _inverse(op: str, a: Tensor, check_errors: bool, out: Any) -> InverseEx:
    check_square("linalg.inv", a)
    check_float("linalg.inv", a)
    found = Inverse.apply(a)
    if check_errors:
        check_info(op, found[1], SINGULAR)
    return InverseEx(*deliver_all(found, out))


def is_vector(a: Tensor, b: Tensor) -> bool:
    """Whether `b` is a right side of one column for each matrix of `a`, without that dimension."""
    return b.dim() == 1 or (b.dim() == a.dim() - 1 and b.shape == a.shape[:-1])


def solve_ex(
    A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, out: Any = None
) -> SolveEx:
    """`solve` that reports a singular matrix in `info` instead of raising."""
    op = "linalg.solve"
    check_square(op, A)
    check_float(op, A)
    check_same_dtype(op, A, B)
    if is_vector(A, B):
        if not left:
            raise RuntimeError(
                f"{op}: Vector broadcasting of the left hand side is not supported for left=False"
            )
        found = solve_ex(A, B.unsqueeze(-1), check_errors=check_errors)
        return SolveEx(*deliver_all((found.result.squeeze(-1), found.info), out))
    if not left:
        found = solve_ex(A.mT, B.mT, check_errors=check_errors)
        return SolveEx(*deliver_all((found.result.mT, found.info), out))
    check_matrix(op, B, "B")
    if B.shape[-2] != A.shape[-1]:
        raise RuntimeError(
            f"{op}: Incompatible shapes of A and B for the equation AX = B "
            f"({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )
    result, info = Solve.apply(*same_stacks(A, B))
    if check_errors:
        check_info("torch.linalg.solve", info, UNSOLVABLE)
    return SolveEx(*deliver_all((result, info), out))


def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor:
    """X with `A X = B`, or `X A = B` if not `left`; A (*, n, n), B (*, n), (n,) or (*, n, k).

    LinAlgError for a singular matrix.

    >>> import flambeau
    >>> flambeau.linalg.solve(flambeau.tensor([[2.0, 0.0], [0.0, 4.0]]), flambeau.ones(2))
    tensor([0.5000, 0.2500])
    """
    return deliver(solve_ex(A, B, left=left, check_errors=True).result, out)


def det(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The determinant of (*, n, n).

    >>> import flambeau
    >>> flambeau.linalg.det(flambeau.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(-2.)
    """
    check_square("linalg.det", A)
    check_float("linalg.det", A)
    return deliver(Determinant.apply(A), out)


def slogdet(A: Tensor, *, out: Any = None) -> SignAndLogarithm:
    """The sign of the determinant of (*, n, n), and the logarithm of its absolute value."""
    check_square("linalg.slogdet", A)
    check_float("linalg.slogdet", A)
    return SignAndLogarithm(*deliver_all(LogDeterminant.apply(A), out))


def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; NaN where that is negative."""
    check_square("logdet", input)
    check_float("logdet", input)
    sign, logarithm = LogDeterminant.apply(input)
    result: Tensor = where(sign < 0, math.nan, logarithm)
    return result


def tensorinv(A: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
    """The inverse of A as a linear map from its dimensions `ind:` to its dimensions `:ind`."""
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    rows, columns = math.prod(A.shape[:ind]), math.prod(A.shape[ind:])
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {columns} != {rows}"
        )
    inverse = inv(A.reshape(rows, columns))
    return deliver(inverse.reshape(*A.shape[ind:], *A.shape[:ind]), out)


def tensorsolve(A: Tensor, B: Tensor, dims: Any = None, *, out: Tensor | None = None) -> Tensor:
    """X with `tensordot(A, X, X.ndim) = B`; the dimensions `dims` of A are moved to its end."""
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.dim() - len(dims), A.dim())))
    shape = A.shape[B.dim() :]
    columns, rows = math.prod(shape), math.prod(A.shape[: B.dim()])
    if columns != rows:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {columns} != {rows}"
        )
    x = solve(A.reshape(rows, columns), B.reshape(-1))
    return deliver(x.reshape(*shape), out)
