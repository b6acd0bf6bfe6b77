from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator

import pytest

from flambeau.runtime import buffers
from flambeau.runtime.cpu.executor import background
from flambeau.runtime.cpu.pool import get_num_threads, set_num_threads
from flambeau.runtime.kernel_cache import kernels
from runtime.handmade import Body, kernel_text


@pytest.fixture(scope="session")
def kernel() -> Callable[[Body], int]:
    """The address of one of a kernel of `handmade`."""

    def address(body: Body) -> int:
        build = functools.partial(kernel_text, body=body)
        return kernels.get(build("test"), build)

    return address


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """`set_num_threads`, undone after the test."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


@pytest.fixture(autouse=True)
def no_buffer_leaks() -> Iterator[None]:
    # What earlier tests left to a worker or to the collector is not this one's.
    background.finish()
    gc.collect()
    before = buffers.live_buffers()
    yield
    assert buffers.live_buffers() == before
