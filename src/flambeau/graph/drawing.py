"""Pictures of a plan: its operations in the kernels that compute them, in graphviz's language.

Views of one value cost nothing and are written on the edge they lie on; all else is a box.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from flambeau.graph.node import Node
from flambeau.graph.op import DATA, SCALAR, Alias, View

_STYLES = {
    "input": 'shape=box, style="filled,rounded", fillcolor="#dcebf7"',
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
    """A value: its name in the text, what made it, its shape and its size, and how it looks."""

    name: str
    operation: str
    value: str
    style: str


@dataclass
class Picture:
    """What is drawn, without the nodes, which would keep their memory alive."""

    groups: list[list[Box]] = field(default_factory=list)
    inputs: list[Box] = field(default_factory=list)
    # From and to, by name, and the views in between.
    edges: list[tuple[str, str, str]] = field(default_factory=list)


def is_drawn(node: Node) -> bool:
    """Whether a computed value gets a box: no alias, and no view of a single value or number."""
    if isinstance(node.op, View):
        return sum(one.op is not SCALAR for one in node.inputs) > 1
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
            value = f"{node.spec}" if style == "operation" else f"{node.spec}\n{_size(node)}"
            boxes[node] = box = Box(name, _operation(node), value, style)
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
            self.inputs[node] = Box(name, f"input {node.spec}", _size(node), "input")
        return [self.inputs[node]]


def _operation(node: Node) -> str:
    """Its name and the Python numbers that it takes."""
    taken = [base_of(one, set())[0] for one in node.inputs]
    numbers = [f"{one.attributes[0]:g}" for one in taken if one.op is SCALAR]
    return f"{node.op.name} {', '.join(numbers)}".strip()


def _size(node: Node) -> str:
    count = node.spec.nbytes
    return f"{count} bytes" if count < 10_000 else f"{count / 1e3:,.0f} kB"


def overview(picture: Picture, captions: Sequence[str]) -> Picture:
    r"""The same with one box for each kernel, which says what `captions` says of it.

    >>> a, b = Box("a", "exp", "float32[3]\n12 bytes", "stored"), Box("b", "sum", "", "output")
    >>> whole = overview(Picture([[a], [b]], edges=[("a", "b", "")]), ["one", "two"])
    >>> whole.edges
    [('kernel1', 'kernel2', 'float32[3]')]
    """
    whole = Picture(inputs=picture.inputs)
    owner = {one.name: one.name for one in picture.inputs}
    values: dict[str, str] = {}
    for number, (boxes, caption) in enumerate(zip(picture.groups, captions, strict=True), 1):
        style = "output" if any(one.style == "output" for one in boxes) else "stored"
        text = "\n".join(wrapped for line in caption.splitlines() for wrapped in wrap(line, 36))
        whole.inputs.append(Box(f"kernel{number}", text, "", style))
        owner.update((one.name, f"kernel{number}") for one in boxes)
        values.update((one.name, one.value.partition("\n")[0]) for one in boxes)
    edges = [(owner[start], owner[end], values.get(start, "")) for start, end, _ in picture.edges]
    whole.edges = [one for one in dict.fromkeys(edges) if one[0] != one[1]]
    return whole


def dot_text(picture: Picture, title: str, captions: Sequence[str]) -> str:
    r"""The picture as a graph in the DOT language, with a title and a caption for each kernel.

    >>> print(dot_text(Picture([[Box("a", "exp", "float32[3]", "output")]]), "plan", ["kernel 1"]))
    digraph plan {
      label="plan"; labelloc=t; fontname="sans-serif"; fontsize=12; newrank=true;
      nodesep=0.15; ranksep=0.25;
      node [fontname="sans-serif", fontsize=10, height=0.2, margin="0.08,0.04"];
      edge [fontname="sans-serif", fontsize=9, color="#707070", arrowsize=0.6];
      subgraph cluster_1 {
        label="kernel 1"; style=rounded; color="#a0a0a0"; fontsize=10;
        a [label="exp\nfloat32[3]", shape=box, style="filled,bold", fillcolor="#fde9c9"];
      }
    }
    """
    return "\n".join(["digraph plan {", *_lines(picture, title, captions), "}"])


def _lines(picture: Picture, title: str, captions: Sequence[str]) -> Iterator[str]:
    yield f'  label={_quoted(title)}; labelloc=t; fontname="sans-serif"; fontsize=12; newrank=true;'
    yield "  nodesep=0.15; ranksep=0.25;"
    yield '  node [fontname="sans-serif", fontsize=10, height=0.2, margin="0.08,0.04"];'
    yield '  edge [fontname="sans-serif", fontsize=9, color="#707070", arrowsize=0.6];'
    for box in picture.inputs:
        yield f"  {_box(box)}"
    for number, (boxes, caption) in enumerate(zip(picture.groups, captions, strict=True), 1):
        yield f"  subgraph cluster_{number} {{"
        yield f'    label={_quoted(caption)}; style=rounded; color="#a0a0a0"; fontsize=10;'
        for box in boxes:
            yield f"    {_box(box)}"
        yield "  }"
    for start, end, text in picture.edges:
        label = f" [label={_quoted(text)}]" if text else ""
        yield f"  {start} -> {end}{label};"


def _box(box: Box) -> str:
    text = "\n".join(part for part in (box.operation, box.value) if part)
    return f"{box.name} [label={_quoted(text)}, {_STYLES[box.style]}];"


def _quoted(text: str) -> str:
    r"""A string of the DOT language.

    >>> print(_quoted('a "b"\nc'))
    "a \"b\"\nc"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
