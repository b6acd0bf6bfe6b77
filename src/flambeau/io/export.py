"""From a function to a graph file: its operations are captured, as `compile` does, and written.

What reaches the results is written; aliases and what only gradients need are left out.
"""

from __future__ import annotations

import gc
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from flambeau.core.context import context
from flambeau.core.live import Live
from flambeau.engine import capture as capturing
from flambeau.engine.capture import Capture
from flambeau.engine.flush import compute, execute, flush
from flambeau.graph.body import Body
from flambeau.graph.node import Node, Spec, describe_location
from flambeau.graph.op import SCALAR, Alias
from flambeau.graph.recording import data
from flambeau.io.graph_file import Graph, Inside, Result, Value, structure_to_json, write_graph
from flambeau.io.op_table import OPS, check_arguments
from flambeau.tensor.compiled import Compiled
from flambeau.tensor.storage import Storage
from flambeau.tensor.tensor import Tensor, wrap


def export(function: Any, path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
    """Write what `function` computes from these arguments, with all weights, to one file.

    `function` is any function or module, compiled or not, that makes tensors from tensors; it is
    called once, and the tensors among the arguments become the graph's inputs, with these shapes
    and dtypes. Other arguments are constants. A tf1 Session takes fetches and a `feed_dict`
    instead. The file is data only, see docs/graph_files.md; `load_graph` runs it. A path that ends
    in `.onnx` is written as an ONNX model, for others to run; `flambeau.onnx.export` has options.

    RuntimeError with the reason for what is more than a graph: random draws, writes to arguments
    or to tensors from outside, numbers that change between runs, values that are looked at.

    >>> import flambeau, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "layer.graph")
    >>> layer = flambeau.nn.Linear(3, 2)
    >>> flambeau.export(layer, path, flambeau.ones(4, 3))
    >>> flambeau.load_graph(path)
    LoadedGraph(input: float32[4, 3])
    """
    graph = captured(function, args, kwargs)
    if not os.fspath(path).endswith(".onnx"):
        write_graph(path, graph)
        return
    # With it the package onnx, which is an extra.
    from flambeau.io.onnx.model import onnx_model, write_onnx  # noqa: PLC0415

    write_onnx(path, onnx_model(graph))


def captured(
    function: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    change: Callable[[str, Tensor], Tensor] = lambda name, tensor: tensor,
) -> Graph:
    """The graph that `export` writes, of what `change` makes of the inputs, by name."""
    # What has graphs of its own, as a tf1 Session does, says so.
    if hasattr(function, "export_graph"):
        graph: Graph = function.export_graph(*args, **kwargs)
        return graph
    if not callable(function):
        raise TypeError(f"export: expected a function, a module or a Session, got {function!r}")
    bound = _bound(function, args, kwargs)
    inputs: dict[str, Tensor] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        # Named as they are given: what is collected under `**kwargs` by its own names.
        prefix = "" if kind is inspect.Parameter.VAR_KEYWORD else name
        bound.arguments[name] = _replaced(prefix, value, inputs, change)

    def call() -> Any:
        return function(*bound.args, **bound.kwargs)

    return graph_of(call, inputs, _weight_names(function))


def graph_of(
    call: Callable[[], Any], inputs: Mapping[str, Tensor], names: Mapping[int, str]
) -> Graph:
    """The graph of what `call()` gives as a function of `inputs`, which no one else may hold.

    `names` are names for weights, by the id of their storage. RuntimeError with the reason where
    there is more to it than a graph.
    """
    if context.capture is not None:
        raise RuntimeError("export cannot be used inside of a function that is being captured")
    flush()
    existing = {one for one in gc.get_objects() if type(one) is Storage}
    capture = capturing.start(False)
    try:
        try:
            result = call()
        finally:
            context.capture = None
        if capture.broken is not None:
            raise RuntimeError(f"export: the graph ends before the function: {capture.broken}")
        outside = _Outside(inputs, names, existing)
        _check_effects(capture, outside)
        return _Writer(outside).graph(result)
    finally:
        # What the function did beside its results, if anything, is done.
        result = None
        execute(capture.recording)


class _Outside:
    """The tensors that were there before."""

    def __init__(
        self, inputs: Mapping[str, Tensor], names: Mapping[int, str], storages: set[Storage]
    ) -> None:
        self.inputs = inputs
        self.storages = storages
        self.arguments = {id(one._storage): name for name, one in inputs.items()}
        self.names = names
        self.weights = {
            _unaliased(one.node): names[id(one)] for one in storages if id(one) in names
        }

    def describe(self, storage: Storage) -> str:
        """What a storage is to the function."""
        if id(storage) in self.arguments:
            return f"its argument '{self.arguments[id(storage)]}'"
        name = self.names.get(id(storage))
        return f"'{name}'" if name else f"a tensor from outside, {storage.node.spec}"


def _check_effects(capture: Capture, outside: _Outside) -> None:
    """RuntimeError if the function does more than make new values."""
    for node in capture.recording.nodes:
        if node.op.effect:
            where = describe_location(node.source)
            raise RuntimeError(f"export: it draws random numbers ('{node.op.name}' at {where})")
    for reference, _, _ in capture.recording.writes:
        storage = reference()
        if storage in outside.storages:
            raise RuntimeError(f"export: it writes to {outside.describe(storage)}")
    for touched in capture.gradients.values():
        owner = touched.owner()
        # No one sees the gradient of an argument, which is a copy here.
        if owner is None or id(owner._storage) in outside.arguments:
            continue
        same = touched.read and owner._grad is touched.before
        if owner._storage in outside.storages and not same:
            raise RuntimeError(
                f"export: it sets the gradient of {outside.describe(owner._storage)}; return "
                "gradients instead, as flambeau.autograd.grad gives them"
            )
    if capture.before_replay:
        raise RuntimeError("export: it changes Python state, such as an optimizer's count of steps")


class _Writer:
    """From the results back to inputs and weights."""

    def __init__(self, outside: _Outside) -> None:
        self.outside = outside
        self.values: list[Value] = []
        self.weights: dict[str, np.ndarray] = {}
        self.numbers: dict[Node, int] = {}

    def graph(self, result: Any) -> Graph:
        """The graph with this structure of results."""
        for name, tensor in self.outside.inputs.items():
            node = tensor._storage.node
            self.numbers[node] = self._add(Value("input", name, node.dtype, node.shape))
        structure = self._structure(result)
        try:
            structure_to_json(structure)
        except TypeError as error:
            raise RuntimeError(f"export: a result cannot be written: {error}") from None
        return Graph(self.values, structure, self.weights)

    def _structure(self, result: Any) -> Any:
        if isinstance(result, Tensor):
            return Result(self._number(result.node))
        if isinstance(result, tuple):
            return tuple([self._structure(one) for one in result])
        if isinstance(result, list):
            return [self._structure(one) for one in result]
        if isinstance(result, dict):
            return {key: self._structure(one) for key, one in result.items()}
        return result

    def _number(self, result: Node) -> int:
        """The number of a node's value, which is added after all that it is made from."""
        waiting = [_unaliased(result)]
        while waiting:
            node = waiting[-1]
            sources = [_unaliased(one) for one in node.inputs] if node.buffer is None else []
            missing = [one for one in sources if one not in self.numbers]
            waiting += missing
            if not missing:
                waiting.pop()
                if node not in self.numbers:
                    self.numbers[node] = self._add(self._value(node, sources))
        return self.numbers[_unaliased(result)]

    def _add(self, value: Value) -> int:
        self.values.append(value)
        return len(self.values) - 1

    def _value(self, node: Node, sources: Sequence[Node]) -> Value:
        if node.buffer is not None:
            name = self._weight_name(node)
            buffer: Any = node.buffer
            self.weights[name] = buffer.as_array(node.dtype.numpy, node.shape)
            return Value("weight", name, node.dtype, node.shape)
        if node.op is SCALAR:
            number = node.attributes[0]
            if type(number) is Live:
                raise RuntimeError(
                    "export: it reads a number that may change between runs, such as a learning "
                    f"rate, now {float(number)}; make it a tensor and an argument"
                )
            return Value("number", number, node.dtype, ())
        where = describe_location(node.source)
        if OPS.get(node.op.name) is not node.op:
            raise RuntimeError(f"export: '{node.op.name}' cannot be exported (recorded at {where})")
        attributes = node.op.named(tuple([_plain(one) for one in node.attributes]))
        try:
            check_arguments(node.op, [one.spec for one in sources], attributes)
        except ValueError as error:
            raise RuntimeError(f"export: {node.op.name}, recorded at {where}: {error}") from None
        numbers = tuple([self.numbers[one] for one in sources])
        attributes = _written(attributes, where)
        return Value("op", node.op.name, node.dtype, node.shape, numbers, attributes, node.source)

    def _weight_name(self, node: Node) -> str:
        name = self.outside.weights.get(node) or f"weight_{len(self.weights)}"
        while name in self.weights:
            name += "_"
        return name


def _written(attributes: dict[str, Any], where: str) -> dict[str, Any]:
    """The attributes as a file holds them."""
    return {
        key: _inside(one, where) if isinstance(one, Body) else one
        for key, one in attributes.items()
    }


def _inside(body: Body, where: str) -> Inside:
    """What a loop or a branch runs, as values; RuntimeError for what cannot be exported."""
    values = [Value("input", "", one.dtype, one.shape) for one in body.inputs]
    # By the number of a step, or the complement of an input's, that of its value.
    numbers = {~place: place for place in range(len(values))}
    for step, (op, attributes, spec, sources) in enumerate(body.steps):
        numbers[step] = len(values)
        if isinstance(op, Alias):
            numbers[step] = numbers[sources[0]]
            continue
        if OPS.get(op.name) is not op:
            raise RuntimeError(f"export: '{op.name}' cannot be exported (recorded at {where})")
        named = op.named(tuple([_plain(one) for one in attributes]))
        given = tuple([numbers[one] for one in sources])
        kept = _written(named, where)
        values.append(Value("op", op.name, spec.dtype, spec.shape, given, kept))
    return Inside(values, tuple([numbers[one] for one in body.numbers]))


def _unaliased(node: Node) -> Node:
    """What an alias, which is the same value for the sake of gradients, stands for."""
    while isinstance(node.op, Alias) and node.buffer is None:
        node = node.inputs[0]
    return node


def _plain(attribute: Any) -> Any:
    """An attribute of plain types: sizes may be subclasses of tuple, or NumPy's integers."""
    if isinstance(attribute, tuple):
        return tuple([_plain(one) for one in attribute])
    return attribute.item() if isinstance(attribute, np.generic) else attribute


def _fresh(tensor: Tensor) -> Tensor:
    """A tensor of the same value that no one else knows; a leaf if gradients are asked for."""
    buffer: Any = compute(tensor.node).buffer
    fresh = wrap(data(buffer, Spec.of(tuple(tensor.shape), tensor.dtype)))
    fresh.requires_grad = tensor.requires_grad
    return fresh


def _bound(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> inspect.BoundArguments:
    """The arguments by parameter; a module's by those of its `forward`."""
    plain = getattr(function, "forward", function)
    if isinstance(plain, Compiled):
        plain = plain.function
    try:
        return inspect.signature(plain).bind(*args, **kwargs)
    except (TypeError, ValueError):  # what is wrong with them, the function itself says
        return inspect.signature(_anything).bind(*args, **kwargs)


def _anything(*args: Any, **kwargs: Any) -> None:
    """Takes any arguments."""


def _replaced(
    name: str, value: Any, inputs: dict[str, Tensor], change: Callable[[str, Tensor], Tensor]
) -> Any:
    """The structure with fresh tensors, which are added to `inputs`: `x`, `batch.0`, `batch.y`."""

    def replaced(key: Any, one: Any) -> Any:
        return _replaced(f"{name}.{key}" if name else str(key), one, inputs, change)

    if isinstance(value, Tensor):
        inputs[name] = _fresh(change(name, value))
        return inputs[name]
    if isinstance(value, dict):
        return {key: replaced(key, one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        parts = [replaced(number, one) for number, one in enumerate(value)]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def _weight_names(function: Any) -> dict[int, str]:
    """The names of a module's parameters and buffers, by the id of their storage."""
    owner = getattr(function, "__self__", function)
    if not hasattr(owner, "named_parameters"):
        return {}
    state = owner.state_dict(keep_vars=True)
    return {id(one._storage): name for name, one in state.items() if isinstance(one, Tensor)}
