"""Which results of a recording are computed, and which leaves' buffers may be overwritten.

A result is wanted if somebody will read it: a tensor holds its node, or a gradient that can still
be asked for reads it. Who holds a node is read off its reference count: CPython counts exactly, and
a count that is too high (a debugger looks at the node) only computes more.
"""

from __future__ import annotations

import sys

from flambeau.core.references import IN_ATTRIBUTE, IN_LIST_AND_NAMED, NAMED
from flambeau.graph.node import FREED, Node
from flambeau.graph.op import INPUTS, OUTPUT
from flambeau.graph.recording import Recording

Positions = tuple[int, ...]


def live_positions(recording: Recording) -> tuple[Positions, Positions]:
    """The positions of the wanted nodes, and those of the dead leaves. For a recording at its end.

    What dies with the recording is added to its `uses` and `leaf_uses`.
    """
    _count_log(recording)
    held = _held(recording)
    wanted: set[int] = set()
    kept: set[int] = set()
    for node in held:
        if not node.op.is_alias:
            wanted.add(node.position)
        else:
            _want(node, recording, wanted, kept)
    _want_for_gradients([node for node in held if node.requires_grad], recording, wanted, kept)
    return tuple(sorted(wanted)), _dead(recording, kept)


def _count_log(recording: Recording) -> None:
    """The log of writes refers to the nodes that were replaced."""
    uses, leaf_uses = recording.uses, recording.leaf_uses
    for _, _, node in recording.writes:
        if node.recording is recording:
            uses[node.position] += 1
        else:
            number = recording.leaf_positions.get(id(node))
            if number is not None:
                leaf_uses[number] += 1


def _held(recording: Recording) -> list[Node]:
    """The nodes that somebody outside the recording refers to."""
    nodes, uses, count, held = recording.nodes, recording.uses, sys.getrefcount, []
    # By position: `enumerate` would hold the node too.
    for position in range(len(nodes)):
        node = nodes[position]
        if count(node) - uses[position] > IN_LIST_AND_NAMED:
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
    reached = set(waiting)
    for node in waiting:  # which grows on the way
        if node.owner is FREED or node.recording is not recording:
            continue
        reads = node.op.reads
        if reads & OUTPUT:
            wanted.add(node.position)
        for one in node.inputs:
            if reads & INPUTS:
                if one.op.is_free:
                    _keep(one, recording, wanted, kept)
                elif one.recording is not recording:
                    kept.add(id(one))
                elif one.inputs:
                    wanted.add(one.position)
            if one.requires_grad and one not in reached:
                reached.add(one)
                waiting.append(one)


def _keep(node: Node, recording: Recording, wanted: set[int], kept: set[int]) -> None:
    """Keep what a gradient reads: below views and aliases, which cost nothing to do again."""
    while node.op.is_free and node.buffer is None and node.inputs:
        for one in node.inputs[1:]:
            _keep(one, recording, wanted, kept)
        node = node.inputs[0]
    if node.recording is recording:
        if node.inputs:
            wanted.add(node.position)
    else:
        kept.add(id(node))


def _dead(recording: Recording, kept: set[int]) -> Positions:
    """The leaves that only this recording refers to, and whose buffers nothing else has."""
    if recording.aliases:
        _count_aliases(recording)
    leaves, uses, count, dead = recording.leaves, recording.leaf_uses, sys.getrefcount, []
    for number in range(len(leaves)):
        leaf = leaves[number]
        if (
            leaf.buffer is not None
            and count(leaf) == uses[number] + IN_LIST_AND_NAMED
            and count(leaf.buffer) == IN_ATTRIBUTE
            and id(leaf) not in kept
        ):
            dead.append(number)
    return tuple(dead)


def _count_aliases(recording: Recording) -> None:
    """What an alias refers to dies with it, if only this recording (and the name here) has it."""
    explained: dict[int, int] = {}
    waiting: dict[int, Node] = {}
    for one in recording.aliases:
        # An input, and an entry of the list.
        explained[id(one)] = explained.get(id(one), 0) + 2
        waiting[id(one)] = one
    one = None  # type: ignore[assignment]
    count = sys.getrefcount
    while waiting:
        _, alias = waiting.popitem()
        if count(alias) == explained[id(alias)] + NAMED and alias.inputs:
            base = alias.inputs[0]
            number = recording.leaf_positions.get(id(base))
            if number is not None:
                recording.leaf_uses[number] += 1
            elif base.op.is_alias and base.recording is not recording:
                explained[id(base)] = explained.get(id(base), 0) + 1
                waiting[id(base)] = base
            del base
