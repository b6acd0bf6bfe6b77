"""What holds for every program: bits depend on values, shapes and dtypes, and on nothing else."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import running
from engine.random_programs import Program, random_program
from flambeau.core.settings import settings as flambeau_settings
from flambeau.engine.flush import engine, flush
from flambeau.runtime.buffers import live_buffers
from flambeau.runtime.kernel_cache import kernels
from ops.harness import forget_recording, stored_value
from tolerances import assert_close, tolerance

PROGRAMS = st.randoms(use_true_random=False).map(random_program)


def examples(count: int) -> settings:
    """Settings for a test of `count` programs, the same in every run."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


@pytest.fixture(autouse=True)
def verified() -> Iterator[None]:
    """Every stage of the compiler checks what it hands on."""
    before, flambeau_settings.verify = flambeau_settings.verify, True
    forget_recording()
    yield
    flambeau_settings.verify = before
    forget_recording()


@examples(100)
@given(PROGRAMS)
def test_fusion_does_not_change_a_bit(program: Program) -> None:
    running.assert_same_bits(running.fused(program), running.one_by_one(program))


@examples(100)
@given(PROGRAMS)
def test_every_op_computes_what_it_means(program: Program) -> None:
    computed = running.all_held(program)
    for node, value in computed.items():
        expected = running.reference_of(node, computed)
        try:
            assert_close(value, expected, tolerance(node.op.name))
        except AssertionError as error:
            inputs = [one.spec for one in node.inputs]
            raise AssertionError(f"{node} of {inputs}: {error}") from None


@examples(60)
@given(PROGRAMS)
def test_threads_do_not_change_a_bit(program: Program) -> None:
    expected = running.fused(program)
    for count in (1, 3):
        with running.threads(count):
            running.assert_same_bits(running.fused(program), expected)


@examples(60)
@given(PROGRAMS)
def test_a_known_structure_is_not_compiled_again(program: Program) -> None:
    first = running.fused(program)
    compiled, counters = engine.statistics.compiled, replace(kernels.counters)
    for _ in range(3):
        running.assert_same_bits(running.fused(program), first)
    assert engine.statistics.compiled == compiled
    assert kernels.counters == counters


@examples(12)
@given(PROGRAMS)
def test_kernels_from_disk_compute_the_same(program: Program) -> None:
    with TemporaryDirectory() as folder:
        with running.kernel_folder(Path(folder)) as cold:
            expected = running.fused(program)
        with running.kernel_folder(Path(folder)) as warm:
            running.assert_same_bits(running.fused(program), expected)
        assert warm.counters.compiled == 0
        assert warm.counters.loaded_from_disk == cold.counters.compiled


@examples(12)
@given(PROGRAMS)
def test_vector_width_does_not_change_a_bit(program: Program) -> None:
    expected = running.fused(program)
    with TemporaryDirectory() as folder:
        for count in (4, 8, 16):
            with running.lanes(count, Path(folder)):
                running.assert_same_bits(running.fused(program), expected)


@examples(100)
@given(PROGRAMS)
def test_a_held_leaf_never_changes(program: Program) -> None:
    leaves = program.make_leaves()
    held = [stored_value(one) for one in program.record(leaves)]
    for node, array in zip(leaves, program.leaves, strict=True):
        running.assert_same_bits([stored_value(node)], [array])
    # Without the leaves, results may take over their memory.
    running.assert_same_bits(running.fused(program), held)


def test_no_buffer_is_left_behind() -> None:
    programs = [random_program(Random(seed)) for seed in range(50)]
    gc.collect()  # of what other tests and the drawing of programs left
    before = live_buffers()
    for program in programs:
        for run in (running.fused, running.one_by_one):
            run(program)
            flush()  # where nothing was wanted but a leaf
    # Not collected again: reference counts alone free what is done with.
    assert live_buffers() == before


@examples(60)
@given(PROGRAMS, st.randoms(use_true_random=False))
def test_a_fault_changes_nothing(program: Program, random: Random) -> None:
    expected = running.fused(program)
    faulty = program.with_bad_index(random)
    leaves = faulty.make_leaves()
    *others, bad = faulty.record(leaves)
    with pytest.raises(IndexError, match=r"out of bounds for .* \(recorded at .*_programs.py:\d"):
        stored_value(bad)
    for node, array in zip(leaves, faulty.leaves, strict=True):
        running.assert_same_bits([stored_value(node)], [array])
    running.assert_same_bits([stored_value(one) for one in others], expected)


def test_an_older_processor_gives_the_same_bits() -> None:
    if not running.is_x86_64_v3():
        pytest.skip("this processor does not run x86-64-v3 code")
    with TemporaryDirectory() as folder:
        native, older = (
            _digest_in_a_process({"FLAMBEAU_CPU": cpu, "FLAMBEAU_CACHE": folder})
            for cpu in ("native", "x86-64-v3")
        )
    assert native == older


def _digest_in_a_process(variables: dict[str, str]) -> str:
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "engine.digest", "15"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout
