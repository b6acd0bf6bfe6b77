"""Numbers for nodes, in order of first use."""

from __future__ import annotations

from flambeau.graph.node import Node


class Numbering:
    """Calling it with a node gives the node's number, a new one the first time."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.numbers: dict[Node, int] = {}

    def __call__(self, node: Node) -> int:
        if node not in self.numbers:
            self.numbers[node] = len(self.nodes)
            self.nodes.append(node)
        return self.numbers[node]
