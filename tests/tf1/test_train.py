"""Optimizers by TensorFlow's formulas, decays, averages."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau.tf1 as tf

START = np.array([1.0, -2.0, 3.0])


def gradient(w):
    """Of sum(w ** 4 / 4 - w)."""
    return w**3 - 1


def sgd(w, steps):
    for _ in range(steps):
        w = w - 0.05 * gradient(w)
    return w


def momentum(w, steps, nesterov=False):
    a = 0 * w
    for _ in range(steps):
        g = gradient(w)
        a = 0.9 * a + g
        w = w - 0.02 * (g + 0.9 * a if nesterov else a)
    return w


def adagrad(w, steps):
    a = 0 * w + 0.1
    for _ in range(steps):
        g = gradient(w)
        a = a + g * g
        w = w - 0.5 * g / np.sqrt(a)
    return w


def adadelta(w, steps):
    a = d = 0 * w
    for _ in range(steps):
        g = gradient(w)
        a = 0.95 * a + 0.05 * g * g
        step = np.sqrt(d + 1e-6) / np.sqrt(a + 1e-6) * g
        d = 0.95 * d + 0.05 * step * step
        w = w - 1.0 * step
    return w


def rmsprop(w, steps, centered=False):
    s, m, mean = 0 * w + 1, 0 * w, 0 * w
    for _ in range(steps):
        g = gradient(w)
        s = 0.9 * s + 0.1 * g * g
        mean = 0.9 * mean + 0.1 * g
        m = 0.5 * m + 0.01 * g / np.sqrt(s - centered * mean**2 + 1e-3)
        w = w - m
    return w


def adam(w, steps):
    m = v = 0 * w
    for t in range(1, steps + 1):
        g = gradient(w)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        rate = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        w = w - rate * m / (np.sqrt(v) + 0.01)
    return w


RULES = {
    "sgd": (lambda: tf.train.GradientDescentOptimizer(0.05), sgd),
    "momentum": (lambda: tf.train.MomentumOptimizer(0.02, 0.9), momentum),
    "nesterov": (
        lambda: tf.train.MomentumOptimizer(0.02, 0.9, use_nesterov=True),
        lambda w, steps: momentum(w, steps, True),
    ),
    "adagrad": (lambda: tf.train.AdagradOptimizer(0.5), adagrad),
    "adadelta": (lambda: tf.train.AdadeltaOptimizer(1.0, epsilon=1e-6), adadelta),
    "rmsprop": (lambda: tf.train.RMSPropOptimizer(0.01, 0.9, 0.5, 1e-3), rmsprop),
    "centered": (
        lambda: tf.train.RMSPropOptimizer(0.01, 0.9, 0.5, 1e-3, centered=True),
        lambda w, steps: rmsprop(w, steps, True),
    ),
    "adam": (lambda: tf.train.AdamOptimizer(0.1, epsilon=0.01), adam),
}


@pytest.mark.parametrize("name", RULES)
def test_rules(name):
    make, meaning = RULES[name]
    w = tf.Variable(START, name="w")
    loss = tf.reduce_sum(w**4.0 / 4 - w)
    optimizer = make()
    step = tf.train.get_or_create_global_step()
    train = optimizer.minimize(loss, global_step=step)
    slots = optimizer.get_slot_names()
    assert all(optimizer.get_slot(w, one).name.startswith("w/") for one in slots)
    assert {one.name for one in tf.trainable_variables()} == {"w:0"}
    tf.get_default_graph().finalize()
    with tf.Session() as session:
        session.run([one.initializer for one in tf.global_variables()])
        for count in range(1, 8):
            assert session.run(train) is None or name
            np.testing.assert_allclose(session.run(w), meaning(START, count), rtol=1e-10)
        assert session.run(step) == 7


def test_the_learning_rate_may_be_fed_or_computed():
    w, rate = tf.Variable(0.0), tf.placeholder(tf.float32, [])
    train = tf.train.GradientDescentOptimizer(rate).minimize(w)
    with tf.Session() as session:
        session.run(w.initializer)
        for value in (0.5, 0.25, 4.0):
            session.run(train, {rate: value})
        assert session.run(w) == -4.75


def test_gradients_may_be_changed_before_they_are_applied():
    w, unused = tf.Variable([3.0, 4.0]), tf.Variable(1.0)
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    pairs = optimizer.compute_gradients(tf.reduce_sum(w * w) / 2)
    assert [(grad is None, variable) for grad, variable in pairs] == [(False, w), (True, unused)]
    clipped, norm = tf.clip_by_global_norm([grad for grad, _ in pairs], 1.0)
    train = optimizer.apply_gradients(zip(clipped, [w, unused], strict=True))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run([norm, train])[0] == 5
        np.testing.assert_allclose(session.run(w), [2.4, 3.2], rtol=1e-6)
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.minimize(unused * 0 + tf.stop_gradient(w), var_list=[w])
    with tf.Graph().as_default(), pytest.raises(ValueError, match="No variables"):
        optimizer.minimize(tf.constant(1.0))


def test_decays():
    step = tf.placeholder(tf.int64, [])
    t = tf.train
    rates = [
        t.exponential_decay(0.1, step, 10, 0.5),
        t.exponential_decay(0.1, step, 10, 0.5, staircase=True),
        t.natural_exp_decay(0.1, step, 10, 0.5),
        t.inverse_time_decay(0.1, step, 10, 0.5),
        t.polynomial_decay(0.1, step, 20, 0.01, power=2.0),
        t.polynomial_decay(0.1, step, 20, 0.01, cycle=True),
        t.cosine_decay(0.1, step, 20, alpha=0.1),
        t.piecewise_constant(step, [5, 15], [1.0, 0.5, 0.1]),
    ]
    with tf.Session() as session:
        for n in (0, 5, 6, 15, 16, 25):
            p, share = n / 10, min(n / 20, 1)
            expected = [
                0.1 * 0.5**p,
                0.1 * 0.5 ** (n // 10),
                0.1 * np.exp(-0.5 * p),
                0.1 / (1 + 0.5 * p),
                0.09 * (1 - share) ** 2 + 0.01,
                0.09 * (1 - (n / 20) / max(np.ceil(n / 20), 1)) + 0.01,
                0.1 * (0.9 * 0.5 * (1 + np.cos(np.pi * share)) + 0.1),
                1.0 if n <= 5 else 0.5 if n <= 15 else 0.1,
            ]
            np.testing.assert_allclose(session.run(rates, {step: n}), expected, rtol=1e-5)


def test_moving_averages():
    w = tf.Variable(1.0, name="w")
    averages = tf.train.ExponentialMovingAverage(0.9)
    with tf.control_dependencies([w.assign_add(1.0)]):
        update = averages.apply([w])
    assert averages.average(w).name == "w/ExponentialMovingAverage:0"
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        expected = 1.0
        for value in (2.0, 3.0, 4.0):
            session.run(update)
            expected = 0.9 * expected + 0.1 * value
            assert session.run(averages.average(w)) == pytest.approx(expected, rel=1e-6)
