"""What loops and branches have in common: bodies traced from functions, and their gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from flambeau.autograd.aliases import FUNCTION_OUTPUT
from flambeau.autograd.engine import gradients
from flambeau.core.context import context
from flambeau.core.dtypes import from_numpy
from flambeau.graph.body import Body, BodyTrace, close, inner, move_out
from flambeau.graph.node import Node, Spec, describe_location
from flambeau.graph.op import Alias, Joint
from flambeau.graph.recording import record
from flambeau.graph.subgraph import Step, tracing
from flambeau.graph.writes import undo_writes
from flambeau.ops.algebra import add
from flambeau.ops.elementwise_base import stored
from flambeau.ops.shape import zeros


class Traced(NamedTuple):
    """A body under construction: what it was given, and its results."""

    trace: BodyTrace
    given: list[Node]
    results: list[Node]

    def close(self, given: Sequence[Node], results: Sequence[Node]) -> tuple[Body, list[Node]]:
        """The body with inputs and results in this order, and what else it reads."""
        return close(self.trace, given, results)


def trace_body(
    function: Callable[[list[Node]], Sequence[Node]], given: Sequence[Spec], *, eager: bool = True
) -> Traced:
    """Trace `function`. With `eager` what depends on nothing inside is done once, outside.

    RuntimeError for what a body cannot do again and again.
    """
    places = [inner(spec, context.grad_enabled and spec.dtype.is_floating_point) for spec in given]
    trace = BodyTrace()
    try:
        with tracing(trace):
            results = list(function(places))
        _check(trace)
    except BaseException:
        undo_writes(trace.writes)
        trace.release()
        raise
    move_out(trace, places, lambda node: _may_move(node, eager))
    return Traced(trace, places, results)


def _may_move(node: Node, eager: bool) -> bool:
    if eager:
        return not node.op.checks and not node.op.effect
    # An arm of a branch that is not taken must not be computed.
    return isinstance(node.op, Alias)


def _check(trace: BodyTrace) -> None:
    """RuntimeError for what a body cannot do."""
    for node in trace.nodes:
        where = describe_location(node.source)
        if node.op.effect:
            raise RuntimeError(
                f"the body of a loop or branch draws random numbers ('{node.op.name}' at {where}); "
                "draw them before, and give them to it as an argument, for a scan as one of xs"
            )
        if node.op is FUNCTION_OUTPUT and node.owner and node.requires_grad:
            raise RuntimeError(
                f"the body of a loop or branch calls an autograd.Function (at {where}), whose "
                "gradient it cannot repeat; write it with operations, or use no_grad"
            )
    inside = set(trace.nodes)
    for _, _, old in trace.writes:
        if old not in inside:
            raise RuntimeError(
                "the body of a loop or branch writes in place to a tensor from outside of it; give "
                "the tensor to it as an argument, and return the new value"
            )


def pullback(
    body: Body, inputs: Sequence[Node], wanted: Sequence[Node], seeds: Sequence[Node | None]
) -> list[Node | None]:
    """The gradients of `wanted`, some of the inputs, given those of the body's results."""
    for one in wanted:  # which the trace was given
        one.requires_grad = True
    create_graph, context.grad_enabled = context.grad_enabled, True
    try:
        results = body.made_by(_recorded, inputs)
    finally:
        context.grad_enabled = create_graph
    pairs = [
        (result, seed)
        for result, seed in zip(results, seeds, strict=True)
        if seed is not None and result.requires_grad
    ]
    found = gradients(
        [result for result, _ in pairs],
        [seed for _, seed in pairs],
        {id(one) for one in wanted},
        retain_graph=True,
        create_graph=create_graph,
        stops={id(one) for one in wanted},
    )
    return [found[id(one)][1] if id(one) in found else None for one in wanted]


def _recorded(step: Step, sources: tuple[Node, ...]) -> Node:
    return record(step.op, sources, step.attributes)


def record_results(
    op: Joint, inputs: Sequence[Node], attributes: tuple[Any, ...], numbers: Iterable[int]
) -> list[Node]:
    """Some of the results of one evaluation."""
    # Each node has a tuple of its own: liveness counts the references to what is in them.
    return [record(op, (*inputs,), (*attributes, number)) for number in numbers]


def keep_for_gradients(results: Sequence[Node], kept: Callable[[], list[Node]]) -> None:
    """Have the results hold what their gradients begin with, if there are to be any."""
    differentiable = [one for one in results if one.requires_grad]
    if differentiable:
        values = kept()
        for one in differentiable:
            one.owner = values


def summed(grads: Sequence[Node | None], spec: Spec) -> Node:
    """The sum of those gradients that there are; zeros if there are none."""
    found = [one for one in grads if one is not None]
    return functools.reduce(add, found) if found else zeros(spec.shape, spec.dtype)


def sample_body(
    function: Callable[[list[Node]], Sequence[Node]], arrays: Sequence[np.ndarray]
) -> tuple[Body, list[np.ndarray]]:
    """A body for an op's samples, and the numbers it reads from around it, as arrays."""
    specs = [Spec.of(one.shape, from_numpy(one.dtype)) for one in arrays]
    traced = trace_body(function, specs)
    body, around = traced.close(traced.given, traced.results)
    return body, [np.array(one.attributes[0], one.dtype.numpy) for one in around]


def as_stored(arrays: Sequence[np.ndarray], specs: Sequence[Spec]) -> list[np.ndarray]:
    """What an op's NumPy meaning is given, as the results of ops are stored."""
    return [stored(one, spec.dtype) for one, spec in zip(arrays, specs, strict=True)]
