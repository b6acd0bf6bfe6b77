"""Programs in the style of the usual introductions to TensorFlow 1."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau.tf1 as tf


def digits(count, seed=0):
    """Noisy pictures (count, 64) of ten fixed patterns, and their numbers."""
    patterns = np.random.RandomState(99).rand(10, 64) > 0.5
    source = np.random.RandomState(seed)
    labels = source.randint(0, 10, count)
    return (patterns[labels] + 0.3 * source.randn(count, 64)).astype(np.float32), labels


def test_linear_regression():
    source = np.random.RandomState(0)
    train_x = source.uniform(-1, 1, 50)
    train_y = 3 * train_x + 2 + source.randn(50) * 0.01
    X = tf.placeholder("float")
    Y = tf.placeholder("float")
    W = tf.Variable(source.randn(), name="weight")
    b = tf.Variable(source.randn(), name="bias")
    pred = tf.add(tf.multiply(X, W), b)
    cost = tf.reduce_sum(tf.pow(pred - Y, 2)) / (2 * 50)
    optimizer = tf.train.GradientDescentOptimizer(0.9).minimize(cost)
    init = tf.global_variables_initializer()
    with tf.Session() as sess:
        sess.run(init)
        for _ in range(30):
            for x, y in zip(train_x, train_y, strict=True):
                sess.run(optimizer, feed_dict={X: x, Y: y})
        assert sess.run(cost, feed_dict={X: train_x, Y: train_y}) < 1e-3
        assert sess.run([W, b]) == pytest.approx([3, 2], abs=0.02)


def test_logistic_regression():
    images, labels = digits(500)
    x = tf.placeholder(tf.float32, [None, 64])
    y = tf.placeholder(tf.float32, [None, 10])
    W = tf.Variable(tf.zeros([64, 10]))
    b = tf.Variable(tf.zeros([10]))
    pred = tf.nn.softmax(tf.matmul(x, W) + b)
    cost = tf.reduce_mean(-tf.reduce_sum(y * tf.log(pred), reduction_indices=1))
    optimizer = tf.train.GradientDescentOptimizer(0.5).minimize(cost)
    correct_prediction = tf.equal(tf.argmax(pred, 1), tf.argmax(y, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
    one_hot = np.eye(10)[labels]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        first = sess.run(cost, feed_dict={x: images, y: one_hot})
        assert first == pytest.approx(np.log(10), rel=1e-5)
        for _ in range(10):
            for start in range(0, 500, 100):
                batch = slice(start, start + 100)
                _, c = sess.run([optimizer, cost], feed_dict={x: images[batch], y: one_hot[batch]})
        assert c < 0.2
        test_images, test_labels = digits(200, seed=1)
        assert accuracy.eval({x: test_images, y: np.eye(10)[test_labels]}) > 0.97


def test_multilayer_perceptron_with_layers_dropout_and_decay():
    tf.set_random_seed(0)
    images, labels = digits(400)

    def network(x, training):
        h = tf.layers.dense(x, 32, activation=tf.nn.relu, name="hidden1")
        h = tf.layers.dropout(h, rate=0.2, training=training)
        h = tf.layers.dense(h, 32, tf.nn.relu, name="hidden2")
        return tf.layers.dense(h, 10, name="outputs")

    X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
    y = tf.placeholder(tf.int64, shape=(None), name="y")
    training = tf.placeholder_with_default(False, shape=(), name="training")
    with tf.name_scope("loss"):
        logits = network(X, training)
        xentropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        loss = tf.reduce_mean(xentropy, name="loss")
    with tf.name_scope("train"):
        global_step = tf.Variable(0, trainable=False)
        rate = tf.train.exponential_decay(0.01, global_step, 20, 0.9, staircase=True)
        training_op = tf.train.AdamOptimizer(rate).minimize(loss, global_step=global_step)
    with tf.name_scope("eval"):
        correct = tf.nn.in_top_k(logits, y, 1)
        accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    assert [one.name for one in tf.trainable_variables()] == [
        f"{layer}/{part}:0"
        for layer in ("hidden1", "hidden2", "outputs")
        for part in ("kernel", "bias")
    ]
    init = tf.global_variables_initializer()
    with tf.Session() as sess:
        init.run()
        for _ in range(8):
            for start in range(0, 400, 50):
                batch = {X: images[start : start + 50], y: labels[start : start + 50]}
                sess.run(training_op, feed_dict={**batch, training: True})
        assert accuracy.eval(feed_dict={X: images, y: labels}) > 0.98
        assert global_step.eval() == 64
        assert rate.eval() == pytest.approx(0.01 * 0.9**3, rel=1e-5)


def test_autoencoder():
    tf.set_random_seed(1)
    images, _ = digits(300)
    images = 1 / (1 + np.exp(-4 * images + 2))
    X = tf.placeholder("float", [None, 64])
    sizes = [64, 24, 8]
    weights = {
        "encoder_h1": tf.Variable(tf.random_normal(sizes[:2])),
        "encoder_h2": tf.Variable(tf.random_normal(sizes[1:])),
        "decoder_h1": tf.Variable(tf.random_normal(sizes[:0:-1])),
        "decoder_h2": tf.Variable(tf.random_normal(sizes[1::-1])),
    }
    biases = {name: tf.Variable(tf.zeros([int(w.shape[1])])) for name, w in weights.items()}

    def coder(x, which):
        for part in (f"{which}_h1", f"{which}_h2"):
            x = tf.nn.sigmoid(tf.add(tf.matmul(x, weights[part]), biases[part]))
        return x

    decoded = coder(coder(X, "encoder"), "decoder")
    loss = tf.reduce_mean(tf.pow(X - decoded, 2))
    optimizer = tf.train.RMSPropOptimizer(0.01).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        losses = [sess.run([optimizer, loss], feed_dict={X: images})[1] for _ in range(200)]
        assert losses[-1] < 0.4 * losses[0]
        coded = sess.run(decoded, feed_dict={X: images[:5]})
        assert coded.shape == (5, 64)


def pairs(count):
    """Words 2n and 2n + 1 go together; so do their contexts."""
    source = np.random.RandomState(0)
    centers = source.zipf(1.5, count) % 20
    return centers.astype(np.int32), (centers ^ 1).astype(np.int32)[:, None]


@pytest.mark.parametrize("kind", ["nce", "sampled softmax"])
def test_word2vec(kind):
    tf.set_random_seed(2)
    vocabulary_size, embedding_size, num_sampled = 20, 8, 5
    with tf.name_scope("inputs"):
        train_inputs = tf.placeholder(tf.int32, shape=[64])
        train_labels = tf.placeholder(tf.int32, shape=[64, 1])
        valid_dataset = tf.constant([0, 2, 4], dtype=tf.int32)
    embeddings = tf.Variable(tf.random_uniform([vocabulary_size, embedding_size], -1.0, 1.0))
    embed = tf.nn.embedding_lookup(embeddings, train_inputs)
    weights = tf.Variable(
        tf.truncated_normal([vocabulary_size, embedding_size], stddev=1.0 / embedding_size**0.5)
    )
    biases = tf.Variable(tf.zeros([vocabulary_size]))
    function = tf.nn.nce_loss if kind == "nce" else tf.nn.sampled_softmax_loss
    loss = tf.reduce_mean(
        function(
            weights=weights,
            biases=biases,
            labels=train_labels,
            inputs=embed,
            num_sampled=num_sampled,
            num_classes=vocabulary_size,
        )
    )
    optimizer = tf.train.AdagradOptimizer(0.5).minimize(loss)
    norm = tf.sqrt(tf.reduce_sum(tf.square(embeddings), 1, keep_dims=True))
    normalized = embeddings / norm
    valid = tf.nn.embedding_lookup(normalized, valid_dataset)
    similarity = tf.matmul(valid, normalized, transpose_b=True)
    logits = tf.matmul(embed, weights, transpose_b=True) + biases
    centers, contexts = pairs(64 * 40)
    with tf.Session() as session:
        tf.global_variables_initializer().run()
        losses = []
        for _ in range(5):
            for start in range(0, len(centers), 64):
                feed = {
                    train_inputs: centers[start : start + 64],
                    train_labels: contexts[start : start + 64],
                }
                losses.append(session.run([optimizer, loss], feed_dict=feed)[1])
        assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:20])
        found = session.run(logits, feed_dict=feed).argmax(1)
        assert (found == feed[train_labels][:, 0]).mean() > 0.9
        assert similarity.eval().shape == (3, vocabulary_size)


def test_sampled_candidates_and_their_expected_counts():
    true = tf.constant([[0], [5]], tf.int64)
    drawn = tf.nn.log_uniform_candidate_sampler(true, 1, 6, True, 30, seed=1)
    free = tf.nn.log_uniform_candidate_sampler(true, 1, 400, False, 30, seed=1)
    even = tf.nn.uniform_candidate_sampler(true, 1, 10, True, 10)
    counts = np.zeros(30)
    with tf.Session() as session:
        for _ in range(1500):
            classes, of_true, of_sampled = session.run(drawn)
            counts[classes] += 1
            assert len(set(classes)) == 6
        frequency = counts / 1500
        np.testing.assert_allclose(of_true[:, 0], frequency[[0, 5]], atol=0.05)
        np.testing.assert_allclose(of_sampled, frequency[classes], atol=0.05)
        law = np.log1p(1 / np.arange(1, 31)) / np.log(31)
        classes, of_true, _ = session.run(free)
        np.testing.assert_allclose(np.bincount(classes, minlength=30) / 400, law, atol=0.07)
        np.testing.assert_allclose(of_true[:, 0], 400 * law[[0, 5]], rtol=1e-5)
        classes, _, expected = session.run(even)
        assert sorted(classes) == list(range(10))
        np.testing.assert_allclose(expected, 1, rtol=1e-5)


def test_training_goes_on_where_it_was_saved(tmp_path):
    images, labels = digits(100)

    def build():
        x = tf.placeholder(tf.float32, [None, 64], name="x")
        y = tf.placeholder(tf.int32, [None], name="y")
        with tf.variable_scope("model"):
            w = tf.get_variable("w", [64, 10], initializer=tf.zeros_initializer())
            b = tf.get_variable("b", [10], initializer=tf.constant_initializer(0.1))
        loss = tf.losses.sparse_softmax_cross_entropy(y, tf.matmul(x, w) + b)
        train = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
        return {x: images, y: labels}, loss, train

    feed, loss, train = build()
    saver = tf.train.Saver()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(10):
            if step == 5:
                saver.save(session, str(tmp_path / "model.ckpt"), global_step=step)
            value, _ = session.run([loss, train], feed)
    with tf.Graph().as_default(), tf.Session() as session:
        feed, loss, train = build()
        tf.train.Saver().restore(session, tf.train.latest_checkpoint(str(tmp_path)))
        for _ in range(5):
            again, _ = session.run([loss, train], feed)
        assert again == value


def test_shared_layers_and_collections():
    x, y = tf.zeros([2, 3]), tf.ones([2, 3])

    def tower(inputs, reuse):
        with tf.variable_scope("tower", reuse=reuse):
            return tf.layers.dense(
                inputs, 4, name="fc", kernel_regularizer=lambda w: 0.1 * tf.nn.l2_loss(w)
            )

    one, other = tower(x, None), tower(y, True)
    automatic = tower(y, tf.AUTO_REUSE)
    assert [v.name for v in tf.global_variables()] == ["tower/fc/kernel:0", "tower/fc/bias:0"]
    assert len(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)) == 1
    tf.losses.mean_squared_error(y[:, :1], other[:, :1])
    total = tf.losses.get_total_loss()
    with tf.variable_scope("tower") as scope:
        scope.reuse_variables()
        kernel = tf.get_variable("fc/kernel")
    layer = tf.layers.Dense(2)
    layer(x)
    layer(y)
    tf.layers.dense(x, 2)
    assert [v.op.name for v in tf.trainable_variables()][2:] == [
        "dense/kernel",
        "dense/bias",
        "dense_1/kernel",
        "dense_1/bias",
    ]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        a, b, c, w, loss = session.run([one, other, automatic, kernel, total])
    assert a.tolist() == np.zeros((2, 4)).tolist()
    np.testing.assert_allclose(b[0], w.sum(0), rtol=1e-6)
    assert b.tolist() == c.tolist()
    assert loss == pytest.approx(0.05 * (w**2).sum() + ((1 - b[:, 0]) ** 2).mean(), rel=1e-5)


def test_variational_reparameterisation():
    """Random numbers in the shape of a batch that is known only when it runs."""
    x = tf.placeholder(tf.float32, [None, 6])
    mean, log_variance = tf.layers.dense(x, 2), tf.layers.dense(x, 2)
    drawn = mean + tf.exp(log_variance / 2) * tf.random_normal(tf.shape(mean))
    loss = tf.reduce_mean(tf.square(tf.layers.dense(drawn, 6) - x)) - 0.5 * tf.reduce_mean(
        1 + log_variance - tf.square(mean) - tf.exp(log_variance)
    )
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for rows in (8, 3, 8):
            value, one, _ = session.run([loss, drawn, train], {x: np.ones((rows, 6))})
            assert np.isfinite(value)
            assert one.shape == (rows, 2)
