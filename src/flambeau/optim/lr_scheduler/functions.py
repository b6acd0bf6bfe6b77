"""Schedules given by the user's own functions of the epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flambeau.optim.lr_scheduler.base import LRScheduler, saved_callable, values
from flambeau.optim.optimizer import Optimizer

Lambda = Callable[[int], float]


class _ByFunction(LRScheduler):
    lr_lambdas: list[Lambda]

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Lambda | Sequence[Lambda],
        last_epoch: int = -1,
    ) -> None:
        groups = len(optimizer.param_groups)
        if not isinstance(lr_lambda, list | tuple):
            lr_lambda = [lr_lambda] * groups  # type: ignore[list-item]
        if len(lr_lambda) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(lr_lambda)}")
        for function in lr_lambda:
            if not callable(function):
                raise TypeError(
                    f"lr_lambda should be a function, but got {type(function).__name__}"
                )
        self.lr_lambdas = list(lr_lambda)
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of the functions only the attributes of objects."""
        state = super().state_dict()
        state["lr_lambdas"] = [saved_callable(function) for function in self.lr_lambdas]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave; functions stay as they are."""
        own = self.lr_lambdas
        super().load_state_dict(state_dict)
        self.lr_lambdas = own
        for function, saved in zip(own, state_dict["lr_lambdas"], strict=True):
            if saved is not None:
                function.__dict__.update(saved)


class LambdaLR(_ByFunction):
    """The initial rate times `lr_lambda(epoch)`; one function, or one per group.

    >>> w = torch.ones(1, requires_grad=True)
    >>> schedule = optim.lr_scheduler.LambdaLR(optim.SGD([w], lr=1.0), lambda epoch: 0.5**epoch)
    >>> schedule.optimizer.step(); schedule.step(); schedule.get_last_lr()
    [0.5]
    """

    def get_lr(self) -> list[Any]:
        """The initial rates times the functions' values."""
        self._warn_outside_step()
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base * function(self.last_epoch) for base, function in pairs]


class MultiplicativeLR(_ByFunction):
    """The current rate times `lr_lambda(epoch)`; one function, or one per group.

    >>> w = torch.ones(1, requires_grad=True)
    >>> schedule = optim.lr_scheduler.MultiplicativeLR(optim.SGD([w], lr=1.0), lambda epoch: 0.5)
    >>> schedule.optimizer.step(); schedule.step(); schedule.get_last_lr()
    [0.5]
    """

    def get_lr(self) -> list[Any]:
        """The current rates times the functions' values."""
        self._warn_outside_step()
        rates = values(self.optimizer, "lr")
        if self._is_initial:
            return rates
        pairs = zip(rates, self.lr_lambdas, strict=True)
        return [rate * function(self.last_epoch) for rate, function in pairs]
