"""`flambeau bench`: what programs take on this machine, and what they would at its full speed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

import flambeau
from flambeau.cli.bench.floors import floor
from flambeau.cli.bench.programs import ROWS, Row
from flambeau.cli.bench.timing import AS_IT_STANDS, CAPTURED, cold_seconds, medians
from flambeau.compiler.cost import SLOW
from flambeau.engine.speed import measure_again, measure_speed

ROUNDS = 5
FIRST, FIRST_CAPTURED = "first", "first captured"
_HEADINGS = ("floor", AS_IT_STANDS, CAPTURED, "of floor", FIRST, FIRST_CAPTURED)


def run_bench(names: Sequence[str] | None, rounds: int) -> int:
    """Time the rows of these names (by default, all) and print a table."""
    console = Console()
    rows = [row for row in ROWS if not names or row.name in names]
    seconds: list[dict[str, float]] = []
    with console.status("") as status:
        for row in rows:
            status.update(f"Measuring {row.title}")
            floor(row)
            seconds.append(_measured(row, rounds))
        measure_again()
    title = f"Microseconds an iteration, seconds of the first; medians of {rounds}"
    table = Table(title=title, box=SIMPLE)
    table.add_column("")
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for row, found in zip(rows, seconds, strict=True):
        least = floor(row)
        times = (f"{one * 1e6:,.0f}" for one in (least, found[AS_IT_STANDS], found[CAPTURED]))
        above = f"{found[CAPTURED] / least:,.1f}×"
        first = (f"{found[kind]:.2f}" for kind in (FIRST, FIRST_CAPTURED))
        table.add_row(row.title, *times, above, *first)
    speed = measure_speed()
    console.print(
        f"{flambeau.get_num_threads()} thread(s) do {speed.operations / 1e9:.0f} GFLOP/s in "
        f"float32 and move {speed.memory / 1e9:.1f} GB/s to and from memory (more in its caches)."
    )
    console.print(table)
    console.print(
        "A floor is the time of a row's operations at that speed (a function such as exp counts as "
        f"{SLOW}), or of its bytes to and from where they fit. The first step compiles everything; "
        "later processes find it compiled."
    )
    return 0


def _measured(row: Row, rounds: int) -> dict[str, float]:
    """Seconds of an iteration, in turns, and of the first one in a new process."""
    calls = {
        AS_IT_STANDS: row.make(flambeau).as_it_stands,
        CAPTURED: row.make(flambeau).captured(flambeau.compile),
    }
    return {
        **medians(calls, rounds),
        FIRST: cold_seconds(row.name, AS_IT_STANDS),
        FIRST_CAPTURED: cold_seconds(row.name, CAPTURED),
    }
