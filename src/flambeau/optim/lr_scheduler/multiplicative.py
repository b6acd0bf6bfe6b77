"""Schedules that multiply the current rate by a factor at every step.

They work on the rate as it is, so they combine with each other and with changes by hand.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flambeau.optim.lr_scheduler.base import LRScheduler, saved_callable
from flambeau.optim.optimizer import Optimizer

Lambda = Callable[[int], float]


class _Multiplicative(LRScheduler):
    def factor(self) -> float:
        """What the rates are multiplied by in going to `last_epoch`."""
        raise NotImplementedError

    def total_factor(self) -> float:
        """The product of all factors up to `last_epoch`."""
        raise NotImplementedError

    def get_lr(self) -> list[Any]:
        """The current rates times the factor."""
        self._warn_outside_step()
        factor = self.factor()
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self.total_factor() for base in self.base_lrs]


class StepLR(_Multiplicative):
    """Times `gamma` every `step_size` epochs.

    >>> w = torch.ones(1, requires_grad=True)
    >>> schedule = optim.lr_scheduler.StepLR(optim.SGD([w], lr=1.0), step_size=1, gamma=0.5)
    >>> schedule.optimizer.step(); schedule.step(); schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self) -> float:
        """`gamma` at multiples of `step_size`."""
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return self.gamma if due else 1.0

    def total_factor(self) -> float:
        """`gamma` to the number of steps taken."""
        return float(self.gamma ** (self.last_epoch // self.step_size))


class MultiStepLR(_Multiplicative):
    """Times `gamma` at each milestone.

    >>> w = torch.ones(1, requires_grad=True)
    >>> schedule = optim.lr_scheduler.MultiStepLR(optim.SGD([w], lr=1.0), [1], gamma=0.5)
    >>> schedule.optimizer.step(); schedule.step(); schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self) -> float:
        """`gamma` as often as this epoch is listed."""
        return float(self.gamma ** self.milestones[self.last_epoch])

    def total_factor(self) -> float:
        """`gamma` to the number of milestones passed."""
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return float(self.gamma**passed)


class ConstantLR(_Multiplicative):
    """Times `factor` for the first `total_iters` epochs.

    >>> w = torch.ones(1, requires_grad=True)
    >>> optim.lr_scheduler.ConstantLR(optim.SGD([w], lr=1.0), factor=0.5).get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 <= factor <= 1.0:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor = factor  # type: ignore[method-assign,assignment]
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The current rates, reduced at first and restored at `total_iters`."""
        self._warn_outside_step()
        change = 1.0
        if self.last_epoch == 0:
            change = self.factor  # type: ignore[assignment]
        elif self.last_epoch == self.total_iters:
            change = 1.0 / self.factor  # type: ignore[operator]
        return [group["lr"] * change for group in self.optimizer.param_groups]
