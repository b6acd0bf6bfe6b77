"""Which results of a recording are computed, and which leaves' buffers may be overwritten.

A result is wanted if somebody will read it: a tensor holds its node, or a gradient that can still
be asked for reads it. Who holds a node is read off its reference count: CPython counts exactly, and
a count that is too high (a debugger looks at the node) only computes more.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from sys import getrefcount
from typing import Any

from flambeau.core.errors import VerificationError
from flambeau.core.references import IN_ATTRIBUTE, IN_LIST_AND_NAMED, NAMED
from flambeau.core.settings import settings
from flambeau.graph.node import FREED, Node
from flambeau.graph.op import INPUTS, OUTPUT, SCALAR
from flambeau.graph.recording import Recording

Positions = tuple[int, ...]
# The positions of the wanted nodes, and the numbers of the dead leaves.
Found = tuple[Positions, Positions]

# For one structure.
MOST_SITUATIONS = 64

# The number of what is no leaf.
_NOWHERE = 1 << 30
_requires_grad, _buffer = attrgetter("requires_grad"), attrgetter("buffer")


def live_positions(recording: Recording) -> Found:
    """The positions of the wanted nodes, and those of the dead leaves. For a recording at its end.

    A training loop comes to the same situation in every step, so what was found there is kept.
    """
    situation = _situation(recording)
    if situation is None:
        return _Liveness(recording).found()
    situations = recording.structure.situations
    known: Found | None = situations.get(situation)
    if known is None:
        if len(situations) >= MOST_SITUATIONS:
            situations.clear()
        known = situations[situation] = _Liveness(recording).found()
    elif settings.verify and known != _Liveness(recording).found():
        raise VerificationError(f"a situation that is not what it was: {situation}")
    return known


def _situation(recording: Recording) -> tuple[Any, ...] | None:
    """All that decides, besides the structure; None if it takes more than a few numbers to say."""
    nodes, positions = recording.nodes, recording.leaf_positions
    aliases = _aliases(recording) if recording.aliases else ()
    if aliases is None:
        return None
    leaves = [leaf for leaf in recording.leaves if leaf.op is not SCALAR]
    return (
        *map(getrefcount, nodes),
        *map(_requires_grad, nodes),
        *[node.owner is FREED for node in nodes if node.requires_grad],
        *map(getrefcount, leaves),
        *map(getrefcount, map(_buffer, leaves)),
        *[
            old.position if old.recording is recording else ~positions.get(id(old), _NOWHERE)
            for _, _, old in recording.writes
        ],
        aliases,
    )


def _aliases(recording: Recording) -> tuple[int, ...] | None:
    """What the aliases among the inputs are: which is which, who holds it, and its leaf."""
    positions = recording.leaf_positions
    found: list[int] = []
    places: dict[int, int] = {}
    for alias in recording.aliases:
        number = positions.get(id(alias.inputs[0])) if alias.inputs else None
        if number is None or alias.buffer is not None:
            return None
        found += (places.setdefault(id(alias), len(places)), getrefcount(alias), number)
    return tuple(found)


class _Liveness:
    """One answer, from who refers to what.

    What dies with the recording counts as a use by it.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        uses, leaf_uses = recording.structure.uses()
        self.uses, self.leaf_uses = uses.copy(), leaf_uses.copy()
        self.wanted: set[int] = set()
        # Leaves, by id, that a gradient may still read.
        self.kept: set[int] = set()
        for number in recording.aliased:
            self.leaf_uses[number] -= 1
        self._count_log()

    def found(self) -> Found:
        """The answer."""
        held = self._held()
        for node in held:
            if not node.op.is_alias:
                self.wanted.add(node.position)
            else:
                self._want(node)
        self._want_for_gradients([node for node in held if node.requires_grad])
        return tuple(sorted(self.wanted)), self._dead()

    def _count_log(self) -> None:
        """The log of writes refers to the nodes that were replaced."""
        for _, _, node in self.recording.writes:
            if node.recording is self.recording:
                self.uses[node.position] += 1
            else:
                number = self.recording.leaf_positions.get(id(node))
                if number is not None:
                    self.leaf_uses[number] += 1

    def _held(self) -> list[Node]:
        """The nodes that somebody outside the recording refers to."""
        nodes, uses, held = self.recording.nodes, self.uses, []
        # By position: `enumerate` would hold the node too.
        for position in range(len(nodes)):
            node = nodes[position]
            if getrefcount(node) - uses[position] > IN_LIST_AND_NAMED:
                held.append(node)
        return held

    def _want(self, node: Node) -> None:
        """Want what stands behind an alias; a leaf is there already and must stay."""
        while node.op.is_alias and node.buffer is None:
            node = node.inputs[0]
        if node.recording is self.recording:
            self.wanted.add(node.position)
        else:
            self.kept.add(id(node))

    def _want_for_gradients(self, waiting: list[Node]) -> None:
        """Want what the gradients of these nodes may read."""
        reached = set(waiting)
        for node in waiting:  # which grows on the way
            if node.owner is FREED or node.recording is not self.recording:
                continue
            reads = node.op.reads
            if reads & OUTPUT:
                self.wanted.add(node.position)
            if reads & INPUTS:
                for one in node.inputs[node.op.inputs_read]:
                    self._keep(one)
            for one in node.inputs:
                if one.requires_grad and one not in reached:
                    reached.add(one)
                    waiting.append(one)

    def _keep(self, node: Node) -> None:
        """Keep what a gradient reads: below views and aliases, which cost nothing to do again."""
        while node.op.is_free and node.buffer is None and node.inputs:
            for one in node.inputs[1:]:
                self._keep(one)
            node = node.inputs[0]
        if node.recording is not self.recording:
            self.kept.add(id(node))
        elif node.inputs:
            self.wanted.add(node.position)

    def _dead(self) -> Positions:
        """The leaves that only the recording refers to, and whose buffers nothing else has."""
        self._count_aliases()
        leaves, uses, dead = self.recording.leaves, self.leaf_uses, []
        for number in range(len(leaves)):
            leaf = leaves[number]
            if (
                leaf.op is not SCALAR
                and getrefcount(leaf) == uses[number] + IN_LIST_AND_NAMED
                and getrefcount(leaf.buffer) == IN_ATTRIBUTE
                and id(leaf) not in self.kept
            ):
                dead.append(number)
        return tuple(dead)

    def _count_aliases(self) -> None:
        """What an alias refers to dies with it, if only the recording (and a name here) has it."""
        recording = self.recording
        # Each is an input, and an entry of the list.
        explained = Counter([*map(id, recording.aliases)] * 2)
        waiting = {id(alias): alias for alias in recording.aliases}
        while waiting:
            _, alias = waiting.popitem()
            if getrefcount(alias) == explained[id(alias)] + NAMED and alias.inputs:
                base = alias.inputs[0]
                number = recording.leaf_positions.get(id(base))
                if number is not None:
                    self.leaf_uses[number] += 1
                elif base.op.is_alias and base.recording is not recording:
                    explained[id(base)] += 1
                    waiting[id(base)] = base
                del base
