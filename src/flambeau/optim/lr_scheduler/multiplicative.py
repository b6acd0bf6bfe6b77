"""Schedules that multiply the current rate by a factor at every step.

They work on the rate as it is, so they combine with each other and with changes by hand.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

from flambeau.optim.lr_scheduler.base import LRScheduler
from flambeau.optim.optimizer import Optimizer


class _Multiplicative(LRScheduler):
    def _change(self) -> float:
        """What the rates are multiplied by in going to `last_epoch`."""
        raise NotImplementedError(f"{type(self).__name__} does not define _change")

    def _total(self) -> float:
        """The product of all changes up to `last_epoch`."""
        raise NotImplementedError(f"{type(self).__name__} does not define _total")

    def get_lr(self) -> list[Any]:
        """The current rates times this epoch's factor."""
        self._warn_outside_step()
        change = self._change()
        return [group["lr"] * change for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[Any]:
        total = self._total()
        return [base * total for base in self.base_lrs]


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

    def _change(self) -> float:
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return self.gamma if due else 1.0

    def _total(self) -> float:
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

    def _change(self) -> float:
        return float(self.gamma ** self.milestones[self.last_epoch])

    def _total(self) -> float:
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
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _change(self) -> float:
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else 1.0

    def _total(self) -> float:
        return self.factor if self.last_epoch < self.total_iters else 1.0


class LinearLR(_Multiplicative):
    """Times a factor that goes from `start_factor` to `end_factor` in `total_iters` epochs.

    >>> w = torch.ones(1, requires_grad=True)
    >>> optim.lr_scheduler.LinearLR(optim.SGD([w], lr=1.0), 0.5).get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1.0:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal "
                "to 1."
            )
        if not 0 <= end_factor <= 1.0:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _change(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return 1.0 + rise / before

    def _total(self) -> float:
        share = min(self.total_iters, self.last_epoch) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * share


class ExponentialLR(_Multiplicative):
    """Times `gamma` every epoch.

    >>> w = torch.ones(1, requires_grad=True)
    >>> schedule = optim.lr_scheduler.ExponentialLR(optim.SGD([w], lr=1.0), gamma=0.5)
    >>> schedule.optimizer.step(); schedule.step(); schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _change(self) -> float:
        return 1.0 if self._is_initial else self.gamma

    def _total(self) -> float:
        return float(self.gamma**self.last_epoch)


class PolynomialLR(_Multiplicative):
    """Times `(1 - epoch / total_iters) ** power`, down to 0 at `total_iters`.

    >>> w = torch.ones(1, requires_grad=True)
    >>> schedule = optim.lr_scheduler.PolynomialLR(optim.SGD([w], lr=1.0), total_iters=2)
    >>> schedule.optimizer.step(); schedule.step(); schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _remaining(self, epoch: int) -> float:
        return 1.0 - min(self.total_iters, epoch) / self.total_iters

    def _change(self) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        ratio = self._remaining(self.last_epoch) / self._remaining(self.last_epoch - 1)
        return float(ratio**self.power)

    def _total(self) -> float:
        return float(self._remaining(self.last_epoch) ** self.power)
