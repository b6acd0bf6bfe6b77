"""A captured graph at work: where its inputs come from, and where its results go."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flambeau.core.live import Live
from flambeau.core.references import IN_ATTRIBUTE, IN_ATTRIBUTE_AND_NAMED
from flambeau.engine.capture import Guard
from flambeau.engine.flush import compute, flush
from flambeau.graph import faults
from flambeau.graph.node import FREED, Node, Spec, describe_location
from flambeau.graph.op import SCALAR, Op
from flambeau.graph.recording import data
from flambeau.runtime.plan import Fault, Plan
from flambeau.tensor.storage import Storage, duplicate
from flambeau.tensor.tensor import Tensor, wrap
from flambeau.tensor.variables import same


class Source(NamedTuple):
    """Where a leaf's value comes from: an argument (by number), a storage, or the node itself."""

    argument: int
    storage: Storage | None
    node: Node | None
    spec: Spec


class Place(NamedTuple):
    """Where a value is once the plan has run: the number of an output, or of a leaf."""

    kind: str
    number: int


class Target(NamedTuple):
    """A storage that a replay writes: an argument's, or one that may be gone by then."""

    argument: int
    storage: weakref.ref[Storage] | None
    place: Place
    spec: Spec


class Made(NamedTuple):
    """In the structure of results: a tensor that each replay makes anew."""

    place: Place
    spec: Spec
    identity: int
    # What computed it, if backward has been through it; None if it requires no gradient.
    history: Op | None


class Given(NamedTuple):
    """In the structure of results: an argument, by number."""

    argument: int


class Gradient(NamedTuple):
    """A leaf whose `.grad` the function uses: an argument, or one that may be gone by then."""

    argument: int
    owner: weakref.ref[Tensor]
    # Whether the function asks what is there before, and what that has to be (None: nothing).
    read: bool
    before: Spec | None
    # What is there after: a structure of results; a `Kept` if it is the same tensor as before.
    after: Any


class Kept(NamedTuple):
    """In place of a structure of results: there is nothing to do."""


Results = dict[str, Sequence[Any]]


@dataclass
class Replay:
    """A plan with its sources and targets. Arguments are counted with the gradients read."""

    plan: Plan | None
    sources: list[Source]
    targets: list[Target]
    gradients: list[Gradient]
    template: Any
    before: list[Callable[[], None]]
    guards: list[Guard]
    variables: list[Any]
    # By node position: the line that recorded it, where a fault may happen.
    lines: dict[int, Any]
    taken: list[int] = field(init=False)
    live: list[tuple[Node, Live]] = field(init=False)
    outside: dict[int, tuple[Storage, Spec]] = field(init=False)

    def __post_init__(self) -> None:
        outputs = self.plan.outputs if self.plan is not None else []
        leaf_of = {number: leaf for number, (_, leaf) in enumerate(outputs) if leaf >= 0}
        # Leaves whose memory the plan overwrites.
        self.taken = sorted(leaf_of.values())
        self.live = [
            (one.node, one.node.attributes[0])
            for one in self.sources
            if one.node is not None
            and one.node.op is SCALAR
            and isinstance(one.node.attributes[0], Live)
        ]
        self.outside = {
            id(one.storage): (one.storage, one.spec)
            for one in self.sources
            if one.storage is not None
        }
        # Storages that are written where they are need no new node.
        self._in_place = [one for one in self.targets if self._stays(one, leaf_of)]
        self._moved = [one for one in self.targets if not self._stays(one, leaf_of)]

    def _stays(self, target: Target, leaf_of: dict[int, int]) -> bool:
        if target.place.kind != "output" or target.place.number not in leaf_of:
            return False
        source = self.sources[leaf_of[target.place.number]]
        if target.argument >= 0:
            return source.argument == target.argument
        return (
            source.storage is not None
            and target.storage is not None
            and source.storage is target.storage()
        )

    # ------------------------------------------------------------------ whether it fits

    def bind(self, tensors: list[Tensor], variables: list[Any]) -> list[Tensor] | None:
        """The tensors to work on; None where this is not what the function would now do."""
        if not same(variables, self.variables):
            return None
        for read, value in self.guards:
            if read() != value:
                return None
        bound = list(tensors)
        for one in self.gradients:
            if one.read and not self._bind_gradient(one, bound):
                return None
        for storage, spec in self.outside.values():
            if storage.node.spec is not spec:
                return None
        for tensor in bound:
            if id(tensor._storage) in self.outside:
                return None
        return None if self._writes_shared(bound) else bound

    @staticmethod
    def _bind_gradient(gradient: Gradient, bound: list[Tensor]) -> bool:
        owner = _owner(gradient, bound)
        found = None if owner is None else owner._grad
        if found is None:
            return gradient.before is None and owner is not None
        if found._view is not None or found._storage.node.spec is not gradient.before:
            return False
        bound.append(found)
        return True

    def _writes_shared(self, bound: list[Tensor]) -> bool:
        """Whether NumPy looks at memory that is to be written."""
        for one in self.targets:
            storage = _storage_of(one, bound)
            if storage is not None and storage.shared is not None and storage.is_shared():
                return True
        return False

    # ------------------------------------------------------------------ running

    def run(self, bound: list[Tensor]) -> Any:
        """Replay on what `bind` gave."""
        # What was recorded before comes before; it may draw random numbers.
        flush()
        for action in self.before:
            action()
        for node, number in self.live:
            node.attributes = (number.read(),)
        leaves: list[Any] = []
        results: Results = {"output": (), "leaf": leaves}
        if self.plan is not None:
            results["output"] = self._execute(self.plan, bound, leaves)
        for target in self._in_place:
            storage = _storage_of(target, bound)
            if storage is not None:
                storage.version += 1
        for target in self._moved:
            storage = _storage_of(target, bound)
            if storage is not None:
                storage.node = data(_buffer(target.place, results), target.spec)
                storage.version += 1
                storage.parameter = None
        made: dict[int, Tensor] = {}
        result = _filled(self.template, bound, results, made)
        for gradient in self.gradients:
            if type(gradient.after) is not Kept:
                owner = _owner(gradient, bound)
                if owner is not None:
                    owner._grad = _filled(gradient.after, bound, results, made)
        return result

    def _execute(self, plan: Plan, bound: list[Tensor], leaves: list[Any]) -> list[Any]:
        storages = [
            bound[argument]._storage if argument >= 0 else storage
            for argument, storage, _, _ in self.sources
        ]
        for number in self.taken:
            _make_sole(storages[number])
        for (_, _, node, _), storage in zip(self.sources, storages, strict=True):
            leaf: Any = node if storage is None else storage.node
            if leaf.buffer is None and leaf.op is not SCALAR:
                compute(leaf)
            leaves.append(leaf)
        try:
            return plan.run(leaves)
        except Fault as fault:
            where = describe_location(self.lines[fault.position])
            raise faults.exception(fault.code, fault.value, fault.bound, where) from None


def _owner(gradient: Gradient, bound: list[Tensor]) -> Tensor | None:
    return bound[gradient.argument] if gradient.argument >= 0 else gradient.owner()


def _storage_of(target: Target, bound: list[Tensor]) -> Storage | None:
    if target.argument >= 0:
        return bound[target.argument]._storage
    return target.storage() if target.storage is not None else None


def _buffer(place: Place, results: Results) -> Any:
    found = results[place.kind][place.number]
    return found if place.kind == "output" else found.buffer


def _filled(template: Any, bound: list[Tensor], results: Results, made: dict[int, Tensor]) -> Any:
    """The structure of results with its tensors."""
    kind = type(template)
    if kind is Made:
        known = made.get(template.identity)
        if known is None:
            known = made[template.identity] = _new(template, results)
        return known
    if kind is Given:
        return bound[template.argument]
    if isinstance(template, dict):
        items = {name: _filled(one, bound, results, made) for name, one in template.items()}
        return items if kind is dict else kind(items)
    if isinstance(template, (tuple, list)):
        parts = [_filled(one, bound, results, made) for one in template]
        return kind(*parts) if hasattr(template, "_fields") else kind(parts)
    return template


def _new(made: Made, results: Results) -> Tensor:
    buffer = _buffer(made.place, results)
    if made.history is None:
        return wrap(data(buffer, made.spec))
    node = Node(made.history, (), (), made.spec, True, buffer)
    node.owner = FREED
    return wrap(node)


def _make_sole(storage: Storage | None) -> None:
    """See that overwriting the storage's buffer changes no other value."""
    if storage is None:
        return
    node: Any = storage.node
    alias = storage.parameter
    # Beside the storage there may be the alias that reads it as a parameter.
    expected = IN_ATTRIBUTE_AND_NAMED + (alias is not None and alias.inputs[:1] == (node,))
    if node.buffer is None:
        compute(node)
    if sys.getrefcount(node) > expected or sys.getrefcount(node.buffer) > IN_ATTRIBUTE:
        storage.node = data(duplicate(node.buffer), node.spec)
        storage.parameter = None
