"""Saver: files, the state file, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau.tf1 as tf


def model():
    w = tf.Variable(tf.random_normal([3, 2]), name="w")
    count = tf.Variable(0, name="count", trainable=False)
    return w, count, tf.group(w.assign(w * 2), count.assign_add(1))


def test_saved_and_restored_in_another_graph(tmp_path):
    w, count, step = model()
    saver = tf.train.Saver(max_to_keep=2)
    tf.get_default_graph().finalize()
    with tf.Session() as session:
        session.run([w.initializer, count.initializer])
        for number in range(4):
            session.run(step)
            path = saver.save(session, tmp_path / "model", global_step=number)
        final = session.run(w)
    assert path == str(tmp_path / "model-3")
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "checkpoint",
        "model-2.safetensors",
        "model-3.safetensors",
    ]
    assert saver.last_checkpoints == [str(tmp_path / "model-2"), path]
    assert tf.train.latest_checkpoint(tmp_path) == path
    state = tf.train.get_checkpoint_state(tmp_path)
    assert state.model_checkpoint_path == path
    assert state.all_model_checkpoint_paths == saver.last_checkpoints
    assert tf.train.list_variables(tmp_path) == [("count", []), ("w", [3, 2])]
    assert tf.train.load_variable(path, "count") == 4
    with tf.Graph().as_default(), tf.Session() as session:
        w, count, _ = model()
        tf.train.Saver().restore(session, tf.train.latest_checkpoint(tmp_path))
        assert session.run(count) == 4
        assert np.array_equal(session.run(w), final)
        assert session.run(tf.report_uninitialized_variables()).size == 0


def test_chosen_variables_under_chosen_names(tmp_path):
    w, count, _ = model()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        value = session.run(w)
        path = tf.train.Saver({"weights": w}).save(
            session, str(tmp_path / "some"), global_step=count
        )
        assert path.endswith("some-0")
        session.run(w.assign(w * 0))
        tf.train.Saver({"weights": w}).restore(session, path)
        assert np.array_equal(session.run(w), value)


def test_what_is_refused(tmp_path):
    w, count, _ = model()
    saver = tf.train.Saver()
    with tf.Session() as session:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value"):
            saver.save(session, tmp_path / "model")
        session.run(tf.global_variables_initializer())
        with pytest.raises(ValueError, match="Parent directory"):
            saver.save(session, tmp_path / "no" / "model")
        with pytest.raises(ValueError, match="not a valid checkpoint"):
            saver.restore(session, tmp_path / "nothing")
        with pytest.raises(ValueError, match="None"):
            saver.restore(session, None)
        path = saver.save(session, tmp_path / "model")
        before = session.run(w)
        with pytest.raises(tf.errors.NotFoundError, match="Key other not found"):
            tf.train.Saver({"other": w, "count": count}).restore(session, path)
        with pytest.raises(tf.errors.InvalidArgumentError, match="'count' has shape"):
            tf.train.Saver({"count": w}).restore(session, path)
        file = tmp_path / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-5])
        with pytest.raises(tf.errors.DataLossError, match=r"model\.safetensors is damaged"):
            saver.restore(session, path)
        assert np.array_equal(session.run(w), before)
    with tf.Graph().as_default(), pytest.raises(ValueError, match="No variables to save"):
        tf.train.Saver()
    assert tf.train.latest_checkpoint(tmp_path / "no") is None
    assert tf.train.get_checkpoint_state(tmp_path / "no") is None
