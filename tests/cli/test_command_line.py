"""The `flambeau` command, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "flambeau.cli.main"]


def flambeau(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "COLUMNS": "120"},
        timeout=300,
        check=False,
    )


def run_program(
    folder: Path, text: str, *arguments: str, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    script = folder / "program.py"
    script.write_text(text)
    return flambeau("run", *options, script, *arguments, folder=folder)


def test_a_script_runs_as_main_with_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("value = 7\n")
    done = run_program(
        tmp_path, "import sys, beside\nprint(__name__, sys.argv[1:], beside.value)", "-x"
    )
    assert done.stdout == "__main__ ['-x'] 7\n", done.stderr


def test_torch_names_are_flambeaus_modules(tmp_path: Path) -> None:
    text = """
import torch, torch.nn as nn, torch.nn.functional as F, torch.optim.lr_scheduler
from torch.autograd import Variable
import flambeau, flambeau.nn.functional
assert torch is flambeau and nn is flambeau.nn and F is flambeau.nn.functional
assert torch.optim is flambeau.optim
assert torch.__spec__.name == 'flambeau'
print('same')
"""
    done = run_program(tmp_path, text)
    assert done.stdout == "same\n", done.stderr


@pytest.mark.parametrize("name", ["torch.graph", "torch.core.dtypes", "torch.nn.nothing"])
def test_an_unknown_submodule_is_refused(tmp_path: Path, name: str) -> None:
    done = run_program(tmp_path, f"import {name}")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'torch." in done.stderr
    assert "flambeau" in done.stderr
    assert "torch.nn.functional" in done.stderr


def test_seed_reaches_all_three_generators(tmp_path: Path) -> None:
    text = """
import random, numpy, torch
print(random.random(), numpy.random.rand(), torch.rand(1).item())
"""
    once, again, other = (
        run_program(tmp_path, text, options=("--seed", seed)).stdout for seed in ("3", "3", "4")
    )
    assert once == again
    assert not set(once.split()) & set(other.split())


def test_a_missing_script_is_named() -> None:
    done = flambeau("run", "nowhere.py")
    assert done.returncode == 2
    assert done.stderr == "flambeau run: there is no file nowhere.py\n"


def test_doctor_finds_this_machine_well() -> None:
    done = flambeau("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("NumPy", "llvmlite", "vectors", "threads", "kernel cache", "GPU", "self-check"):
        assert name in done.stdout


def test_demo_reaches_its_goal_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    program = tmp_path / "examples" / "halving.py"
    program.parent.mkdir()
    program.write_text("def main(steps=500):\n    return [0.5**step for step in range(steps)]\n")
    done = flambeau("demo", "--output", tmp_path / "out", "--examples", program.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert "halving" in done.stdout
