"""Which results of a recording are computed, and which leaves' buffers may be overwritten.

A result is wanted if somebody will read it: a tensor holds its node, or a gradient that can still
be asked for reads it. Who holds a node is read off its reference count: CPython counts exactly, and
a count that is too high (a debugger looks at the node) only computes more.
"""

from __future__ import annotations

import sys

from flambeau.core.references import IN_ATTRIBUTE, IN_LIST_AND_NAMED, NAMED
from flambeau.graph.node import FREED, Node
from flambeau.graph.op import BOTH, INPUTS, OUTPUT, View
from flambeau.graph.recording import Recording

Positions = tuple[int, ...]


def live_positions(recording: Recording) -> tuple[Positions, Positions]:
    """The positions of the wanted nodes, and those of the dead leaves."""
    logged: dict[int, int] = {}
    for _, _, node in recording.writes:
        logged[id(node)] = logged.get(id(node), 0) + 1
    held = _held(recording, logged)
    wanted: set[int] = set()
    kept: set[int] = set()
    for node in held:
        _want(node, recording, wanted, kept)
    _want_for_gradients([node for node in held if node.requires_grad], recording, wanted, kept)
    return tuple(sorted(wanted)), _dead(recording, logged, kept)


def _held(recording: Recording, logged: dict[int, int]) -> list[Node]:
    """The nodes that somebody outside the recording refers to."""
    nodes, uses, count, held = recording.nodes, recording.uses, sys.getrefcount, []
    # By position: `enumerate` would hold the node too.
    for position in range(len(nodes)):
        node = nodes[position]
        if count(node) - uses[position] > IN_LIST_AND_NAMED and (
            id(node) not in logged
            or count(node) - uses[position] - logged[id(node)] > IN_LIST_AND_NAMED
        ):
            held.append(node)
    return held


def _want(node: Node, recording: Recording, wanted: set[int], kept: set[int]) -> None:
    """Want what stands behind an alias; a leaf is there already and must stay."""
    while node.op.is_alias and node.buffer is None:
        node = node.inputs[0]
    if node.recording is recording:
        wanted.add(node.position)
    else:
        kept.add(id(node))


def _want_for_gradients(
    waiting: list[Node], recording: Recording, wanted: set[int], kept: set[int]
) -> None:
    """Want what the gradients of these nodes may read."""
    reached: set[Node] = set()
    while waiting:
        node = waiting.pop()
        if node in reached or node.recording is not recording or node.owner is FREED:
            continue
        reached.add(node)
        reads = node.op.reads
        if reads in (OUTPUT, BOTH):
            wanted.add(node.position)
        for one in node.inputs:
            if reads in (INPUTS, BOTH):
                _keep(one, recording, wanted, kept)
            if one.requires_grad:
                waiting.append(one)


def _keep(node: Node, recording: Recording, wanted: set[int], kept: set[int]) -> None:
    """Keep what a gradient reads: below views and aliases, which cost nothing to do again."""
    while (node.op.is_alias or isinstance(node.op, View)) and node.buffer is None and node.inputs:
        for one in node.inputs[1:]:
            _keep(one, recording, wanted, kept)
        node = node.inputs[0]
    if node.recording is recording:
        if node.inputs:
            wanted.add(node.position)
    else:
        kept.add(id(node))


def _dead(recording: Recording, logged: dict[int, int], kept: set[int]) -> Positions:
    """The leaves that only this recording refers to, and whose buffers nothing else has."""
    references = _references(recording, logged)
    count, dead = sys.getrefcount, []
    for number in range(len(recording.leaves)):
        leaf = recording.leaves[number]
        if (
            leaf.buffer is not None
            and id(leaf) not in kept
            and count(leaf) == references.get(id(leaf), 0) + IN_LIST_AND_NAMED
            and count(leaf.buffer) == IN_ATTRIBUTE
        ):
            dead.append(number)
    return tuple(dead)


def _references(recording: Recording, logged: dict[int, int]) -> dict[int, int]:
    """How often each node from outside is referred to by what dies with the recording."""
    references = dict(logged)
    aliases: dict[int, Node] = {}
    inputs: tuple[Node, ...] = ()
    for node in recording.nodes:
        if node.inputs is inputs:
            continue  # results of one subgraph share the tuple
        inputs = node.inputs
        for one in inputs:
            if one.recording is not recording:
                references[id(one)] = references.get(id(one), 0) + 1
                if one.op.is_alias:
                    aliases[id(one)] = one
        one = None  # type: ignore[assignment]
    count = sys.getrefcount
    while aliases:
        _, alias = aliases.popitem()
        # An alias that only this recording (and the name here) refers to dies with it.
        if count(alias) == references[id(alias)] + NAMED and alias.inputs:
            base = alias.inputs[0]
            references[id(base)] = references.get(id(base), 0) + 1
            if base.op.is_alias and base.recording is not recording:
                aliases[id(base)] = base
            del base
    return references
