"""Passes over a kernel before code is made from it: fewer and longer loops."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from flambeau.compiler.kernel import Kernel
from flambeau.compiler.nest import Unfusable
from flambeau.graph.index import Index


def indices(kernel: Kernel) -> Iterable[Index]:
    """Every address, coordinate and guard of a kernel."""
    for _, instruction in kernel.instructions():
        if instruction.at is not None:
            yield instruction.at
        for guarded, _ in instruction.guards:
            yield guarded


def collapse(kernel: Kernel) -> None:
    """Merge neighbouring axes that every index walks as if they were one; drop those of size 1.

    Outer axes merge where they can. Inner axes merge only into the row, where they must: the order
    of a reduction is the shape's to decide, so Unfusable is raised if a row cannot be walked.
    """
    used = list(indices(kernel))
    count = len(kernel.outer)
    outer = _merge_outer(used, kernel.outer)
    inner = _merge_row(used, kernel)
    replacements = {axis: Index() for axis in range(count + len(kernel.inner))}
    # The last axis of a group steps through it; the others vanish into it.
    for new, group in enumerate(outer):
        replacements[group[-1]] = Index.axis(new)
    first_inner = max(len(outer), 1)
    for new, group in enumerate(inner):
        replacements[count + group[-1]] = Index.axis(first_inner + new)
    for section in kernel.sections:
        section.code = [(number, one.at_axes(replacements)) for number, one in section.code]
    kernel.outer = [math.prod(kernel.outer[axis] for axis in group) for group in outer] or [1]
    kernel.inner = [math.prod(kernel.inner[axis] for axis in group) for group in inner]
    kernel.row_axes = 1


def _merge_outer(used: Sequence[Index], sizes: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    for axis, size in enumerate(sizes):
        if size == 1:
            continue
        if groups and _walk_as_one(used, groups[-1][-1], axis, size):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def _merge_row(used: Sequence[Index], kernel: Kernel) -> list[list[int]]:
    first, count = len(kernel.outer), len(kernel.inner)
    lead = count - kernel.row_axes
    groups = [[axis] for axis in range(lead) if kernel.inner[axis] != 1]
    row = [axis for axis in range(max(lead, 0), count) if kernel.inner[axis] != 1]
    for one, other in pairwise(row):
        together = _walk_as_one(used, first + one, first + other, kernel.inner[other])
        if not together and 0 not in kernel.inner:
            raise Unfusable("the reduced dimensions cannot be walked as one row")
    if row:
        groups.append(row)
    elif count:
        groups.append([count - 1])
    return groups


def _walk_as_one(used: Sequence[Index], first: int, second: int, size: int) -> bool:
    return all(one.factor(first) == one.factor(second) * size for one in used)
