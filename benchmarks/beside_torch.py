"""Times flambeau beside PyTorch in one process, in turns, and prints the ratios of medians.

python benchmarks/beside_torch.py [--rounds 9] [--threads 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import flambeau

Timed = Callable[[], Any]
KINDS = ("flambeau", "captured", "PyTorch")
BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10


def data(package: ModuleType) -> tuple[Any, Any]:
    package.manual_seed(0)
    return package.randn(BATCH, INPUTS), package.randn(BATCH, OUTPUTS)


def by_hand(package: ModuleType) -> Callable[[], Any]:
    """The tutorial's autograd program: two matrices, updated in place."""
    x, y = data(package)
    w1 = package.randn(INPUTS, HIDDEN, requires_grad=True)
    w2 = package.randn(HIDDEN, OUTPUTS, requires_grad=True)

    def step() -> Any:
        loss = (x.mm(w1).clamp(min=0).mm(w2) - y).pow(2).sum()
        loss.backward()
        with package.no_grad():
            for weight in (w1, w2):
                weight -= 1e-6 * weight.grad
                weight.grad.zero_()
        return loss.detach()

    return step


def modules(package: ModuleType, optimizer: str) -> Callable[[], Any]:
    """The tutorial's nn program with an optimizer."""
    x, y = data(package)
    nn = package.nn
    model = nn.Sequential(nn.Linear(INPUTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, OUTPUTS))
    squared_error = nn.MSELoss(reduction="sum")
    update = getattr(package.optim, optimizer)(model.parameters(), lr=1e-4)

    def step() -> Any:
        loss = squared_error(model(x), y)
        update.zero_grad()
        loss.backward()
        update.step()
        return loss.detach()

    return step


def training(make: Callable[..., Any], *arguments: str) -> dict[str, Timed]:
    """A training step, its loss looked at: recorded, captured, and PyTorch's."""
    recorded = make(flambeau, *arguments)
    captured = flambeau.compile(make(flambeau, *arguments))
    theirs = make(torch, *arguments)
    return {
        "flambeau": lambda: recorded().item(),
        "captured": lambda: captured().item(),
        "PyTorch": lambda: theirs().item(),
    }


def product(rows: int, depth: int, columns: int) -> dict[str, Timed]:
    """A matrix product, computed and looked at."""

    def make(package: ModuleType) -> Timed:
        package.manual_seed(0)
        first, second = package.randn(rows, depth), package.randn(depth, columns)
        return lambda: (first @ second).numpy()

    return {"flambeau": make(flambeau), "PyTorch": make(torch)}


CASES: dict[str, Callable[[], dict[str, Timed]]] = {
    "tutorial step, SGD by hand": lambda: training(by_hand),
    "tutorial step, nn + SGD": lambda: training(modules, "SGD"),
    "tutorial step, nn + Adam": lambda: training(modules, "Adam"),
    "product 64×1000×100": lambda: product(64, 1000, 100),
    "product 1024×1024×1024": lambda: product(1024, 1024, 1024),
}


def seconds(call: Timed, duration: float = 0.1) -> float:
    """The mean time of a call over about `duration` seconds."""
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < duration:
        call()
        count += 1
    return elapsed / count


def medians(calls: dict[str, Timed], rounds: int) -> dict[str, float]:
    """Microseconds a call, in turns, so that a busy machine disturbs all alike."""
    for call in calls.values():
        for _ in range(5):
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call) * 1e6)
    return {name: statistics.median(column) for name, column in times.items()}


def show(results: dict[str, dict[str, float]], title: str) -> None:
    table = Table(title=title)
    for heading in ("", "flambeau", "captured", "PyTorch", "ratio", "captured ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in results.items():
        ratios = [
            f"{row['PyTorch'] / row[kind]:.2f}" if kind in row else ""
            for kind in ("flambeau", "captured")
        ]
        times = [f"{row[kind]:,.0f}" if kind in row else "" for kind in KINDS]
        table.add_row(name, *times, *ratios)
    Console().print(table)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=9, help="measurements (%(default)s)")
    options.add_argument("--threads", type=int, default=2, help="for both (%(default)s)")
    options.add_argument("--json", type=Path, help="write the figures to this file")
    given = options.parse_args()
    for package in (flambeau, torch):
        package.set_num_threads(given.threads)
    results = {name: medians(case(), given.rounds) for name, case in CASES.items()}
    show(results, f"Microseconds, medians of {given.rounds} rounds, {given.threads} thread(s)")
    if given.json:
        report = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "flambeau": flambeau.__version__,
            "torch": torch.__version__,
            "threads": given.threads,
            "microseconds": results,
        }
        given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
