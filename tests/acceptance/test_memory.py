"""Memory comes back: buffers, plans and the process as a whole do not grow with the steps."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flambeau as torch
from acceptance import programs
from acceptance.programs import PROGRAMS, Program
from flambeau.engine.flush import engine
from flambeau.runtime.buffers import live_buffers, live_bytes

STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    return int(STATM.read_text().split()[1]) * 4096


@pytest.fixture(autouse=True)
def collected() -> None:
    gc.collect()


def batch() -> tuple[Any, Any]:
    x = torch.randn(programs.BATCH, programs.INPUTS)
    y = torch.randn(programs.BATCH, programs.OUTPUTS)
    torch.flush()
    return x, y


def run(program: Program, step: Any, steps: int, data: tuple[Any, Any] | None = None) -> None:
    x, y = batch() if data is None else data
    for number in range(steps):
        program.between(number)
        step(x, y).item()


@pytest.mark.parametrize("make", PROGRAMS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("wrap", [lambda step: step, torch.compile], ids=["recorded", "captured"])
def test_buffers_return(make: Callable[[], Program], wrap: Any) -> None:
    before = live_buffers()
    program = make()
    step = wrap(program.step)
    run(program, step, 4)
    during = live_buffers()
    run(program, step, 4)
    assert live_buffers() == during
    del program, step
    gc.collect()
    assert live_buffers() == before


def test_buffers_return_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        program = programs.with_adam()
        run(program, program.step, 3)
        during = live_buffers()
        run(program, program.step, 20)
        assert live_buffers() == during
    finally:
        gc.enable()


def test_buffers_return_after_errors() -> None:
    before = live_buffers()
    table = torch.arange(4.0)

    def fail(table: Any, index: int) -> None:
        picked = table[torch.tensor([index])] * torch.rand(3)
        picked.tolist()

    fail(table, 0)
    during = live_buffers()
    for _ in range(20):
        with pytest.raises(IndexError):
            fail(table, 7)
        with pytest.raises(RuntimeError):
            table @ torch.ones(5)
    assert live_buffers() == during
    del table
    torch.flush()
    assert live_buffers() == before


def test_functions_captured_again_and_again() -> None:
    model = torch.nn.Linear(4, 4)
    function = torch.compile(lambda x: model(x).detach())
    x = torch.ones(2, 4)

    def switch(times: int) -> None:
        for number in range(times):
            model.train(number % 2 == 0)
            function(x)
            function(x)

    switch(4)
    before, plans = live_buffers(), len(engine.plans)
    switch(20)
    assert (live_buffers(), len(engine.plans)) == (before, plans)


@pytest.mark.skipif(not STATM.exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("make", "wrap", "steps"),
    [
        (programs.autograd, lambda step: step, 10_000),
        (programs.with_adam, torch.compile, 10_000),
    ],
    ids=["recorded", "captured"],
)
def test_ten_thousand_steps(make: Callable[[], Program], wrap: Any, steps: int) -> None:
    check_growth(make, wrap, steps)


@pytest.mark.skipif(not STATM.exists(), reason="needs Linux's /proc")
def test_the_full_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"BATCH": 64, "INPUTS": 1000, "HIDDEN": 100, "OUTPUTS": 10}.items():
        monkeypatch.setattr(programs, name, size)
    check_growth(programs.with_sgd, lambda step: step, 2000)


def check_growth(make: Callable[[], Program], wrap: Any, steps: int) -> None:
    torch.manual_seed(0)
    program, data = make(), batch()
    step = wrap(program.step)
    run(program, step, 200, data)
    gc.collect()
    counted = live_buffers(), live_bytes(), len(engine.plans)
    # The list of all objects takes memory itself: counted before the first look at the memory in
    # use, and after the second.
    objects = len(gc.get_objects())
    resident = resident_bytes()
    run(program, step, steps, data)
    gc.collect()
    grown = resident_bytes() - resident
    assert (live_buffers(), live_bytes(), len(engine.plans)) == counted
    assert len(gc.get_objects()) - objects < 100
    # A hundred bytes lost at each of 10 000 steps would be a megabyte.
    assert grown < 1 << 20
