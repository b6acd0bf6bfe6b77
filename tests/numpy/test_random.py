"""The same seed gives NumPy's numbers, to the bit."""

from __future__ import annotations

import numpy  # noqa: ICN001 - `np` is flambeau.numpy
import pytest

import flambeau.numpy as np

LEGACY = """
rand(2, 3)
randn(4)
randint(10, size=5)
random((2, 2))
random_sample(3)
normal(1.0, 2.0, (2, 2))
uniform(-1, 1, 3)
choice(5, 3, replace=False)
permutation(6)
standard_normal(3)
binomial(10, 0.5, 4)
poisson(3.0, 4)
exponential(2.0, 3)
beta(1.0, 2.0, 3)
gamma(2.0, size=3)
multivariate_normal([0.0, 1.0], [[1.0, 0.0], [0.0, 2.0]], 2)
dirichlet([1.0, 2.0])
randn()
randint(10)"""
MODERN = """
random(3)
standard_normal((2, 2))
integers(0, 10, 5)
normal(0.0, 1.0, 3)
uniform(size=2)
choice(5, 3)
permutation(5)
permuted([3, 1, 2])
standard_normal(2, dtype="float32")
random()"""


def check(ours: object, theirs: object) -> None:
    if isinstance(theirs, numpy.ndarray):
        assert isinstance(ours, np.ndarray)
        assert ours.dtype == theirs.dtype
    numpy.testing.assert_array_equal(numpy.asarray(ours), theirs)


@pytest.mark.parametrize("call", LEGACY.split("\n")[1:])
def test_legacy_generators(call: str) -> None:
    check(
        eval(f"np.random.RandomState(7).{call}", {"np": np}),
        eval(f"np.random.RandomState(7).{call}", {"np": numpy}),
    )
    state = numpy.random.get_state()
    try:
        np.random.seed(3)
        ours = eval(f"np.random.{call}", {"np": np})
        numpy.random.seed(3)
        check(ours, eval(f"np.random.{call}", {"np": numpy}))
    finally:
        numpy.random.set_state(state)


@pytest.mark.parametrize("call", MODERN.split("\n")[1:])
def test_default_rng(call: str) -> None:
    ours, theirs = np.random.default_rng(11), numpy.random.default_rng(11)
    check(eval(f"rng.{call}", {"rng": ours}), eval(f"rng.{call}", {"rng": theirs}))
    check(ours.random(2), theirs.random(2))


def test_shuffle_is_in_place() -> None:
    ours, theirs = np.arange(10), numpy.arange(10)
    view = ours[:3]
    np.random.RandomState(0).shuffle(ours)
    numpy.random.RandomState(0).shuffle(theirs)
    check(ours, theirs)
    check(view, theirs[:3])


def test_state_goes_to_and_from_numpy() -> None:
    ours = np.random.RandomState(5)
    ours.randn(3)
    theirs = numpy.random.RandomState()
    theirs.set_state(ours.get_state())
    check(ours.randn(3), theirs.randn(3))
