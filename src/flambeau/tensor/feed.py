"""What a captured plan's slots hold at each replay; most of it is known beforehand."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from sys import getrefcount
from typing import Any, NamedTuple

from flambeau.core.live import Live
from flambeau.core.references import (
    IN_ATTRIBUTE,
    IN_ATTRIBUTE_AND_MAPPED,
    IN_ATTRIBUTE_AND_NAMED,
)
from flambeau.engine.flush import compute
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import data
from flambeau.runtime.buffers import Buffer, allocate
from flambeau.runtime.plan import Fault, Plan, scalar_bits
from flambeau.tensor.storage import Storage, duplicate
from flambeau.tensor.tensor import Tensor

_NOTHING: Mapping[int, Buffer] = {}


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
        held = [(number, one.storage) for number, one in numbered if one.storage is not None]
        self._read = [one for number, one in held if number not in self.taken]
        self._overwritten = [one for number, one in held if number in self.taken]
        # Places of their buffers among those of all leaves, first the read ones.
        self._held = sorted((number for number, _ in held), key=self.taken.__contains__)
        # Outputs in new memory, and for each output the leaf it overwrites (else any one).
        self._fresh = [(n, nbytes) for n, (nbytes, leaf) in enumerate(plan.outputs) if leaf < 0]
        self._output_leaves = [leaf for _, leaf in plan.outputs]
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

    def run(
        self, bound: list[Tensor], into: Mapping[int, Buffer] = _NOTHING
    ) -> tuple[list[Any], list[Any]]:
        """The buffers of the outputs and of the leaves. Raises Fault, with nothing changed.

        `into`: the memory to use for some outputs, by number; others get new memory.
        """
        plan = self.plan
        buffers = self._buffers.copy()
        for number, argument, taken in self._arguments:
            storage = bound[argument]._storage
            buffers[number] = _own_buffer(storage) if taken else _any_buffer(storage)
        held = [*map(_any_buffer, self._read), *_own_buffers(self._overwritten)]
        for number, buffer in zip(self._held, held, strict=True):
            buffers[number] = buffer
        outputs = [buffers[leaf] for leaf in self._output_leaves]
        for number, nbytes in self._fresh:
            outputs[number] = into[number] if number in into else allocate(nbytes)
        error = plan.program.run(plan.addresses(buffers, outputs) + self._read_numbers())
        if error is not None:
            raise Fault(error[0] & 255, error[1], error[2], plan.faults[error[0] >> 8])
        return outputs, buffers

    def _read_numbers(self) -> list[int]:
        """What the slots of numbers hold now."""
        numbers = self._numbers.copy()
        if self._live:
            found = self._unpack(self._pack(*[read() for read in self._reads]))
            for place, bits in zip(self._live, found, strict=True):
                numbers[place] = bits
        return numbers


def _any_buffer(storage: Storage) -> Any:
    return storage.node.buffer or compute(storage.node).buffer


def _own_buffers(storages: list[Storage]) -> list[Buffer]:
    """The buffers of what the storages hold, which nothing else has: they may be overwritten."""
    nodes = [one.node for one in storages]
    found: list[Any] = [one.buffer for one in nodes]
    counts = [*map(getrefcount, nodes), *map(getrefcount, found)]
    if counts.count(IN_ATTRIBUTE_AND_MAPPED) < len(counts):
        del nodes, found
        return [*map(_own_buffer, storages)]
    return found


def _own_buffer(storage: Storage) -> Buffer:
    # The alias that reads the value as a parameter is made anew when it is needed.
    storage.parameter = None
    node: Any = compute(storage.node)
    if (
        node is not storage.node
        or getrefcount(node) > IN_ATTRIBUTE_AND_NAMED
        or getrefcount(node.buffer) > IN_ATTRIBUTE
    ):
        storage.node = node = data(duplicate(node.buffer), node.spec)
    buffer: Buffer = node.buffer
    return buffer
