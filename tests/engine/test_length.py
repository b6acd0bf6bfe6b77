"""What counts towards the length at which a recording is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

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
