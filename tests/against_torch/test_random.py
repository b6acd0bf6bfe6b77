"""Random programs give PyTorch's numbers: each is run by both from the same seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

KINDS = ["float32", "float64", "float16", "bfloat16"]
INTEGERS = ["bool", "uint8", "int8", "int16", "int32", "int64"]
Program = Callable[[Any], Any]


def as_array(result: Any) -> np.ndarray:
    name = str(result.dtype).rpartition(".")[2]
    return np.asarray((result.float() if name == "bfloat16" else result).numpy())


def check(*programs: Program, close: bool = False) -> None:
    """Run the programs in sequence; each must give the same numbers, and so must what follows.

    `close`: float64 results may be off in the last places, as the math library's are.
    """
    flambeau.manual_seed(11)
    torch.manual_seed(11)
    for program in (*programs, lambda T: T.randn(3), lambda T: T.randint(1000, (5,))):
        expected, found = as_array(program(torch)), as_array(program(flambeau))
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        if close and found.dtype == np.float64:
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)
        else:
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_floats(kind: str) -> None:
    def empty(T: Any, *shape: int) -> Any:
        return T.zeros(*shape, dtype=getattr(T, kind))

    check(
        lambda T: T.rand(3, 5, dtype=getattr(T, kind)),
        lambda T: T.randn((33,), dtype=getattr(T, kind)),
        lambda T: T.randn(7, dtype=getattr(T, kind)),
        lambda T: T.randn((), dtype=getattr(T, kind)),
        lambda T: empty(T, 5).uniform_(-1, 3),
        lambda T: empty(T, 3, 11).normal_(1, 3),
        lambda T: empty(T, 3, 11).t().normal_(1, 3),
        lambda T: empty(T, 4, 6)[:, ::2].uniform_(),
        lambda T: empty(T, 4, 6, 2).permute(2, 0, 1)[:, ::2].exponential_(),
        lambda T: T.randn_like(empty(T, 30, 2).t()),
        lambda T: T.rand_like(empty(T, 3, 2).t(), dtype=T.float32),
        lambda T: T.randint_like(empty(T, 3, 2).t(), 3, 9),
        lambda T: empty(T, 9).exponential_(0.5),
        lambda T: empty(T, 9).log_normal_(0.1, 0.2),
        lambda T: empty(T, 9).geometric_(0.2),
        lambda T: empty(T, 9).cauchy_(0.0, 2.0),
        lambda T: empty(T, 9).bernoulli_(0.3),
        lambda T: empty(T, 9).random_(),
        lambda T: empty(T, 9).random_(3, None),
        lambda T: T.normal(empty(T, 3, 1), empty(T, 4) + 1),
        lambda T: T.normal(empty(T, 20) + 3, 2.0),
        lambda T: T.normal(1, empty(T, 20) + 2),
        lambda T: T.normal(1.0, 2, (3, 3)),
        close=True,
    )


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers(kind: str) -> None:
    def empty(T: Any, *shape: int) -> Any:
        return T.zeros(*shape, dtype=getattr(T, kind))

    check(
        lambda T: empty(T, 9).random_(),
        lambda T: empty(T, 9).random_(2),
        lambda T: empty(T, 9).random_(0, 2),
        lambda T: empty(T, 9).random_(1, None),
        lambda T: T.randint(2, (2, 3), dtype=getattr(T, kind)),
        lambda T: empty(T, 9).bernoulli_(),
        lambda T: T.bernoulli(empty(T, 2, 2), 0.5),
        lambda T: empty(T, 3, 2).t().bernoulli_(T.full((2, 3), 0.5)),
        lambda T: T.bernoulli(T.full((2, 3), 0.5).t()),
        lambda T: T.randperm(10),
        lambda T: T.multinomial(T.tensor([1.0, 2.0, 3.0]), 2),
        lambda T: T.tensor([[1.0, 2.0, 3.0]] * 2).multinomial(9, replacement=True),
        lambda T: T.randint(low=-5, high=5, size=(3,), generator=T.Generator().manual_seed(2)),
        lambda T: T.zeros(4, dtype=T.int64).random_(-(2**63), None),
    )


def test_states_are_exchanged() -> None:
    for count in (0, 1, 3, 623, 624, 625):
        torch.manual_seed(4)
        flambeau.manual_seed(4)
        torch.rand(count)
        flambeau.rand(count)
        theirs, ours = torch.get_rng_state().numpy(), flambeau.get_rng_state().numpy()
        np.testing.assert_array_equal(ours, theirs)
        torch.randn(3)
        flambeau.set_rng_state(flambeau.from_numpy(torch.get_rng_state().numpy()))
        np.testing.assert_array_equal(flambeau.randn(5).numpy(), torch.randn(5).numpy())
        assert flambeau.initial_seed() == torch.initial_seed()


REFUSED: list[Program] = [
    lambda T: T.rand(-3),
    lambda T: T.rand(3, dtype=T.int64),
    lambda T: T.randint(5, 3, (2,)),
    lambda T: T.randint(-1, 3, (2,), dtype=T.uint8),
    lambda T: T.randint(0, 3, (2,), dtype=T.bool),
    lambda T: T.randint(-(2**63) - 1, 3, (2,)),
    lambda T: T.randperm(300, dtype=T.uint8),
    lambda T: T.randperm(3000, dtype=T.float16),
    lambda T: T.randperm(5, dtype=T.bool),
    lambda T: T.rand(2, dtype=T.float32, out=T.zeros(2, dtype=T.float64)),
    lambda T: T.zeros(3).uniform_(1, 0),
    lambda T: T.zeros(3).uniform_(float("nan"), 1),
    lambda T: T.zeros(3).uniform_(-3e38, 3e38),
    lambda T: T.zeros(3).normal_(0, -1),
    lambda T: T.zeros(3).bernoulli_(float("nan")),
    lambda T: T.zeros(3).bernoulli_(T.tensor([0.5, 0.1])),
    lambda T: T.zeros(3).exponential_(-1),
    lambda T: T.zeros(3, dtype=T.int64).exponential_(),
    lambda T: T.zeros(3, dtype=T.int64).log_normal_(),
    lambda T: T.zeros(3, dtype=T.int64).cauchy_(),
    lambda T: T.zeros(3, dtype=T.bool).geometric_(0.5),
    lambda T: T.zeros(3).random_(-1),
    lambda T: T.zeros(3, dtype=T.uint8).random_(300),
    lambda T: T.multinomial(T.tensor([0.0, 0.0]), 1),
    lambda T: T.multinomial(T.tensor([float("nan"), 0.0]), 1),
    lambda T: T.multinomial(T.tensor([float("nan"), 0.0]), 2, True),
    lambda T: T.multinomial(T.tensor([float("inf"), 0.0]), 2, True),
    lambda T: T.multinomial(T.tensor([1, 0]), 1),
    lambda T: T.multinomial(T.ones(()), 1),
    lambda T: T.multinomial(T.ones(2), 1, out=T.zeros(1)),
    lambda T: T.normal(T.zeros(2), T.tensor([1.0, -1.0])),
    lambda T: T.manual_seed(2**64),
    lambda T: T.Generator().manual_seed(1.5),
    lambda T: T.set_rng_state([1]),
    lambda T: T.set_rng_state(T.zeros(3)),
    lambda T: T.set_rng_state(T.zeros(3, dtype=T.uint8)),
    lambda T: T.zeros(2, requires_grad=True).normal_(),
]


@pytest.mark.parametrize("program", REFUSED)
def test_errors_are_pytorch_s(program: Program) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whichever PyTorch raises
        program(torch)
    with pytest.raises(theirs.type) as ours:
        program(flambeau)
    text = str(theirs.value).partition("  (Could this")[0]
    assert str(ours.value) == text
