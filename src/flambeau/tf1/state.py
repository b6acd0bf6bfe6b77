"""What a session keeps: the variables' values, and what random operations draw from."""

from __future__ import annotations

from typing import Any

from flambeau.autograd.aliases import CLONE
from flambeau.engine.flush import compute
from flambeau.graph.recording import data, record
from flambeau.tensor.generator import Generator, default_generator
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tensor.tensor import wrap, write
from flambeau.tf1 import errors
from flambeau.tf1.graph import Operation
from flambeau.tf1.shapes import compatible, describe
from flambeau.tf1.values import aside

FIRST_ROUNDS = 32


class Variables:
    """The variables' values, by the operations that stand for them; and random generators."""

    def __init__(self) -> None:
        self.values: dict[Operation, Value] = {}
        # Variables with a value; others may have room for one.
        self.initialized: set[Operation] = set()
        self._generators: dict[Operation, Generator] = {}
        self._new: list[Operation] = []
        # For how many rounds the loops whose gradients are asked for have memory.
        self.rounds = FIRST_ROUNDS

    def has(self, variable: Operation) -> bool:
        """Whether the variable has a value."""
        return variable in self.initialized

    def read(self, variable: Operation) -> Value:
        """The variable's value; FailedPreconditionError if it has none."""
        if variable not in self.initialized:
            raise errors.FailedPreconditionError(
                None, variable, f"Attempting to use uninitialized value {variable.name}"
            )
        return self.values[variable]

    def write(self, variable: Operation, value: Value) -> Value:
        """Set the variable's value; the tensor that holds it. ValueError for a wrong shape."""
        known = variable.outputs[0].static
        if not compatible(known, tuple(value.shape)):
            raise ValueError(
                f"the variable '{variable.name}' has shape {describe(known)}, the value "
                f"{describe(tuple(value.shape))}"
            )
        held = self.values.get(variable)
        if held is None:
            held = self.values[variable] = value.clone()
            self._new.append(variable)
        else:
            # The same tensor even where the shape is another one: plans know it.
            write(held, record(CLONE, (value.node,)))
        self.initialized.add(variable)
        return held

    def settle(self) -> None:
        """New variables' values, now computed, get nodes that refer to nothing else."""
        for variable in self._new:
            node: Any = compute(self.values[variable].node)
            self.values[variable] = wrap(data(node.buffer, node.spec))
        self._new.clear()

    def forget_all_but(self, initialized: set[Operation]) -> None:
        """Only these variables have values: the run that made others has failed."""
        self.initialized = initialized
        self._new.clear()
        for variable in self.values.keys() - initialized:
            del self.values[variable]

    def generator(self, operation: Operation) -> Generator:
        """What a random operation draws from: of its own, if a seed was set."""
        seed = operation.attributes["seed"]
        if seed is None:
            return default_generator
        found = self._generators.get(operation)
        if found is None:
            with aside():
                found = self._generators[operation] = Generator().manual_seed(seed)
        return found
