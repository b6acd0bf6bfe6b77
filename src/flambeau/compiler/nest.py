"""Builds one kernel from the values a nest computes: evaluation at symbolic coordinates.

`value(node, at)` returns the register that holds an element: loaded if the node is stored, else
computed from its inputs, which the node's op says how to do. The scheduler decides what is stored;
where that cannot work, `StoreFirst` or `Unfusable` tells it so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flambeau.compiler.kernel import Instruction, Kernel, Section, SectionExpressions, register_kind
from flambeau.core import dtypes
from flambeau.core.shapes import Shape
from flambeau.graph.index import ZERO, Coordinates, Index, NotAffine, delinearize, linearize
from flambeau.graph.node import Node
from flambeau.graph.op import SCALAR, Alias, Elementwise, Reduction, View

# Trailing reduced dimensions are walked as one until it is this long, so that rows fill the lanes.
LONG_ROW = 256


class StoreFirst(Exception):
    """The schedule must store this node before the nest at hand can be built."""

    def __init__(self, node: Node) -> None:
        super().__init__(repr(node))
        self.node = node


class Unfusable(Exception):
    """These values cannot share a nest."""


@dataclass(frozen=True)
class Domain:
    """What a nest iterates over: a shape, and the dimensions of it that are reduced."""

    shape: Shape
    reduced: tuple[int, ...] = ()

    @property
    def kept(self) -> Shape:
        return tuple([size for dim, size in enumerate(self.shape) if dim not in self.reduced])

    @property
    def lanes_along(self) -> str:
        """Lanes run along the rows if the last dimension longer than 1 is reduced."""
        for dim in range(len(self.shape) - 1, -1, -1):
            if self.shape[dim] != 1:
                return "inner" if dim in self.reduced else "outer"
        return "inner" if self.reduced else "outer"


def row_dimensions(domain: Domain) -> int:
    """How many of the last inner axes are walked as one row. The shape alone decides."""
    if domain.lanes_along == "outer":
        return 1
    count, length, expected = 0, 1, len(domain.shape) - 1
    for dim in reversed(domain.reduced):
        gap = any(domain.shape[d] != 1 for d in range(dim + 1, expected + 1))
        if count and (gap or length >= LONG_ROW):
            break
        count, length, expected = count + 1, length * domain.shape[dim], dim - 1
    return max(count, 1)


def settle(at: Coordinates, shape: Shape) -> Coordinates:
    """The coordinates with 0 along dimensions of size 1, so that equal places compare equal."""
    return tuple([ZERO if size == 1 else one for one, size in zip(at, shape, strict=True)])


class NestBuilder:
    """Implements graph.lowering.Reader for one nest."""

    def __init__(
        self,
        domain: Domain,
        is_stored: Callable[[Node], bool],
        slot_of: Callable[[Node], int],
        fault_of: Callable[[Node], int],
        product: Node | None = None,
    ) -> None:
        self.is_stored, self.slot_of, self.fault_of = is_stored, slot_of, fault_of
        # A matrix product whose elements are in registers: the nest is its epilogue.
        self.product = product
        self.domain = domain
        kept = [dim for dim in range(len(domain.shape)) if dim not in domain.reduced]
        order = [*kept, *domain.reduced]
        self.kernel = Kernel(
            [domain.shape[dim] for dim in kept],
            [domain.shape[dim] for dim in domain.reduced],
            domain.lanes_along,
            row_dimensions(domain),
        )
        self.extents = {axis: domain.shape[dim] for axis, dim in enumerate(order)}
        axis_of = {dim: Index.axis(axis) for axis, dim in enumerate(order)}
        whole = tuple([axis_of[dim] for dim in range(len(order))])
        self.whole_at = settle(whole, domain.shape)
        self.kept_at = settle(tuple([axis_of[dim] for dim in kept]), domain.kept)
        self.phase = 0
        self.guards: tuple[tuple[Index, int], ...] = ()
        self.expressions: list[SectionExpressions] = []
        self.memo: list[dict[tuple[object, ...], int]] = []
        # The section each value is computed in.
        self.home: dict[int, int] = {}
        # Members already computed here: the place (in coordinates) and the phase they are ready.
        self.members: dict[Node, tuple[Coordinates, int]] = {}
        self.results: dict[Node, int] = {}
        self.depths: dict[Node, int] = {}
        # The elementwise ops and views computed here, in order; a dict for a set that keeps it.
        self.computed: dict[Node, None] = {}
        self._section(inner=False)

    # ------------------------------------------------------------------ members

    def reduce(self, node: Node) -> None:
        """Fold the input of a reduction over the inner axes."""
        source = node.inputs[0]
        assert isinstance(node.op, Reduction)
        self.phase = self.depth(source)
        operand = self.value(source, self.whole_at)
        section = self._section(inner=True)
        kind = register_kind(node.dtype)
        identity = node.op.identity(node.dtype)
        # Even a constant operand is folded once per inner index, in the inner section.
        number = self.kernel.add(
            self.kernel.sections[section],
            Instruction("reduce", kind, (operand,), f"{node.op.combine} {identity!r}"),
        )
        self.results[node] = number
        self.members[node] = (self.kept_at, self.phase + 1)

    def store(
        self,
        node: Node,
        target: int,
        place: Callable[[NestBuilder, Coordinates], Index] | None = None,
        *,
        kept: bool = False,
        accumulate: bool = False,
    ) -> None:
        """Write `node`, which has the nest's shape (or, if `kept`, that of its reductions)."""
        shape = self.domain.kept if kept else self.domain.shape
        at = self.kept_at if kept else self.whole_at
        if node.shape != shape:
            # The same elements with dimensions of size 1 added or dropped.
            at = self.delinearize(linearize(at, shape), node.shape, node)
        self.phase = self.depth(node)
        value = self.value(node, at)
        address = linearize(at, node.shape) if place is None else place(self, at)
        section = self._section(inner=self._is_inner((address, *at)))
        instruction = Instruction(
            "accumulate" if accumulate else "store",
            register_kind(node.dtype),
            (value,),
            node.dtype.name,
            target,
            address,
        )
        self.kernel.add(self.kernel.sections[section], instruction)
        if place is None and node not in self.members:
            self.members[node] = (settle(at, node.shape), self.phase)

    def depth(self, node: Node) -> int:
        """The first phase in which `node` can be computed: after the reductions it reads."""
        found = self.depths.get(node)
        if found is not None:
            return found
        if node in self.members:
            result = self.members[node][1]
        elif self.is_stored(node) or node.op is SCALAR or node is self.product:
            result = 0
        else:
            result = max([self.depth(one) for one in node.inputs], default=0)
        self.depths[node] = result
        return result

    # ------------------------------------------------------------------ where code goes

    def _section(self, *, inner: bool) -> int:
        """The section for code of the current phase."""
        wanted = 2 * self.phase + (1 if inner else 0)
        while len(self.kernel.sections) <= wanted:
            section = Section(inner=len(self.kernel.sections) % 2 == 1)
            self.kernel.sections.append(section)
            self.expressions.append(SectionExpressions(self.kernel, section))
            self.memo.append({})
        return wanted

    def _is_inner(self, indices: Sequence[Index]) -> bool:
        first = len(self.kernel.outer)
        for one in indices:
            if any(axis >= first for axis, _ in one.axes):
                return True
            if any(self.home[value] % 2 == 1 for value, _ in one.values):
                return True
        return False

    def _recall(self, key: tuple[object, ...], section: int) -> int | None:
        found = self.memo[section].get(key)
        if found is not None:
            return found
        for earlier in range(0, section, 2):
            found = self.memo[earlier].get(key)
            if found is not None:
                return found
        return None

    # ------------------------------------------------------------------ Reader

    def value(self, node: Node, at: Coordinates) -> int:
        """The register that holds the element of `node` at `at`."""
        while isinstance(node.op, Alias) and node.buffer is None:
            node = node.inputs[0]
        at = settle(at, node.shape)
        if node.op is SCALAR:
            return self._scalar(node)
        section = self._section(inner=self._is_inner((*at, *[one for one, _ in self.guards])))
        key = (node, at, self.guards)
        found = self._recall(key, section)
        if found is None:
            found = self._compute(node, at, section)
            self.memo[section][key] = found
            self.home.setdefault(found, section)
        return found

    def _compute(self, node: Node, at: Coordinates, section: int) -> int:
        e = self.expressions[section]
        if node in self.results:
            return self._result(node, at, e)
        if node is self.product:
            if at != self.whole_at:
                raise Unfusable("the product is read at other coordinates than it is computed at")
            number = e.add(Instruction("product", register_kind(node.dtype)))
            return e.cast(number, node.dtype) if node.dtype.itemsize == 2 else number
        if self.is_stored(node) or node in self.members:
            return self._load(node, at, section)
        if isinstance(node.op, Reduction):
            raise StoreFirst(node)
        if isinstance(node.op, View):
            self.computed[node] = None
            return node.op.source(self, node, at)
        if not isinstance(node.op, Elementwise):
            raise StoreFirst(node)
        values = [self.value(one, _broadcast(at, one.shape)) for one in node.inputs]
        self.computed[node] = None
        e.fault, e.guards = self.fault_of(node), self.guards
        number = node.op.lower(e, *values, **node.op.named(node.attributes))
        return e.cast(number, node.dtype) if node.dtype.itemsize == 2 else number

    def _result(self, node: Node, at: Coordinates, e: SectionExpressions) -> int:
        place, ready = self.members[node]
        if at != place or self.phase < ready:
            raise Unfusable(f"{node.op.name} is read at another place than it is computed for")
        number = self.results[node]
        return e.cast(number, node.dtype) if node.dtype.itemsize == 2 else number

    def _load(self, node: Node, at: Coordinates, section: int) -> int:
        if node in self.members and not self.is_stored(node) and at != self.members[node][0]:
            raise Unfusable(f"{node.op.name} is read at other coordinates than it is stored at")
        address = linearize(at, node.shape)
        return self._load_at(node, address, section)

    def _load_at(self, node: Node, address: Index, section: int) -> int:
        kind = register_kind(node.dtype)
        return self.expressions[section].add(
            Instruction("load", kind, (), node.dtype.name, self.slot_of(node), address, self.guards)
        )

    def _scalar(self, node: Node) -> int:
        kind = register_kind(node.dtype)
        instruction = Instruction("scalar", kind, (), node.dtype.name, self.slot_of(node))
        number = self.expressions[0].add(instruction)
        self.home[number] = 0
        return number

    def linear(self, node: Node, position: Index) -> int:
        """The element of `node` at a row-major position."""
        while node.buffer is None and (isinstance(node.op, Alias) or node.op.name == "reshape"):
            node = node.inputs[0]
        if self.is_stored(node) and node.op is not SCALAR:
            section = self._section(
                inner=self._is_inner((position, *[one for one, _ in self.guards]))
            )
            key = (node, position, self.guards, "linear")
            found = self._recall(key, section)
            if found is None:
                found = self._load_at(node, position, section)
                self.memo[section][key] = found
                self.home[found] = section
            return found
        return self.value(node, self.delinearize(position, node.shape, node))

    def delinearize(self, position: Index, shape: Shape, node: Node) -> Coordinates:
        try:
            return delinearize(position, shape, self.extents)
        except NotAffine:
            raise StoreFirst(node) from None

    def coordinate(self, at: Index) -> int:
        """A coordinate as int64."""
        section = self._section(inner=self._is_inner((at,)))
        number = self.expressions[section].add(Instruction("coordinate", dtypes.int64, at=at))
        self.home[number] = section
        return number

    def dynamic(self, node: Node, at: Coordinates) -> Index:
        """An int64 element as a coordinate."""
        return Index.value(self.value(node, at))

    def where_inside(
        self, guards: Sequence[tuple[Index, int]], inside: Callable[[], int], outside: Node
    ) -> int:
        """`inside` where the guards hold, else the scalar `outside`."""
        if not guards:
            return inside()
        fill = self.value(outside, ())
        before = self.guards
        self.guards = (*before, *guards)
        try:
            within = inside()
            guarded = self._is_inner([one for one, _ in self.guards])
            section = self._section(inner=guarded or self.home[within] % 2 == 1)
        finally:
            self.guards = before
        e = self.expressions[section]
        condition = e.add(Instruction("inside", dtypes.bool, guards=tuple(guards)))
        return e.select(condition, within, fill)


def _broadcast(at: Coordinates, shape: Shape) -> Coordinates:
    tail = at[len(at) - len(shape) :]
    return tuple([ZERO if size == 1 else one for one, size in zip(tail, shape, strict=True)])
