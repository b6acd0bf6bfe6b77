"""What gradient rules share.

An optimizer with a rule states three things: the state a parameter starts with, the numbers that
an update uses, and the update as tensor operations. The numbers depend on the settings and on
counters only and are computed in plain Python: so the operations are the same in every step, and a
captured step is replayed with numbers of its own, while learning rates and step counts change.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import flambeau.tensor as T
from flambeau.core.context import context
from flambeau.core.live import Live
from flambeau.engine.capture import each_replay
from flambeau.optim.optimizer import Closure, Group, Optimizer, State, number
from flambeau.tensor import Tensor

Numbers = tuple[float, ...]


def _reads_live(step: Callable[..., Any]) -> Callable[..., Any]:
    """This `step` makes a captured step use the settings of the time of each replay."""
    step.reads_live = True  # type: ignore[attr-defined]
    return step


class RuleOptimizer(Optimizer):
    """An optimizer that updates each parameter from its gradient and its own state."""

    # Weight decay is added to the gradient, taken off the parameter, or left to `update`.
    # A group may ask for the second with `decoupled_weight_decay`.
    ADDED, DECOUPLED, OWN = "added", "decoupled", "own"
    decay_mode: ClassVar[str] = ADDED
    counts_steps: ClassVar[bool] = True
    live_settings = frozenset({"lr", "momentum", "betas", "weight_decay"})

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        """What a parameter starts with, besides the step count."""
        raise NotImplementedError(f"{type(self).__name__} does not define initial_state")

    def numbers(self, group: Group, state: State) -> Numbers:
        """The Python numbers of this update, each as the update will use it.

        The update may not compute with them, or a captured step would not notice their change.
        `state` may hold counters.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define numbers")

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        """Change the parameter and its state in place."""
        raise NotImplementedError(f"{type(self).__name__} does not define update")

    @_reads_live
    def step(self, closure: Closure | None = None) -> Any:
        """Update all parameters that have a gradient; returns what `closure` returns."""
        loss = None
        if closure is not None:
            with T.enable_grad():
                loss = closure()
        with T.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._update_one(parameter, group)
        return loss

    def _update_one(self, parameter: Tensor, group: Group) -> None:
        state = self.state[parameter]
        if not state:
            if self.counts_steps:
                state["step"] = 0
            state.update(self.initial_state(parameter, group))
        decay, *numbers = self._advance(group, state)
        gradient = -parameter.grad if group.get("maximize") else parameter.grad
        if group.get("weight_decay"):
            mode = self._decay_mode(group)
            if mode == self.DECOUPLED:
                parameter.mul_(decay)
            elif mode == self.ADDED:
                gradient = gradient.add(parameter, alpha=decay)
        self.update(parameter, gradient, state, group, tuple(numbers))

    def _decay_mode(self, group: Group) -> str:
        return self.DECOUPLED if group.get("decoupled_weight_decay") else self.decay_mode

    def _decay(self, group: Group) -> float:
        """What weight decay multiplies the parameter by."""
        decay = group.get("weight_decay", 0)
        if not decay:
            return 0.0
        if self._decay_mode(group) == self.DECOUPLED:
            return 1 - number(group["lr"]) * decay
        return float(decay)

    def _advance(self, group: Group, state: State) -> Numbers:
        """Count a step; its decay and numbers. Under capture every replay does this again."""
        current: list[float] = []

        def advance() -> None:
            if self.counts_steps:
                state["step"] += 1
            current[:] = [self._decay(group), *self.numbers(group, state)]

        each_replay(advance)
        if context.capture is None:
            return tuple(current)
        reads = (functools.partial(current.__getitem__, place) for place in range(len(current)))
        return tuple(Live.of(read) for read in reads)


def check_not_negative(**settings: float | Tensor) -> None:
    """ValueError for a setting below 0 (or not a number); lr may be a tensor of one element."""
    names = {"lr": "learning rate", "eps": "epsilon value"}
    for name, value in settings.items():
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ValueError(f"Tensor {name} must be 1-element")
        if not number(value) >= 0.0:
            raise ValueError(f"Invalid {names.get(name, name + ' value')}: {value}")


def check_betas(betas: tuple[float, float]) -> None:
    """ValueError for a decay rate outside [0, 1)."""
    for index, beta in enumerate(betas):
        if not 0.0 <= number(beta) < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
