"""From a session's fetches to a graph that can be written to a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flambeau.io.export import graph_of
from flambeau.io.graph_file import Graph
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tf1.assigning import WRITES
from flambeau.tf1.evaluation import Evaluation, needed
from flambeau.tf1.fetches import Request
from flambeau.tf1.graph import Tensor
from flambeau.tf1.state import Variables
from flambeau.tf1.values import tensor_of


def exported(variables: Variables, request: Request, feeds: Mapping[Tensor, np.ndarray]) -> Graph:
    """The graph of a request; its inputs have the names of the operations that are fed.

    RuntimeError where there is more to it than a graph: draws, assignments, Python functions, and
    what depends on a fed value as shapes do.
    """
    operations = needed(request.tensors, request.targets, feeds)
    for one in operations:
        if one.kind in WRITES:  # before anything is evaluated, so that no variable changes
            raise RuntimeError(f"export: '{one.name}' writes to '{one.inputs[0].op.name}'")
    inputs = {_input_name(one): tensor_of(array, one.dtype) for one, array in feeds.items()}
    fed = dict(zip(feeds, inputs.values(), strict=True))
    names = {id(value._storage): one.name for one, value in variables.values.items()}

    def call() -> Any:
        evaluation = Evaluation(variables, operations, fed, feeds, request.tensors)
        evaluation.run()
        if evaluation.decisive:
            raise RuntimeError(
                f"export: the graph depends on the value of '{evaluation.decisive[0].name}', not "
                "only on its shape; make it a constant"
            )
        return request.answer([_result(one, evaluation.value(one)) for one in request.tensors])

    return graph_of(call, inputs, names)


def _input_name(tensor: Tensor) -> str:
    return tensor.op.name if tensor.value_index == 0 else tensor.name


def _result(tensor: Tensor, value: Any) -> Value:
    if not isinstance(value, Value):
        raise RuntimeError(f"export: '{tensor.name}' is made by Python, and cannot be exported")
    return value
