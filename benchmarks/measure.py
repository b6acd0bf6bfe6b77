"""Rows measured: flambeau and its peers in one process, in turns."""

from __future__ import annotations

import os
import shutil
import statistics
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch

import flambeau
from benchmarks import gemm
from benchmarks.jax_programs import jax_iteration
from flambeau.cli.bench.floors import floor
from flambeau.cli.bench.programs import Iteration, Row
from flambeau.cli.bench.timing import AS_IT_STANDS, CAPTURED, cold_seconds, medians

EAGER, COMPILED, JAX = "PyTorch", "torch.compile", "JAX"
PEERS = (EAGER, COMPILED, JAX)
CXX = os.environ.get("CXX", "g++")  # torch.compile is left out where there is none
GEMM_POINTS = 50
BFLOAT16_ORDERS = (512, 1024, 2048)


@dataclass
class Result:
    """Seconds of a row: the least an iteration could take, an iteration of each, the first ones."""

    title: str
    floor: float
    seconds: dict[str, float]
    first: dict[str, float]

    @property
    def best_peer(self) -> str:
        """The quickest peer."""
        return min(self.seconds.keys() & set(PEERS), key=self.seconds.__getitem__)

    @property
    def ratios(self) -> dict[str, float]:
        """As it stands beside eager PyTorch, captured beside the best peer."""
        mine = self.seconds
        return {
            AS_IT_STANDS: mine[EAGER] / mine[AS_IT_STANDS],
            CAPTURED: mine[self.best_peer] / mine[CAPTURED],
        }

    def as_json(self) -> dict[str, Any]:
        """What is written to the file of results."""
        return {**asdict(self), "best_peer": self.best_peer, "ratios": self.ratios}


@dataclass
class Products:
    """Ratios of PyTorch's times to ours, over a set of products."""

    title: str
    mean: float
    least: float
    points: dict[str, tuple[float, float]]  # microseconds, ours and theirs

    @property
    def ratios(self) -> dict[str, float]:
        """The geometric mean and the least."""
        return {"mean": self.mean, "least": self.least}

    def as_json(self) -> dict[str, Any]:
        """What is written to the file of results."""
        return asdict(self)


def measure_row(row: Row, rounds: int, duration: float) -> Result:
    """Measure all; ValueError if what they compute differs."""
    calls = _contenders(row)
    first, results = {}, {}
    for name, call in calls.items():
        started = perf_counter()
        results[name] = call()
        first[name] = perf_counter() - started
    _compare(row.name, results)
    seconds = medians(calls, rounds, duration)
    # In this process kernels may be known from other rows; in a new one, none is.
    first |= {form: cold_seconds(row.name, form) for form in (AS_IT_STANDS, CAPTURED)}
    return Result(row.title, floor(row), seconds, first)


def _contenders(row: Row) -> dict[str, Iteration]:
    """An iteration of each, from the same start and sharing nothing."""
    start = row.make(torch)
    calls = {
        AS_IT_STANDS: row.make(flambeau).as_it_stands,
        CAPTURED: row.make(flambeau).captured(flambeau.compile),
        EAGER: row.make(torch).as_it_stands,
        JAX: jax_iteration(row, start),
    }
    if shutil.which(CXX):
        torch.compiler.reset()
        calls[COMPILED] = row.make(torch).in_parts(torch.compile)
    return calls


def _compare(name: str, results: dict[str, Any]) -> None:
    """Contenders that compute different things are not worth timing."""
    expected = _parts(results[EAGER])
    for contender, found in results.items():
        for mine, theirs in zip(_parts(found), expected, strict=True):
            if not np.allclose(mine, theirs, rtol=1e-3, atol=1e-5):
                raise ValueError(f"{name}: {contender} computes {mine}, {EAGER} {theirs}")


def _parts(result: Any) -> list[Any]:
    return [np.asarray(one) for one in (result if isinstance(result, tuple) else (result,))]


def measure_products(name: str, threads: int, rounds: int) -> Products:
    """The matrix products of a row."""
    if name == "gemm":
        points = gemm.sample(GEMM_POINTS, sorted({1, threads}))
        title, dtype = "float32 products", torch.float32
    else:
        points = [gemm.Point(n, n, n, "nn", threads) for n in BFLOAT16_ORDERS]
        title, dtype = "bfloat16 products", torch.bfloat16
    times = {point: gemm.measure(point, dtype, rounds) for point in points}
    for package in (flambeau, torch):
        package.set_num_threads(threads)
    ratios = [theirs / ours for ours, theirs in times.values()]
    mean, least = statistics.geometric_mean(ratios), min(ratios)
    points_found = {str(point): figures for point, figures in times.items()}
    return Products(f"{title}, {len(ratios)} points", mean, least, points_found)
