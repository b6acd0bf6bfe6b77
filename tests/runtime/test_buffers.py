from __future__ import annotations

import gc
import subprocess
import sys
import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flambeau.runtime import buffers
from flambeau.runtime.buffers import Buffer, allocate, live_buffers, live_bytes

SIZES = st.integers(0, 1 << 23)


@given(st.lists(SIZES, max_size=30))
def test_buffers_are_aligned_large_enough_and_apart(sizes: list[int]) -> None:
    held = sorted((allocate(size) for size in sizes), key=lambda one: one.address)
    assert sorted(one.nbytes for one in held) == sorted(sizes)
    assert all(one.address % buffers.ALIGNMENT == 0 for one in held)
    assert all(a.address + max(a.nbytes, 1) <= b.address for a, b in pairwise(held))


@given(st.lists(st.tuples(SIZES, st.booleans()), max_size=30))
def test_counters_follow(steps: list[tuple[int, bool]]) -> None:
    count, nbytes = live_buffers(), live_bytes()
    held: list[Buffer] = []
    for size, drop in steps:
        held.append(allocate(size))
        if drop:
            held.pop(0)
        assert live_buffers() == count + len(held)
        assert live_bytes() - nbytes >= sum(one.nbytes for one in held)
    held.clear()
    assert (live_buffers(), live_bytes()) == (count, nbytes)


@given(SIZES)
def test_little_is_wasted(size: int) -> None:
    before = live_bytes()
    held = allocate(size)
    assert live_bytes() - before <= max(64, held.nbytes * 5 // 4 + 64)


@pytest.mark.parametrize("size", [100, 100_000, 10_000_000])
def test_freed_memory_is_used_again(size: int) -> None:
    address = allocate(size).address
    assert allocate(size).address == address


def test_idle_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 200 << 20  # never touched, so it costs only addresses
    held = [allocate(size) for _ in range(10)]
    del held
    idle = sum(one.size * len(one.free) for one in buffers._large_classes)
    assert idle <= buffers._MOST_IDLE_BYTES
    buffers.release_idle()
    assert not any(one.free for one in buffers._large_classes)


@pytest.mark.parametrize("size", [1 << 50, 1 << 70])
def test_too_much_is_refused_as_pytorch_does(size: int) -> None:
    with pytest.raises(
        RuntimeError, match=f"not enough memory: you tried to allocate {size} bytes"
    ):
        allocate(size)


def test_arrays_share_memory_and_keep_it() -> None:
    held = allocate(48)
    array = held.as_array(np.dtype("float64"), (2, 3))
    column = held.as_array(np.dtype("float64"), (2,), strides=(3,), offset=1)
    address = held.address
    del held
    gc.collect()
    array[:] = np.arange(6.0).reshape(2, 3)
    assert column.tolist() == [1.0, 4.0]
    assert allocate(48).address != address
    del array
    column[0] = 9.0
    assert column.tolist() == [9.0, 4.0]


def test_foreign_memory_is_shared_and_kept() -> None:
    before = live_buffers()
    array = np.arange(12, dtype=np.int32).reshape(3, 4)
    held = Buffer.from_array(array[1:, ::2])
    assert (held.address, held.nbytes) == (array[1:].ctypes.data, 28)
    assert live_buffers() == before + 1
    array[1, 2] = 99
    del array
    assert held.as_array(np.dtype("int32"), (2, 2), (4, 2)).tolist() == [[4, 99], [8, 10]]
    assert Buffer.from_array(np.empty((0, 3))).nbytes == 0
    del held
    assert live_buffers() == before


def test_negative_strides_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        Buffer.from_array(np.arange(3)[::-1])


def test_threads_get_different_memory() -> None:
    before = live_buffers()
    wrong: list[int] = []

    def work(mark: int) -> None:
        for turn in range(300):
            held = [allocate(256 + 2_000_000 * (turn % 2)) for _ in range(5)]
            arrays = [one.as_array(np.dtype("int64"), (32,)) for one in held]
            for array in arrays:
                array[:] = mark
            wrong.extend(mark for array in arrays if (array != mark).any())

    workers = [threading.Thread(target=work, args=(mark,)) for mark in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    del workers
    assert not wrong
    assert live_buffers() == before


def test_buffers_may_outlive_the_interpreter() -> None:
    code = (
        "import sys\n"
        "from flambeau.runtime.buffers import *\n"
        "import numpy as np\n"
        "sys.kept = [allocate(10), allocate(10_000_000), Buffer.from_array(np.arange(3))]\n"
        "sys.view = sys.kept[1].as_array(np.dtype('int8'), (100,))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not ran.stderr
