"""`torch.linalg`: NumPy's LAPACK on the host, with gradients made of ordinary operations."""

from __future__ import annotations

from flambeau.tensor.linalg.cholesky import cholesky, cholesky_ex
from flambeau.tensor.linalg.host import LinAlgError
from flambeau.tensor.linalg.lstsq import lstsq
from flambeau.tensor.linalg.lu import lu, lu_factor, lu_factor_ex, lu_solve
from flambeau.tensor.linalg.norms import cond, matrix_norm, norm, nuclear_norm, vector_norm
from flambeau.tensor.linalg.products import (
    cross,
    diagonal,
    matmul,
    matrix_exp,
    matrix_power,
    multi_dot,
    vander,
    vecdot,
)
from flambeau.tensor.linalg.qr import householder_product, qr
from flambeau.tensor.linalg.solve import (
    det,
    inv,
    inv_ex,
    slogdet,
    solve,
    solve_ex,
    tensorinv,
    tensorsolve,
)
from flambeau.tensor.linalg.spectral import eigh, eigvalsh, matrix_rank, pinv, svd, svdvals
from flambeau.tensor.linalg.triangular import solve_triangular

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eigh",
    "eigvalsh", "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor",
    "lu_factor_ex", "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power",
    "matrix_rank", "multi_dot", "norm", "nuclear_norm", "pinv", "qr", "slogdet", "solve",
    "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander",
    "vecdot", "vector_norm",
]  # fmt: skip
