"""What a tensor is: creation, conversion, views, properties, errors."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.core import dtypes

OPERATORS = [
    *[operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod],
    *[operator.pow, operator.matmul, operator.lt, operator.le, operator.gt, operator.ge],
    *[operator.eq, operator.ne],
]


def test_creation() -> None:
    assert flambeau.tensor(1).dtype is flambeau.int64
    assert flambeau.tensor(1.0).dtype is flambeau.float32
    assert flambeau.tensor(np.float64(1)).dtype is flambeau.float64
    assert flambeau.tensor([True]).dtype is flambeau.bool
    assert flambeau.tensor([]).dtype is flambeau.float32
    assert flambeau.tensor(np.arange(2)).dtype is flambeau.int64
    assert flambeau.tensor([flambeau.tensor(1.0), 2]).tolist() == [1.0, 2.0]
    assert flambeau.full((2,), 1.5).tolist() == [1.5, 1.5]
    assert flambeau.arange(5, 0, -2).tolist() == [5, 3, 1]
    assert flambeau.arange(0, 1, 0.25).tolist() == [0.0, 0.25, 0.5, 0.75]
    assert flambeau.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert flambeau.zeros(2, 0).shape == (2, 0)
    assert flambeau.Tensor(2, 3).shape == (2, 3)
    assert flambeau.LongTensor([1, 2]).dtype is flambeau.int64
    assert flambeau.zeros(1, dtype=float).dtype is flambeau.float64


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: flambeau.tensor([[1], [1, 2]]), ValueError),
        (lambda: flambeau.tensor("a"), TypeError),
        (lambda: flambeau.tensor([None]), RuntimeError),
        (lambda: flambeau.zeros(-1), RuntimeError),
        (lambda: flambeau.zeros(2, device="cuda"), RuntimeError),
        (lambda: flambeau.zeros(2).cuda(), RuntimeError),
        (lambda: flambeau.ones(2, 3).view(4), RuntimeError),
        (lambda: flambeau.ones(2, 3).t().view(6), RuntimeError),
        (lambda: flambeau.ones(2) + flambeau.ones(3), RuntimeError),
        (lambda: flambeau.ones(2) + "a", TypeError),
        (lambda: flambeau.ones(2).sum(3), IndexError),
        (lambda: flambeau.ones(2).item(), RuntimeError),
        (lambda: bool(flambeau.ones(2)), RuntimeError),
        (lambda: flambeau.ones(2, requires_grad=True).numpy(), RuntimeError),
        (lambda: len(flambeau.tensor(1)), TypeError),
        (lambda: list(flambeau.tensor(1)), TypeError),
        (lambda: flambeau.cat([]), ValueError),
        (lambda: flambeau.cat([flambeau.ones(1, 2), flambeau.ones(2, 3)]), RuntimeError),
        (lambda: flambeau.mm(flambeau.ones(2, 3), flambeau.ones(2, 3)), RuntimeError),
        (lambda: flambeau.mm(flambeau.ones(2), flambeau.ones(2, 3)), RuntimeError),
        (lambda: flambeau.ones(2, dtype=flambeau.int64).mean(), RuntimeError),
        (lambda: flambeau.ones(1, 2).expand(3, 2).add_(1), RuntimeError),
        (lambda: flambeau.ones(0).max(), RuntimeError),
        (lambda: flambeau.ones(2).squeeze(5), IndexError),
        (lambda: flambeau.ones(2).gather(0, flambeau.ones(2)), RuntimeError),
        (lambda: flambeau.tensor(1, dtype=complex), TypeError),
        (lambda: flambeau.from_numpy([1]), TypeError),
    ],
)
def test_refused(call: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        call()  # type: ignore[operator]


@pytest.mark.parametrize("kind", dtypes.ALL, ids=lambda kind: kind.name)
def test_round_trips(kind: dtypes.dtype) -> None:
    x = flambeau.tensor([0, 1, 1], dtype=kind)
    for other in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), x.clone(), copy.copy(x)):
        assert other.dtype is kind
        assert other.tolist() == x.tolist()
    if kind is not dtypes.bfloat16:
        assert flambeau.from_numpy(x.numpy()).dtype is kind
        assert np.from_dlpack(x).tolist() == x.tolist()
    assert x.type().startswith("torch.")
    assert x.type(x.type()).dtype is kind


def test_python_sees_numbers() -> None:
    x = flambeau.tensor(2.5)
    assert (float(x), int(x), f"{x:.1f}", x.item()) == (2.5, 2, "2.5", 2.5)
    assert [10, 20, 30][flambeau.tensor(1)] == 20
    assert 2 in flambeau.arange(3)
    assert 5 not in flambeau.arange(3)
    assert (x == None) is False  # noqa: E711
    assert x != "a"
    assert [one.item() for one in flambeau.arange(3)] == [0, 1, 2]
    assert np.asarray(flambeau.ones(2)).tolist() == [1.0, 1.0]
    assert flambeau.tensor(3).__index__() == 3


def test_views_and_their_geometry() -> None:
    x = flambeau.arange(24).view(2, 3, 4)
    y = x.permute(2, 0, 1)[1:, :, ::2]
    assert (y.shape, y.stride(), y.storage_offset()) == ((3, 2, 2), (1, 12, 8), 1)
    assert not y.is_contiguous()
    assert y.contiguous().is_contiguous()
    assert y.tolist() == np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[1:, :, ::2].tolist()
    y.zero_()
    assert x[0, 0].tolist() == [0, 0, 0, 0]
    assert x[0, 1].tolist() == [4, 5, 6, 7]
    assert x.untyped_storage() == y.untyped_storage()
    assert x.t_().shape == x.shape if x.dim() < 2 else True
    assert (
        x.as_strided((2, 2), (1, 2), 1).tolist()
        == x.reshape(-1)[flambeau.tensor([[1, 3], [2, 4]])].tolist()
    )


def test_data_shares_and_replaces() -> None:
    x = flambeau.zeros(2, requires_grad=True)
    x.data[0] = 5
    assert x.tolist() == [5.0, 0.0]
    x.data = flambeau.ones(3)
    assert (x.tolist(), x.requires_grad, x.is_leaf) == ([1.0, 1.0, 1.0], True, True)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_attributes_of_the_users() -> None:
    x = flambeau.ones(1)
    x.note = "kept"  # type: ignore[attr-defined]
    assert x.note == "kept"


def test_out() -> None:
    out = flambeau.empty(2)
    assert flambeau.add(flambeau.ones(2), 1, out=out) is out
    assert out.tolist() == [2.0, 2.0]
    flambeau.mm(flambeau.ones(1, 2), flambeau.ones(2, 3), out=out)
    assert out.shape == (1, 3)


def test_old_argument_orders() -> None:
    x = flambeau.zeros(2)
    x.add_(0.5, flambeau.ones(2))
    x.addcmul_(2, flambeau.ones(2), flambeau.ones(2))
    assert x.tolist() == [2.5, 2.5]


def test_unique_and_counts() -> None:
    values, places, counts = flambeau.tensor([3, 1, 3, 2]).unique(
        return_inverse=True, return_counts=True
    )
    assert (values.tolist(), places.tolist(), counts.tolist()) == (
        [1, 2, 3],
        [2, 0, 2, 1],
        [1, 1, 2],
    )


def test_the_precision_of_products_can_be_asked_for() -> None:
    try:
        flambeau.set_float32_matmul_precision("medium")
        assert flambeau.get_float32_matmul_precision() == "medium"
        with pytest.warns(UserWarning, match="foo is not one of"):
            flambeau.set_float32_matmul_precision("foo")
        assert flambeau.get_float32_matmul_precision() == "medium"
    finally:
        flambeau.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("operation", OPERATORS)
def test_operators_take_numpy_arrays_on_either_side(operation: Callable[..., Any]) -> None:
    left, right = np.array([[1.0, 3.0], [2.0, 5.0]]), np.array([[1.0, 2.0], [4.0, 3.0]])
    expected = operation(left, right)
    for a, b in ((flambeau.tensor(left), right), (left, flambeau.tensor(right))):
        result = operation(a, b)
        assert isinstance(result, flambeau.Tensor)
        np.testing.assert_array_equal(result.numpy(), expected)


def test_an_array_as_an_operand_is_copied_and_differentiated_past() -> None:
    x, array = flambeau.ones(2, requires_grad=True), np.array([2.0, 3.0], np.float32)
    product = x * array
    array[:] = 0
    product.sum().backward()
    assert (product.tolist(), x.grad.tolist()) == ([2.0, 3.0], [2.0, 3.0])
    with pytest.raises(TypeError, match=r"can't convert np\.ndarray of type"):
        x + np.array(["a", "b"])
