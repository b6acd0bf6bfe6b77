"""What a plan is made of before it has addresses: nests, hand-shaped kernel calls, loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flambeau.compiler.epilogue import Epilogue
from flambeau.compiler.kernel import Kernel
from flambeau.compiler.nest import Domain
from flambeau.graph.index import Coordinates, Index
from flambeau.graph.node import Node
from flambeau.graph.op import Reduction

ALIGNMENT = 64


@dataclass
class BuiltNest:
    """A kernel, and the nodes that its slots and fault numbers stand for."""

    kernel: Kernel
    slots: list[Node]
    faults: list[Node]
    # The values computed where they are read, members among them, and the views in between.
    computed: list[Node]


Place = Callable[[Any, Coordinates], Index]


@dataclass(eq=False)
class Member:
    """One value a nest computes, and where it is written."""

    node: Node
    # The node whose memory is written: itself, or the result of a template.
    target: Node
    place: Place | None = None
    accumulate: bool = False

    @property
    def is_reduction(self) -> bool:
        return isinstance(self.node.op, Reduction)


@dataclass(eq=False)
class Unit:
    """A step of a plan."""

    reads: set[Node] = field(default_factory=set)
    # Units that must run before, beyond those that make what is read.
    after: set[Unit] = field(default_factory=set)
    wave: int = 0

    @property
    def targets(self) -> list[Node]:
        """The nodes it makes, or a part of which it makes."""
        raise NotImplementedError

    @property
    def regions(self) -> list[Region]:
        """What it runs as a whole, any number of times."""
        return []


@dataclass
class Schedule:
    """The units of a plan in a valid order, and the nodes that have memory."""

    units: list[Unit]
    makers: dict[Node, list[Unit]]
    # Why nests were not joined, for `explain`.
    declined: list[str] = field(default_factory=list)


@dataclass
class MemoryPlan:
    """Byte offsets of temporaries, and the dead leaf each output takes over, if any."""

    offsets: dict[Node, int] = field(default_factory=dict)
    nbytes: int = 0
    taken_over: dict[Node, Node] = field(default_factory=dict)


@dataclass(eq=False)
class Region:
    """The body of a loop or an arm of a branch: a schedule of its own, and memory in the arena."""

    schedule: Schedule
    # What has memory elsewhere: in a region nothing is wanted for itself.
    outputs: list[Node]
    memory: MemoryPlan = field(default_factory=MemoryPlan)
    # The node whose memory holds that of the region.
    room: Node | None = None


@dataclass(eq=False)
class Nest(Unit):
    """Values computed in one loop nest."""

    domain: Domain = field(default_factory=lambda: Domain(()))
    members: list[Member] = field(default_factory=list)
    # Work that must be done in order, by one thread.
    serial: bool = False
    # Nothing may join.
    alone: bool = False
    built: BuiltNest | None = None

    @property
    def targets(self) -> list[Node]:
        return [member.target for member in self.members]


@dataclass(frozen=True)
class Code:
    """A function that a kernel calls, compiled by itself: its cache key and what writes it."""

    key: str
    build: Callable[[str], str]


@dataclass(eq=False)
class Call(Unit):
    """A call of a kernel with a shape of its own (a matrix product, a sort)."""

    name: str = ""
    key: str = ""
    emit: Callable[[Any, str], None] = lambda module, name: None
    # Numbers, (node, byte offset) for addresses, a scalar's node for its bits, and functions.
    arguments: list[int | Node | tuple[Node, int] | Code] = field(default_factory=list)
    total: int = 0
    grain: float = 1
    scratch: int = 0
    # Additions and multiplications, where they can be told.
    operations: int = 0
    target: Node | None = None
    # The same call with elementwise code at its end, where the template can do that.
    fuse: Callable[[Epilogue], Call] | None = None
    # The elementwise code at its end, if each element is written once, when that code has run.
    last: Epilogue | None = None

    @property
    def targets(self) -> list[Node]:
        return [] if self.target is None else [self.target]


@dataclass(eq=False)
class Moving:
    """A value of a loop's body that lies elsewhere in every round.

    At `base`, ((round + shift) & mask) * step bytes on; in the round `special` at `other`.
    """

    node: Node
    base: tuple[Node, int]
    step: int
    shift: int = 0
    mask: int = -1
    special: int = -1
    other: tuple[Node, int] | None = None


@dataclass(eq=False, kw_only=True)
class Loop(Unit):
    """Rounds of a body, at most `limit`; with a condition, only while the first value is true."""

    body: Region
    moving: list[Moving]
    limit: int
    conditional: bool
    results: list[Node]
    # What is done once, after the last round, where the moving values are then.
    leave: Region | None = None

    @property
    def targets(self) -> list[Node]:
        return self.results

    @property
    def regions(self) -> list[Region]:
        return [self.body] if self.leave is None else [self.body, self.leave]


@dataclass(eq=False, kw_only=True)
class Branch(Unit):
    """One of two regions: the first if `condition`, a stored bool, is true."""

    condition: tuple[Node, int]
    arms: tuple[Region, Region]
    # For each output of a region the result whose memory it is to be in.
    homes: dict[Node, Node]
    results: list[Node]

    @property
    def targets(self) -> list[Node]:
        return self.results

    @property
    def regions(self) -> list[Region]:
        return list(self.arms)
