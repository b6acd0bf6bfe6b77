"""Running averages of variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flambeau.tf1.building import convert_to_tensor
from flambeau.tf1.elementwise import cast, minimum
from flambeau.tf1.graph import GraphKeys, Operation, get_default_graph
from flambeau.tf1.nothing import group
from flambeau.tf1.variables import Variable, trainable_variables


class ExponentialMovingAverage:
    """`average -= (1 - decay) * (average - variable)` with each run of `apply`'s operation.

    With `num_updates` the decay is at most `(1 + num_updates) / (10 + num_updates)`.
    """

    def __init__(
        self,
        decay: float,
        num_updates: Any = None,
        zero_debias: bool = False,
        name: str = "ExponentialMovingAverage",
    ) -> None:
        if zero_debias:
            raise NotImplementedError("ExponentialMovingAverage: zero_debias is not supported")
        self._decay, self._updates, self._name = decay, num_updates, name
        self._averages: dict[Variable, Variable] = {}

    def apply(self, var_list: Sequence[Variable] | None = None) -> Operation:
        """The operation that takes the variables' present values into the averages."""
        chosen = trainable_variables() if var_list is None else list(var_list)
        graph = get_default_graph()
        with graph.name_scope(self._name) as scope:
            decay = convert_to_tensor(self._decay, chosen[0].dtype)
            if self._updates is not None:
                count = cast(self._updates, decay.dtype)
                decay = minimum(decay, (1.0 + count) / (10.0 + count))
            updates = [self._update(one, decay) for one in chosen]
            return group(*updates, name=scope)

    def _update(self, variable: Variable, decay: Any) -> Any:
        if variable not in self._averages:
            with get_default_graph().name_scope(None):
                self._averages[variable] = Variable(
                    variable.initialized_value(),
                    trainable=False,
                    name=self.average_name(variable),
                )
            variable.graph.add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, variable)
        average = self._averages[variable]
        return average.assign_sub((average.value() - variable.value()) * (1 - decay))

    def average(self, var: Variable) -> Variable | None:
        """The average of a variable; None if it has none."""
        return self._averages.get(var)

    def average_name(self, var: Variable) -> str:
        """The name of the average of a variable."""
        return f"{var.op.name}/{self._name}"

    def variables_to_restore(self) -> dict[str, Variable]:
        """For a Saver: the variables by the names of their averages."""
        return {self.average_name(one): one for one in self._averages}
