"""The listing that is compared between commits must not differ from run to run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "kernel_listing.py"


def listing(seed: int) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    done = subprocess.run(
        [sys.executable, TOOL], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_listing_is_the_same_every_time() -> None:
    first = listing(1)
    assert "v1 = reduce.float32 v0 max -inf" in first
    assert listing(2) == first
