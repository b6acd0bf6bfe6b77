"""`flambeau explain`: run a script and say what of it was compiled into which kernels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flambeau.cli.run import run_script
from flambeau.engine.explain import Explanation, PlanReport, explain
from flambeau.engine.speed import Speed


def explain_script(script: Path, arguments: Sequence[str] = ()) -> int:
    """Run `script` as `flambeau run` does, then print its plans, even if it raised."""
    found = Explanation()
    try:
        with explain() as found:
            return run_script(script, arguments)
    finally:
        show(found, Console())


def show(found: Explanation, console: Console) -> None:
    """Print what was found: a line about the machine, then a table for each plan."""
    speed = found.speed
    console.print(
        f"This machine moves {speed.memory / 1e9:.1f} GB/s to and from memory (more in its caches) "
        f"and does {speed.operations / 1e9:.0f} GFLOP/s in float32."
    )
    for number, plan in enumerate(found.plans, 1):
        console.print(_table(number, plan, speed))
        passes = [f"{name} {seconds * 1e3:.1f}" for name, seconds in plan.passes.items()]
        console.print(f"  compiled in ms: {', '.join(passes)}")
        for reason in plan.declined:
            console.print(f"  not fused: {reason}", markup=False)


def _table(number: int, plan: PlanReport, speed: Speed) -> Table:
    memory = f"{plan.peak_bytes / 2**20:.2f} MiB beside its inputs"
    title = (
        f"Plan {number}: {plan.recorded} operations in {len(plan.kernels)} kernels, "
        f"{plan.runs} runs, {memory}\ncompiled for {plan.why}"
    )
    table = Table(title=title, title_justify="left")
    for name in ("time", "floor", "of floor", "moved", "operations"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("kernel", overflow="fold")
    for kernel in plan.kernels:
        floor = kernel.floor(speed)
        table.add_row(
            f"{kernel.seconds * 1e6:.1f} µs",
            f"{floor * 1e6:.1f} µs",
            f"{kernel.seconds / floor:.1f}×" if floor else "",
            f"{kernel.nbytes / 1e6:.2f} MB",
            f"{kernel.operations / 1e6:.2f} M",
            kernel.description.replace("[", r"\["),
        )
    return table
