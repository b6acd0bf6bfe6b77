"""Run the tutorial's programs as they stand and compare their losses with PyTorch's.

For example: python benchmarks/tutorial.py ../shared/tutorial
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

SEED = "0"
# Relative bounds by step; the last loss must be within a factor of LAST.
EXACT, EARLY, LAST = 1e-5, 1e-3, 2.0
NUMBER = re.compile(r"[-+]?\d[\d.]*(?:e[-+]?\d+)?")


def losses(program: Path, *options: str) -> list[float]:
    """What the program prints: the last number of each line."""
    command = [sys.executable, "-m", "flambeau.cli.main", "run", "--seed", SEED, *options]
    command.append(str(program))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{program} failed:\n{done.stderr}")
    return [float(NUMBER.findall(line)[-1]) for line in done.stdout.splitlines() if line]


def deviations(found: list[float], expected: dict[str, float]) -> list[str]:
    """What is out of bounds."""
    wrong = []
    last = max(map(int, expected))
    for key, wanted in expected.items():
        step, got = int(key), found[int(key)]
        relative = abs(got - wanted) / abs(wanted)
        if step == last:
            fine = 1 / LAST <= got / wanted <= LAST
        else:
            fine = step > 50 or relative <= (EXACT if step <= 2 else EARLY)
        if not fine:
            wrong.append(f"step {step}: {got} for {wanted} ({relative:.1e})")
    return wrong


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    folder = options.parse_args().folder
    known = json.loads((folder / "expected_losses.json").read_text())
    runs = [(name, ()) for name in known]
    # Plain, the NumPy programs run on NumPy itself.
    runs += [(name, ("--numpy",)) for name in known if name.endswith("_numpy.py")]
    failed = 0
    for name, options in runs:
        wrong = deviations(losses(folder / name, *options), known[name])
        failed += bool(wrong)
        label = " ".join((name, *options))
        print(f"{'differs' if wrong else 'agrees '}  {label}  {'; '.join(wrong)}", flush=True)
    print(f"{len(runs) - failed} of {len(runs)} agree" if failed else "all agree")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
