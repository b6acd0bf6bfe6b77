"""A captured graph at work: where its inputs come from, and where its results go."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from sys import getrefcount
from typing import Any, NamedTuple

from flambeau.core.references import IN_ATTRIBUTE, IN_ATTRIBUTE_AND_NAMED
from flambeau.engine.capture import Guard
from flambeau.engine.flush import flush
from flambeau.graph import faults
from flambeau.graph.node import FREED, Node, Spec, describe_location
from flambeau.graph.op import DATA, Op
from flambeau.runtime.plan import Fault, Plan
from flambeau.tensor.feed import Feed, Source
from flambeau.tensor.storage import Storage
from flambeau.tensor.tensor import Tensor, wrap
from flambeau.tensor.variables import same


class Place(NamedTuple):
    """Where a value is once the plan has run: the number of an output, or of a leaf."""

    kind: str
    number: int


class Target(NamedTuple):
    """A storage that a replay writes: an argument's (if not -1), or one that may be gone then."""

    argument: int
    storage: weakref.ref[Storage]
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


class Remade(NamedTuple):
    """A gradient whose memory serves again: the output that it is, its identity, whose it is."""

    output: int
    identity: int
    argument: int
    owner: weakref.ref[Tensor]
    spec: Spec


class Kept(NamedTuple):
    """In place of a structure of results: there is nothing to do."""


Results = dict[str, Sequence[Any]]

# Given by a replay that cannot be used, as the function would now do something else.
MISFIT = object()


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

    def __post_init__(self) -> None:
        self._feed = Feed(self.plan, self.sources) if self.plan is not None else None
        # Storages that are not arguments, and what they have to hold.
        outside = [one for one in self.sources if one.storage is not None]
        self._outside: list[Any] = [one.storage for one in outside]
        self._outside_specs = [one.spec for one in outside]
        self._outside_ids = {*map(id, self._outside)}
        self._read = [one for one in self.gradients if one.read]
        self._set = [one for one in self.gradients if type(one.after) is not Kept]
        # Storages that are written where they are need no new node.
        leaf_of = dict(enumerate(leaf for _, leaf in self.plan.outputs)) if self.plan else {}
        self._overwritten: list[Storage] = []
        self._moved: list[Target] = []
        for target in self.targets:
            leaf = leaf_of.get(target.place.number, -1) if target.place.kind == "output" else -1
            source = self.sources[leaf] if leaf >= 0 else None
            storage = source.storage if source is not None and target.argument < 0 else None
            if storage is not None and storage is target.storage():
                self._overwritten.append(storage)
            else:
                self._moved.append(target)
        fresh = [number for number, leaf in leaf_of.items() if leaf < 0]
        # A plan that may fail must leave the gradients of before as they are.
        may_fail = self.plan is not None and self.plan.slots.error
        in_place = not self._read and not may_fail
        self._in_place = _remade(self._set, fresh) if in_place else []
        self._in_place_outputs = [one.output for one in self._in_place]
        self._in_place_identities = [one.identity for one in self._in_place]

    # ------------------------------------------------------------------ whether it fits

    def fits(self, variables: list[Any]) -> bool:
        """Whether the Python state that the function reads is what it was."""
        if not same(variables, self.variables):
            return False
        return all(read() == value for read, value in self.guards)

    def _bind(self, tensors: list[Tensor]) -> list[Tensor] | None:
        """The tensors to work on; None where this is not what the function would now do."""
        bound = tensors
        if self._read:
            bound = tensors.copy()
            for one in self._read:
                if not _bind_gradient(one, bound):
                    return None
        if [storage.node.spec for storage in self._outside] != self._outside_specs:
            return None
        for tensor in bound:
            if id(tensor._storage) in self._outside_ids:
                return None
        return None if self._writes_shared(bound) else bound

    def _writes_shared(self, bound: list[Tensor]) -> bool:
        """Whether NumPy looks at memory that is to be written, and has to see it."""
        for storage in self._overwritten:
            if storage.shared is not None and storage.is_shared():
                return True
        for argument, reference, _, _ in self._moved:
            written = reference() if argument < 0 else bound[argument]._storage
            if written is not None and written.shared is not None and written.is_shared():
                return True
        return False

    # ------------------------------------------------------------------ running

    def _own_gradients(self, bound: list[Tensor]) -> list[Tensor]:
        """The gradients of before, if new ones may go in their memory: if nobody else sees them."""
        found = []
        for _, _, argument, reference, spec in self._in_place:
            owner = bound[argument] if argument >= 0 else reference()
            old = None if owner is None else owner._grad
            if type(old) is not Tensor or not old._plain:
                return []
            storage = old._storage
            node = storage.node
            if (
                node.spec is not spec
                or node.requires_grad
                or getrefcount(old) != IN_ATTRIBUTE_AND_NAMED
                or getrefcount(storage) != IN_ATTRIBUTE_AND_NAMED
                or getrefcount(node) != IN_ATTRIBUTE_AND_NAMED
                or getrefcount(node.buffer) != IN_ATTRIBUTE
            ):
                return []
            found.append(old)
        return found

    def run(self, tensors: list[Tensor]) -> Any:
        """Replay on these arguments; MISFIT where this is not what the function would now do."""
        # What was recorded before comes before; it may draw random numbers.
        flush()
        bound = self._bind(tensors)
        if bound is None:
            return MISFIT
        for action in self.before:
            action()
        results: Results = {}
        kept = self._own_gradients(bound) if self._in_place else []
        if self._feed is not None:
            buffers: list[Any] = [old._storage.node.buffer for old in kept]
            into = dict(zip(self._in_place_outputs, buffers, strict=False))
            try:
                results["output"], results["leaf"] = self._feed.run(bound, into)
            except Fault as fault:
                where = describe_location(self.lines[fault.position])
                raise faults.exception(fault.code, fault.value, fault.bound, where) from None
        for storage in self._overwritten:
            storage.version += 1
        for argument, reference, (kind, number), spec in self._moved:
            written = reference() if argument < 0 else bound[argument]._storage
            if written is not None:
                written.node = Node(DATA, (), (), spec, False, results[kind][number])
                written.version += 1
                written.parameter = None
        for old in kept:
            old._storage.version += 1
        made = dict(zip(self._in_place_identities, kept, strict=False))
        if not kept:
            for gradient in self._set:
                owner = _owner(gradient, bound)
                if owner is not None:
                    owner._grad = _filled(gradient.after, bound, results, made)
        return _filled(self.template, bound, results, made)


def _owner(gradient: Gradient, bound: list[Tensor]) -> Tensor | None:
    return bound[gradient.argument] if gradient.argument >= 0 else gradient.owner()


def _remade(gradients: list[Gradient], fresh: list[int]) -> list[Remade]:
    """The gradients, if each is made in one of the outputs `fresh`, which is its own."""
    found = []
    for argument, owner, _, _, after in gradients:
        if type(after) is not Made or after.place.kind != "output":
            return []
        found.append(Remade(after.place.number, after.identity, argument, owner, after.spec))
    numbers = {one.output for one in found}
    return found if len(numbers) == len(found) and numbers.issubset(fresh) else []


def _bind_gradient(gradient: Gradient, bound: list[Tensor]) -> bool:
    argument = gradient.argument
    owner = bound[argument] if argument >= 0 else gradient.owner()
    found = None if owner is None else owner._grad
    if found is None:
        return gradient.before is None and owner is not None
    if found._view is not None or found._storage.node.spec is not gradient.before:
        return False
    bound.append(found)
    return True


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
    (kind, number), spec, _, history = made
    if history is None:
        return wrap(Node(DATA, (), (), spec, False, results[kind][number]))
    node = Node(history, (), (), spec, True, results[kind][number])
    node.owner = FREED
    return wrap(node)
