"""Loops and branches against PyTorch's, where it runs them without a compiler."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")


def both(program):
    """What flambeau and PyTorch make of `program(torch, x)`, and the gradients of its sum."""
    found = []
    for library in (flambeau, torch):
        x = library.tensor(np.linspace(-1, 2, 6).reshape(3, 2), requires_grad=True)
        result = program(library, x)
        result.sum().backward()
        found.append((result.detach().numpy(), x.grad.numpy()))
    return found


def loop(library, body, carry, xs):
    """`scan` there; here what it means."""
    if library is flambeau:
        return flambeau.scan(body, carry, xs)
    ys = []
    for x in xs.unbind(0):
        carry, y = body(carry, x)
        ys.append(y)
    return carry, torch.stack(ys)


def test_a_recurrence():
    def program(library, x):
        def body(h, x):
            h = library.tanh(h * 0.5 + x)
            return h, h * x

        last, ys = loop(library, body, library.zeros(2, dtype=library.float64), x)
        return ys + last

    for ours, theirs in zip(*both(program), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("limit", [1.0, 100.0])
def test_cond(limit):
    def program(library, x):
        holds = x.detach().sum() < limit
        then, otherwise = (lambda x: x.sin(), lambda x: x * x)
        if library is torch:
            return then(x) if holds else otherwise(x)
        return flambeau.cond(holds, then, otherwise, (x,))

    for ours, theirs in zip(*both(program), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
