"""Run the conformance programs and hold their scores against bars.toml.

python benchmarks/conformance.py ../shared/conformance
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import tomllib

BARS = Path(__file__).with_name("bars.toml")
MISSING, PASS = "missing", "pass"
# Neither offered nor asked for: these cases do not count.
UNCOUNTED = ("excluded", "unusable")


def report_of(program: Path, arguments: list[str]) -> dict[str, Any]:
    """Run one program; its own printing goes to the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.json"
        command = [
            sys.executable,
            str(program),
            *arguments,
            "--list-failures",
            "--json",
            str(target),
        ]
        subprocess.run(command, check=True)
        report: dict[str, Any] = json.loads(target.read_text())
        return report


def shares(report: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Passed and counted cases, of all and of those that exist."""
    counted = [case["status"] for case in report["results"] if case["status"] not in UNCOUNTED]
    passed = counted.count(PASS)
    return {
        "score": (passed, len(counted)),
        "present": (passed, len(counted) - counted.count(MISSING)),
    }


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path, help="the folder of the conformance programs")
    folder = options.parse_args().folder
    lines, below = [], 0
    for name, bar in tomllib.loads(BARS.read_text())["conformance"].items():
        measured = shares(report_of(folder / bar["program"], bar.get("arguments", [])))
        for kind in measured.keys() & bar.keys():
            passed, total = measured[kind]
            reached = total > 0 and passed >= bar[kind] * total
            below += not reached
            lines.append(
                f"{'ok   ' if reached else 'BELOW'} {name}, {kind}: {passed}/{total} = "
                f"{passed / max(total, 1):.1%}, bar {bar[kind]:.0%}"
            )
    print("\n".join(["", *lines]))
    return int(below > 0)


if __name__ == "__main__":
    sys.exit(main())
