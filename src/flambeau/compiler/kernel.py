"""The kernel language: a loop nest, affine loads and stores, expressions and reductions.

A kernel has outer axes (the result's dimensions, split over threads) and, if it reduces, inner
axes. Its sections alternate: outer code, an inner loop, outer code, an inner loop, ... Values are
numbers in order of definition; a value of an inner section is not visible after its loop, the
result of a reduction is.

float16 and bfloat16 values are float32 in registers; `cast` to the narrow type rounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.graph.index import Index

# Functions that take tens of instructions.
SLOW_UNARY = frozenset(
    {"exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "erf", "erfc", "erfinv"}
    | {"sin", "cos", "tan", "asin", "acos", "atan"}
    | {"sinh", "cosh", "tanh", "asinh", "acosh", "atanh"}
    | {"lgamma", "digamma", "i0", "i0e", "i1", "i1e"}
)
SLOW_BINARY = frozenset({"pow", "fmod", "hypot", "atan2", "rem"})
UNARY = SLOW_UNARY | {"neg", "abs", "not", "floor", "ceil", "trunc", "round", "sqrt", "rsqrt"}
BINARY = SLOW_BINARY | {
    *("add", "sub", "mul", "div", "min", "max"),
    *("and", "or", "xor", "shl", "shr", "copysign", "nextafter"),
}
RELATIONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})
REDUCTIONS = frozenset({"add", "mul", "max", "min", "or", "and"})

# A multiple of the lanes that any loop takes at a time.
WIDEST = 64


@dataclass(frozen=True)
class Instruction:
    """One operation. `at` is an address (load, store) or a coordinate; `guards` bound it."""

    op: str
    kind: dtype
    operands: tuple[int, ...] = ()
    detail: str | float | int = ""
    slot: int = -1
    at: Index | None = None
    guards: tuple[tuple[Index, int], ...] = ()

    def at_axes(self, replacements: Mapping[int, Index]) -> Instruction:
        """The same instruction where other axes stand for those it knows."""
        if self.at is None and not self.guards:
            return self
        at = None if self.at is None else self.at.substitute(replacements)
        guards = tuple([(one.substitute(replacements), size) for one, size in self.guards])
        return replace(self, at=at, guards=guards)


@dataclass
class Section:
    """Straight-line code: `inner` says whether it runs for each inner index."""

    inner: bool
    code: list[tuple[int, Instruction]] = field(default_factory=list)


@dataclass
class Kernel:
    """A nest as the scheduler builds it: sizes are still numbers, addresses still symbolic."""

    outer: list[int]
    inner: list[int]
    # "inner": lanes run along the last inner axis; "outer": along the last outer one.
    lanes_along: str
    # How many of the last inner axes are walked as one row.
    row_axes: int = 1
    sections: list[Section] = field(default_factory=list)
    kinds: list[dtype] = field(default_factory=list)
    # What is folded at a time: the "whole", one "group", of which the first outer axis is the
    # number, or the groups' results to the "total".
    fold: str = "whole"
    # Slots that are written past the caches.
    streamed: frozenset[int] = frozenset()
    # Slots of which a thread keeps one row in its own memory, at these offsets, and all its bytes.
    rows: dict[int, int] = field(default_factory=dict)
    row_bytes: int = 0

    @property
    def elements(self) -> int:
        """How many elements it walks."""
        outer = self.outer[1:] if self.fold == "group" else self.outer
        return math.prod((*outer, *self.inner))

    @property
    def whole(self) -> bool:
        """Whether lanes always fill their vectors, so that code for a last few is not needed."""
        sizes = self.inner if self.lanes_along == "inner" else self.outer
        # The lanes of a matrix product's epilogue are the product's affair.
        epilogue = any(one.op == "product" for _, one in self.instructions())
        return sizes[-1] % WIDEST == 0 and not epilogue

    @property
    def phases(self) -> int:
        """How many inner loops it has, one after the other."""
        return sum(section.inner and bool(section.code) for section in self.sections)

    @property
    def reads_ahead(self) -> bool:
        """Whether to fetch the next row while computing: rows of some size, walked repeatedly."""
        rows = self.lanes_along == "inner" and len(self.inner) == 1
        return rows and self.phases > 1 and 1 << 8 <= self.inner[0] <= 1 << 16

    def busiest(self) -> Section | None:
        """The inner loop with the most that takes long to compute, if there is any such thing."""

        def slow(section: Section) -> int:
            return sum(one.op in SLOW_UNARY | SLOW_BINARY for _, one in section.code)

        found = max((one for one in self.sections if one.inner), key=slow)
        return found if slow(found) else None

    def instructions(self) -> Iterator[tuple[int, Instruction]]:
        for section in self.sections:
            yield from section.code

    def add(self, section: Section, instruction: Instruction) -> int:
        number = len(self.kinds)
        self.kinds.append(instruction.kind)
        section.code.append((number, instruction))
        return number


def varying_values(kernel: Kernel, axis: int) -> set[int]:
    """The values that differ between lanes."""
    varying: set[int] = set()
    for section in kernel.sections:
        for number, one in section.code:
            indices = [index for index, _ in one.guards]
            indices += [] if one.at is None else [one.at]
            vary = any(
                index.factor(axis) or any(value in varying for value, _ in index.values)
                for index in indices
            )
            if one.op == "reduce":
                vary = kernel.lanes_along == "outer"
            elif one.op == "product" or any(operand in varying for operand in one.operands):
                vary = True
            if vary:
                varying.add(number)
    return varying


def register_kind(kind: dtype) -> dtype:
    """The type a value of this element type has in registers."""
    return dtypes.float32 if kind in (dtypes.float16, dtypes.bfloat16) else kind


class SectionExpressions:
    """Expressions (see graph/lowering.py) that add to one section; equal ones are shared."""

    def __init__(self, kernel: Kernel, section: Section) -> None:
        self.kernel = kernel
        self.section = section
        # The number that a fault is reported under, and where it counts.
        self.fault = 0
        self.guards: tuple[tuple[Index, int], ...] = ()
        self.known: dict[Instruction, int] = {}

    def add(self, instruction: Instruction) -> int:
        """The value of an instruction, computed once per section."""
        number = self.known.get(instruction)
        if number is None:
            number = self.kernel.add(self.section, instruction)
            self.known[instruction] = number
        return number

    def kind(self, value: int) -> dtype:
        return self.kernel.kinds[value]

    def constant(self, value: float | int, kind: dtype) -> int:
        # By its text: 0.0 and -0.0 are equal, yet two constants.
        return self.add(Instruction("constant", register_kind(kind), (), repr(value)))

    def call(self, function: str, *values: int) -> int:
        if function in BINARY:
            first, second = (self.kind(one) for one in values)
            if first is not second:
                raise AssertionError(f"{function}: operands are {first} and {second}")
        elif function == "fma":
            pass
        elif function not in UNARY:
            raise AssertionError(f"the kernel language has no function '{function}'")
        return self.add(Instruction(function, self.kind(values[0]), values))

    def compare(self, relation: str, first: int, second: int) -> int:
        if relation not in RELATIONS or self.kind(first) is not self.kind(second):
            raise AssertionError(f"{relation}: {self.kind(first)} with {self.kind(second)}")
        return self.add(Instruction(relation, dtypes.bool, (first, second)))

    def select(self, condition: int, first: int, second: int) -> int:
        return self.add(Instruction("select", self.kind(first), (condition, first, second)))

    def cast(self, value: int, kind: dtype) -> int:
        if self.kind(value) is kind:
            return value
        return self.add(Instruction("cast", register_kind(kind), (value,), kind.name))

    def fail_if(self, condition: int, code: int, value: int, bound: int) -> None:
        where = (condition, self.cast(value, dtypes.int64), self.cast(bound, dtypes.int64))
        packed = code + 256 * self.fault
        self.add(Instruction("fail", dtypes.bool, where, packed, guards=self.guards))
