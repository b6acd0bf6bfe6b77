"""Mistakes: TensorFlow's exception classes, with the names of what is at fault."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau.tf1 as tf


def test_a_missing_feed():
    x = tf.placeholder(tf.float32, [None, 3], name="features")
    with tf.Session() as session, pytest.raises(tf.errors.InvalidArgumentError) as caught:
        session.run(x + 1)
    assert "features" in str(caught.value)
    assert "float32" in str(caught.value)
    assert caught.value.op is x.op


def test_a_feed_of_the_wrong_shape():
    x = tf.placeholder(tf.float32, [None, 3], name="features")
    with tf.Session() as session:
        for shape in [(2, 4), (3,), (1, 2, 3)]:
            with pytest.raises(ValueError, match=r"'features:0', which has shape '\(\?, 3\)'"):
                session.run(x + 1, {x: np.zeros(shape)})


@pytest.mark.parametrize(
    ("value", "error"),
    [("text", ValueError), ([1.5], TypeError), ([[1], [2, 3]], ValueError), ([2**40], TypeError)],
)
def test_a_feed_of_the_wrong_type(value, error):
    x = tf.placeholder(tf.int32, name="labels")
    with tf.Session() as session, pytest.raises(error, match="labels"):
        session.run(x + 1, {x: value})


def test_a_tensor_cannot_be_fed_as_a_value():
    x = tf.placeholder(tf.float32, name="x")
    with tf.Session() as session, pytest.raises(TypeError, match=r"cannot be a tf\.Tensor"):
        session.run(x + 1, {x: tf.constant(1.0)})


def test_a_feed_for_something_else():
    with tf.Graph().as_default():
        foreign = tf.placeholder(tf.float32, name="foreign")
    y = tf.constant(1.0)
    with tf.Session() as session:
        with pytest.raises(TypeError, match="foreign"):
            session.run(y, {foreign: 1})
        with pytest.raises(TypeError, match="nobody"):
            session.run(y, {"nobody:0": 1})
        with pytest.raises(TypeError, match="dictionary"):
            session.run(y, [1])


def test_an_uninitialised_variable():
    w = tf.Variable(tf.zeros([2]), name="weights")
    with tf.Session() as session:
        for fetch in (w, w + 1, tf.gradients(tf.reduce_sum(w * w), w), w.assign_add([1.0, 1.0])):
            with pytest.raises(
                tf.errors.FailedPreconditionError, match="uninitialized value weights"
            ):
                session.run(fetch)
        assert session.run(tf.report_uninitialized_variables()).tolist() == [b"weights"]
        session.run(w.initializer)
        assert session.run(tf.report_uninitialized_variables()).tolist() == []
        assert session.run(w + 1).tolist() == [1, 1]


def test_a_fetch_from_another_graph_or_of_something_else():
    with tf.Graph().as_default():
        foreign = tf.constant(1.0, name="foreign")
    with tf.Session() as session:
        with pytest.raises(ValueError, match=r"foreign.*not an element of this graph"):
            session.run(foreign)
        with pytest.raises(ValueError, match="nobody"):
            session.run("nobody:0")
        for fetch in (None, 3, [None], np.zeros(2)):
            with pytest.raises(TypeError, match="invalid type"):
                session.run(fetch)


def test_mixing_graphs():
    x = tf.constant(1.0)
    with tf.Graph().as_default(), pytest.raises(ValueError, match="same graph"):
        tf.add(tf.constant(1.0), x)


def test_a_closed_session():
    x = tf.constant(1.0)
    session = tf.Session()
    session.run(x)
    session.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        session.run(x)
    with pytest.raises(RuntimeError, match="closed Session"), session:
        pass


def test_a_finalized_graph():
    x = tf.constant(1.0)
    graph = tf.get_default_graph()
    graph.finalize()
    with pytest.raises(RuntimeError, match="finalized"):
        x + 1
    with pytest.raises(RuntimeError, match="finalized"):
        tf.add_to_collection("things", x)
    assert graph.finalized
    with tf.Session() as session:
        assert session.run(x) == 1


def test_shapes_that_do_not_fit_are_found_when_the_graph_is_built():
    a, b = tf.zeros([2, 3]), tf.zeros([4, 5])
    x = tf.placeholder(tf.float32, [None, 3])
    for build in (
        lambda: tf.matmul(a, b),
        lambda: tf.matmul(x, b),
        lambda: a + b,
        lambda: tf.concat([a, b], 0),
        lambda: tf.reshape(a, [4]),
        lambda: tf.reduce_sum(a, 2),
        lambda: tf.stack([a, b]),
        lambda: tf.squeeze(a, [0]),
        lambda: a[5],
        lambda: tf.Variable(a).assign(b),
        lambda: tf.nn.softmax_cross_entropy_with_logits(labels=a, logits=b),
    ):
        with pytest.raises(ValueError, match=r"\(op: '\w+'\)"):
            build()


def test_types_that_do_not_fit_are_found_when_the_graph_is_built():
    whole, real = tf.constant([1]), tf.constant([1.0])
    for build in (
        lambda: whole + real,
        lambda: tf.matmul([[1]], [[1.0]]),
        lambda: tf.exp(whole),
        lambda: tf.constant(1.5, tf.int32),
        lambda: whole + 1.5,
        lambda: tf.reduce_any(whole),
        lambda: tf.gradients(whole, whole),
    ):
        with pytest.raises(TypeError):
            build()
    with pytest.raises(ValueError, match="requested dtype"):
        tf.Variable(real).assign(whole)


def test_shapes_that_do_not_fit_when_it_runs_name_the_operation():
    x, y = tf.placeholder(tf.float32, name="x"), tf.placeholder(tf.float32, name="y")
    total = tf.add(x, y, name="together")
    w = tf.Variable(1.0)
    write = w.assign(2.0)
    with tf.Session() as session:
        session.run(w.initializer)
        for _ in range(3):
            with pytest.raises(tf.errors.InvalidArgumentError, match="together") as caught:
                session.run([write, total], {x: np.ones(2), y: np.ones(3)})
            assert "test_errors.py" in str(caught.value)
            assert session.run(w) == 1  # a run that fails changes nothing


def test_a_value_that_does_not_fit_a_variable():
    w = tf.Variable(tf.zeros([2]), name="w")
    x = tf.placeholder(tf.float32)
    free = tf.Variable(x, validate_shape=False, name="free")
    with tf.Session() as session:
        session.run(w.initializer)
        for write in (w.assign(x), w.assign_add(x)):
            for _ in range(3):
                with pytest.raises(tf.errors.InvalidArgumentError, match="variable 'w'"):
                    session.run(write, {x: np.ones((3, 2))})
            session.run(write, {x: np.ones(2)})
        assert session.run(w).tolist() == [2, 2]
        for shape in [(2,), (3, 1), (2,)]:
            for _ in range(3):
                session.run(free.initializer, {x: np.ones(shape)})
                assert session.run(free).shape == shape


def test_a_bad_index_found_while_running():
    table = tf.Variable(tf.zeros([5, 2]))
    ids = tf.placeholder(tf.int32, [None])
    rows = tf.nn.embedding_lookup(table, ids)
    with tf.Session() as session:
        session.run(table.initializer)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"index -1.*test_errors.py"):
            session.run(rows, {ids: [-1, 0]})
        assert session.run(rows, {ids: [4]}).shape == (1, 2)
        write = table.assign(tf.gather(table, tf.concat([ids, [0, 1, 2, 3]], 0)))
        for place in (4, 4, 4, 7, 4, 7):
            if place == 4:
                session.run([rows, write], {ids: [place]})
                continue
            with pytest.raises(tf.errors.InvalidArgumentError, match="7"):
                session.run([rows, write], {ids: [place]})
            assert session.run(table).tolist() == [[0, 0]] * 5
        with tf.Session() as other:
            with pytest.raises(tf.errors.InvalidArgumentError):
                other.run(table.assign(tf.gather(tf.zeros([2, 2]), [0, 0, 0, 0, 5])))
            with pytest.raises(tf.errors.FailedPreconditionError):
                other.run(table)


def test_tensors_are_no_python_values():
    x = tf.constant([1.0, 2.0])
    for use in (bool, list, len, float, int):
        with pytest.raises(TypeError):
            use(x)
    with pytest.raises(TypeError, match="Python bool"):
        bool(x > 1)
    with pytest.raises(NotImplementedError, match="NumPy"):
        np.asarray(x)


def test_names_that_are_not_there():
    graph = tf.get_default_graph()
    x = tf.constant(1.0, name="x")
    assert graph.get_tensor_by_name("x:0") is x
    assert graph.as_graph_element("x") is x.op
    for name, error in [("y:0", KeyError), ("x:1", KeyError), ("x", ValueError)]:
        with pytest.raises(error, match=name.partition(":")[0]):
            graph.get_tensor_by_name(name)
    with pytest.raises(ValueError, match="Tensor"):
        graph.get_operation_by_name("x:0")
    with pytest.raises(ValueError, match="valid scope name"):
        tf.constant(1.0, name="with space")


def test_variable_scopes_say_what_exists():
    with tf.variable_scope("layer"):
        tf.get_variable("w", [2])
        with pytest.raises(ValueError, match="layer/w already exists"):
            tf.get_variable("w", [2])
    with tf.variable_scope("layer", reuse=True):
        with pytest.raises(ValueError, match="layer/v does not exist"):
            tf.get_variable("v", [2])
        with pytest.raises(ValueError, match="layer/w"):
            tf.get_variable("w", [3])
    with pytest.raises(ValueError, match="fully defined"):
        tf.get_variable("u", [None, 2])


def test_every_error_class_is_an_operror():
    classes = [one for one in vars(tf.errors).values() if isinstance(one, type)]
    kinds = [one for one in classes if issubclass(one, tf.errors.OpError)]
    assert len(kinds) == 17
    assert issubclass(tf.errors.OutOfRangeError, tf.errors.OpError)
    assert tf.errors.NotFoundError(None, None, "gone").message == "gone"
