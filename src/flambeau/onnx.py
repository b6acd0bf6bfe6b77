"""ONNX models of modules and functions, by `torch.onnx`'s names.

Reference: https://docs.pytorch.org/docs/stable/onnx.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from flambeau.tensor.tensor import Tensor

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["ONNXProgram", "export"]


class ONNXProgram:
    """A model in memory: `model_proto` is the onnx package's object, `save` writes it to a file."""

    def __init__(self, model: ModelProto) -> None:
        self.model_proto = model

    def save(
        self, destination: str | os.PathLike[str] | IO[bytes], *, external_data: bool = True
    ) -> None:
        """Write the model to a path, or to a file that is open for writing bytes.

        Weights of 2 GiB and more do not fit in one file: they are written beside it, to its path
        with `.data` added, or refused with ValueError if `external_data` is False.
        """
        # With it the package onnx, which is an extra.
        from flambeau.io.onnx.model import write_onnx  # noqa: PLC0415

        write_onnx(destination, self.model_proto, external_data)

    def __repr__(self) -> str:
        graph = self.model_proto.graph
        inputs, outputs = ([one.name for one in ends] for ends in (graph.input, graph.output))
        return f"ONNXProgram({', '.join(inputs)} -> {', '.join(outputs)})"


def export(
    model: Any,
    args: Sequence[Any] | Tensor = (),
    f: str | os.PathLike[str] | IO[bytes] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    verbose: bool | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    opset_version: int | None = None,
    dynamo: bool = True,
    external_data: bool = True,
    dynamic_shapes: Any = None,
    export_params: bool = True,
    dynamic_axes: Any = None,
    do_constant_folding: bool = True,
) -> ONNXProgram:
    """Write what a module or function computes from `args`, with its weights, as an ONNX model.

    Tensors among the arguments become the inputs, of just these shapes but for what
    `dynamic_axes={"input": {0: "batch"}}`, by the names of inputs, or `dynamic_shapes`, by those
    of parameters, leave open: `model` is called with some sizes more for that, and RuntimeError
    says where it does other things for them. RuntimeError also for what is more than a graph, as
    `flambeau.export` says, and for operations that ONNX does not have. `dynamo`,
    `do_constant_folding` and `verbose` are accepted, and change nothing.

    >>> import flambeau, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "layer.onnx")
    >>> flambeau.onnx.export(flambeau.nn.Linear(3, 2), (flambeau.ones(4, 3),), path)
    ONNXProgram(input -> output)
    """
    from flambeau.io.onnx import dynamic  # noqa: PLC0415 - as above
    from flambeau.io.onnx.model import onnx_model  # noqa: PLC0415

    if not export_params:
        raise NotImplementedError("onnx.export: a model without its weights is not supported")
    given = (args,) if isinstance(args, Tensor) else tuple(args)
    inputs = input_names or ()
    graph, sizes = dynamic.captured_open(
        model, given, kwargs or {}, inputs, dynamic_axes, dynamic_shapes
    )
    program = ONNXProgram(onnx_model(graph, opset_version, inputs, output_names or (), sizes))
    if f is not None:
        program.save(f, external_data=external_data)
    return program
