"""Running: fetches, feeds, state, order, plans."""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import flambeau
import flambeau.tf1 as tf
from flambeau.engine.flush import engine


def initialized():
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    return session


def test_fetches_of_any_structure_come_back_in_it():
    a, b = tf.constant(1.0, name="a"), tf.constant([2, 3])
    Pair = namedtuple("Pair", "first second")
    with tf.Session() as session:
        fetched = session.run(
            [a, (b, "a:0"), {"x": a, "y": [b]}, Pair(a, b), OrderedDict(z=a), a.op, "a"]
        )
    number, (array, named), table, pair, ordered, *nothing = fetched
    assert number == 1.0
    assert type(number) is np.float32
    assert array.dtype == np.int32
    assert array.tolist() == [2, 3]
    assert named == 1.0
    assert table["x"] == 1.0
    assert table["y"][0].tolist() == [2, 3]
    assert type(pair) is Pair
    assert type(ordered) is OrderedDict
    assert ordered["z"] == 1.0
    assert nothing == [None, None]


def test_feeds_by_tensor_by_name_and_of_any_kind():
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    total = tf.reduce_sum(x, 1)
    with tf.Session() as session:
        for value in (
            [[1, 2]],
            np.array([[1, 2]], np.float64),
            np.array([[1, 9, 2, 9]], np.float32)[:, ::2],
            np.array([[1, 2]], ">f4"),
        ):
            assert session.run(total, {x: value}).tolist() == [3]
            assert session.run(total, {"x:0": value}).tolist() == [3]


def test_a_tensor_in_the_middle_can_be_fed():
    x = tf.placeholder(tf.float32)
    middle = tf.square(x)
    result = middle + 1
    with tf.Session() as session:
        assert session.run(result, {middle: 10.0}) == 11
        assert session.run([middle, result], {middle: 10.0}) == [10, 11]
        assert session.run(result, {x: 2.0}) == 5


def test_a_feed_is_not_kept_and_not_changed():
    x = tf.placeholder(tf.float32, [3])
    held = tf.Variable(tf.zeros([3]))
    write, same = held.assign(x), tf.identity(x)
    array = np.arange(3, dtype=np.float32)
    with initialized() as session:
        for _ in range(3):
            first, second = session.run([write, same], {x: array})
            array += 10
            second += 1
            assert first.tolist() == session.run(held).tolist() == (array - 10).tolist()


def test_what_was_fetched_stays_as_it_was():
    w = tf.Variable(tf.zeros([4]))
    step = w.assign_add(tf.ones([4]))
    with initialized() as session:
        for _ in range(2):
            session.run(w.initializer)
            seen = [session.run(step) for _ in range(4)]
            for read in (session.run(w), session.run(tf.identity(step))):
                read[:] = -1
            assert [one.tolist() for one in seen] == [[n + 1.0] * 4 for n in range(4)]
            assert session.run(w).tolist() == [5.0] * 4
        # The value of an assignment is lent, not copied: programs fetch it to make it happen.
        assert not seen[-1].flags.writeable


def test_fetches_of_one_value_are_arrays_of_their_own():
    x = tf.placeholder(tf.float32, [2])
    y = x * 2
    fetches = [y, tf.identity(y), tf.reshape(y, [2, 1]), x, tf.identity(x)]
    array = np.ones(2, np.float32)
    with tf.Session() as session:
        for _ in range(3):
            found = session.run(fetches, {x: array})
            for number, one in enumerate(found):
                one[:] = number
            assert [one.ravel().tolist() for one in found] == [[n, n] for n in range(5)]
            assert array.tolist() == [1, 1]


def test_shapes_that_are_never_the_same_are_not_captured_for_ever():
    x = tf.placeholder(tf.float32, [None])
    total = tf.reduce_sum(x)
    with tf.Session() as session:
        for number in range(1, 60):
            assert session.run(total, {x: np.ones(number)}) == number
        (request,) = session._requests.values()
        assert sum(len(one.plans) for one in request.plans.values()) <= 32


def test_bfloat16_is_fed_and_fetched_as_float32():
    x = tf.placeholder(tf.bfloat16, [2])
    with tf.Session() as session:
        for _ in range(3):
            found = session.run(x * 2, {x: [1.0, 2.5]})
            assert found.dtype == np.float32
            assert found.tolist() == [2, 5]


def test_sessions_have_their_own_variables():
    w = tf.Variable(1.0)
    double = w.assign(w * 2)
    with initialized() as one, initialized() as other:
        one.run(double)
        one.run(double)
        other.run(double)
        assert (one.run(w), other.run(w)) == (4, 2)


def test_writes_follow_control_dependencies():
    w = tf.Variable(1.0)
    with tf.control_dependencies([w.assign(5.0)]):
        after = w + 1
        with tf.control_dependencies([w.assign_add(10.0)]):
            last = tf.identity(w)
    before = w + 1
    with initialized() as session:
        for _ in range(3):
            session.run(w.initializer)
            assert session.run([after, last]) == [6, 15]
        session.run(w.initializer)
        assert session.run(before) == 2


def test_chained_assigns_come_one_after_the_other():
    w = tf.Variable(1.0)
    result = tf.assign_add(tf.assign(w, 10.0), 5.0)
    with initialized() as session:
        assert session.run(result) == 15
        assert session.run(w) == 15


def test_group_runs_all_and_tuple_waits_for_all():
    one, other = tf.Variable(1), tf.Variable(2)
    both = tf.group(one.assign_add(1), [other.assign_add(1)])
    first, second = tf.tuple([one.assign_add(5), other.assign_add(5)])
    with initialized() as session:
        assert session.run(both) is None
        assert session.run([one, other]) == [2, 3]
        assert session.run(first) == 7
        assert session.run(other) == 8
        assert second.dtype is tf.int32


def test_a_known_run_neither_compiles_nor_evaluates():
    x = tf.placeholder(tf.float32, [None, 3])
    w = tf.Variable(tf.ones([3, 2]))
    loss = tf.reduce_sum(tf.matmul(x, w))
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    with initialized() as session:
        for rows in (2, 5, 2, 5):
            session.run([train, loss], {x: np.ones((rows, 3))})
        flushes = engine.statistics.flushes
        for rows in (2, 5, 2):
            session.run([train, loss], {x: np.ones((rows, 3))})
        assert engine.statistics.flushes == flushes


def test_captured_and_at_once_are_the_same_bits():
    x = tf.placeholder(tf.float32, [None, 7])
    w = tf.Variable(tf.random_normal([7, 5], seed=3))
    loss = tf.reduce_mean(tf.square(tf.tanh(tf.matmul(x, w))))
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    batches = [np.random.RandomState(n).randn(6, 7).astype("f") for n in range(5)]

    def losses():
        with initialized() as session:
            return [session.run([loss, train], {x: one})[0].tobytes() for one in batches]

    captured = losses()
    with flambeau.eager():
        assert losses() == captured


def test_a_fed_value_may_decide_a_shape():
    count = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [None])
    wide = tf.tile(tf.reshape(x, [1, -1]), [count, 1])
    drawn = tf.random_normal([count, 2])
    with tf.Session() as session:
        for number in (2, 3, 2):
            wide_value, drawn_value = session.run([wide, drawn], {count: number, x: [1, 2]})
            assert wide_value.tolist() == [[1, 2]] * number
            assert drawn_value.shape == (number, 2)


def test_shapes_computed_in_the_graph():
    x = tf.placeholder(tf.float32, [None, 4, 2])
    rows = tf.shape(x)[0]
    flat = tf.reshape(x, tf.stack([rows, -1]))
    padded = tf.concat([flat, tf.zeros([rows * 2, 8])], 0)
    assert flat.shape.as_list() == [None, None]
    with tf.Session() as session:
        for number in (1, 3):
            flat_value, padded_value = session.run([flat, padded], {x: np.ones((number, 4, 2))})
            assert flat_value.shape == (number, 8)
            assert padded_value.shape == (3 * number, 8)


def test_python_functions_in_the_graph():
    x = tf.placeholder(tf.float64, [None])
    w = tf.Variable(tf.zeros([], tf.float64))
    seen = []

    def function(values):
        seen.append(values.copy())
        return values[::-1] * 2

    turned = tf.py_func(function, [x + 1], tf.float64)
    turned.set_shape([None])
    write = w.assign_add(tf.reduce_sum(turned))
    with initialized() as session:
        for number in range(3):
            array, _ = session.run([turned, write], {x: [0.0, number]})
            assert array.tolist() == [2.0 * (number + 1), 2.0]
        assert session.run(w) == 4 + 6 + 8
    assert len(seen) == 3


def test_values_may_decide_shapes_in_the_middle():
    x = tf.placeholder(tf.float32, [None])
    kept = tf.boolean_mask(x, x > 0)
    with tf.Session() as session:
        for values in ([1, -1, 2], [-1, -2, 3]):
            total, places = session.run([tf.reduce_sum(kept), tf.where(x > 0)], {x: values})
            assert total == sum(one for one in values if one > 0)
            assert places[:, 0].tolist() == [n for n, one in enumerate(values) if one > 0]


def test_interactive_sessions_and_eval():
    w = tf.Variable([1.0, 2.0])
    session = tf.InteractiveSession()
    w.initializer.run()
    assert (w + 1).eval().tolist() == [2, 3]
    w.load([5.0, 6.0])
    assert w.eval().tolist() == [5, 6]
    session.close()
    with pytest.raises(ValueError, match="No default session"):
        (w + 1).eval()


def test_a_graph_that_grows_in_a_loop_is_told_of_once():
    w = tf.Variable(0.0)
    with initialized() as session, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(50):
            session.run(w.assign_add(1.0))
    assert len(caught) == 1
    assert "AssignAdd" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_building_in_steps_is_not_growing_in_a_loop():
    w = tf.Variable(0.0)
    with initialized() as session:
        for _ in range(5):
            step = w.assign_add(1.0)
            for _ in range(5):
                session.run(step)
        assert session.run(w) == 25


def test_running_from_several_threads():
    import threading

    w = tf.Variable(0)
    step = w.assign_add(1)
    with initialized() as session:
        threads = [
            threading.Thread(target=lambda: [session.run(step) for _ in range(50)])
            for _ in range(4)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert session.run(w) == 200


def test_seeds_of_graph_and_operation():
    def drawn(graph_seed, op_seed):
        with tf.Graph().as_default(), tf.Session() as session:
            if graph_seed is not None:
                tf.set_random_seed(graph_seed)
            one, other = tf.random_normal([4], seed=op_seed), tf.random_uniform([4], seed=op_seed)
            return [session.run([one, other])[which].tolist() for _ in range(2) for which in (0, 1)]

    assert drawn(1, None) == drawn(1, None)
    assert drawn(None, 2) == drawn(None, 2)
    assert drawn(1, 2) == drawn(1, 2)
    assert drawn(1, None) != drawn(2, None)
    assert drawn(1, 2) != drawn(None, 2)
    first, _, second, _ = drawn(1, None)
    assert first != second


def test_without_a_seed_flambeaus_generator_is_used():
    x = tf.random_normal([3])
    with tf.Session() as session:
        flambeau.manual_seed(5)
        one = session.run(x).tolist()
        flambeau.manual_seed(5)
        assert session.run(x).tolist() == one == flambeau_randn(5)


def flambeau_randn(seed):
    flambeau.manual_seed(seed)
    return flambeau.randn(3).tolist()
