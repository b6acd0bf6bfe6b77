"""Times flambeau beside PyTorch in one process, in turns, and prints the ratios.

python benchmarks/beside_torch.py [--rounds 7] [--threads 1]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import flambeau

Timed = Callable[[], Any]
BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10


def training(package: ModuleType, optimizer: str, **settings: float) -> Timed:
    """One step of the tutorial's network, its loss looked at."""
    package.manual_seed(0)
    x, y = package.randn(BATCH, INPUTS), package.randn(BATCH, OUTPUTS)
    nn = package.nn
    model = nn.Sequential(nn.Linear(INPUTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, OUTPUTS))
    squared_error = nn.MSELoss(reduction="sum")
    update = getattr(package.optim, optimizer)(model.parameters(), **settings)

    def step() -> float:
        loss = squared_error(model(x), y)
        update.zero_grad()
        loss.backward()
        update.step()
        return float(loss.item())

    return step


def product(package: ModuleType, rows: int, depth: int, columns: int) -> Timed:
    """A matrix product, computed and looked at."""
    package.manual_seed(0)
    first, second = package.randn(rows, depth), package.randn(depth, columns)
    return lambda: (first @ second).numpy()


CASES: dict[str, Callable[[ModuleType], Timed]] = {
    "tutorial step, SGD": lambda package: training(package, "SGD", lr=1e-4),
    "tutorial step, Adam": lambda package: training(package, "Adam", lr=1e-4),
    "product 64×1000×100": lambda package: product(package, 64, 1000, 100),
    "product 1024×1024×1024": lambda package: product(package, 1024, 1024, 1024),
}


def seconds(call: Timed, duration: float = 0.1) -> float:
    """The mean time of a call over about `duration` seconds."""
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < duration:
        call()
        count += 1
    return elapsed / count


def fastest(calls: list[Timed], rounds: int) -> list[float]:
    """The best round of each; in turns, so that a busy machine disturbs all alike."""
    for call in calls:
        call()
    times = [[seconds(call) for call in calls] for _ in range(rounds)]
    return [min(column) for column in zip(*times, strict=True)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--rounds", type=int, default=7, help="times each is measured (%(default)s)"
    )
    options.add_argument("--threads", type=int, default=1, help="for both (%(default)s)")
    given = options.parse_args()
    for package in (flambeau, torch):
        package.set_num_threads(given.threads)
    table = Table(title=f"Microseconds, best of {given.rounds} rounds, {given.threads} thread(s)")
    for heading in ("", "flambeau", "PyTorch", "PyTorch / flambeau"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, case in CASES.items():
        ours, theirs = fastest([case(flambeau), case(torch)], given.rounds)
        table.add_row(name, f"{ours * 1e6:,.1f}", f"{theirs * 1e6:,.1f}", f"{theirs / ours:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
