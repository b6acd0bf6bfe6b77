"""The log of in-place writes: nodes are pure, so a write can be taken back."""

from __future__ import annotations

import weakref
from typing import Protocol

from flambeau.graph.node import Node


class Written(Protocol):
    """What holds a value that can be replaced."""

    def put_back(self, node: Node) -> None:
        """Hold an earlier value again."""


# What was written, if it still exists; the number of nodes recorded before; the node replaced.
Write = tuple["weakref.ref[Written]", int, Node]


def undo_writes(writes: list[Write], position: int = 0) -> None:
    """Take back the writes from `position` on, and forget them all."""
    for reference, before, old in reversed(writes):
        written = reference()
        if written is not None and before >= position:
            written.put_back(old)
    writes.clear()
