"""Plan: a compiled recording. Made once for a structure, run with any buffers and scalars."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flambeau.graph import faults
from flambeau.graph.node import Node, describe_location
from flambeau.runtime.buffers import Buffer, allocate
from flambeau.runtime.cpu.executor import Error, Program

_DOUBLE, _LONG = struct.Struct("<d"), struct.Struct("<q")


class Fault(Exception):
    """A step reported a fault: its code, the value and its bound, and which node was at work."""

    def __init__(self, code: int, value: int, bound: int, position: int) -> None:
        super().__init__(code, value, bound, position)
        self.code, self.value, self.bound, self.position = code, value, bound, position


class Slots(NamedTuple):
    """What a program's slots are filled with, in this order."""

    # Number of the leaf (or output) and an offset in bytes from its address.
    leaves: list[tuple[int, int]]
    outputs: list[tuple[int, int]]
    # Number of the leaf, and whether its Python number counts as a float.
    scalars: list[tuple[int, int]]
    # Whether the address of the error cell comes last.
    error: bool


@dataclass
class Plan:
    """What to run, and how leaves and results meet its slots."""

    program: Program
    slots: Slots
    # Size in bytes of each output, and the leaf whose buffer it takes over (-1: a new one).
    outputs: list[tuple[int, int]]
    # Where each wanted position of the recording finds its result: ("output" | "leaf", number).
    results: dict[int, tuple[str, int]]
    # Positions of the nodes that faults are reported for.
    faults: list[int]
    summary: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        slots = self.slots
        self._pack = _packer([is_float for _, is_float in slots.scalars])
        self._scalars = [number for number, _ in slots.scalars]
        # The leaves and outputs whose addresses slots hold, and what is added to some of them.
        self._leaves = [number for number, _ in slots.leaves]
        self._outputs = [number for number, _ in slots.outputs]
        addresses = enumerate([*slots.leaves, *slots.outputs])
        self._offsets = [(place, offset) for place, (_, offset) in addresses if offset]

    def run(self, leaves: Sequence[Node], *, beside: bool = False) -> list[Buffer]:
        """Run on these leaves; the output buffers. Raises Fault, with nothing bound.

        `beside`: the program may go on beside the caller, who must not look at any of the memory
        before `background.finish()`.
        """
        buffers: list[Any] = [leaf.buffer for leaf in leaves]
        made = [allocate(size) if leaf < 0 else buffers[leaf] for size, leaf in self.outputs]
        values = self.addresses(buffers, made)
        values += self._pack([leaves[number].attributes[0] for number in self._scalars])
        if self.slots.error:
            values.append(self.program.error_address)
        error = self._start(values, buffers, made) if beside else self.program.run(values)
        if error is not None:
            raise Fault(error[0] & 255, error[1], error[2], self.faults[error[0] >> 8])
        return made

    def addresses(self, leaves: Sequence[Buffer], outputs: Sequence[Buffer]) -> list[int]:
        """What the slots that hold addresses are filled with."""
        values = [leaves[number].address for number in self._leaves]
        values += [outputs[number].address for number in self._outputs]
        for place, offset in self._offsets:
            values[place] += offset
        return values

    def _start(self, values: list[int], leaves: list[Any], made: list[Buffer]) -> Error | None:
        """Run beside the caller, unless others may look at the memory at any time."""
        read = [leaves[number] for number in self._leaves]
        if max([one.views for one in read], default=0):
            return self.program.run(values)
        return self.program.start(values, [*read, *made])


def _packer(are_floats: Sequence[int]) -> Callable[[list[Any]], Sequence[int]]:
    """What makes the i64s of numbers of these kinds."""
    if not all(are_floats):
        return lambda numbers: list(map(scalar_bits, numbers, are_floats))
    pack = struct.Struct(f"<{len(are_floats)}d").pack
    unpack = struct.Struct(f"<{len(are_floats)}q").unpack
    return lambda numbers: unpack(pack(*numbers))


def scalar_bits(value: float, is_float: int) -> int:
    """A Python number as the i64 that a kernel's argument list holds."""
    if is_float:
        return int(_LONG.unpack(_DOUBLE.pack(value))[0])
    value = int(value)
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def explain_fault(fault: Fault, node: Node | None) -> Exception:
    """The exception a user sees for a fault at `node` (None: in a replay, which keeps no lines)."""
    where = "" if node is None else describe_location(node.source)
    return faults.exception(fault.code, fault.value, fault.bound, where)
