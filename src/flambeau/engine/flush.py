"""From a recording to its values: which are wanted, the plan cache, running, binding.

A result is computed if somebody will read it: a tensor holds its node, or a gradient that can
still be asked for reads it. Who holds a node is read off its reference count.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flambeau.compiler.plan import Fault, Plan, compile_plan, explain_fault
from flambeau.core.context import context
from flambeau.graph.node import Node
from flambeau.graph.op import BOTH, INPUTS, OUTPUT, SCALAR, Alias, View
from flambeau.graph.recording import Recording, on_full
from flambeau.runtime.buffers import Buffer, allocate

MOST_PLANS = 1024


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
    statistics: Statistics = field(default_factory=Statistics)

    def find(self, key: Any) -> Plan | None:
        plan = self.plans.get(key)
        if plan is not None:
            self.plans.move_to_end(key)
        return plan

    def keep(self, key: Any, plan: Plan) -> None:
        self.plans[key] = plan
        if len(self.plans) > MOST_PLANS:
            self.plans.popitem(last=False)


engine = Engine()


def flush() -> None:
    """Compute this thread's recording. Raises what a kernel found wrong, tensors as before it."""
    recording = context.recording
    if recording is None or not recording.nodes:
        return
    context.recording = None
    try:
        run(recording, ())
    except Fault as fault:
        culprit = recording.nodes[fault.position]
        _undo_from(recording, fault.position)
        raise explain_fault(fault, culprit) from None
    except BaseException:
        _undo_from(recording, 0)
        raise


def compute(node: Node) -> Node:
    """`node`, with its buffer."""
    if node.buffer is None:
        if node.op is SCALAR:
            _store_scalar(node)
            return node
        if node.recording is None:
            _record_again(node)
        flush()
    return node


def run(recording: Recording, extra: tuple[Node, ...]) -> None:
    """Compile (if the structure is new) and run; bind the results to their nodes."""
    nodes = recording.nodes
    wanted = wanted_positions(recording, extra)
    dead = dead_leaves(recording, wanted)
    key = (*recording.key(), wanted, dead)
    engine.statistics.flushes += 1
    plan = engine.find(key)
    if plan is None:
        plan = compile_plan(
            nodes,
            recording.leaves,
            [nodes[position] for position in wanted],
            {recording.leaves[number] for number in dead},
        )
        engine.statistics.compiled += 1
        engine.keep(key, plan)
    if engine.statistics.log is not None:
        engine.statistics.log.append(plan)
    buffers = plan.run(recording.leaves)
    bind(recording, plan, buffers)


def bind(recording: Recording, plan: Plan, buffers: list[Buffer]) -> None:
    """Give the wanted nodes their buffers, and let go of what nobody will ask for again."""
    nodes, leaves = recording.nodes, recording.leaves
    for position, (kind, number) in plan.results.items():
        found = buffers[number] if kind == "output" else leaves[number].buffer
        nodes[position].buffer = found
    for node in nodes:
        node.recording = None
        if node.buffer is None:
            if isinstance(node.op, Alias):
                node.buffer = node.inputs[0].buffer
        elif not node.requires_grad:
            node.inputs = ()


def wanted_positions(recording: Recording, extra: tuple[Node, ...]) -> tuple[int, ...]:
    """The positions of the nodes that are held, or that a gradient will read."""
    nodes, uses = recording.nodes, recording.uses
    written = [node for _, _, node in recording.writes]
    held = []
    count = sys.getrefcount
    position = 0
    for node in nodes:
        # Two references more than its uses: the list of nodes and the loop; one for the call.
        if count(node) - uses[position] > 3:
            held.append(position)
        position += 1
    if written:
        held = _without_writes(recording, held)
    held = sorted({*held, *[one.position for one in extra if one.recording is recording]})
    wanted = set(held)
    reached: set[Node] = set()
    waiting = [nodes[position] for position in held if nodes[position].requires_grad]
    while waiting:
        node = waiting.pop()
        if node in reached or node.recording is not recording:
            continue
        reached.add(node)
        reads = node.op.reads
        if reads in (OUTPUT, BOTH):
            wanted.add(node.position)
        for one in node.inputs:
            if reads in (INPUTS, BOTH):
                _keep(one, recording, wanted)
            if one.requires_grad:
                waiting.append(one)
    return tuple(sorted(wanted))


def _keep(node: Node, recording: Recording, wanted: set[int]) -> None:
    """Keep what a gradient reads; below views and aliases, which cost nothing to redo."""
    while node.recording is recording and node.inputs and isinstance(node.op, (Alias, View)):
        if len(node.inputs) > 1:
            for one in node.inputs[1:]:
                _keep(one, recording, wanted)
        node = node.inputs[0]
    if node.recording is recording and node.inputs:
        wanted.add(node.position)


def _without_writes(recording: Recording, held: list[int]) -> list[int]:
    """Drop nodes that only the log of in-place writes holds."""
    logged: dict[int, int] = {}
    for _, _, node in recording.writes:
        if node.recording is recording:
            logged[node.position] = logged.get(node.position, 0) + 1
    nodes, uses = recording.nodes, recording.uses
    return [
        position
        for position in held
        if position not in logged
        or sys.getrefcount(nodes[position]) - uses[position] - logged[position] > 2
    ]


def dead_leaves(recording: Recording, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """The leaves whose buffers nobody will read after this run."""
    del wanted
    references: dict[int, int] = {}
    for node in recording.nodes:
        for one in node.inputs:
            if one.recording is not recording:
                references[id(one)] = references.get(id(one), 0) + 1
    for _, _, node in recording.writes:
        references[id(node)] = references.get(id(node), 0) + 1
    dead = []
    number = 0
    for leaf in recording.leaves:
        buffer = leaf.buffer
        # The list, the loop and the call for the leaf; the node, the name and the call for the
        # buffer. A node kept for a gradient keeps its inputs alive by itself.
        if (
            buffer is not None
            and sys.getrefcount(leaf) == references.get(id(leaf), 0) + 3
            and sys.getrefcount(buffer) == 3
            and not _read_by_gradient(leaf, recording)
        ):
            dead.append(number)
        number += 1
    return tuple(dead)


def _read_by_gradient(leaf: Node, recording: Recording) -> bool:
    return any(node.requires_grad and leaf in node.inputs for node in recording.nodes)


def _undo_from(recording: Recording, position: int) -> None:
    """Take back the in-place writes from `position` on; what is recorded before stays asked for."""
    for undo, before, old in reversed(recording.writes):
        if before >= position:
            undo(old)
    recording.writes.clear()
    for node in recording.nodes:
        node.recording = None


def _record_again(node: Node) -> None:
    recording = context.recording
    if recording is None:
        recording = context.recording = Recording()
    recording._append_again(node)


def _store_scalar(node: Node) -> None:
    buffer = allocate(max(node.spec.nbytes, 1))
    array = buffer.as_array(np.dtype(np.uint8), (node.spec.nbytes,))
    from flambeau.engine.reference import evaluate

    array[...] = np.frombuffer(evaluate(node).tobytes(), np.uint8)
    node.buffer = buffer


on_full(flush)
