"""`tf.linalg`: linear algebra under the names of later versions of TensorFlow 1."""

from __future__ import annotations

from flambeau.tf1.arrays import eye, matrix_transpose
from flambeau.tf1.products import cholesky, diag, diag_part, einsum, matmul, tensordot, trace
from flambeau.tf1.products import matrix_determinant as det
from flambeau.tf1.products import matrix_inverse as inv
from flambeau.tf1.products import matrix_solve as solve
from flambeau.tf1.reductions import l2_normalize, norm
