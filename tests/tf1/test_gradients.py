"""`tf.gradients`: against differences, of gradients, with weights and stops."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau.tf1 as tf

R = np.random.RandomState(1)
A = R.randn(3, 4)
P = np.abs(A) + 0.5

FUNCTIONS = {
    "arithmetic": (lambda x: 2 / x - x * x + (1 - x) / 3, P),
    "power": (lambda x: x**3.0 + 2.0**x + x**x, P),
    "chains": (lambda x: tf.tanh(tf.exp(tf.sin(x))) * tf.sigmoid(x), A),
    "roots": (lambda x: tf.sqrt(x) + tf.rsqrt(x) + tf.log(x), P),
    "extremes": (lambda x: tf.maximum(x, x[::-1]) * tf.minimum(x, 0.1), A),
    "clipped": (lambda x: tf.clip_by_value(x, -0.5, 0.7) * x, A),
    "activations": (
        lambda x: tf.nn.relu(x) + tf.nn.elu(x) * tf.nn.selu(x) + tf.nn.softplus(x)
        + tf.nn.leaky_relu(x) + tf.nn.softsign(x),
        A,
    ),
    "reductions": (
        lambda x: tf.reduce_mean(x, 0) * tf.reduce_sum(x) + tf.reduce_max(x, 0)
        + tf.reduce_prod(x, 0) + tf.reduce_logsumexp(x, 0),
        A,
    ),
    "products": (lambda x: tf.matmul(x, tf.matmul(x, x, transpose_a=True)), A),
    "contractions": (lambda x: tf.einsum("ij,kj->ik", x, x) + tf.tensordot(x, x, [[1], [1]]), A),
    "shapes": (
        lambda x: tf.reshape(tf.transpose(x), [2, 6])
        * tf.tile(tf.reshape(x, [1, 12])[:, :6], [2, 1]),
        A,
    ),
    "joining": (lambda x: tf.concat([x, tf.stack([x[0], x[2]])], 0) ** 2.0, A),
    "slices": (lambda x: x[1:, ::-2] * tf.slice(x, [0, 1], [2, 2]) + x[2, 3], A),
    "gathering": (lambda x: tf.gather(x, [2, 0, 2]) * tf.gather_nd(x, [[0, 1]]), A),
    "scattering": (lambda x: tf.unsorted_segment_sum(x * x, [1, 1, 0], 2), A),
    "choosing": (lambda x: tf.where(x > 0, x * x, tf.exp(x)), A),
    "masking": (lambda x: tf.boolean_mask(x, tf.constant(A > 0)) ** 2.0, A),
    "padding": (lambda x: tf.pad(x, [[1, 0], [2, 2]], "SYMMETRIC") ** 3.0, A),
    "splitting": (lambda x: tf.split(x, 2, 1)[0] * tf.unstack(x, axis=1)[3][:, None], A),
    "running": (lambda x: tf.cumsum(x, 1, reverse=True) * tf.cumprod(x, 0), A),
    "softmax": (lambda x: tf.nn.softmax(x) * tf.nn.log_softmax(x, 0), A),
    "cross entropies": (
        lambda x: tf.nn.softmax_cross_entropy_with_logits_v2(labels=tf.nn.softmax(2 * x), logits=x)
        + tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 0, 3], logits=x)
        + tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=x * x, logits=x), 1),
        A,
    ),
    "norms": (lambda x: tf.nn.l2_normalize(x, 1) * tf.norm(x) + tf.nn.l2_loss(x), A),
    "moments": (lambda x: tf.nn.moments(x, [0])[1] * tf.nn.moments(x, [1], keep_dims=True)[0], A),
    "linear algebra": (
        lambda x: tf.matrix_inverse(x[:, :3]) * tf.matrix_determinant(x[:, 1:])
        + tf.diag(tf.diag_part(x[:, :3])),
        A,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_and_gradients_of_gradients(name):
    function, start = FUNCTIONS[name]
    x = tf.placeholder(tf.float64, start.shape)
    y = function(x)
    total = tf.reduce_sum(
        y * tf.cos(tf.reshape(tf.cast(tf.range(tf.size(y)), tf.float64), tf.shape(y)))
    )
    (slope,) = tf.gradients(total, x)
    direction = tf.constant(R.randn(*start.shape))
    along = tf.reduce_sum(slope * direction)
    (second,) = tf.gradients(along, x)
    with tf.Session() as session:
        way = session.run(direction)

        def difference(fetch):
            step = 1e-6
            ends = [session.run(fetch, {x: start + sign * step * way}) for sign in (1, -1)]
            return (ends[0] - ends[1]) / (2 * step)

        first = session.run(along, {x: start})
        np.testing.assert_allclose(difference(total), first, rtol=1e-6, atol=1e-7)
        again = (session.run(second, {x: start}) * way).sum()
        np.testing.assert_allclose(difference(along), again, rtol=1e-5, atol=1e-6)


def run(fetch, feeds=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetch, feeds)


def test_several_ys_xs_and_weights():
    a, b, c = tf.constant(2.0), tf.constant(3.0), tf.constant(5.0)
    y, z = a * b, b * b
    assert tf.gradients(y, [c]) == [None]
    found = tf.gradients([y, z], [a, b, c], grad_ys=[tf.constant(10.0), None])
    assert found[2] is None
    assert run(found[:2]) == [30, 20 + 6]
    assert run(tf.gradients(y, c, unconnected_gradients="zero")) == [0]


def test_gradients_of_what_is_in_the_middle_are_total_derivatives():
    a = tf.constant(2.0)
    b = a * 3
    y = a * b
    assert run(tf.gradients(y, [a, b])) == [12, 2]
    assert run(tf.gradients(y, [a, b], stop_gradients=[a, b])) == [6, 2]
    assert run(tf.gradients(y, a, stop_gradients=b)) == [6]
    assert run(tf.gradients(y, y)) == [1]


def test_a_tensor_and_its_identity_are_told_apart():
    a = tf.constant(2.0)
    same = tf.identity(a)
    flat = tf.reshape(same, [])
    y = a + 10 * same + 100 * flat
    assert run(tf.gradients(y, [a, same, flat])) == [111, 110, 100]


def test_gradients_do_not_pass_stop_gradient_or_integers():
    x = tf.constant([1.5, 2.5])
    assert tf.gradients(tf.stop_gradient(x), x) == [None]
    assert tf.gradients(tf.cast(tf.cast(x, tf.int32), tf.float32), x) == [None]
    assert tf.gradients(tf.cast(tf.argmax(x), tf.float32), x) == [None]
    found = run(tf.gradients(x * tf.stop_gradient(x), x))[0]
    assert found.tolist() == [1.5, 2.5]


def test_a_gradient_can_be_fed_and_feeds_change_gradients():
    w = tf.Variable(3.0)
    h = w * w
    loss = h * h
    (slope,) = tf.gradients(loss, w)
    step = w.assign_sub(slope)
    assert run(slope) == 2 * 9 * 6
    assert run(slope, {h: 1.0}) == 0  # the fed value does not depend on w
    assert run(step, {slope: 1.0}) == 2


def test_third_derivatives():
    x = tf.placeholder(tf.float64)
    y = x**4.0
    for _ in range(3):
        (y,) = tf.gradients(y, x)
    assert run(y, {x: 2.0}) == pytest.approx(48)


def test_a_variable_read_before_and_after_it_is_written():
    w = tf.Variable(3.0)
    before = w * w
    with tf.control_dependencies([before, w.assign(5.0)]):
        after = w * w
    assert run(tf.gradients(before + after, w)) == [6 + 10]


def test_ties_of_maximum_go_to_the_first():
    x, y = tf.constant([1.0, 1.0]), tf.constant([1.0, 0.0])
    found = run(tf.gradients(tf.maximum(x, y), [x, y]) + tf.gradients(tf.minimum(x, y), [x, y]))
    assert [one.tolist() for one in found] == [[1, 1], [0, 0], [1, 0], [0, 1]]


def test_gradients_of_a_lookup_add_up():
    table = tf.Variable(tf.zeros([4, 2]))
    total = tf.reduce_sum(tf.nn.embedding_lookup(table, [1, 3, 1]))
    assert run(tf.gradients(total, table))[0].tolist() == [[0, 0], [2, 2], [0, 0], [1, 1]]


def test_the_graph_shows_the_gradients():
    w = tf.Variable([1.0, 2.0], name="w")
    (slope,) = tf.gradients(tf.reduce_sum(w * w), w)
    assert slope.op.type == "Gradients"
    assert slope.shape.as_list() == [2]
    assert slope.dtype is tf.float32
    assert w.value() in slope.op.inputs
