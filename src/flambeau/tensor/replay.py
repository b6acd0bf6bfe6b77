"""A captured graph at work: where its inputs come from, and where its results go."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from flambeau.core.live import Live
from flambeau.engine.capture import Capture
from flambeau.engine.flush import compute, engine, execute
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import PARAMETER, SCALAR, Alias
from flambeau.graph.recording import Recording, data
from flambeau.runtime.plan import Fault, Plan, explain_fault
from flambeau.tensor.storage import Storage, duplicate
from flambeau.tensor.tensor import Tensor, wrap


class NotReplayable(Exception):
    """The captured function does something that replaying its operations would not do."""


DIFFERENTIABLE = NotReplayable("a result requires a gradient: its graph comes from recording")


class Source(NamedTuple):
    """Where a leaf's value comes from: an argument, a storage, or the node itself."""

    argument: int
    storage: Storage | None
    node: Node | None


class Target(NamedTuple):
    """A storage that a replay writes: its new value, and the leaf it had before, if any."""

    storage: weakref.ref[Storage] | None
    argument: int
    kind: str
    number: int
    spec: Spec


class Made(NamedTuple):
    """In the structure of results: a tensor that each replay makes anew."""

    kind: str
    number: int
    spec: Spec


def make_replay(capture: Capture, tensors: list[Tensor], result: Any) -> Replay:
    """Run what was captured, and make of it what later calls replay."""
    recording = capture.recording
    arguments = {id(one._storage): number for number, one in enumerate(tensors)}
    written = _written_storages(recording)
    try:
        sources = [_source(leaf, written, arguments) for leaf in recording.leaves]
        fresh = _returned_storages(result, {id(one) for one in written.values()} | arguments.keys())
        holders = _holders(recording)
        _check_holders(recording, holders, fresh, written, arguments)
    except NotReplayable:
        execute(recording)
        raise
    names = {id(leaf): ("leaf", number) for number, leaf in enumerate(recording.leaves)}
    homes = [(storage, _home(storage, recording, names)) for storage in holders]
    execute(recording)
    plan = engine.last
    assert plan is not None
    places = {id(storage): _place(plan, home) for storage, home in homes}
    targets = [
        Target(weakref.ref(one), arguments.get(id(one), -1), *places[id(one)], one.node.spec)
        for one in holders
        if id(one) not in fresh
    ]
    template = _template(result, {key: places[key] for key in fresh if key in places})
    return Replay(plan, sources, targets, template, capture.before_replay)


def _written_storages(recording: Recording) -> dict[int, Storage]:
    """By the node it held before: each storage that existed before and was written."""
    written: dict[int, Storage] = {}
    for undo, _, node in recording.writes:
        storage = undo.storage()  # type: ignore[attr-defined]
        if storage is not None and node.recording is not recording:
            written.setdefault(id(node), storage)
    return written


def _source(leaf: Node, written: dict[int, Storage], arguments: dict[int, int]) -> Source:
    storage = written.get(id(leaf))
    if storage is None and leaf.op is not SCALAR:
        storage = next((one for one in gc.get_referrers(leaf) if isinstance(one, Storage)), None)
    if storage is None:
        return Source(-1, None, leaf)
    return Source(arguments.get(id(storage), -1), storage, None)


def _returned_storages(result: Any, known: set[int]) -> set[int]:
    """The storages that the function made and returns."""
    fresh = set()
    for one in _tensors(result):
        if id(one._storage) in known:
            continue
        if one.requires_grad and not one._leaf:
            raise DIFFERENTIABLE
        if one._view is not None:
            raise NotReplayable("it returns a view of a tensor")
        fresh.add(id(one._storage))
    return fresh


def _holders(recording: Recording) -> list[Storage]:
    """The storages whose value the recording makes."""
    if not recording.nodes:
        return []
    found = {id(one): one for one in gc.get_referrers(*recording.nodes) if isinstance(one, Storage)}
    return [one for one in found.values() if one.node.recording is recording]


def _check_holders(
    recording: Recording,
    holders: list[Storage],
    fresh: set[int],
    written: dict[int, Storage],
    arguments: dict[int, int],
) -> None:
    allowed = fresh | {id(one) for one in written.values()} | arguments.keys()
    allowed |= _gradient_storages(recording)
    if any(id(one) not in allowed for one in holders):
        raise NotReplayable("it keeps new tensors in Python variables, which a replay cannot do")


def _gradient_storages(recording: Recording) -> set[int]:
    """The storages of the gradients of the leaves that the recording reads."""
    found = set()
    for node in recording.nodes:
        for one in (node, *node.inputs):
            owner = one.owner() if one.op is PARAMETER and one.owner else None
            if owner is not None and owner._grad is not None:
                found.add(id(owner._grad._storage))
    return found


def _home(
    storage: Storage, recording: Recording, leaves: dict[int, tuple[str, int]]
) -> tuple[str, int]:
    """What holds a storage's value: a position of the recording, or a leaf."""
    node = storage.node
    while isinstance(node.op, Alias) and node.buffer is None:
        node = node.inputs[0]
    if node.recording is recording:
        return "position", node.position
    return leaves[id(node)]


def _place(plan: Plan, home: tuple[str, int]) -> tuple[str, int]:
    return plan.results[home[1]] if home[0] == "position" else home


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _template(value: Any, made: dict[int, tuple[str, int]]) -> Any:
    """The result with `Made` in place of the tensors that each replay makes."""
    if isinstance(value, Tensor):
        place = made.get(id(value._storage))
        return value if place is None else Made(*place, value._storage.node.spec)
    if isinstance(value, dict):
        return {name: _template(one, made) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        items = [_template(one, made) for one in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


class Replay:
    """A plan with its sources and targets."""

    def __init__(
        self,
        plan: Plan,
        sources: list[Source],
        targets: list[Target],
        template: Any,
        before: list[Callable[[], None]],
    ) -> None:
        self.plan, self.sources, self.template, self.before = plan, sources, template, before
        taken = {number: leaf for number, (_, leaf) in enumerate(plan.outputs) if leaf >= 0}
        self.taken = sorted(taken.values())
        self.live = [
            (one.node, one.node.attributes[0])
            for one in sources
            if one.node is not None and one.node.op is SCALAR
            and isinstance(one.node.attributes[0], Live)
        ]  # fmt: skip
        # Storages that are written where they are need no new node.
        self.in_place = [one for one in targets if self._stays(one, taken)]
        self.moved = [one for one in targets if not self._stays(one, taken)]

    def _stays(self, target: Target, taken: dict[int, int]) -> bool:
        leaf = taken.get(target.number, -1) if target.kind == "output" else -1
        if leaf < 0 or target.storage is None:
            return False
        return self.sources[leaf].storage is target.storage()

    def is_shared(self, tensors: list[Tensor]) -> bool:
        """Whether NumPy looks at memory that the replay reads or writes."""
        return any(
            storage.shared is not None and storage.is_shared()
            for storage in self._storages(tensors)
            if storage is not None
        )

    def _storages(self, tensors: list[Tensor]) -> list[Storage | None]:
        return [
            tensors[argument]._storage if argument >= 0 else storage
            for argument, storage, _ in self.sources
        ]

    def run(self, tensors: list[Tensor]) -> Any:
        """Replay on these arguments."""
        for action in self.before:
            action()
        for node, number in self.live:
            node.attributes = (number.read(),)
        storages = self._storages(tensors)
        for leaf in self.taken:
            _make_sole(storages[leaf])
        leaves: Any = [
            one.node if storage is None else storage.node
            for one, storage in zip(self.sources, storages, strict=True)
        ]
        for leaf in leaves:
            if leaf.buffer is None and leaf.op is not SCALAR:
                compute(leaf)
        try:
            made = self.plan.run(leaves)
        except Fault as fault:
            raise explain_fault(fault, None) from None
        results = {"output": made, "leaf": leaves}
        for target in self.in_place:
            storage = self._target(target, tensors)
            if storage is not None:
                storage.version += 1
        for target in self.moved:
            storage = self._target(target, tensors)
            if storage is not None:
                found = results[target.kind][target.number]
                storage.node = data(found if target.kind == "output" else found.buffer, target.spec)
                storage.version += 1
                storage.parameter = None
        return self._fill(self.template, results)

    def _target(self, target: Target, tensors: list[Tensor]) -> Storage | None:
        if target.argument >= 0:
            return tensors[target.argument]._storage
        return target.storage() if target.storage is not None else None

    def _fill(self, template: Any, results: dict[str, Any]) -> Any:
        if type(template) is Made:
            found = results[template.kind][template.number]
            return wrap(data(found if template.kind == "output" else found.buffer, template.spec))
        if isinstance(template, dict):
            return {name: self._fill(one, results) for name, one in template.items()}
        if isinstance(template, (tuple, list)):
            items = [self._fill(one, results) for one in template]
            return type(template)(*items) if hasattr(template, "_fields") else type(template)(items)
        return template


def _make_sole(storage: Storage | None) -> None:
    """See that overwriting the storage's buffer changes no other value."""
    if storage is None:
        return
    node: Any = storage.node
    alias = storage.parameter
    # The storage, the name `node` and the call; the alias that reads the storage as a parameter.
    expected = 3 + (alias is not None and alias.inputs[:1] == (node,))
    if node.buffer is None:
        compute(node)
    if sys.getrefcount(node) > expected or sys.getrefcount(node.buffer) > 2:
        storage.node = data(duplicate(node.buffer), node.spec)
        storage.parameter = None
