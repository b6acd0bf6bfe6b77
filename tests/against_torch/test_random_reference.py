"""The NumPy description of PyTorch's random numbers, checked against PyTorch itself.

Every check draws again afterwards: a generator that has moved by another number of draws shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import random_reference as reference

torch = pytest.importorskip("torch")

SIZES = [0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 100, 1003]
FLOATS = ["float32", "float64", "float16", "bfloat16"]
Pair = tuple[Callable[[], Any], Callable[[reference.Generator], Any]]


def as_array(result: Any) -> np.ndarray:
    if not isinstance(result, torch.Tensor):
        return np.asarray(result)
    return (result.float() if result.dtype == torch.bfloat16 else result).numpy()


def check(*pairs: Pair, seed: int = 7) -> None:
    """Run pairs (PyTorch's call, ours) in sequence from one seed; each equal, and so the end."""
    torch.manual_seed(seed)
    generator = reference.Generator(seed)
    end: Pair = (lambda: torch.randn(3), lambda g: reference.randn(g, 3))
    raw: Pair = (lambda: torch.randint(0, 2**27, (4,)), lambda g: reference.randint(g, 0, 2**27, 4))
    for theirs, ours in (*pairs, raw, end, raw):
        expected, found = as_array(theirs()), np.asarray(ours(generator))
        np.testing.assert_array_equal(found.astype(expected.dtype).ravel(), expected.ravel())


def empty(count: int, kind: str = "float32") -> Any:
    return torch.empty(count, dtype=getattr(torch, kind))


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("n", SIZES)
def test_uniform(n: int, kind: str) -> None:
    check(
        (lambda: torch.rand(n, dtype=getattr(torch, kind)), lambda g: reference.rand(g, n, kind)),
        (
            lambda: empty(n, kind).uniform_(-0.3, 0.9),
            lambda g: reference.uniform(g, n, -0.3, 0.9, kind),
        ),
    )


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("n", SIZES)
def test_normal(n: int, kind: str) -> None:
    check(
        (lambda: torch.randn(n, dtype=getattr(torch, kind)), lambda g: reference.randn(g, n, kind)),
        (
            lambda: empty(n, kind).normal_(-0.3, 0.7),
            lambda g: reference.normal(g, n, -0.3, 0.7, kind),
        ),
        (lambda: torch.randn(n, dtype=getattr(torch, kind)), lambda g: reference.randn(g, n, kind)),
    )


@pytest.mark.parametrize("seed", [0, 1, -1, 2**31, 2**32 + 5, 2**63 - 1, -(2**63)])
def test_seeds(seed: int) -> None:
    check((lambda: torch.randn(200_000), lambda g: reference.randn(g, 200_000)), seed=seed)


@pytest.mark.parametrize("shape", [(3, 2), (20, 3), (4, 5, 6)])
def test_non_contiguous(shape: tuple[int, ...]) -> None:
    n = int(np.prod(shape))
    check(
        (
            lambda: torch.empty(shape).transpose(0, -1).normal_().transpose(0, -1),
            lambda g: reference.normal(g, n, contiguous=False),
        ),
        (
            lambda: torch.empty(shape).transpose(0, -1).uniform_().transpose(0, -1),
            lambda g: reference.rand(g, n),
        ),
        (lambda: torch.empty(n, 2)[:, 0].exponential_(), lambda g: reference.exponential(g, n)),
    )


@pytest.mark.parametrize("n", SIZES)
def test_integers(n: int) -> None:
    ranges = [
        (0, 1),
        (0, 10),
        (-5, 300),
        (0, 2**28 - 1),
        (0, 2**28),
        (-(2**40), 2**41),
        (3, 2**63 - 1),
    ]
    for low, high in ranges:
        check(
            (
                lambda low=low, high=high: torch.randint(low, high, (n,)),
                lambda g, low=low, high=high: reference.randint(g, low, high, n),
            )
        )
    check((lambda: torch.randperm(n), lambda g: reference.randperm(g, n)))


@pytest.mark.parametrize("kind", reference.RANDOM_MODULUS)
def test_random_without_a_range(kind: str) -> None:
    check((lambda: empty(40, kind).random_(), lambda g: reference.random(g, 40, kind)))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.937, 1.0])
def test_bernoulli_and_dropout(n: int, p: float) -> None:
    single = np.full(n, p, np.float32) * np.linspace(0.1, 1, n, dtype=np.float32)
    double = single.astype(np.float64)
    x = np.linspace(-2, 3, n, dtype=np.float32)
    check(
        (lambda: empty(n).bernoulli_(p), lambda g: reference.bernoulli(g, n, p)),
        (lambda: empty(n, "float64").bernoulli_(p), lambda g: reference.bernoulli(g, n, p)),
        (lambda: empty(n, "bool").bernoulli_(p), lambda g: reference.bernoulli(g, n, p)),
        (
            lambda: empty(n, "float64").bernoulli_(torch.from_numpy(single)),
            lambda g: reference.bernoulli_tensor(g, single),
        ),
        (
            lambda: torch.bernoulli(torch.from_numpy(double)),
            lambda g: reference.bernoulli_tensor(g, double),
        ),
        (
            lambda: torch.nn.functional.dropout(torch.from_numpy(x), p),
            lambda g: reference.dropout(g, x, p),
        ),
        (
            lambda: torch.nn.functional.dropout(torch.from_numpy(x).requires_grad_(), p).detach(),
            lambda g: reference.dropout(g, x, p),
        ),
    )


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("n", SIZES)
def test_continuous(n: int, kind: str) -> None:
    def rounded(draw: Callable[..., np.ndarray], *arguments: float) -> Callable[..., np.ndarray]:
        return lambda g: reference.narrow(draw(g, n, *arguments), kind)

    check(
        (lambda: empty(n, kind).exponential_(), rounded(reference.exponential)),
        (lambda: empty(n, kind).exponential_(2.5), rounded(reference.exponential, 2.5)),
        (lambda: empty(n, kind).geometric_(0.3), rounded(reference.geometric, 0.3)),
        (lambda: empty(n, kind).cauchy_(), rounded(reference.cauchy)),
        (lambda: empty(n, kind).cauchy_(1.0, 3.0), rounded(reference.cauchy, 1.0, 3.0)),
        (lambda: empty(n, kind).log_normal_(), rounded(reference.log_normal)),
        (lambda: empty(n, kind).log_normal_(0.5, 0.1), rounded(reference.log_normal, 0.5, 0.1)),
    )


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("samples", [1, 2, 5])
def test_multinomial(samples: int, replacement: bool, kind: str) -> None:
    rng = np.random.default_rng(3)
    for rows, categories in [(1, 5), (3, 7), (2, 100)]:
        weights = rng.random((rows, categories)).astype(kind)
        weights[:, :2] *= rng.random((rows, 2)) < 0.5 if categories > 7 else 1
        check(
            (
                lambda w=weights: torch.multinomial(torch.from_numpy(w), samples, replacement),
                lambda g, w=weights: reference.multinomial(g, w, samples, replacement),
            )
        )


def test_normal_of_tensors() -> None:
    mean, std = torch.linspace(0, 1, 20)[:, None], torch.linspace(1, 2, 3)
    check(
        (
            lambda: torch.normal(mean, std),
            lambda g: reference.randn(g, 60).reshape(20, 3) * std.numpy() + mean.numpy(),
        )
    )


def test_channel_dropout() -> None:
    x = torch.ones(4, 5, 3, 3)
    check(
        (
            lambda: torch.nn.functional.dropout2d(x, 0.3)[:, :, 0, 0],
            lambda g: reference.dropout(g, np.ones((4, 5), np.float32), 0.3),
        )
    )
