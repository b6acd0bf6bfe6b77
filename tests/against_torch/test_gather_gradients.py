"""Gradients of reading one element of each row, of first and second order, beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-30, -1.5]
# Of the tensor, the dimension, of the index.
CASES = [
    ((7, 5), 1, (7, 1)),
    ((7, 5), 0, (1, 5)),
    ((9, 300), 1, (7, 1)),
    ((7, 4, 3), 1, (7, 1, 3)),
    ((7, 4, 3), 1, (6, 1, 2)),
    ((7,), 0, (1,)),
    ((4, 1), 1, (4, 1)),
    ((7, 5), 1, (7, 3)),
]
Read = Callable[[Any, Any, int, Any], Any]


def by_gather(lib: Any, x: Any, dim: int, index: Any) -> Any:
    return lib.gather(x, dim, index)


def from_the_end(lib: Any, x: Any, dim: int, index: Any) -> Any:
    part = x[tuple([slice(None) if d == dim else slice(n) for d, n in enumerate(index.shape)])]
    return lib.take_along_dim(part, index - x.shape[dim], dim)


def specials(shape: tuple[int, ...]) -> np.ndarray:
    return np.resize(np.array(SPECIAL), shape)


def bits(value: Any) -> tuple[tuple[int, ...], bytes]:
    array = value.detach().to(value.dtype).double().numpy()
    return array.shape, np.where(np.isnan(array), np.nan, array).tobytes()


@pytest.mark.parametrize("read", [by_gather, from_the_end])
@pytest.mark.parametrize("kind", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_of_both_orders_have_pytorchs_bits(case: Any, kind: str, read: Read) -> None:
    shape, dim, chosen = case
    numbers = np.random.default_rng(0)
    values, at = numbers.normal(size=shape), numbers.integers(0, shape[dim], chosen)
    results = []
    for lib in (flambeau, torch):
        dtype = getattr(lib, kind)
        x = lib.tensor(values).to(dtype).requires_grad_()
        y = read(lib, x, dim, lib.tensor(at))
        grad = lib.tensor(specials(chosen)).to(dtype).requires_grad_()
        (first,) = lib.autograd.grad(y, x, grad, create_graph=True)
        (second,) = lib.autograd.grad(first, grad, lib.tensor(specials(shape)).to(dtype))
        results.append([bits(one) for one in (y, first, second)])
    assert results[0] == results[1]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", [-100, 1])
@pytest.mark.parametrize("shape", [(7, 10), (5, 6, 3), (9,), (4, 300)], ids=str)
def test_cross_entropy_twice(shape: tuple[int, ...], ignored: int, weighted: bool) -> None:
    numbers = np.random.default_rng(0)
    classes = shape[1] if len(shape) > 1 else shape[0]
    values = numbers.normal(size=shape)
    target = numbers.integers(2, classes, (*shape[:1], *shape[2:])[: len(shape) - 1])
    if target.ndim:
        target.flat[0] = 1
    weights = numbers.random(classes)
    results = []
    for lib in (flambeau, torch):
        x = lib.tensor(values, requires_grad=True)
        loss = lib.nn.functional.cross_entropy(
            x,
            lib.tensor(target),
            lib.tensor(weights) if weighted else None,
            ignore_index=ignored,
        )
        (first,) = lib.autograd.grad(loss, x, create_graph=True)
        (second,) = lib.autograd.grad((first * first).sum(), x)
        results.append([one.detach().numpy() for one in (loss, first, second)])
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-15)
