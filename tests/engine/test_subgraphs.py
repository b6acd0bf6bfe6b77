"""Backward passes and updates that are entered as one call: known ones equal walked ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.core.context import context
from flambeau.engine.flush import engine
from flambeau.graph.subgraph import SUBGRAPH

Loss = Callable[[Any, Any], Any]


def leaves(seed: int) -> tuple[Any, Any]:
    flambeau.manual_seed(seed)
    return (
        flambeau.randn(4, 3, requires_grad=True),
        flambeau.randn(3, 4, requires_grad=True),
    )


LOSSES: dict[str, Loss] = {
    "product": lambda a, b: (a @ b).relu().sum(),
    "transposed": lambda a, b: (a.t() * b).pow(2).sum(),
    "used twice": lambda a, b: ((a @ b) * (a @ b) + a.sum()).mean(),
    "one leaf": lambda a, b: (a * a.detach()).sum(),
    "views": lambda a, b: (a[1:, ::2].flip(0).sum() * b.reshape(2, 6)).exp().sum(),
    "reductions": lambda a, b: (a.softmax(1) @ b).amax(0).sum(),
    "permuted constant": lambda a, b: (flambeau.arange(12.0).reshape(3, 4).t() @ b.t().t()).sum(),
}


def gradients(loss: Loss, seed: int, *, walked: bool = False) -> list[bytes]:
    a, b = leaves(seed)
    if walked:
        found = flambeau.autograd.grad(loss(a, b), (a, b), allow_unused=True)
    else:
        loss(a, b).backward()
        found = (a.grad, b.grad)
    return [b"" if one is None else one.numpy().tobytes() for one in found]


@pytest.mark.parametrize("name", LOSSES)
def test_a_known_backward_gives_the_bits_of_the_walk(name: str) -> None:
    for seed in range(3):
        assert gradients(LOSSES[name], seed) == gradients(LOSSES[name], seed, walked=True)


def test_the_second_backward_is_one_call() -> None:
    gradients(LOSSES["product"], 0)
    a, b = leaves(1)
    loss = LOSSES["product"](a, b)
    before = len(context.recording.nodes)
    loss.backward()
    assert [node.op for node in context.recording.nodes[before:]] == [SUBGRAPH, SUBGRAPH]


def test_python_numbers_are_read_anew() -> None:
    for factor in (2.0, 3.0, 1.0, 0.0):
        x = flambeau.ones(3, requires_grad=True)
        (x * factor).sum().backward()
        assert x.grad.tolist() == [factor] * 3


def test_the_same_operations_on_other_leaves_are_told_apart() -> None:
    for shared in (True, False, True):
        a, b = leaves(0)
        second = a if shared else b.t()
        (a * second).sum().backward()
        assert np.array_equal(a.grad.numpy(), (2 * a if shared else b.t()).detach().numpy())
        assert (b.grad is None) == shared


def test_hooks_take_part_after_a_backward_without_them() -> None:
    gradients(LOSSES["product"], 0)
    a, b = leaves(0)
    product = a @ b
    product.register_hook(lambda grad: grad * 0)
    product.relu().sum().backward()
    assert not a.grad.any()


def test_a_known_graph_is_freed_like_a_walked_one() -> None:
    for _ in range(3):
        a, b = leaves(0)
        loss = LOSSES["product"](a, b)
        loss.backward(retain_graph=True)
        loss.backward()
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_values_between_forward_and_backward_may_be_looked_at() -> None:
    expected = gradients(LOSSES["used twice"], 5)
    a, b = leaves(5)
    loss = LOSSES["used twice"](a, b)
    loss.item()
    loss.backward()
    assert [a.grad.numpy().tobytes(), b.grad.numpy().tobytes()] == expected


def stepped(name: str, rates: list[float], **settings: Any) -> list[bytes]:
    a, b = leaves(3)
    optimizer = getattr(flambeau.optim, name)([{"params": [a]}, {"params": [b]}], **settings)
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        LOSSES["used twice"](a, b).backward()
        optimizer.step()
    return [a.detach().numpy().tobytes(), b.detach().numpy().tobytes()]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("SGD", {}),
        ("SGD", {"momentum": 0.9, "nesterov": True}),
        ("Adam", {"weight_decay": 0.1, "amsgrad": True}),
        ("NAdam", {}),
        ("ASGD", {}),
        ("Adafactor", {}),
        ("Muon", {}),
    ],
)
def test_known_updates_give_the_bits_of_eager_ones(name: str, settings: dict[str, Any]) -> None:
    rates = [0.1, 0.1, 1.0, 0.01, 0.1]
    recorded = stepped(name, rates, **settings)
    with flambeau.eager():
        assert stepped(name, rates, **settings) == recorded


def test_the_steps_of_a_training_loop_enter_one_call_each() -> None:
    a, b = leaves(3)
    optimizer = flambeau.optim.Adam([a, b])
    compiled = []
    for _ in range(8):  # two are run at a time, as they are small
        optimizer.zero_grad()
        LOSSES["product"](a, b).backward()
        optimizer.step()
        compiled.append(engine.statistics.compiled)
    assert compiled[3] == compiled[-1]


def test_parameters_with_steps_of_their_own_keep_them() -> None:
    a, b = leaves(3)
    optimizer = flambeau.optim.Adam([a, b])
    for number in range(4):
        optimizer.zero_grad()
        (a.sum() + (b.sum() if number % 2 else 0)).backward()
        optimizer.step()
    assert [optimizer.state[one]["step"] for one in (a, b)] == [4, 2]


def test_a_failing_update_leaves_a_recording_that_can_go_on() -> None:
    class Broken(flambeau.optim.SGD):
        def update(self, parameter: Any, *others: Any) -> None:
            parameter.add_(1)
            raise ValueError("broken")

    a, _ = leaves(0)
    before = a.detach().clone()
    a.grad = flambeau.ones(4, 3)
    with pytest.raises(ValueError, match="broken"):
        Broken([a], lr=0.1).step()
    assert flambeau.equal(a, before + 1)
