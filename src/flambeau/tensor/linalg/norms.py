"""Norms of vectors and matrices, and the condition number."""

from __future__ import annotations

import math
from typing import Any

from flambeau.core.dtypes import dtype
from flambeau.core.shapes import normalize_dim, normalize_dims
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.selection import cast
from flambeau.ops.shape import kept_as_ones, reshape
from flambeau.tensor.cloning import distinct
from flambeau.tensor.linalg.host import (
    check_float,
    check_floating,
    check_matrix,
    check_square,
    deliver,
)
from flambeau.tensor.linalg.solve import Inverse
from flambeau.tensor.linalg.spectral import svdvals
from flambeau.tensor.reductions import amax, amin, vector_norm_node
from flambeau.tensor.reductions import sum as sum_
from flambeau.tensor.searching import where
from flambeau.tensor.tensor import Tensor, wrap

INFINITE = (math.inf, -math.inf)


def _converted(op: str, x: Tensor, kind: dtype | None) -> Tensor:
    """`x` in the dtype asked for, which must hold all its values."""
    check_floating(op, x)
    if kind is None or kind is x.dtype:
        return x
    if not kind.is_floating_point:
        raise RuntimeError(
            f"{op}: dtype should be floating point or complex, but got {SPELLING[kind]}"
        )
    if kind.itemsize < x.dtype.itemsize:
        raise RuntimeError(
            f"{op}: the dtype of the input ({SPELLING[x.dtype]}) should be convertible without "
            f"narrowing to the specified dtype ({SPELLING[kind]})"
        )
    return wrap(cast(x.node, kind))


def vector_norm(
    x: Tensor,
    ord: Any = 2,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """`(Σ|x|^ord)^(1/ord)` over `dim`, or of all elements; ord may be 0 or ±inf.

    >>> import flambeau
    >>> flambeau.linalg.vector_norm(flambeau.tensor([3.0, -4.0]))
    tensor(5.)
    """
    if isinstance(ord, str):
        raise TypeError("linalg_vector_norm(): argument 'ord' (position 2) must be Number, not str")
    node = _converted("linalg.vector_norm", x, dtype).node
    shape = node.spec.shape
    dims = normalize_dims(dim if dim is None or isinstance(dim, int) else tuple(dim), len(shape))
    _check_identity(shape, dims, float(ord), dim is None)
    result = vector_norm_node(node, float(ord), dims)
    if keepdim:
        result = reshape(result, kept_as_ones(shape, dims))
    return deliver(wrap(distinct(result, node, x.node)), out)


def _check_identity(
    shape: tuple[int, ...], dims: tuple[int, ...], order: float, everything: bool
) -> None:
    """RuntimeError for the norm of nothing where that has no value."""
    if math.prod(shape) or not (order < 0 or order == math.inf):
        return
    op, spelled = "linalg.vector_norm", f"{order:g}"
    if everything or len(dims) == len(shape):
        raise RuntimeError(
            f"{op} cannot compute the {spelled} norm on an empty tensor because the operation does "
            "not have an identity"
        )
    for dim in dims:
        if shape[dim] == 0:
            raise RuntimeError(
                f"{op} cannot compute the {spelled} norm on the dimension {dim}because this "
                "dimension is empty and the operation does not have an identity"
            )


def matrix_norm(
    A: Tensor,
    ord: Any = "fro",
    dim: Any = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """A norm of the matrices in the dimensions `dim`: 'fro', 'nuc', ±1, ±2 or ±inf.

    >>> import flambeau
    >>> flambeau.linalg.matrix_norm(flambeau.tensor([[3.0, 0.0], [0.0, -4.0]]), "nuc")
    tensor(7.)
    """
    op = "linalg.matrix_norm"
    check_matrix(op, A)
    check_floating(op, A)
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dims) != 2:
        raise RuntimeError(f"{op}: dim must be a 2-tuple. Got {' '.join(map(str, dims))}")
    rows, columns = [normalize_dim(one, A.dim()) for one in dims]
    if rows == columns:
        raise RuntimeError(f"{op}: dims must be different. Got ({dims[0]}, {dims[1]})")
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim, dtype=dtype, out=out)
    if ord == "nuc" or ord in (2, -2):
        check_float(op, A)
        result = _spectral_norm(_converted(op, A, dtype), ord, rows, columns)
    elif not isinstance(ord, str) and ord in (1, -1, *INFINITE):
        result = _sum_norm(_converted(op, A, dtype), float(ord), rows, columns)
    else:
        raise RuntimeError(f"{op}: Order {ord} not supported.")
    if keepdim:
        result = result.reshape(kept_as_ones(tuple(A.shape), (rows, columns)))
    return deliver(result, out)


def _spectral_norm(a: Tensor, order: Any, rows: int, columns: int) -> Tensor:
    values = svdvals(a.movedim((rows, columns), (-2, -1)))
    return sum_(values, -1) if order == "nuc" else _extreme(values, -1, order > 0)


def _sum_norm(a: Tensor, order: float, rows: int, columns: int) -> Tensor:
    """The largest (or smallest) sum of magnitudes of a column, or for ±inf of a row."""
    summed, kept = (columns, rows) if order in INFINITE else (rows, columns)
    sums = a.abs().sum(summed)
    return _extreme(sums, kept - (kept > summed), order > 0)


def _extreme(values: Tensor, dim: int, largest: bool) -> Tensor:
    """The largest (of none: 0) or the smallest along `dim`."""
    if largest and values.shape[dim] == 0:
        return sum_(values, dim)
    return amax(values, dim) if largest else amin(values, dim)


def norm(
    A: Tensor,
    ord: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """A matrix norm over two dimensions, a vector norm over one; of all elements by default.

    >>> import flambeau
    >>> flambeau.linalg.norm(flambeau.tensor([[1.0, 2.0], [3.0, -4.0]]), 1)
    tensor(6.)
    """
    dims = None if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}"
        )
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype, out=out)
    if dims is None:
        if A.dim() not in (1, 2):
            raise RuntimeError(
                "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
                f"{A.dim()}D."
            )
        dims = tuple(range(A.dim()))
    if len(dims) == 1 and not isinstance(ord, str):
        return vector_norm(A, ord, dims, keepdim, dtype=dtype, out=out)
    return matrix_norm(A, ord, dims, keepdim, dtype=dtype, out=out)


def nuclear_norm(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The sum of the singular values."""
    return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim)


def frobenius_norm(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The square root of the sum of the squares."""
    return vector_norm(input, 2, dim, keepdim)


def cond(A: Tensor, p: Any = None, *, out: Tensor | None = None) -> Tensor:
    """The condition number in a matrix norm: `|A| |A⁻¹|`; for ±2, of singular values.

    >>> import flambeau
    >>> flambeau.linalg.cond(flambeau.tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    if A.dim() < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    if p not in (None, "fro", "nuc", 1, -1, 2, -2, *INFINITE):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if A.numel() == 0:
        return deliver(A.new_zeros(tuple(A.shape[:-2])), out)
    if p in (None, 2, -2):
        values = svdvals(A)
        first, last = values[..., 0], values[..., -1]
        return deliver(last / first if p == -2 else first / last, out)
    check_square(f"linalg.cond(ord={p})", A)
    check_float("linalg.cond", A)
    inverse, info = Inverse.apply(A)
    product = matrix_norm(A, p) * matrix_norm(where(info[..., None, None] == 0, inverse, 0.0), p)
    return deliver(where(info == 0, product, math.inf), out)
