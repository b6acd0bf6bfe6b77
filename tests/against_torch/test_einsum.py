"""einsum and the shape functions with many forms of arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

EQUATIONS = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ii->i", [(3, 3)]),
    ("ii", [(3, 3)]),
    ("ij->ji", [(2, 3)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
    ("i,j->ij", [(2,), (3,)]),
    ("ijk,ijk->", [(2, 3, 4), (2, 3, 4)]),
    ("bn,anm,bm->ba", [(2, 5), (3, 5, 4), (2, 4)]),
    ("...", [(2, 3)]),
    ("i...->...", [(2, 3)]),
    ("bhid,bhjd->bhij", [(2, 2, 3, 4), (2, 2, 5, 4)]),
    ("iji,j->i", [(3, 2, 3), (2,)]),
    ("ij,j->i", [(2, 3), (1,)]),
    ("ab,cd->acbd", [(2, 3), (4, 5)]),
]


def check(function: Any, *shapes: tuple[int, ...]) -> None:
    values = np.random.default_rng(1)
    arrays = [values.standard_normal(shape) for shape in shapes]
    results = []
    for lib in (torch, flambeau):
        tensors = [lib.tensor(one, requires_grad=True) for one in arrays]
        out = function(lib, *tensors)
        (out * out).sum().backward()
        results.append((out.detach().numpy(), [one.grad.numpy() for one in tensors]))
    (expected, gradients), (found, own) = results
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    for one, other in zip(own, gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS)
def test_einsum(equation: str, shapes: list[tuple[int, ...]]) -> None:
    check(lambda lib, *x: lib.einsum(equation, *x), *shapes)


def test_einsum_with_numbers_for_names() -> None:
    check(lambda lib, a, b: lib.einsum(a, [0, 1], b, [1, 2], [0, 2]), (2, 3), (3, 4))


def test_einsum_refuses() -> None:
    x = flambeau.ones(2, 3)
    for equation in ("i->i", "ij,jk->ik", "ij->k", "i1->i"):
        with pytest.raises(RuntimeError):
            flambeau.einsum(equation, x)


@pytest.mark.parametrize(
    "shapes",
    [
        [(3,), (3,)], [(2, 3), (3,)], [(3,), (3, 2)], [(2, 3), (3, 4)], [(5, 2, 3), (3, 4)],
        [(5, 2, 3), (3,)], [(3,), (5, 3, 2)], [(5, 2, 3), (5, 3, 4)], [(4, 1, 2, 3), (5, 3, 2)],
        [(2, 0), (0, 3)], [(0, 3), (3, 2)],
    ],
)  # fmt: skip
def test_matmul(shapes: list[tuple[int, ...]]) -> None:
    check(lambda lib, a, b: lib.matmul(a, b), *shapes)
