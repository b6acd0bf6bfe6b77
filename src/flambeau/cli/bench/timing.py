"""Times of iterations: medians taken in turns, and the first one in a new process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from time import perf_counter

import flambeau
from flambeau.cli.bench.programs import ROWS, Iteration

AS_IT_STANDS, CAPTURED = "as it stands", "captured"

_SETTLING = 0.01  # seconds of calls before those that count: caches fill, other threads fall asleep
_CALLS_TO_SETTLE = 3  # after which a captured program only replays


def medians(
    calls: Mapping[str, Iteration], rounds: int, duration: float = 0.05
) -> dict[str, float]:
    """Seconds a call, in turns, so that a busy machine disturbs all alike."""
    for call in calls.values():
        for _ in range(_CALLS_TO_SETTLE):
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            _mean(call, _SETTLING)
            times[name].append(_mean(call, duration))
    return {name: statistics.median(column) for name, column in times.items()}


def _mean(call: Iteration, duration: float) -> float:
    """Seconds a call, over about `duration` seconds."""
    count, started = 0, perf_counter()
    while (elapsed := perf_counter() - started) < duration:
        call()
        count += 1
    return elapsed / count


def cold_seconds(name: str, form: str) -> float:
    """`first_seconds` in a new process with an empty kernel cache; the import is not counted."""
    code = f"from {__name__} import first_seconds; print(first_seconds({name!r}, {form!r}))"
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "FLAMBEAU_CACHE": cache}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True
        )
    return float(done.stdout)


def first_seconds(name: str, form: str) -> float:
    """Seconds of a row's first iteration in this process; captured, until it only replays."""
    (row,) = (row for row in ROWS if row.name == name)
    program = row.make(flambeau)
    flambeau.flush()
    started = perf_counter()
    if form == AS_IT_STANDS:
        program.as_it_stands()
    else:
        step = program.captured(flambeau.compile)
        for _ in range(_CALLS_TO_SETTLE):
            step()
    flambeau.flush()  # what nobody has looked at yet, such as the updated weights
    return perf_counter() - started
