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

    def __post_init__(self) -> None:
        self._feed = Feed(self.plan, self.sources) if self.plan is not None else None
        # Storages that are not arguments, and what they have to hold.
        self._outside = [(one.storage, one.spec) for one in self.sources if one.storage is not None]
        self._outside_ids = {id(storage) for storage, _ in self._outside}
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

    # ------------------------------------------------------------------ whether it fits

    def bind(self, tensors: list[Tensor], variables: list[Any]) -> list[Tensor] | None:
        """The tensors to work on; None where this is not what the function would now do."""
        if not same(variables, self.variables):
            return None
        for read, value in self.guards:
            if read() != value:
                return None
        bound = tensors
        if self._read:
            bound = tensors.copy()
            for one in self._read:
                if not _bind_gradient(one, bound):
                    return None
        for storage, spec in self._outside:
            if storage.node.spec is not spec:
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

    def run(self, bound: list[Tensor]) -> Any:
        """Replay on what `bind` gave."""
        # What was recorded before comes before; it may draw random numbers.
        flush()
        for action in self.before:
            action()
        results: Results = {}
        if self._feed is not None:
            try:
                results["output"], results["leaf"] = self._feed.run(bound)
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
        made: dict[int, Tensor] = {}
        for gradient in self._set:
            owner = _owner(gradient, bound)
            if owner is not None:
                _set_gradient(owner, gradient.after, bound, results, made)
        return _filled(self.template, bound, results, made)


def _owner(gradient: Gradient, bound: list[Tensor]) -> Tensor | None:
    return bound[gradient.argument] if gradient.argument >= 0 else gradient.owner()


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


def _set_gradient(
    owner: Tensor, after: Any, bound: list[Tensor], results: Results, made: dict[int, Tensor]
) -> None:
    """A new gradient; the old one's tensor is used again if nobody else can see it."""
    if type(after) is Made and after.identity not in made:
        old = owner._grad
        if old is not None and getrefcount(old) == IN_ATTRIBUTE_AND_NAMED and _is_sole(old):
            node = old._storage.node
            if node.op is DATA and node.spec is after.spec:
                node.buffer = results[after.place.kind][after.place.number]
                old._storage.version += 1
                made[after.identity] = old
                return
    owner._grad = _filled(after, bound, results, made)


def _is_sole(tensor: Tensor) -> bool:
    """Whether nothing but the tensor refers to its storage and its value."""
    storage = tensor._storage
    return (
        tensor._plain
        and storage.shared is None
        and storage.parameter is None
        and getrefcount(storage) == IN_ATTRIBUTE_AND_NAMED
        and getrefcount(storage.node) == IN_ATTRIBUTE
    )


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
