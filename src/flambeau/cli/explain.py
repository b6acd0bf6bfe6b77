"""`flambeau explain`: run a script and say what of it was compiled into which kernels."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flambeau.cli.run import run_script
from flambeau.engine.explain import Explanation, PlanReport, explain
from flambeau.engine.speed import Speed

TEXT, RENDERED = (".dot", ".gv"), (".svg", ".png", ".pdf")


def explain_script(
    script: Path,
    arguments: Sequence[str] = (),
    graph: Path | None = None,
    plan: int | None = None,
    *,
    overview: bool = False,
) -> int:
    """Run `script` as `flambeau run` does, then print its plans, even if it raised.

    `graph` is where to draw one of them: number `plan`, or the one that carried out most
    operations over all its runs; `overview` draws a kernel as one box. 2 when something that
    is asked for cannot be had.
    """
    refusal = None if graph is None else _cannot_draw(graph)
    if refusal is not None:
        return _refuse(refusal)
    found, drawn = Explanation(), 0
    try:
        with explain() as found:
            status = run_script(script, arguments)
    finally:
        show(found, Console())
        if graph is not None:
            drawn = _draw(found.plans, graph, plan, overview)
    return status or drawn


def _refuse(reason: str) -> int:
    print(f"flambeau explain: {reason}", file=sys.stderr)
    return 2


def _cannot_draw(graph: Path) -> str | None:
    """Why a picture cannot be written there; asked before the script takes its time."""
    if graph.suffix not in (*TEXT, *RENDERED):
        return f"--graph takes a file ending in {', '.join((*TEXT, *RENDERED))}, got {graph}"
    if not graph.parent.is_dir():
        return f"--graph {graph}: there is no folder {graph.parent}"
    if graph.suffix in RENDERED and shutil.which("dot") is None:
        return (
            f"--graph {graph} needs graphviz's program `dot`, which is not installed: install "
            f"graphviz, or ask for {graph.with_suffix('.dot')}, the text that it renders"
        )
    return None


def busiest(plans: Sequence[PlanReport]) -> int:
    """The number, from 1, of the plan that carried out most operations over all its runs."""
    return 1 + max(range(len(plans)), key=lambda one: plans[one].runs * plans[one].recorded)


def _draw(plans: Sequence[PlanReport], graph: Path, number: int | None, overview: bool) -> int:
    """Draw a plan; 2 if there is no such plan or `dot` fails."""
    if not plans:
        return _refuse("nothing was computed, so there is no graph to draw")
    if number is None:
        number = busiest(plans)
    if not 1 <= number <= len(plans):
        return _refuse(f"--plan {number}: the script has plans 1 to {len(plans)}")
    text = plans[number - 1].graph(overview)
    if graph.suffix in TEXT:
        graph.write_text(f"{text}\n", encoding="utf-8")
    else:
        command = ["dot", f"-T{graph.suffix[1:]}", "-o", str(graph)]
        done = subprocess.run(
            command, input=text, capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode:
            return _refuse(f"`dot` failed: {done.stderr.strip()}")
    print(f"Plan {number} of {len(plans)} is drawn in {graph}.")
    return 0


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
