"""`scan` gives what the same Python loop gives, to the bit, and so do its gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau as torch
from control_flow.programs import leaf, same_bits, unrolled
from engine.running import threads
from flambeau.engine.flush import compute, engine, flush
from flambeau.engine.reference import evaluate


def recurrent(weight):
    def step(h, x):
        h = torch.tanh(h @ weight + x)
        return h, h * x

    return step


@settings(max_examples=12)
@given(st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_a_scan_is_the_unrolled_loop_to_the_bit(length, width, reverse):
    x, h, w = leaf(length, width), leaf(width, seed=1), leaf(width, width, seed=2)
    found = []
    for loop in (torch.scan, unrolled):
        last, ys = loop(recurrent(w), h, x, reverse=reverse)
        loss = (last * last).sum() + (ys * ys).sum()
        grads = torch.autograd.grad(loss, [x, h, w], create_graph=True)
        found.append([last, ys, *grads])
    assert same_bits(*found)


def test_no_rounds_give_what_the_loop_began_with():
    last, ys = torch.scan(lambda s, x: (s + x, x), torch.ones(2), torch.zeros(0, 2))
    assert last.tolist() == [1, 1]
    assert ys.shape == (0, 2)


def test_a_scan_inside_a_scan_and_second_derivatives():
    def inner(s, x):
        s = s * 0.5 + torch.sin(x)
        return s, s

    def outer(loop):
        def step(s, row):
            return loop(inner, s, row)

        return step

    x, s = leaf(3, 4), leaf(seed=1)
    found = []
    for loop in (torch.scan, unrolled):
        last, ys = loop(outer(loop), s, x)
        first = torch.autograd.grad((ys * ys).sum() + last, [x, s], create_graph=True)
        second = torch.autograd.grad(sum((one * one).sum() for one in first), [x, s])
        found.append([last, ys, *first, *second])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-12)
    assert same_bits(found[0][:2], found[1][:2])


def test_gradients_against_finite_differences():
    x, h, w = leaf(3, 2), leaf(2, seed=1), leaf(2, 2, seed=2)

    def program(x, h, w):
        return torch.scan(recurrent(w), h, x, reverse=True)

    assert torch.autograd.gradcheck(program, (x, h, w))
    assert torch.autograd.gradgradcheck(program, (x, h, w))


def test_structures_closures_and_a_dimension():
    x = torch.arange(6.0).reshape(2, 3)
    scale = torch.tensor(2.0)

    def step(state, slices):
        total, count = state["total"] + slices[0] * scale, state["count"] + 1
        return {"total": total, "count": count}, (total, slices[1])

    begin = {"total": torch.zeros(2), "count": torch.tensor(0)}
    last, (totals, same) = torch.scan(step, begin, (x, x), dim=1)
    assert last["count"].item() == 3
    assert torch.equal(totals, 2 * x.cumsum(1))
    assert torch.equal(same, x)


def test_values_handed_on_change_places():
    last, _ = torch.scan(
        lambda s, x: ((s[1], s[0]), x), (torch.tensor(1), torch.tensor(2)), torch.zeros(3)
    )
    assert [one.item() for one in last] == [2, 1]


def test_eager_and_captured_give_the_same_bits():
    x, h, w = leaf(6, 3), leaf(3, seed=1), leaf(3, 3, seed=2)

    def program(x):
        last, ys = torch.scan(recurrent(w), h, x)
        (grad,) = torch.autograd.grad((ys * ys).sum() + last.sum(), w)
        return grad

    recorded = program(x.detach())
    with torch.eager():
        assert torch.equal(program(x.detach()), recorded)
    captured = torch.compile(program, fullgraph=True)
    for _ in range(3):
        assert torch.equal(captured(x.detach()), recorded)


def test_training_steps_compile_once():
    w = leaf(3, 3)
    optimizer = torch.optim.SGD([w], lr=0.01)

    def train(x):
        _, ys = torch.scan(recurrent(w), torch.zeros(3, dtype=torch.float64), x)
        optimizer.zero_grad()
        loss = (ys * ys).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    losses = [train(leaf(5, 3, seed=4).detach()) for _ in range(3)]
    compiled = engine.statistics.compiled
    losses += [train(leaf(5, 3, seed=4).detach()) for _ in range(3)]
    assert engine.statistics.compiled == compiled
    assert losses == sorted(losses, reverse=True)


def test_a_value_looked_at_before_backward_changes_nothing():
    x, h, w = leaf(4, 3), leaf(3, seed=1), leaf(3, 3, seed=2)
    grads = []
    for look in (False, True):
        last, _ = torch.scan(recurrent(w), h, x)
        if look:
            last.sum().item()
        grads.append(torch.autograd.grad(last.sum(), [x, h, w]))
    assert same_bits(*grads)


def test_no_grad_and_detach_inside_stop_gradients():
    def step(s, x):
        with torch.no_grad():
            size = s.abs() + 1
        return s * x / size + x.detach(), s

    x, s = leaf(3), leaf(seed=1)
    found = []
    for loop in (torch.scan, unrolled):
        last, ys = loop(step, s, x)
        found.append(torch.autograd.grad(last + ys.sum(), [x, s]))
    assert same_bits(*found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_compiled_loop_is_its_numpy_meaning(dtype, reverse):
    x, h = leaf(5, 3, dtype=dtype), leaf(3, seed=1, dtype=dtype)
    last, ys = torch.scan(lambda s, x: (s * x + x, s - x), h, x, reverse=reverse)
    for one in (last, ys):
        x.tolist(), h.tolist()  # so that both begin with the same numbers
        expected = evaluate(one.node)
        buffer = compute(one.node).buffer
        assert np.array_equal(buffer.as_array(expected.dtype, expected.shape), expected)


def test_slices_of_views_are_read_in_place_or_copied():
    x = torch.arange(24.0).reshape(2, 3, 4)
    for view in (x.permute(2, 0, 1), x[:, 1:], x.transpose(0, 1), x.flip(0), x[:1].expand(5, 3, 4)):
        last, ys = torch.scan(lambda s, x: (s + x, s * x), torch.zeros(view.shape[1:]), view)
        assert same_bits(
            [last, ys], unrolled(lambda s, x: (s + x, s * x), torch.zeros(view.shape[1:]), view)
        )


def test_matrix_products_and_reductions_inside():
    x, w = leaf(3, 17, 33, dtype=torch.float32), leaf(33, 33, seed=1, dtype=torch.float32)

    def step(s, x):
        s = torch.softmax(x @ w + s, -1)
        return s, (s.sum(0), s.var())

    h = torch.zeros(17, 33)
    last, (sums, variances) = torch.scan(step, h, x)
    for t in range(3):
        h, (one, other) = step(h, x[t])
        assert same_bits([one, other], [sums[t], variances[t]])
    assert torch.equal(last, h)


def test_threads_do_not_change_a_bit():
    x, w = leaf(4, 40, 64, dtype=torch.float32), leaf(64, 64, seed=1, dtype=torch.float32)

    def program():
        last, ys = torch.scan(recurrent(w), torch.zeros(40, 64), x)
        return [last, *torch.autograd.grad((ys * ys).sum(), [x, w])]

    with threads(1):
        alone = [one.detach().clone() for one in program()]
        flush()
    with threads(3):
        assert same_bits(alone, program())


def test_gradients_taken_inside_of_a_round():
    target = torch.tensor([1.0, -2.0])

    def descend(w, _):
        (slope,) = torch.autograd.grad(((w - target) ** 2).sum(), w, create_graph=True)
        w = w - 0.25 * slope
        return w, w

    begin = torch.zeros(2, requires_grad=True)
    last, _ = torch.scan(descend, begin, torch.zeros(3))
    assert last.tolist() == [0.875, -1.75]
    # Each round halves the distance.
    assert torch.autograd.grad(last.sum(), begin)[0].tolist() == [0.125, 0.125]


def test_a_graph_that_was_freed_is_not_walked_again():
    x = leaf(3)
    last, _ = torch.scan(lambda s, x: (s * x, x), torch.ones((), dtype=torch.float64), x)
    last.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        last.backward()


def test_explain_shows_the_loop_and_what_is_in_it():
    x, h, w = leaf(3, 2), leaf(2, seed=1), leaf(2, 2, seed=2)
    flush()
    with torch.explain() as explanation:
        torch.scan(recurrent(w), h, x)[0].tolist()
    assert "loop 3 times: call matmul" in str(explanation)
    assert all("digraph" in plan.graph() for plan in explanation.plans)
