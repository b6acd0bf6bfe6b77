"""The tree of structures: equal recordings meet in it; an interrupted one goes on as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

import flambeau
from engine.random_programs import random_program
from flambeau.core import dtypes
from flambeau.graph import recording as recordings
from flambeau.graph.node import Node
from flambeau.graph.recording import current, scalar
from flambeau.graph.structure import MOST_KNOWN, ROOT, Structure
from flambeau.ops.algebra import add, mul
from ops.harness import forget_recording, leaf


@pytest.fixture(autouse=True)
def own_recording() -> Iterator[None]:
    forget_recording()
    yield
    forget_recording()


def structure_of(x: np.ndarray, number: float, kind: dtypes.dtype = dtypes.float32) -> Structure:
    forget_recording()
    one = leaf(x)
    add(mul(one, scalar(number, kind)), one)
    return current().structure


def test_equal_structures_are_one_object():
    x = np.ones((2, 3), "float32")
    assert structure_of(x, 2.0) is structure_of(x + 1, -3.0)
    assert structure_of(x, 2.0) is not structure_of(x.T, 2.0)


def test_a_number_is_not_a_tensor_without_dimensions():
    forget_recording()
    x = leaf(np.ones(3, "float32"))
    mul(x, scalar(2.0, dtypes.float32))
    of_number = current().structure
    forget_recording()
    mul(leaf(np.ones(3, "float32")), leaf(np.array(2.0, "float32")))
    assert current().structure is not of_number


@pytest.mark.parametrize("seed", range(20))
def test_uses_are_counted_as_the_nodes_refer(seed: int):
    program = random_program(Random(seed))
    program.record(program.make_leaves())
    recording = current()
    results, leaves = recording.structure.uses()
    counted = Counter(id(one) for node in recording.nodes for one in node.inputs)
    assert results == [counted[id(node)] for node in recording.nodes]
    assert leaves == [counted[id(one)] for one in recording.leaves]
    specs = [one if isinstance(one, tuple) else (one,) for one in recording.structure.leaves()]
    assert specs == [(one.spec,) for one in recording.leaves]


def test_a_refused_operation_leaves_the_recording_as_it_was():
    a, b, c = (flambeau.arange(n).float() for n in (3, 4, 3))
    first = a * 2
    before = current().structure
    with pytest.raises(RuntimeError, match="must match the size"):
        b + c
    assert current().structure is before
    assert current().leaf_positions.keys() == {id(one) for one in current().leaves}
    assert ((first + c).tolist(), (b * 3).tolist()) == ([0.0, 3.0, 6.0], [0.0, 3.0, 6.0, 9.0])


@pytest.mark.parametrize("calls", range(1, 12))
def test_an_interruption_leaves_the_recording_as_it_was(
    calls: int, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C may come between any two steps of recording; here, before each that can be named."""
    a, b = flambeau.ones(3), flambeau.ones(4)
    left = Counter(calls=calls)

    def interrupted(function):
        def wrapper(*args):
            left["calls"] -= 1
            if left["calls"] == 0:
                raise KeyboardInterrupt
            return function(*args)

        return wrapper

    recording_class = recordings.Recording
    for name in ("_references", "_refer_outside"):
        monkeypatch.setattr(recording_class, name, interrupted(getattr(recording_class, name)))
    monkeypatch.setattr(recordings, "inferred", interrupted(recordings.inferred))
    monkeypatch.setattr(Structure, "then_operation", interrupted(Structure.then_operation))
    try:
        held = [a * 41.5, b + a.sum(), (a - 7.5).exp()]
    except KeyboardInterrupt:
        held = []
    monkeypatch.undo()
    nodes: list[Node] = current().nodes
    assert len(nodes) == current().structure.count
    assert [node.position for node in nodes] == list(range(len(nodes)))
    assert len(current().leaves) == len(current().structure.leaves())
    assert ((b * 2 + 1).tolist(), (a * 3).tolist()) == ([3.0] * 4, [3.0] * 3)
    assert len(held) in (0, 3)


def test_the_tree_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flambeau.graph.structure.MOST_KNOWN", 50)
    for size in range(1000, 1300):  # each a structure that nothing else records
        forget_recording()
        x = leaf(np.ones(size, "float32"))
        add(x, x)
    assert _size(ROOT) <= 51
    assert MOST_KNOWN > 1000


def _size(structure: Structure) -> int:
    return 1 + sum(map(_size, structure.next.values()))
