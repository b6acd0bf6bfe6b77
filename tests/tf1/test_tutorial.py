"""The tutorial's programs as they stand, the same in NumPy, and the same in PyTorch's style."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import flambeau
import flambeau.tf1 as tf
from flambeau.engine.flush import engine

TUTORIAL = Path(__file__).parents[3] / "shared" / "tutorial"
PROGRAM = "tf_two_layer_net.py"


@pytest.mark.parametrize("folder", ["tensor_api", "variable_api"])
def test_the_programs_run_as_they_stand(folder):
    program = TUTORIAL / folder / PROGRAM
    if not program.exists():
        pytest.skip("the tutorial's programs are not beside the checkout")
    command = [sys.executable, "-m", "flambeau.cli.main", "run", "--seed", "0", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    losses = [float(line) for line in done.stdout.split()]
    assert len(losses) == 500
    assert losses[0] > 1e6
    assert losses[-1] < 1e-2


def network():
    """The tutorial's graph, with its placeholders, losses and weights."""
    x = tf.placeholder(tf.float32, shape=(None, 1000))
    y = tf.placeholder(tf.float32, shape=(None, 10))
    w1 = tf.Variable(tf.random_normal((1000, 100)))
    w2 = tf.Variable(tf.random_normal((100, 10)))
    h = tf.matmul(x, w1)
    h_relu = tf.maximum(h, tf.zeros(1))
    loss = tf.reduce_sum((y - tf.matmul(h_relu, w2)) ** 2.0)
    grad_w1, grad_w2 = tf.gradients(loss, [w1, w2])
    new_w1 = w1.assign(w1 - 1e-6 * grad_w1)
    new_w2 = w2.assign(w2 - 1e-6 * grad_w2)
    return x, y, w1, w2, loss, new_w1, new_w2


def test_the_losses_are_those_of_numpy():
    tf.set_random_seed(0)
    source = np.random.RandomState(0)
    x_value, y_value = source.randn(64, 1000), source.randn(64, 10)
    x, y, w1, w2, loss, *updates = network()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        a, b = (one.astype(np.float64) for one in session.run([w1, w2]))
        feed = {x: x_value, y: y_value}
        found = [session.run([loss, *updates], feed_dict=feed)[0] for _ in range(500)]
    expected = []
    for _ in range(51):
        h = x_value @ a
        relu = np.maximum(h, 0)
        error = relu @ b - y_value
        expected.append((error**2).sum())
        grad_b = relu.T @ (2 * error)
        grad_a = x_value.T @ (2 * error @ b.T * (h >= 0))
        a, b = a - 1e-6 * grad_a, b - 1e-6 * grad_b
    np.testing.assert_allclose(found[:51], expected, rtol=1e-3)
    assert found[-1] < 1e-2


def test_the_losses_are_to_the_bit_those_of_pytorchs_style():
    """One network, written down as a graph, recorded, and captured."""
    source = np.random.RandomState(1)
    x_value = source.randn(64, 100).astype(np.float32)
    y_value = source.randn(64, 10).astype(np.float32)
    starts = [source.randn(*one).astype(np.float32) * 0.1 for one in ((100, 30), (30, 10))]

    def static():
        x = tf.placeholder(tf.float32, [None, 100])
        y = tf.placeholder(tf.float32, [None, 10])
        w1, w2 = (tf.Variable(one) for one in starts)
        prediction = tf.matmul(tf.nn.relu(tf.matmul(x, w1)), w2)
        loss = tf.reduce_sum((prediction - y) ** 2.0)
        train = tf.train.GradientDescentOptimizer(1e-3).minimize(loss)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            feed = {x: x_value, y: y_value}
            losses = [session.run([loss, train], feed)[0].tobytes() for _ in range(20)]
            return losses, [one.tobytes() for one in session.run([w1, w2])]

    def dynamic(wrap):
        x, y = flambeau.from_numpy(x_value), flambeau.from_numpy(y_value)
        w1, w2 = (flambeau.tensor(one, requires_grad=True) for one in starts)

        def step(x, y):
            prediction = (x @ w1).relu() @ w2
            loss = ((prediction - y) ** 2.0).sum()
            grad1, grad2 = flambeau.autograd.grad(loss, [w1, w2])
            with flambeau.no_grad():
                w1.sub_(1e-3 * grad1)
                w2.sub_(1e-3 * grad2)
            return loss.detach()

        step = wrap(step)
        losses = [step(x, y).numpy().tobytes() for _ in range(20)]
        return losses, [one.detach().numpy().tobytes() for one in (w1, w2)]

    found, kernels = with_kernels(static)
    assert found == dynamic(lambda step: step)
    assert (found, kernels) == with_kernels(lambda: dynamic(flambeau.compile))


def with_kernels(program):
    """What a program gives, and the kernels of the last of the largest plans that it runs."""
    engine.statistics.log = log = []
    try:
        return program(), max((one.summary for one in reversed(log)), key=len)
    finally:
        engine.statistics.log = None


def test_the_names_that_scripts_import(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import tensorflow as tf\n"
        "import tensorflow.compat.v1 as v1\n"
        "from tensorflow.compat.v1 import placeholder\n"
        "tf.compat.v1.disable_v2_behavior()\n"
        "assert v1 is tf is tf.compat.v1 and placeholder is tf.placeholder\n"
        "tf.logging.set_verbosity(tf.logging.ERROR)\n"
        "def main(argv):\n"
        "    with v1.Session(config=tf.ConfigProto(allow_soft_placement=True)) as sess:\n"
        "        print(sess.run(tf.constant(3.0) * 2))\n"
        "if __name__ == '__main__':\n"
        "    tf.app.run()\n"
    )
    command = [sys.executable, "-m", "flambeau.cli.main", "run", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "6.0\n", done.stderr
