"""Optimizer: gradients of a loss, and the operation that applies them to variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flambeau.tf1 import arrays, assigning
from flambeau.tf1.building import constant, convert_to_tensor
from flambeau.tf1.gradients import gradients
from flambeau.tf1.graph import GraphKeys, Operation, Tensor, as_tensor, get_default_graph
from flambeau.tf1.nothing import group
from flambeau.tf1.shapes import is_known
from flambeau.tf1.variables import Variable, trainable_variables

GradientsAndVariables = Sequence[tuple[Tensor | None, Variable]]


class Optimizer:
    """A rule that changes variables by gradients; kinds of it are in `optimizers.py`."""

    GATE_NONE, GATE_OP, GATE_GRAPH = 0, 1, 2

    def __init__(self, use_locking: bool = False, name: str = "Optimizer") -> None:
        if not name:
            raise ValueError("Must specify the optimizer name")
        self._name = name
        # By name, by variable: what the rule remembers.
        self._slots: dict[str, dict[Variable, Variable]] = {}

    def get_name(self) -> str:
        """The optimizer's name."""
        return self._name

    def minimize(
        self,
        loss: Any,
        global_step: Variable | None = None,
        var_list: Sequence[Variable] | None = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Operation:
        """The operation that makes one step to a smaller loss, and counts it in `global_step`.

        >>> import flambeau.tf1 as tf
        >>> with tf.Graph().as_default(), tf.Session() as session:
        ...     w = tf.Variable(1.0)
        ...     step = tf.train.GradientDescentOptimizer(0.25).minimize(w * w)
        ...     session.run(w.initializer)
        ...     session.run(step)
        ...     session.run(w)
        np.float32(0.5)
        """
        pairs = self.compute_gradients(loss, var_list, grad_loss=grad_loss)
        return self.apply_gradients(pairs, global_step, name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Sequence[Variable] | None = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Tensor | None, Variable]]:
        """The gradient of the loss for each variable (default: the trainable ones), with it."""
        variables = trainable_variables() if var_list is None else list(var_list)
        if not variables:
            raise ValueError("No variables to optimize.")
        tensor = convert_to_tensor(loss)
        found = gradients(tensor, [as_tensor(one) for one in variables], grad_loss)
        return list(zip(found, variables, strict=True))

    def apply_gradients(
        self,
        grads_and_vars: GradientsAndVariables,
        global_step: Variable | None = None,
        name: str | None = None,
    ) -> Operation:
        """The operation that changes variables by their gradients; ValueError if all are None."""
        pairs = [(grad, variable) for grad, variable in grads_and_vars if grad is not None]
        if not pairs:
            names = ", ".join([variable.name for _, variable in grads_and_vars])
            raise ValueError(f"No gradients provided for any variable: [{names}].")
        graph = get_default_graph()
        with graph.name_scope(name or self._name) as scope:
            self._prepare([variable for _, variable in pairs])
            updates = []
            for given, variable in pairs:
                grad = convert_to_tensor(given, variable.dtype)
                with graph.name_scope(f"update_{variable.op.name.replace('/', '_')}"):
                    updates.append(self._apply(grad, variable))
            with graph.control_dependencies(updates):
                updates += self._finish()
            if global_step is None:
                return self._noted(group(*updates, name=scope))
            with graph.control_dependencies(updates):
                counted = assigning.assign_add(
                    global_step, constant(1, global_step.dtype), name=scope
                )
            return self._noted(counted.op)

    @staticmethod
    def _noted(operation: Operation) -> Operation:
        operation.graph.add_to_collection(GraphKeys.TRAIN_OP, operation)
        return operation

    # ------------------------------------------------------------------ what a rule defines

    def _prepare(self, variables: Sequence[Variable]) -> None:
        """Make tensors and slots that the rule needs."""

    def _apply(self, grad: Tensor, variable: Variable) -> Operation:
        """The operation that changes one variable."""
        raise NotImplementedError(type(self).__name__)

    def _finish(self) -> list[Operation]:
        """What is done after all variables have been changed."""
        return []

    # ------------------------------------------------------------------ slots

    def _slot(self, variable: Variable, slot: str, name: str, start: float = 0.0) -> Variable:
        """State that goes with a variable, in its shape; saved, but not trained."""
        known = self._slots.setdefault(slot, {})
        if variable not in known:
            if not is_known(variable.shape.static):
                raise ValueError(f"the shape of {variable.name} has to be known for {self._name}")
            shape, kind = variable.shape.as_list(), variable.dtype
            first = arrays.zeros if start == 0 else _all(start)
            known[variable] = _untrained(lambda: first(shape, kind), f"{variable.op.name}/{name}")
        return known[variable]

    def _number(self, start: Any, name: str) -> Variable:
        """State that goes with the optimizer itself."""
        return _untrained(start, name)

    def get_slot(self, var: Variable, name: str) -> Variable | None:
        """What the rule remembers of a variable under this name."""
        return self._slots.get(name, {}).get(var)

    def get_slot_names(self) -> list[str]:
        """The names of what the rule remembers."""
        return sorted(self._slots)

    def variables(self) -> list[Variable]:
        """All the state of the rule."""
        return [one for slots in self._slots.values() for one in slots.values()]


def _all(value: float) -> Callable[[Any, Any], Tensor]:
    return lambda shape, kind: arrays.fill(shape, constant(value, kind))


def _untrained(start: Any, name: str) -> Variable:
    graph = get_default_graph()
    with graph.name_scope(None):
        return Variable(start, trainable=False, name=name)
