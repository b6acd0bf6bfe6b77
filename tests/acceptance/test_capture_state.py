"""What captured functions read, write and return: tensors behave as if there were no capture."""

from __future__ import annotations

import copy
import gc
import warnings
from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.engine.flush import engine


def counted(function: Any) -> tuple[Any, list[int]]:
    """The function compiled, and a list that grows each time Python goes through it."""
    runs: list[int] = []

    def body(*args: Any) -> Any:
        runs.append(1)
        return function(*args)

    return torch.compile(body), runs


# ------------------------------------------------------------------------------------ arguments


def test_new_tensors_and_values() -> None:
    double, runs = counted(lambda x: x * 2)
    for value in (1.0, 2.0, 3.0):
        assert double(torch.full((3,), value)).tolist() == [2 * value] * 3
    assert len(runs) == 1


def test_a_new_shape_dtype_or_number_is_captured_anew() -> None:
    scale, runs = counted(lambda x, factor: x * factor)
    calls = [
        (torch.ones(2), 2), (torch.ones(3), 2), (torch.ones(2, dtype=torch.float64), 2),
        (torch.ones(2), 3), (torch.ones(2), 2.5), (torch.ones(2), True),
    ]  # fmt: skip
    for x, factor in calls:
        for _ in range(2):
            found = scale(x, factor)
            assert found.dtype is x.dtype
            assert found.tolist() == [factor] * x.numel()
    assert len(runs) == len(calls)


def test_structures_of_arguments_and_results() -> None:
    both, runs = counted(
        lambda pair, table: {"sum": pair[0] + pair[1], "pair": (table["x"] * 2, 7)}
    )
    for value in (1.0, 2.0):
        x = torch.full((2,), value)
        found = both([x, x], {"x": x})
        assert found["sum"].tolist() == [2 * value] * 2
        assert found["pair"][0].tolist() == [2 * value] * 2
        assert found["pair"][1] == 7
    assert len(runs) == 1


def test_an_argument_may_be_the_result() -> None:
    same, runs = counted(lambda x: x)
    for value in (1.0, 2.0):
        x = torch.full((2,), value)
        assert same(x) is x
    assert len(runs) == 1


def test_arguments_changed_in_place() -> None:
    count, runs = counted(lambda x: x.add_(1))
    for value in (1.0, 2.0, 3.0):
        x = torch.full((2,), value)
        other = x.clone()
        assert count(x) is x
        assert count(x) is x
        assert x.tolist() == [value + 2] * 2
        assert other.tolist() == [value] * 2
    assert len(runs) == 1


def test_the_same_tensor_twice() -> None:
    def step(x: Any, y: Any) -> Any:
        x.add_(1)
        return y * 10

    both, _ = counted(step)
    for _ in range(2):
        x, y = torch.ones(2), torch.ones(2)
        assert both(x, y).tolist() == [10.0] * 2
        assert both(x, x).tolist() == [30.0] * 2


def test_views_as_arguments() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    double, _ = counted(lambda part: part * 2)
    for _ in range(3):
        for part in (x[0], x[1], x[:, 1], x.t(), x.reshape(-1)):
            assert double(part).tolist() == (part * 2).tolist()
        x += 1


def test_views_in_variables() -> None:
    x = torch.arange(4.0)
    half = x[:2]
    half.tolist()  # computed and kept
    total, runs = counted(lambda: half * 2)
    for number in range(3):
        assert total().tolist() == [2.0 * number, 2.0 + 2 * number]
        x += 1
    assert len(runs) == 1


def test_writing_through_a_view() -> None:
    x = torch.zeros(3)

    def step(value: Any) -> None:
        x[1] = value

    write, runs = counted(step)
    for value in (1.0, 2.0, 3.0):
        write(torch.tensor(value))
        assert x.tolist() == [0.0, value, 0.0]
    assert len(runs) == 1


def test_numpy_arguments_are_not_captured() -> None:
    double, _ = counted(lambda array: torch.from_numpy(array) * 2)
    array = np.ones(2)
    with pytest.warns(UserWarning, match="an argument is a ndarray"):
        assert double(array).tolist() == [2.0, 2.0]
    for number in range(2, 4):
        array += 1
        assert double(array).tolist() == [2.0 * number] * 2


def test_memory_shared_with_numpy() -> None:
    array = np.ones(2, np.float32)
    x, y = torch.from_numpy(array), torch.from_numpy(array)
    double, runs = counted(lambda one: one * 2 + x)
    for number in range(1, 4):
        assert double(y).tolist() == [3.0 * number] * 2
        array += 1
    assert len(runs) == 1


def test_an_argument_that_is_a_variable_too() -> None:
    x = torch.ones(2)

    def step(one: Any) -> Any:
        x.add_(1)
        return one * 2

    function, _ = counted(step)
    found = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(4):
            found += [function(x).tolist(), function(torch.ones(2)).tolist()]
    assert found == [[value] * 2 for n in range(4) for value in (2.0 * (2 + 2 * n), 2.0)]
    assert ["an argument is also a variable" in str(one.message) for one in caught] == [True]


# ------------------------------------------------------------- what others hold stays what it is


def test_results_keep_their_values() -> None:
    w = torch.zeros(2)

    def step(x: Any) -> Any:
        w.add_(x)
        return w * 1, w.clone(), w.sum()

    count, runs = counted(step)
    found = [count(torch.ones(2)) for _ in range(4)]
    for number, (product, clone, total) in enumerate(found, 1):
        assert product.tolist() == clone.tolist() == [number] * 2
        assert total.item() == 2 * number
    found[0][0].add_(100)
    assert found[0][1].tolist() == [1.0] * 2
    assert len(runs) == 1


def test_copies_of_a_parameter() -> None:
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5)

    def step() -> None:
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()

    train, runs = counted(step)
    alias, clone, saved = w.detach(), w.detach().clone(), copy.deepcopy(w)
    function_of_w = w * 1  # not yet computed, and computed from the value of now
    kept = []
    for number in range(4):
        kept.append((1 - 0.5 * number, w.detach().clone(), w.grad))
        train()
    assert w.tolist() == alias.tolist() == [-1.0, -1.0]
    assert clone.tolist() == saved.tolist() == function_of_w.tolist() == [1.0, 1.0]
    for value, one, _ in kept:
        assert one.tolist() == [value] * 2
    assert len({id(grad) for _, _, grad in kept}) == 4
    assert len(runs) <= 2


def test_distance_from_where_it_began() -> None:
    w = torch.ones(2)
    start = w.clone()

    def step() -> Any:
        distance = (w - start).sum()
        w.add_(1)
        return distance

    walk, runs = counted(step)
    assert [walk().item() for _ in range(4)] == [0.0, 2.0, 4.0, 6.0]
    assert start.tolist() == [1.0, 1.0]
    assert len(runs) == 1


def test_gradients_the_user_holds() -> None:
    w = torch.ones(2, requires_grad=True)

    def step(x: Any) -> None:
        w.grad = None
        (w * x).sum().backward()

    gradient, runs = counted(step)
    held = []
    for value in (1.0, 2.0, 3.0, 4.0):
        gradient(torch.full((2,), value))
        held.append(w.grad)
    assert [one.tolist() for one in held] == [[1.0] * 2, [2.0] * 2, [3.0] * 2, [4.0] * 2]
    assert len(runs) == 1


def test_gradients_reset_outside() -> None:
    w = torch.ones(2, requires_grad=True)
    gradient, runs = counted(lambda x: (w * x).sum().backward())
    x = torch.ones(2)
    for _ in range(3):
        w.grad = None
        gradient(x)
        assert w.grad.tolist() == [1.0] * 2
        gradient(x)
        assert w.grad.tolist() == [2.0] * 2
        w.grad = torch.full((2,), 10.0)
        gradient(x)
        assert w.grad.tolist() == [11.0] * 2
    assert len(runs) == 2


def test_an_arguments_gradient() -> None:
    slope, runs = counted(lambda x: (x * x).sum().backward())
    for value in (1.0, 2.0, 3.0):
        x = torch.full((2,), value, requires_grad=True)
        slope(x)
        assert x.grad.tolist() == [2 * value] * 2
    assert len(runs) == 1


def test_numpy_sees_what_captured_functions_write() -> None:
    w = torch.zeros(2)
    count, _ = counted(lambda: w.add_(1))
    for _ in range(3):
        count()
    array = w.numpy()
    with pytest.warns(UserWarning, match="a value was looked at"):
        count()
    count()
    assert array.tolist() == w.tolist() == [5.0, 5.0]
    array[0] = 0
    assert count().tolist() == [1.0, 6.0]
    del array
    gc.collect()
    assert count().tolist() == [2.0, 7.0]


def test_numpy_sees_what_is_overwritten() -> None:
    w = torch.zeros(2)
    store, _ = counted(lambda x: w.copy_(x))
    store(torch.ones(2))
    array = w.numpy()
    with pytest.warns(UserWarning, match="a value was looked at"):
        store(torch.full((2,), 2.0))
    assert array.tolist() == [2.0, 2.0]


# ---------------------------------------------------------------------------- gradients outside


def test_results_that_require_gradients() -> None:
    w = torch.ones(2, requires_grad=True)
    product = torch.compile(lambda x: w * x)
    for number in range(1, 6):
        product(torch.ones(2)).sum().backward()
        assert w.grad.tolist() == [number] * 2


def test_arguments_that_have_a_history() -> None:
    w = torch.ones(2, requires_grad=True)
    finish = torch.compile(lambda x: (x * x).sum().backward())
    for number in range(1, 6):
        finish(w * number)
    assert w.grad.tolist() == [2.0 * (1 + 4 + 9 + 16 + 25)] * 2


def test_a_loss_returned_after_backward() -> None:
    w = torch.ones(2, requires_grad=True)

    def step(x: Any) -> Any:
        loss = (w * x).pow(2).sum()
        loss.backward()
        return loss

    train, runs = counted(step)
    for _ in range(4):
        loss = train(torch.ones(2))
        assert loss.requires_grad
        assert "SumBackward" in repr(loss)
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            loss.backward()
    assert len(runs) == 2  # without and with gradients that are there before


# ----------------------------------------------------------------------------- Python variables


def test_a_new_value_of_a_variable() -> None:
    factor, table = 1.0, torch.ones(2)
    function = torch.compile(lambda x: x * factor + table)
    for number in range(4):
        factor = float(number)
        for _ in range(2):
            assert function(torch.ones(2)).tolist() == [number + 1.0] * 2
    table = torch.zeros(2)
    assert function(torch.ones(2)).tolist() == [3.0] * 2


def test_closures_that_share_their_code() -> None:
    factors = [1.0, 2.0]

    def scaling(number: int) -> Any:
        factor = factors[number]

        def scaled(x: Any) -> Any:
            return x * factor

        def change(value: float) -> None:
            nonlocal factor
            factor = value

        return scaled, change

    (first, _), (second, change_second) = scaling(0), scaling(1)
    both = torch.compile(lambda x: first(x) + second(x))
    for value in (2.0, 2.0, 5.0, -0.0):
        change_second(value)
        assert both(torch.ones(1)).item() == 1 + value


GLOBAL = 1.0


def _helper(x: Any) -> Any:
    return x * GLOBAL


def test_a_new_value_of_a_global(monkeypatch: pytest.MonkeyPatch) -> None:
    direct = torch.compile(lambda x: x * GLOBAL)
    by_call = torch.compile(lambda x: _helper(x))
    for value in (1.0, 2.0, 2.0, 3.0):
        monkeypatch.setitem(globals(), "GLOBAL", value)
        assert direct(torch.ones(1)).item() == by_call(torch.ones(1)).item() == value


class Scaling:
    """A class with a compiled method."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    @torch.compile
    def scaled(self, x: Any) -> Any:
        return x * self.factor


def test_methods() -> None:
    one, two = Scaling(1.0), Scaling(2.0)
    for _ in range(3):
        assert one.scaled(torch.ones(1)).item() == 1.0
        assert two.scaled(torch.ones(1)).item() == 2.0


def test_an_attribute_of_the_object_of_a_method() -> None:
    scaling = Scaling(1.0)
    function = torch.compile(lambda x: x * 2)
    bound = torch.compile(scaling.scaled.__wrapped__.__get__(scaling))
    for value in (1.0, 2.0, 3.0):
        scaling.factor = value
        assert bound(torch.ones(1)).item() == value
        assert function(torch.ones(1)).item() == 2


def test_attributes_of_modules() -> None:
    class Scale(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = 1.0
            self.linear = torch.nn.Linear(2, 2, bias=False)

        def forward(self, x: Any) -> Any:
            return self.linear(x) * self.factor

    model = Scale()
    with torch.no_grad():
        function = torch.compile(lambda x: model(x))
        for value in (1.0, 2.0, 2.0, 3.0):
            model.factor = value
            model.linear.weight.fill_(value)
            assert function(torch.ones(1, 2)).tolist() == [[2 * value * value] * 2]
        model.linear = torch.nn.Linear(2, 2, bias=False)
        assert function(torch.zeros(1, 2)).tolist() == [[0.0] * 2]
        model.linear.weight = torch.nn.Parameter(torch.ones(2, 2))
        assert function(torch.ones(1, 2)).tolist() == [[6.0] * 2]


# -------------------------------------------------------------------------------- random numbers


def test_random_numbers_are_drawn_in_order() -> None:
    def numbers(wrap: Any) -> list[Any]:
        torch.manual_seed(0)
        draw = wrap(lambda: torch.rand(2))
        found = []
        for _ in range(4):
            before = torch.rand(1)  # recorded, not yet drawn when the call comes
            found += [draw(), before, torch.randn(3)]
        return [one.tolist() for one in found]

    assert numbers(torch.compile) == numbers(lambda function: function)


def test_a_seed_set_inside() -> None:
    def step(x: Any) -> Any:
        torch.manual_seed(1)
        return torch.nn.functional.dropout(x)

    drop, runs = counted(step)
    found = [drop(torch.ones(8)).tolist() for _ in range(3)]
    assert found[0] == found[1] == found[2]
    assert len(runs) == 1


# ---------------------------------------------------------------------------------- whole modules


def test_modules() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.5))
    compiled = torch.compile(model)
    assert compiled is model
    x = torch.ones(4, 3)
    with torch.no_grad():
        model.eval()
        first = model(x).tolist()
        assert model(x).tolist() == first
        model.train()
        assert model(x).tolist() != first
        model.eval()
        assert model(x).tolist() == first
    model(x).sum().backward()
    assert model[0].bias.grad is not None
    other = copy.deepcopy(model)
    with torch.no_grad():
        other[0].weight.zero_()
        other[0].bias.zero_()
        assert other(x).tolist() == [[0.0] * 2] * 4
        assert model(x).tolist() == first


def test_compiled_functions_inside_others() -> None:
    inner = torch.compile(lambda x: x + 1)
    outer, runs = counted(lambda x: inner(inner(x)) * 2)
    for value in (1.0, 2.0):
        assert outer(torch.full((1,), value)).item() == 2 * (value + 2)
        assert inner(torch.full((1,), value)).item() == value + 1
    assert len(runs) == 1


def test_a_function_without_operations() -> None:
    constant, _ = counted(lambda x: 7)
    torch.ones(3).add(1).tolist()  # the plan that ran last is another one
    for _ in range(3):
        assert constant(torch.ones(2)) == 7


# --------------------------------------------------------------------------------------- failures


def test_a_failing_replay_changes_nothing() -> None:
    table, w = torch.arange(4.0), torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)

    def step(index: Any) -> Any:
        optimizer.zero_grad()
        loss = (w * table[index]).sum()
        loss.backward()
        optimizer.step()
        table.add_(1)
        return loss

    train, runs = counted(step)
    for index in ([0, 1], [1, 2]):
        train(torch.tensor(index))
    before = [w.tolist(), w.grad.tolist(), table.tolist()]
    with pytest.raises(IndexError, match=rf"index 4 is out .*size 4 \(recorded at {__file__}:\d+"):
        train(torch.tensor([3, 4]))
    assert [w.tolist(), w.grad.tolist(), table.tolist()] == before
    train(torch.tensor([0, 0]))
    assert table.tolist() == [3.0, 4.0, 5.0, 6.0]
    assert len(runs) <= 2


def test_an_exception_inside() -> None:
    w = torch.zeros(2)

    def step(fail: bool) -> Any:
        w.add_(1)
        if fail:
            raise KeyError("no")
        return w * 2

    function = torch.compile(step)
    with pytest.raises(KeyError):
        function(True)
    assert w.tolist() == [1.0, 1.0]
    assert function(False).tolist() == [4.0, 4.0]
    with pytest.raises(KeyError):
        function(True)
    assert function(False).tolist() == [8.0, 8.0]
    assert w.tolist() == [4.0, 4.0]


def test_a_storage_that_changed_its_size() -> None:
    w = torch.ones(2)
    total, _ = counted(lambda: w.sum())
    assert total().item() == 2
    w.resize_(5).fill_(1)
    assert total().item() == 5
    torch.add(torch.ones(3), 1, out=w.resize_(0))
    assert total().item() == 6


def test_captures_are_bounded() -> None:
    function = torch.compile(lambda x, number: x * number)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = [function(torch.ones(1), number).item() for number in range(50)]
    assert found == [*range(50)]
    assert ["others at each call" in str(one.message) for one in caught] == [True]


def test_capturing_a_known_step_compiles_no_kernels() -> None:
    w = torch.ones(3)
    w.mul_(2).tolist()
    plans = engine.statistics.compiled
    double, _ = counted(lambda: w.mul_(2))
    double()
    assert engine.statistics.compiled - plans <= 1
