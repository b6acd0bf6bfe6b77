"""Our tutorial programs learn; `against_torch` compares their losses with PyTorch's."""

from __future__ import annotations

from pathlib import Path

import pytest

from flambeau.cli.tutorial import load_main

PROGRAMS = sorted((Path(__file__).parents[2] / "examples" / "tutorial").glob("*.py"))


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 8


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_the_loss_falls(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    losses = load_main(program)(60)
    assert len(losses) == 60
    assert losses[-1] < losses[0] / 2
    assert capsys.readouterr().out.startswith("0 ")
