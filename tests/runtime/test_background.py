"""Programs that go on beside their caller."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from flambeau.runtime.cpu.executor import Program, Step, background
from runtime.handmade import Body, affine, burn, report

Kernel = Callable[[Body], int]


def adder(kernel: Kernel, waves: int = 4) -> tuple[Program, np.ndarray]:
    """A program of some milliseconds at most that adds `waves` to each element of an array."""
    array = np.zeros(5000, np.int64)
    steps = [Step(kernel(affine), 0, array.size, 10, wave, False) for wave in range(waves)]
    return Program(steps, [0, 1, 1], 1, [(0, 0)], [], 0, 0), array


def start(program: Program, array: np.ndarray) -> None:
    assert program.start([array.ctypes.data], [array]) is None


@pytest.mark.parametrize("count", [1, 2, 4])
def test_results_are_there_after_finish(
    kernel: Kernel, threads: Callable[[int], None], count: int
) -> None:
    threads(count)
    program, array = adder(kernel)
    for turn in range(1, 200):
        start(program, array)
        background.finish()
        assert (array == 4 * turn).all()


def test_programs_run_in_the_order_they_were_started(
    kernel: Kernel, threads: Callable[[int], None]
) -> None:
    threads(2)
    program, array = adder(kernel)
    doubling = Program(
        [Step(kernel(affine), 0, array.size, 10, 0, False)], [0, 2, 0], 1, [(0, 0)], [], 0, 0
    )
    for _ in range(50):
        array[:] = 1
        start(program, array)
        start(doubling, array)
        assert program.run([array.ctypes.data]) is None
        assert (array == 14).all()


def test_a_worker_that_sleeps_is_woken(kernel: Kernel, threads: Callable[[int], None]) -> None:
    threads(2)
    program, array = adder(kernel)
    for turn in range(1, 4):
        time.sleep(0.01)  # a worker without work goes to sleep
        start(program, array)
        give_up = time.monotonic() + 10
        while array[-1] != 4 * turn and time.monotonic() < give_up:
            time.sleep(0.001)
        background.finish()
        assert (array == 4 * turn).all()


def test_it_goes_on_beside_the_caller(kernel: Kernel, threads: Callable[[int], None]) -> None:
    threads(2)
    turns = 2_000_000
    program = Program([Step(kernel(burn), 0, 100, 1, 0, False)], [turns], 0, [], [], 0, 0)
    program.run([])
    began = time.perf_counter()
    program.start([], [])
    started = time.perf_counter() - began
    background.finish()
    assert started < time.perf_counter() - began - started


def test_a_program_that_may_report_is_run_at_once(
    kernel: Kernel, threads: Callable[[int], None]
) -> None:
    threads(2)
    steps = [Step(kernel(report), 0, 1000, 1, 0, True)]
    program = Program(steps, [0, 77], 1, [(0, 0)], [], 0, 0)
    assert program.start([program.error_address], []) == (7, 77, 0, 0)


def test_the_number_of_threads_may_change_meanwhile(
    kernel: Kernel, threads: Callable[[int], None]
) -> None:
    program, array = adder(kernel)
    for turn, count in enumerate((2, 1, 3, 2), start=1):
        threads(count)
        start(program, array)
        threads(2)
        assert (array == 4 * turn).all()


def test_another_thread_may_wait(kernel: Kernel, threads: Callable[[int], None]) -> None:
    threads(2)
    program, array = adder(kernel)
    seen = []

    def look() -> None:
        background.finish()
        seen.append(array.min())

    for turn in range(1, 20):
        start(program, array)
        others = [threading.Thread(target=look) for _ in range(3)]
        for one in others:
            one.start()
        for one in others:
            one.join()
        assert seen[-3:] == [4 * turn] * 3


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_waits_for_it(kernel: Kernel, threads: Callable[[int], None]) -> None:
    threads(2)
    program, array = adder(kernel)
    start(program, array)
    child = os.fork()
    if child == 0:
        status = 0 if (array == 4).all() else 1
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    background.finish()
