"""What ends a capture: the function runs as ever, with one warning that says why and where."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau as torch
from acceptance.programs import network


def line_of(function: Callable[..., Any], text: str) -> int:
    """The line of this file, within the function, that contains the text."""
    with open(__file__, encoding="utf-8") as file:
        lines = file.read().splitlines()
    start = function.__code__.co_firstlineno
    return next(n for n, line in enumerate(lines[start:], start + 1) if text in line)


def look_item(x: Any) -> Any:
    if (x * 2).sum().item() > 0:
        return x + 1
    return x - 1


def look_truth(x: Any) -> Any:
    while x.sum() > 100:
        x = x / 2
    return x + 1


def look_print(x: Any) -> Any:
    repr(x * 2)
    return x + 1


def look_numpy(x: Any) -> Any:
    (x * 2).numpy()
    return x + 1


def look_shape(x: Any) -> Any:
    x[x > 0].mean()
    return x + 1


LOOKS = {
    look_item: ".item()",
    look_truth: "while",
    look_print: "repr",
    look_numpy: ".numpy()",
    look_shape: "x[x > 0]",
}


@pytest.mark.parametrize("function", LOOKS, ids=lambda one: one.__name__)
def test_looking_at_a_value(function: Callable[..., Any]) -> None:
    compiled = torch.compile(function)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for value in (1.0, 2.0, -3.0):
            found = compiled(torch.full((2,), value))
            assert found.tolist() == function(torch.full((2,), value)).tolist()
        compiled(torch.ones(3))
    assert len(caught) == 1
    message = str(caught[0].message)
    assert f"{__file__}:{line_of(function, LOOKS[function])}" in message
    assert function.__name__ in message
    assert caught[0].filename == __file__


@pytest.mark.parametrize("function", LOOKS, ids=lambda one: one.__name__)
def test_fullgraph(function: Callable[..., Any]) -> None:
    compiled = torch.compile(function, fullgraph=True)
    x = torch.ones(2)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"fullgraph=True.* a value was looked at"):
            compiled(x)
    assert (x + 1).tolist() == [2.0, 2.0]


def check_declined(function: Callable[[], Any], reason: str, calls: int = 6) -> list[Any]:
    """What six calls give; there has to be one warning, with this reason."""
    compiled = torch.compile(function)
    with pytest.warns(UserWarning, match=reason) as warned:
        found = [compiled() for _ in range(calls)]
    assert len(warned) == 1
    assert warned[0].filename == __file__
    return [one.tolist() for one in found]


def test_a_schedule_stepped_inside() -> None:
    w = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step() -> Any:
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        schedule.step()
        return w.detach().clone()

    found = check_declined(step, rf"a schedule was stepped at {__file__}:")
    assert found == [[-1.0], [-1.5], [-1.75], [-1.875], [-1.9375], [-1.96875]]


def test_a_variable_set_inside() -> None:
    count = 0

    def step() -> Any:
        nonlocal count
        count += 1
        return torch.ones(1) * count

    assert check_declined(step, "it assigns the variable 'count'") == [
        [1.0], [2.0], [3.0], [4.0], [5.0], [6.0],
    ]  # fmt: skip


def test_an_attribute_set_inside() -> None:
    class Counter:
        count = 0

    counter = Counter()

    def step() -> Any:
        counter.count += 1
        return torch.ones(1) * counter.count

    found = check_declined(step, "it sets the attribute 'count'")
    assert found == [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]]


def test_an_attribute_of_a_module_set_inside() -> None:
    class Counter(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def forward(self) -> Any:
            self.count += 1
            return torch.ones(1) * self.count

    model = Counter()
    found = check_declined(lambda: model(), "the attribute 'count' of a module was set")
    assert found == [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]]


def test_a_mode_switched_inside() -> None:
    model = network(torch.nn.Dropout(1.0))
    x = torch.ones(1, 16)

    def step() -> Any:
        model.eval()
        first = model(x).detach()
        model.train()
        return (first - model(x)).detach()

    found = check_declined(step, "a module was switched between training and evaluation")
    assert all(one == found[0] for one in found)


def test_new_tensors_kept_in_variables() -> None:
    kept = []

    def step() -> Any:
        kept.append(torch.ones(1) + 1)
        return torch.ones(1) * len(kept)

    assert check_declined(step, "it keeps new tensors")[-1] == [6.0]
    assert len(kept) == 6


@pytest.mark.parametrize("keep", [lambda x: x, lambda x: x.detach(), lambda x: (x, 1)])
def test_results_kept_in_variables(keep: Callable[[Any], Any]) -> None:
    kept = []

    def step() -> Any:
        result = torch.ones(1) + 1
        kept.append(keep(result))
        return result

    check_declined(step, "it keeps a result in a Python variable, too")
    assert len(kept) == 6


def test_state_that_the_first_calls_make() -> None:
    cache: dict[str, Any] = {}

    def step(x: Any) -> Any:
        if "total" not in cache:
            cache["total"] = torch.zeros(2)
        cache["total"] += x
        return cache["total"] * 1

    compiled = torch.compile(step)
    for number in range(1, 6):
        assert compiled(torch.ones(2)).tolist() == [number] * 2


def test_numbers_drawn_by_python() -> None:
    for draw in (random.random, np.random.rand):
        random.seed(0)
        np.random.seed(0)
        expected = [np.float32(draw()) for _ in range(6)]
        random.seed(0)
        np.random.seed(0)
        found = check_declined(
            lambda draw=draw: torch.ones(()) * draw(), "it draws from the random"
        )
        assert found == [float(one) for one in expected]


def test_depth_drawn_by_python() -> None:
    layer = torch.nn.Linear(2, 2)

    def step() -> Any:
        x = torch.ones(2)
        for _ in range(random.randint(0, 3)):
            x = layer(x).clamp(min=0)
        return x.detach()

    random.seed(0)
    expected = [step().tolist() for _ in range(8)]
    random.seed(0)
    assert check_declined(step, "it draws from the random numbers of Python", 8) == expected


def test_a_users_optimizer_that_counts() -> None:
    class Slowing(torch.optim.Optimizer):
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for one in group["params"]:
                    state = self.state[one]
                    state["step"] = state.get("step", 0) + 1
                    one.data -= one.grad / 2 ** (state["step"] - 1)

    w = torch.zeros(1, requires_grad=True)
    optimizer = Slowing([w], {})

    def step() -> Any:
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        return w.detach().clone()

    found = check_declined(step, "an optimizer changed Python numbers in its state")
    assert found == [[-1.0], [-1.5], [-1.75], [-1.875], [-1.9375], [-1.96875]]


def test_lbfgs() -> None:
    def losses(wrap: Any) -> list[float]:
        torch.manual_seed(0)
        model = network()
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
        x, y = torch.randn(8, 16), torch.randn(8, 4)

        def loss() -> Any:
            optimizer.zero_grad()
            value = torch.nn.functional.mse_loss(model(x), y)
            value.backward()
            return value

        step = wrap(lambda: optimizer.step(loss))
        return [step().item() for _ in range(4)]

    expected = losses(lambda step: step)
    with pytest.warns(UserWarning, match="a value was looked at"):
        assert losses(torch.compile) == expected


def test_fullgraph_of_what_cannot_be_replayed() -> None:
    kept = []
    compiled = torch.compile(lambda: kept.append(torch.ones(1) + 1), fullgraph=True)
    compiled()  # a first call may make state
    compiled()
    with pytest.raises(RuntimeError, match="it keeps new tensors"):
        compiled()
