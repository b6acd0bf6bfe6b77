"""`cond` computes one of two functions, and differentiates that one."""

from __future__ import annotations

import pytest

import flambeau as torch
from control_flow.programs import leaf
from flambeau.engine.flush import engine, flush


def program(x):
    return torch.cond(
        x.sum() > 0, lambda x: ((x * x).sum(), x), lambda x: (x.exp().sum(), -x), (x,)
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_values_and_derivatives_of_the_branch_taken(sign):
    x = (leaf(3).detach().abs() * sign).requires_grad_()
    found = program(x)
    expected = ((x * x).sum(), x) if sign > 0 else (x.exp().sum(), -x)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    assert torch.autograd.gradcheck(program, (x,))
    assert torch.autograd.gradgradcheck(program, (x,))


def test_one_plan_for_both_branches():
    flush()
    torch.cond(torch.tensor(True), lambda: torch.ones(2), lambda: torch.zeros(2)).tolist()
    compiled = engine.statistics.compiled
    values = [
        torch.cond(torch.tensor(one), lambda: torch.ones(2), lambda: torch.zeros(2)).tolist()
        for one in (False, True)
    ]
    assert values == [[0, 0], [1, 1]]
    assert engine.statistics.compiled == compiled


def test_only_the_branch_taken_is_computed():
    x, position = torch.arange(3), torch.tensor(7)
    read = lambda: x[position]  # noqa: E731
    assert torch.cond(position < 3, read, lambda: torch.tensor(-1)).item() == -1
    with pytest.raises(IndexError, match="index 7"):
        torch.cond(position > 3, read, lambda: torch.tensor(-1)).item()


def test_weights_from_around_get_gradients():
    w = leaf()
    for flag, expected in ((True, 3.0), (False, 0.0)):
        result = torch.cond(torch.tensor(flag), lambda: w * 3, lambda: torch.ones_like(w))
        assert torch.autograd.grad(result, w)[0].item() == expected


def test_branches_in_loops():
    def step(s, x):
        s = torch.cond(x > 0, lambda s, x: s + x, lambda s, x: s * x, (s, x))
        return s, s

    x = torch.tensor([1.0, 2.0, -3.0, 4.0], requires_grad=True)
    last, ys = torch.scan(step, torch.tensor(0.0), x)
    assert ys.tolist() == [1, 3, -9, -5]
    assert torch.autograd.grad(last, x)[0].tolist() == [-3, -3, 3, 1]


def test_a_python_bool_decides_at_once():
    assert torch.cond(True, lambda: 1, lambda: 2) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: torch.cond(x, lambda: x, lambda: x), "single bool"),
        (lambda x: torch.cond(x.sum() > 0, lambda: x, lambda: x[:1]), "value 0 is"),
        (lambda x: torch.cond(x.sum() > 0, lambda: x, lambda: (x,)), "same structure"),
        (lambda x: torch.scan(lambda s, e: s, x, x), "combine_fn has to return"),
        (lambda x: torch.scan(lambda s, e: (s[:1], e), x, x), "value 0 from"),
        (lambda x: torch.scan(lambda s, e: (s, e), x, (x, x[:1])), "same size along dim 0"),
        (lambda x: torch.scan(lambda s, e: (s, e), x, x, dim=3), "out of range"),
        (lambda x: torch.scan(lambda s, e: (s, e.item()), x, x), "a value is looked at"),
        (lambda x: torch.scan(lambda s, e: (s, torch.rand(2)), x, x), "draws random numbers"),
        (lambda x: torch.scan(lambda s, e: (x.add_(1), e), x, x), "writes in place"),
        (lambda x: torch.while_loop(lambda a: a, lambda a: (a,), (x,)), "single bool"),
        (lambda x: torch.while_loop(lambda a: a.any(), lambda a: (a, a), (x,)), "structure from"),
        (lambda x: torch.while_loop(lambda a: a.any(), lambda a: a, x), "tuple or a list"),
    ],
)
def test_what_is_refused(call, message):
    x = torch.ones(3)
    with pytest.raises(RuntimeError, match=message):
        call(x)
    assert x.tolist() == [1, 1, 1]


def test_a_value_from_inside_has_no_meaning_outside():
    kept = []
    torch.scan(lambda s, x: (s, kept.append(s + x) or x), torch.zeros(()), torch.ones(2))
    with pytest.raises(RuntimeError, match="have the function return it"):
        kept[0].item()
