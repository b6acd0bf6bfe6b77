"""Ways to run a program, and to compare what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from engine.random_programs import Program
from flambeau.core.context import context
from flambeau.engine.flush import engine
from flambeau.engine.reference import evaluate, widened
from flambeau.graph.node import Node
from ops.harness import stored_value

Values = list[np.ndarray]


def fused(program: Program) -> Values:
    """The wanted values, of one flush, with nothing else held."""
    return [stored_value(one) for one in program.record(program.make_leaves())]


def one_by_one(program: Program) -> Values:
    """The wanted values, every op run as it is recorded."""
    with eager():
        wanted = program.record(program.make_leaves())
    return [stored_value(one) for one in wanted]


@contextmanager
def eager() -> Iterator[None]:
    """Every operation runs on the spot."""
    before, context.eager = context.eager, True
    try:
        yield
    finally:
        context.eager = before


def all_held(program: Program) -> tuple[list[Node], Values]:
    """All nodes of the program, recorded but not run, and the value of each from a run of it."""
    nodes, again = [], []
    for kept in (nodes, again):
        wanted = program.record(program.make_leaves())
        kept += context.recording.nodes if context.recording else wanted
        if kept is nodes:
            context.recording = None
    return nodes, [stored_value(one) for one in again]


def reference_of(node: Node, computed: dict[Node, np.ndarray]) -> np.ndarray:
    """What `node` means, given the values of its inputs."""
    inputs = {one: computed[one] for one in node.inputs if one in computed}
    return evaluate(node, inputs)


def assert_same_bits(actual: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    """Equal to the bit, but for the bits within a NaN, which processors choose."""
    for number, (found, wanted) in enumerate(zip(actual, expected, strict=True)):
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        nans = np.isnan(widened(found)) & np.isnan(widened(wanted))
        same = (_bits(found) == _bits(wanted)) | nans
        if not same.all():
            first = np.unravel_index(np.argmin(same), same.shape)
            raise AssertionError(
                f"wanted value {number}, {found.dtype}{list(found.shape)}: {(~same).sum()} differ; "
                f"at {[int(i) for i in first]} {found[first]!r}, expected {wanted[first]!r}"
            )


def _bits(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(f"u{array.itemsize}").reshape(array.shape)


def forget_plans() -> None:
    """Compile everything anew from here on."""
    engine.plans.clear()
