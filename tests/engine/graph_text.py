"""Pictures of plans, read back from graphviz's language."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass
class Graph:
    """A picture's text, read back."""

    clusters: list[list[str]]
    labels: dict[str, list[str]]
    edges: dict[tuple[str, str], str]

    def ops(self) -> list[list[str]]:
        return [[self.labels[name][0] for name in names] for names in self.clusters]

    def links(self) -> set[tuple[str, str]]:
        """The edges by what is written on their ends."""
        return {(self.labels[a][0], self.labels[b][0]) for a, b in self.edges}


_TEXT = r'"(?:[^"\\]|\\.)*"'


def read(text: str) -> Graph:
    """Read the text line by line; every line must be one of the few kinds there are."""
    graph, inside = Graph([], {}, {}), False
    first, *lines, last = text.splitlines()
    assert (first, last) == ("digraph plan {", "}")
    for line in map(str.strip, lines):
        if re.fullmatch(r"subgraph cluster_\d+ {", line):
            assert not inside
            inside = True
            graph.clusters.append([])
        elif line == "}":
            assert inside
            inside = False
        elif box := re.fullmatch(rf"(\w+) \[label=({_TEXT}), shape=\w+.*\];", line):
            assert box[1] not in graph.labels
            graph.labels[box[1]] = box[2][1:-1].split("\\n")
            if inside:
                graph.clusters[-1].append(box[1])
        elif edge := re.fullmatch(rf"(\w+) -> (\w+)(?: \[label=({_TEXT})\])?;", line):
            assert edge[1] in graph.labels
            assert edge[2] in graph.labels
            graph.edges[edge[1], edge[2]] = (edge[3] or '""')[1:-1]
        else:
            assert re.match(rf"label={_TEXT}; |nodesep=|node \[|edge \[", line), line
    assert not inside
    return graph
