"""Prints a digest of what the first random programs compute: `python -m engine.digest 20`."""

from __future__ import annotations

import hashlib
import sys
from random import Random

import numpy as np

from engine import running
from engine.random_programs import random_program
from flambeau.engine.reference import widened


def digest(count: int) -> str:
    """A hash of all wanted values, every NaN counting as the same."""
    total = hashlib.sha256()
    for seed in range(count):
        for value in running.fused(random_program(Random(seed))):
            value[np.isnan(widened(value))] = 0
            total.update(value.tobytes())
    return total.hexdigest()


if __name__ == "__main__":
    print(digest(int(sys.argv[1])))
