"""Gradients of NumPy-style functions, against finite differences and known ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy  # noqa: ICN001 - `np` is flambeau.numpy
import pytest

import flambeau
import flambeau.numpy as np
from flambeau.numpy import grad, value_and_grad

X = numpy.array([[0.7, -1.3, 0.4], [1.1, 0.2, -0.6]])


def masked(x: Any) -> Any:
    y = x * 2
    y[y < 0] = 0
    return (y * y).sum()


def written(x: Any) -> Any:
    out = np.zeros((2, 2))
    out[0] = x[:, 1]
    out[1, 1] = x[0, 0] * 3
    return (out**2).sum()


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum of squares": lambda x: np.sum(x**2),
    "products": lambda x: np.tanh(x.dot(x.T)).sum(),
    "mask written": masked,
    "elements written": written,
    "view": lambda x: (x.T[::-1, 1] * x[0]).sum(),
    "fancy index": lambda x: np.exp(x[[0, 1, 1], [2, 0, 0]]).sum(),
    "mean and var": lambda x: np.mean(np.var(x, axis=1)) + np.std(x),
    "where": lambda x: np.where(x > 0, x * x, -x).sum(),
    "concatenate": lambda x: (np.concatenate([x, 2 * x]) ** 3).mean(),
    "list of scalars": lambda x: np.array([x[0, 0], x.sum()]).prod(),
    "norm": lambda x: np.linalg.norm(x),
    "inverse": lambda x: np.linalg.inv(x @ x.T + np.eye(2)).sum(),
    "einsum": lambda x: np.einsum("ij,ik->jk", x, np.sin(x)).sum(),
    "in place": lambda x: np.multiply(x, x, out=np.ones((2, 3))).sum(),
    "maximum": lambda x: np.maximum(x, 0).sum(),
    "softmax": lambda x: np.log(np.exp(x - x.max()).sum()),
    "sort": lambda x: (np.sort(x, axis=1) * np.arange(3.0)).sum(),
    "constant": lambda x: np.ones(3).sum(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_as_finite_differences(name: str) -> None:
    function = FUNCTIONS[name]
    x = np.array(X)
    value, gradient = value_and_grad(function)(x)
    assert float(value) == float(function(np.array(X)))
    assert type(gradient) is np.ndarray
    assert gradient.dtype == numpy.float64
    expected = numpy.zeros_like(X)
    for place in numpy.ndindex(*X.shape):
        ends = []
        for step in (1e-6, -1e-6):
            moved = X.copy()
            moved[place] += step
            ends.append(float(function(np.array(moved))))
        expected[place] = (ends[0] - ends[1]) / 2e-6
    numpy.testing.assert_allclose(numpy.asarray(gradient), expected, rtol=1e-6, atol=1e-7)
    numpy.testing.assert_array_equal(numpy.asarray(x), X)


def test_several_arguments_and_more_results() -> None:
    def function(a: Any, b: Any) -> Any:
        return (a * b).sum(), a + b

    (value, more), (to_a, to_b) = value_and_grad(function, argnums=(0, 1), has_aux=True)(
        np.array([1.0, 2.0]), np.array([3.0, 4.0])
    )
    assert (float(value), to_a.tolist(), to_b.tolist()) == (11.0, [3.0, 4.0], [1.0, 2.0])
    assert more.tolist() == [4.0, 6.0]


def test_higher_and_nested() -> None:
    assert float(grad(grad(grad(lambda x: x**4)))(2.0)) == 48.0
    inner = grad(lambda x: grad(lambda y: x * y * y)(3.0) * x)
    assert float(inner(2.0)) == 24.0


def test_results_carry_no_history() -> None:
    w = np.ones(2)
    for _ in range(3):
        value, gradient = value_and_grad(lambda w: (w * w).sum())(w)
        w -= 0.1 * gradient
        assert not any(one.tensor.requires_grad for one in (w, value, gradient))
    numpy.testing.assert_allclose(numpy.asarray(w), 0.512)


def test_tensors_give_tensors() -> None:
    gradient = grad(lambda x: (x * x).sum())(flambeau.tensor([1.0, 2.0]))
    assert isinstance(gradient, flambeau.Tensor)
    assert gradient.tolist() == [2.0, 4.0]


def test_mistakes_are_named() -> None:
    with pytest.raises(
        TypeError, match="argument 0 must be floating-point to differentiate by it, received int64"
    ):
        grad(lambda x: x.sum())(np.arange(3))
    with pytest.raises(TypeError, match=r"must return a scalar array, received shape \(3,\)"):
        grad(lambda x: x * 2)(np.ones(3))
    with pytest.raises(TypeError, match="no gradient flows"):
        grad(lambda x: np.unique(x).sum())(np.ones(3))
