"""Linear algebra, distances and special functions: values and gradients against PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.tensor import distance, special, zeta

torch = pytest.importorskip("torch")

Function = Callable[..., Any]


def check(function: Function, other: Function, *arrays: np.ndarray, atol: float = 1e-9) -> None:
    """`function` of our tensors and `other` of PyTorch's give one value and one gradient."""
    sides = []
    for lib, call in ((flambeau, function), (torch, other)):
        inputs = [lib.tensor(one, requires_grad=True) for one in arrays]
        result = call(*inputs)
        weights = np.linspace(0.5, 1.5, math.prod(result.shape)).reshape(tuple(result.shape))
        (result * lib.tensor(weights)).sum().backward()
        sides.append([result.detach().numpy(), *[one.grad.numpy() for one in inputs]])
    for found, expected in zip(*sides, strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=atol)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# Of a tall, a wide and a square matrix; each of PyTorch's module `lib`.
MATRIX: dict[str, Callable[[Any, Any], Any]] = {
    "pinv": lambda lib, a: lib.linalg.pinv(a),
    "svdvals": lambda lib, a: lib.linalg.svdvals(a),
    "svd": lambda lib, a: lib.linalg.svd(a, full_matrices=False)[0].abs(),
    "old_svd": lambda lib, a: lib.svd(a)[2].abs(),
    "qr": lambda lib, a: lib.linalg.qr(a)[0] @ lib.linalg.qr(a)[1].sin(),
    "lu": lambda lib, a: lib.linalg.lu(a)[1] @ lib.linalg.lu(a)[2].sin(),
    "nuclear": lambda lib, a: lib.linalg.norm(a, "nuc"),
    "spectral": lambda lib, a: lib.linalg.matrix_norm(a, 2, keepdim=True),
    "columns": lambda lib, a: lib.linalg.matrix_norm(a, 1),
    "rows": lambda lib, a: lib.linalg.matrix_norm(a, -math.inf),
    "vectors": lambda lib, a: lib.linalg.vector_norm(a, 3, dim=1),
    "cond": lambda lib, a: lib.linalg.cond(a),
}
SQUARE: dict[str, Callable[[Any, Any], Any]] = {
    "inv": lambda lib, a: lib.linalg.inv(a),
    "det": lambda lib, a: lib.linalg.det(a),
    "slogdet": lambda lib, a: lib.linalg.slogdet(a)[1],
    "matrix_exp": lambda lib, a: lib.linalg.matrix_exp(a),
    "matrix_power": lambda lib, a: lib.linalg.matrix_power(a, -2),
    "eigh": lambda lib, a: lib.linalg.eigh(a)[1].abs(),
    "eigvalsh": lambda lib, a: lib.linalg.eigvalsh(a, UPLO="U"),
    "cholesky": lambda lib, a: lib.linalg.cholesky(a @ a.mT),
    "cholesky_inverse": lambda lib, a: lib.cholesky_inverse(a.tril()),
    "triangular": lambda lib, a: lib.linalg.solve_triangular(a, a, upper=True, left=False),
    "lu_solve": lambda lib, a: lib.linalg.lu_solve(*lib.linalg.lu_factor(a), a.mT),
    "tensorinv": lambda lib, a: lib.linalg.tensorinv(a.reshape(2, 2, 4)),
}


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3)])
@pytest.mark.parametrize("name", MATRIX)
def test_of_a_matrix(name: str, shape: tuple[int, ...]) -> None:
    function = MATRIX[name]
    check(lambda a: function(flambeau, a), lambda a: function(torch, a), random(*shape))


@pytest.mark.parametrize("name", SQUARE)
def test_of_a_square_matrix(name: str) -> None:
    function = SQUARE[name]
    a = random(4, 4) + np.diag([2.0, 4.0, 6.0, 8.0])
    check(lambda a: function(flambeau, a), lambda a: function(torch, a), a)


@pytest.mark.parametrize("name", ["solve", "lstsq"])
@pytest.mark.parametrize("shape", [(2, 3, 3), (3, 2), (3,)])
def test_of_a_matrix_and_a_right_side(name: str, shape: tuple[int, ...]) -> None:
    def call(lib: Any, a: Any, b: Any) -> Any:
        found = getattr(lib.linalg, name)(a, b)
        return found[0] if name == "lstsq" else found

    stack = shape[:-2]
    check(
        lambda a, b: call(flambeau, a, b),
        lambda a, b: call(torch, a, b),
        random(*stack, 3, 3) + 3 * np.eye(3),
        random(*shape, seed=1),
    )


@pytest.mark.parametrize("order", [0, 0.5, 1, 2, 3, math.inf])
@pytest.mark.parametrize("rows", [3, 30])
def test_distances_have_gradient_zero_at_zero(order: float, rows: int) -> None:
    a, b = random(2, rows, 4), random(2, 4, seed=1)
    a[:, 0] = b[0]
    check(
        lambda a, b: distance.cdist(a, b, order),
        lambda a, b: torch.cdist(a, b, order),
        a,
        b,
        atol=1e-7,
    )


SPECIAL = ["erfcx", "log_ndtr", "ndtr", "expit", "sinc", "i0e", "i1", "i1e", "gammaln", "psi"]


@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions(name: str) -> None:
    x = np.linspace(-4.3, 20.0, 60)
    check(getattr(special, name), getattr(torch.special, name), x)


@pytest.mark.parametrize("name", ["ndtri", "entr", "logit"])
def test_special_functions_of_probabilities(name: str) -> None:
    x = np.array([1e-300, 1e-20, 1e-5, 0.01, 0.3, 0.5, 0.7, 1 - 1e-7])
    check(getattr(special, name), getattr(torch.special, name), x)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_polygamma(order: int) -> None:
    x = np.array([-3.2, -0.5, 0.1, 1.0, 7.5, 40.0])
    check(lambda x: zeta.polygamma(order, x), lambda x: torch.polygamma(order, x), x)


def test_multigammaln() -> None:
    x = np.linspace(1.1, 9.0, 20)
    check(lambda x: special.multigammaln(x, 3), lambda x: torch.special.multigammaln(x, 3), x)


EDGES: dict[str, list[float]] = {
    "entr": [-1.0, 0.0, math.inf, math.nan],
    "ndtri": [-1.0, 0.0, 1.0, 2.0, math.nan],
    "log_ndtr": [-math.inf, math.inf, math.nan, -1e4],
    "erfcx": [-math.inf, math.inf, math.nan, 1e8],
}


@pytest.mark.parametrize("name", EDGES)
def test_special_functions_at_the_edges(name: str) -> None:
    values = EDGES[name]
    found = getattr(special, name)(flambeau.tensor(values))
    expected = getattr(torch.special, name)(torch.tensor(values))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)
