"""Products of matrices and vectors, powers, and views that linear algebra has names for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from flambeau.core import dtypes
from flambeau.core.shapes import normalize_dim
from flambeau.ops.elementwise_base import SPELLING
from flambeau.tensor import matrix
from flambeau.tensor.creation import eye, ones
from flambeau.tensor.joining import cat
from flambeau.tensor.linalg.host import (
    array_of,
    check_float,
    check_floating,
    check_same_dtype,
    check_square,
    deliver,
)
from flambeau.tensor.linalg.solve import inv
from flambeau.tensor.scans import cumprod
from flambeau.tensor.tensor import Tensor

matmul = matrix.matmul


def matrix_power(A: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """The square matrices multiplied with themselves; for a negative `n` the inverses.

    >>> import flambeau
    >>> flambeau.linalg.matrix_power(flambeau.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    tensor([[1., 5.],
            [0., 1.]])
    """
    check_square("linalg.matrix_power", A)
    if n == 0:
        # The empty product is zero, and ties the result to A.
        nothing = A[..., :0] @ A[..., :0, :]
        return deliver(nothing + eye(A.shape[-1], dtype=A.dtype), out)
    if n < 0:
        return deliver(matrix.matrix_power(inv(A), -n), out)
    return deliver(matrix.matrix_power(A, n), out)


def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """The product of matrices in the cheapest order; the first and the last may be vectors.

    >>> import flambeau
    >>> ones = flambeau.ones
    >>> flambeau.linalg.multi_dot([ones(2), ones(2, 3), ones(3)])
    tensor(6.)
    """
    given = list(tensors)
    if len(given) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(given)}")
    for number, one in enumerate(given):
        ends = number in (0, len(given) - 1)
        if one.dim() != 2 and not (ends and one.dim() == 1):
            which = "the first tensor" if number == 0 else "the last tensor"
            which, ranks = (which, "1D or 2D") if ends else (f"tensor {number}", "2D")
            raise RuntimeError(f"multi_dot(): {which} must be {ranks} but got {one.dim()}D")
        if one.dtype is not given[0].dtype:
            kinds = SPELLING[given[0].dtype].lower(), SPELLING[one.dtype].lower()
            raise RuntimeError(
                "multi_dot(): all tensors must have be the same dtype but tensor 0 is "
                f"{kinds[0]} and tensor {number} {kinds[1]}"
            )
    shape = (*given[0].shape[:-1], *given[-1].shape[1:])
    given[0] = given[0] if given[0].dim() == 2 else given[0].unsqueeze(0)
    given[-1] = given[-1] if given[-1].dim() == 2 else given[-1].unsqueeze(1)
    for number, (a, b) in enumerate(itertools.pairwise(given)):
        if a.shape[1] != b.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {number} and {number + 1} with shapes "
                f"{list(tensors[number].shape)} and {list(tensors[number + 1].shape)} cannot be "
                "multiplied"
            )
    return deliver(matrix.chain_matmul(*given).reshape(*shape), out)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """The sums of products along `dim`, broadcast."""
    op = "linalg.vecdot"
    check_floating(op, x)
    check_same_dtype(op, x, y, "x", "y")
    if x.dim() == y.dim() == 1:
        return deliver(matrix.dot(x, y), out)
    return deliver((x * y).sum(dim), out)


def cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """The cross product along a dimension of size 3, broadcast."""
    if input.dim() != other.dim():
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    place = normalize_dim(dim, input.dim())
    if input.shape[place] != 3 or other.shape[place] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got "
            f"{input.shape[place]} and {other.shape[place]}"
        )
    return deliver(matrix.cross(input, other, dim), out)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """`Tensor.diagonal`, of the last two dimensions by default."""
    view: Tensor = A.diagonal(offset, dim1, dim2)
    return view


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """Powers: (*, n) gives (*, n, N), with `x ** j` in column j.

    >>> import flambeau
    >>> flambeau.linalg.vander(flambeau.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [1, 2, 4],
            [1, 3, 9]])
    """
    if x.dtype is dtypes.bool:
        raise RuntimeError(
            "linalg.vander supports floating point, complex, and integer tensors, but got Bool"
        )
    base = x if x.dim() else x.unsqueeze(0)
    count = x.shape[-1] if N is None and x.dim() else N
    if count is None or count <= 1:
        raise RuntimeError("N must be greater than 1.")
    powers = cumprod(base.unsqueeze(-1).expand(*base.shape, count - 1), -1)
    return cat((ones(*base.shape, 1, dtype=powers.dtype), powers), -1)


# Taylor's polynomial of this degree is exact to float64 for matrices of norm up to 1/2.
_DEGREE = 14


def matrix_exp(A: Tensor) -> Tensor:
    """The exponential of the square matrices, `Σ Aⁿ / n!`.

    Scaling and squaring: Moler and Van Loan 2003, Nineteen dubious ways, method 3.

    >>> import flambeau
    >>> flambeau.linalg.matrix_exp(flambeau.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    check_square("linalg.matrix_exp", A)
    check_float("linalg.matrix_exp", A)
    sums = np.abs(array_of(A)).sum(-1)
    size = float(sums.max(initial=0.0))
    halvings = max(math.ceil(math.log2(size)) + 1, 0) if 0 < size < math.inf else 0
    unit, small = eye(A.shape[-1], dtype=A.dtype), A * 0.5**halvings
    result = unit + small * (1 / _DEGREE)
    for degree in range(_DEGREE - 1, 0, -1):
        result = unit + (small @ result) * (1 / degree)
    for _ in range(halvings):
        result = result @ result
    return result
