"""Loops and branches in graph files."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
import flambeau.tf1 as tf


def recurrence(x, h):
    def step(h, x):
        h = torch.cond(x.sum() > 0, lambda: torch.tanh(h + x), lambda: h * 0.5)
        return h, h * 2

    last, ys = torch.scan(step, h, x, reverse=True)
    rounds = torch.while_loop(
        lambda n, s: s.abs().sum() > 0.1, lambda n, s: (n + 1, s * 0.5), (torch.tensor(0), last)
    )
    return last, ys, rounds


def test_a_program_of_loops_goes_through_a_file(tmp_path):
    x, h = torch.randn(4, 3), torch.randn(3)
    path = tmp_path / "loops.graph"
    torch.export(recurrence, path, x, h)
    loaded = torch.load_graph(path)
    for seed in range(3):
        torch.manual_seed(seed)
        x, h = torch.randn(4, 3), torch.randn(3)
        (last, ys, rounds), expected = loaded(x, h), recurrence(x, h)
        for one, other in zip((last, ys, *rounds), (*expected[:2], *expected[2]), strict=True):
            assert torch.equal(one, other)


def test_a_gradient_of_a_loop_goes_through_a_file(tmp_path):
    w = torch.ones(3, requires_grad=True)

    def slope(x):
        last, _ = torch.scan(lambda h, x: (torch.sin(h * w + x), x), torch.zeros(3), x)
        return torch.autograd.grad(last.sum(), w)[0]

    x = torch.arange(6.0).reshape(2, 3)
    torch.export(slope, tmp_path / "slope.graph", x)
    assert torch.equal(torch.load_graph(tmp_path / "slope.graph")(x), slope(x))


def test_a_bad_index_in_a_loaded_loop_is_found(tmp_path):
    table = torch.arange(3)

    def look_up(positions):
        return torch.scan(lambda s, i: (s + table[i], s), torch.tensor(0), positions)[0]

    torch.export(look_up, tmp_path / "table.graph", torch.tensor([0, 1]))
    loaded = torch.load_graph(tmp_path / "table.graph")
    assert loaded(torch.tensor([2, 1])).item() == 3
    with pytest.raises(IndexError, match="index 5"):
        loaded(torch.tensor([0, 5]))


def test_a_static_graph_with_a_loop(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [3], name="x")
        sums = tf.scan(lambda a, e: a + e, x)
        torch.export(session, tmp_path / "sums.graph", sums, {x: np.zeros(3)})
    loaded = torch.load_graph(tmp_path / "sums.graph")
    assert loaded(torch.tensor([1.0, 2.0, 3.0])).tolist() == [1, 3, 6]
