"""What flambeau costs besides its kernels: import, first step, recording, replaying.

For example: python benchmarks/startup.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from time import perf_counter
from typing import Any

import flambeau as torch
from flambeau.cli.bench.programs import ROWS
from flambeau.runtime.cpu.executor import Program

RUNS = 5
STEPS = 300

# Each prints seconds as its last line.
IMPORT = """
from time import perf_counter
start = perf_counter()
import flambeau
print(perf_counter() - start)
"""
FIRST_STEP = """
from flambeau.cli.bench.timing import AS_IT_STANDS, first_seconds
print(first_seconds("tutorial_sgd", AS_IT_STANDS))
"""


def in_a_process(code: str, cache: str) -> float:
    """The seconds that the code prints when it is run in a new process."""
    environment = {**os.environ, "FLAMBEAU_CACHE": cache}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def startup() -> dict[str, float]:
    """Median seconds of importing and of the first step, with caches empty and filled."""
    found: dict[str, list[float]] = {}
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as cache:
            found.setdefault("import, with NumPy", []).append(in_a_process(IMPORT, cache))
            found.setdefault("first step, empty cache", []).append(in_a_process(FIRST_STEP, cache))
            found.setdefault("first step, filled cache", []).append(in_a_process(FIRST_STEP, cache))
    return {name: statistics.median(times) for name, times in found.items()}


def recording(step: Callable[[], Any]) -> float:
    """Median seconds of Python from the beginning of a step until it is to be computed."""
    times = []
    for _ in range(STEPS):
        start = perf_counter()
        loss = step()
        times.append(perf_counter() - start)
        torch.flush()
        del loss
    return statistics.median(times)


def replaying(step: Callable[[], Any]) -> float:
    """Median seconds of a captured call, less the time of its kernels in the same call."""
    kernels: list[float] = []
    run = Program.run

    def timed(program: Program, slots: Any) -> Any:
        start = perf_counter()
        try:
            return run(program, slots)
        finally:
            kernels.append(perf_counter() - start)

    captured = torch.compile(step, fullgraph=True)
    for _ in range(5):
        captured()
    times = []
    Program.run = timed  # type: ignore[method-assign]
    try:
        for _ in range(STEPS):
            kernels.clear()
            start = perf_counter()
            captured()
            times.append(perf_counter() - start - sum(kernels))
    finally:
        Program.run = run  # type: ignore[method-assign]
    return statistics.median(times)


def main() -> int:
    rows = [(name, f"{1e3 * seconds:8.0f} ms") for name, seconds in startup().items()]
    micro = {}
    for row in ROWS:
        if row.name.startswith("tutorial"):
            micro[f"recording: {row.title}"] = recording(row.make(torch).whole)
            micro[f"replaying beyond kernels: {row.title}"] = replaying(row.make(torch).whole)
    rows += [(name, f"{1e6 * seconds:8.1f} µs") for name, seconds in micro.items()]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
