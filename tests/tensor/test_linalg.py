"""Linear algebra: factors multiply to the matrix, gradients are those of finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau import Tensor, linalg
from flambeau.tensor.gradcheck import gradcheck, gradgradcheck
from flambeau.tensor.linalg.lu import permutation

SHAPES = [(3, 3), (2, 4, 4), (5, 3), (3, 5), (2, 2, 3, 2), (0, 3, 3), (0, 0), (1, 1)]
SQUARE = [(3, 3), (2, 4, 4), (0, 3, 3), (0, 0), (1, 1)]


def matrix(*shape: int, seed: int = 0) -> Tensor:
    return flambeau.tensor(np.random.default_rng(seed).standard_normal(shape))


def regular(*shape: int) -> Tensor:
    """Square, and far from singular; distinct eigenvalues."""
    return matrix(*shape) + flambeau.diag(flambeau.arange(shape[-1]).double() * 2 + 3)


def positive(*shape: int) -> Tensor:
    x = regular(*shape)
    return x @ x.mT


def close(a: Tensor, b: Tensor) -> None:
    assert a.shape == b.shape
    assert a.dtype is b.dtype
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_factors_multiply_to_the_matrix(shape: tuple[int, ...]) -> None:
    a = matrix(*shape)
    p, lower, upper = linalg.lu(a)
    close(p @ lower @ upper, a)
    q, r = linalg.qr(a)
    close(q @ r, a)
    u, s, vh = linalg.svd(a, full_matrices=False)
    close((u * s[..., None, :]) @ vh, a)
    close(a @ linalg.pinv(a) @ a, a)


@pytest.mark.parametrize("shape", SQUARE)
def test_factors_of_square_matrices(shape: tuple[int, ...]) -> None:
    a, b = regular(*shape), positive(*shape)
    unit = flambeau.eye(shape[-1]).double().expand(*shape)
    close(a @ linalg.inv(a), unit)
    factor = linalg.cholesky(b)
    close(factor @ factor.mT, b)
    close(linalg.cholesky(b, upper=True), factor.mT)
    values, vectors = linalg.eigh(b)
    close(vectors @ (values[..., None] * vectors.mT), b)
    sign, logarithm = linalg.slogdet(a)
    close(sign * logarithm.exp(), linalg.det(a))
    close(linalg.matrix_power(a, 3), a @ a @ a)


@pytest.mark.parametrize("left", [True, False])
def test_solutions_solve(left: bool) -> None:
    a = regular(2, 4, 4)
    b = matrix(3, 1, 4, 2) if left else matrix(3, 1, 2, 4)

    def product(a: Tensor, x: Tensor) -> Tensor:
        return a @ x if left else x @ a

    wanted = b.expand(3, 2, *b.shape[-2:])
    close(product(a, linalg.solve(a, b, left=left)), wanted)
    for upper in (True, False):
        triangle = a.triu() if upper else a.tril()
        x = linalg.solve_triangular(a, b, upper=upper, left=left)
        close(product(triangle, x), wanted)
    factors, pivots = linalg.lu_factor(a)
    close(product(a, linalg.lu_solve(factors, pivots, b, left=left)), wanted)
    close(product(a.mT, linalg.lu_solve(factors, pivots, b, left=left, adjoint=True)), wanted)


def test_a_triangular_solve_does_not_read_the_other_triangle() -> None:
    a = flambeau.tensor([[2.0, math.nan], [1.0, math.nan]])
    x = linalg.solve_triangular(a, flambeau.ones(2, 1), upper=False, unitriangular=True)
    assert x.tolist() == [[1.0], [0.0]]


def test_row_exchanges_become_a_permutation() -> None:
    assert permutation(np.array([[3, 3, 3], [1, 2, 3]]), 3).tolist() == [[2, 0, 1], [0, 1, 2]]


def test_least_squares_leave_nothing_along_the_columns() -> None:
    a, b = matrix(2, 5, 3), matrix(2, 5, 2, seed=1)
    found = linalg.lstsq(a, b, driver="gelsd")
    gap = a @ found.solution - b
    close(a.mT @ gap, flambeau.zeros(2, 3, 2).double())
    close(found.residuals, (gap * gap).sum(-2))
    assert found.rank.tolist() == [3, 3]


DIFFERENTIABLE: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "inv": (linalg.inv, (regular(2, 3, 3),)),
    "det": (linalg.det, (regular(2, 3, 3),)),
    "slogdet": (lambda a: linalg.slogdet(a)[1], (regular(2, 3, 3),)),
    "logdet": (flambeau.logdet, (positive(3, 3),)),
    "cholesky": (lambda a: linalg.cholesky(a @ a.mT), (regular(2, 3, 3),)),
    "cholesky_upper": (lambda a: linalg.cholesky(a @ a.mT, upper=True), (regular(3, 3),)),
    "cholesky_solve": (
        lambda a, b: flambeau.cholesky_solve(b, linalg.cholesky(a @ a.mT)),
        (regular(3, 3), matrix(3, 2)),
    ),
    "solve": (linalg.solve, (regular(2, 3, 3), matrix(3, 2))),
    "solve_vector": (linalg.solve, (regular(3, 3), matrix(3))),
    "solve_right": (lambda a, b: linalg.solve(a, b, left=False), (regular(3, 3), matrix(2, 3))),
    "solve_triangular": (
        lambda a, b: linalg.solve_triangular(a, b, upper=True),
        (regular(2, 3, 3), matrix(3, 2)),
    ),
    "solve_unitriangular": (
        lambda a, b: linalg.solve_triangular(a, b, upper=False, unitriangular=True),
        (matrix(3, 3), matrix(3, 2)),
    ),
    "qr_square": (linalg.qr, (regular(2, 3, 3),)),
    "qr_tall": (linalg.qr, (matrix(4, 2),)),
    "qr_wide": (linalg.qr, (matrix(2, 4),)),
    "lu_square": (lambda a: linalg.lu(a)[1:], (regular(2, 3, 3),)),
    "lu_tall": (lambda a: linalg.lu(a)[1:], (matrix(4, 2),)),
    "lu_wide": (lambda a: linalg.lu(a)[1:], (matrix(2, 4),)),
    "svd_tall": (lambda a: _without_signs(linalg.svd(a, False)), (matrix(4, 2),)),
    "svd_wide": (lambda a: _without_signs(linalg.svd(a, False)), (matrix(2, 4),)),
    "svdvals": (linalg.svdvals, (matrix(2, 3, 2),)),
    "eigh": (lambda a: _without_signs(linalg.eigh(a + a.mT)), (regular(2, 3, 3),)),
    "eigvalsh": (lambda a: linalg.eigvalsh(a + a.mT), (regular(3, 3),)),
    "pinv_tall": (linalg.pinv, (matrix(4, 2),)),
    "pinv_wide": (linalg.pinv, (matrix(2, 4),)),
    "lstsq": (lambda a, b: linalg.lstsq(a, b, driver="gels")[:2], (matrix(4, 2), matrix(4, 3))),
    "householder_product": (linalg.householder_product, (matrix(4, 2), matrix(2))),
    "matrix_exp": (linalg.matrix_exp, (matrix(2, 3, 3),)),
    "nuclear": (lambda a: linalg.norm(a, "nuc"), (matrix(3, 2),)),
    "spectral": (lambda a: linalg.norm(a, 2), (matrix(3, 2),)),
    "cond": (lambda a: linalg.cond(a, 1), (regular(3, 3),)),
    "vander": (lambda x: linalg.vander(x, 4), (matrix(3),)),
}


def _without_signs(factors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple([one.abs() for one in factors])


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name: str) -> None:
    function, inputs = DIFFERENTIABLE[name]
    given = [one.detach().clone().requires_grad_() for one in inputs]
    assert gradcheck(function, given)


@pytest.mark.parametrize(
    "name", ["inv", "det", "cholesky", "solve", "solve_triangular", "qr_tall", "eigh", "svd_tall"]
)
def test_second_gradients(name: str) -> None:
    function, inputs = DIFFERENTIABLE[name]
    given = [one.detach().clone().requires_grad_() for one in inputs]
    assert gradgradcheck(function, given)


def test_the_gradient_of_a_singular_determinant_is_the_cofactors() -> None:
    a = flambeau.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    linalg.det(a).backward()
    np.testing.assert_allclose(a.grad.numpy(), [[4, -2], [-2, 1]], atol=1e-5)


def test_a_second_backward_needs_retain_graph() -> None:
    a = regular(3, 3).requires_grad_()
    total = linalg.inv(a).sum()
    total.backward(retain_graph=True)
    total.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        total.backward()


def test_results_do_not_change_with_a_later_write_to_the_matrix() -> None:
    a = regular(3, 3)
    before = linalg.inv(a).clone()
    kept = linalg.inv(a)
    a.zero_()
    close(kept, before)


def test_norms_of_known_matrices() -> None:
    a = flambeau.tensor([[1.0, -2.0], [3.0, 4.0]])
    known = {"fro": math.sqrt(30), 1: 6, -1: 4, math.inf: 7, -math.inf: 3}
    for order, value in known.items():
        assert linalg.matrix_norm(a, order).item() == pytest.approx(value)
    spectral = linalg.matrix_norm(a, 2).item() * linalg.matrix_norm(a, -2).item()
    assert spectral == pytest.approx(10)
    assert linalg.norm(a, 2, dim=0).tolist() == pytest.approx([math.sqrt(10), math.sqrt(20)])
    assert linalg.vector_norm(a, keepdim=True).shape == (1, 1)
    assert linalg.norm(flambeau.zeros(2, 0)).item() == 0


def test_rank_and_condition() -> None:
    a = flambeau.tensor([[1.0, 1.0], [1.0, 1.0]])
    assert linalg.matrix_rank(a).item() == 1
    assert linalg.matrix_rank(a, hermitian=True).item() == 1
    assert linalg.matrix_rank(a, atol=3.0, rtol=0.0).item() == 0
    assert linalg.cond(a, 1).item() == math.inf


def test_info_counts_from_one_and_zero_means_success() -> None:
    a = flambeau.stack([flambeau.eye(2), flambeau.zeros(2, 2), -flambeau.eye(2)])
    assert linalg.inv_ex(a).info.tolist() == [0, 1, 0]
    assert linalg.cholesky_ex(a).info.tolist() == [0, 1, 1]
    assert linalg.lu_factor_ex(a).info.tolist() == [0, 1, 0]
    assert linalg.inv_ex(a).inverse[0].tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_results_can_be_written_to_given_tensors() -> None:
    a, out = regular(3, 3), flambeau.zeros(3, 3).double()
    assert linalg.inv(a, out=out) is out
    close(out, linalg.inv(a))


SINGULAR = flambeau.zeros(2, 2)
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: linalg.inv(matrix(3)), RuntimeError, "at least 2 dimensions"),
    (lambda: linalg.inv(matrix(2, 3)), RuntimeError, "square matrices, but they are 2 by 3"),
    (lambda: linalg.inv(matrix(2, 2).long()), RuntimeError, "floating point .* Got Long"),
    (lambda: linalg.inv(matrix(2, 2).half()), RuntimeError, "Low precision .* Got Half"),
    (lambda: linalg.inv(SINGULAR), linalg.LinAlgError, "diagonal element 1 is zero"),
    (lambda: linalg.inv(SINGULAR[None]), linalg.LinAlgError, r"\(Batch element 0\)"),
    (lambda: linalg.solve(SINGULAR, SINGULAR), linalg.LinAlgError, "singular"),
    (lambda: linalg.solve(matrix(3, 3), matrix(2)), RuntimeError, r"AX = B \(3x3 and 2x1\)"),
    (lambda: linalg.solve(matrix(2, 2), SINGULAR), RuntimeError, "same dtype"),
    (lambda: linalg.cholesky(-flambeau.eye(2)), linalg.LinAlgError, "minor of order 1"),
    (lambda: linalg.qr(matrix(2, 2), "x"), RuntimeError, "unrecognized mode 'x'"),
    (lambda: linalg.eigh(matrix(2, 2), "X"), RuntimeError, "but got X"),
    (lambda: linalg.svd(matrix(2, 2) * math.nan), linalg.LinAlgError, "non-finite"),
    (lambda: linalg.lu_factor(SINGULAR), RuntimeError, r"U\[1,1\] is zero"),
    (lambda: linalg.lu_factor(SINGULAR, pivot=False), RuntimeError, "without pivoting"),
    (lambda: linalg.multi_dot([matrix(2, 2)]), RuntimeError, "at least 2 tensors but got 1"),
    (lambda: linalg.cross(matrix(2), matrix(2)), RuntimeError, "must have length 3"),
    (lambda: linalg.norm(matrix(2, 2, 2), 1), RuntimeError, "must be 1D or 2D. Got 3D"),
    (lambda: linalg.norm(matrix(2, 2), 3), RuntimeError, "Order 3 not supported"),
    (lambda: linalg.vector_norm(matrix(0), math.inf), RuntimeError, "inf norm on an empty"),
    (lambda: linalg.cond(matrix(2, 2), 3), RuntimeError, "invalid norm type: 3"),
    (lambda: linalg.tensorinv(matrix(2, 3), 0), RuntimeError, "strictly positive"),
    (lambda: flambeau.lu_unpack(SINGULAR, SINGULAR), RuntimeError, "torch.int32"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refusals(number: int) -> None:
    call, kind, message = REFUSED[number]
    with pytest.raises(kind, match=message):
        call()
