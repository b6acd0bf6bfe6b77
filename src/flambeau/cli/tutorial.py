"""Runs the tutorial's programs and tells how their losses fell and what a step costs."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

STEPS, FIRST_STEPS = 500, 5

Main = Callable[[int], list[float]]


def run_programs(folder: Path, console: Console) -> None:
    """Run every program of `folder` and print a table of them."""
    programs = sorted(folder.glob("*.py"))
    if not programs:
        console.print(f"There are no tutorial programs in {folder}; --examples names their folder.")
        return
    table = Table(title=f"The tutorial's programs, {STEPS} steps each")
    table.add_column("program")
    for heading in ("first loss", "last loss", "µs a step"):
        table.add_column(heading, justify="right")
    with console.status("") as status:
        for program in programs:
            status.update(f"Running {program.name}")
            losses, seconds = timed(load_main(program))
            per_step = f"{seconds / STEPS * 1e6:,.0f}"
            table.add_row(program.stem, f"{losses[0]:.6g}", f"{losses[-1]:.3g}", per_step)
    console.print(table)


def load_main(program: Path) -> Main:
    """The `main(steps)` of a program, which returns the loss of each step."""
    spec = importlib.util.spec_from_file_location(program.stem, program)
    if spec is None or spec.loader is None:
        raise ImportError(f"{program} cannot be loaded as a Python program")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    main: Main = module.main
    return main


def timed(main: Main) -> tuple[list[float], float]:
    """Losses and seconds of a whole run, after a few steps in which everything is compiled."""
    with contextlib.redirect_stdout(io.StringIO()):
        main(FIRST_STEPS)
        started = time.perf_counter()
        losses = main(STEPS)
    return losses, time.perf_counter() - started
