"""From a graph to an ONNX model, and to a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import onnx
from onnx import ModelProto, NodeProto, ValueInfoProto, helper

from flambeau.graph.node import describe_location
from flambeau.io.graph_file import Graph, Result, Value
from flambeau.io.onnx.builder import KINDS, Builder, Tensor
from flambeau.io.onnx.elementwise import ELEMENTWISE, Emitter
from flambeau.io.onnx.folds import FOLDS
from flambeau.io.onnx.sizes import CLOSED, OpenSizes
from flambeau.io.onnx.views import VIEWS

# The operator set that PyTorch's exporter writes too, and the oldest that has all that is needed.
DEFAULT_OPSET, OLDEST_OPSET = 20, 18
# Of weights within the file: protocol buffers end at 2 GiB, and the graph needs some.
_MOST_BYTES = (1 << 31) - (1 << 26)
# How each op is written. What is not among them is refused: what ONNX has no operators for, and
# ops with graphs of their own as attributes, whose place (Scan, Loop, If) is beside `_scan`.
OPERATORS: dict[str, Emitter] = {**ELEMENTWISE, **VIEWS, **FOLDS}


def onnx_model(
    graph: Graph,
    opset: int | None = None,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    sizes: OpenSizes = CLOSED,
) -> ModelProto:
    """The model of a graph; the names given are those of the first inputs and outputs.

    Of a graph that was merged from several, `sizes` says what is open.

    RuntimeError for an op that ONNX has no operators for, and for results that are no tensors.
    """
    opset = DEFAULT_OPSET if opset is None else opset
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ValueError(
            f"export: opset_version has to be from {OLDEST_OPSET} to {newest}, which the onnx "
            f"package {onnx.__version__} knows, received {opset}"
        )
    return _Translation(graph, opset, input_names, output_names, sizes).model()


def write_onnx(
    destination: str | os.PathLike[str] | IO[bytes], model: ModelProto, external_data: bool = True
) -> None:
    """Write a model; a reader of a path finds what was there before, or all of the model.

    Weights too large for one file are written beside it, if they may be, else ValueError.
    """
    size = sum(len(one.raw_data) for one in model.graph.initializer)
    is_path = isinstance(destination, (str, os.PathLike))
    if size >= _MOST_BYTES and not (is_path and external_data):
        raise ValueError(
            f"export: {size} bytes of weights do not fit in one file; give a path, beside which "
            "they can be written (external_data=True)"
        )
    if not isinstance(destination, (str, os.PathLike)):
        destination.write(model.SerializeToString())
        return
    name = os.fspath(destination)
    temporary = f"{name}.{os.getpid()}.tmp"
    try:
        if size < _MOST_BYTES:
            onnx.save_model(model, temporary, format="protobuf")
        else:
            beside = f"{os.path.basename(name)}.data"
            Path(name).with_name(beside).unlink(missing_ok=True)  # which would be appended to
            onnx.save_model(
                model, temporary, format="protobuf", save_as_external_data=True, location=beside
            )
            # The package moves them; the model is to be as it was.
            onnx.load_external_data_for_model(model, str(Path(name).parent))
        os.replace(temporary, name)
    finally:
        Path(temporary).unlink(missing_ok=True)


class _Translation:
    """One graph on its way to a model."""

    def __init__(
        self,
        graph: Graph,
        opset: int,
        input_names: Sequence[str],
        output_names: Sequence[str],
        sizes: OpenSizes,
    ) -> None:
        self.graph = graph
        self.sizes = sizes
        inputs = [one.what for one in graph.values if one.kind == "input"]
        results = [*_results("", graph.results)]
        self.inputs = _renamed("input", inputs, input_names, [])
        outputs = [name for name, _ in results]
        self.outputs = _renamed("output", outputs, output_names, self.inputs)
        self.results = [number for _, number in results]
        self.builder = Builder(opset, graph.values, [*self.inputs, *self.outputs], sizes)

    def model(self) -> ModelProto:
        tensors: list[Tensor] = []
        for number, value in enumerate(self.graph.values):
            self.builder.scope = f"{value.what}_{number}" if value.kind == "op" else "constant"
            tensors.append(self._tensor(number, value, tensors))
            self.builder.assign(number, tensors[-1])
        self._name_outputs([tensors[number] for number in self.results])
        nodes = _used(self.builder.nodes, self.outputs)
        read = {name for node in nodes for name in node.input}
        initializers = [one for name, one in self.builder.initializers.items() if name in read]
        made = helper.make_graph(
            nodes,
            "flambeau",
            self._described(self.inputs, range(len(self.inputs))),
            self._described(self.outputs, self.results),
            initializers,
        )
        opsets = [helper.make_opsetid("", self.builder.opset)]
        return helper.make_model(
            made,
            opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets),
            producer_name="flambeau",
        )

    def _tensor(self, number: int, value: Value, tensors: Sequence[Tensor]) -> Tensor:
        kind = KINDS[value.dtype]
        if value.kind == "input":
            tensor = Tensor(self.inputs[number], kind)
            for (name, dim), size in self.sizes.places.items():
                if name == value.what:
                    self.builder.open(size, tensor, dim)
            return tensor
        if value.kind == "weight":
            return self.builder.weight(value.what, self.graph.weights[value.what], kind)
        if value.kind == "number":
            return self.builder.number(value.what, kind)
        where = describe_location(value.source)
        emit = OPERATORS.get(value.what)
        if emit is None:
            raise RuntimeError(
                f"export: ONNX has no operators for '{value.what}' (recorded at {where})"
            )
        inputs = [tensors[one] for one in value.inputs]
        try:
            return emit(self.builder, *inputs, **value.attributes)
        except ValueError as error:
            raise RuntimeError(
                f"export: '{value.what}' of {value.dtype} cannot be written to an ONNX file "
                f"(recorded at {where}): {error}"
            ) from None

    def _name_outputs(self, results: Sequence[Tensor]) -> None:
        """Give what nodes make the names of the outputs; what already has one, is copied."""
        made = {name for node in self.builder.nodes for name in node.output}
        names: dict[str, str] = {}
        copies = []
        for result, output in zip(results, self.outputs, strict=True):
            if result.name in made and result.name not in names:
                names[result.name] = output
            else:
                copies.append(helper.make_node("Identity", [result.name], [output], name=output))
        self.builder.nodes += copies
        for node in self.builder.nodes:
            node.input[:] = [names.get(one, one) for one in node.input]
            node.output[:] = [names.get(one, one) for one in node.output]

    def _described(self, names: Sequence[str], numbers: Iterable[int]) -> list[ValueInfoProto]:
        values = [self.graph.values[number] for number in numbers]
        return [
            helper.make_tensor_value_info(
                name, KINDS[value.dtype], [self.sizes.name(one) for one in value.shape]
            )
            for name, value in zip(names, values, strict=True)
        ]


def _renamed(
    what: str, names: Sequence[str], wishes: Sequence[str], taken: Sequence[str]
) -> list[str]:
    """The wishes in place of the first names; ValueError for too many and for one twice."""
    if len(wishes) > len(names):
        raise ValueError(
            f"export: {len(wishes)} {what}_names {list(wishes)} for {len(names)} {what}s"
        )
    if len({*taken, *wishes}) < len(taken) + len(wishes):
        raise ValueError(f"export: a name twice among {what}_names {list(wishes)} and {taken}")
    found = list(wishes)
    for name in names[len(wishes) :]:
        while name in found or name in taken:
            name += "_"
        found.append(name)
    return found


def _used(nodes: Sequence[NodeProto], outputs: Sequence[str]) -> list[NodeProto]:
    """The nodes that the outputs depend on."""
    wanted, found = set(outputs), []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.output):
            wanted.update(node.input)
            found.append(node)
    return found[::-1]


def _results(name: str, structure: Any) -> Iterator[tuple[str, int]]:
    """The numbers of the results, in order, by name: `output`, `0`, `loss`, `gradients.0`."""
    if isinstance(structure, Result):
        yield name or "output", structure.value
        return
    prefix = f"{name}." if name else ""
    if isinstance(structure, dict):
        for key, one in structure.items():
            yield from _results(f"{prefix}{key}", one)
    elif isinstance(structure, (tuple, list)):
        for place, one in enumerate(structure):
            yield from _results(f"{prefix or 'output.'}{place}", one)
    elif structure is not None:
        raise RuntimeError(
            f"export: the outputs of an ONNX model are tensors; '{name or 'output'}' is "
            f"{structure!r:.200}"
        )
