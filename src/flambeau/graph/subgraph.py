"""Subgraphs: operations that are recorded together again and again, entered as one.

A training loop records the same backward pass and the same update in every step. Recorded once into
a `Trace`, they become a `Subgraph`; from then on a single entry of the recording stands for them,
which costs a fraction of the Python. A recording of new structure is inlined before it is compiled,
so the compiler never meets a subgraph, and fuses across its borders.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple
from weakref import WeakValueDictionary

from flambeau.core.context import context
from flambeau.graph.inference import inferred
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import NOTHING, SCALAR, Op
from flambeau.graph.structure import ROOT
from flambeau.graph.writes import Write


class Step(NamedTuple):
    """One operation; an input is the number of an earlier step, or ~n for the subgraph's n-th."""

    op: Op
    attributes: tuple[Any, ...]
    spec: Spec
    inputs: tuple[int, ...]


class Subgraph:
    """Steps in order, and which of them are results. Interned: equal subgraphs are one object."""

    __slots__ = ("__weakref__", "nbytes", "outputs", "results", "steps")

    _known: ClassVar[WeakValueDictionary[Any, Subgraph]] = WeakValueDictionary()

    def __init__(self, steps: tuple[Step, ...], results: tuple[int, ...]) -> None:
        self.steps = steps
        self.results = results
        # The attributes and the spec of the nodes that stand for the results.
        self.outputs = [((self, place), steps[number].spec) for place, number in enumerate(results)]
        self.nbytes = sum(step.spec.nbytes for step in steps if not step.op.is_free)

    @classmethod
    def of(cls, steps: Sequence[Step], results: Sequence[int]) -> Subgraph:
        """The one subgraph of these steps and results."""
        key = (tuple(steps), tuple(results))
        found = cls._known.get(key)
        return found if found is not None else cls._known.setdefault(key, cls(*key))

    def __repr__(self) -> str:
        return f"subgraph of {len(self.steps)}"


class SubgraphResult(Op):
    """One result of a subgraph, by number. Results of one call share their tuple of inputs."""

    name = "subgraph"
    parameters = ("subgraph", "number")
    reads = NOTHING
    differentiable = False


SUBGRAPH = SubgraphResult()


class Trace:
    """Stands in for a recording while operations are collected; has what `record` needs."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.writes: list[Write] = []
        self.leaf_positions: dict[int, int] = {}
        self.structure, self.most_nodes, self.most_bytes = ROOT, math.inf, math.inf
        self.taken = False

    def append(self, node: Node) -> None:
        """Add a node; what it reads from outside the trace is an input."""
        node.spec = inferred(node)
        node.recording = self
        node.position = len(self.nodes)
        self.nodes.append(node)

    def release(self) -> None:
        """Let the nodes go, which refer to the trace as it does to them."""
        for node in self.nodes:
            node.recording = None
        self.nodes = []


@contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """Collect what this block records, which does not become part of the thread's recording."""
    before, context.recording = context.recording, trace
    try:
        yield
    finally:
        context.recording = before


def as_subgraph(
    trace: Trace, given: Sequence[Node], results: Sequence[Node]
) -> tuple[Subgraph, list[int], tuple[Node, ...]] | None:
    """The subgraph of a trace; its inputs: given nodes, by place, and after them constants.

    None if it reads other values than those, gives others than its own, or records something to be
    differentiated.
    """
    own = set(trace.nodes)
    read = [source for node in trace.nodes for source in node.inputs if source not in own]
    outside = dict.fromkeys(read)
    known = [place for place, node in enumerate(given) if node in outside]
    for place in known:
        del outside[given[place]]  # which has no node twice
    if any(node.op is not SCALAR for node in outside) or any(one.requires_grad for one in own):
        return None
    if not own.issuperset(results):
        return None
    inputs = [*[given[place] for place in known], *outside]
    numbers = {node: ~place for place, node in enumerate(inputs)}
    numbers.update({node: place for place, node in enumerate(trace.nodes)})
    steps = [
        Step(node.op, node.attributes, node.spec, tuple([numbers[one] for one in node.inputs]))
        for node in trace.nodes
    ]
    return Subgraph.of(steps, [numbers[node] for node in results]), known, tuple(outside)


def inlined(nodes: Sequence[Node]) -> list[Node]:
    """The nodes with the operations of subgraphs in place of their calls.

    A result becomes the operation that makes it, which is the same value, and keeps its position.
    """
    found: list[Node] = []
    place = 0
    while place < len(nodes):
        node = nodes[place]
        if node.op is not SUBGRAPH:
            found.append(node)
            place += 1
            continue
        siblings = [node]
        while place + len(siblings) < len(nodes) and _together(node, nodes[place + len(siblings)]):
            siblings.append(nodes[place + len(siblings)])
        place += len(siblings)
        found += inline(siblings)
    return found


def _together(first: Node, second: Node) -> bool:
    return second.op is SUBGRAPH and second.inputs is first.inputs


def inline(results: Sequence[Node]) -> list[Node]:
    """The operations of one call, of which `results` are some results."""
    first = results[0]
    subgraph: Subgraph = first.attributes[0]
    inputs = first.inputs
    own = {subgraph.results[node.attributes[1]]: node for node in results}
    made: list[Node] = []
    for number, (op, attributes, spec, references) in enumerate(subgraph.steps):
        sources = tuple([made[one] if one >= 0 else inputs[~one] for one in references])
        node = own.get(number)
        if node is None:
            node = Node(op, sources, attributes, spec, False, None, first.source)
            node.position = first.position
        else:
            node.op, node.inputs, node.attributes = op, sources, attributes
        made.append(node)
    return made
