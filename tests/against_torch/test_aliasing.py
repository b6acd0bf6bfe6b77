"""Random programs of views and in-place writes: every alias shows what PyTorch's shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau

torch = pytest.importorskip("torch")

VIEWS: list[Any] = [
    lambda x: x[1:],
    lambda x: x[:, ::2],
    lambda x: x.t() if x.dim() == 2 else x,
    lambda x: x.reshape(-1),
    lambda x: x[0],
    lambda x: x.unsqueeze(0),
    lambda x: x.diagonal() if x.dim() == 2 else x,
    lambda x: x.detach(),
    lambda x: x.data,
    lambda x: x.narrow(-1, 0, 1),
    lambda x: x.flatten(),
    lambda x: x.transpose(0, -1),
]
WRITES: list[Any] = [
    lambda x: x.add_(1),
    lambda x: x.mul_(2),
    lambda x: x.zero_(),
    lambda x: x.copy_(x.flip(0)),
    lambda x: x.fill_(3),
    lambda x: x.__setitem__(0, 5),
    lambda x: x.clamp_(max=4),
    lambda x: x.sub_(x.sum()),
]
STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 20)), min_size=2, max_size=12
)


def run(lib: Any, steps: list[tuple[bool, int, int]]) -> tuple[list[Any], list[str]]:
    tensors, faults = [lib.arange(12, dtype=lib.float32).view(3, 4)], []
    for is_view, which, target in steps:
        x = tensors[target % len(tensors)]
        try:
            if is_view:
                tensors.append(VIEWS[which % len(VIEWS)](x))
            else:
                WRITES[which % len(WRITES)](x)
        except (RuntimeError, IndexError) as error:
            faults.append(type(error).__name__)
    return tensors, faults


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_aliases(steps: list[tuple[bool, int, int]]) -> None:
    theirs, ours = run(torch, steps), run(flambeau, steps)
    assert ours[1] == theirs[1]
    for expected, found in zip(theirs[0], ours[0], strict=True):
        assert found.stride() == expected.stride() or found.numel() <= 1
        assert found.storage_offset() == expected.storage_offset() or not found.numel()
        assert np.array_equal(np.array(found.tolist()), np.array(expected.tolist()))


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_gradients_through_aliases(steps: list[tuple[bool, int, int]]) -> None:
    steps = [step for step in steps if VIEWS[step[1] % len(VIEWS)] not in VIEWS[7:9] or not step[0]]
    gradients = []
    for lib in (torch, flambeau):
        leaf = lib.linspace(-1, 2, 12, dtype=lib.float64).view(3, 4).detach().requires_grad_()
        tensors = [leaf * 1.5]
        for is_view, which, target in steps:
            x = tensors[target % len(tensors)]
            try:
                if is_view:
                    tensors.append(VIEWS[which % len(VIEWS)](x))
                else:
                    WRITES[which % len(WRITES)](x)
            except (RuntimeError, IndexError):
                pass
        sum((one * one).sum() for one in tensors).backward()
        gradients.append(np.array(leaf.grad.tolist()))
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-9, atol=1e-9)


def test_memory_shared_with_numpy() -> None:
    array = np.arange(6.0).reshape(2, 3)
    x = flambeau.from_numpy(array)
    y = x * 2
    array[0, 0] = 50.0
    assert y[0, 0].item() == 0.0, "what was computed before the write does not change"
    assert (x + 0)[0, 0].item() == 50.0
    x[1] = -1.0
    assert array[1].tolist() == [-1.0, -1.0, -1.0]
    x.t().mul_(2)
    assert array[0].tolist() == [100.0, 2.0, 4.0]


def test_numpy_of_a_tensor_shares() -> None:
    x = flambeau.zeros(3)
    copy = x.clone()
    array = x.numpy()
    array[0] = 1.0
    assert x.tolist() == [1.0, 0.0, 0.0]
    assert copy.tolist() == [0.0, 0.0, 0.0]
    x += 1
    assert array.tolist() == [2.0, 1.0, 1.0]
    part = x[1:].numpy()
    part[0] = 9.0
    assert x.tolist() == [2.0, 9.0, 1.0]
    assert array.tolist() == [2.0, 9.0, 1.0]


def test_a_value_saved_for_backward_survives_a_write_through_numpy_memory() -> None:
    x = flambeau.from_numpy(np.ones(2))
    w = flambeau.ones(2, dtype=flambeau.float64, requires_grad=True)
    y = (w * x).sum()
    x += 5
    y.backward()
    assert w.grad.tolist() == [1.0, 1.0]
