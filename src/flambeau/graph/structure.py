"""The structure of a recording, as a place in a tree of all that was recorded.

Recordings that begin alike share the way from the root, so equal structures are one object, which
is found by one look-up an operation. Scalars count by dtype only, so that a new learning rate is a
new argument and not a new structure.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from flambeau.graph.node import Node, Spec

if TYPE_CHECKING:
    from flambeau.graph.subgraph import Subgraph

# Places in the tree; with so many a new one is begun.
MOST_KNOWN = 1 << 16

# An input: the position of an earlier result, or ~n for the n-th leaf; where a leaf is met for the
# first time its spec comes after that, in a tuple if it is a Python number.
Reference = int | Spec | tuple[Spec]
# An operation (or subgraph), its attributes, and its inputs.
Entry = tuple[Any, ...]


class Structure:
    """What was recorded up to and with one entry."""

    __slots__ = (
        "_uses",
        "before",
        "checks",
        "count",
        "entry",
        "nbytes",
        "next",
        "operations",
        "situations",
        "spec",
    )

    def __init__(self, before: Structure | None = None, entry: Entry = ()) -> None:
        self.before = before
        self.entry = entry
        # Results so far, the operations behind them, and the bytes that all of these would take.
        self.count: int = before.count if before else 0
        self.operations: int = before.operations if before else 0
        self.nbytes: int = before.nbytes if before else 0
        # Whether one of them may find a bad index at run time.
        self.checks: bool = before.checks if before else False
        # What the operation makes, if it is one.
        self.spec: Any = None
        self.next: dict[Entry, Structure] = {}
        # What liveness has found, by who held what.
        self.situations: dict[Any, Any] = {}
        self._uses: tuple[list[int], list[int]] | None = None

    def then_operation(self, entry: Entry, node: Node) -> Structure:
        """With one more operation, which makes `node`."""
        made = Structure(self, entry)
        made.count += 1
        made.operations += 1
        # A view or an alias keeps nothing beside what it is of.
        made.nbytes += 0 if node.op.is_free else node.spec.nbytes
        made.checks |= node.op.checks
        made.spec = node.spec
        return self._then(made)

    def then_call(self, entry: Entry, subgraph: Subgraph) -> Structure:
        """With a call of a subgraph."""
        made = Structure(self, entry)
        made.count += len(subgraph.outputs)
        made.operations += len(subgraph.steps)
        made.nbytes += subgraph.nbytes
        made.checks |= any(step.op.checks for step in subgraph.steps)
        return self._then(made)

    def _then(self, made: Structure) -> Structure:
        if next(_made) % MOST_KNOWN == 0:
            ROOT.next.clear()
        return self.next.setdefault(made.entry, made)

    def entries(self) -> list[Entry]:
        """The way from the root."""
        found = []
        place = self
        while place.before is not None:
            found.append(place.entry)
            place = place.before
        found.reverse()
        return found

    def leaves(self) -> list[Spec | tuple[Spec]]:
        """What is known of the leaves, in order."""
        references = itertools.chain.from_iterable(entry[2:] for entry in self.entries())
        met = itertools.pairwise(references)
        found = {~number: spec for number, spec in met if not isinstance(spec, int)}
        return [found[number] for number in sorted(found)]

    def uses(self) -> tuple[list[int], list[int]]:
        """How often each result, and each leaf, is an input."""
        if self._uses is None:
            results, leaves = [0] * self.count, [0] * len(self.leaves())
            for entry in self.entries():
                for one in entry[2:]:
                    if isinstance(one, int):
                        uses, number = (results, one) if one >= 0 else (leaves, ~one)
                        uses[number] += 1
            self._uses = results, leaves
        return self._uses


ROOT = Structure()
_made = itertools.count(1)
