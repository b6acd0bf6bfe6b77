"""Numbers a kernel's arguments and writes its text: what the code depends on, and nothing else.

Sizes, strides and offsets become arguments, but for strides of 0 and 1, which decide the code. So
nests that differ in sizes share one compiled kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flambeau.compiler.kernel import Instruction, Kernel
from flambeau.compiler.order import one_block, row_lanes
from flambeau.graph.index import Index

# An entry of the argument list: ("slot", n) is the address of a buffer of the nest, ("scalar", n) a
# Python number, ("number", n) a constant, ("error", 0) the address of the program's error cell.
Argument = tuple[str, int]


@dataclass(frozen=True)
class Address:
    """An index whose constant and factors are argument numbers (or the factor 1 itself)."""

    constant: int | None
    axes: tuple[tuple[int, int | None], ...]
    values: tuple[tuple[int, int | None], ...]

    def __str__(self) -> str:
        terms = [] if self.constant is None else [f"a{self.constant}"]
        for letter, pairs in (("i", self.axes), ("v", self.values)):
            terms += [
                f"{letter}{one}" if by is None else f"{letter}{one}*a{by}" for one, by in pairs
            ]
        return "+".join(terms) or "0"

    def along(self, axis: int) -> int | None:
        """The argument that holds the factor of `axis`; -1 for the factor 1, None for 0."""
        for number, by in self.axes:
            if number == axis:
                return -1 if by is None else by
        return None


@dataclass
class Arguments:
    """The argument list of a kernel, and where each part of the kernel finds its numbers."""

    entries: list[Argument] = field(default_factory=list)
    slots: dict[tuple[str, int], int] = field(default_factory=dict)
    addresses: dict[Index, Address] = field(default_factory=dict)
    outer: list[int] = field(default_factory=list)
    inner: list[int] = field(default_factory=list)
    # Per instruction with guards: (address, argument of the size).
    guards: dict[tuple[tuple[Index, int], ...], list[tuple[Address, int]]] = field(
        default_factory=dict
    )
    error: int = -1
    faults: dict[int, int] = field(default_factory=dict)
    text: str = ""

    def number(self, value: int) -> int:
        self.entries.append(("number", value))
        return len(self.entries) - 1

    def slot(self, slot: int, kind: str = "slot") -> int:
        """The argument for a slot; a Python number may also have a place in memory, its "slot"."""
        entry = (kind, slot)
        if entry not in self.slots:
            self.entries.append(entry)
            self.slots[entry] = len(self.entries) - 1
        return self.slots[entry]

    def address(self, index: Index) -> Address:
        found = self.addresses.get(index)
        if found is None:
            found = Address(
                self.number(index.constant) if index.constant else None,
                tuple([(one, None if by == 1 else self.number(by)) for one, by in index.axes]),
                tuple([(one, None if by == 1 else self.number(by)) for one, by in index.values]),
            )
            self.addresses[index] = found
        return found


def number_arguments(kernel: Kernel) -> Arguments:
    """The arguments and the text of a simplified kernel."""
    result = Arguments()
    result.outer = [result.number(size) for size in kernel.outer]
    result.inner = [result.number(size) for size in kernel.inner]
    head = f"{kernel.lanes_along} {len(kernel.outer)}+{len(kernel.inner)} {kernel.fold}"
    head += " in whole vectors" if kernel.whole else ""
    if kernel.lanes_along == "inner":
        head += f" {row_lanes(kernel)} lanes {'of one block' if one_block(kernel) else ''}"
        head += " reading ahead" if kernel.reads_ahead else ""
    lines = [head]
    for slot, offset in kernel.rows.items():
        result.slots["slot", slot] = result.number(offset)
    lines.append(f"rows: {[result.slot(slot) for slot in kernel.rows]}")
    for section in kernel.sections:
        lines.append("inner:" if section.inner else "outer:")
        lines += [_line(result, number, one) for number, one in section.code]
    if kernel.streamed:
        lines.append(f"streamed: {sorted(result.slot(slot) for slot in kernel.streamed)}")
    result.text = "\n".join(lines)
    return result


def _line(result: Arguments, number: int, one: Instruction) -> str:
    words = [f"v{number} = {one.op}.{one.kind.name}", *[f"v{operand}" for operand in one.operands]]
    if one.op == "fail":
        if result.error < 0:
            result.entries.append(("error", 0))
            result.error = len(result.entries) - 1
        result.faults[number] = result.number(int(one.detail))
        words.append(f"a{result.faults[number]}")
    elif one.detail != "":
        words.append(str(one.detail))
    if one.slot >= 0:
        words.append(f"s{result.slot(one.slot, 'scalar' if one.op == 'scalar' else 'slot')}")
    if one.at is not None:
        words.append(f"@{result.address(one.at)}")
    if one.guards:
        if one.guards not in result.guards:
            result.guards[one.guards] = [
                (result.address(index), result.number(size)) for index, size in one.guards
            ]
        words += [f"?{address}<a{size}" for address, size in result.guards[one.guards]]
    return " ".join(words)
