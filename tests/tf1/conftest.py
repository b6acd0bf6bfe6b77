"""Each test starts from an empty default graph."""

from __future__ import annotations

import pytest

import flambeau.tf1 as tf


@pytest.fixture(autouse=True)
def _empty_graph():
    with tf.Graph().as_default():
        yield
