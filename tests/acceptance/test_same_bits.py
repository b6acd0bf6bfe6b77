"""The tutorial's networks, full size: nothing but the program decides the bits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flambeau as torch
from acceptance import programs
from acceptance.programs import Program
from engine import running

STEPS = 20
FULL = {"BATCH": 64, "INPUTS": 1000, "HIDDEN": 100, "OUTPUTS": 10, "RATE": 1e-6}
NETWORKS = (programs.by_hand, programs.own_function, programs.with_sgd, programs.with_adam)


@pytest.fixture(autouse=True)
def full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in FULL.items():
        monkeypatch.setattr(programs, name, size)


def outcome(make: Callable[[], Program], wrap: Any = lambda step: step) -> list[Any]:
    """The losses of some steps, and a digest of the weights after them."""
    torch.manual_seed(0)
    program = make()
    x = torch.randn(programs.BATCH, programs.INPUTS)
    y = torch.randn(programs.BATCH, programs.OUTPUTS)
    step = wrap(program.step)
    found: list[Any] = [step(x, y).item() for _ in range(STEPS)]
    weights = hashlib.sha256()
    for one in program.parameters:
        weights.update(one.detach().clone().numpy().tobytes())
    assert found[-1] < found[0]
    return [*found, weights.hexdigest()]


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_networks(make: Callable[[], Program], tmp_path: Path) -> None:
    expected = outcome(make)
    assert outcome(make, torch.compile) == expected
    with torch.eager():
        assert outcome(make) == expected
    for count in (1, 2):
        with running.threads(count):
            assert outcome(make) == expected
    with running.kernel_folder(tmp_path) as cold:
        assert outcome(make) == expected
    with running.kernel_folder(tmp_path) as warm:
        assert outcome(make) == expected
    assert warm.counters.compiled == 0
    assert warm.counters.loaded_from_disk == cold.counters.compiled > 0
