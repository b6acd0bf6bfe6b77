"""What an op is given to lower itself with; the compiler implements these interfaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from flambeau.core.dtypes import dtype
from flambeau.graph.index import Coordinates, Index
from flambeau.graph.node import Node

Guard = tuple[Index, int]


class Expressions(Protocol):
    """The kernel language: functions from value numbers to value numbers.

    float16 and bfloat16 values are handled as float32; the compiler rounds at each op's end.
    """

    def kind(self, value: int) -> dtype: ...

    def constant(self, value: float | int, kind: dtype) -> int: ...

    def call(self, function: str, *values: int) -> int:
        """A function of the values' type: add, max, exp, ...; compiler/kernel.py lists them."""
        ...

    def compare(self, relation: str, first: int, second: int) -> int:
        """lt, le, gt, ge, eq or ne; a bool."""
        ...

    def select(self, condition: int, first: int, second: int) -> int: ...

    def cast(self, value: int, kind: dtype) -> int: ...

    def fail_if(self, condition: int, code: int, value: int, bound: int) -> None:
        """Stop the plan with error `code` where `condition` holds; reports value and bound."""
        ...


class Reader(Protocol):
    """Reads values at coordinates: what a view is lowered with."""

    def value(self, node: Node, at: Coordinates) -> int:
        """The element of `node` at `at`."""
        ...

    def linear(self, node: Node, position: Index) -> int:
        """The element of `node` at a row-major position."""
        ...

    def coordinate(self, at: Index) -> int:
        """The coordinate itself, as int64."""
        ...

    def dynamic(self, node: Node, at: Coordinates) -> Index:
        """The int64 element of `node` at `at`, as a coordinate."""
        ...

    def where_inside(
        self, guards: Sequence[Guard], inside: Callable[[], int], outside: Node
    ) -> int:
        """`inside` where each guarded index is in 0..size-1, elsewhere the scalar `outside`."""
        ...


class StepBuilder(Protocol):
    """Adds steps to a plan: what a template is lowered with."""

    def store(
        self,
        value: Node,
        target: Node,
        place: Callable[[Any, Coordinates], Index],
        *,
        serial: bool = False,
        accumulate: bool = False,
    ) -> None:
        """Write each element of `value` at `place(reader, coordinates)` in `target`'s memory.

        `serial`: in row-major order by one thread; `accumulate`: add to what is there.
        """
        ...

    def strided(self, node: Node) -> tuple[Node, int, tuple[int, ...]]:
        """A stored node, offset and strides (in elements) that show `node` without a copy."""
        ...

    def dense(self, node: Node) -> tuple[Node, int]:
        """A stored node and an offset (in elements) at which `node` lies in row-major order."""
        ...

    def kernel(self, call: Any) -> None:
        """Add a compiler.units.Call."""
        ...

    def region(self, nodes: Sequence[Node], wanted: Sequence[Node]) -> Any:
        """A compiler.units.Schedule of its own, for nodes that read what is stored here."""
        ...

    def part(self) -> Any:
        """A StepBuilder for another schedule, of steps that read what is stored here."""
        ...

    def add(self, unit: Any) -> None:
        """Add a compiler.units.Unit that makes its targets."""
        ...
