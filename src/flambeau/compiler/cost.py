"""What a unit must do at least: the bytes it moves and the operations it carries out."""

from __future__ import annotations

import math

from flambeau.compiler.kernel import SLOW_BINARY, SLOW_UNARY, Kernel
from flambeau.compiler.units import Branch, Call, Loop, Nest, Unit
from flambeau.graph.node import Node

# What a function such as exp stands for, in operations.
SLOW = 20
_FREE = frozenset(("constant", "scalar", "coordinate", "load", "store", "cast", "fail", "inside"))


def cost(unit: Unit) -> tuple[int, int]:
    """Bytes, each value read and written once, and operations."""
    if isinstance(unit, Nest) and unit.built is not None:
        return _traffic(unit.built.kernel, unit.built.slots), _operations(unit.built.kernel)
    if isinstance(unit, (Loop, Branch)):
        return _total(unit)
    assert isinstance(unit, Call)
    return sum(one.spec.nbytes for one in {*unit.reads, *unit.targets}), unit.operations


def _total(unit: Loop | Branch) -> tuple[int, int]:
    """Those of a loop's rounds, of which there is one at least; of the cheaper arm of a branch."""
    costs = [
        [sum(one) for one in zip((0, 0), *map(cost, region.schedule.units), strict=True)]
        for region in unit.regions
    ]
    if isinstance(unit, Branch):
        nbytes, operations = min(costs)
        return nbytes, operations
    times = 1 if unit.conditional else unit.limit
    return costs[0][0] * times, costs[0][1] * times


def _traffic(kernel: Kernel, slots: list[Node]) -> int:
    """Of a value of which a view is read, no more than the view."""
    elements = kernel.elements
    touched = {
        (slots[one.slot], one.op == "load")
        for _, one in kernel.instructions()
        if one.op in ("load", "store", "accumulate") and one.slot not in kernel.rows
    }
    return sum(min(node.spec.numel, elements) * node.dtype.itemsize for node, _ in touched)


def _operations(kernel: Kernel) -> int:
    total = 0
    for section in kernel.sections:
        times = kernel.elements if section.inner else math.prod(kernel.outer)
        for _, one in section.code:
            slow = one.op in SLOW_UNARY or one.op in SLOW_BINARY
            total += 0 if one.op in _FREE else times * (SLOW if slow else 1)
    return total
