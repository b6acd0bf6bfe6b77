"""Functions that `torch.linalg` has in a newer form."""

from __future__ import annotations

from typing import Any, NamedTuple

from flambeau.core import dtypes
from flambeau.tensor.linalg.host import array_of, check_float, check_square, deliver_all
from flambeau.tensor.linalg.lu import LU, lu_factor_ex, permutation_matrix, unit_lower
from flambeau.tensor.linalg.lu import lu_solve as lu_solve_with
from flambeau.tensor.linalg.triangular import TriangularSolve, same_stacks
from flambeau.tensor.tensor import Tensor


class TriangularSolution(NamedTuple):
    """The solution, and the coefficients in a copy."""

    solution: Tensor
    cloned_coefficient: Tensor


def triangular_solve(
    b: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
    *,
    out: Any = None,
) -> TriangularSolution:
    """X with `A X = b`, or with `Aᵀ X = b` if `transpose`; `linalg.solve_triangular` is newer."""
    for name, x in (("b", b), ("A", A)):
        if x.dim() < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it "
                f"has {x.dim()} dimensions instead"
            )
    check_square("triangular_solve", A)
    check_float("triangular_solve", A)
    if A.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            "Incompatible matrix sizes for triangular_solve: each A matrix is "
            f"{A.shape[-1]} by {A.shape[-1]} but each b matrix is {b.shape[-2]} by {b.shape[-1]}"
        )
    a, right = same_stacks(A, b)
    turned = a.mT if transpose else a
    x = TriangularSolve.apply(turned, right, upper is not transpose, unitriangular)
    return TriangularSolution(*deliver_all((x, a.clone()), out))


def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """`torch.lu`: the packed factors and the pivots, and with `get_infos` the zero pivots."""
    found = lu_factor_ex(A, pivot=pivot, check_errors=not get_infos)
    return found if get_infos else (found.LU, found.pivots)


def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`torch.lu_solve`: `linalg.lu_solve` with the right side first."""
    return lu_solve_with(LU_data, LU_pivots, b, out=out)


def lu_unpack(
    LU_data: Tensor,
    LU_pivots: Tensor,
    unpack_data: bool = True,
    unpack_pivots: bool = True,
    *,
    out: Any = None,
) -> LU:
    """P, L and U of packed factors; what is not unpacked is empty."""
    if LU_pivots.dtype is not dtypes.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
            "dtype.\nNote: this function is intended to be used with the output produced by "
            "torch.linalg.lu_factor"
        )
    size = min(LU_data.shape[-2:])
    empty = LU_data.new_zeros((0,))
    order, lower, upper = empty, empty, empty
    if unpack_pivots:
        pivots = array_of(LU_pivots)
        if pivots.size and not 1 <= pivots.min() <= pivots.max() <= LU_data.shape[-2]:
            raise RuntimeError(
                "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive.Did you "
                "properly pass the result of lu_factor?"
            )
        order = permutation_matrix(LU_pivots, LU_data.shape[-2], LU_data)
    if unpack_data:
        lower, upper = unit_lower(LU_data), LU_data.triu()[..., :size, :]
    return LU(*deliver_all((order, lower, upper), out))
