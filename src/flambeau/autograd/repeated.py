"""The backward pass of a graph of known shape, recorded as one call.

A training loop differentiates the same graph in every step. The first time, the walk's operations
are traced into a subgraph; later ones number the graph's nodes, look that up, and call it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from flambeau.autograd.aliases import FUNCTION_OUTPUT
from flambeau.autograd.engine import Walk, cut, gradients, identity
from flambeau.core.context import context
from flambeau.graph.node import FREED, Node
from flambeau.graph.op import PARAMETER, SCALAR
from flambeau.graph.recording import call
from flambeau.graph.subgraph import Subgraph, Trace, as_subgraph, tracing
from flambeau.ops.shape import PERMUTE

MOST_KNOWN = 1024


class _Backward(NamedTuple):
    """A known backward pass. Nodes are given by their numbers in `_numbered`."""

    subgraph: Subgraph
    inputs: list[int]
    constants: tuple[Node, ...]
    # The leaves reached, and the number of the result that is the gradient of each.
    found: list[tuple[int, int]]
    # The nodes whose links are cut afterwards, unless the graph is retained.
    spent: list[int]


# None for a graph whose walk reads what its structure does not show.
_known: dict[Any, _Backward | None] = {}
_NEVER_SEEN: Any = object()


def leaf_gradients(
    outputs: Sequence[Node],
    seeds: Sequence[Node | None],
    *,
    retain_graph: bool,
    create_graph: bool,
) -> Iterable[tuple[Node, Node]]:
    """Each leaf that the outputs were computed from, with its gradient.

    A seed that is None stands for a gradient of one.
    """
    once = create_graph or context.eager or context.capture is not None
    numbered = None if once else _numbered(outputs, seeds)
    if numbered is not None:
        nodes, structure = numbered
        known = _known.get(structure, _NEVER_SEEN)
        if known is _NEVER_SEEN:
            if len(_known) >= MOST_KNOWN:
                del _known[next(iter(_known))]
            known = _known[structure] = _traced(nodes, outputs, seeds)
        if known is not None:
            return _called(known, nodes, retain_graph)
    return gradients(
        outputs, seeds, None, retain_graph=retain_graph, create_graph=create_graph
    ).values()


def _numbered(
    outputs: Sequence[Node], seeds: Sequence[Node | None]
) -> tuple[list[Node], tuple[Any, ...]] | None:
    """The nodes a backward pass may read, and what decides which operations it records.

    None where Python takes part in it (hooks, a Function), or where it is to fail.
    """
    ends = [*outputs, *[seed for seed in seeds if seed is not None]]
    nodes = list(dict.fromkeys(ends))
    numbers = {node: number for number, node in enumerate(nodes)}
    owners: dict[int, int] = {}
    structure: list[Any] = [tuple([numbers[node] for node in ends])]
    structure.append(tuple([seed is None for seed in seeds]))
    for node in nodes:  # which grows on the way
        op = node.op
        if op is PARAMETER and node.requires_grad:
            if node.hooks:
                return None
            structure.append((op, node.spec, owners.setdefault(identity(node), len(owners))))
            continue
        if node.requires_grad:
            if node.hooks or node.owner is FREED or (op is FUNCTION_OUTPUT and node.owner):
                return None
        elif op is not PERMUTE:  # which the rules look through
            structure.append((op is SCALAR, node.spec))
            continue
        entry: list[Any] = [op, node.attributes, node.requires_grad]
        kept = node.owner if isinstance(node.owner, list) else ()
        for source in (*node.inputs, *kept):
            number = numbers.setdefault(source, len(nodes))
            if number == len(nodes):
                nodes.append(source)
            entry.append(number)
        structure.append(tuple(entry))
    return nodes, tuple(structure)


def _traced(
    nodes: list[Node], outputs: Sequence[Node], seeds: Sequence[Node | None]
) -> _Backward | None:
    """The backward pass of this graph, walked once; None if it reads more than `nodes`."""
    numbers = {node: number for number, node in enumerate(nodes)}
    trace = Trace()
    before, context.grad_enabled = context.grad_enabled, False
    try:
        with tracing(trace):
            walk = Walk(outputs, None, retain_graph=False)
            found = list(walk.run(outputs, seeds).values())
    finally:
        context.grad_enabled = before
    grads = list(dict.fromkeys(grad for _, grad in found))
    made = as_subgraph(trace, nodes, grads)
    trace.release()
    if made is None:
        return None
    places = [(numbers[leaf], grads.index(grad)) for leaf, grad in found]
    return _Backward(*made, places, [numbers[node] for node in walk.spent_nodes()])


def _called(known: _Backward, nodes: list[Node], retain_graph: bool) -> list[tuple[Node, Node]]:
    inputs = [nodes[place] for place in known.inputs]
    results = call(known.subgraph, (*inputs, *known.constants))
    if not retain_graph:
        cut([nodes[number] for number in known.spent])
    return [(nodes[leaf], results[result]) for leaf, result in known.found]
