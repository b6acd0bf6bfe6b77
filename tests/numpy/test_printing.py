"""Arrays and scalars print and format as NumPy's do."""

from __future__ import annotations

import numpy  # noqa: ICN001 - `np` is flambeau.numpy
import pytest

import flambeau.numpy as np

ARRAYS = [
    numpy.arange(6.0).reshape(2, 3) / 3,
    numpy.array([1, -20, 300]),
    numpy.array([True, False]),
    numpy.array([0.5, 1e-10], numpy.float32),
    numpy.array([numpy.nan, numpy.inf, -0.0]),
    numpy.array(2.5),
    numpy.array([]),
    numpy.zeros((0, 3), numpy.int32),
    numpy.arange(2000),
    numpy.array([1.5, 2.5], numpy.float16),
]


@pytest.mark.parametrize("value", ARRAYS, ids=lambda value: f"{value.dtype}{value.shape}")
def test_arrays(value: numpy.ndarray) -> None:
    assert repr(np.array(value)) == repr(value)
    assert str(np.array(value)) == str(value)


@pytest.mark.parametrize("value", [2.5, 3, True, numpy.float32(0.1)])
def test_scalars(value: object) -> None:
    ours, theirs = np.array([value])[0], numpy.array([value])[0]
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)
    assert f"{ours}" == f"{theirs}"
    assert f"{ours:>8}" == f"{theirs:>8}"
    assert hash(ours) == hash(theirs)


def test_formats_and_options() -> None:
    total = np.array([1.0, 2.0]).sum()
    assert f"{total:.3f} {total:8.1e}" == "3.000  3.0e+00"
    assert format(np.array(2.5), ".2f") == "2.50"
    with np.printoptions(precision=2):
        assert str(np.array([1.23456])) == "[1.23]"
    with pytest.raises(TypeError, match="unsupported format string"):
        format(np.ones(2), ".2f")


def test_scalars_are_immutable() -> None:
    total = np.ones(3).sum()
    kept = total
    total += 1
    assert (float(kept), float(total)) == (3.0, 4.0)
    with pytest.raises(TypeError, match="does not support item assignment"):
        total[()] = 1
