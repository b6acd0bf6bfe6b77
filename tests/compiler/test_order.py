"""Reductions go in the order that compiler/emit.py writes down, cut over threads or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.engine.explain import explain

Array = np.ndarray[Any, np.dtype[np.float32]]


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = flambeau.get_num_threads()
    flambeau.set_num_threads(request.param)
    yield request.param
    flambeau.set_num_threads(before)


def in_groups(parts: Array, size: int) -> Any:
    """Partial results, along the first axis, in order within groups, and the groups in order."""
    total = np.zeros_like(parts[0])
    for start in range(0, len(parts), size):
        group = np.zeros_like(parts[0])
        for part in parts[start : start + size]:
            group = group + part
        total = total + group
    return total


def block_sum(block: Array) -> np.float32:
    lanes = 32 if len(block) > 16 else 16
    padded = np.zeros(-(-len(block) // lanes) * lanes, np.float32)
    padded[: len(block)] = block
    sums = np.zeros(lanes, np.float32)
    for turn in padded.reshape(-1, lanes):
        sums = sums + turn
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return sums[0]


def row_sum(row: Array) -> np.float32:
    """The lanes are those of the row, also in its last block."""
    lanes = 32 if len(row) > 16 else 16
    blocks = [row[start : start + 4096] for start in range(0, len(row), 4096)]
    filled = [np.pad(one, (0, max(0, lanes - len(one)))) for one in blocks]
    return np.float32(in_groups(np.array([block_sum(one) for one in filled]), 8))


def numbers(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("size", [1, 5, 16, 17, 31, 1000, 4096, 4097, 32768, 32769, 70001, 300000])
def test_along_a_row(size: int, threads: int) -> None:
    row = numbers(size)
    assert flambeau.tensor(row).sum().item() == row_sum(row)


def test_along_many_rows(threads: int) -> None:
    rows = numbers(20, 70001)
    found = flambeau.tensor(rows).sum(1).numpy()
    np.testing.assert_array_equal(found, [row_sum(row) for row in rows])


@pytest.mark.parametrize("shape", [(3, 2), (256, 5), (257, 5), (3000, 7), (20000, 3), (600, 100)])
def test_across_rows(shape: tuple[int, int], threads: int) -> None:
    columns = numbers(*shape)
    found = flambeau.tensor(columns).sum(0).numpy()
    np.testing.assert_array_equal(found, in_groups(columns, 256))


def test_a_long_reduction_is_cut_with_what_comes_before_and_after() -> None:
    x = numbers(200_000)
    with explain() as explanation:
        given = flambeau.tensor(x)
        doubled = given * 2
        result = doubled.sum() + 1
        found = result.item()
    assert [len(plan.kernels) for plan in explanation.plans] == [2]
    assert found == row_sum(x * 2) + np.float32(1)
    np.testing.assert_array_equal(doubled.numpy(), x * 2)


@pytest.mark.parametrize("shape", [(100_000,), (3000, 5), (5, 30000)])
def test_extremes_and_not_a_number_survive_the_cut(shape: tuple[int, ...], threads: int) -> None:
    x = numbers(*shape)
    assert flambeau.tensor(x).amax().item() == x.max()
    assert flambeau.tensor(x).amin().item() == x.min()
    x.flat[x.size // 2] = np.nan
    assert np.isnan(flambeau.tensor(x).amax().item())
    np.testing.assert_array_equal(flambeau.tensor(x).amax(0).numpy(), x.max(0))
    assert not flambeau.tensor(~np.isnan(x)).all().item()


def test_a_long_softmax_has_the_same_bits_on_any_number_of_threads() -> None:
    x, found = numbers(1, 100_000), []
    before = flambeau.get_num_threads()
    for count in (1, 2):
        flambeau.set_num_threads(count)
        found.append(flambeau.softmax(flambeau.tensor(x), 1).numpy().copy())
    flambeau.set_num_threads(before)
    np.testing.assert_array_equal(*found)
    exact = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(found[0], exact / exact.sum(), rtol=1e-5)
