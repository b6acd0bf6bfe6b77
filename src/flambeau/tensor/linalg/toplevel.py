"""The functions of linear algebra that `torch` itself offers, often in an older form."""

from __future__ import annotations

from flambeau.tensor.linalg.cholesky import cholesky_inverse, cholesky_solve
from flambeau.tensor.linalg.cholesky import old_cholesky as cholesky
from flambeau.tensor.linalg.norms import frobenius_norm, nuclear_norm
from flambeau.tensor.linalg.old import lu, lu_solve, lu_unpack, triangular_solve
from flambeau.tensor.linalg.products import matrix_exp, vander
from flambeau.tensor.linalg.qr import geqrf, ormqr
from flambeau.tensor.linalg.qr import householder_product as orgqr
from flambeau.tensor.linalg.qr import old_qr as qr
from flambeau.tensor.linalg.solve import det, logdet, slogdet
from flambeau.tensor.linalg.solve import inv as inverse
from flambeau.tensor.linalg.spectral import old_svd as svd
from flambeau.tensor.linalg.spectral import pinverse

__all__ = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "frobenius_norm", "geqrf", "inverse",
    "logdet", "lu", "lu_solve", "lu_unpack", "matrix_exp", "nuclear_norm", "orgqr", "ormqr",
    "pinverse", "qr", "slogdet", "svd", "triangular_solve", "vander",
]  # fmt: skip
