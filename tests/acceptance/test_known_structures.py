"""A structure that was run before is neither scheduled nor compiled again."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import flambeau as torch
from acceptance.programs import PROGRAMS, Program, network, trained
from flambeau.engine.flush import engine
from flambeau.runtime.kernel_cache import kernels

TUTORIAL = sorted((Path(__file__).parents[2] / "examples" / "tutorial").glob("step[2-8]*.py"))


def compilations() -> tuple[int, int, int]:
    counters = kernels.counters
    return engine.statistics.compiled, counters.compiled, counters.loaded_from_disk


@contextmanager
def nothing_compiled() -> Iterator[None]:
    before = compilations()
    yield
    assert compilations() == before


def main_of(path: Path) -> Callable[..., list[float]]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def main(steps: int) -> list[float]:
        losses = module.main(steps=steps)
        torch.flush()  # what it leaves would be part of the first structure of the next
        return losses

    return main


@pytest.mark.parametrize("path", TUTORIAL, ids=lambda path: path.stem)
def test_the_tutorials_loops(path: Path) -> None:
    main = main_of(path)
    # The dynamic network has as many structures as depths.
    steps = 12 if "dynamic" in path.stem else 4
    first = main(steps=steps)
    with nothing_compiled():
        assert main(steps=steps) == first
        assert "dynamic" in path.stem or main(steps=steps + 3)[:steps] == first


@pytest.mark.parametrize("make", PROGRAMS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("wrap", [lambda step: step, torch.compile], ids=["recorded", "captured"])
def test_after_a_few_steps(make: Callable[[], Program], wrap: Any) -> None:
    torch.manual_seed(0)
    program = make()
    step = wrap(program.step)

    def run(start: int, stop: int) -> None:
        for number in range(start, stop):
            program.between(number)
            step(torch.randn(8, 16), torch.randn(8, 4)).item()

    run(0, 8)
    with nothing_compiled():
        run(8, 14)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad", "RMSprop"])
def test_a_new_learning_rate(name: str) -> None:
    torch.manual_seed(0)
    model = network()
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.01)
    step = trained(model, optimizer).step
    x, y = torch.randn(8, 16), torch.randn(8, 4)
    for _ in range(3):
        step(x, y).item()
    with nothing_compiled():
        for rate in (0.5, 1e-9, 1.0, 0.0, 3):
            optimizer.param_groups[0]["lr"] = rate
            step(x, y).item()


def test_numbers_are_arguments() -> None:
    x = torch.ones(5)
    x.tolist()
    result = x * 2.0 + 3.0
    assert result.tolist() == [5.0] * 5
    with nothing_compiled():
        for number in (0.0, 1.0, -1.5, float("inf")):
            result = x * number + number
            assert result.tolist() == [2 * number] * 5


def test_depths_of_the_dynamic_network_are_plans_of_their_own() -> None:
    layer = torch.nn.Linear(4, 4)

    def run(seed: int) -> None:
        random.seed(seed)
        for _ in range(10):
            x = torch.ones(2, 4)
            for _ in range(random.randint(0, 3)):
                x = layer(x).clamp(min=0)
            x.sum().item()

    run(0)
    with nothing_compiled():
        run(0)
        run(0)
