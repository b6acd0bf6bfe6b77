"""`flambeau run --numpy`: the script's own imports of numpy give flambeau.numpy, no others do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "flambeau.cli.main", "run"]
PROGRAM = """
import numpy as np
import numpy
import numpy.linalg as la
import numpy.testing as npt
from numpy.random import randn
from numpy import array, float64
import flambeau.numpy, textwrap, json
assert np is numpy is flambeau.numpy
assert la is flambeau.numpy.linalg
assert randn is flambeau.numpy.random.randn
npt.assert_allclose(array([1.0]) / 2, [0.5])
import flambeau.core.dtypes as others
assert others.np is not np
def later():
    import numpy
    return numpy
assert later() is np
print(type(np.ones(2)).__module__)
"""
# The tutorial's program, short and on fewer units.
TUTORIAL = """
import numpy as np
np.random.seed(0)
x, y = np.random.randn(8, 30), np.random.randn(8, 3)
w1, w2 = np.random.randn(30, 12), np.random.randn(12, 3)
for t in range(20):
    h = x.dot(w1)
    h_relu = np.maximum(h, 0)
    y_pred = h_relu.dot(w2)
    print(t, np.square(y_pred - y).sum())
    grad_y_pred = 2.0 * (y_pred - y)
    grad_w2 = h_relu.T.dot(grad_y_pred)
    grad_h = grad_y_pred.dot(w2.T).copy()
    grad_h[h < 0] = 0
    w1 -= 1e-4 * x.T.dot(grad_h)
    w2 -= 1e-4 * grad_w2
"""


def run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    script = folder / "program.py"
    script.write_text(text)
    command = [*COMMAND, *options, str(script)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_scripts_own_imports_alone(tmp_path: Path) -> None:
    done = run(tmp_path, PROGRAM, "--numpy")
    assert done.stdout == "flambeau.numpy._ndarray\n", done.stderr


def test_an_unknown_submodule_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "import numpy.polynomial", "--numpy")
    assert "No module named 'numpy.polynomial': numpy is flambeau.numpy here" in done.stderr


def test_the_tutorials_program_has_numpys_losses(tmp_path: Path) -> None:
    ours, theirs = run(tmp_path, TUTORIAL, "--numpy"), run(tmp_path, TUTORIAL)
    losses = [
        [float(line.split()[1]) for line in done.stdout.splitlines()] for done in (ours, theirs)
    ]
    assert len(losses[0]) == 20, ours.stderr
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)
