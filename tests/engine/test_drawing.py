"""The pictures of plans: what is in which kernel, and that the text is a graph."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

import flambeau
from engine import running
from engine.graph_text import Graph, read
from engine.random_programs import random_program
from flambeau import tf1
from flambeau.engine.explain import PlanReport, explain
from flambeau.graph.node import Node
from flambeau.ops.arithmetic import add, mul, neg, relu
from flambeau.ops.exponential import exp
from flambeau.ops.indexing import index_put, wrap_index
from flambeau.ops.matmul import matmul
from flambeau.ops.power import sqrt
from flambeau.ops.shape import permute, sum_
from flambeau.ops.strided import cat
from ops.harness import forget_recording, leaf, stored_value


@pytest.fixture(autouse=True)
def own_recording() -> Iterator[None]:
    forget_recording()
    yield
    forget_recording()


def drawn(plan: PlanReport) -> Graph:
    graph = read(plan.graph())
    assert len(graph.clusters) == len(plan.kernels)
    return graph


def test_each_operation_is_in_one_kernel() -> None:
    x, w, b = (leaf(np.ones(shape, "float32")) for shape in ((64, 30), (20, 30), (20,)))
    with explain() as found:
        hidden = relu(add(matmul(x, permute(w, (1, 0))), b))
        stored_value(sum_(neg(exp(hidden)), (1,)))
    graph = drawn(found.plans[0])
    assert [sorted(ops) for ops in graph.ops()] == [
        ["add", "matmul", "relu"],
        ["exp", "neg", "sum"],
    ]
    assert graph.links() == {
        ("input float32[64, 30]", "matmul"), ("input float32[20, 30]", "matmul"),
        ("input float32[20]", "add"), ("matmul", "add"), ("add", "relu"), ("relu", "exp"),
        ("exp", "neg"), ("neg", "sum"),
    }  # fmt: skip
    assert "permute" in graph.edges.values()


def test_shapes_bytes_and_times_are_written_on_it() -> None:
    with explain() as found:
        stored_value(sum_(neg(exp(leaf(np.ones((7, 100), "float32")))), (1,)))
    text = found.plans[0].graph()
    graph = read(text)
    assert ["exp", "float32[7, 100]"] in graph.labels.values()
    assert ["sum", "float32[7]", "28 bytes"] in graph.labels.values()
    assert ["input float32[7, 100]", "2800 bytes"] in graph.labels.values()
    assert re.search(r"kernel 1: nest \[7, 100\] over \[1\].*\\n\d+\.\d µs, 2828 bytes moved", text)


def test_an_overview_draws_kernels_only() -> None:
    with explain() as found:
        hidden = relu(matmul(leaf(np.ones((8, 5), "float32")), leaf(np.ones((5, 6), "float32"))))
        stored_value(sum_(neg(exp(hidden)), (1,)))
    (plan,) = found.plans
    graph = read(plan.graph(overview=True))
    assert not graph.clusters
    assert len(graph.labels) == 2 + len(plan.kernels)
    first, second = (f"kernel{number}" for number in (1, 2))
    assert graph.edges[first, second] == "float32[8, 6]"
    text = " ".join(graph.labels[second])
    assert re.search(r"kernel 2: nest \[8, 6\] over \[1\].*neg.* µs, 224 bytes moved", text)


def test_a_reduction_in_two_parts() -> None:
    with explain() as found:
        total = sum_(exp(leaf(np.ones(300_000, "float32"))), (0,))
        stored_value(sqrt(total))
    graph = drawn(found.plans[0])
    assert [sorted(ops) for ops in graph.ops()] == [["exp", "sum"], ["sqrt", "sum"]]
    assert graph.links() >= {("exp", "sum"), ("sum", "sum"), ("sum", "sqrt")}


def test_a_value_made_in_parts_shows_where_each_comes_from() -> None:
    x, y = leaf(np.ones((8, 6), "float32")), leaf(np.ones((8, 3), "float32"))
    with explain() as found:
        stored_value(cat((x, mul(y, y)), 1))
    graph = drawn(found.plans[0])
    assert sorted(map(sorted, graph.ops())) == [["cat"], ["cat", "mul"]]
    assert graph.links() >= {("mul", "cat"), ("input float32[8, 6]", "cat")}
    with explain() as found:
        positions = wrap_index(leaf(np.array([1, 2])), 8)
        stored_value(index_put(x, leaf(np.ones((2, 6), "float32")), (positions,), (0,), True))
    assert ("wrap_index", "index_put") in drawn(found.plans[0]).links()


def test_any_program_gives_a_graph_without_loops() -> None:
    for seed in range(30):
        with explain() as found:
            running.fused(random_program(Random(seed)))
        for plan in found.plans:
            graph = drawn(plan)
            after: dict[str, set[str]] = {name: set() for name in graph.labels}
            for start, end in graph.edges:
                after[start].add(end)
            ready = set(graph.labels)
            while ready:
                last = {name for name in ready if not after[name] & ready}
                assert last
                ready -= last
            for kernel, ops in zip(plan.kernels, graph.ops(), strict=True):
                if fused := re.search(r"\(with (.*)\)", kernel.description):
                    assert Counter(fused[1].split()) <= Counter(one.split()[0] for one in ops)


def test_the_three_forms_have_one_picture() -> None:
    data = np.arange(64, dtype="float32").reshape(8, 8)

    def shape_of(plans: list[PlanReport]) -> list[tuple[list[list[str]], set[tuple[str, str]]]]:
        graphs = [drawn(plan) for plan in plans]
        return [(graph.ops(), graph.links()) for graph in graphs if len(graph.labels) > 3]

    def step(x: flambeau.Tensor) -> flambeau.Tensor:
        return (x @ x).relu().sum()

    with explain() as dynamic:
        step(flambeau.tensor(data)).item()
    captured_step = flambeau.compile(step)
    with explain() as captured:
        for _ in range(3):
            captured_step(flambeau.tensor(data)).item()
    with explain() as static, tf1.Graph().as_default():
        x = tf1.placeholder(tf1.float32, [8, 8])
        total = tf1.reduce_sum(tf1.nn.relu(tf1.matmul(x, x)))
        with tf1.Session() as session:
            session.run(total, {x: data})
    expected = shape_of(dynamic.plans)
    assert len(expected) == 1
    assert shape_of(captured.plans)[-1:] == expected
    assert shape_of(static.plans)[-1:] == expected


def test_a_sum_goes_into_the_later_of_two_products() -> None:
    """Wherever the nodes lie in memory, which decides in what order sets have them."""

    def product(depth: int) -> Node:
        return matmul(leaf(np.ones((9, depth), "float32")), leaf(np.ones((depth, 5), "float32")))

    with explain() as found:
        sums = [add(product(3), product(4)) for _ in range(12)]
        stored_value(sums[0])
    (plan,) = found.plans
    calls = Counter(kernel.description for kernel in plan.kernels)
    assert calls == {"call matmul 1x9x3x5": 12, "call matmul 1x9x4x5 then add": 12}


def test_replays_count_as_runs() -> None:
    double = flambeau.compile(lambda x: x * 2)
    ones = flambeau.ones(4)
    flambeau.flush()
    with explain() as found:
        for _ in range(5):
            double(ones).tolist()
    assert sum(plan.runs for plan in found.plans) == 5


def test_rows_that_stay_with_their_threads_count_as_memory() -> None:
    x = flambeau.ones(64, 1000)
    flambeau.flush()
    with explain() as found:
        x.softmax(1).tolist()
    (plan,) = found.plans
    assert plan.scratch_bytes >= 4 * 1000 * flambeau.get_num_threads()
    assert plan.peak_bytes == plan.temporary_bytes + 4 * 64_000 + plan.scratch_bytes
