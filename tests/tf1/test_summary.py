"""Event files, which tensorboardX writes and reads."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import flambeau.tf1 as tf


def test_without_tensorboardx_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    summary = tf.summary.scalar("loss", tf.constant(1.0))
    with pytest.raises(ImportError, match=r"flambeau\[summary\]"):
        tf.summary.FileWriter(tmp_path)
    with tf.Session() as session, pytest.raises(ImportError, match="tensorboardX"):
        session.run(summary)


def test_what_is_written_is_read(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto import event_pb2, graph_pb2

    x = tf.placeholder(tf.float32, [None], name="x")
    total = tf.reduce_sum(x, name="total")
    tf.summary.scalar("total_of_x", total)
    tf.summary.histogram("values", x)
    tf.summary.image("picture", tf.reshape(x, [1, 1, -1, 1]))
    merged = tf.summary.merge_all()
    assert merged.dtype is tf.string
    with tf.Session() as session, tf.summary.FileWriter(tmp_path, session.graph) as writer:
        for step in range(3):
            value, summary = session.run([total, merged], {x: [1.0, step]})
            assert value == 1 + step
            assert isinstance(summary, bytes)
            writer.add_summary(summary, step)
    (path,) = tmp_path.iterdir()
    events = [event_pb2.Event.FromString(one) for one in records(path.read_bytes())]
    found = {}
    graph = None
    for event in events:
        if event.graph_def:
            graph = graph_pb2.GraphDef.FromString(event.graph_def)
        for one in event.summary.value:
            found.setdefault(one.tag, []).append((event.step, one))
    assert [(step, one.simple_value) for step, one in found["total_of_x"]] == [
        (0, 1),
        (1, 2),
        (2, 3),
    ]
    assert [one.histo.num for _, one in found["values"]] == [2, 2, 2]
    assert found["picture/image/0"][0][1].image.width == 2
    nodes = {one.name: one for one in graph.node}
    assert nodes["total"].op == "Sum"
    assert list(nodes["total"].input) == ["x"]


def records(data):
    """The records of an event file: length, checksum, data, checksum."""
    while data:
        length = int(np.frombuffer(data[:8], np.uint64)[0])
        yield data[12 : 12 + length]
        data = data[16 + length :]


def test_fetching_summaries_keeps_a_run_captured():
    pytest.importorskip("tensorboardX")
    from flambeau.engine.flush import engine

    x = tf.placeholder(tf.float32, [None])
    summary = tf.summary.scalar("mean", tf.reduce_mean(x))
    with tf.Session() as session:
        for _ in range(2):
            session.run(summary, {x: [1.0, 2.0]})
        flushes = engine.statistics.flushes
        assert session.run(summary, {x: [1.0, 2.0]}) != session.run(summary, {x: [1.0, 5.0]})
        assert engine.statistics.flushes == flushes


def test_nothing_to_merge():
    assert tf.summary.merge_all() is None
