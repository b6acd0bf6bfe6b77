"""The README's picture: every row's speed beside eager PyTorch's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.measure import COMPILED, EAGER, JAX, Result
from flambeau.cli.bench.timing import AS_IT_STANDS, CAPTURED

BARS = {
    AS_IT_STANDS: ("flambeau, as it stands", "#f6b26b"),
    CAPTURED: ("flambeau, captured", "#e06000"),
    COMPILED: ("torch.compile", "#9fb8d9"),
    JAX: ("JAX, jitted", "#5b7fb5"),
}
THICKNESS = 0.2


def draw(rows: Mapping[str, Result], file: Path) -> None:
    """Bars of eager PyTorch's time by each one's; longer is faster."""
    figure = Figure(figsize=(9, 1.2 + 0.8 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for number, (kind, (label, colour)) in enumerate(BARS.items()):
        places = [place + (number - 1.5) * THICKNESS for place in range(len(rows))]
        faster = [_speed(row, row.seconds.get(kind)) for row in rows.values()]
        axes.barh(places, [one - 1 for one in faster], THICKNESS, 1, label=label, color=colour)
    _, limit = axes.get_xlim()
    floors = [(_speed(row, row.floor), place) for place, row in enumerate(rows.values())]
    within = [one for one in floors if one[0] <= 4 * limit]
    (marks,) = axes.plot(*zip(*within, strict=True), "k|", markersize=20, markeredgewidth=1.5)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(rows)), [row.title for row in rows.values()])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel(f"speed beside {EAGER} run eagerly (1×)")
    marks.set_label("as fast as this machine can")
    figure.legend(loc="outside upper center", ncols=5, fontsize=8, markerscale=0.5, frameon=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(file, dpi=120)


def _speed(row: Result, seconds: float | None) -> float:
    return row.seconds[EAGER] / seconds if seconds else 1.0
