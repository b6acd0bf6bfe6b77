"""The tutorial's NumPy program on flambeau.numpy beside NumPy itself, in turns in one process.

Prints the ratio of the medians; the program looks at its loss in each step.

python benchmarks/numpy_program.py [--rounds 15] [--threads 2] [--json FILE]
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

import numpy as np
from rich.console import Console
from rich.table import Table

import flambeau
import flambeau.numpy

BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10
PACKAGES = {"flambeau": flambeau.numpy, "NumPy": np}


def program(np: ModuleType, kind: str) -> Callable[[], float]:
    """The tutorial's two_layer_net_numpy.py: a step of it, which gives the loss."""
    np.random.seed(0)
    x = np.random.randn(BATCH, INPUTS).astype(kind)
    y = np.random.randn(BATCH, OUTPUTS).astype(kind)
    w1 = np.random.randn(INPUTS, HIDDEN).astype(kind)
    w2 = np.random.randn(HIDDEN, OUTPUTS).astype(kind)
    learning_rate = 1e-6

    def step() -> float:
        nonlocal w1, w2
        h = x.dot(w1)
        h_relu = np.maximum(h, 0)
        y_pred = h_relu.dot(w2)
        loss = np.square(y_pred - y).sum()
        looked_at = float(loss)
        grad_y_pred = 2.0 * (y_pred - y)
        grad_w2 = h_relu.T.dot(grad_y_pred)
        grad_h_relu = grad_y_pred.dot(w2.T)
        grad_h = grad_h_relu.copy()
        grad_h[h < 0] = 0
        grad_w1 = x.T.dot(grad_h)
        w1 -= learning_rate * grad_w1
        w2 -= learning_rate * grad_w2
        return looked_at

    return step


def seconds(step: Callable[[], Any], count: int = 200) -> float:
    """The mean time of a step."""
    # The other package's threads spin for a while after its last product.
    time.sleep(0.1)
    for _ in range(10):
        step()
    started = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - started) / count


def measure(kind: str, rounds: int) -> dict[str, float]:
    """Microseconds a step, in turns, so that a busy machine disturbs both alike."""
    steps = {name: program(package, kind) for name, package in PACKAGES.items()}
    for step in steps.values():
        seconds(step)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            times[name].append(seconds(step) * 1e6)
    return {name: statistics.median(column) for name, column in times.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=15, help="measurements (%(default)s)")
    options.add_argument("--threads", type=int, default=2, help="flambeau's (%(default)s)")
    options.add_argument("--json", type=Path, help="write the figures to this file")
    given = options.parse_args()
    flambeau.set_num_threads(given.threads)
    results = {kind: measure(kind, given.rounds) for kind in ("float64", "float32")}
    table = Table(title=f"Microseconds a step, medians of {given.rounds} rounds")
    for heading in ("dtype", *PACKAGES, "NumPy / flambeau"):
        table.add_column(heading, justify="right")
    for kind, row in results.items():
        ratio = f"{row['NumPy'] / row['flambeau']:.2f}"
        table.add_row(kind, *[f"{row[name]:,.0f}" for name in PACKAGES], ratio)
    Console().print(table)
    if given.json:
        report = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "flambeau": flambeau.__version__,
            "numpy": np.__version__,
            "threads": given.threads,
            "microseconds": results,
        }
        given.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
