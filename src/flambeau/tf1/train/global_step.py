"""The variable that counts training steps."""

from __future__ import annotations

from typing import Any

from flambeau.tf1 import dtypes
from flambeau.tf1.graph import Graph, GraphKeys, get_default_graph
from flambeau.tf1.initializers import Zeros
from flambeau.tf1.scopes import get_variable
from flambeau.tf1.variables import Variable


def get_global_step(graph: Graph | None = None) -> Variable | None:
    """The graph's count of steps; None if there is none."""
    found = (graph or get_default_graph()).get_collection(GraphKeys.GLOBAL_STEP)
    return found[0] if found else None


def create_global_step(graph: Graph | None = None) -> Variable:
    """A new count of steps; ValueError if the graph has one."""
    if get_global_step(graph) is not None:
        raise ValueError('"global_step" already exists.')
    with (graph or get_default_graph()).as_default():
        return get_variable(
            "global_step",
            [],
            dtypes.int64,
            Zeros(),
            trainable=False,
            collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP],
        )


def get_or_create_global_step(graph: Graph | None = None) -> Variable:
    """The graph's count of steps, made if there is none.

    >>> import flambeau.tf1 as tf
    >>> with tf.Graph().as_default():
    ...     tf.train.get_or_create_global_step().name
    'global_step:0'
    """
    return get_global_step(graph) or create_global_step(graph)


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The count's value in the session."""
    return int(sess.run(global_step_tensor))
