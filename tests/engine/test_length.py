"""When a recording is run that nobody looks at: its length, and the ends of training steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import flambeau
from flambeau.engine.flush import SMALL_STEP_BYTES, engine
from flambeau.graph.node import Node
from flambeau.graph.recording import current
from flambeau.graph.subgraph import Step, Subgraph
from flambeau.ops.arithmetic import neg
from flambeau.ops.shape import expand, permute
from ops.harness import forget_recording, leaf

SIZES = (300, 40)


@pytest.fixture(autouse=True)
def own_recording() -> Iterator[None]:
    forget_recording()
    yield
    forget_recording()


@pytest.mark.parametrize(
    ("make", "counted"),
    [
        (neg, 4 * 300 * 40),
        (lambda x: permute(x, (1, 0)), 0),
        (lambda x: expand(x, (7, *SIZES)), 0),
    ],
    ids=["stored", "permuted", "expanded"],
)
def test_views_keep_no_bytes(make: Callable[[Node], Node], counted: int) -> None:
    x = leaf(np.ones(SIZES, "float32"))
    before = current().structure.nbytes
    node = make(x)
    assert current().structure.nbytes - before == counted
    assert Subgraph.of([Step(node.op, node.attributes, node.spec, (-1,))], [0]).nbytes == counted


@pytest.mark.parametrize(
    ("size", "looks", "flushes"),
    [(4, True, 6), (4, False, 3), (SMALL_STEP_BYTES // 4, True, 12), (1 << 18, False, 6)],
)
def test_a_small_step_is_run_with_the_next_one(size: int, looks: bool, flushes: int) -> None:
    weight = flambeau.ones(size, requires_grad=True)
    optimizer = flambeau.optim.SGD([weight], lr=0.25)
    before = engine.statistics.flushes
    for _ in range(6):
        loss = weight.sum() if looks else (weight * 2).sum()
        if looks:
            loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert engine.statistics.flushes - before == flushes
    assert weight[0].item() == (-0.5 if looks else -2.0)
