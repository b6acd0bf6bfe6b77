"""`while_loop`: rounds as long as the values say, and the gradients of those there were."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau as torch
from control_flow.programs import leaf, same_bits
from flambeau.engine.flush import engine, flush


def newton(a, most=None):
    """Square roots."""

    def wrong(y, _):
        return (y * y - a).abs().max() > 1e-12

    return torch.while_loop(
        wrong,
        lambda y, n: ((y + a / y) * 0.5, n + 1),
        (torch.ones_like(a), torch.tensor(0)),
        maximum_iterations=most,
    )


def test_newton_and_its_derivatives():
    a = torch.tensor([2.0, 9.0, 100.0], dtype=torch.float64, requires_grad=True)
    roots, rounds = newton(a.detach())
    assert torch.allclose(roots, a.detach().sqrt())
    assert rounds.item() == 8
    (slope,) = torch.autograd.grad(newton(a, 20)[0].sum(), a, create_graph=True)
    assert torch.allclose(slope, 0.5 / a.sqrt())
    (curvature,) = torch.autograd.grad(slope.sum(), a)
    assert torch.allclose(curvature, -0.25 * a.detach() ** -1.5)


@settings(max_examples=10)
@given(st.integers(0, 6))
def test_the_gradient_of_as_many_rounds_as_there_were(count):
    x, s = leaf(3), leaf(3, seed=1)

    def step(s):
        return torch.sin(s) * x

    last = torch.while_loop(
        lambda n, _: n < count, lambda n, s: (n + 1, step(s)), (torch.tensor(0), s),
        maximum_iterations=8,
    )[1]  # fmt: skip
    expected = s
    for _ in range(count):
        expected = step(expected)
    grads = [
        torch.autograd.grad((one * one).sum(), [x, s], allow_unused=True)
        for one in (last, expected)
    ]
    assert torch.equal(last, expected)
    if count:
        assert same_bits(*grads)
    else:
        assert torch.equal(grads[0][1], grads[1][1])


def test_maximum_iterations_end_the_loop():
    (n,) = torch.while_loop(
        lambda n: n >= 0, lambda n: (n + 1,), (torch.tensor(0),), maximum_iterations=7
    )
    assert n.item() == 7


def test_gradients_want_a_limit():
    a = torch.ones(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="give maximum_iterations"):
        newton(a)[0].sum().backward()


def test_a_loop_in_a_captured_function_runs_as_long_as_the_values_say():
    @torch.compile(fullgraph=True)
    def collatz(n):
        following = lambda n: torch.where(n % 2 == 0, n // 2, 3 * n + 1)  # noqa: E731
        return torch.while_loop(
            lambda n, _: n > 1, lambda n, c: (following(n), c + 1), (n, torch.tensor(0))
        )[1]

    assert [collatz(torch.tensor(n)).item() for n in (27, 27, 1, 6, 97)] == [111, 111, 0, 8, 118]


def test_loops_nest_and_compile_once():
    def triangle(n):
        def row(i, total):
            inner = torch.while_loop(
                lambda j, t: j <= i, lambda j, t: (j + 1, t + j), (torch.tensor(0), total)
            )
            return i + 1, inner[1]

        return torch.while_loop(lambda i, _: i < n, row, (torch.tensor(0), torch.tensor(0)))[1]

    flush()
    expected = lambda n: sum(i * (i + 1) // 2 for i in range(n))  # noqa: E731
    found = [triangle(torch.tensor(5)).item()]
    compiled = engine.statistics.compiled
    found += [triangle(torch.tensor(n)).item() for n in (0, 1, 9)]
    assert found == [expected(n) for n in (5, 0, 1, 9)]
    assert engine.statistics.compiled == compiled


def test_a_loop_without_end_can_be_interrupted():
    def interrupt():
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    result = torch.while_loop(lambda i: i >= 0, lambda i: ((i + 1) % 1000,), (torch.tensor(0),))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        result[0].item()
    thread.join()
    assert torch.ones(2).sum().item() == 2


def test_a_bad_index_in_a_round_leaves_all_as_it_was():
    x, written = torch.arange(4), torch.zeros(2)
    written.add_(1)
    result = torch.while_loop(
        lambda i, _: i < 9, lambda i, s: (i + 1, s + x[i]), (torch.tensor(0), torch.tensor(0))
    )
    written.mul_(2)
    with pytest.raises(IndexError, match="index 4 is out of bounds"):
        result[1].item()
    assert written.tolist() == [1, 1]
