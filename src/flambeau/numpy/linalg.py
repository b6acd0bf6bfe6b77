"""`numpy.linalg`: LAPACK on the host, with gradients made of ordinary operations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from flambeau.core import dtypes
from flambeau.numpy import _products as products
from flambeau.numpy import _shaping as shaping
from flambeau.numpy._ndarray import fresh, from_host, host_value, made, ndarray, node_of
from flambeau.numpy._reductions import NO_VALUE
from flambeau.numpy._shaping import diagonal as _diagonal
from flambeau.numpy._ufuncs import UFUNCS
from flambeau.ops.selection import cast
from flambeau.tensor import linalg as tensors
from flambeau.tensor.tensor import Tensor, wrap

LinAlgError = np.linalg.LinAlgError
matmul, tensordot, vecdot = products.matmul, products.tensordot, products.vecdot
matrix_transpose = shaping.matrix_transpose


class EigResult(NamedTuple):
    """Eigenvalues and eigenvectors, one a column."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """Eigenvalues in order and eigenvectors, one a column."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """An orthogonal and an upper triangular factor."""

    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its size."""

    sign: Any
    logabsdet: Any


class SVDResult(NamedTuple):
    """Singular vectors and values."""

    U: Any
    S: Any
    Vh: Any


def _matrix(a: Any, square: bool = False) -> Tensor:
    """A tensor of floats with at least two dimensions; LinAlgError otherwise."""
    node = node_of(a)
    shape = node.spec.shape
    if len(shape) < 2:
        raise LinAlgError(
            f"{len(shape)}-dimensional array given. Array must be at least two-dimensional"
        )
    if square and shape[-1] != shape[-2]:
        raise LinAlgError("Last 2 dimensions of the array must be square")
    return _floats(a)


def _floats(a: Any) -> Tensor:
    node = node_of(a)
    kind = node.spec.dtype
    if kind is dtypes.float16:
        raise TypeError("array type float16 is unsupported in linalg")
    wide = node if kind.is_floating_point else cast(node, dtypes.float64)
    return wrap(fresh(wide, node))


def _array(tensor: Tensor) -> Any:
    node = tensor.node
    return made(fresh(node, node))


def _raising(function: Callable[..., Any]) -> Callable[..., Any]:
    """PyTorch's error of linear algebra as NumPy's."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except tensors.LinAlgError as error:
            text = str(error)
            singular = "singular" in text or "not invertible" in text
            raise LinAlgError("Singular matrix" if singular else text) from None

    return wrapper


@_raising
def inv(a: Any) -> Any:
    """The inverse of a square matrix, or of each of a stack.

    >>> import flambeau.numpy as np
    >>> np.linalg.inv([[2.0, 0.0], [0.0, 4.0]])
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return _array(tensors.inv(_matrix(a, square=True)))


@_raising
def solve(a: Any, b: Any) -> Any:
    """x with `a @ x = b`; `b` of one dimension is a vector, else a stack of matrices."""
    first, second = _matrix(a, square=True), _floats(b)
    if second.dim() == 1:
        wide = tensors.solve(first, second.reshape(-1, 1))
        return _array(wide.reshape(wide.shape[:-1]))
    if second.dim() == 2 and first.dim() > 2:
        second = second.expand(*first.shape[:-2], *second.shape)
    return _array(tensors.solve(*_of_one_dtype(first, second)))


def _of_one_dtype(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    if first.dtype is second.dtype:
        return first, second
    return first.to(dtypes.float64), second.to(dtypes.float64)


@_raising
def det(a: Any) -> Any:
    """The determinant."""
    return _array(tensors.det(_matrix(a, square=True)))


@_raising
def slogdet(a: Any) -> SlogdetResult:
    """The determinant's sign and the logarithm of its size."""
    return SlogdetResult(*map(_array, tensors.slogdet(_matrix(a, square=True))))


def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """The triangular factor of a symmetric positive-definite matrix."""
    try:
        return _array(tensors.cholesky(_matrix(a, square=True), upper=upper))
    except tensors.LinAlgError:
        raise LinAlgError("Matrix is not positive definite") from None


@_raising
def qr(a: Any, mode: Any = "reduced") -> Any:
    """An orthogonal times an upper triangular matrix."""
    if mode not in ("reduced", "complete", "r"):
        if mode == "raw":
            return from_host(np.linalg.qr(host_value(a), mode))
        raise ValueError(f"Unrecognized mode '{mode}'")
    found = tensors.qr(_matrix(a), mode)
    return _array(found[1]) if mode == "r" else QRResult(*map(_array, found))


@_raising
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Singular vectors and values; the values alone with `compute_uv=False`."""
    matrix = _matrix(a)
    if not compute_uv:
        return _array(tensors.svdvals(matrix))
    return SVDResult(*map(_array, tensors.svd(matrix, full_matrices)))


@_raising
def svdvals(x: Any, /) -> Any:
    """The singular values, in falling order."""
    return _array(tensors.svdvals(_matrix(x)))


@_raising
def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Eigenvalues and eigenvectors of a symmetric matrix, of which one triangle is read."""
    if UPLO.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return EighResult(*map(_array, tensors.eigh(_matrix(a, square=True), UPLO)))


@_raising
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of a symmetric matrix, in order."""
    return _array(tensors.eigvalsh(_matrix(a, square=True), UPLO))


def eig(a: Any) -> EigResult:
    """Eigenvalues and eigenvectors where they are real; TypeError where they are complex."""
    _matrix(a, square=True)
    return EigResult(*map(from_host, np.linalg.eig(host_value(a))))


def eigvals(a: Any) -> Any:
    """The eigenvalues where they are real; TypeError where they are complex."""
    _matrix(a, square=True)
    return from_host(np.linalg.eigvals(host_value(a)))


@_raising
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = NO_VALUE) -> Any:
    """The pseudo-inverse."""
    matrix = _matrix(a)
    limit = rtol if rcond is None else rcond
    if limit is None or limit is NO_VALUE:
        # NumPy's default, unless the precision's own was asked for.
        own = max(matrix.shape[-2:]) * float(np.finfo(matrix.dtype.numpy).eps)
        limit = own if rtol is None else 1e-15
    return _array(tensors.pinv(matrix, rtol=host_value(limit), hermitian=hermitian))


@_raising
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """How many singular values are not negligible."""
    found = np.linalg.matrix_rank(
        host_value(A),
        host_value(tol),
        hermitian,
        **({} if rtol is None else {"rtol": host_value(rtol)}),
    )
    return from_host(np.asarray(found)[()])


def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """The x with the least `|b - a @ x|`, with residuals, rank and singular values."""
    found = np.linalg.lstsq(host_value(a), host_value(b), rcond)
    return tuple([from_host(one) for one in found])


@_raising
def matrix_power(a: Any, n: int) -> Any:
    """A square matrix multiplied by itself n times."""
    node = node_of(a)
    if len(node.spec.shape) < 2 or node.spec.shape[-1] != node.spec.shape[-2]:
        _matrix(a, square=True)
    if n < 0:
        return matrix_power(inv(a), -n)
    return _array(tensors.matrix_power(wrap(fresh(node, node)), n))


def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """The product of several matrices, in the cheapest order."""
    found = _array(tensors.multi_dot([wrap(fresh(one, one)) for one in map(node_of, arrays)]))
    if out is not None:
        out[...] = found
        return out
    return found


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of all elements, of the vectors along one axis, or of the matrices in two.

    >>> import flambeau.numpy as np
    >>> np.linalg.norm([3.0, 4.0])
    np.float64(5.0)
    """
    tensor = _floats_of_any(x)
    rank = tensor.dim()
    if ord is None and axis is None:
        found = tensors.vector_norm(tensor.reshape(-1), 2)
        return _array(found.reshape((1,) * rank) if keepdims else found)
    if axis is None:
        axis = tuple(range(rank))
        if rank > 2:
            raise ValueError("Improper number of dimensions to norm.")
    dims = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    dims = np.lib.array_utils.normalize_axis_tuple(dims, rank)
    if len(dims) == 1:
        _check_order(ord, vector=True)
        return _array(tensors.vector_norm(tensor, 2 if ord is None else ord, dims[0], keepdims))
    if len(dims) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    _check_order(ord, vector=False)
    return _array(tensors.matrix_norm(tensor, "fro" if ord is None else ord, dims, keepdims))


def _floats_of_any(x: Any) -> Tensor:
    """As `_floats`, with float16 computed as it is."""
    node = node_of(x)
    wide = node if node.spec.dtype.is_floating_point else cast(node, dtypes.float64)
    return wrap(fresh(wide, node))


def _check_order(ord: Any, vector: bool) -> None:
    if vector and isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    if not vector and ord not in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        raise ValueError("Invalid norm order for matrices.")


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The norm of the vectors along `axis`, or of all elements."""
    tensor = _floats_of_any(x)
    if axis is not None:
        dims = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
        axis = np.lib.array_utils.normalize_axis_tuple(dims, tensor.dim())
    if axis is None:
        found = tensors.vector_norm(tensor.reshape(-1), ord)
        return _array(found.reshape((1,) * tensor.dim()) if keepdims else found)
    return _array(tensors.vector_norm(tensor, ord, axis, keepdims))


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The norm of a matrix, or of each of a stack."""
    _check_order(ord, vector=False)
    _matrix(x)
    return _array(tensors.matrix_norm(_floats(x), ord, (-2, -1), keepdims))


@_raising
def cond(x: Any, p: Any = None) -> Any:
    """The condition number."""
    return from_host(np.asarray(np.linalg.cond(host_value(x), p))[()])


@_raising
def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of the map that `tensordot(a, b, ind)` is."""
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    return _array(tensors.tensorinv(_floats(a), ind))


@_raising
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """x with `tensordot(a, x) = b`."""
    return _array(tensors.tensorsolve(_floats(a), _floats(b), axes))


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sum of the diagonal of the last two dimensions."""
    return products.trace(x, offset, -2, -1, dtype)


def diagonal(x: Any, /, *, offset: int = 0) -> ndarray:
    """The diagonal of the last two dimensions: a view."""
    return _diagonal(x, offset, -2, -1)


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """The vectors at right angles to both."""
    for one in (x1, x2):
        if node_of(one).spec.shape[axis] != 3:
            raise ValueError(
                "Both input arrays must be (arrays of) 3-dimensional vectors, but they are "
                f"{node_of(x1).spec.shape[axis]} and {node_of(x2).spec.shape[axis]} dimensional "
                "instead."
            )
    return products.cross(x1, x2, axis=axis)


def outer(x1: Any, x2: Any, /) -> Any:
    """The products of each element of one vector with each of the other."""
    first, second = node_of(x1), node_of(x2)
    if len(first.spec.shape) != 1 or len(second.spec.shape) != 1:
        raise ValueError(
            "Input arrays must be one-dimensional, but they are x1.ndim="
            f"{len(first.spec.shape)} and x2.ndim={len(second.spec.shape)}."
        )
    return UFUNCS["multiply"].outer(x1, x2)
