"""The programs that are timed compute the same in all their forms, and `flambeau bench` runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
from cli.test_command_line import flambeau as command
from flambeau.cli.bench import programs, timing
from flambeau.cli.bench.floors import floor
from flambeau.cli.bench.programs import ROWS, Program

SMALL: dict[str, Callable[[Any], Program]] = {
    "sgd_by_hand": lambda package: programs.sgd_by_hand(package, 3, (5, 4, 2)),
    "nn_adam": lambda package: programs.nn_adam(package, 3, (5, 4, 4, 2)),
    "elementwise_chain": lambda package: programs.elementwise_chain(package, 33),
    "softmax": lambda package: programs.softmax(package, 3, 7),
    "layer_norm_gelu": lambda package: programs.layer_norm_gelu(package, 3, 7),
    "cross_entropy": lambda package: programs.cross_entropy(package, 3, 7),
}


def arrays(result: Any) -> list[np.ndarray]:
    return [np.array(one) for one in (result if isinstance(result, tuple) else (result,))]


@pytest.mark.parametrize("name", SMALL)
def test_all_forms_of_a_program_give_the_same_bits(name: str) -> None:
    forms = [
        SMALL[name](flambeau).as_it_stands,
        SMALL[name](flambeau).captured(lambda one: flambeau.compile(one, fullgraph=True)),
        SMALL[name](flambeau).in_parts(lambda one: one),
    ]
    for _ in range(5):
        expected, *others = [arrays(form()) for form in forms]
        for found in others:
            for one, wanted in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, wanted)


def test_training_programs_learn() -> None:
    step = SMALL["nn_adam"](flambeau).as_it_stands
    first, *_, last = [step() for _ in range(50)]
    assert last < first


def test_medians_are_of_every_call() -> None:
    calls = {"nothing": lambda: None, "something": lambda: sum(range(10_000))}
    found = timing.medians(calls, rounds=3, duration=0.002)
    assert 0 < found["nothing"] < found["something"]


def test_floors_and_names() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(0 < floor(row) < 1 for row in ROWS)


def test_the_command_prints_a_row() -> None:
    done = command("bench", "--only", "tiny_adam", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    assert "GFLOP/s" in done.stdout
    assert "nn + Adam, 8×16×16×4" in done.stdout
    assert "softmax" not in done.stdout
