"""All rows measured, and what is told of them: a table, a file of results, a picture, bars."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import tomllib
import torch
from rich.console import Console
from rich.table import Table

import flambeau
from benchmarks.chart import draw
from benchmarks.measure import PEERS, Products, Result, measure_products, measure_row
from flambeau.cli.bench.floors import floor
from flambeau.cli.bench.programs import ROWS
from flambeau.cli.bench.timing import AS_IT_STANDS, CAPTURED
from flambeau.engine.speed import Speed, measure_again, measure_speed
from flambeau.runtime.llvm import machine

PACKAGES = ("flambeau", "numpy", "llvmlite", "torch", "jax", "jaxlib")
COLUMNS = (AS_IT_STANDS, CAPTURED, *PEERS)
MOST_LOAD = 0.5  # what others may have used of the cores
WIDTH = 180  # of what is not a terminal


@dataclass
class Report:
    """What one run has measured."""

    threads: int
    rounds: int
    load: float  # of the machine before, in cores
    speed: Speed
    rows: dict[str, Result]
    products: dict[str, Products]


def measure_all(names: Sequence[str], rounds: int, duration: float) -> Report:
    """Measure the rows of these names."""
    threads = flambeau.get_num_threads()
    torch.set_num_threads(threads)
    found = Report(threads, rounds, os.getloadavg()[0], measure_speed(), {}, {})
    by_name = {row.name: row for row in ROWS}
    with Console(stderr=True).status("") as status:
        for name in names:
            status.update(f"Measuring {name}")
            if name in by_name:
                found.rows[name] = measure_row(by_name[name], rounds, duration)
            else:
                found.products[name] = measure_products(name, threads, rounds)
    measure_again()
    found.speed = measure_speed()
    for name, result in found.rows.items():
        result.floor = floor(by_name[name])
    return found


# ---------------------------------------------------------------------------- tables


def show(found: Report) -> None:
    """Print the tables."""
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=WIDTH)
    speed = found.speed
    console.print(
        f"{processor()}, {found.threads} thread(s), medians of {found.rounds} rounds. Floors: "
        f"{speed.operations / 1e9:.0f} GFLOP/s, {speed.memory / 1e9:.0f} GB/s (more in caches)."
    )
    if found.load > MOST_LOAD:
        console.print(
            f"[red]The load was {found.load:.1f} before: a busy machine gives no good figures."
        )
    if found.rows:
        console.print(_table("Microseconds an iteration", *times_of(found)))
        console.print(_table("Seconds until the first iteration is done", *first_of(found)))
    for products in found.products.values():
        console.print(
            f"{products.title}: PyTorch's time by ours, geometric mean {products.mean:.2f}, "
            f"least {products.least:.2f}"
        )


def times_of(found: Report) -> tuple[list[str], list[list[str]]]:
    """Headings and lines: microseconds, and the ratios that the bars are about."""
    headings = ["", "floor", *COLUMNS, "× PyTorch", "captured × best", "captured / floor"]
    lines = []
    for row in found.rows.values():
        times = [
            f"{row.seconds[kind] * 1e6:,.0f}" if kind in row.seconds else "" for kind in COLUMNS
        ]
        ratios = [f"{ratio:.2f}" for ratio in row.ratios.values()]
        above = f"{row.seconds[CAPTURED] / row.floor:,.1f}"
        lines.append([row.title, f"{row.floor * 1e6:,.0f}", *times, *ratios, above])
    return headings, lines


def first_of(found: Report) -> tuple[list[str], list[list[str]]]:
    """Headings and lines: what compiling costs, with no kernel known."""
    lines = []
    for row in found.rows.values():
        times = [f"{row.first[kind]:.2f}" if kind in row.first else "" for kind in COLUMNS]
        lines.append([row.title, *times])
    return ["", *COLUMNS], lines


def _table(title: str, headings: list[str], lines: list[list[str]]) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left")
    for line in lines:
        table.add_row(*line)
    return table


def _markdown(headings: list[str], lines: list[list[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(headings) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *lines))


# ---------------------------------------------------------------------------- files


def write(found: Report, folder: Path, picture: Path) -> None:
    """The figures as JSON and as a Markdown table, and the picture."""
    folder.mkdir(exist_ok=True)
    name = f"{platform.machine()}_{machine.lanes() * 32}_bits_{found.threads}_threads"
    text = json.dumps(as_json(found), indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n")
    tables = [_markdown(*times_of(found)), _markdown(*first_of(found))]
    captions = ["Microseconds an iteration", "Seconds until the first iteration is done"]
    parts = [f"{caption}:\n\n{table}\n" for caption, table in zip(captions, tables, strict=True)]
    (folder / f"{name}.md").write_text("\n".join(parts))
    draw(found.rows, picture)


def as_json(found: Report) -> dict[str, Any]:
    """All that a reader needs to know of a run."""
    results: dict[str, Result | Products] = {**found.rows, **found.products}
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": processor(),
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in PACKAGES},
        "threads": found.threads,
        "rounds": found.rounds,
        "load_before": found.load,
        "operations_a_second": found.speed.operations,
        "bytes_a_second": found.speed.memory,
        "rows": {name: result.as_json() for name, result in results.items()},
    }


def processor() -> str:
    """The processor and the vectors that are used of it."""
    return f"{platform.machine()}, {llvm.get_host_cpu_name()}, {machine.lanes() * 32}-bit vectors"


# ---------------------------------------------------------------------------- bars


def missed_bars(found: Report, file: Path) -> list[str]:
    """A line for each bar of the `speed` table that a measured row does not reach."""
    bars = tomllib.loads(file.read_text())["speed"]
    results: dict[str, Result | Products] = {**found.rows, **found.products}
    return [
        f"BELOW {name}, {kind}: {results[name].ratios[kind]:.2f}, bar {bar}"
        for name, wanted in bars.items()
        if name in results
        for kind, bar in wanted.items()
        if results[name].ratios[kind] < bar
    ]
