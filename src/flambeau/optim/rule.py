"""What gradient rules share.

An optimizer with a rule states three things: the state a parameter starts with, the numbers that
an update uses, and the update as tensor operations. The numbers depend on the settings and on
counters only and are computed in plain Python: so the operations are the same in every step, and a
captured step is replayed with numbers of its own, while learning rates and step counts change.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain, repeat
from operator import getitem, is_
from typing import Any, ClassVar

import flambeau.tensor as T
from flambeau.core.context import context
from flambeau.core.live import Live
from flambeau.engine.capture import each_replay, guard
from flambeau.optim.optimizer import Closure, Group, Optimizer, Settings, State, number
from flambeau.tensor import Tensor
from flambeau.tensor.repeated import Update, plain_storages, specs, trace_update

Numbers = tuple[float, ...]

# Structures of updates that an optimizer remembers.
MOST_KNOWN = 32


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
    # Whether `numbers` depends on the parameter's shape, besides the settings and counters.
    numbers_by_shape: ClassVar[bool] = False
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
            for number, group in enumerate(self.param_groups):
                parameters, gradients = group["params"], [one.grad for one in group["params"]]
                if any(map(is_, gradients, repeat(None))):  # `in` would ask the tensors
                    parameters = [one for one in parameters if one.grad is not None]
                    gradients = [one.grad for one in parameters]
                if parameters:
                    self._update_group(number, group, parameters, gradients)
        return loss

    def _reset(self) -> None:
        super()._reset()
        self._settings = Settings(self, self.live_settings)
        self._known: list[tuple[Any, Update | None]] = []

    def _update_group(
        self, number: int, group: Group, parameters: list[Tensor], gradients: list[Tensor]
    ) -> None:
        """Update these parameters: as one call if the same operations are known from before."""
        states = [self._state_of(parameter, group) for parameter in parameters]
        sharing = self._sharing(parameters, states)
        current = self._advance(group, parameters, states, sharing)
        tensors = [*parameters, *gradients]
        kept = chain.from_iterable(map(dict.values, states))
        tensors += [value for value in kept if isinstance(value, Tensor)]
        once = context.eager or context.capture is not None
        storages = None if once else plain_storages(tensors)
        if storages is None:
            self._update_all(group, parameters, states, sharing, _live(current))
            return
        names = [list(state) for state in states]
        structure = (number, self._settings(), specs(storages), names, sharing)
        found = [update for known, update in self._known if known == structure]
        if found and found[0] is not None:
            found[0](storages, list(chain.from_iterable(current.values())))
            return
        live = _live(current)

        def update() -> bool:
            self._update_all(group, parameters, states, sharing, live)
            # A state that has grown makes the next step another one.
            return names == [list(state) for state in states]

        if found:
            update()
        else:
            numbers = list(chain.from_iterable(live.values()))
            self._known = [
                *self._known[1 - MOST_KNOWN :],
                (structure, trace_update(update, storages, numbers)),
            ]

    def _update_all(
        self,
        group: Group,
        parameters: list[Tensor],
        states: list[State],
        sharing: list[int],
        numbers: dict[int, tuple[Live, ...]],
    ) -> None:
        for parameter, state, first in zip(parameters, states, sharing, strict=True):
            self._update_one(parameter, state, group, numbers[first])

    def _state_of(self, parameter: Tensor, group: Group) -> State:
        state = self.state[parameter]
        if not state:
            if self.counts_steps:
                state["step"] = 0
            state.update(self.initial_state(parameter, group))
        return state

    def _update_one(self, parameter: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        decay, *others = numbers
        gradient = -parameter.grad if group.get("maximize") else parameter.grad
        if group.get("weight_decay"):
            mode = self._decay_mode(group)
            if mode == self.DECOUPLED:
                parameter.mul_(decay)
            elif mode == self.ADDED:
                gradient = gradient.add(parameter, alpha=decay)
        self.update(parameter, gradient, state, group, tuple(others))

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

    def _sharing(self, parameters: list[Tensor], states: list[State]) -> list[int]:
        """For each parameter the place of the first one that has the same numbers."""
        names = self.scalar_state
        if self.numbers_by_shape:
            shapes = [tuple(one.shape) for one in parameters]
            counters: list[Any] = [
                (shape, *map(state.get, names)) for shape, state in zip(shapes, states, strict=True)
            ]
        elif len(names) == 1:
            counters = [state.get(names[0]) for state in states]
        else:
            counters = [[*map(state.get, names)] for state in states]
        if counters.count(counters[0]) == len(counters):
            return [0] * len(counters)
        return [counters.index(one) for one in counters]

    def _advance(
        self, group: Group, parameters: list[Tensor], states: list[State], sharing: list[int]
    ) -> dict[int, list[float]]:
        """Count a step; decay and numbers by `sharing`. Every replay of a capture does it again."""
        leaders = [states[first] for first in sharing]
        current: dict[int, list[float]] = {first: [] for first in sharing}
        copied = [
            (state, leader, name)
            for state, leader in zip(states, leaders, strict=True)
            for name in self.scalar_state
            if state is not leader and name in state
        ]

        def advance() -> None:
            for first, values in current.items():
                state = states[first]
                if self.counts_steps:
                    state["step"] += 1
                values[:] = self._decay(group), *self.numbers(group, state)
            for state, leader, name in copied:
                state[name] = leader[name]

        guard(lambda: self._sharing(parameters, states))
        each_replay(advance)
        return current


def _live(current: dict[int, list[float]]) -> dict[int, tuple[Live, ...]]:
    """Numbers that each replay reads anew."""
    return {
        first: tuple([Live.of(_item(values, place)) for place in range(len(values))])
        for first, values in current.items()
    }


def _item(values: list[float], place: int) -> Callable[[], Any]:
    return partial(getitem, values, place)


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
