"""Times matrix products beside PyTorch's (MKL), kernel against kernel, and prints the ratios.

python benchmarks/gemm.py [--points 60] [--seed 3] [--rounds 9] [--dtype float32] [--json FILE]
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from llvmlite import ir
from rich.console import Console
from rich.table import Table

import flambeau
from flambeau.compiler.templates import gemm
from flambeau.runtime.cpu.executor import Program, Step
from flambeau.runtime.kernel_cache import kernels
from flambeau.runtime.llvm import machine

SIZES = (16, 48, 64, 100, 256, 512, 1000, 1024, 2048)
TRANSPOSES = ("nn", "nt", "tn", "tt")
# The products of the tutorial's training step.
TUTORIAL = (
    (64, 100, 1000, "nn"),
    (1000, 100, 64, "tn"),
    (64, 10, 100, "nn"),
    (100, 10, 64, "tn"),
    (64, 100, 10, "nt"),
)
SECONDS = 0.01  # a measurement takes about so long, or one call


class Point(NamedTuple):
    """C[m, n] = A[m, k] @ B[k, n]; which of A and B are transposed in memory; threads."""

    m: int
    n: int
    k: int
    transposes: str
    threads: int

    def __str__(self) -> str:
        return f"{self.m}x{self.k}x{self.n} {self.transposes} {self.threads}"


def sample(count: int, threads: Sequence[int], seed: int = 3) -> list[Point]:
    """Random points of the grid of shapes and transposes, after the tutorial's."""
    every = list(itertools.product(SIZES, SIZES, SIZES, TRANSPOSES))
    chosen = [*TUTORIAL, *random.Random(seed).sample(every, count)]
    return [Point(*one, number) for one in chosen for number in threads]


def operands(point: Point, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Random A and B as they lie in memory."""
    m, n, k, transposes, _ = point
    a = torch.randn(m, k, dtype=dtype) if transposes[0] == "n" else torch.randn(k, m, dtype=dtype).T
    b = torch.randn(k, n, dtype=dtype) if transposes[1] == "n" else torch.randn(n, k, dtype=dtype).T
    return a, b


def program(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, times: int) -> Program:
    """The product, `times` times over, each after the one before."""
    (m, k), n = a.shape, b.shape[1]
    problem = gemm.Problem(m, n, k, (0, *a.stride()), (0, *b.stride()), (0, n))
    threads = flambeau.get_num_threads()
    dtype = str(a.dtype).removeprefix("torch.")
    tile = gemm.tile_for(dtype, problem, machine.lanes(), threads)
    spec = gemm.GemmSpec(dtype, tile, problem.a_layout, problem.b_layout)

    def build(name: str) -> str:
        module = ir.Module(name)
        gemm.emit_gemm(module, name)
        return str(module)

    plan = gemm.work_items(spec, problem, threads)
    code = kernels.get("benchmark of gemm", build)
    steps = [Step(code, 0, plan.total, plan.grain, wave, False) for wave in range(times)]
    table = gemm.arguments(spec, problem, plan, a.data_ptr(), b.data_ptr(), c.data_ptr())
    called = gemm.functions(spec, plan)
    table += [0 if one is None else kernels.get(one.key, one.build) for one in called]
    return Program(steps, table, 0, [], [], 0, plan.scratch_bytes)


def medians(calls: Sequence[Callable[[], Any]], rounds: int, times: int) -> list[float]:
    """Microseconds a product, in turns, so that a busy machine disturbs all alike."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, column in zip(calls, found, strict=True):
            time.sleep(0.005)  # until the other's threads have stopped spinning
            call()
            started = time.perf_counter()
            call()
            column.append((time.perf_counter() - started) / times * 1e6)
    return [statistics.median(column) for column in found]


def measure(point: Point, dtype: torch.dtype, rounds: int) -> tuple[float, float]:
    """Microseconds of one product: ours and PyTorch's."""
    for package in (flambeau, torch):
        package.set_num_threads(point.threads)
    a, b = operands(point, dtype)
    ours, theirs = torch.empty(point.m, point.n, dtype=dtype), torch.mm(a, b)
    operations = 2 * point.m * point.n * point.k
    times = max(1, int(SECONDS / (operations / 1e11 / point.threads + 1e-6)))
    run = program(a, b, ours, times)

    def peer() -> None:
        for _ in range(times):
            torch.mm(a, b, out=theirs)

    mine, other = medians([lambda: run.run([]), peer], rounds, times)
    scale = {torch.float64: 1e-12, torch.float32: 1e-4}.get(dtype, 5e-2) * math.sqrt(point.k)
    if not torch.allclose(ours, theirs, atol=scale, rtol=1e-2):
        raise AssertionError(f"{point}: the products differ")
    return mine, other


def show(results: dict[Point, tuple[float, float]], title: str, worst: int) -> None:
    table = Table(title=title)
    for heading in ("m×k×n, transposes, threads", "flambeau", "PyTorch", "GFLOP/s", "ratio"):
        table.add_column(heading, justify="left" if "×" in heading else "right")
    rows = sorted(results.items(), key=lambda row: row[1][1] / row[1][0])
    for point, (ours, theirs) in rows[:worst]:
        speed = 2e-3 * point.m * point.n * point.k / ours
        figures = f"{ours:,.1f}", f"{theirs:,.1f}", f"{speed:.0f}", f"{theirs / ours:.2f}"
        table.add_row(str(point), *figures)
    Console().print(table)
    for threads in sorted({point.threads for point in results}):
        ratios = [b / a for point, (a, b) in results.items() if point.threads == threads]
        print(
            f"{threads} thread(s): geometric mean {statistics.geometric_mean(ratios):.3f}, "
            f"least {min(ratios):.2f}, {len(ratios)} points"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--points", type=int, default=60, help="shapes (%(default)s)")
    options.add_argument("--seed", type=int, default=3, help="of the sample (%(default)s)")
    options.add_argument("--rounds", type=int, default=9, help="measurements (%(default)s)")
    options.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options.add_argument("--dtype", default="float32", help="of all matrices (%(default)s)")
    options.add_argument("--worst", type=int, default=1000, help="show this many points only")
    options.add_argument("--json", type=Path, help="write the figures to this file")
    given = options.parse_args()
    dtype = getattr(torch, given.dtype)
    points = sample(given.points, given.threads, given.seed)
    results = {point: measure(point, dtype, given.rounds) for point in points}
    title = f"{given.dtype} products: microseconds, medians of {given.rounds} rounds"
    show(results, title, given.worst)
    if given.json:
        report = {
            "flambeau": flambeau.__version__,
            "torch": torch.__version__,
            "dtype": given.dtype,
            "points": {str(point): figures for point, figures in results.items()},
        }
        given.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
