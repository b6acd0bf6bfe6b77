"""The worker threads that help run programs.

They are daemon threads of Python which stay in one native function, where they spin for a moment
and then sleep (see `native`). They start with the first program that is worth sharing.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import threading
from collections.abc import Callable

from flambeau.core.settings import settings
from flambeau.runtime.buffers import aligned_memory
from flambeau.runtime.cpu.layout import WORD, Pool
from flambeau.runtime.kernel_cache import kernels

_libc = ctypes.CDLL(None)


class ThreadPool:
    """The threads that compute: the caller's and `threads - 1` workers."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.version = 0  # changes whenever a program has to look at `threads` anew
        self.address, self._memory = aligned_memory(Pool.WORDS * WORD)
        self._words = (ctypes.c_int64 * Pool.WORDS).from_address(self.address)
        self._workers: list[threading.Thread] = []
        self._lock = threading.Lock()
        # What must be done before workers stop, or the process forks.
        self.before_change: Callable[[], None] = lambda: None
        self._clear()

    def _clear(self) -> None:
        self._words[:] = [0] * Pool.WORDS
        _libc.pthread_mutex_init(self._at(Pool.MUTEX), None)
        _libc.pthread_cond_init(self._at(Pool.CONDITION), None)

    def _at(self, word: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.address + word * WORD)

    def start(self) -> None:
        """Start the workers unless they run already."""
        if len(self._workers) == self.threads - 1:
            return
        with self._lock:
            serve = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(native_address("worker"))
            self._words[Pool.EXECUTOR] = native_address("executor")
            while len(self._workers) < self.threads - 1:
                thread = threading.Thread(target=serve, args=(self.address,), daemon=True)
                thread.name = f"flambeau-{len(self._workers) + 1}"
                thread.start()
                self._workers.append(thread)
            self._words[Pool.WORKERS] = len(self._workers)

    def stop(self) -> None:
        """Let the workers return; a run that goes on finishes without them."""
        self.before_change()
        with self._lock:
            self._words[Pool.WORKERS] = 0
            self._words[Pool.STOP] = 1
            _libc.pthread_mutex_lock(self._at(Pool.MUTEX))
            _libc.pthread_cond_broadcast(self._at(Pool.CONDITION))
            _libc.pthread_mutex_unlock(self._at(Pool.MUTEX))
            for thread in self._workers:
                thread.join()
            self._workers.clear()
            self._words[Pool.STOP] = 0
            self.version += 1

    def resize(self, threads: int) -> None:
        """Compute with this many threads from the next run on."""
        self.stop()
        self.threads = threads

    def after_fork(self) -> None:
        """A forked child has none of its parent's threads."""
        self._workers.clear()
        self._lock = threading.Lock()
        self.version += 1
        self._clear()


@functools.cache
def native_address(name: str) -> int:
    """The address of a function that `native` writes."""

    def build(symbol: str) -> str:
        from flambeau.runtime.cpu import native  # loads the IR builder; not when the disk has it

        text: str = getattr(native, name)(symbol)
        return text

    return kernels.get(name, build)


pool = ThreadPool(settings.threads)
# Workers must not outlive the code they run, which goes when the interpreter does; and what other
# exit handlers compute cannot start threads any more.
atexit.register(pool.resize, 1)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=lambda: pool.before_change(), after_in_child=pool.after_fork)


def get_num_threads() -> int:
    """How many threads compute.

    >>> get_num_threads() >= 1
    True
    """
    return pool.threads


def set_num_threads(threads: int) -> None:
    """Compute with `threads` threads, the caller's included; results do not depend on it."""
    if type(threads) is not int:  # a bool is an int to isinstance
        raise TypeError(f"set_num_threads: threads must be an int, got {type(threads).__name__}")
    if threads < 1:
        raise RuntimeError(f"set_num_threads: threads must be positive, got {threads}")
    pool.resize(threads)
