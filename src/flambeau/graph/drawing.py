"""Pictures of a plan: its operations in the kernels that compute them, in graphviz's language.

Views of one value cost nothing and are written on the edge they lie on; all else is a box.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flambeau.graph.node import Node
from flambeau.graph.op import DATA, SCALAR, Alias, View

_STYLES = {
    "input": 'shape=ellipse, style=filled, fillcolor="#dcebf7"',
    "operation": "shape=box",
    "stored": 'shape=box, style="filled,bold", fillcolor="#f2f2f2"',
    "output": 'shape=box, style="filled,bold", fillcolor="#fde9c9"',
}


@dataclass
class Group:
    """A kernel: each value that it computes with those it is made of, and what it writes."""

    sources: dict[Node, tuple[Node, ...]]
    written: set[Node]


@dataclass(frozen=True)
class Box:
    """A value: its name in the text, what is written on it, and how it looks."""

    name: str
    label: str
    style: str


@dataclass
class Picture:
    """What is drawn, without the nodes, which would keep their memory alive."""

    groups: list[list[Box]] = field(default_factory=list)
    inputs: list[Box] = field(default_factory=list)
    # From and to, by name, and the views in between.
    edges: list[tuple[str, str, str]] = field(default_factory=list)


def is_drawn(node: Node) -> bool:
    """Whether a computed value gets a box: no alias, and no view of a single value."""
    if isinstance(node.op, View):
        return sum(one.op is not SCALAR for one in node.inputs) != 1
    return not isinstance(node.op, Alias)


def base_of(node: Node, known: set[Node]) -> tuple[Node, list[str]]:
    """The first known, or stored, value below the views that `node` is, and their names."""
    views: list[str] = []
    while node not in known and node.buffer is None and isinstance(node.op, (Alias, View)):
        if not node.inputs:
            break
        if isinstance(node.op, View):
            views.append(node.op.name)
        node = node.inputs[0]
    return node, views[::-1]


def draw(groups: Sequence[Group], outputs: set[Node]) -> Picture:
    """The picture of these kernels, which together compute `outputs`."""
    return _Drawer(groups, outputs).picture


class _Drawer:
    def __init__(self, groups: Sequence[Group], outputs: set[Node]) -> None:
        self.picture = Picture()
        self.outputs = outputs
        self.inputs: dict[Node, Box] = {}
        # The boxes of each written value: parts of it may come from several kernels.
        self.makers: dict[Node, list[Box]] = {}
        boxes = [self._group_boxes(number, group) for number, group in enumerate(groups, 1)]
        for group, own in zip(groups, boxes, strict=True):
            for node, sources in group.sources.items():
                self._edges(own, own[node], sources)
        self.picture.inputs = list(self.inputs.values())

    def _group_boxes(self, number: int, group: Group) -> dict[Node, Box]:
        boxes: dict[Node, Box] = {}
        for place, node in enumerate(group.sources):
            style = "operation"
            if node in group.written:
                style = "output" if node in self.outputs else "stored"
            name = f"kernel{number}_{place}"
            boxes[node] = box = Box(name, _label(node, style), style)
            if node in group.written:
                self.makers.setdefault(node, []).append(box)
        self.picture.groups.append(list(boxes.values()))
        return boxes

    def _edges(self, own: dict[Node, Box], box: Box, sources: Sequence[Node]) -> None:
        known = own.keys() | self.makers.keys()
        for source in dict.fromkeys(sources):
            base, views = base_of(source, known)
            for start in self._boxes(base, own):
                self.picture.edges.append((start.name, box.name, " ".join(views)))

    def _boxes(self, node: Node, own: dict[Node, Box]) -> list[Box]:
        if node in own:
            return [own[node]]
        if node in self.makers:
            return self.makers[node]
        if node.buffer is None and node.op is not DATA:
            return []  # a Python number, which is written on the box
        if node not in self.inputs:
            name = f"input{len(self.inputs)}"
            self.inputs[node] = Box(name, f"input {_value(node)}", "input")
        return [self.inputs[node]]


def _label(node: Node, style: str) -> str:
    numbers = [f" {one.attributes[0]:g}" for one in node.inputs if one.op is SCALAR]
    return f"{node.op.name}{''.join(numbers)}\n" + (
        f"{node.spec}" if style == "operation" else _value(node)
    )


def _value(node: Node) -> str:
    return f"{node.spec}\n{_bytes(node.spec.nbytes)}"


def _bytes(count: int) -> str:
    return f"{count} bytes" if count < 10_000 else f"{count / 1e3:,.0f} kB"


def dot_text(picture: Picture, title: str, captions: Sequence[str]) -> str:
    """The picture as a graph in the DOT language, with a title and a caption for each kernel.

    >>> print(dot_text(Picture([[Box("a", "exp", "output")]]), "plan 1", ["kernel 1"]))
    digraph plan {
      label="plan 1"; labelloc=t; fontname="sans-serif"; newrank=true;
      node [fontname="sans-serif", fontsize=10];
      edge [fontname="sans-serif", fontsize=9];
      subgraph cluster_1 {
        label="kernel 1"; style=rounded; fontsize=11;
        a [label="exp", shape=box, style="filled,bold", fillcolor="#fde9c9"];
      }
    }
    """
    return "\n".join(["digraph plan {", *_lines(picture, title, captions), "}"])


def _lines(picture: Picture, title: str, captions: Sequence[str]) -> Iterator[str]:
    yield f'  label={_quoted(title)}; labelloc=t; fontname="sans-serif"; newrank=true;'
    yield '  node [fontname="sans-serif", fontsize=10];'
    yield '  edge [fontname="sans-serif", fontsize=9];'
    for box in picture.inputs:
        yield f"  {_box(box)}"
    for number, (boxes, caption) in enumerate(zip(picture.groups, captions, strict=True), 1):
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_quoted(caption)}; style=rounded; fontsize=11;"
        for box in boxes:
            yield f"    {_box(box)}"
        yield "  }"
    for start, end, views in picture.edges:
        label = f" [label={_quoted(views)}]" if views else ""
        yield f"  {start} -> {end}{label};"


def _box(box: Box) -> str:
    return f"{box.name} [label={_quoted(box.label)}, {_STYLES[box.style]}];"


def _quoted(text: str) -> str:
    r"""A string of the DOT language.

    >>> print(_quoted('a "b"\nc'))
    "a \"b\"\nc"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
