"""Arrays among other libraries: NumPy's own functions and arrays, tensors, pickles."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy  # noqa: ICN001 - `np` is flambeau.numpy
import pytest

import flambeau
import flambeau.numpy as np


def test_numpys_functions_stay_ours() -> None:
    a = np.arange(6.0).reshape(2, 3)
    for result in (
        numpy.sum(a, axis=0),
        numpy.add(a, 1),
        numpy.concatenate([a, a]),
        numpy.linalg.norm(a, axis=1),
        numpy.exp(a),
        numpy.add.reduce(a),
        numpy.ones(3) + a,
        numpy.float64(2) * a,
        numpy.where(a > 1, a, 0),
        numpy.unique(a),
        numpy.kaiser(3, 1.0) * a,
    ):
        assert type(result) is np.ndarray
    assert type(numpy.sum(a)) is np.generic
    assert type(numpy.histogram(a, 3)[0]) is np.ndarray


def test_functions_that_ours_lack_run_on_the_host() -> None:
    roots = numpy.polynomial.polynomial.polyroots(np.array([2.0, -3.0, 1.0]))
    numpy.testing.assert_allclose(roots, [1.0, 2.0])
    assert type(numpy.block([np.ones(2)])) is np.ndarray


def test_testing_functions_accept_them() -> None:
    a = np.array([1.0, 2.0])
    np.testing.assert_allclose(a, [1.0, 2.0])
    np.testing.assert_array_equal(a, numpy.array([1.0, 2.0]))
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(a, [1.0, 3.0])


def test_memory_is_shared_with_numpy() -> None:
    a = np.zeros(3)
    theirs = numpy.asarray(a)
    theirs[0] = 5
    a[1] = 7
    assert a.tolist() == theirs.tolist() == [5.0, 7.0, 0.0]
    numpy.asarray(a, copy=True)[0] = 9
    assert a[0] == 5
    assert numpy.asarray(a, numpy.float32).dtype == numpy.float32


def test_numpys_arrays_take_results() -> None:
    out = numpy.zeros(2)
    numpy.add(np.ones(2), 1, out=out)
    out += np.ones(2)
    assert out.tolist() == [3.0, 3.0]


def test_tensors_and_arrays_share() -> None:
    tensor = flambeau.arange(4.0)
    a = np.asarray(tensor)
    a[0] = 9
    assert tensor.tolist() == [9.0, 1.0, 2.0, 3.0]
    a.tensor[1] = 8
    assert a.tolist() == [9.0, 8.0, 2.0, 3.0]
    assert type(a + tensor) is np.ndarray
    with pytest.raises(TypeError, match="bfloat16"):
        np.asarray(flambeau.ones(2, dtype=flambeau.bfloat16))


@pytest.mark.parametrize("value", [np.arange(3.0), np.arange(3.0).sum(), np.array(1)])
def test_copies_and_pickles(value: Any) -> None:
    for made in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert type(made) is type(value)
        assert made.dtype == value.dtype
        numpy.testing.assert_array_equal(made, value)
        assert not np.shares_memory(made, value)


def test_dlpack() -> None:
    a = np.arange(3.0)
    assert numpy.from_dlpack(a).tolist() == [0.0, 1.0, 2.0]
    assert type(np.from_dlpack(numpy.ones(2))) is np.ndarray


def test_shared_elements_are_known() -> None:
    a = np.arange(6).reshape(2, 3)
    assert np.shares_memory(a, a.T)
    assert not np.shares_memory(a[0], a[1])
    assert not np.shares_memory(a, a.copy())
    assert a[1:].base is not None
    assert np.zeros(3).base is None


def test_missing_names_and_types_are_named() -> None:
    with pytest.raises(AttributeError, match=r"'flambeau\.numpy' has no attribute 'fft'"):
        np.fft  # noqa: B018
    for make in (
        lambda: np.array([1j]),
        lambda: np.array("text"),
        lambda: np.array([object()]),
        lambda: np.zeros(2, np.uint32),
        lambda: np.zeros(2).astype(complex),
        lambda: np.ones(2) * 1j,
        lambda: np.linalg.eigvals(np.array([[0.0, -1.0], [1.0, 0.0]])),
    ):
        with pytest.raises(TypeError, match="has no arrays of dtype"):
            make()
