"""Bodies of loops and arms of branches: parts of a graph that are run on values they are given.

Their operations are in the graph like all others, but run only with the loop or branch they belong
to, which reads what they read from around them. Variables they write are handed from round to
round with the other values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau.autograd.aliases import CLONE
from flambeau.graph.node import Node
from flambeau.graph.recording import record
from flambeau.tensor.structure import flatten, same_structure
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tensor.tensor import wrap
from flambeau.tf1.assigning import WRITES
from flambeau.tf1.building import convert_to_tensor
from flambeau.tf1.dtypes import DType
from flambeau.tf1.evaluation import Evaluation
from flambeau.tf1.graph import Frame, Graph, Operation, Tensor, as_tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.shape_rules import stated
from flambeau.tf1.shapes import Static, compatible, describe

GIVEN = Kind("LoopValue", stated)


def build(
    graph: Graph, kind: str, given: Sequence[tuple[DType, Static]], function: Callable[..., Any]
) -> tuple[Frame, Any]:
    """A frame of what `function` makes of tensors of these types and shapes; and its answer.

    The results of the frame are for the caller to set.
    """
    frame = Frame(kind, graph.frame)
    with graph.within(frame):
        frame.given = [
            graph.create(GIVEN, (), [dtype], {"shape": shape}).outputs[0] for dtype, shape in given
        ]
        return frame, function(*frame.given)


def tensors_in(graph: Graph, frame: Frame, values: Sequence[Any], dtypes: Any) -> list[Tensor]:
    """What a frame's function gave, as tensors; an operation stands for having been run."""
    found = []
    with graph.within(frame):
        for number, value in enumerate(values):
            dtype = None if dtypes is None else dtypes[number]
            if isinstance(value, Operation):
                with graph.control_dependencies([value]):
                    found.append(convert_to_tensor(True))
            elif as_tensor(value) is not None:
                found.append(convert_to_tensor(value))
            else:
                found.append(convert_to_tensor(value, dtype))
    return found


class Around:
    """What a loop or branch of these frames takes from around it."""

    def __init__(self, graph: Graph, frames: Sequence[Frame]) -> None:
        own = [one for one in graph.operations if _inside(one, frames)]
        read = [one for operation in own for one in operation.inputs]
        read += [one for frame in frames for one in frame.results]
        before = [one for operation in own for one in operation.control_inputs]
        # Every operation of a variable has it as an input, so that it is not left out.
        self.tensors = [one for one in dict.fromkeys(read) if not _inside(one.op, frames)]
        self.operations = [one for one in dict.fromkeys(before) if not _inside(one, frames)]
        writes = [one for operation in own for one in _written(operation)]
        self.variables = list(dict.fromkeys(writes))


def _inside(operation: Operation, frames: Sequence[Frame]) -> bool:
    return any(one.holds(operation.frame) for one in frames)


def _written(operation: Operation) -> list[Operation]:
    """The variables that an operation writes; of a loop or a branch, those its frames write."""
    if operation.kind in WRITES:
        return [operation.inputs[0].op]
    written: list[Operation] = operation.attributes.get("variables", [])
    return written if "frames" in operation.attributes else []


def created(
    graph: Graph,
    kind: Kind,
    inputs: Sequence[Tensor],
    frames: Sequence[Frame],
    kinds: Sequence[Any],
    shapes: Sequence[Static],
    name: str,
    **attributes: Any,
) -> Operation:
    """An operation that runs frames, and reads what they read from around them."""
    around = Around(graph, frames)
    named = {"frames": frames, "shapes": list(shapes), "count": len(inputs), **attributes}
    named["variables"] = around.variables
    with graph.control_dependencies(around.operations):
        return graph.create(kind, [*inputs, *around.tensors], kinds, named, name)


def shapes_of(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> list[Static]:
    shapes: list[Static] = attributes["shapes"]
    return shapes


def check_structure(before: Any, after: Any) -> None:
    if len(flatten(before)) != len(flatten(after)) or not same_structure(list(before), list(after)):
        raise ValueError(
            "The two structures don't have the same nested structure. First structure: "
            f"{before}. Second structure: {after}."
        )


def check_alike(
    before: Sequence[Tensor], after: Sequence[Tensor], shapes: Sequence[Static]
) -> None:
    """TypeError, ValueError where the body changes a type or a shape."""
    for old, new, shape in zip(before, after, shapes, strict=True):
        if old.dtype is not new.dtype:
            raise TypeError(
                f"Input tensor '{old.name}' enters the loop with type {old.dtype.name}, but has "
                f"type {new.dtype.name} after one iteration."
            )
        if not compatible(shape, new.static):
            raise ValueError(
                f"Input tensor '{old.name}' enters the loop with shape {describe(shape)}, but has "
                f"shape {describe(new.static)} after one iteration. To allow the shape to vary "
                "across iterations, use the `shape_invariants` argument of tf.while_loop to "
                "specify a less-specific shape."
            )


class Inside(Evaluation):
    """The evaluation of a frame within that of what is around it."""

    def __init__(
        self,
        around: Evaluation,
        made: Operation,
        frame: Frame,
        values: Sequence[Value],
        variables: dict[Operation, Value],
    ) -> None:
        self.around = around
        self.frame = frame
        self._differentiated_around = around.is_differentiated(made)
        self._held = dict(variables)
        super().__init__(
            around.state, _needed(frame), dict(zip(frame.given, values, strict=True)), {}
        )

    def results(self) -> list[Value]:
        """The frame's results."""
        self.run()
        return [self.value(one) for one in self.frame.results]

    def held(self, variable: Operation) -> Value:
        """What a variable that the frame writes holds now."""
        return self._held[variable]

    def value(self, tensor: Tensor) -> Any:
        if self.frame.holds(tensor.op.frame):
            return super().value(tensor)
        held = self._held.get(tensor.op)
        return self.around.value(tensor) if held is None else held

    def static(self, tensor: Tensor) -> np.ndarray:
        if self.frame.holds(tensor.op.frame):
            return super().static(tensor)
        return self.around.static(tensor)

    def reads(self, variable: Operation) -> list[Value]:
        held = self._held.get(variable)
        return self.around.reads(variable) if held is None else [held]

    def is_differentiated(self, operation: Operation) -> bool:
        return self._differentiated_around or super().is_differentiated(operation)

    def update(
        self, variable: Operation, combine: Callable[..., Value] | None, *values: Value
    ) -> Sequence[Value]:
        held = self._held[variable]
        new = values[0] if combine is None else combine(held, *values)
        if new.node.spec is not held.node.spec:
            raise ValueError(
                f"the variable '{variable.name}' is {held.node.spec}, what is to be written in "
                f"{self.frame.kind} {new.node.spec}"
            )
        self._held[variable] = wrap(record(CLONE, (new.detach().node,)))
        return [self._held[variable].clone()]


def _needed(frame: Frame) -> list[Operation]:
    """What of a frame has to be evaluated for its results, in order."""
    found: set[Operation] = set()
    waiting = [one.op for one in frame.results]
    while waiting:
        operation = waiting.pop()
        if operation not in found and operation.frame is frame and operation.kind is not GIVEN:
            found.add(operation)
            waiting += operation.control_inputs
            waiting += [one.op for one in operation.inputs]
    return sorted(found, key=lambda one: one.number)


def own_values(evaluation: Evaluation, tensors: Sequence[Tensor]) -> list[Node]:
    """The values of tensors, for a loop to begin with."""
    return [evaluation.value(one).node for one in tensors]


def write_back(
    evaluation: Evaluation, variables: Sequence[Operation], nodes: Sequence[Node]
) -> None:
    """Set the variables that a loop or branch has written."""
    for variable, node in zip(variables, nodes, strict=True):
        evaluation.update(variable, None, wrap(node))
