"""From a recording to its values: which are wanted, the plan cache, running, binding.

What is computed and what may be overwritten is decided in engine/liveness.py.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flambeau.core.context import context
from flambeau.engine.capture import interrupt
from flambeau.engine.liveness import live_positions
from flambeau.engine.reference import evaluate
from flambeau.graph.body import BodyTrace
from flambeau.graph.node import FREED, Node
from flambeau.graph.op import PARAMETER, SCALAR, Alias
from flambeau.graph.recording import Recording, current, on_recordings
from flambeau.graph.subgraph import inlined
from flambeau.graph.writes import undo_writes
from flambeau.runtime.buffers import allocate
from flambeau.runtime.cpu.executor import Program, background
from flambeau.runtime.plan import Fault, Plan, explain_fault

MOST_PLANS = 1024
# A step that makes less than this is done sooner than handed to another thread.
SMALL_STEP_BYTES = 1 << 18
_NO_VALUE = (
    "a value is looked at in a function given to scan, while_loop or cond, where there is none: it "
    "is recorded once, and done later. Choose by values with flambeau.where or flambeau.cond, and "
    "return what you want to look at"
)


@dataclass
class Statistics:
    """What the engine has done; tests assert on it and `explain` prints it."""

    flushes: int = 0
    compiled: int = 0
    log: list[Plan] | None = None


@dataclass
class Engine:
    """The plan cache, least recently used first."""

    plans: OrderedDict[Any, Plan] = field(default_factory=OrderedDict)
    # Makes programs in the compiler's stead, to look at them or to time them.
    program: Callable[[Any], Program] | None = None
    statistics: Statistics = field(default_factory=Statistics)

    def find(self, key: Any) -> Plan | None:
        plan = self.plans.get(key)
        # The order matters once it is full.
        if plan is not None and 2 * len(self.plans) > MOST_PLANS:
            self.plans.move_to_end(key)
        return plan

    def compile(
        self,
        nodes: Sequence[Node],
        leaves: Sequence[Node],
        wanted: Sequence[Node],
        dead: set[Node],
        key: Any,
    ) -> Plan:
        """A new plan, kept under `key`."""
        # Only here: a program that computes nothing need not load the compiler.
        from flambeau.compiler.plan import compile_plan

        how = {} if self.program is None else {"make": self.program}
        plan = compile_plan(nodes, leaves, wanted, dead, **how)
        self.statistics.compiled += 1
        self.keep(key, plan)
        return plan

    def keep(self, key: Any, plan: Plan) -> None:
        self.plans[key] = plan
        if len(self.plans) > MOST_PLANS:
            self.plans.popitem(last=False)


engine = Engine()


def end_step() -> None:
    """Have this thread's recording computed at the end of a training step, unless it is captured.

    The program goes on meanwhile, and may record the next step. A small step waits for that, and is
    run together with what is looked at in it; but no second one does, nor one that may find a bad
    index, which the program is to hear of at once.
    """
    recording = context.recording
    if recording is None or context.capture is not None:
        return
    grown = recording.structure
    if grown.nbytes < SMALL_STEP_BYTES and not (grown.checks or recording.holds_step):
        recording.holds_step = True
    else:
        execute(recording, beside=True)


def flush() -> None:
    """Compute this thread's recording. Raises what a kernel found wrong, tensors as before it."""
    recording = context.recording
    if recording is None or not recording.nodes:
        background.finish()
        return
    if isinstance(recording, BodyTrace):
        raise RuntimeError(_NO_VALUE)
    if context.capture is not None:
        interrupt("a value was looked at")
    execute(recording)


def execute(recording: Recording, *, beside: bool = False) -> Plan | None:
    """Run a recording that is at its end; the plan that did it, None if there is nothing to do."""
    # First of all, as liveness counts who holds what, and a program that is at work does.
    background.finish()
    if context.recording is recording:
        context.recording = None
    with recording.lock:
        if recording.taken or not recording.nodes:
            return None
        recording.taken = True
        return _run_or_undo(recording, beside)


def discard(recording: Recording) -> None:
    """Forget what was recorded, and undo its in-place writes."""
    if context.recording is recording:
        context.recording = None
    _undo_from(recording, 0)


def take_over(recording: Recording) -> None:
    """Compute another thread's recording, of which this thread needs a value."""
    if recording.most_nodes == math.inf:
        raise RuntimeError(
            "a tensor is used that another thread is computing inside a function that is being "
            "compiled; wait until that call has returned"
        )
    background.finish()
    with recording.lock:
        if recording.taken:
            return
        recording.taken = True
        while recording.busy:
            time.sleep(0)  # its thread is in the midst of an operation
        _run_or_undo(recording, beside=False)


def _run_or_undo(recording: Recording, beside: bool) -> Plan:
    try:
        return run(recording, beside)
    except Fault as fault:
        culprit = recording.nodes[fault.position]
        _undo_from(recording, fault.position)
        raise explain_fault(fault, culprit) from None
    except BaseException:
        _undo_from(recording, 0)
        raise


def compute(node: Node) -> Node:
    """`node`, or what it is an alias of, with its buffer, whose content is there."""
    background.finish()
    base = node
    while base.buffer is None and isinstance(base.op, Alias):
        base = base.inputs[0]
    if base.buffer is None:
        if base.op is SCALAR:
            _store_scalar(base)
        else:
            if isinstance(context.recording, BodyTrace) and base.recording in (
                None,
                context.recording,
            ):
                raise RuntimeError(_NO_VALUE)
            if base.recording is None:
                current().append_again(base)
            elif base.recording is not context.recording:
                take_over(base.recording)
            flush()
    elif base is not node and node.recording is not None:
        # An alias of a known value, recorded but not run: plans take it as part of the recording.
        flush()
    if node.op is PARAMETER:
        # It stands for what its tensor holds, which may be overwritten where it is.
        return base
    node.buffer = base.buffer
    if base is not node and not node.requires_grad:
        node.inputs = ()  # so that it does not count as another user of the value
    return node


def run(recording: Recording, beside: bool) -> Plan:
    """Compile (if the structure is new) and run; bind the results to their nodes."""
    nodes, leaves = recording.nodes, recording.leaves
    wanted, dead = live_positions(recording)
    key = (recording.structure, wanted, dead)
    engine.statistics.flushes += 1
    plan = engine.find(key)
    if plan is None:
        results = [nodes[position] for position in wanted]
        dying = {leaves[number] for number in dead}
        plan = engine.compile(inlined(nodes), leaves, results, dying, key)
    if engine.statistics.log is not None:
        engine.statistics.log.append(plan)
    buffers = plan.run(leaves, beside=beside)
    for position, (kind, number) in plan.results.items():
        nodes[position].buffer = buffers[number] if kind == "output" else leaves[number].buffer
    for node in nodes:
        node.recording = None
        if node.buffer is not None and (not node.requires_grad or node.owner is FREED):
            node.inputs = ()
    return plan


def _undo_from(recording: Recording, position: int) -> None:
    """Take back the in-place writes from `position` on; what is recorded before stays asked for."""
    undo_writes(recording.writes, position)
    for node in recording.nodes:
        node.recording = None


def _store_scalar(node: Node) -> None:
    buffer = allocate(max(node.spec.nbytes, 1))
    array = buffer.as_array(np.dtype(np.uint8), (node.spec.nbytes,))
    array[...] = np.frombuffer(evaluate(node).tobytes(), np.uint8)
    node.buffer = buffer


on_recordings(flush, take_over)
