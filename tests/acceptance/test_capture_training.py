"""A captured training step computes what the recorded one does, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flambeau as torch
from acceptance.programs import (
    PROGRAMS,
    Program,
    assert_captured_equals_recorded,
    network,
    trained,
)

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 1e-2, "nesterov": True, "momentum": 0.9, "weight_decay": 1e-2},
    "Adam": {"amsgrad": True, "weight_decay": 1e-2},
    "AdamW": {},
    "NAdam": {"momentum_decay": 4e-3},
    "RAdam": {},
    "Adamax": {},
    "Adadelta": {},
    "Adagrad": {"lr_decay": 0.1},
    "Adafactor": {},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "Rprop": {},
    "ASGD": {},
}


@pytest.mark.parametrize("make", PROGRAMS, ids=lambda make: make.__name__)
def test_training(make: Callable[[], Program]) -> None:
    assert_captured_equals_recorded(make)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_with_a_changing_rate(name: str) -> None:
    def make() -> Program:
        model = network()
        optimizer = getattr(torch.optim, name)(model.parameters(), **OPTIMIZERS[name])

        def between(number: int) -> None:
            optimizer.param_groups[0]["lr"] *= 0.9

        return trained(model, optimizer, between=between)

    assert_captured_equals_recorded(make, steps=8)


def test_muon() -> None:
    def make() -> Program:
        model = network()
        program = trained(model, torch.optim.Muon([model[0].weight, model[-1].weight]))
        program.optimizer.param_groups[0]["lr"] = 0.1
        return program

    assert_captured_equals_recorded(make, steps=4)


def test_settings_that_shape_the_step() -> None:
    def make() -> Program:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)

        def between(number: int) -> None:
            group = optimizer.param_groups[0]
            if number == 3:
                group["weight_decay"] = 0.1
            if number == 5:
                group["maximize"] = True

        return trained(model, optimizer, between=between)

    assert_captured_equals_recorded(make, steps=8)


class Descent(torch.optim.Optimizer):
    """An optimizer as users write them."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data -= group["lr"] * parameter.grad


def test_a_users_optimizer() -> None:
    def make() -> Program:
        model = network()
        optimizer = Descent(model.parameters(), {"lr": 1e-2})

        def between(number: int) -> None:
            if number == 4:
                optimizer.param_groups[0]["lr"] = 1e-3

        return trained(model, optimizer, between=between)

    assert_captured_equals_recorded(make)


def test_state_loaded_between_steps() -> None:
    def make() -> Program:
        model = network()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        weights, state = {}, {}

        def between(number: int) -> None:
            if number == 2:
                weights.update({k: v.clone() for k, v in model.state_dict().items()})
                state.update(optimizer.state_dict())
            if number == 4:
                model.load_state_dict(weights)
                optimizer.load_state_dict(state)

        return trained(model, optimizer, between=between)

    assert_captured_equals_recorded(make)


def test_modes_and_frozen_layers() -> None:
    def make() -> Program:
        model = network(torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(16))
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)

        def between(number: int) -> None:
            if number in (2, 5):
                model.train(number != 2)
            if number == 6:
                model[0].requires_grad_(False)

        program = trained(model, optimizer, between=between)
        program.runs = []  # several captures are due
        return program

    assert_captured_equals_recorded(make, steps=9)


def test_data_replaced_between_steps() -> None:
    def make() -> Program:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)

        def between(number: int) -> None:
            if number == 3:
                model[0].weight.data = model[0].weight.data * 0.5
            if number == 4:
                model.double().float()
            if number == 5:
                with torch.no_grad():
                    model[0].bias.fill_(1.0)

        program = trained(model, optimizer, between=between)
        program.runs = []
        return program

    assert_captured_equals_recorded(make)


LOOKS: dict[str, Callable[[Any], Any]] = {
    "tensor": lambda grad: grad,
    "detached": lambda grad: grad.detach(),
    "view": lambda grad: grad.view(-1),
    "array": lambda grad: grad.numpy(),
    "unfinished": lambda grad: grad * 1,
    "storage of its data": lambda grad: grad.data,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_a_gradient_that_is_kept_outlives_the_next_replay(look: Callable[[Any], Any]) -> None:
    weight = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.5)
    factors = torch.ones(3)

    @torch.compile
    def step(x: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        loss = (weight * x * 2).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    kept = []
    for number in range(6):
        step(factors * number)
        assert weight.grad is not None
        kept.append(look(weight.grad))
    assert [one.tolist() for one in kept] == [[2.0 * number] * 3 for number in range(6)]


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_replay_copies_no_parameters(by_hand: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = [torch.ones(3, 5, requires_grad=True), torch.ones(5, 2, requires_grad=True)]
    optimizer = torch.optim.Adam(weights)
    x = torch.ones(4, 3)

    @torch.compile
    def step() -> torch.Tensor:
        loss = ((x @ weights[0]).clamp(min=0) @ weights[1]).square().sum()
        loss.backward()
        if not by_hand:
            optimizer.step()
            optimizer.zero_grad()
            return loss.detach()
        with torch.no_grad():
            for weight in weights:
                weight -= 0.1 * weight.grad
                weight.grad.zero_()
        return loss.detach()

    for _ in range(4):
        step()
    copies: list[Any] = []
    monkeypatch.setattr("flambeau.tensor.feed.duplicate", copies.append)
    for _ in range(3):
        step().item()
    assert not copies
