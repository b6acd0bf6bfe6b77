"""Products of matrices and other linear algebra."""

from __future__ import annotations

from typing import Any

from flambeau import tensor as ft
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tf1 import shape_rules
from flambeau.tf1.building import alike, apply, convert_to_tensor, operation
from flambeau.tf1.graph import Tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import Static


def _matmul(a: Value, b: Value, transpose_a: bool, transpose_b: bool) -> Value:
    a = a.transpose(-1, -2) if transpose_a else a
    b = b.transpose(-1, -2) if transpose_b else b
    return ft.matmul(a, b)


_MATMUL = Kind("MatMul", shape_rules.product, _matmul)


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of (batches of) matrices (..., n, k) and (..., k, m).

    >>> import flambeau.tf1 as tf
    >>> with tf.Session() as session:
    ...     session.run(tf.matmul([[1.0, 2.0]], [[3.0, 4.0]], transpose_b=True))
    array([[11.]], dtype=float32)
    """
    one, other = alike("MatMul", a, b)
    return apply(
        _MATMUL,
        one,
        other,
        name=name,
        transpose_a=transpose_a or adjoint_a,
        transpose_b=transpose_b or adjoint_b,
    )


def _tensordot(a: Value, b: Value, axes: Any) -> Value:
    return ft.tensordot(a, b, axes)


def _tensordot_shape(inputs: Any, attributes: dict[str, Any]) -> list[Static]:
    one, other = (tensor.static for tensor in inputs)
    axes = attributes["axes"]
    if one is None or other is None:
        return [None]
    if isinstance(axes, int):
        return [one[: len(one) - axes] + other[axes:]]
    first = {place % len(one) for place in axes[0]}
    second = {place % len(other) for place in axes[1]}
    kept = [size for place, size in enumerate(one) if place not in first]
    return [(*kept, *[size for place, size in enumerate(other) if place not in second])]


_TENSORDOT = Kind("Tensordot", _tensordot_shape, _tensordot)


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """The sum of products over the last `axes` dimensions of a and first of b, or over pairs."""
    one, other = alike("Tensordot", a, b)
    if not isinstance(axes, int):
        first, second = axes
        many = isinstance(first, (list, tuple))
        axes = (list(first), list(second)) if many else ([int(first)], [int(second)])
    return apply(_TENSORDOT, one, other, name=name, axes=axes)


def _einsum(*values: Value, equation: str) -> Value:
    return ft.einsum(equation, *values)


def _einsum_shape(inputs: Any, attributes: dict[str, Any]) -> list[Static]:
    terms, arrow, result = attributes["equation"].replace(" ", "").partition("->")
    if "." in terms or not arrow:
        return [None]
    sizes: dict[str, int | None] = {}
    for letters, tensor in zip(terms.split(","), inputs, strict=True):
        shape = tensor.static or (None,) * len(letters)
        for letter, size in zip(letters, shape, strict=True):
            sizes[letter] = size if sizes.get(letter) is None else sizes[letter]
    return [tuple([sizes[letter] for letter in result])]


_EINSUM = Kind("Einsum", _einsum_shape, _einsum)


def einsum(equation: str, *inputs: Any, name: str | None = None) -> Tensor:
    """Sums of products in Einstein's notation: `einsum("ij,jk->ik", a, b)`."""
    tensors = alike("Einsum", *inputs)
    return operation(_EINSUM, tensors, [tensors[0].dtype], {"equation": equation}, name).outputs[0]


_TRACE = Kind("Trace", lambda inputs, attributes: [_batch(inputs)], lambda x: _diagonal(x).sum(-1))
_DIAG_PART = Kind(
    "DiagPart", lambda inputs, attributes: [_diagonal_shape(inputs)], lambda x: _diagonal(x)
)
_DIAG = Kind("Diag", lambda inputs, attributes: [_square(inputs)], ft.diag_embed)
_INVERSE = Kind("MatrixInverse", shape_rules.same, ft.linalg.inv)
_DETERMINANT = Kind("MatrixDeterminant", lambda inputs, attributes: [_batch(inputs)], ft.linalg.det)
_CHOLESKY = Kind("Cholesky", shape_rules.same, ft.linalg.cholesky)
_SOLVE = Kind("MatrixSolve", lambda inputs, attributes: [inputs[1].static], ft.linalg.solve)


def _diagonal(x: Value) -> Value:
    return ft.diagonal(x, 0, -2, -1)


def _batch(inputs: Any) -> Static:
    shape: Static = inputs[0].static
    return None if shape is None else shape[:-2]


def _diagonal_shape(inputs: Any) -> Static:
    shape: Static = inputs[0].static
    return None if shape is None else (*shape[:-2], shape[-1])


def _square(inputs: Any) -> Static:
    shape: Static = inputs[0].static
    return None if shape is None else (*shape, shape[-1])


def trace(x: Any, name: str | None = None) -> Tensor:
    """The sum of the diagonal of each matrix."""
    return apply(_TRACE, convert_to_tensor(x), name=name)


def diag(diagonal: Any, name: str | None = None) -> Tensor:
    """Matrices with these diagonals, and 0 elsewhere."""
    return apply(_DIAG, convert_to_tensor(diagonal), name=name)


def diag_part(input: Any, name: str | None = None) -> Tensor:
    """The diagonal of each matrix."""
    return apply(_DIAG_PART, convert_to_tensor(input), name=name)


def matrix_inverse(input: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The inverse of each matrix."""
    return apply(_INVERSE, convert_to_tensor(input), name=name)


def matrix_determinant(input: Any, name: str | None = None) -> Tensor:
    """The determinant of each matrix."""
    return apply(_DETERMINANT, convert_to_tensor(input), name=name)


def cholesky(input: Any, name: str | None = None) -> Tensor:
    """The lower triangular factor of each positive definite matrix."""
    return apply(_CHOLESKY, convert_to_tensor(input), name=name)


def matrix_solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The solutions of systems of linear equations."""
    return apply(_SOLVE, *alike("MatrixSolve", matrix, rhs), name=name)
