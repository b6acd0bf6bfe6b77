from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flambeau.core.errors import VerificationError
from flambeau.core.settings import settings
from flambeau.runtime.cpu.executor import Program, Step
from runtime.handmade import Body, affine, report, through_scratch

Kernel = Callable[[Body], int]

# (array, factor, summand, items, grain) of the steps of each wave
STEP = st.tuples(
    st.integers(0, 3),
    st.integers(-3, 3),
    st.integers(-9, 9),
    st.integers(0, 2000),
    st.integers(1, 100),
)
WAVES = st.lists(st.lists(STEP, max_size=4, unique_by=lambda step: step[0]), max_size=6)


def affine_program(kernel: Kernel, waves: list[list[tuple[int, int, int, int, int]]]) -> Program:
    """A program over four arrays, whose addresses are its slots."""
    steps, table, gather = [], [], []
    for number, wave in enumerate(waves):
        for array, factor, summand, items, grain in wave:
            steps.append(Step(kernel(affine), len(table), items, grain, number, False))
            gather.append((len(table), array))
            table += [0, factor, summand]
    return Program(steps, table, 4, gather, [], 0, 0)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(waves=WAVES, count=st.integers(1, 4))
def test_each_item_once_and_waves_in_order(
    kernel: Kernel, threads: Callable[[int], None], waves, count: int
) -> None:
    threads(count)
    program = affine_program(kernel, waves)
    for start in (1, 5):
        arrays = np.full((4, 2000), start, np.int64)
        expected = arrays.copy()
        for array, factor, summand, items, _ in (step for wave in waves for step in wave):
            expected[array, :items] = expected[array, :items] * factor + summand
        assert program.run([one.ctypes.data for one in arrays]) is None
        assert (arrays == expected).all()


def test_number_of_threads_may_change_between_runs(
    kernel: Kernel, threads: Callable[[int], None]
) -> None:
    program = affine_program(kernel, [[(0, 1, 1, 2000, 10)]] * 50)
    arrays = np.zeros((4, 2000), np.int64)
    slots = [one.ctypes.data for one in arrays]
    for turn, count in enumerate((1, 3, 2, 1, 4), start=1):
        threads(count)
        assert program.run(slots) is None
        assert (arrays[0] == 50 * turn).all()


def test_arena_is_private_memory_filled_in_at_each_run(kernel: Kernel) -> None:
    to_arena = Step(kernel(through_scratch), 0, 100, 10, 0, False)
    to_slot = Step(kernel(affine), 2, 100, 10, 1, False)
    program = Program([to_arena, to_slot], [0, 1, 0, 1, 1], 1, [(2, 0)], [(0, 128)], 1000, 8)
    array = np.zeros(100, np.int64)
    assert program.run([array.ctypes.data]) is None
    assert (array == 1).all()


@pytest.mark.parametrize("words", [1, 100, 1_000_000])
def test_each_thread_has_scratch_memory(
    kernel: Kernel, threads: Callable[[int], None], words: int
) -> None:
    threads(3)
    array = np.zeros(5000, np.int64)
    step = Step(kernel(through_scratch), 0, array.size, 10, 0, False)
    program = Program([step], [0, words], 1, [(0, 0)], [], 0, words * 8)
    for _ in range(20):
        array[:] = -1
        assert program.run([array.ctypes.data]) is None
        assert (array == np.arange(array.size)).all()


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_stops_before_the_next_wave(
    kernel: Kernel, threads: Callable[[int], None], count: int
) -> None:
    threads(count)
    check = Step(kernel(report), 0, 1000, 10, 0, True)
    change = Step(kernel(affine), 2, 1000, 10, 1, False)
    program = Program([check, change], [0, 0, 0, 1, 1], 3, [(0, 0), (1, 1), (2, 2)], [], 0, 0)
    array = np.zeros(1000, np.int64)
    for bad in (400, 999):
        assert program.run([program.error_address, bad, array.ctypes.data]) == (7, bad, 0, 0)
        assert not array.any()
    assert program.run([program.error_address, -1, array.ctypes.data]) is None
    assert array.all()


def test_an_error_without_a_check_is_told_at_the_end(kernel: Kernel) -> None:
    program = Program([Step(kernel(report), 0, 10, 1, 0, False)], [0, 3], 1, [(0, 0)], [], 0, 0)
    assert program.run([program.error_address]) == (7, 3, 0, 0)


def test_empty_programs_run(kernel: Kernel) -> None:
    assert Program([], [], 0, [], [], 0, 0).run([]) is None
    assert Program([Step(kernel(affine), 0, 0, 1, 0, True)], [], 0, [], [], 0, 0).run([]) is None


def test_slots_must_be_complete(kernel: Kernel) -> None:
    program = affine_program(kernel, [[(0, 1, 1, 10, 1)]])
    with pytest.raises(ValueError, match="same size"):
        program.run([1, 2])


@pytest.mark.parametrize("same", [True, False])
def test_threads_of_the_user_may_run_programs_at_once(
    kernel: Kernel, threads: Callable[[int], None], same: bool
) -> None:
    threads(2)
    waves = [[(0, 3, 1, 2000, 10), (1, 1, 2, 2000, 100)]] * 20
    shared = affine_program(kernel, waves)
    expected = (3**20 - 1) // 2
    wrong: list[int] = []

    def work() -> None:
        program = shared if same else affine_program(kernel, waves)
        for turn in range(100):
            arrays = np.zeros((4, 2000), np.int64)
            program.run([one.ctypes.data for one in arrays])
            if (arrays[0] != expected).any() or (arrays[1] != 40).any():
                wrong.append(turn)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": [Step(0, 0, 1, 1, 0, False)]}, "no function"),
        ({"steps": [Step(8, 0, 1, 0, 0, False)]}, "no work"),
        ({"steps": [Step(8, 9, 1, 1, 0, False)]}, "outside the table"),
        ({"steps": [Step(8, 0, 1, 1, wave, False) for wave in (1, 0)]}, "not ordered"),
        ({"gather": [(0, 0), (0, 1)]}, "filled wrongly"),
        ({"gather": [(0, 2)]}, "beyond 2 slots"),
        ({"arena": [(0, 65)]}, "beyond an arena"),
    ],
)
def test_wrong_plans_are_refused(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, object], message: str
) -> None:
    monkeypatch.setattr(settings, "verify", True)
    plan = {
        "steps": [],
        "table": [0] * 4,
        "slot_count": 2,
        "gather": [],
        "arena": [],
        "arena_bytes": 64,
        "scratch_bytes": 0,
    }
    Program(**plan)  # type: ignore[arg-type]
    with pytest.raises(VerificationError, match=message):
        Program(**{**plan, **change})  # type: ignore[arg-type]
