"""What a program cannot be faster than on this machine."""

from __future__ import annotations

from flambeau.cli.bench.programs import Row
from flambeau.compiler.cost import SLOW
from flambeau.engine.speed import bandwidth, measure_speed


def floor(row: Row) -> float:
    """Seconds an iteration must take: operations at the peak, or bytes at the bandwidth."""
    speed = measure_speed()
    operations = row.operations + SLOW * row.functions
    return max(operations / speed.operations, row.nbytes / bandwidth(row.nbytes))
