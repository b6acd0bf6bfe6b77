"""What `explain` reports: plans, kernels, costs, and why something was compiled."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from rich.console import Console

from engine import running
from engine.random_programs import random_program
from flambeau.cli.explain import explain_script, show
from flambeau.engine.explain import explain
from flambeau.engine.flush import engine
from flambeau.graph.node import Node
from flambeau.ops.arithmetic import add, neg
from flambeau.ops.exponential import exp
from flambeau.ops.indexing import index, wrap_index
from flambeau.ops.matmul import matmul
from flambeau.ops.shape import sum_
from ops.harness import forget_recording, leaf, stored_value


@pytest.fixture(autouse=True)
def own_recording() -> Iterator[None]:
    forget_recording()
    yield
    forget_recording()


def row_sums(rows: int) -> np.ndarray:
    x: Node = leaf(np.ones((rows, 100), "float32"))
    return stored_value(sum_(neg(exp(x)), (1,)))


def test_a_plan_its_kernels_and_their_costs() -> None:
    with explain() as found:
        for _ in range(3):
            row_sums(7)
    (plan,) = found.plans
    (kernel,) = plan.kernels
    assert (plan.recorded, plan.runs, plan.why) == (3, 3, "new operations")
    assert kernel.description == "nest [7, 100] over [1]: sum (with exp neg)"
    assert kernel.nbytes == 4 * (700 + 7)
    assert kernel.operations == 700 * (20 + 1 + 1)
    assert 0 < kernel.floor(found.speed) < 1
    assert 0 <= kernel.seconds < 1
    assert (plan.temporary_bytes, plan.output_bytes) == (0, 28)
    assert set(plan.passes) == {"schedule", "trim", "memory", "code", "link"}


def test_products_count_their_operations() -> None:
    with explain() as found:
        stored_value(matmul(leaf(np.ones((3, 4))), leaf(np.ones((4, 5)))))
    (kernel,) = found.plans[0].kernels
    assert (kernel.nbytes, kernel.operations) == (8 * (12 + 20 + 15), 2 * 3 * 4 * 5)


def test_why_a_structure_was_compiled_again() -> None:
    with explain() as found:
        row_sums(3)
        row_sums(5)
        stored_value(neg(leaf(np.ones(3))))
        held = neg(x := leaf(np.ones(3)))
        stored_value(held)
        del x
        first = add(x := leaf(np.ones(3)), x)
        stored_value(exp(first))
        stored_value(exp(add(x, x)))
    assert [one.why for one in found.plans] == [
        "new operations",
        "input 0: float32[3, 100] became float32[5, 100]",
        "new operations",
        "inputs nobody needs later: [0] became []",
        "new operations",
        "wanted results: [0, 1] became [1]",
    ]


def test_explaining_changes_nothing() -> None:
    for seed in range(20):
        program = random_program(Random(seed))
        expected = running.fused(program)
        before = list(engine.plans)
        with explain():
            running.assert_same_bits(running.fused(program), expected)
        assert list(engine.plans) == before


def test_faults_are_reported_as_ever() -> None:
    positions = wrap_index(leaf(np.array([0, 9])), 4)
    picked = index(leaf(np.arange(4.0)), (positions,), (0,))
    with explain(), pytest.raises(IndexError, match=r"index 9 .* \(recorded at .*test_explain.py"):
        stored_value(picked)


def test_the_tables_and_the_text() -> None:
    with explain() as found:
        row_sums(7)
    output = io.StringIO()
    show(found, Console(file=output, width=120))
    for text in (output.getvalue(), str(found)):
        assert "3 operations" in text
        assert "nest [7, 100] over [1]: sum (with exp neg)" in text


def test_a_script(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import sys, torch\nprint(sys.argv[1], (torch.ones(3) * 2).sum().item())")
    command = [sys.executable, "-m", "flambeau.cli.main", "explain", script, "word"]
    environment = {**os.environ, "COLUMNS": "120"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("word 6.0\n")
    assert "Plan 1" in done.stdout


def test_no_such_script(tmp_path: Path) -> None:
    assert explain_script(tmp_path / "none.py") == 2
