"""The greatest and the least of a row: NaN wins, and the first of equal zeros."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau

SIZES = [5, 16, 33, 64, 100, 5000]


@pytest.mark.parametrize("name", ["amax", "amin"])
@pytest.mark.parametrize("size", SIZES)
def test_nan_wins_wherever_it_is(name: str, size: int) -> None:
    places = sorted({0, 1, size // 2, size - 2, size - 1})
    x = np.tile(np.linspace(-3, 3, size, dtype=np.float32), (len(places) + 1, 1))
    x[range(len(places)), places] = np.nan
    found = getattr(flambeau.tensor(x), name)(1).numpy()
    assert np.isnan(found[:-1]).all()
    assert found[-1] == (3 if name == "amax" else -3)


@pytest.mark.parametrize("name", ["amax", "amin"])
def test_a_nan_keeps_its_bits(name: str) -> None:
    x = np.zeros((1, 100), np.float32)
    x.view(np.uint32)[0, 70] = 0xFFC12345
    found = getattr(flambeau.tensor(x), name)(1).numpy()
    assert found.view(np.uint32)[0] == 0xFFC12345


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["amax", "amin"])
def test_the_first_of_equal_zeros_stays(name: str, size: int) -> None:
    zeros = np.random.default_rng(size).choice(np.array([0.0, -0.0], np.float32), (40, size))
    found = getattr(flambeau.tensor(zeros), name)(1).numpy()
    np.testing.assert_array_equal(np.signbit(found), np.signbit(zeros[:, 0]))


def test_rows_of_nothing_but_infinity() -> None:
    x = np.full((2, 70), -np.inf, np.float32)
    assert (flambeau.tensor(x).amax(1).numpy() == -np.inf).all()
    assert (flambeau.tensor(-x).amin(1).numpy() == np.inf).all()
