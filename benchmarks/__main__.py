"""Times flambeau beside PyTorch and JAX, and says how far from its floor each row is.

python -m benchmarks [--only ROW ...] [--check] [--rounds 11] [--threads 2]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from flambeau.cli.bench.programs import ROWS
from flambeau.core.settings import settings

HERE = Path(__file__).parent
PRODUCTS = ("gemm", "bfloat16_gemm")


def main() -> int:
    names = [*(row.name for row in ROWS), *PRODUCTS]
    options = argparse.ArgumentParser("benchmarks", description=__doc__.splitlines()[0])
    options.add_argument("--only", nargs="+", choices=names, help="these rows; writes no files")
    options.add_argument("--check", action="store_true", help="fail when a bar is missed")
    options.add_argument("--rounds", type=int, default=11, help="measurements (%(default)s)")
    options.add_argument("--seconds", type=float, default=0.05, help="of each (%(default)s)")
    options.add_argument("--threads", type=int, default=settings.threads, help="of all packages")
    given = options.parse_args()
    _share_the_machine(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder  # its first call is to be a first one
        from benchmarks import report  # noqa: PLC0415 - packages look at the above when imported

        found = report.measure_all(given.only or names, given.rounds, given.seconds)
    report.show(found)
    if not given.only:
        report.write(found, HERE / "results", HERE.parent / "docs" / "speed.png")
    missed = report.missed_bars(found, HERE / "bars.toml")
    print("\n".join(missed) or "every bar is reached")
    return int(given.check and bool(missed))


def _share_the_machine(threads: int) -> None:
    """As many cores as threads, for every package; to be called before they are imported."""
    settings.threads = threads
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


if __name__ == "__main__":
    sys.exit(main())
