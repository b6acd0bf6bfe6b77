"""Where the Python and the native half of the executor find things: i64 words in shared memory."""

from __future__ import annotations

from typing import Final

WORD: Final = 8  # bytes
LINE: Final = 8  # words in a cache line: what different threads write lies on different lines


class Pool:
    """The block all threads of the pool watch. Each group has a cache line of its own."""

    OPEN: Final = 0  # number of the wave that may be joined, 0: none
    RECORD: Final = 1  # the program it belongs to
    ISSUED: Final = 2  # number of the last wave
    ACTIVE: Final = 1 * LINE  # workers that look at RECORD
    BUSY: Final = 2 * LINE  # 1 while some thread uses the workers
    WORKERS: Final = 3 * LINE  # how many there are
    STOP: Final = 3 * LINE + 1  # 1: workers return
    SLEEPING: Final = 4 * LINE  # 1: some worker may be waiting for CONDITION
    MUTEX: Final = 5 * LINE  # room for a pthread_mutex_t
    CONDITION: Final = 7 * LINE  # room for a pthread_cond_t
    JOB: Final = 9 * LINE  # a program that a worker is to run by itself; 0: none
    JOB_STATUS: Final = 9 * LINE + 1  # what the executor returned for it; PAUSED until then
    EXECUTOR: Final = 9 * LINE + 2  # address of the executor
    WORDS: Final = 10 * LINE


class Record:
    """A program, as native code sees it; followed by its slots, fix-ups, waves, steps and table."""

    TAKEN: Final = 0  # chunks of the current wave that are handed out: see native.py
    POOL: Final = 1 * LINE
    WAVE: Final = 1 * LINE + 1  # address of the current wave
    WAVES: Final = 1 * LINE + 2  # address of the first wave
    WAVE_COUNT: Final = 1 * LINE + 3
    SHARED: Final = 1 * LINE + 4  # 1: some wave is worth sharing with workers that are awake
    WAKE: Final = 1 * LINE + 5  # 1: the program is worth waking workers
    SCRATCH_BYTES: Final = 1 * LINE + 6
    WORKSPACE: Final = 1 * LINE + 7  # address: the caller's scratch memory, then the arena
    TABLE: Final = 2 * LINE
    SLOTS: Final = 2 * LINE + 1
    GATHER: Final = 2 * LINE + 2  # (table position, slot) pairs
    GATHER_COUNT: Final = 2 * LINE + 3
    ARENA: Final = 2 * LINE + 4  # (table position, byte offset in the workspace) pairs
    ARENA_COUNT: Final = 2 * LINE + 5
    POSITION: Final = 3 * LINE  # wave to go on with; -1: from the start, filling the table first
    RESUME: Final = 3 * LINE + 1  # what TAKEN is to be then
    BY_WORKER: Final = 3 * LINE + 2  # 1: a worker runs the program
    ERROR: Final = 4 * LINE  # four words
    WORDS: Final = 5 * LINE


class Wave:
    """Steps that do not depend on each other."""

    FIRST_STEP: Final = 0  # address
    CHUNKS: Final = 1
    SHARED: Final = 2  # 1: hand chunks to the workers too
    CHECK: Final = 3  # 1: stop after it if a kernel has reported an error
    NEXT: Final = 4  # number of the wave that comes after it
    OTHERWISE: Final = 5  # that if the first argument of its step is 0; -1: NEXT in any case
    WORDS: Final = 8


class Step:
    """A kernel and its work, cut in chunks that are numbered through the wave."""

    FUNCTION: Final = 0
    ARGS: Final = 1  # address in the table
    TOTAL: Final = 2
    CHUNK_ITEMS: Final = 3
    FIRST_CHUNK: Final = 4
    END_CHUNK: Final = 5
    PATIENCE: Final = 6  # what a chunk takes off the caller's patience
    WORDS: Final = 8


DONE: Final = 0  # what the executor returns
PAUSED: Final = 1
FAILED: Final = 2
NOT_BEGUN: Final = 3  # what waiting for a program returns if no worker had taken it; it is not run
PATIENCE: Final = 32  # when it is used up, the caller looks at the clock
START: Final = -1  # of Record.POSITION
