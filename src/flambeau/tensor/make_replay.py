"""From a captured recording to a replay: what each leaf is, who holds what was computed.

All that the function did has to be operations on tensors that a replay can do again. What it kept
in Python variables shows in who refers to the storages of the recording.
"""

from __future__ import annotations

import gc
import types
import weakref
from collections.abc import Iterator
from typing import Any

from flambeau.autograd.engine import sources
from flambeau.engine.capture import Capture, watch
from flambeau.engine.flush import execute
from flambeau.graph.node import FREED, Node
from flambeau.graph.op import PARAMETER, SCALAR, Alias
from flambeau.graph.recording import Recording, behind
from flambeau.runtime.plan import Plan
from flambeau.tensor.feed import Source
from flambeau.tensor.replay import Given, Gradient, Kept, Made, Place, Replay, Target
from flambeau.tensor.storage import Storage
from flambeau.tensor.tensor import Tensor
from flambeau.tensor.variables import tensors_in


class NotReplayable(Exception):
    """The captured function does something that replaying its operations would not do."""


class Differentiable(NotReplayable):
    """Gradients flow into or out of the function: their graph comes from recording."""


def make_replay(
    capture: Capture, tensors: list[Tensor], result: Any, variables: list[Any]
) -> Replay:
    """Run what was captured, and make of it what later calls replay; NotReplayable."""
    recording = capture.recording
    try:
        maker = _Maker(capture, tensors, result)
        maker.check(variables)
    except NotReplayable:
        execute(recording)
        raise
    return maker.make(execute(recording), result, variables)


class _Maker:
    """What is known of a capture before it is run. Holds no node that may be overwritten."""

    def __init__(self, capture: Capture, tensors: list[Tensor], result: Any) -> None:
        self.capture = capture
        self.recording = capture.recording
        self.tensors = tensors
        self.returned = list(_tensors(result))
        self.containers = {id(one) for one in _containers(result)}
        # Storages by id: the number of the argument, those it read and wrote that were there
        # before, and those whose value it makes.
        self.arguments = {id(one._storage): number for number, one in enumerate(tensors)}
        self.touched = self._touched()
        self.written = _written_storages(self.recording)
        storages = _all_storages()
        self.holders = [one for one in storages if one.node.recording is self.recording]
        self.sources = self._sources(storages)
        leaves = {id(leaf): Place("leaf", n) for n, leaf in enumerate(self.recording.leaves)}
        self.homes = {id(one): _home(one, self.recording, leaves) for one in self.holders}
        self.histories = {id(one): one._storage.node.op for one in self.returned if _freed(one)}
        self.lines = {one.position: one.source for one in self.recording.nodes}

    def _touched(self) -> list[tuple[Tensor, Tensor | None, bool]]:
        """The leaves whose gradients it used; those gradients become arguments."""
        found = []
        for owner, before, read in self.capture.gradients.values():
            tensor = owner()
            if tensor is None:
                continue
            found.append((tensor, before, read))
            if before is not None:
                self.arguments.setdefault(id(before._storage), len(self.tensors))
                self.tensors = [*self.tensors, before]
        self.capture.gradients.clear()
        return found

    def _sources(self, storages: list[Storage]) -> list[Source]:
        holding = {id(behind(one.node)): one for one in storages if one.node.recording is None}
        found = []
        for leaf in self.recording.leaves:
            storage = self.written.get(id(leaf)) or holding.get(id(leaf))
            if storage is None or leaf.op is SCALAR:
                found.append(Source(-1, None, leaf, leaf.spec))
                continue
            argument = self.arguments.get(id(storage), -1)
            kept = storage if argument < 0 else None
            found.append(Source(argument, kept, None, leaf.spec))
        return found

    # ------------------------------------------------------------------ checks

    def check(self, variables: list[Any]) -> None:
        """NotReplayable, with the reason, where a replay would not do what the function does."""
        for one in self.returned:
            self._check_returned(one)
        for tensor, _, _ in self.touched:
            grad = tensor._grad
            if grad is not None and id(grad._storage) in self.homes and grad._view is not None:
                raise NotReplayable("it sets a gradient to a view of a tensor")
        if any(id(one._storage) in self.arguments for one in tensors_in(variables)):
            raise NotReplayable("an argument is also a variable that it reads")
        self._check_graph()
        if self._unknown_holders():
            gc.collect()  # garbage in cycles holds nothing that matters
            alive = {id(one) for one in _all_storages()}
            self.holders = [one for one in self.holders if id(one) in alive]
            if self._unknown_holders():
                raise NotReplayable("it keeps new tensors in Python variables")

    def _check_returned(self, tensor: Tensor) -> None:
        if tensor.requires_grad and not tensor._leaf and _is_differentiable(tensor.node):
            raise Differentiable("a result requires a gradient")
        if id(tensor._storage) in self.arguments:
            if _number(tensor, self.tensors) < 0:
                raise NotReplayable("it returns a view of an argument")
            return
        if id(tensor._storage) in map(id, self.written.values()):
            return
        held = self._held_elsewhere(tensor)
        if id(tensor._storage) not in self.homes:
            if not held:
                raise NotReplayable("it returns a tensor that it makes from Python values")
            return
        if tensor._view is not None or tensor._leaf or type(tensor) is not Tensor:
            raise NotReplayable("it returns a view of a tensor, or a new leaf")
        if held:
            raise NotReplayable("it keeps a result in a Python variable, too")

    def _held_elsewhere(self, tensor: Tensor) -> bool:
        """Whether others than the result (and leaves, as their gradient) refer to a tensor."""
        own = {*self.containers, id(self.returned)}
        for owner, _, _ in self.touched:
            if owner._grad is tensor:
                own |= {id(owner), id(vars(owner))}
        handles = {id(one) for one in self.returned} | {
            id(owner._grad) for owner, _, _ in self.touched
        }
        if any(id(one) not in handles for one in _handles(tensor._storage)):
            return True
        passing = (types.FrameType, types.GeneratorType)
        return any(
            id(one) not in own and not isinstance(one, passing) for one in gc.get_referrers(tensor)
        )

    def _check_graph(self) -> None:
        """Gradients may not flow on to what was recorded before."""
        for node in self.recording.nodes:
            if node.requires_grad and any(
                one.requires_grad
                and one.recording is not self.recording
                and one.op is not PARAMETER
                for one in node.inputs
            ):
                raise Differentiable("it reads a tensor that has a history of gradients")

    def _unknown_holders(self) -> bool:
        known = {id(one._storage) for one in self.returned} | self.arguments.keys()
        known |= {id(one) for one in self.written.values()}
        known |= {id(one._grad._storage) for one, _, _ in self.touched if one._grad is not None}
        return any(id(one) not in known for one in self.holders)

    # ------------------------------------------------------------------ making

    def make(self, plan: Plan | None, result: Any, variables: list[Any]) -> Replay:
        """The replay; the recording has been run."""
        self.places = {
            key: Place(*plan.results[home.number]) if plan and home.kind == "position" else home
            for key, home in self.homes.items()
        }
        fresh = {id(one._storage) for one in self.returned}
        fresh |= {id(one._grad._storage) for one, _, _ in self.touched if one._grad is not None}
        known = self.arguments.keys() | {id(one) for one in self.written.values()}
        self.fresh = (fresh & self.homes.keys()) - known
        targets = [
            Target(
                self.arguments.get(id(one), -1),
                weakref.ref(one),
                self.places[id(one)],
                one.node.spec,
            )
            for one in self.holders
            if id(one) not in self.fresh
        ]
        for one in self.sources:
            if one.storage is not None:
                watch(one.storage)
        faulty = set(plan.faults) if plan is not None else set()
        return Replay(
            plan,
            self.sources,
            targets,
            [self._gradient(*one) for one in self.touched],
            self._template(result),
            self.capture.before_replay,
            self.capture.guards,
            variables,
            {position: self.lines[position] for position in faulty},
        )

    def _gradient(self, owner: Tensor, before: Tensor | None, read: bool) -> Gradient:
        argument = _number(owner, self.tensors)
        spec = None if before is None else before._storage.node.spec
        same = read and owner._grad is before
        after = Kept() if same else self._template(owner._grad)
        return Gradient(argument, weakref.ref(owner), read, spec, after)

    def _template(self, value: Any) -> Any:
        """The result with `Made` in place of the tensors that each replay makes."""
        if isinstance(value, Tensor):
            if id(value._storage) in self.fresh:
                place, spec = self.places[id(value._storage)], value._storage.node.spec
                return Made(place, spec, id(value), self.histories.get(id(value)))
            number = _number(value, self.tensors)
            return value if number < 0 else Given(number)
        if isinstance(value, dict):
            items = {name: self._template(one) for name, one in value.items()}
            return items if type(value) is dict else type(value)(items)
        if isinstance(value, (tuple, list)):
            parts = [self._template(one) for one in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        return value


def _all_storages() -> list[Storage]:
    return [one for one in gc.get_objects() if type(one) is Storage]


def _handles(storage: Storage) -> list[Tensor]:
    """The tensors that show a storage."""
    found = []
    for one in gc.get_referrers(storage):
        # A tensor refers to its attributes through a dict, or by itself.
        holders = gc.get_referrers(one) if isinstance(one, dict) else [one]
        found += [tensor for tensor in holders if isinstance(tensor, Tensor)]
    return found


def _number(tensor: Tensor, tensors: list[Tensor]) -> int:
    # Not a search with a lambda: `_held_elsewhere` would find its closure.
    for number, one in enumerate(tensors):
        if one is tensor:
            return number
    return -1


def _written_storages(recording: Recording) -> dict[int, Storage]:
    """By the node it held before: each storage that existed before and was written."""
    written: dict[int, Storage] = {}
    for reference, _, node in recording.writes:
        storage = reference()
        if isinstance(storage, Storage) and node.recording is not recording:
            written.setdefault(id(behind(node)), storage)
    return written


def _home(storage: Storage, recording: Recording, leaves: dict[int, Place]) -> Place:
    """What holds a storage's value: a position of the recording, or a leaf."""
    node = storage.node
    while isinstance(node.op, Alias) and node.buffer is None and node.recording is recording:
        node = node.inputs[0]
    if node.recording is recording:
        return Place("position", node.position)
    return leaves[id(behind(node))]


def _freed(tensor: Tensor) -> bool:
    return tensor.requires_grad and not tensor._leaf


def _is_differentiable(node: Node) -> bool:
    """Whether `backward` from here would reach a leaf."""
    waiting, seen = [node], {node}
    while waiting:
        one = waiting.pop()
        if one.op is PARAMETER:
            return True
        if one.owner is FREED or (isinstance(one.owner, tuple) and one.owner[0].freed):
            continue
        for source in sources(one):
            if source.requires_grad and source not in seen:
                seen.add(source)
                waiting.append(source)
    return False


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, list)):
        yield value
        for one in value:
            yield from _containers(one)
    elif isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _containers(one)
