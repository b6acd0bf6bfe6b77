"""`flambeau explain --graph`: pictures of plans, written as text or rendered by graphviz."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import torch
x = torch.ones(4, 3)
print((x * 2).sum().item())
for _ in range(3):
    print(x.relu().exp().log().sum().item())
"""


def draw(
    folder: Path, *options: str, program: str = PROGRAM, path: str = os.environ["PATH"]
) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-m", "flambeau.cli.main", "explain", *options, "program.py"]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def fake_dot(folder: Path, program: str) -> str:
    """A path of programs, among them a `dot` that does this."""
    (folder / "dot").write_text(f"#!/bin/sh\n{program}\n")
    (folder / "dot").chmod(0o700)
    return f"{folder}{os.pathsep}/bin"


def test_the_text_of_the_plan_that_does_most(tmp_path: Path) -> None:
    done = draw(tmp_path, "--graph", "out.dot")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out.dot").read_text(encoding="utf-8")
    assert text.startswith("digraph plan {")
    assert text.endswith("}\n")
    assert "relu" in text
    assert "is drawn in out.dot" in done.stdout


def test_a_plan_by_number(tmp_path: Path) -> None:
    assert draw(tmp_path, "--graph", "out.gv", "--plan", "1").returncode == 0
    assert "relu" not in (tmp_path / "out.gv").read_text(encoding="utf-8")
    done = draw(tmp_path, "--graph", "none.gv", "--plan", "9")
    assert done.returncode == 2
    assert "--plan 9: the script has plans 1 to " in done.stderr
    assert not (tmp_path / "none.gv").exists()


def test_without_graphviz_the_script_is_not_even_run(tmp_path: Path) -> None:
    done = draw(tmp_path, "--graph", "out.svg", path="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "install graphviz, or ask for out.dot" in done.stderr


def test_graphviz_is_given_the_text_and_the_format(tmp_path: Path) -> None:
    path = fake_dot(tmp_path, '{ echo "$1"; cat; } > "$3"')
    done = draw(tmp_path, "--graph", "out.svg", path=path)
    assert done.returncode == 0, done.stderr
    first, second, *_ = (tmp_path / "out.svg").read_text(encoding="utf-8").splitlines()
    assert (first, second) == ("-Tsvg", "digraph plan {")


def test_what_graphviz_says_is_passed_on(tmp_path: Path) -> None:
    path = fake_dot(tmp_path, "cat > /dev/null; echo no fonts >&2; exit 1")
    done = draw(tmp_path, "--graph", "out.png", path=path)
    assert done.returncode == 2
    assert "`dot` failed: no fonts" in done.stderr


@pytest.mark.parametrize(
    ("file", "message"),
    [("out.txt", "ending in .dot"), ("nowhere/out.dot", "there is no folder nowhere")],
)
def test_files_that_cannot_be_written(tmp_path: Path, file: str, message: str) -> None:
    done = draw(tmp_path, "--graph", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_script_that_computes_nothing(tmp_path: Path) -> None:
    done = draw(tmp_path, "--graph", "out.dot", program="print(1)")
    assert done.returncode == 2
    assert "nothing was computed" in done.stderr


def test_a_script_that_fails_is_drawn_up_to_there(tmp_path: Path) -> None:
    done = draw(tmp_path, "--graph", "out.dot", program=f"{PROGRAM}\nraise SystemExit(3)")
    assert done.returncode == 3
    assert (tmp_path / "out.dot").exists()
