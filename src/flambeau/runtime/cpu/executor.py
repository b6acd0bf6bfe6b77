"""Programs: kernel calls that one native loop walks, with the help of worker threads."""

from __future__ import annotations

import bisect
import ctypes
import functools
import itertools
import operator
import threading
from collections.abc import Callable, Iterable, MutableSequence, Sequence
from typing import Any, NamedTuple, cast

from flambeau.core.errors import VerificationError
from flambeau.core.settings import settings
from flambeau.runtime import buffers
from flambeau.runtime.cpu import layout
from flambeau.runtime.cpu.layout import LINE, WORD, Record
from flambeau.runtime.cpu.pool import native_address, pool

# In grains, some 5 microseconds of work each: what makes up for handing a wave to workers that
# are awake (half a microsecond), and for waking them (15).
_WORTH_SHARING = 2
_WORTH_WAKING = 8
_MOST_OVERLAPPED = 4000  # work beyond this is waited for, so that Ctrl-C can stop it
_CHUNKS_A_THREAD = 4  # so that a thread that is held up does little harm
_MOST_GRAINS_A_CHUNK = 64  # a run can be interrupted between chunks
_LARGEST_WORKSPACE_KEPT = 256 << 20

Pairs = Sequence[tuple[int, int]]
Error = tuple[int, int, int, int]


class Step(NamedTuple):
    """A kernel call. Steps of one wave do not depend on each other; waves run in order."""

    function: int  # address of the kernel
    args: int  # where its arguments begin in the table
    total: int  # work items
    grain: float  # items, or the part of one, that take about 5 microseconds
    wave: int
    check: bool  # it may report an error, which must stop the program before the next wave
    # What comes after its wave: that wave or the next one there is, -1 for the following; and
    # where its first argument may be 0 by then, what comes in that case. So programs loop.
    then: int = -1
    otherwise: int = -1
    times: float = 1  # how often it runs, as far as that is known


class Program:
    """Steps over a table of arguments, ready to run any number of times.

    `table` holds the constants; before each run, native code writes `slots[slot]` to the table
    positions of `gather`, and addresses in the arena, memory private to the run, to those of
    `arena`. Kernels report an error in the four i64 words at `error_address`, the first nonzero.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        table: Sequence[int],
        slot_count: int,
        gather: Pairs,
        arena: Pairs,
        arena_bytes: int,
        scratch_bytes: int,
    ) -> None:
        if settings.verify:
            _verify(steps, len(table), slot_count, gather, arena, arena_bytes)
        scratch_bytes = _round_up(scratch_bytes, buffers.ALIGNMENT)
        self._waves = _by_wave(steps)
        self._workspace_bytes = scratch_bytes + arena_bytes
        arena = [(position, scratch_bytes + offset) for position, offset in arena]
        self._fill_memory(table, slot_count, gather, arena, scratch_bytes)
        self.error_address = self._address + Record.ERROR * WORD
        self._record = ctypes.c_void_p(self._address)
        self._execute = native_function("executor", ctypes.c_int64, ctypes.c_void_p)
        self._checks = any(step.check for step in steps)
        self._overlaps = False
        self._lock = threading.RLock()
        self._running = False
        self._pool_version = -1

    def _fill_memory(
        self, table: Sequence[int], slot_count: int, gather: Pairs, arena: Pairs, scratch_bytes: int
    ) -> None:
        """Lay out the record that native code reads, and write all that does not change."""
        step_count = sum(map(len, self._waves))
        sizes = [Record.WORDS, slot_count, 2 * len(gather), 2 * len(arena), len(table)]
        sizes += [len(self._waves) * layout.Wave.WORDS, step_count * layout.Step.WORDS]
        starts = [0, *itertools.accumulate(_round_up(size, LINE) for size in sizes)]
        self._address, self._memory = buffers.aligned_memory(starts[-1] * WORD)
        self._words = words = cast(
            "MutableSequence[int]", (ctypes.c_int64 * starts[-1]).from_address(self._address)
        )
        _, slots_at, gather_at, arena_at, table_at, waves_at, steps_at, _ = starts
        self._slots = slice(slots_at, slots_at + slot_count)
        self._waves_at, self._steps_at, self._table_at = waves_at, steps_at, table_at
        words[gather_at : gather_at + 2 * len(gather)] = [*itertools.chain(*gather)]
        words[arena_at : arena_at + 2 * len(arena)] = [*itertools.chain(*arena)]
        words[table_at : table_at + len(table)] = table
        words[0 : Record.WORDS] = [0] * Record.WORDS
        words[Record.POOL] = pool.address
        words[Record.WAVES] = self._address_of(waves_at)
        words[Record.WAVE_COUNT] = len(self._waves)
        words[Record.SCRATCH_BYTES] = scratch_bytes
        words[Record.TABLE] = self._address_of(table_at)
        words[Record.SLOTS] = self._address_of(slots_at)
        words[Record.GATHER], words[Record.GATHER_COUNT] = self._address_of(gather_at), len(gather)
        words[Record.ARENA], words[Record.ARENA_COUNT] = self._address_of(arena_at), len(arena)

    def _address_of(self, word: int) -> int:
        return self._address + word * WORD

    def _share_out(self) -> None:
        """Cut the work into chunks for the present number of threads."""
        self._pool_version = pool.version
        wave_at, step_at, to_share, total = self._waves_at, self._steps_at, 0.0, 0.0
        labels = [wave[0].wave for wave in self._waves]
        for number, wave in enumerate(self._waves):
            work = sum(step.total / step.grain for step in wave)
            shared = pool.threads > 1 and work >= _WORTH_SHARING
            total += work * wave[0].times
            to_share += work * wave[0].times if shared else 0
            first_step, chunk = self._address_of(step_at), 0
            for step in wave:
                items = _chunk_items(step, shared)
                end = chunk + -(-step.total // items)
                args = self._address_of(self._table_at + step.args)
                # Looking at the clock costs as much as a tiny step, and nothing beside a grain.
                patience = 1 if step.total < step.grain else layout.PATIENCE
                words = [step.function, args, step.total, items, chunk, end, patience]
                self._words[step_at : step_at + len(words)] = words
                step_at += layout.Step.WORDS
                chunk = end
            check = any(step.check for step in wave)
            words = [first_step, chunk, shared, check, *_following(self._waves, labels, number)]
            self._words[wave_at : wave_at + len(words)] = words
            wave_at += layout.Wave.WORDS
        self._words[Record.SHARED] = to_share > 0
        self._words[Record.WAKE] = to_share >= _WORTH_WAKING
        worthwhile = to_share >= _WORTH_WAKING and total <= _MOST_OVERLAPPED
        self._overlaps = worthwhile and not self._checks
        if to_share:
            pool.start()

    def run(self, slots: Sequence[int]) -> Error | None:
        """Run the steps; the words of the error if a kernel reported one.

        Signals are handled on the way, so Ctrl-C raises KeyboardInterrupt from here.
        """
        with self._lock:
            background.finish()
            if self._running:
                raise RuntimeError("a program was started again by a signal handler while it ran")
            try:
                self._running = True
                return self._run(slots)
            finally:
                self._running = False

    def start(self, slots: Sequence[int], memory: Sequence[object]) -> Error | None:
        """Run the steps beside the caller if that pays: until `background.finish()` returns.

        `memory` is what the slots point into. A program that may report errors is run at once.
        """
        if self._pool_version != pool.version:
            self._share_out()
        if not self._overlaps:
            return self.run(slots)
        with self._lock:
            background.begin(self, slots, memory)
        return None

    def _run(self, slots: Sequence[int]) -> Error | None:
        self._enter(slots)
        status = self._run_in_workspace() if self._workspace_bytes else self._run_to_end()
        if status == layout.DONE:
            return None
        first, *details = self._words[Record.ERROR : Record.ERROR + 4]
        return first, details[0], details[1], details[2]

    def _enter(self, slots: Sequence[int]) -> None:
        if self._pool_version != pool.version:
            self._share_out()
        self._words[self._slots] = slots
        self._words[Record.POSITION] = layout.START

    def _run_to_end(self) -> int:
        status: int = self._execute(self._record)
        while status == layout.PAUSED:  # Python runs signal handlers here
            status = self._execute(self._record)
        return status

    def _run_in_workspace(self) -> int:
        space = _workspaces.take(self._workspace_bytes)
        self._words[Record.WORKSPACE] = space.address
        try:
            return self._run_to_end()
        finally:
            _workspaces.put_back(space)


class _Workspace:
    """Memory for the arena and the scratch of one run."""

    __slots__ = ("_memory", "address", "nbytes")

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self.address, self._memory = buffers.aligned_memory(nbytes)


_nbytes = operator.attrgetter("nbytes")


class _Workspaces(threading.local):
    """Each thread keeps its last two workspaces: one for a program, one to help with another."""

    def __init__(self) -> None:
        self._idle: list[_Workspace] = []  # the smaller first

    def take(self, nbytes: int) -> _Workspace:
        """A workspace for one run; a signal handler that runs a program meanwhile gets another."""
        for place, space in enumerate(self._idle):
            if space.nbytes >= nbytes:
                return self._idle.pop(place)
        return _Workspace(nbytes)

    def put_back(self, space: _Workspace) -> None:
        idle = self._idle
        if space.nbytes <= _LARGEST_WORKSPACE_KEPT:
            idle.append(space)
            if len(idle) > 1:
                idle.sort(key=_nbytes)
                del idle[:-2]


_workspaces = _Workspaces()


class _Background:
    """The program that a worker runs while its caller goes on. There is at most one.

    What it computes may be read, and what it reads may be written, after `finish`.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._program: Program | None = None
        self._memory: Sequence[object] = ()
        self._space: _Workspace | None = None

    def begin(self, program: Program, slots: Sequence[int], memory: Sequence[object]) -> None:
        """Hand the program to a worker."""
        with self._lock:
            self.finish()
            program._enter(slots)
            self._space = _workspaces.take(program._workspace_bytes)
            program._words[Record.WORKSPACE] = self._space.address
            self._program, self._memory = program, memory
            native_function("submit", None, ctypes.c_void_p)(program._record)

    def finish(self) -> None:
        """Wait until the program is done, and help with it. Signals are handled on the way."""
        if self._program is not None:
            self._wait()

    def _wait(self) -> None:
        with self._lock:
            program = self._program
            if program is None:
                return
            scratch = _workspaces.take(program._words[Record.SCRATCH_BYTES])
            wait = native_function("wait", ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
            # A signal handler may have finished it meanwhile, and have begun another one.
            while self._program is program:
                status = wait(program._record, scratch.address)
                if status == layout.NOT_BEGUN:
                    program._run_to_end()
                if status != layout.PAUSED and self._program is program:
                    self._let_go()
            _workspaces.put_back(scratch)

    def _let_go(self) -> None:
        if self._space is not None:
            _workspaces.put_back(self._space)
        self._program, self._memory, self._space = None, (), None


background = _Background()
pool.before_change = background.finish


@functools.cache
def native_function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A function of `native`, by name."""
    return ctypes.CFUNCTYPE(result, *arguments)(native_address(name))


def _by_wave(steps: Iterable[Step]) -> list[list[Step]]:
    busy = (step for step in steps if step.total)
    return [list(wave) for _, wave in itertools.groupby(busy, key=lambda step: step.wave)]


def _following(
    waves: Sequence[Sequence[Step]], labels: Sequence[int], number: int
) -> tuple[int, int]:
    """The places of the waves that may come after one; `labels` are what steps call them."""
    then = max(step.then for step in waves[number])
    otherwise = waves[number][0].otherwise
    return (
        number + 1 if then < 0 else bisect.bisect_left(labels, then),
        -1 if otherwise < 0 else bisect.bisect_left(labels, otherwise),
    )


def _chunk_items(step: Step, shared: bool) -> int:
    grains = step.total / step.grain
    in_a_chunk = grains // (pool.threads * _CHUNKS_A_THREAD) if shared else grains
    return max(1, int(step.grain * max(1, min(in_a_chunk, _MOST_GRAINS_A_CHUNK))))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _verify(
    steps: Sequence[Step],
    table_size: int,
    slot_count: int,
    gather: Pairs,
    arena: Pairs,
    arena_bytes: int,
) -> None:
    """What a plan must fulfil; VerificationError otherwise."""
    for index, step in enumerate(steps):
        if not (step.function and step.total >= 0 and step.grain > 0):
            raise VerificationError(f"step {index} has no function or no work: {step}")
        if not 0 <= step.args <= table_size:
            raise VerificationError(f"step {index} has its arguments outside the table: {step}")
    waves = [step.wave for step in steps]
    if waves != sorted(waves):
        raise VerificationError(f"steps are not ordered by wave: {waves}")
    filled = [position for position, _ in (*gather, *arena)]
    if len(set(filled)) < len(filled) or not all(0 <= one < table_size for one in filled):
        raise VerificationError(f"positions of a table of {table_size} filled wrongly: {filled}")
    if not all(0 <= slot < slot_count for _, slot in gather):
        raise VerificationError(f"gather reads beyond {slot_count} slots: {gather}")
    if not all(0 <= offset <= arena_bytes for _, offset in arena):
        raise VerificationError(f"offsets beyond an arena of {arena_bytes} bytes: {arena}")
