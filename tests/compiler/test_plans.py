"""Plans for small graphs that once went wrong, or whose plan is a promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from flambeau.core import dtypes
from flambeau.engine import flush
from flambeau.engine.flush import engine
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops.arithmetic import add, maximum, mul, neg, sub
from flambeau.ops.exponential import exp
from flambeau.ops.indexing import index, index_put, wrap_index
from flambeau.ops.matmul import matmul
from flambeau.ops.reduction import all_, amax
from flambeau.ops.scan import cumsum
from flambeau.ops.selection import cast
from flambeau.ops.shape import expand, full, pad, permute, reshape, sum_
from flambeau.ops.strided import cat
from ops.harness import forget_recording, leaf, stored_value


@pytest.fixture(autouse=True)
def own_recording() -> Iterator[None]:
    forget_recording()
    yield
    forget_recording()


def last_plan(make: Callable[[], list[Node]]) -> tuple[list[str], list[np.ndarray]]:
    """What the plan for these values does, and the values."""
    engine.plans.clear()
    nodes = make()
    values = [stored_value(one) for one in nodes]
    (plan,) = engine.plans.values()
    return plan.summary, values


# ---------------------------------------------------------------------------- one kernel each


def softmax(x: Node) -> Node:
    row = (*x.shape[:-1], 1)
    dims = (len(x.shape) - 1,)
    shifted = exp(sub(x, reshape(amax(x, dims), row)))
    return mul(shifted, reshape(sum_(shifted, dims), row))


def test_a_chain_is_one_kernel() -> None:
    x = np.arange(6.0)
    summary, (value,) = last_plan(lambda: [neg(exp(add(leaf(x), leaf(x))))])
    assert len(summary) == 1
    np.testing.assert_allclose(value, -np.exp(2 * x))


def test_softmax_is_one_kernel() -> None:
    summary, _ = last_plan(lambda: [softmax(leaf(np.ones((64, 10), "float32")))])
    assert len(summary) == 1


def test_views_are_not_copied() -> None:
    x = np.arange(12.0).reshape(3, 4)
    summary, (value,) = last_plan(lambda: [neg(permute(reshape(leaf(x), (2, 6)), (1, 0)))])
    assert len(summary) == 1
    np.testing.assert_array_equal(value, -x.reshape(2, 6).T)


# ---------------------------------------------------------------------------- memory


def test_a_dead_leaf_gives_its_memory() -> None:
    x = leaf(np.ones(100))
    address = x.buffer.address
    y = neg(x)
    del x
    assert flush.compute(y).buffer.address == address


def test_memory_is_not_taken_over_before_it_was_read() -> None:
    def make() -> list[Node]:
        x, table = leaf(np.array([[0, 0], [-2, 0]])), leaf(np.array([0, 1, 0]))
        looked_up = index(table, (wrap_index(x, 3),), (0,))
        return [looked_up, maximum(x, looked_up)]

    _, values = last_plan(make)
    np.testing.assert_array_equal(values, [[[0, 0], [1, 0]]] * 2)


# ---------------------------------------------------------------------------- numbers in memory


def test_a_number_that_a_template_reads() -> None:
    x = np.ones((2, 3))
    _, (sums,) = last_plan(lambda: [cumsum(leaf(x), 1)])
    np.testing.assert_array_equal(sums, [[1, 2, 3]] * 2)
    _, (product,) = last_plan(lambda: [matmul(full((4, 2), 3, dtypes.float64), leaf(x))])
    np.testing.assert_array_equal(product, np.full((4, 3), 6))


def test_a_number_that_is_a_result() -> None:
    _, (value, more) = last_plan(
        lambda: [reshape(one := scalar(2.5, dtypes.float32), (1, 1)), add(one, one)]
    )
    np.testing.assert_array_equal(value, [[2.5]])
    np.testing.assert_array_equal(more, 5)


@pytest.mark.parametrize("kind", [dtypes.float16, dtypes.bfloat16], ids=str)
def test_a_number_is_rounded_to_its_type(kind: dtypes.dtype) -> None:
    stored_first = leaf(stored_value(full((4,), 1 / 3, kind)))
    expected = {dtypes.float16: 0.333251953125, dtypes.bfloat16: 0.333984375}[kind]
    for one in (stored_first, full((4,), 1 / 3, kind)):
        np.testing.assert_array_equal(stored_value(cast(one, dtypes.float32)), expected)


# ---------------------------------------------------------------------------- odd shapes


def test_reductions_of_nothing() -> None:
    empty = np.zeros((5, 0), bool)
    _, (value,) = last_plan(lambda: [all_(leaf(empty), (0, 1))])
    assert value


def test_an_empty_value_under_another_shape() -> None:
    x, fill = leaf(np.zeros((0, 3))), scalar(7, dtypes.float64)
    value = stored_value(pad(reshape(x, (3, 0)), fill, (0, 1), (0, 1)))
    np.testing.assert_array_equal(value, np.full((3, 2), 7))


def test_an_empty_value_that_a_border_surrounds() -> None:
    empty = leaf(np.zeros((0, 3)))
    value = stored_value(pad(cat((empty, empty), 1), scalar(7, dtypes.float64), (1, 0), (1, 0)))
    np.testing.assert_array_equal(value, np.full((2, 6), 7))


def test_two_reductions_of_rows_longer_than_the_lanes() -> None:
    x = np.random.default_rng(0).integers(-9, 9, (17, 37)).astype("float32")
    summary, (total, largest) = last_plan(lambda: [sum_(one := leaf(x), (1,)), amax(one, (1,))])
    assert len(summary) == 1
    np.testing.assert_array_equal(total, x.sum(1))
    np.testing.assert_array_equal(largest, x.max(1))


def test_the_last_of_many_writes_to_one_place_stays() -> None:
    x, places = np.zeros((1, 3)), np.zeros(21, np.int64)
    values = np.arange(63.0).reshape(21, 3)
    result = index_put(leaf(x), leaf(values), (wrap_index(leaf(places), 1),), (0,), False)
    np.testing.assert_array_equal(stored_value(result), values[-1:])
    single = expand(leaf(np.zeros(())), (1,))
    result = index_put(single, leaf(values[:, 0]), (wrap_index(leaf(places), 1),), (0,), False)
    np.testing.assert_array_equal(stored_value(result), [60])


def test_running_sums_of_narrow_floats_are_kept_wide() -> None:
    ones = np.ones(5000, "float16")
    assert stored_value(cumsum(leaf(ones), 0))[-1] == 5000
