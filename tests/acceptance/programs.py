"""Small training programs, and ways to run them that must not differ in a bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import flambeau as torch
from flambeau import nn

BATCH, INPUTS, HIDDEN, OUTPUTS = 8, 16, 16, 4
RATE = 1e-3  # of the programs by hand


def nothing(number: int) -> None:
    """What happens between most steps."""


@dataclass
class Program:
    """A training step, what happens outside of it before each call, and the tensors it changes."""

    step: Callable[..., Any]
    parameters: list[Any]
    optimizer: Any = None
    buffers: list[Any] = field(default_factory=list)
    between: Callable[[int], None] = nothing
    # A list that grows each time Python goes through the step.
    runs: list[int] = field(default_factory=list)

    def state(self) -> list[Any]:
        """All that training has changed, as Python values."""
        found: list[Any] = [one.tolist() for one in (*self.parameters, *self.buffers)]
        found += [None if one.grad is None else one.grad.tolist() for one in self.parameters]
        if self.optimizer is not None:
            found.append(plain(self.optimizer.state_dict()))
        return found


def plain(value: Any) -> Any:
    """The value with lists in place of tensors."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def history(make: Callable[[], Program], compiled: bool = False, steps: int = 7) -> list[Any]:
    """Loss and state after each step, on data that is new in each."""
    torch.manual_seed(0)
    program = make()
    step = torch.compile(program.step) if compiled else program.step
    found = []
    for number in range(steps):
        program.between(number)
        x, y = torch.randn(BATCH, INPUTS), torch.randn(BATCH, OUTPUTS)
        loss = step(x, y)
        found.append([loss.tolist(), *program.state()])
    if compiled:
        assert len(program.runs) <= 4, "it was not replayed"
    return found


def assert_captured_equals_recorded(make: Callable[[], Program], steps: int = 7) -> None:
    """The same bits captured, recorded and operation by operation."""
    recorded = history(make, steps=steps)
    assert history(make, compiled=True, steps=steps) == recorded
    with torch.eager():
        assert history(make, steps=steps) == recorded


def network(*middle: Any) -> Any:
    """The tutorial's network, smaller, with layers between its two."""
    return nn.Sequential(nn.Linear(INPUTS, HIDDEN), *middle, nn.ReLU(), nn.Linear(HIDDEN, OUTPUTS))


def trained(model: Any, optimizer: Any, **options: Any) -> Program:
    """The usual step of a model with an optimizer."""
    runs: list[int] = []

    def step(x: Any, y: Any) -> Any:
        runs.append(1)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y, reduction="sum")
        loss.backward()
        optimizer.step()
        return loss

    parameters, buffers = list(model.parameters()), list(model.buffers())
    return Program(step, parameters, optimizer, buffers, runs=runs, **options)


def by_hand() -> Program:
    """Gradients by hand: no autograd at all."""
    w1, w2 = torch.randn(INPUTS, HIDDEN), torch.randn(HIDDEN, OUTPUTS)
    runs: list[int] = []

    def step(x: Any, y: Any) -> Any:
        runs.append(1)
        hidden = x @ w1
        active = hidden.clamp(min=0)
        difference = active @ w2 - y
        grad_prediction = 2 * difference
        grad_w2 = active.t() @ grad_prediction
        grad_w1 = x.t() @ ((grad_prediction @ w2.t()) * (hidden > 0))
        w1.sub_(RATE * grad_w1)
        w2.sub_(RATE * grad_w2)
        return difference.pow(2).sum()

    return Program(step, [w1, w2], runs=runs)


def autograd() -> Program:
    """`backward`, and updates in place."""
    w1 = torch.randn(INPUTS, HIDDEN, requires_grad=True)
    w2 = torch.randn(HIDDEN, OUTPUTS, requires_grad=True)
    runs: list[int] = []

    def step(x: Any, y: Any) -> Any:
        runs.append(1)
        loss = ((x @ w1).clamp(min=0) @ w2 - y).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            for weight in (w1, w2):
                weight -= RATE * weight.grad
                weight.grad.zero_()
        return loss

    return Program(step, [w1, w2], runs=runs)


class Rectify(torch.autograd.Function):
    """The tutorial's own operation."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        (x,) = ctx.saved_tensors
        grad = grad_output.clone()
        grad[x < 0] = 0
        return grad


def own_function() -> Program:
    """A `Function`, and updates through `.data`."""
    w1 = torch.randn(INPUTS, HIDDEN, requires_grad=True)
    w2 = torch.randn(HIDDEN, OUTPUTS, requires_grad=True)
    runs: list[int] = []

    def step(x: Any, y: Any) -> Any:
        runs.append(1)
        loss = (Rectify.apply(x @ w1) @ w2 - y).pow(2).sum()
        loss.backward()
        for weight in (w1, w2):
            weight.data -= RATE * weight.grad.data
            weight.grad.data.zero_()
        return loss

    return Program(step, [w1, w2], runs=runs)


def with_sgd() -> Program:
    """SGD with momentum."""
    model = network()
    return trained(model, torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9))


def with_adam() -> Program:
    """Adam."""
    model = network()
    return trained(model, torch.optim.Adam(model.parameters(), lr=RATE))


def with_dropout() -> Program:
    """Random numbers at each step."""
    model = network(nn.Dropout(0.25))
    return trained(model, torch.optim.SGD(model.parameters(), lr=1e-2))


def with_batch_norm() -> Program:
    """Running statistics."""
    model = network(nn.BatchNorm1d(HIDDEN))
    return trained(model, torch.optim.SGD(model.parameters(), lr=1e-2))


def with_changing_rate() -> Program:
    """A learning rate, a momentum and a weight decay that the user changes."""
    model = network()
    options = {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.1}
    optimizer = torch.optim.SGD(model.parameters(), **options)

    def change(number: int) -> None:
        for name, value in options.items():
            optimizer.param_groups[0][name] = value / (1 + number)

    return trained(model, optimizer, between=change)


def with_schedule() -> Program:
    """A schedule stepped between calls, over two groups of parameters."""
    model = network()
    groups = [{"params": model[0].parameters()}, {"params": model[-1].parameters(), "lr": 1e-3}]
    optimizer = torch.optim.AdamW(groups, lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)

    def between(number: int) -> None:
        if number:
            schedule.step()

    return trained(model, optimizer, between=between)


def with_clipping() -> Program:
    """Gradients clipped to a norm."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    runs: list[int] = []

    def step(x: Any, y: Any) -> Any:
        runs.append(1)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        return norm

    return Program(step, list(model.parameters()), optimizer, runs=runs)


def with_accumulation() -> Program:
    """Two backward passes to a step, each on half of the batch."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    runs: list[int] = []

    def step(x: Any, y: Any) -> Any:
        runs.append(1)
        optimizer.zero_grad()
        total = torch.zeros(())
        for part in (slice(None, BATCH // 2), slice(BATCH // 2, None)):
            loss = nn.functional.mse_loss(model(x[part]), y[part])
            loss.backward()
            total += loss.detach()
        optimizer.step()
        return total

    return Program(step, list(model.parameters()), optimizer, runs=runs)


def with_accumulation_outside() -> Program:
    """Only the gradient is captured; every third call the optimizer steps, outside."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    runs: list[int] = []

    def step(x: Any, y: Any) -> Any:
        runs.append(1)
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    def between(number: int) -> None:
        if number and number % 3 == 0:
            optimizer.step()
            optimizer.zero_grad()

    return Program(step, list(model.parameters()), optimizer, between=between, runs=runs)


PROGRAMS = (
    by_hand, autograd, own_function, with_sgd, with_adam, with_dropout, with_batch_norm,
    with_changing_rate, with_schedule, with_clipping, with_accumulation,
    with_accumulation_outside,
)  # fmt: skip
