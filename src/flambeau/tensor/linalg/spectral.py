"""Eigenvalues of symmetric matrices, singular values, and what is made of them."""

from __future__ import annotations

import functools
import operator
from typing import Any, NamedTuple

import numpy as np

from flambeau.core import dtypes
from flambeau.ops.elementwise_base import SPELLING
from flambeau.tensor.creation import eye
from flambeau.tensor.function import Function
from flambeau.tensor.linalg.host import (
    NARROW,
    LinAlgError,
    array_of,
    check_floating,
    check_matrix,
    check_square,
    deliver,
    deliver_all,
    on_host,
)
from flambeau.tensor.tensor import Tensor


class SVD(NamedTuple):
    """Singular vectors and values: `U @ diag(S) @ Vh` is the matrix."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class OldSVD(NamedTuple):
    """Singular vectors and values: `U @ diag(S) @ V.mT` is the matrix."""

    U: Tensor
    S: Tensor
    V: Tensor


class Eigen(NamedTuple):
    """Eigenvalues, ascending, and eigenvectors in columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class SingularValues(Function):
    """U, S, Vh. Gradient: Townsend 2016, Differentiating the singular value decomposition."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, full: bool) -> Any:
        u, s, vh = on_host(lambda a: _svd(a, full), a)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(u, s, vh)
        return u, s, vh

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        u, s, vh = ctx.saved_tensors
        count = s.shape[-1]
        grad_u = None if grads[0] is None else grads[0][..., :count]
        grad_vh = None if grads[2] is None else grads[2][..., :count, :]
        return _svd_gradient(u[..., :count], s, vh[..., :count, :], grad_u, grads[1], grad_vh), None


def _svd(a: np.ndarray, full: bool) -> tuple[np.ndarray, ...]:
    if not np.isfinite(a).all():
        raise LinAlgError(
            "linalg.svd: The algorithm failed to converge because the input matrix contained "
            "non-finite values."
        )
    return tuple(np.linalg.svd(a, full_matrices=full))


def _svd_gradient(
    u: Tensor,
    s: Tensor,
    vh: Tensor,
    grad_u: Tensor | None,
    grad_s: Tensor | None,
    grad_vh: Tensor | None,
) -> Tensor:
    """Of the reduced factors."""
    if grad_u is None and grad_vh is None:
        return (u * grad_s[..., None, :]) @ vh  # type: ignore[index]
    row, column = s[..., None, :], s[..., :, None]
    squares = _off_diagonal_or_one((row - column) * (row + column))
    parts = []
    if grad_u is not None:
        parts.append(_skew(u.mT @ grad_u) / squares * row)
    if grad_vh is not None:
        parts.append(column * _skew(vh @ grad_vh.mT) / squares)
    if grad_s is not None:
        parts.append(grad_s.diag_embed())
    result = u @ functools.reduce(operator.add, parts) @ vh
    if grad_u is not None and u.shape[-2] > u.shape[-1]:
        outside = grad_u - u @ (u.mT @ grad_u)
        result = result + (outside / row) @ vh
    if grad_vh is not None and vh.shape[-1] > vh.shape[-2]:
        outside = grad_vh - (grad_vh @ vh.mT) @ vh
        result = result + u @ (outside / column)
    return result


def _skew(x: Tensor) -> Tensor:
    return x - x.mT


def _off_diagonal_or_one(x: Tensor) -> Tensor:
    """Ones on the diagonal, where `x` is zero."""
    return x + eye(x.shape[-1], dtype=x.dtype)


def svd(
    A: Tensor, full_matrices: bool = True, *, driver: str | None = None, out: Any = None
) -> SVD:
    """U, S and Vh with `A = U diag(S) Vh`, S descending.

    (*, m, n) gives (*, m, m), (*, k) and (*, n, n), k = min(m, n); or (*, m, k), (*, k) and
    (*, k, n) if not `full_matrices`.
    LinAlgError for infinities and NaN.

    >>> import flambeau
    >>> flambeau.linalg.svd(flambeau.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    _check_svd(A, driver)
    return SVD(*deliver_all(SingularValues.apply(A, full_matrices), out))


def _check_svd(a: Tensor, driver: str | None) -> None:
    check_matrix("linalg.svd", a)
    check_floating("linalg.svd", a)
    if a.dtype in NARROW:
        raise NotImplementedError(f"\"linalg_svd_cpu\" not implemented for '{SPELLING[a.dtype]}'")
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with "
            "cuSOLVER backend."
        )


def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor:
    """The singular values of (*, m, n), descending: (*, min(m, n))."""
    _check_svd(A, driver)
    return deliver(SingularValues.apply(A, False)[1], out)


def old_svd(
    input: Tensor, some: bool = True, compute_uv: bool = True, *, out: Any = None
) -> OldSVD:
    """`torch.svd`: with V in place of Vh, reduced if `some`; zeros for U, V if not `compute_uv`."""
    if input.dim() < 2:
        raise RuntimeError(
            "linalg.svd: input should have at least 2 dimensions, but has "
            f"{input.dim()} dimensions instead"
        )
    _check_svd(input, None)
    u, s, vh = SingularValues.apply(input, not some and compute_uv)
    if not compute_uv:
        rows, columns = input.shape[-2:]
        u = input.new_zeros((*input.shape[:-2], rows, rows))
        vh = input.new_zeros((*input.shape[:-2], columns, columns))
    return OldSVD(*deliver_all((u, s, vh.mT), out))


class SymmetricEigen(Function):
    """Eigenvalues and -vectors. Gradient: Giles 2008, Collected matrix derivative results, 3.1."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, triangle: str) -> Any:
        values, vectors = on_host(lambda a: _eigh(a, triangle), a)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(values, vectors)
        return values, vectors

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        values, vectors = ctx.saved_tensors
        to_values, to_vectors = grads
        if to_vectors is None:
            return (vectors * to_values[..., None, :]) @ vectors.mT, None
        gaps = _off_diagonal_or_one(values[..., None, :] - values[..., :, None])
        middle = _skew(vectors.mT @ to_vectors) / gaps * 0.5
        if to_values is not None:
            middle = middle + to_values.diag_embed()
        return vectors @ middle @ vectors.mT, None


def _eigh(a: np.ndarray, triangle: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        values, vectors = np.linalg.eigh(a, "U" if triangle == "U" else "L")
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "linalg.eigh: The algorithm failed to converge because the input matrix is "
            "ill-conditioned or has too many repeated eigenvalues."
        ) from None
    return values, vectors


def _eigen(a: Tensor, triangle: str) -> tuple[Tensor, Tensor]:
    check_square("linalg.eigh", a)
    if triangle.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {triangle}")
    if not a.dtype.is_floating_point or a.dtype in NARROW:
        raise NotImplementedError(f"\"linalg_eigh_cpu\" not implemented for '{SPELLING[a.dtype]}'")
    values, vectors = SymmetricEigen.apply(a, triangle.upper())
    return values, vectors


def eigh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> Eigen:
    """Eigenvalues (*, n), ascending, and orthonormal eigenvectors (*, n, n) of a symmetric matrix.

    Only the lower ('L') or the upper ('U') triangle is read.

    >>> import flambeau
    >>> flambeau.linalg.eigh(flambeau.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    return Eigen(*deliver_all(_eigen(A, UPLO), out))


def eigvalsh(A: Tensor, UPLO: str = "L", *, out: Tensor | None = None) -> Tensor:
    """The eigenvalues (*, n) of a symmetric matrix, ascending."""
    return deliver(_eigen(A, UPLO)[0], out)


def threshold(
    largest: np.ndarray, shape: tuple[int, ...], kind: np.dtype, atol: Any, rtol: Any
) -> np.ndarray:
    """Singular values up to this count as zero: max(atol, rtol * the largest).

    Unless given, rtol is eps * max(m, n), or 0 where an atol is given.
    """
    default = np.finfo(kind).eps * max(shape[-2:])
    absolute = np.asarray(_value(atol) if atol is not None else 0.0)
    if rtol is not None:
        relative = np.asarray(_value(rtol))
    else:
        relative = np.where(absolute > 0, 0.0, default)
    limit: np.ndarray = np.maximum(absolute, relative * largest)
    return limit


def _value(tolerance: Any) -> Any:
    return array_of(tolerance) if isinstance(tolerance, Tensor) else tolerance


def _largest(values: np.ndarray) -> np.ndarray:
    largest: np.ndarray = values.max(-1, initial=0.0)
    return largest


def matrix_rank(
    A: Tensor,
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """How many singular values (of a symmetric matrix: eigenvalues) exceed max(atol, rtol * S[0]).

    >>> import flambeau
    >>> flambeau.linalg.matrix_rank(flambeau.ones(2, 3))
    tensor(1)
    """
    check_matrix("torch.linalg.matrix_rank", A, "input")
    if not A.dtype.is_floating_point or A.dtype in NARROW:
        raise RuntimeError("This function doesn't handle types other than float and double")
    if hermitian:
        check_square("linalg.matrix_rank", A)
    if tol is not None:
        atol, rtol = tol, 0.0

    def rank(a: np.ndarray) -> tuple[np.ndarray]:
        values = np.abs(np.linalg.eigvalsh(a)) if hermitian else np.linalg.svd(a, compute_uv=False)
        limit = threshold(_largest(values), a.shape, a.dtype, atol, rtol)
        return ((values > limit[..., None]).sum(-1, dtype=np.int64),)

    return deliver(on_host(rank, A)[0], out)


class PseudoInverse(Function):
    """The pseudo-inverse. Gradient: Golub and Pereyra 1973, for a constant rank."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, atol: Any, rtol: Any, hermitian: bool) -> Any:
        (inverse,) = on_host(lambda a: (_pseudo_inverse(a, atol, rtol, hermitian),), a)
        ctx.save_for_backward(a, inverse)
        return inverse

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        a, inverse = ctx.saved_tensors
        return pseudo_inverse_gradient(a, inverse, grads[0]), None, None, None


def pseudo_inverse_gradient(a: Tensor, inverse: Tensor, grad: Tensor) -> Tensor:
    """The gradient of `a`, given that of its pseudo-inverse."""
    transposed = inverse.mT
    first = transposed @ grad @ transposed
    beyond_rows = grad.mT - a @ (inverse @ grad.mT)
    beyond_columns = grad.mT - (grad.mT @ inverse) @ a
    return beyond_rows @ inverse @ transposed + transposed @ (inverse @ beyond_columns) - first


def _pseudo_inverse(a: np.ndarray, atol: Any, rtol: Any, hermitian: bool) -> np.ndarray:
    if hermitian:
        values, u = np.linalg.eigh(a)
        sizes, vh = np.abs(values), np.swapaxes(u, -1, -2)
    else:
        u, sizes, vh = np.linalg.svd(a, full_matrices=False)
        values = sizes
    limit = threshold(_largest(sizes), a.shape, a.dtype, atol, rtol)
    kept = sizes > limit[..., None]
    reciprocal = np.where(kept, 1 / np.where(kept, values, 1), 0)
    scaled = np.swapaxes(vh, -1, -2) * reciprocal[..., None, :]
    inverse: np.ndarray = (scaled @ np.swapaxes(u, -1, -2)).astype(a.dtype)
    return inverse


def pinv(
    A: Tensor,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """The Moore-Penrose inverse of (*, m, n): (*, n, m).

    Singular values up to max(atol, rtol * S[0]) count as zero.

    >>> import flambeau
    >>> flambeau.linalg.pinv(flambeau.tensor([[2.0], [0.0]]))
    tensor([[0.5000, 0.0000]])
    """
    if A.dim() < 2 or A.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(
            f"linalg.pinv({SPELLING[A.dtype]}{{{list(A.shape)}}}): expected a tensor with 2 or "
            "more dimensions of float, double, cfloat or cdouble types"
        )
    if hermitian:
        check_square("linalg.eigh", A)
    given = rtol if rcond is None else rcond
    return deliver(PseudoInverse.apply(A, atol, given, hermitian), out)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """`torch.pinverse`: `linalg.pinv` with a relative tolerance of `rcond`."""
    return pinv(input, rcond)
