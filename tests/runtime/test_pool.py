from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flambeau.runtime.cpu import pool as pool_module
from flambeau.runtime.cpu.executor import Program, Step
from flambeau.runtime.cpu.layout import Pool
from runtime.handmade import Body, affine, burn

Kernel = Callable[[Body], int]


def adder(kernel: Kernel, waves: int = 20) -> tuple[Program, np.ndarray, list[int]]:
    """A program that adds `waves` to each element of an array, which workers help with."""
    array = np.zeros(5000, np.int64)
    steps = [Step(kernel(affine), 0, array.size, 10, wave, False) for wave in range(waves)]
    return Program(steps, [0, 1, 1], 1, [(0, 0)], [], 0, 0), array, [array.ctypes.data]


@pytest.mark.parametrize("bad", [0, -1])
def test_threads_must_be_positive(bad: int) -> None:
    with pytest.raises(RuntimeError, match="positive"):
        pool_module.set_num_threads(bad)


@pytest.mark.parametrize("bad", [1.0, True, "2"])
def test_threads_must_be_an_int(bad: object) -> None:
    with pytest.raises(TypeError, match="must be an int"):
        pool_module.set_num_threads(bad)  # type: ignore[arg-type]


def test_workers_start_with_the_first_program_worth_sharing(
    kernel: Kernel, threads: Callable[[int], None]
) -> None:
    before = threading.active_count()
    threads(1)
    alone = threading.active_count()
    threads(3)
    program, _, slots = adder(kernel)
    assert threading.active_count() == alone <= before
    program.run(slots)
    assert threading.active_count() == alone + 2
    threads(1)
    assert threading.active_count() == alone


def test_workers_that_sleep_are_woken(kernel: Kernel, threads: Callable[[int], None]) -> None:
    threads(2)
    program, array, slots = adder(kernel)
    program.run(slots)
    for turn in range(2, 6):
        give_up = time.monotonic() + 5
        while not pool_module.pool._words[Pool.SLEEPING] and time.monotonic() < give_up:
            time.sleep(0.001)
        assert pool_module.pool._words[Pool.SLEEPING]
        program.run(slots)
        assert (array == 20 * turn).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_workers_of_its_own(
    kernel: Kernel, threads: Callable[[int], None]
) -> None:
    threads(2)
    program, array, slots = adder(kernel)
    program.run(slots)
    child = os.fork()
    if child == 0:
        program.run(slots)
        program.run(slots)
        helped = len(pool_module.pool._workers) == 1 and pool_module.pool._workers[0].is_alive()
        os._exit(0 if helped and (array == 60).all() else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    program.run(slots)
    assert (array == 40).all()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("steps", "items"), [(1, 100_000), (100_000, 1)])
def test_signals_are_handled_in_a_long_run(
    kernel: Kernel, threads: Callable[[int], None], count: int, steps: int, items: int
) -> None:
    threads(count)
    address = kernel(burn)
    waves = [Step(address, 0, items, 1, wave, False) for wave in range(steps)]
    long_run = Program(waves, [100_000], 0, [], [], 0, 0)  # some seconds at least
    seen: list[float] = []

    def interrupt(_signal: int, _frame: object) -> None:
        seen.append(time.monotonic())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            long_run.run([])
        assert seen[0] - start < 2
    finally:
        signal.signal(signal.SIGALRM, before)
    program, array, slots = adder(kernel)
    program.run(slots)
    assert (array == 20).all()


def test_handlers_may_run_programs_but_not_the_interrupted_one(
    kernel: Kernel, threads: Callable[[int], None]
) -> None:
    threads(2)
    long_run = Program([Step(kernel(burn), 0, 10_000, 1, 0, False)], [200_000], 0, [], [], 0, 0)
    other, array, slots = adder(kernel)
    refused: list[str] = []

    def handle(_signal: int, _frame: object) -> None:
        other.run(slots)
        with pytest.raises(RuntimeError) as error:
            long_run.run([])
        refused.append(str(error.value))

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert long_run.run([]) is None
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(refused) == 1
    assert "signal handler" in refused[0]
    assert (array == 20).all()


PROGRAM_AND_CTRL_C = """
import sys
sys.path.insert(0, sys.argv[1])
import os, signal, threading
from runtime.handmade import burn, kernel_text
from flambeau.runtime.cpu.executor import Program, Step
from flambeau.runtime.kernel_cache import kernels

address = kernels.get(kernel_text("burn", burn), lambda name: kernel_text(name, burn))
long_run = Program([Step(address, 0, 100_000, 1, 0, False)], [100_000], 0, [], [], 0, 0)
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    long_run.run([])
except KeyboardInterrupt:
    print("stopped")
Program([Step(address, 0, 10, 1, 0, False)], [1000], 0, [], [], 0, 0).run([])
print("went on")
"""


def test_ctrl_c_stops_a_run_and_the_process_goes_on() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM_AND_CTRL_C, str(Path(__file__).parents[1])],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.split("\n") == ["stopped", "went on", ""]
    assert not ran.stderr
