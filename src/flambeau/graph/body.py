"""Bodies: what a loop does in each round, or a branch in one case, as a graph of its own.

A body is traced once, on inner values that stand for what it will be given. What it reads from
around it becomes an input like those; what depends on nothing inside can be moved out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from flambeau.graph.node import Node, Spec
from flambeau.graph.op import DETACH, INNER, PARAMETER
from flambeau.graph.recording import current
from flambeau.graph.subgraph import SUBGRAPH, Step, Subgraph, Trace, inline


class Body:
    """Steps in order, what their inputs are, and which steps or inputs are the results.

    Interned: equal bodies are one object.
    """

    __slots__ = ("__weakref__", "inputs", "numbers", "results", "steps")

    _known: ClassVar[WeakValueDictionary[Any, Body]] = WeakValueDictionary()

    def __init__(
        self, steps: tuple[Step, ...], inputs: tuple[Spec, ...], numbers: tuple[int, ...]
    ) -> None:
        self.steps, self.inputs, self.numbers = steps, inputs, numbers
        self.results = [steps[one].spec if one >= 0 else inputs[~one] for one in numbers]

    @classmethod
    def of(cls, steps: Sequence[Step], inputs: Sequence[Spec], numbers: Sequence[int]) -> Body:
        """The one body of these steps, inputs (given, then from around) and results."""
        key = (tuple(steps), tuple(inputs), tuple(numbers))
        found = cls._known.get(key)
        return found if found is not None else cls._known.setdefault(key, cls(*key))

    def __repr__(self) -> str:
        return f"body of {len(self.steps)}"

    def made_by(
        self, make: Callable[[Step, tuple[Node, ...]], Node], inputs: Sequence[Node]
    ) -> list[Node]:
        """The results of the operations on these inputs; each is made by `make(step, sources)`."""
        made: list[Node] = []
        for step in self.steps:
            sources = tuple([made[one] if one >= 0 else inputs[~one] for one in step.inputs])
            made.append(make(step, sources))
        return [made[one] if one >= 0 else inputs[~one] for one in self.numbers]


class BodyTrace(Trace):
    """Collects the operations of a body."""

    def call(self, subgraph: Subgraph, inputs: tuple[Node, ...]) -> list[Node]:
        """Add the operations of a subgraph, each by itself; its results."""
        results = [
            Node(SUBGRAPH, inputs, attributes, spec) for attributes, spec in subgraph.outputs
        ]
        for node in inline(results):
            self.append(node)
        return results


def inner(spec: Spec, requires_grad: bool = False) -> Node:
    """A value that a body is to be given."""
    return Node(INNER, (), (), spec, requires_grad)


def move_out(trace: Trace, given: Iterable[Node], may: Callable[[Node], bool]) -> None:
    """Record what depends on nothing inside, and may be done outside, in the current recording."""
    inside = set(given)
    kept: list[Node] = []
    for node in trace.nodes:
        if not inside.isdisjoint(node.inputs) or not may(node):
            inside.add(node)
            node.position = len(kept)
            kept.append(node)
        else:
            current().append(node)
    trace.nodes = kept


def close(trace: Trace, given: Sequence[Node], results: Sequence[Node]) -> tuple[Body, list[Node]]:
    """The body that was traced, with what is needed for `results`; what it reads from around."""
    needed = set(results)
    live: list[Node] = []
    for node in reversed(trace.nodes):
        if node in needed:
            live.append(node)
            needed.update(node.inputs)
    live.reverse()
    inside = {*live, *given}
    read = [one for node in live for one in node.inputs] + list(results)
    around = [one for one in dict.fromkeys(read) if one not in inside]
    numbers = {node: ~place for place, node in enumerate([*given, *around])}
    steps: list[Step] = []
    for node in live:
        sources = tuple([numbers[one] for one in node.inputs])
        steps.append(Step(node.op, node.attributes, node.spec, sources))
        numbers[node] = len(steps) - 1
        if _is_cut_off(node):
            steps.append(Step(DETACH, (), node.spec, (len(steps) - 1,)))
            numbers[node] = len(steps) - 1
    inputs = [one.spec for one in (*given, *around)]
    return Body.of(steps, inputs, [numbers[node] for node in results]), around


def _is_cut_off(node: Node) -> bool:
    """Whether it was recorded so that gradients do not pass, as under `no_grad`."""
    return (
        not node.requires_grad
        and node.op.differentiable
        and node.op is not PARAMETER
        and node.spec.dtype.is_floating_point
        and any(one.requires_grad for one in node.inputs)
    )
