"""What a captured plan's slots hold at each replay; most of it is known beforehand."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from flambeau.core.live import Live
from flambeau.core.references import IN_ATTRIBUTE, IN_ATTRIBUTE_AND_NAMED
from flambeau.engine.flush import compute
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import data
from flambeau.runtime.buffers import Buffer, allocate
from flambeau.runtime.plan import Fault, Plan, scalar_bits
from flambeau.tensor.storage import Storage, duplicate
from flambeau.tensor.tensor import Tensor


class Source(NamedTuple):
    """Where a leaf's value comes from: an argument (by number), a storage, or the node itself."""

    argument: int
    storage: Storage | None
    node: Node | None
    spec: Spec


class Feed:
    """Runs a plan on arguments, storages and live numbers."""

    def __init__(self, plan: Plan, sources: list[Source]) -> None:
        self.plan = plan
        # Leaves whose memory the plan overwrites.
        self.taken = {leaf for _, leaf in plan.outputs if leaf >= 0}
        numbered = list(enumerate(sources))
        self._arguments = [
            (number, one.argument, number in self.taken)
            for number, one in numbered
            if one.argument >= 0
        ]
        self._storages = [
            (number, one.storage, number in self.taken)
            for number, one in numbered
            if one.storage is not None
        ]
        # Buffers by leaf: here those of nodes, which stay.
        self._buffers: list[Any] = [
            None if one.node is None else one.node.buffer for one in sources
        ]
        # The slots that hold numbers, and which of these are to be read anew.
        self._numbers: list[int] = []
        self._live: list[int] = []
        self._reads: list[Callable[[], float]] = []
        for number, is_float in plan.slots.scalars:
            self._add_number(sources[number].node, is_float)
        self._pack = struct.Struct(f"<{len(self._live)}d").pack
        self._unpack = struct.Struct(f"<{len(self._live)}q").unpack
        if plan.slots.error:
            self._numbers.append(plan.program.error_address)

    def _add_number(self, node: Node | None, is_float: int) -> None:
        number = 0.0 if node is None else node.attributes[0]
        if isinstance(number, Live) and is_float:
            self._live.append(len(self._numbers))
            self._reads.append(number.read)
        self._numbers.append(scalar_bits(number, is_float))

    def run(self, bound: list[Tensor]) -> tuple[list[Any], list[Any]]:
        """The buffers of the outputs and of the leaves. Raises Fault, with nothing changed."""
        plan = self.plan
        buffers = self._buffers.copy()
        for number, argument, taken in self._arguments:
            buffers[number] = _buffer(bound[argument]._storage, taken)
        for number, storage, taken in self._storages:
            buffers[number] = _buffer(storage, taken)
        outputs = [allocate(nbytes) if leaf < 0 else buffers[leaf] for nbytes, leaf in plan.outputs]
        values = [buffers[number].address + offset for number, offset in plan.slots.leaves]
        values += [outputs[number].address + offset for number, offset in plan.slots.outputs]
        numbers = self._numbers
        if self._live:
            found = self._unpack(self._pack(*[read() for read in self._reads]))
            for place, bits in zip(self._live, found, strict=True):
                numbers[place] = bits
        error = plan.program.run(values + numbers)
        if error is not None:
            raise Fault(error[0] & 255, error[1], error[2], plan.faults[error[0] >> 8])
        return outputs, buffers


def _buffer(storage: Storage, taken: bool) -> Buffer:
    """The buffer of the storage; one that nothing else has if it is to be overwritten."""
    node: Any = storage.node
    if node.buffer is None:
        node = compute(node)
    if taken:
        # Beside the storage there may be the alias that reads it as a parameter.
        alias = storage.parameter
        expected = IN_ATTRIBUTE_AND_NAMED + (alias is not None and alias.inputs[:1] == (node,))
        if (
            sys.getrefcount(node) > expected
            or node is not storage.node
            or sys.getrefcount(node.buffer) > IN_ATTRIBUTE
        ):
            storage.node = node = data(duplicate(node.buffer), node.spec)
            storage.parameter = None
    buffer: Buffer = node.buffer
    return buffer
