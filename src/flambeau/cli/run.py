"""`flambeau run`: an unmodified script, with flambeau where it imports torch or NumPy."""

from __future__ import annotations

import random
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import flambeau
from flambeau.cli import imports


def run_script(
    script: Path, arguments: Sequence[str] = (), seed: int | None = None, *, numpy: bool = False
) -> int:
    """Run `script` as `__main__` with these arguments; 2 when there is no such file.

    With `numpy` the script's own imports of NumPy give flambeau.numpy.
    """
    if not script.is_file():
        print(f"flambeau run: there is no file {script}", file=sys.stderr)
        return 2
    imports.install()
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.resolve().parent))
    if seed is not None:
        seed_everything(seed)
    names = {"__builtins__": imports.script_builtins(imports.SCRIPT_ALONE)} if numpy else {}
    runpy.run_path(str(script), names, run_name="__main__")
    return 0


def seed_everything(seed: int) -> None:
    """Seed the three generators a script may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    flambeau.manual_seed(seed)
