"""The executor and the worker loop, as LLVM IR.

How a wave is shared: the caller sets `Pool.OPEN` to a fresh number; a worker that sees it counts
itself in `ACTIVE`, looks again whether the wave is still open, and takes chunks, as `Record.TAKEN`
says, until there are none. The caller takes chunks too, closes the wave and waits for `ACTIVE` to
fall to 0. So a worker that comes late, or never, holds nobody up. Workers begin with the last chunk
and the program's own thread with the first: in the next wave, and in the next run, each then meets
the data that its core's cache holds.

How a program runs beside its caller: `submit` leaves it in `Pool.JOB`; the worker that takes it is
its caller from then on. Whoever needs its results calls `wait`, and works on its waves meanwhile.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llvmlite import ir

from flambeau.runtime.cpu.layout import (
    DONE,
    FAILED,
    NOT_BEGUN,
    PATIENCE,
    PAUSED,
    START,
    WORD,
    Pool,
    Record,
    Step,
    Wave,
)
from flambeau.runtime.llvm.blocks import I32, I64, POINTER, for_range, i64, intrinsic, stack_slot

WORDS = I64.as_pointer()
KERNEL = ir.FunctionType(ir.VoidType(), [WORDS, I64, I64, POINTER])

_SLICE_NS = 50_000_000  # then the caller returns to Python, so that Ctrl-C is noticed
_SPIN_NS = 1_000_000  # a worker that has waited this long goes to sleep
_PAUSES_A_LOOK = 64
_PAUSES_BEFORE_YIELDING = 1000
# Of Record.TAKEN: the low half counts chunks taken from the front, the high one from the back.
_HALF = 32
_LOW = (1 << _HALF) - 1
_ALL = 1 << 62  # more than there are
_FALSE, _TRUE = ir.Constant(ir.IntType(1), 0), ir.Constant(ir.IntType(1), 1)
_SCRATCH_ALIGNMENT = 64

_PAUSE = {
    "x86_64": ("llvm.x86.sse2.pause", []),
    "amd64": ("llvm.x86.sse2.pause", []),
    "aarch64": ("llvm.aarch64.hint", [1]),
    "arm64": ("llvm.aarch64.hint", [1]),
}


class _Function:
    """A function being built, with the few idioms that this file consists of."""

    def __init__(self, name: str, result: ir.Type, params: list[ir.Type]) -> None:
        self.module = ir.Module(name)
        self.function = ir.Function(self.module, ir.FunctionType(result, params), name)
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    def at(self, base: ir.Value, word: int) -> ir.Value:
        """A pointer to a word of a block."""
        return self.builder.gep(base, [i64(word)])

    def get(self, base: ir.Value, word: int) -> ir.Value:
        return self.builder.load(self.at(base, word))

    def set(self, base: ir.Value, word: int, value: ir.Value) -> None:
        self.builder.store(value, self.at(base, word))

    def pointer(self, base: ir.Value, word: int) -> ir.Value:
        """The block whose address is in a word of another."""
        return self.builder.inttoptr(self.get(base, word), WORDS)

    # Sequentially consistent throughout: these are rare, and the protocol needs it where one
    # thread writes and then reads what another reads and then writes (OPEN, ACTIVE, SLEEPING).
    def read(self, base: ir.Value, word: int) -> ir.Value:
        return self.builder.load_atomic(self.at(base, word), "seq_cst", WORD)

    def swap(self, base: ir.Value, word: int, value: ir.Value) -> ir.Value:
        return self.builder.atomic_rmw("xchg", self.at(base, word), value, "seq_cst")

    def add(self, base: ir.Value, word: int, value: int) -> ir.Value:
        return self.builder.atomic_rmw("add", self.at(base, word), i64(value), "seq_cst")

    def variable(self, value: int) -> ir.Value:
        """A stack slot that holds `value` from here on."""
        slot = stack_slot(self.builder, I64)
        self.builder.store(i64(value), slot)
        return slot

    def is_zero(self, value: ir.Value) -> ir.Value:
        return self.builder.icmp_signed("==", value, i64(0))

    def is_set(self, value: ir.Value) -> ir.Value:
        return self.builder.icmp_signed("!=", value, i64(0))

    @contextmanager
    def repeat(self) -> Iterator[ir.Block]:
        """A loop without end; yields the block that `leave_if` goes to."""
        body = self.builder.append_basic_block("repeat")
        after = self.builder.append_basic_block("left")
        self.builder.branch(body)
        self.builder.position_at_end(body)
        yield after
        self.builder.branch(body)
        self.builder.position_at_end(after)

    def leave_if(self, condition: ir.Value, target: ir.Block) -> None:
        stay = self.builder.append_basic_block("stay")
        self.builder.cbranch(condition, target, stay)
        self.builder.position_at_end(stay)

    def call(self, name: str, result: ir.Type, args: list[ir.Value]) -> ir.Value:
        """Call a function of the C library, or an intrinsic."""
        declared = intrinsic(self.module, name, result, [one.type for one in args])
        return self.builder.call(declared, args)

    def clock(self) -> ir.Value:
        """Nanoseconds of a clock that never goes back."""
        spec = stack_slot(self.builder, I64, 2)
        self.call("clock_gettime", I32, [ir.Constant(I32, time.CLOCK_MONOTONIC), spec])
        seconds = self.builder.mul(self.get(spec, 0), i64(1_000_000_000))
        return self.builder.add(seconds, self.get(spec, 1))

    def pause(self) -> None:
        """Tell the processor that this thread only waits."""
        name, args = _PAUSE.get(platform.machine().lower(), ("sched_yield", []))
        result = I32 if name == "sched_yield" else ir.VoidType()
        self.call(name, result, [ir.Constant(I32, one) for one in args])


def _do_chunks(
    f: _Function,
    record: ir.Value,
    wave: ir.Value,
    scratch: ir.Value,
    is_worker: ir.Value,
    after_chunk: Callable[[ir.Value], None],
) -> None:
    """Take chunks of the wave and do them, until there are none left; emit `after_chunk(step)`."""
    b = f.builder
    chunks = f.get(wave, Wave.CHUNKS)
    step_slot = stack_slot(b, I64)
    b.store(f.get(wave, Wave.FIRST_STEP), step_slot)
    one = b.select(is_worker, i64(1 << _HALF), i64(1))
    with f.repeat() as finished:
        taken = b.atomic_rmw("add", f.at(record, Record.TAKEN), one, "monotonic")
        f.leave_if(b.icmp_signed(">=", _count(f, taken), chunks), finished)
        first, last = b.and_(taken, i64(_LOW)), b.lshr(taken, i64(_HALF))
        chunk = b.select(is_worker, b.sub(b.sub(chunks, i64(1)), last), first)
        step = _find_step(f, step_slot, chunk)
        items = f.get(step, Step.CHUNK_ITEMS)
        begin = b.mul(b.sub(chunk, f.get(step, Step.FIRST_CHUNK)), items)
        end, total = b.add(begin, items), f.get(step, Step.TOTAL)
        end = b.select(b.icmp_signed("<", end, total), end, total)
        kernel = b.inttoptr(f.get(step, Step.FUNCTION), KERNEL.as_pointer())
        b.call(kernel, [f.pointer(step, Step.ARGS), begin, end, scratch])
        after_chunk(step)


def _count(f: _Function, taken: ir.Value) -> ir.Value:
    """How many chunks were taken, from the front and from the back."""
    return f.builder.add(f.builder.and_(taken, i64(_LOW)), f.builder.lshr(taken, i64(_HALF)))


def _find_step(f: _Function, step_slot: ir.Value, chunk: ir.Value) -> ir.Value:
    """The step that a chunk belongs to; the search goes on from the step before."""
    b = f.builder
    for sign, bound, stride in (("<", Step.END_CHUNK, 1), (">=", Step.FIRST_CHUNK, -1)):
        with f.repeat() as found:
            step = b.inttoptr(b.load(step_slot), WORDS)
            f.leave_if(b.icmp_signed(sign, chunk, f.get(step, bound)), found)
            b.store(b.add(b.load(step_slot), i64(stride * Step.WORDS * WORD)), step_slot)
    return b.inttoptr(b.load(step_slot), WORDS)


def worker(name: str) -> str:
    """`void worker(i64* pool)`: serve until told to stop."""
    f = _Function(name, ir.VoidType(), [WORDS])
    b = f.builder
    (pool,) = f.function.args
    seen, room = f.variable(0), f.variable(0)
    scratch = stack_slot(b, POINTER)
    b.store(ir.Constant(POINTER, None), scratch)
    with f.repeat() as stopped:
        _await_work(f, pool, seen, stopped)
        job = f.swap(pool, Pool.JOB, i64(0))
        with b.if_else(f.is_set(job)) as (alone, together):
            with alone:
                _run_job(f, pool, job)
            with together:
                _join(f, pool, seen, lambda record: _help_out(f, record, scratch, room))
    f.call("free", ir.VoidType(), [b.load(scratch)])
    b.ret_void()
    return str(f.module)


def _join(f: _Function, pool: ir.Value, seen: ir.Value, work: Callable[[ir.Value], None]) -> None:
    """Count this thread in and emit `work(record)`, if there still is an open wave."""
    f.add(pool, Pool.ACTIVE, 1)
    number = f.read(pool, Pool.OPEN)
    with f.builder.if_then(f.is_set(number)):
        f.builder.store(number, seen)
        work(f.pointer(pool, Pool.RECORD))
    f.add(pool, Pool.ACTIVE, -1)


def _help_out(f: _Function, record: ir.Value, scratch: ir.Value, room: ir.Value) -> None:
    b = f.builder
    with b.if_then(_have_scratch(f, record, scratch, room)):
        _help(f, record, b.load(scratch), _TRUE)


def _help(f: _Function, record: ir.Value, scratch: ir.Value, is_worker: ir.Value) -> None:
    wave = f.pointer(record, Record.WAVE)
    _do_chunks(f, record, wave, scratch, is_worker, lambda _step: None)


def _run_job(f: _Function, pool: ir.Value, job: ir.Value) -> None:
    """Be the caller of a program. Nobody handles signals here, so a pause means to go on."""
    b = f.builder
    kind = ir.FunctionType(I64, [WORDS]).as_pointer()
    execute = b.inttoptr(f.get(pool, Pool.EXECUTOR), kind)
    status = f.variable(PAUSED)
    record = b.inttoptr(job, WORDS)
    f.set(record, Record.BY_WORKER, i64(1))
    with f.repeat() as finished:
        b.store(b.call(execute, [record]), status)
        f.leave_if(b.icmp_signed("!=", b.load(status), i64(PAUSED)), finished)
    f.set(record, Record.BY_WORKER, i64(0))
    f.swap(pool, Pool.JOB_STATUS, b.load(status))


def submit(name: str) -> str:
    """`void submit(i64* record)`: have a worker run a program; there is one such at a time."""
    f = _Function(name, ir.VoidType(), [WORDS])
    (record,) = f.function.args
    pool = f.pointer(record, Record.POOL)
    f.swap(pool, Pool.JOB_STATUS, i64(PAUSED))
    f.swap(pool, Pool.JOB, f.builder.ptrtoint(record, I64))
    _wake(f, pool, f.is_set(f.read(pool, Pool.SLEEPING)))
    f.builder.ret_void()
    return str(f.module)


def wait(name: str) -> str:
    """`i64 wait(i64* record, i8* scratch)`: help with the program that was submitted.

    DONE, FAILED, PAUSED to be called again, or NOT_BEGUN.
    """
    f = _Function(name, I64, [WORDS, POINTER])
    b = f.builder
    record, scratch = f.function.args
    pool = f.pointer(record, Record.POOL)
    status = f.variable(NOT_BEGUN)
    job = b.ptrtoint(record, I64)
    taken_back = b.cmpxchg(f.at(pool, Pool.JOB), job, i64(0), "seq_cst", "seq_cst")
    with b.if_then(b.not_(b.extract_value(taken_back, 1))):
        b.store(i64(PAUSED), status)
        _help_until_done(f, pool, record, scratch, status)
    b.ret(b.load(status))
    return str(f.module)


def _help_until_done(
    f: _Function, pool: ir.Value, record: ir.Value, scratch: ir.Value, status: ir.Value
) -> None:
    b = f.builder
    seen, looks, started = f.variable(0), f.variable(0), f.variable(0)

    def help_own(other: ir.Value) -> None:
        # The workers may be busy with another thread's program.
        with b.if_then(b.icmp_unsigned("==", other, record)):
            _help(f, record, scratch, _FALSE)

    with f.repeat() as finished:
        b.store(f.read(pool, Pool.JOB_STATUS), status)
        f.leave_if(b.icmp_signed("!=", b.load(status), i64(PAUSED)), finished)
        with b.if_then(_is_open(f, pool, seen)):
            _join(f, pool, seen, help_own)
        f.pause()
        b.store(b.add(b.load(looks), i64(1)), looks)
        with b.if_then(b.icmp_signed(">", b.load(looks), i64(_PAUSES_BEFORE_YIELDING))):
            b.store(i64(0), looks)
            f.call("sched_yield", I32, [])  # the worker may need this very core to go on
            now = f.clock()
            with b.if_then(f.is_zero(b.load(started))):
                b.store(now, started)
            over = b.icmp_signed(">", b.sub(now, b.load(started)), i64(_SLICE_NS))
            f.leave_if(over, finished)


def _await_work(f: _Function, pool: ir.Value, seen: ir.Value, stopped: ir.Block) -> None:
    """Return once there is a job, or a wave this worker has not seen; spin, then sleep."""
    b = f.builder
    looks, started = f.variable(0), f.variable(0)
    with f.repeat() as opened:
        f.leave_if(f.is_set(f.read(pool, Pool.STOP)), stopped)
        f.leave_if(_is_news(f, pool, seen), opened)
        f.pause()
        b.store(b.add(b.load(looks), i64(1)), looks)
        with b.if_then(b.icmp_signed(">=", b.load(looks), i64(_PAUSES_A_LOOK))):
            b.store(i64(0), looks)
            now = f.clock()
            with b.if_then(f.is_zero(b.load(started))):
                b.store(now, started)
            waited = b.sub(now, b.load(started))
            with b.if_then(b.icmp_signed(">", waited, i64(_SPIN_NS))):
                _sleep(f, pool, seen)
                b.store(i64(0), started)


def _is_news(f: _Function, pool: ir.Value, seen: ir.Value) -> ir.Value:
    return f.builder.or_(_is_open(f, pool, seen), f.is_set(f.read(pool, Pool.JOB)))


def _is_open(f: _Function, pool: ir.Value, seen: ir.Value) -> ir.Value:
    number = f.read(pool, Pool.OPEN)
    new = f.builder.icmp_signed("!=", number, f.builder.load(seen))
    return f.builder.and_(f.is_set(number), new)


def _sleep(f: _Function, pool: ir.Value, seen: ir.Value) -> None:
    """Wait until somebody signals; not at all if there is something to do by now."""
    b = f.builder
    mutex, condition = f.at(pool, Pool.MUTEX), f.at(pool, Pool.CONDITION)
    f.call("pthread_mutex_lock", I32, [mutex])
    f.swap(pool, Pool.SLEEPING, i64(1))
    needed = b.or_(_is_news(f, pool, seen), f.is_set(f.read(pool, Pool.STOP)))
    with b.if_then(b.not_(needed)):
        f.call("pthread_cond_wait", I32, [condition, mutex])
    f.call("pthread_mutex_unlock", I32, [mutex])


def _have_scratch(f: _Function, record: ir.Value, scratch: ir.Value, room: ir.Value) -> ir.Value:
    """Grow this worker's scratch memory to what the program wants; false if there is no memory."""
    b = f.builder
    wanted = f.get(record, Record.SCRATCH_BYTES)
    with b.if_then(b.icmp_signed(">", wanted, b.load(room))):
        f.call("free", ir.VoidType(), [b.load(scratch)])
        b.store(ir.Constant(POINTER, None), scratch)
        failed = f.call("posix_memalign", I32, [scratch, i64(_SCRATCH_ALIGNMENT), wanted])
        succeeded = b.icmp_signed("==", failed, ir.Constant(I32, 0))
        b.store(b.select(succeeded, wanted, i64(0)), room)
    return b.icmp_signed("<=", wanted, b.load(room))


def executor(name: str) -> str:
    """`i64 executor(i64* record)`: run a program; DONE, FAILED, or PAUSED to be called again."""
    f = _Function(name, I64, [WORDS])
    b = f.builder
    (record,) = f.function.args
    pool = f.pointer(record, Record.POOL)
    with b.if_then(b.icmp_signed("==", f.get(record, Record.POSITION), i64(START))):
        _start(f, record)
    pooled = _claim_workers(f, record, pool)
    status = f.variable(DONE)
    look_at_clock = _clock_watcher(f, record, status)
    with f.repeat() as finished:
        position = f.get(record, Record.POSITION)
        f.leave_if(b.icmp_signed(">=", position, f.get(record, Record.WAVE_COUNT)), finished)
        f.leave_if(f.is_set(b.load(status)), finished)
        wave = _enter_wave(f, record, position)
        shared = b.and_(pooled, f.is_set(f.get(wave, Wave.SHARED)))
        with b.if_then(shared):
            _open_wave(f, record, pool)
        scratch = b.inttoptr(f.get(record, Record.WORKSPACE), POINTER)
        by_worker = f.is_set(f.get(record, Record.BY_WORKER))
        _do_chunks(f, record, wave, scratch, by_worker, look_at_clock)
        with b.if_then(shared):
            _close_wave(f, pool)
        with b.if_then(f.is_zero(f.get(record, Record.RESUME))):
            f.set(record, Record.POSITION, _next_wave(f, wave))
            _check_error(f, record, status, f.get(wave, Wave.CHECK))
    with b.if_then(pooled):
        f.swap(pool, Pool.BUSY, i64(0))
    with b.if_then(b.icmp_signed("!=", b.load(status), i64(PAUSED))):
        f.set(record, Record.POSITION, i64(START))
        _check_error(f, record, status, i64(1))
    b.ret(b.load(status))
    return str(f.module)


def _start(f: _Function, record: ir.Value) -> None:
    """Fill in what changes from run to run, and clear the error."""
    b = f.builder
    table, slots = f.pointer(record, Record.TABLE), f.pointer(record, Record.SLOTS)
    with _pairs(f, record, Record.GATHER) as (position, slot):
        b.store(b.load(b.gep(slots, [slot])), b.gep(table, [position]))
    workspace = f.get(record, Record.WORKSPACE)
    with _pairs(f, record, Record.ARENA) as (position, offset):
        b.store(b.add(workspace, offset), b.gep(table, [position]))
    for word in range(4):
        f.set(record, Record.ERROR + word, i64(0))
    f.set(record, Record.POSITION, i64(0))
    f.set(record, Record.RESUME, i64(0))


@contextmanager
def _pairs(f: _Function, record: ir.Value, word: int) -> Iterator[tuple[ir.Value, ir.Value]]:
    """Loop over the pairs of words that `word` points to; the next word counts them."""
    b = f.builder
    pairs = f.pointer(record, word)
    with for_range(b, i64(0), f.get(record, word + 1)) as loop:
        pair = b.gep(pairs, [b.mul(loop.index, i64(2))])
        yield f.get(pair, 0), f.get(pair, 1)


def _claim_workers(f: _Function, record: ir.Value, pool: ir.Value) -> ir.Value:
    """Whether this run has the workers to itself; not if another thread's run has them."""
    b = f.builder
    claimed = f.variable(0)
    there_are = f.is_set(f.get(pool, Pool.WORKERS))
    with b.if_then(b.and_(there_are, f.is_set(f.get(record, Record.SHARED)))):
        before = b.cmpxchg(f.at(pool, Pool.BUSY), i64(0), i64(1), "seq_cst", "seq_cst")
        b.store(b.zext(b.extract_value(before, 1), I64), claimed)
    return f.is_set(b.load(claimed))


def _enter_wave(f: _Function, record: ir.Value, position: ir.Value) -> ir.Value:
    b = f.builder
    offset = b.mul(position, i64(Wave.WORDS * WORD))
    address = b.add(f.get(record, Record.WAVES), offset)
    f.set(record, Record.WAVE, address)
    f.set(record, Record.TAKEN, f.get(record, Record.RESUME))
    f.set(record, Record.RESUME, i64(0))
    return b.inttoptr(address, WORDS)


def _next_wave(f: _Function, wave: ir.Value) -> ir.Value:
    """The number of the wave to go on with: a loop's or a branch's step decides by its argument."""
    b = f.builder
    following = f.variable(0)
    b.store(f.get(wave, Wave.NEXT), following)
    otherwise = f.get(wave, Wave.OTHERWISE)
    with b.if_then(b.icmp_signed(">=", otherwise, i64(0))):
        step = f.pointer(wave, Wave.FIRST_STEP)
        with b.if_then(f.is_zero(f.get(f.pointer(step, Step.ARGS), 0))):
            b.store(otherwise, following)
    return b.load(following)


def _open_wave(f: _Function, record: ir.Value, pool: ir.Value) -> None:
    b = f.builder
    f.set(pool, Pool.RECORD, b.ptrtoint(record, I64))
    number = b.add(f.get(pool, Pool.ISSUED), i64(1))
    f.set(pool, Pool.ISSUED, number)
    f.swap(pool, Pool.OPEN, number)
    asleep = f.is_set(f.read(pool, Pool.SLEEPING))
    _wake(f, pool, b.and_(asleep, f.is_set(f.get(record, Record.WAKE))))


def _wake(f: _Function, pool: ir.Value, needed: ir.Value) -> None:
    with f.builder.if_then(needed):
        mutex = f.at(pool, Pool.MUTEX)
        f.call("pthread_mutex_lock", I32, [mutex])
        f.swap(pool, Pool.SLEEPING, i64(0))
        f.call("pthread_cond_broadcast", I32, [f.at(pool, Pool.CONDITION)])
        f.call("pthread_mutex_unlock", I32, [mutex])


def _close_wave(f: _Function, pool: ir.Value) -> None:
    """Let nobody join any more and wait for those who have."""
    b = f.builder
    f.swap(pool, Pool.OPEN, i64(0))
    pauses = f.variable(0)
    with f.repeat() as alone:
        f.leave_if(f.is_zero(f.read(pool, Pool.ACTIVE)), alone)
        f.pause()
        b.store(b.add(b.load(pauses), i64(1)), pauses)
        with b.if_then(b.icmp_signed(">", b.load(pauses), i64(_PAUSES_BEFORE_YIELDING))):
            f.call("sched_yield", I32, [])  # the worker may need this very core to go on


def _clock_watcher(f: _Function, record: ir.Value, status: ir.Value) -> Callable[[ir.Value], None]:
    """Code for after a chunk: once a time slice is over, stop handing out chunks."""
    b = f.builder
    patience, started = f.variable(PATIENCE), f.variable(0)

    def look(step: ir.Value) -> None:
        b.store(b.sub(b.load(patience), f.get(step, Step.PATIENCE)), patience)
        with b.if_then(b.icmp_signed("<=", b.load(patience), i64(0))):
            b.store(i64(PATIENCE), patience)
            now = f.clock()
            with b.if_then(f.is_zero(b.load(started))):
                b.store(now, started)
            ran = b.sub(now, b.load(started))
            with b.if_then(b.icmp_signed(">", ran, i64(_SLICE_NS))):
                taken = f.swap(record, Record.TAKEN, i64(_ALL))
                chunks = f.get(f.pointer(record, Record.WAVE), Wave.CHUNKS)
                remain = b.icmp_signed("<", _count(f, taken), chunks)
                f.set(record, Record.RESUME, b.select(remain, taken, i64(0)))
                b.store(i64(PAUSED), status)

    return look


def _check_error(f: _Function, record: ir.Value, status: ir.Value, wanted: ir.Value) -> None:
    b = f.builder
    reported = f.is_set(f.read(record, Record.ERROR))
    with b.if_then(b.and_(reported, f.is_set(wanted))):
        b.store(i64(FAILED), status)
