"""Bounds checks in kernels (settings.checked): an access beyond its buffer becomes a fault.

A pass over a nest's kernel: each access is guarded by its own index, and where that is outside, a
fault is reported. Nothing here is part of a kernel otherwise.
"""

from __future__ import annotations

import math
from dataclasses import replace

from flambeau.compiler.kernel import Instruction, Kernel, Section
from flambeau.compiler.units import BuiltNest
from flambeau.core import dtypes
from flambeau.graph import faults
from flambeau.graph.index import Index
from flambeau.graph.node import Node

_ACCESSES = frozenset(("load", "store", "accumulate"))


def check_bounds(built: BuiltNest, culprit: Node) -> None:
    """Guard every access of a kernel; faults are reported for `culprit`."""
    packed = faults.OUT_OF_BOUNDS + 256 * len(built.faults)
    built.faults.append(culprit)
    for section in built.kernel.sections:
        code, section.code = section.code, []
        for number, one in code:
            count = built.slots[one.slot].spec.numel
            if one.slot in built.kernel.rows:
                count = math.prod(built.kernel.inner)
            guarded = _guarded(built.kernel, section, one, count, packed)
            section.code.append((number, guarded))


def _guarded(
    kernel: Kernel, section: Section, one: Instruction, count: int, packed: int
) -> Instruction:
    """The instruction, if it is an access, kept within `count` elements; the check goes before."""
    if one.op not in _ACCESSES or one.at is None:
        return one
    within = ((one.at, count),)
    inside = kernel.add(section, Instruction("inside", dtypes.bool, guards=within))
    outside = kernel.add(section, Instruction("not", dtypes.bool, (inside,)))
    index = kernel.add(section, Instruction("coordinate", dtypes.int64, at=one.at))
    bound = kernel.add(section, Instruction("coordinate", dtypes.int64, at=Index(count)))
    operands = (outside, index, bound)
    kernel.add(section, Instruction("fail", dtypes.bool, operands, packed, guards=one.guards))
    return replace(one, guards=(*one.guards, *within))
