"""The standard's extension for linear algebra: flambeau.numpy.linalg for tensors."""

from __future__ import annotations

from flambeau.array_api._adapter import on_tensors
from flambeau.numpy import linalg

_NAMES = """
    cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank
    matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm"""

for _name in _NAMES.split():
    globals()[_name] = on_tensors(getattr(linalg, _name), _name)
