"""Tensors that one thread records and another one uses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau


def in_threads(*functions: Callable[[], Any]) -> list[Any]:
    """What the functions return, each called in a thread of its own; raises what one raises."""
    results: list[Any] = [None] * len(functions)
    errors: list[BaseException] = []

    def run(place: int) -> None:
        try:
            results[place] = functions[place]()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(functions))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if errors:
        raise errors[0]
    return results


def test_a_thread_may_use_what_another_has_recorded() -> None:
    flambeau.manual_seed(0)
    weight = flambeau.randn(3, requires_grad=True)
    doubled = weight * 2
    ((total, grad),) = in_threads(
        lambda: ((doubled * 3).sum().item(), flambeau.autograd.grad(doubled.sum(), weight)[0])
    )
    assert total == pytest.approx(6 * weight.sum().item())
    assert grad.tolist() == [2.0] * 3
    assert (doubled + 1).tolist() == (weight.detach() * 2 + 1).tolist()


def test_looking_is_enough() -> None:
    recorded = flambeau.arange(4.0) * 2
    assert in_threads(recorded.tolist, recorded.sum) == [[0.0, 2.0, 4.0, 6.0], 12.0]


def test_results_of_threads_are_used_by_the_one_that_waits_for_them() -> None:
    parts = in_threads(*[lambda n=n: flambeau.full((2,), float(n)) * n for n in range(4)])
    assert flambeau.cat(parts).tolist() == [0.0, 0.0, 1.0, 1.0, 4.0, 4.0, 9.0, 9.0]


def test_a_fault_is_raised_where_the_value_is_needed_and_the_owner_goes_on() -> None:
    bad = flambeau.arange(3)[flambeau.tensor([7])]
    with pytest.raises(IndexError, match="index 7"):
        in_threads(lambda: (bad + 1).tolist())
    assert (flambeau.ones(2) * 2).tolist() == [2.0, 2.0]


def test_many_threads_on_what_one_goes_on_recording() -> None:
    base = flambeau.arange(8.0)
    shared = [base * number for number in range(40)]
    stop = threading.Event()

    def owner() -> float:
        # Its recording is taken from it again and again.
        value = flambeau.zeros(8)
        while not stop.is_set():
            value = value * 0.5 + 1
            shared.append(value)
        return value.max().item()

    def reader() -> bool:
        for number in range(10):
            seen = (shared[-1] + 0).numpy()
            assert np.isfinite(seen).all(), number
            assert np.array_equal(shared[number % 40].numpy(), np.arange(8.0) * (number % 40))
        return True

    def readers() -> list[bool]:
        try:
            return in_threads(reader, reader, reader)
        finally:
            stop.set()

    largest, done = in_threads(owner, readers)
    assert done == [True] * 3
    assert largest <= 2.0


def test_what_is_being_captured_is_not_taken() -> None:
    errors: list[str] = []

    def step(x: flambeau.Tensor) -> flambeau.Tensor:
        inner = x * 2
        try:
            in_threads(inner.tolist)
        except RuntimeError as error:
            errors.append(str(error))
        return inner + 1

    assert flambeau.compile(step)(flambeau.ones(2)).tolist() == [3.0, 3.0]
    assert len(errors) == 1
    assert "being compiled" in errors[0]
