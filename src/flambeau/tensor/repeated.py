"""An in-place update of tensors that happens again and again, recorded as one call.

An optimizer writes the same operations in every step, with other numbers. They are traced once into
a subgraph; later steps call it on what the tensors then hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flambeau.core.dtypes import dtype
from flambeau.core.live import Live
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import call, current, scalar
from flambeau.graph.subgraph import Subgraph, Trace, as_subgraph, tracing
from flambeau.tensor.storage import Storage, replace_all
from flambeau.tensor.tensor import Tensor


class Update(NamedTuple):
    """A known update of storages."""

    subgraph: Subgraph
    # Its inputs: storages by place, Python numbers by place and with their dtype, and constants.
    storages: list[int]
    numbers: list[tuple[int, dtype]]
    constants: tuple[Node, ...]
    # The storages that are written, in the order of the subgraph's results.
    written: list[int]

    def __call__(self, storages: Sequence[Storage], numbers: Sequence[float]) -> None:
        """Update what these storages hold."""
        held = [storages[place].node for place in self.storages]
        given = [scalar(numbers[place], kind) for place, kind in self.numbers]
        results = call(self.subgraph, (*held, *given, *self.constants))
        replace_all([storages[place] for place in self.written], results)


def plain_storages(tensors: Sequence[Tensor]) -> list[Storage] | None:
    """The storages of tensors that show the whole of one each; None if they are not such."""
    storages = [tensor._storage for tensor in tensors if tensor._view is None]
    if len(set(map(id, storages))) < len(tensors):
        return None
    for storage in storages:
        if storage.shared is not None or storage.node.requires_grad:
            return None
    return storages


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
    for reference, _, old in trace.writes:
        place = places.get(id(reference()))
        if place is None:
            return None
        before.setdefault(place, old)
    return before


def _known(
    trace: Trace, storages: Sequence[Storage], numbers: Sequence[Live], before: dict[int, Node]
) -> Update | None:
    held = [before.get(place, storage.node) for place, storage in enumerate(storages)]
    live = [
        (place, kind, leaf)
        for place, number in enumerate(numbers)
        for kind, leaf in number.leaves.items()
    ]
    given = [*held, *[leaf for _, _, leaf in live]]
    made = as_subgraph(trace, given, [storages[place].node for place in before])
    if made is None:
        return None
    subgraph, used, constants = made
    own = [place for place in used if place < len(held)]
    scalars = [live[place - len(held)][:2] for place in used[len(own) :]]
    return Update(subgraph, own, scalars, constants, list(before))


def _adopt(trace: Trace) -> None:
    """Make what was traced a part of the thread's recording."""
    recording = current()
    offset = len(recording.nodes)
    for node in trace.nodes:
        recording.append(node)
    for reference, position, old in trace.writes:
        recording.writes.append((reference, offset + position, old))
