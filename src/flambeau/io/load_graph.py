"""From a graph file to a callable: its nodes are recorded once, compiled, and run as a plan."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau.core.context import context
from flambeau.engine.flush import compute, engine, flush
from flambeau.graph.body import Body, BodyTrace, close, inner
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import Recording, data, record, scalar
from flambeau.graph.subgraph import tracing
from flambeau.io.graph_file import Graph, Inside, Result, Value, read_graph
from flambeau.io.op_table import OPS, check_arguments
from flambeau.ops.indexing import GATHER, INDEX, INDEX_PUT, WRAP_INDEX, check_range
from flambeau.ops.shape import EXPAND
from flambeau.runtime.buffers import Buffer
from flambeau.runtime.plan import Fault, Plan, explain_fault
from flambeau.tensor.creation import as_tensor
from flambeau.tensor.feed import Feed, Source
from flambeau.tensor.storage import copied, duplicate
from flambeau.tensor.tensor import Tensor, wrap

# What ops raise for inputs they refuse, and Python for numbers.
_REFUSALS = (ValueError, TypeError, RuntimeError, IndexError, OverflowError)


def load_graph(path: str | os.PathLike[str]) -> LoadedGraph:
    """The graph of a file that `flambeau.export` wrote, as a function of its inputs.

    FileNotFoundError without a file; ValueError, with what is wrong, for one that is truncated,
    altered, of an unknown version, or that says what cannot be.

    >>> import flambeau, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "double.graph")
    >>> flambeau.export(lambda x: x * 2, path, flambeau.ones(2))
    >>> flambeau.load_graph(path)(flambeau.tensor([1.0, 3.0]))
    tensor([2., 6.])
    """
    graph = read_graph(path)
    try:
        return LoadedGraph(graph)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{os.fspath(path)} holds no valid graph: {error}") from error


class LoadedGraph:
    """A function of tensors: give it one for each of `inputs`, by position or by name.

    The results have the structure that the exported function gave, and no history of gradients.
    """

    def __init__(self, graph: Graph) -> None:
        # By name, the shape and the dtype of each input.
        self.inputs: dict[str, Spec] = {
            one.what: Spec.of(one.shape, one.dtype) for one in graph.values if one.kind == "input"
        }
        kinds = [one.kind for one in graph.values]
        if kinds.count("input") != len(self.inputs) or {*kinds[: len(self.inputs)]} - {"input"}:
            raise ValueError("the inputs have to come first, each with a name of its own")
        self._results = graph.results
        before = context.recording, context.grad_enabled, context.capture
        # No part of the program that loads it.
        recording = context.recording = Recording(endless=True)
        context.grad_enabled, context.capture = False, None
        try:
            nodes = _nodes(graph)
            outputs = {number: _computed(nodes[number]) for number in _numbers(graph.results)}
        finally:
            context.recording, context.grad_enabled, context.capture = before
        self._specs = {number: node.spec for number, node in outputs.items()}
        self._places = {}
        self._feed = None
        if outputs:
            plan = _plan(recording, list(outputs.values()))
            self._places = {key: plan.results[one.position] for key, one in outputs.items()}
            self._feed = Feed(plan, _sources(recording, nodes[: len(self.inputs)]))
        for node in recording.nodes:
            node.recording = None  # which refers to them, and to the weights

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The results. TypeError, ValueError for what the inputs are not."""
        given = [self._checked(name, one) for name, one in self._bound(args, kwargs).items()]
        # Also what the inputs are still being computed by.
        flush()
        if self._feed is None:
            return _filled(self._results, {})
        try:
            outputs, leaves = self._feed.run(given)
        except Fault as fault:
            raise explain_fault(fault, None) from None
        made = {}
        for key, (kind, place) in self._places.items():
            # A view of an input or a weight is in the memory of that, which is not the caller's.
            buffer = outputs[place] if kind == "output" else duplicate(leaves[place])
            made[key] = wrap(data(buffer, self._specs[key]))
        return _filled(self._results, made)

    def _bound(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        names = list(self.inputs)
        if len(args) > len(names):
            raise TypeError(f"the graph takes {len(names)} inputs, but {len(args)} were given")
        by_place = dict(zip(names, args, strict=False))
        for name in kwargs:
            if name not in self.inputs or name in by_place:
                why = "is given twice" if name in by_place else "is unknown"
                raise TypeError(f"the input '{name}' {why}; the graph takes {names}")
        found = {**by_place, **kwargs}
        missing = [name for name in names if name not in found]
        if missing:
            raise TypeError(f"the graph's inputs {missing} are missing")
        return {name: found[name] for name in names}

    def _checked(self, name: str, value: Any) -> Tensor:
        spec = self.inputs[name]
        if not isinstance(value, (Tensor, np.ndarray)):
            raise TypeError(
                f"the input '{name}' has to be a tensor or an array, received {type(value)}"
            )
        tensor = as_tensor(value)
        if tensor.dtype is not spec.dtype or tuple(tensor.shape) != spec.shape:
            raise ValueError(
                f"the input '{name}' has to be {spec.dtype} of shape {list(spec.shape)}, received "
                f"{tensor.dtype} of shape {list(tensor.shape)}"
            )
        if tensor._view is None:
            return tensor
        buffer: Any = compute(tensor.node).buffer
        return wrap(data(buffer, spec))

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name}: {spec}" for name, spec in self.inputs.items())
        return f"LoadedGraph({inputs})"


def _nodes(graph: Graph) -> list[Node]:
    """The values as nodes: leaves, and operations recorded anew, which checks them."""
    nodes: list[Node] = []
    for number, value in enumerate(graph.values):
        try:
            node = _node(graph, value, nodes)
        except _REFUSALS as error:
            raise ValueError(f"value {number}, {value.kind} '{value.what}': {error}") from error
        if node.spec is not Spec.of(value.shape, value.dtype):
            raise ValueError(
                f"value {number}, {value.kind} '{value.what}': it is {node.spec}, but the file "
                f"says {Spec.of(value.shape, value.dtype)}"
            )
        nodes.append(node)
    return nodes


def _node(graph: Graph, value: Value, nodes: list[Node]) -> Node:
    if value.kind == "input":
        spec = Spec.of(value.shape, value.dtype)
        return data(Buffer(0, spec.nbytes, _keep), spec)
    if value.kind == "weight":
        array = graph.weights.get(value.what)
        if array is None or array.dtype != value.dtype.numpy:
            found = "there is none" if array is None else f"there is one of {array.dtype}"
            raise ValueError(f"no such weight of {value.dtype}: {found}")
        return copied(array, Spec.of(array.shape, value.dtype))
    if value.kind == "number":
        # Converting raises OverflowError or ValueError for what is too large, infinite or NaN.
        if value.dtype.is_floating_point:
            float(value.what)
        elif int(value.what) != value.what:
            raise ValueError(f"no number of type {value.dtype}")
        return scalar(value.what, value.dtype)
    return _operation(value, nodes)


def _operation(value: Value, nodes: list[Node]) -> Node:
    op = OPS.get(value.what)
    if op is None:
        raise ValueError("unknown op")
    if any(not 0 <= one < len(nodes) for one in value.inputs):
        raise ValueError(f"its inputs {list(value.inputs)} are not all values before it")
    inputs = [nodes[one] for one in value.inputs]
    attributes: dict[str, Any] = {
        key: _body(one) if isinstance(one, Inside) else one for key, one in value.attributes.items()
    }
    check_arguments(op, [one.spec for one in inputs], attributes)
    if op in (INDEX, INDEX_PUT):
        inputs = _with_checked_indices(inputs, attributes["dims"])
    elif op is GATHER:
        inputs = _with_checked_indices(inputs, (attributes["dim"],))
    return record(op, tuple(inputs), tuple(attributes.values()))


def _body(inside: Inside) -> Body:
    """What a loop or a branch runs, recorded anew like all else."""
    trace = BodyTrace()
    nodes: list[Node] = []
    with tracing(trace):
        for number, value in enumerate(inside.values):
            spec = Spec.of(value.shape, value.dtype)
            node = inner(spec) if value.kind == "input" else _operation(value, nodes)
            if node.spec is not spec:
                raise ValueError(f"value {number} of a body: it is {node.spec}, not {spec}")
            nodes.append(node)
    if any(not 0 <= one < len(nodes) for one in inside.results):
        raise ValueError(f"the results {list(inside.results)} of a body are not all its values")
    given = [node for node, one in zip(nodes, inside.values, strict=True) if one.kind == "input"]
    body, _ = close(trace, given, [nodes[one] for one in inside.results])
    trace.release()
    return body


def _with_checked_indices(inputs: list[Node], dims: tuple[int, ...]) -> list[Node]:
    """The inputs of an indexing op, with checks for positions that may not have been checked."""
    first = len(inputs) - len(dims)
    sizes = [inputs[0].shape[dim] for dim in dims]
    for place, size in enumerate(sizes, first):
        node = inputs[place]
        if node.op is not WRAP_INDEX or node.attributes[0] > size:
            inputs[place] = check_range(node, size)
    return inputs


def _keep(address: int) -> None:
    """An input's place has no memory to release."""


def _numbers(results: Any) -> set[int]:
    """The numbers of the values among the results."""
    if isinstance(results, Result):
        return {results.value}
    if isinstance(results, dict):
        results = list(results.values())
    if isinstance(results, (tuple, list)):
        return set().union(*map(_numbers, results))
    return set()


def _computed(node: Node) -> Node:
    """The node, or a recorded one of the same value for a leaf."""
    return node if node.recording is not None else record(EXPAND, (node,), (node.shape,))


def _plan(recording: Recording, outputs: list[Node]) -> Plan:
    """The plan that computes these nodes; a known one if there is one."""
    wanted = tuple(sorted({one.position for one in outputs}))
    key = (recording.structure, wanted, ())
    plan = engine.find(key)
    if plan is None:
        results = [recording.nodes[position] for position in wanted]
        plan = engine.compile(recording.nodes, recording.leaves, results, set(), key)
    return plan


def _sources(recording: Recording, inputs: Sequence[Node]) -> list[Source]:
    places = {node: number for number, node in enumerate(inputs)}
    return [
        Source(places[leaf], None, None, leaf.spec)
        if leaf in places
        else Source(-1, None, leaf, leaf.spec)
        for leaf in recording.leaves
    ]


def _filled(results: Any, made: dict[int, Tensor]) -> Any:
    """The structure of results with its tensors."""
    if isinstance(results, Result):
        return made[results.value]
    if isinstance(results, dict):
        return {name: _filled(one, made) for name, one in results.items()}
    if isinstance(results, (tuple, list)):
        return type(results)([_filled(one, made) for one in results])
    return results
