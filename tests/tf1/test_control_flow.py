"""Loops and branches in static graphs: programs in the style of the usual introductions."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau.tf1 as tf
from flambeau.engine.flush import engine


def run_twice(fetches, feed_dict=None):
    """At once, then captured, then replayed: the values of the last run, which are all the same."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        runs = [session.run(fetches, feed_dict) for _ in range(3)]
    for one in runs[1:]:
        for first, other in zip(np.atleast_1d(runs[0]), np.atleast_1d(one), strict=True):
            assert np.array_equal(first, other)
    return runs[0]


def test_newton_iteration_and_its_slope():
    a = tf.placeholder(tf.float64, [None])
    root = tf.while_loop(
        lambda y: tf.reduce_max(tf.abs(y * y - a)) > 1e-10,
        lambda y: (y + a / y) / 2,
        [tf.ones_like(a)],
    )
    (slope,) = tf.gradients(root, a)
    values = np.array([2.0, 9.0, 1e4])
    assert np.allclose(run_twice(root, {a: values}), np.sqrt(values))
    assert np.allclose(run_twice(slope, {a: values}), 0.5 / np.sqrt(values))


def test_gradients_of_loops_longer_than_the_memory_set_aside_at_first():
    n, x = tf.placeholder(tf.int32, []), tf.placeholder(tf.float64, [])
    _, power = tf.while_loop(
        lambda i, p: i < n, lambda i, p: (i + 1, p * x), [0, tf.constant(1.0, tf.float64)]
    )
    (slope,) = tf.gradients(power, x)
    with tf.Session() as session:
        for count in (3, 100, 5, 200, 7, 200):
            found = session.run(slope, {n: count, x: 1.01})
            assert np.isclose(found, count * 1.01 ** (count - 1))


def test_maximum_iterations():
    count = tf.while_loop(lambda i: i >= 0, lambda i: i + 1, [0], maximum_iterations=9)
    assert run_twice(count) == 9


def test_fibonacci_by_scan():
    numbers = tf.scan(lambda a, _: (a[1], a[0] + a[1]), tf.zeros([10]), initializer=(0, 1))[0]
    assert run_twice(numbers).tolist() == [1, 1, 2, 3, 5, 8, 13, 21, 34, 55]


def test_a_recurrent_network_learns_to_sum():
    """A simple recurrent cell over time, as programs wrote it before cells were ready-made."""
    rng = np.random.default_rng(0)
    x = tf.placeholder(tf.float32, [None, None, 2])  # (batch, time, features)
    y = tf.placeholder(tf.float32, [None, 1])
    tf.set_random_seed(1)
    start = tf.zeros([tf.shape(x)[0], 8])

    def cell(state, inputs):
        with tf.variable_scope("cell", reuse=tf.AUTO_REUSE):
            w = tf.get_variable("w", [2, 8], initializer=tf.random_normal_initializer(stddev=0.3))
            u = tf.get_variable("u", [8, 8], initializer=tf.random_normal_initializer(stddev=0.3))
            b = tf.get_variable("b", [8], initializer=tf.zeros_initializer())
        return tf.tanh(tf.matmul(inputs, w) + tf.matmul(state, u) + b)

    states = tf.scan(cell, tf.transpose(x, [1, 0, 2]), initializer=start)
    prediction = tf.layers.dense(states[-1], 1)
    loss = tf.reduce_mean(tf.square(prediction - y))
    train = tf.train.AdamOptimizer(0.02).minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        losses = []
        for step in range(60):
            batch = rng.standard_normal((16, 6, 2)).astype(np.float32) * 0.3
            feed = {x: batch, y: batch.sum((1, 2))[:, None]}
            losses.append(session.run([train, loss], feed)[1])
            if step == 3:
                compiled = engine.statistics.compiled
        assert engine.statistics.compiled == compiled
    assert np.mean(losses[-10:]) < 0.3 * np.mean(losses[:10])


def test_a_loop_over_time_that_stops_at_each_length():
    """As `dynamic_rnn` does: what has ended keeps its state."""
    x = tf.placeholder(tf.float32, [None, None])  # (time, batch)
    lengths = tf.constant([1, 3])

    def body(t, total):
        return t + 1, tf.where(t < lengths, total + tf.gather(x, t), total)

    start = [tf.constant(0), tf.zeros_like(x[0])]
    _, total = tf.while_loop(lambda t, _: t < tf.shape(x)[0], body, start)
    (slope,) = tf.gradients(total, x)
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert run_twice(total, {x: values}).tolist() == [0, 9]
    assert run_twice(slope, {x: values}).tolist() == [[1, 1], [0, 1], [0, 1]]


def test_map_and_folds():
    elems = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    squares, sums = tf.map_fn(
        lambda x: (x * x, tf.reduce_sum(x)), elems, dtype=(tf.float32, tf.float32)
    )
    left = tf.foldl(lambda a, x: a - x, elems)
    right = tf.foldr(lambda a, x: a - x, elems)
    (slope,) = tf.gradients(squares, elems)
    assert run_twice(squares).tolist() == [[1, 4], [9, 16], [25, 36]]
    assert run_twice(sums).tolist() == [3, 7, 11]
    assert run_twice(left).tolist() == [-7, -8]
    assert run_twice(right).tolist() == [1, 0]
    assert run_twice(slope).tolist() == [[2, 4], [6, 8], [10, 12]]


def test_a_scan_of_a_variable_has_gradients():
    w, x = tf.Variable(0.5, dtype=tf.float64), np.array([1.0, 2.0, 3.0])
    decayed = tf.scan(lambda a, e: a * w + e, tf.constant(x), reverse=True)
    (slope,) = tf.gradients(tf.reduce_sum(decayed), w)
    assert run_twice(decayed).tolist() == [2.75, 3.5, 3.0]
    # 3 + (2 + 3 w) + (1 + (2 + 3 w) w)
    assert np.isclose(run_twice(slope), 3 + 2 + 6 * 0.5)


def test_cond_and_its_gradient():
    x = tf.placeholder(tf.float32, [])
    value = tf.cond(x > 0, lambda: x * x, lambda: -3 * x)
    slope = tf.gradients(value, x)[0]
    for fed, expected in ((2.0, [4, 4]), (-2.0, [6, -3])):
        assert run_twice([value, slope], {x: fed}) == expected


def test_case_takes_the_first_that_holds():
    x = tf.placeholder(tf.int32, [])
    sign = tf.case(
        {x < 0: lambda: tf.constant(-1), x > 0: lambda: tf.constant(1)},
        default=lambda: tf.constant(0),
    )
    assert [run_twice(sign, {x: one}) for one in (-5, 5, 0)] == [-1, 1, 0]


def test_variables_written_in_loops_and_branches():
    total, calls = tf.Variable(0), tf.Variable(0)

    def body(i):
        with tf.control_dependencies([tf.assign_add(total, i)]):
            return tf.identity(i + 1)

    loop = tf.while_loop(lambda i: i < 4, body, [0])
    even = tf.placeholder(tf.bool, [])
    branch = tf.cond(even, lambda: tf.assign_add(calls, 1), lambda: tf.identity(calls))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for turn in range(1, 4):
            assert session.run(loop) == 4
            assert session.run(total) == 6 * turn
        found = [int(session.run(branch, {even: flag})) for flag in (True, False, True, True)]
        assert found == [1, 1, 2, 3]
        assert session.run(calls) == 3


def test_loops_inside_loops_and_branches():
    def row(i, total):
        inner = tf.while_loop(lambda j, _: j <= i, lambda j, s: (j + 1, s + j), [0, total])[1]
        return i + 1, tf.cond(inner > 3, lambda: inner, lambda: inner + 1)

    result = tf.while_loop(lambda i, _: i < 4, row, [0, 0])[1]
    total = 0
    for i in range(4):
        total += i * (i + 1) // 2
        total += total <= 3
    assert run_twice(result) == total


def test_shapes_known_when_the_graph_is_built():
    x = tf.placeholder(tf.float32, [None, 3])
    assert tf.scan(lambda a, e: a + e, x).shape.as_list() == [None, 3]
    assert tf.map_fn(tf.reduce_sum, tf.zeros([4, 3])).shape.as_list() == [4]
    assert tf.while_loop(lambda a: True, lambda a: a, [x]).shape.as_list() == [None, 3]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda x: tf.while_loop(lambda a: True, lambda a: tf.concat([a, a], 0), [x]),
            ValueError, r"enters the loop with shape \(2,\), but has shape \(4,\)",
        ),
        (
            lambda x: tf.while_loop(lambda a: True, lambda a: tf.cast(a, tf.int32), [x]),
            TypeError, "enters the loop with type float32, but has type int32",
        ),
        (
            lambda x: tf.while_loop(lambda a: True, lambda a: (a, a), [x]),
            ValueError, "same nested structure",
        ),
        (lambda x: tf.while_loop(1, lambda a: a, [x]), TypeError, "cond must be callable"),
        (lambda x: tf.while_loop(lambda: True, lambda: 1, []), ValueError, "No loop variables"),
        (lambda x: tf.cond(True, lambda: x, lambda: x), TypeError, "Python bool"),
        (
            lambda x: tf.cond(x[0] > 0, lambda: x, lambda: tf.constant(1)),
            ValueError, "must have the same type: float32, int32",
        ),
        (lambda x: tf.cond(x[0] > 0, lambda: x, lambda: (x, x)), TypeError, "nested structure"),
        (lambda x: tf.scan(lambda a, e: a, tf.constant(1)), ValueError, "1\\+ dimensional"),
        (lambda x: tf.map_fn(lambda e: (e, e), x), TypeError, "say what it gives by dtype"),
    ],
)  # fmt: skip
def test_mistakes_are_told_when_the_graph_is_built(make, error, message):
    with pytest.raises(error, match=message):
        make(tf.zeros([2]))


def test_what_is_in_a_loop_stays_there():
    kept = []
    tf.while_loop(lambda i: i < 3, lambda i: kept.append(i + 1) or kept[0], [0])
    with pytest.raises(ValueError, match="is in a while loop"):
        kept[0] + 1
    with tf.Session() as session, pytest.raises(ValueError, match="not fetchable"):
        session.run(kept[0])


def test_random_numbers_in_a_loop_are_refused():
    drawn = tf.scan(lambda a, _: a + tf.random_normal([]), tf.zeros([3]))
    with (
        tf.Session() as session,
        pytest.raises(tf.errors.InvalidArgumentError, match="draws random"),
    ):
        session.run(drawn)
