"""One run of a part of a graph with flambeau's tensors: recorded, captured, or at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from flambeau.autograd.aliases import CLONE
from flambeau.core.context import context
from flambeau.core.errors import TooManyRounds
from flambeau.graph.recording import parameter, record
from flambeau.tensor.generator import Generator
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tensor.tensor import wrap, write
from flambeau.tf1 import errors
from flambeau.tf1.building import CONST
from flambeau.tf1.graph import Operation, Tensor
from flambeau.tf1.values import array_of, aside, tensor_of


class Later(NamedTuple):
    """A value that Python makes of others after the run, such as a summary."""

    function: Callable[..., Any]
    parts: Sequence[Any]


class State(Protocol):
    """What an evaluation needs of a session."""

    def has(self, variable: Operation) -> bool:
        """Whether the variable has a value."""
        ...

    def read(self, variable: Operation) -> Value:
        """The variable's value; FailedPreconditionError if it has none."""
        ...

    def write(self, variable: Operation, value: Value) -> Value:
        """Set the variable's value; the tensor that holds it."""
        ...

    def generator(self, operation: Operation) -> Generator:
        """What a random operation draws from."""
        ...

    @property
    def rounds(self) -> int:
        """For how many rounds a loop whose gradient is asked for has memory."""
        ...


def needed(
    fetches: Sequence[Tensor], targets: Sequence[Operation], fed: Mapping[Tensor, Any]
) -> list[Operation]:
    """What has to be evaluated, in order: nothing that lies only behind fed tensors."""
    found: set[Operation] = set()
    waiting = [*targets, *[one.op for one in fetches if one not in fed]]
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += operation.control_inputs
            waiting += [one.op for one in operation.inputs if one not in fed]
    return sorted(found, key=lambda one: one.number)


class Evaluation:
    """The values of one run, by tensor."""

    def __init__(
        self,
        state: State,
        operations: list[Operation],
        fed: Mapping[Tensor, Value],
        arrays: Mapping[Tensor, np.ndarray],
        fetches: Sequence[Tensor] = (),
    ) -> None:
        self.state = state
        self.operations = operations
        self.fetches = set(fetches)
        # Fed tensors whose values decide what is computed, beside their shapes.
        self.decisive: list[Tensor] = []
        self._arrays = arrays
        self._values: dict[Tensor, Any] = dict(fed)
        self._statics: dict[Tensor, np.ndarray] = {}
        # What gradients are asked for, or stopped at.
        self._marked = {
            tensor
            for one in operations
            if one.type == "Gradients"
            for tensor in one.inputs[one.attributes["first_x"] :]
        }
        self._differentiated = self._behind_gradients()
        # By variable, the values it was read with since the run began; the last is current.
        self._reads: dict[Operation, list[Value]] = {}
        self._stale: set[Operation] = set()
        for tensor, value in fed.items():
            self._values[tensor] = self._own(tensor, value, ())

    def _behind_gradients(self) -> set[Operation]:
        """What lies behind the operations that compute gradients."""
        found: set[Operation] = set()
        for operation in reversed(self.operations):
            if operation in found or operation.type == "Gradients":
                found.update([one.op for one in operation.inputs])
        return found

    def run(self) -> None:
        """Evaluate the operations; errors name the operation at fault."""
        before = context.location, context.grad_enabled
        context.grad_enabled = True
        try:
            for operation in self.operations:
                context.location = operation.source
                self._evaluate(operation)
        finally:
            context.location, context.grad_enabled = before

    def _evaluate(self, operation: Operation) -> None:
        kind = operation.kind
        if kind is CONST:
            return  # made where it is asked for: most are numbers, or decide shapes
        try:
            if kind.in_session is not None:
                results = kind.in_session(self, operation)
                inputs: Sequence[Any] = ()
            else:
                inputs = self._operands(operation)
                results = _computed(operation, inputs)
        except TooManyRounds:
            raise
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            raise errors.InvalidArgumentError(None, operation, str(error)) from error
        for tensor, value in zip(operation.outputs, results, strict=True):
            if value is not None and tensor not in self._values:
                self._values[tensor] = self._own(tensor, value, inputs)

    def _operands(self, operation: Operation) -> list[Any]:
        kind, inputs = operation.kind, operation.inputs
        static = operation.attributes.get("static", kind.static)
        numbers = [kind.takes_numbers and self._is_number(one) for one in inputs]
        if all(numbers):
            numbers = [False] * len(inputs)
        return [
            self.static(one)
            if place in static
            else one.op.attributes["value"].item()
            if is_number
            else self.value(one)
            for place, (one, is_number) in enumerate(zip(inputs, numbers, strict=True))
        ]

    def _is_number(self, tensor: Tensor) -> bool:
        """Whether it is a 0-dim constant, in this run too, of which nobody wants the gradient."""
        constant = tensor.op.kind is CONST and tensor.static == ()
        return constant and tensor not in self._arrays and tensor not in self._marked

    def _own(self, tensor: Tensor, value: Any, inputs: Sequence[Any]) -> Any:
        """The value with a storage that nobody writes, and a node that means this tensor alone."""
        if not isinstance(value, Value):
            return value
        node = value.node
        if any(isinstance(one, Value) and one.node is node for one in inputs):
            value = wrap(record(CLONE, (node,)))
        elif value._view is not None:
            value = wrap(node)
        if tensor in self._marked and tensor.dtype.is_floating and not value.requires_grad:
            value = wrap(parameter(value.node))
        return value

    # ------------------------------------------------------------------ values

    def value(self, tensor: Tensor) -> Any:
        """The tensor's value in this run."""
        found = self._values.get(tensor)
        if found is not None:
            return found
        if self.is_variable(tensor):
            return self.reads(tensor.op)[-1]
        if tensor.op.kind is CONST:
            held = tensor_of(tensor.op.attributes["value"], tensor.dtype)
            found = self._values[tensor] = self._own(tensor, held, ())
            return found
        raise AssertionError(f"{tensor} is read before it is evaluated")

    def reads(self, variable: Operation) -> list[Value]:
        """The values with which a variable was read; the last one is what it holds now."""
        known = self._reads.setdefault(variable, [])
        if not known or variable in self._stale:
            node = self.state.read(variable).node
            marked = variable.outputs[0] in self._marked and variable.outputs[0].dtype.is_floating
            known.append(wrap(parameter(node) if marked else record(CLONE, (node,))))
            self._stale.discard(variable)
        return known

    def is_variable(self, tensor: Tensor) -> bool:
        """Whether it is a variable's, and not fed."""
        return tensor.op.type == "Variable" and tensor not in self._arrays

    def is_differentiated(self, operation: Operation) -> bool:
        """Whether gradients of this operation's results are asked for in this run."""
        return operation in self._differentiated

    def update(
        self, variable: Operation, combine: Callable[..., Value] | None, *values: Value
    ) -> Sequence[Value]:
        """Write a variable: with the one value, or what is made of its own and these.

        Those that read it from now on see the new value, which is also the result.
        """
        context.grad_enabled = False
        try:
            if combine is None:
                held = self.state.write(variable, values[0].detach())
            else:
                held = self.state.read(variable)
                node = combine(held, *values).node
                if node.spec is not held.node.spec:
                    raise ValueError(
                        f"the variable '{variable.name}' is {held.node.spec}, what is to be "
                        f"written {node.spec}"
                    )
                write(held, node)
        finally:
            context.grad_enabled = True
        self._stale.add(variable)
        return [held.clone()]

    def static(self, tensor: Tensor) -> np.ndarray:
        """The value as it decides shapes: known before anything runs.

        A fed value that is asked for makes the plan serve for this value only.
        """
        found = self._statics.get(tensor)
        if found is None:
            found = self._statics[tensor] = self._static(tensor)
        return found

    def _static(self, tensor: Tensor) -> np.ndarray:
        operation = tensor.op
        if tensor in self._arrays:
            self.decisive.append(tensor)
            return self._arrays[tensor]
        if operation.kind is CONST:
            value: np.ndarray = operation.attributes["value"]
            return value
        if operation.type in ("Shape", "Size", "Rank"):
            shape = tuple(self.value(operation.inputs[0]).shape)
            answers = {"Shape": shape, "Size": int(np.prod(shape)), "Rank": len(shape)}
            return np.array(answers[operation.type], tensor.dtype.numpy)
        if operation.type == "Variable":
            with aside():
                return np.asarray(array_of(self.state.read(operation)))
        if operation.kind.in_session is not None:
            raise errors.UnimplementedError(
                None, operation, "A shape may not depend on what this operation computes"
            )
        arrays = [self.static(one) for one in operation.inputs]
        static = operation.attributes.get("static", operation.kind.static)
        with aside():
            operands = [
                one if place in static else tensor_of(one, source.dtype)
                for place, (one, source) in enumerate(zip(arrays, operation.inputs, strict=True))
            ]
            result = _computed(operation, operands)[tensor.value_index]
            return np.asarray(array_of(result))


def _computed(operation: Operation, operands: Sequence[Any]) -> Sequence[Any]:
    kind = operation.kind
    if kind.evaluate is None:
        raise AssertionError(f"{kind.name} has no meaning")
    named = {key: one for key, one in operation.attributes.items() if key != "static"}
    result = kind.evaluate(*operands, **named)
    if isinstance(result, Value):
        return (result,)
    return result if isinstance(result, (tuple, list)) else (result,)
