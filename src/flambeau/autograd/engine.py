"""Gradients as more nodes: the reverse walk over the graph.

The graph of values is the autograd graph. Each node's op gives the gradients of its inputs, written
with ordinary ops, so that they can be differentiated again and are compiled like any other code.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from flambeau.autograd.aliases import FUNCTION_OUTPUT
from flambeau.core.context import context
from flambeau.graph.node import FREED, Node, user_location
from flambeau.graph.op import NOTHING, PARAMETER, Elementwise, Joint
from flambeau.ops.algebra import add
from flambeau.ops.shape import full, sum_to

SECOND_TIME = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)


class Call(Protocol):
    """A call of a user's Function: what stands behind its outputs."""

    inputs: tuple[Node, ...]
    freed: bool

    def gradients(self, grads: Sequence[Node | None]) -> Sequence[Node | None]:
        """The gradients of the inputs, given those of the outputs."""
        ...

    def free(self) -> None:
        """Forget what was saved."""
        ...

    @property
    def output_count(self) -> int:
        """How many results the call gave."""
        ...


def identity(node: Node) -> int:
    """What tells values apart: for a leaf the tensor, however often it was read."""
    if node.op is PARAMETER and node.owner is not None:
        return id(node.owner())
    return id(node)


def gradients(
    outputs: Sequence[Node],
    seeds: Sequence[Node | None],
    wanted: Collection[int] | None,
    *,
    retain_graph: bool,
    create_graph: bool,
    stops: Collection[int] = (),
) -> dict[int, tuple[Node, Node]]:
    """The nodes asked for, each with its gradient, by `identity`.

    The seeds are the outputs' own gradients; None stands for one. `wanted` are identities; None
    asks for all leaves. What is in `stops` counts as constant.
    """
    before, context.grad_enabled = context.grad_enabled, create_graph
    line = context.location
    context.location = line or user_location()
    try:
        walk = Walk(outputs, wanted, retain_graph, stops)
        found = walk.run(outputs, seeds)
    finally:
        context.grad_enabled = before
        context.location = line
    if not retain_graph:
        cut(walk.spent_nodes())
    return found


class Walk:
    """One backward pass."""

    def __init__(
        self,
        outputs: Sequence[Node],
        wanted: Collection[int] | None,
        retain_graph: bool,
        stops: Collection[int] = (),
    ) -> None:
        self.wanted = wanted
        self.stops = stops
        self.retain_graph = retain_graph
        self.order = _topological(outputs)
        self.needed = None if wanted is None else self._leading_to(wanted)
        self.pending: dict[Node, Node] = {}
        self.found: dict[int, tuple[Node, Node]] = {}
        self.calls: dict[Any, _Gathered] = {}
        # Nodes whose gradient rule has read what it reads for the last time.
        self.spent: set[Node] = set()

    def _leading_to(self, wanted: Collection[int]) -> set[Node]:
        needed: set[Node] = set()
        for node in self.order:
            key = identity(node)
            if key in wanted or (key not in self.stops and not needed.isdisjoint(sources(node))):
                needed.add(node)
        return needed

    def run(
        self, outputs: Sequence[Node], seeds: Sequence[Node | None]
    ) -> dict[int, tuple[Node, Node]]:
        for output, seed in zip(outputs, seeds, strict=True):
            self._contribute(output, seed or full(output.spec.shape, 1, output.spec.dtype))
        self._count_outputs()
        for node in reversed(self.order):
            if self.needed is not None and node not in self.needed:
                continue
            known = self.pending.pop(node) if node in self.pending else None
            grad = None if known is None else self._observed(node, known)
            if self.stops and identity(node) in self.stops:
                grad = None
            if node.op is FUNCTION_OUTPUT and node.owner:
                self._function(node, grad)
            elif isinstance(node.op, Joint):
                self._joint(node, node.op, grad)
            elif grad is not None and node.op is not PARAMETER:
                self._differentiate(node, grad)
        return self.found

    def _observed(self, node: Node, grad: Node) -> Node:
        """The gradient after the node's hooks, noted if it was asked for."""
        for hook in tuple(node.hooks or ()):
            replaced = hook(grad)
            if replaced is not None:
                grad = replaced
        if node.op is PARAMETER if self.wanted is None else identity(node) in self.wanted:
            key = identity(node)
            if key in self.found:
                grad = add(self.found[key][1], grad)
            self.found[key] = (node, grad)
        return grad

    def _differentiate(self, node: Node, grad: Node) -> None:
        inputs, op = node.inputs, node.op
        if node.owner is FREED:
            raise RuntimeError(SECOND_TIME)
        if node.attributes:
            results = op.gradient(grad, node, **op.named(node.attributes))
        else:
            results = op.gradient(grad, node)
        broadcasts = isinstance(op, Elementwise)
        for source, one in zip(inputs, results, strict=True):
            if one is not None and source.requires_grad:
                if broadcasts and one.spec.shape != source.spec.shape:
                    one = sum_to(one, source.spec.shape)
                self._contribute(source, one)
        if op.reads != NOTHING:
            self.spent.add(node)

    def spent_nodes(self) -> list[Node]:
        """What no backward can pass any more once what the gradients read is freed."""
        found = []
        for node in self.order:
            if node in self.spent or not self.spent.isdisjoint(node.inputs):
                self.spent.add(node)
                if node.op is not FUNCTION_OUTPUT and node.op is not PARAMETER:
                    found.append(node)
        return found

    def _contribute(self, node: Node, grad: Node) -> None:
        known = self.pending.get(node)
        self.pending[node] = grad if known is None else add(known, grad)

    def _count_outputs(self) -> None:
        for node in self.order:
            if node.op is FUNCTION_OUTPUT and node.owner:
                call = node.owner[0]
                gathered = self.calls.get(call)
                if gathered is None:
                    gathered = self.calls[call] = _Gathered(call.output_count)
                gathered.missing += self.needed is None or node in self.needed
            elif isinstance(node.op, Joint):
                key = (node.op, node.attributes[:-1], node.inputs)
                if key not in self.calls:
                    count = node.op.result_count(**node.op.named(node.attributes))
                    self.calls[key] = _Gathered(count)
                self.calls[key].missing += self.needed is None or node in self.needed

    def _function(self, node: Node, grad: Node | None) -> None:
        """A Function's backward runs once the gradients of all its outputs are in."""
        call, index = node.owner
        gathered = self.calls[call]
        if not gathered.add(index, grad):
            return
        if call.freed:
            raise RuntimeError(SECOND_TIME)
        for source, one in zip(call.inputs, call.gradients(gathered.grads), strict=True):
            if one is not None and source.requires_grad:
                self._contribute(source, one)
        if not self.retain_graph:
            call.free()

    def _joint(self, node: Node, op: Joint, grad: Node | None) -> None:
        """The gradients of several results of one evaluation, once all of them are in."""
        if node.owner is FREED:
            raise RuntimeError(SECOND_TIME)
        self.spent.add(node)
        gathered = self.calls[node.op, node.attributes[:-1], node.inputs]
        if not gathered.add(node.attributes[-1], grad):
            return
        results = op.gradients(gathered.grads, node, **op.named(node.attributes))
        for source, one in zip(node.inputs, results, strict=True):
            if one is not None and source.requires_grad:
                self._contribute(source, one)


def cut(nodes: Sequence[Node]) -> None:
    """Cut the links of these nodes, which frees what they held."""
    for node in nodes:
        if isinstance(node.owner, list):
            node.owner.clear()  # what results of one evaluation keep together
        node.owner = FREED
        if node.buffer is not None:
            node.inputs = ()


class _Gathered:
    """The gradients of the results of one call so far, and how many have not reported."""

    def __init__(self, count: int) -> None:
        self.grads: list[Node | None] = [None] * count
        self.missing = 0

    def add(self, number: int, grad: Node | None) -> bool:
        """Add the gradient of a result; whether all are in and there is one."""
        known = self.grads[number]
        if grad is not None:
            self.grads[number] = grad if known is None else add(known, grad)
        self.missing -= 1
        return not self.missing and any(one is not None for one in self.grads)


def sources(node: Node) -> tuple[Node, ...]:
    """The nodes that a node's gradient flows to."""
    if node.op is FUNCTION_OUTPUT and node.owner:
        inputs: tuple[Node, ...] = node.owner[0].inputs
        return inputs
    return () if node.op is PARAMETER else node.inputs


def _topological(outputs: Sequence[Node]) -> list[Node]:
    """All nodes that gradients flow through, inputs before what is made of them."""
    order: list[Node] = []
    seen: set[Node] = set()
    # Each node twice: to visit its sources, and (as None and the node) to be listed after them.
    stack: list[Node | None] = [output for output in outputs if output.requires_grad]
    while stack:
        node = stack.pop()
        if node is None:
            order.append(stack.pop())  # type: ignore[arg-type]
        elif node not in seen:
            seen.add(node)
            stack += (node, None)
            stack += [one for one in sources(node) if one.requires_grad and one not in seen]
    return order
