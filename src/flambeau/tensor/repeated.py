"""An in-place update of tensors that happens again and again, recorded as one call.

An optimizer writes the same operations in every step, with other numbers. They are traced once into
a subgraph; later steps call it on what the tensors then hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flambeau.core.dtypes import dtype
from flambeau.core.live import Live
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import call, current, scalar
from flambeau.graph.subgraph import Subgraph, Trace, as_subgraph, tracing
from flambeau.tensor.storage import Storage
from flambeau.tensor.tensor import Tensor


class Number(NamedTuple):
    """An input that is a Python number, by its place, as a scalar of this dtype."""

    place: int
    kind: dtype


class Update(NamedTuple):
    """A known update of storages."""

    subgraph: Subgraph
    # Each a storage by its place, a number, or a constant.
    inputs: list[int | Number | Node]
    # The storages that are written, in the order of the subgraph's results.
    written: list[int]

    def __call__(self, storages: Sequence[Storage], numbers: Sequence[float]) -> None:
        """Update what these storages hold."""
        inputs: list[Any] = []
        for one in self.inputs:
            if type(one) is int:
                inputs.append(storages[one].node)
            elif type(one) is Number:
                inputs.append(scalar(numbers[one.place], one.kind))
            else:
                inputs.append(one)
        results = call(self.subgraph, tuple(inputs))
        for place, node in zip(self.written, results, strict=True):
            storages[place].replace(node)


def plain_storages(tensors: Sequence[Tensor]) -> list[Storage] | None:
    """The storages of tensors that show the whole of one each; None if they are not such."""
    storages = []
    for tensor in tensors:
        storage = tensor._storage
        if tensor._view is not None or storage.shared is not None or storage.node.requires_grad:
            return None
        storages.append(storage)
    return storages if len(set(map(id, storages))) == len(storages) else None


def specs(storages: Sequence[Storage]) -> list[Spec]:
    """What an update's operations depend on."""
    return [storage.node.spec for storage in storages]


def trace_update(
    update: Callable[[], bool], storages: Sequence[Storage], numbers: Sequence[Live]
) -> Update | None:
    """Do `update`, and make a known update of it if it says that it may be repeated.

    None also if it does more than to overwrite these storages from what they hold and from
    `numbers`; what it did is then part of the recording, like any other operations.
    """
    known = None
    trace = Trace()
    for storage in storages:
        # A tensor that is a leaf would read the alias that gradients end at, if there is one.
        storage.parameter = None
    try:
        with tracing(trace):
            repeatable = update()
        before = _before(trace, storages)
        if repeatable and before is not None:
            known = _known(trace, storages, numbers, before)
    finally:
        if known is None:
            _adopt(trace)
    if known is not None and before is not None:
        for place, old in before.items():
            storages[place].node = old
        trace.release()
        known(storages, numbers)
    return known


def _before(trace: Trace, storages: Sequence[Storage]) -> dict[int, Node] | None:
    """The storages that were written, by place, with what they held; None if there are others."""
    places = {id(storage): place for place, storage in enumerate(storages)}
    before: dict[int, Node] = {}
    for undo, _, old in trace.writes:
        place = places.get(id(undo.storage()))  # type: ignore[attr-defined]
        if place is None:
            return None
        before.setdefault(place, old)
    return before


def _known(
    trace: Trace, storages: Sequence[Storage], numbers: Sequence[Live], before: dict[int, Node]
) -> Update | None:
    held = [before.get(place, storage.node) for place, storage in enumerate(storages)]
    made = as_subgraph(trace, held, [storages[place].node for place in before])
    if made is None:
        return None
    subgraph, given = made
    places = {id(number): place for place, number in enumerate(numbers)}
    inputs: list[int | Number | Node] = []
    for one in given:
        if isinstance(one, Node) and id(one.attributes[0]) in places:
            inputs.append(Number(places[id(one.attributes[0])], one.dtype))
        else:
            inputs.append(one)
    return Update(subgraph, inputs, list(before))


def _adopt(trace: Trace) -> None:
    """Make what was traced a part of the thread's recording."""
    recording = current()
    offset = len(recording.nodes)
    for node in trace.nodes:
        recording.append(node)
    for undo, position, old in trace.writes:
        recording.writes.append((undo, offset + position, old))
