"""Recording: the operations a thread has asked for and nobody has looked at yet.

Its structural key is built while recording: for each node its op, its attributes and where its
inputs come from; for each leaf its spec. Scalars count by dtype only, so that a new learning rate
is a new argument and not a new structure.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable
from typing import Any

from flambeau.core.context import context
from flambeau.core.dtypes import dtype
from flambeau.core.live import Live
from flambeau.core.settings import settings
from flambeau.graph.node import Memory, Node, Spec, user_location
from flambeau.graph.op import DATA, INNER, PARAMETER, SCALAR, Alias, Op
from flambeau.graph.subgraph import SUBGRAPH, Subgraph
from flambeau.graph.writes import Write


class Recording:
    """Nodes in program order, the leaves they read, and the structure so far."""

    __slots__ = (
        "aliases",
        "busy",
        "bytes_left",
        "leaf_positions",
        "leaf_uses",
        "leaves",
        "lock",
        "nodes",
        "nodes_left",
        "structure",
        "taken",
        "uses",
        "writes",
    )

    def __init__(self, *, endless: bool = False) -> None:
        self.nodes: list[Node] = []
        self.structure: list[tuple[Any, ...]] = []
        # How often a node of this recording is an input of another one.
        self.uses: list[int] = []
        self.leaves: list[Node] = []
        self.leaf_positions: dict[int, int] = {}
        # How often each leaf is an input, and the aliases from outside, as often as they are.
        self.leaf_uses: list[int] = []
        self.aliases: list[Node] = []
        # What it may grow by before it is run; an eager one is run at once.
        self.nodes_left: float = settings.flush_nodes
        self.bytes_left: float = settings.flush_bytes
        if endless:
            self.nodes_left = self.bytes_left = math.inf
        elif context.eager:
            self.nodes_left = 1
        # Another thread that needs a value takes the recording and runs it: `taken` says that it is
        # at its end, `busy` that its own thread is adding to it, and who runs it holds the lock.
        self.lock = threading.RLock()
        self.taken = self.busy = False
        # In-place writes: what, after how many nodes, the node replaced.
        self.writes: list[Write] = []

    def append(self, node: Node) -> None:
        """Add a node whose inputs are leaves, computed, or recorded."""
        before, self.busy = self.busy, True
        try:
            if self.taken:
                self.busy = before  # whoever has taken it waits for that
                current().append(node)
                return
            uses = self.uses
            entry: list[Any] = [node.op, node.attributes]
            for source in node.inputs:
                if source.recording is self:
                    position = source.position
                    uses[position] += 1
                    entry.append(position)
                else:
                    entry.append(self._outside(source))
            node.recording = self
            node.position = len(uses)
            self.nodes.append(node)
            uses.append(0)
            self.structure.append(tuple(entry))
            self.nodes_left -= 1
            self.bytes_left -= node.spec.nbytes
        finally:
            self.busy = before

    def call(self, subgraph: Subgraph, inputs: tuple[Node, ...]) -> list[Node]:
        """Add the operations of a subgraph as one entry; its results."""
        self.busy = True
        try:
            if self.taken:
                self.busy = False
                return current().call(subgraph, inputs)
            uses = self.uses
            entry: list[Any] = [subgraph]
            for source in inputs:
                if source.recording is self:
                    position = source.position
                    uses[position] += 1
                    entry.append(position)
                else:
                    entry.append(self._outside(source))
            self.structure.append(tuple(entry))
            line = context.location or user_location()
            made = [
                Node(SUBGRAPH, inputs, attributes, spec, False, None, line)
                for attributes, spec in subgraph.outputs
            ]
            for position, node in enumerate(made, len(uses)):
                node.recording = self
                node.position = position
            uses += [0] * len(made)
            self.nodes += made
            self.nodes_left -= len(subgraph.steps)
            self.bytes_left -= subgraph.nbytes
            return made
        finally:
            self.busy = False

    def _outside(self, source: Node) -> int:
        """The reference of an input from outside: a leaf's, or of a value computed anew."""
        number = self.leaf_positions.get(id(source))
        if number is not None:
            self.leaf_uses[number] += 1
        elif source.op is SCALAR or (source.buffer is not None and source.recording is None):
            number = self.leaf_positions[id(source)] = len(self.leaves)
            self.leaves.append(source)
            self.leaf_uses.append(1)
        else:
            return self._behind(source)
        return -1 - number

    def _behind(self, source: Node) -> int:
        """The reference of an alias, or of a value that has to be computed anew."""
        base = behind(source)
        if base is not source:
            self.aliases.append(source)
        if base.recording is not None and base.recording is not self:
            _hooks[1](base.recording)
            if base.recording is not None:
                raise RuntimeError(
                    f"the result of '{base.op.name}' is being computed by the code that a signal "
                    "handler has interrupted, and cannot be used in the handler"
                )
        if base.recording is None and base.buffer is None and base.op is not SCALAR:
            # It was dropped because nobody held it; nodes are pure, so it can be computed again.
            self.append_again(base)
        if base.recording is self:
            self.uses[base.position] += 1
            return base.position
        reference = self._outside(base)
        if base is not source:
            # The alias refers to the leaf, and dies with the recording or not.
            self.leaf_uses[-1 - reference] -= 1
        return reference

    def append_again(self, source: Node) -> None:
        """Record a node of an earlier recording once more, with all it needs."""
        waiting = [source]
        while waiting:
            node = waiting[-1]
            missing = [
                one
                for one in map(behind, node.inputs)
                if one.recording is not self and one.buffer is None and one.op is not SCALAR
            ]
            if node.op is INNER:
                raise RuntimeError(
                    "a tensor that a function given to scan, while_loop or cond made is used "
                    "outside of it, where it has no value; have the function return it"
                )
            if node.recording is not self and not missing:
                if node.op is SUBGRAPH:
                    # `uses` counts a tuple of inputs once, so it must not be shared any more.
                    node.inputs = (*node.inputs,)
                self.append(node)
            if not missing:
                waiting.pop()
            waiting.extend(missing)

    def key(self) -> tuple[Any, ...]:
        """What must be equal for a plan to serve again, apart from which results are wanted."""
        # What computed a leaf does not matter any more, only whether it is a number.
        leaves = tuple([(leaf.op is SCALAR, leaf.spec) for leaf in self.leaves])
        return tuple(self.structure), leaves


def behind(source: Node) -> Node:
    """What an earlier recording's alias stands for: the value behind it, or itself if it is one."""
    while isinstance(source.op, Alias) and source.recording is None and source.buffer is None:
        base = source.inputs[0]
        if source.op.stands_alone:
            value = behind(base)
            if value.buffer is not None:
                source.buffer = value.buffer
                return source
        source = base
    return source


# What the engine does with a recording of this thread that has grown long, and with another
# thread's of which a value is needed.
_hooks: list[Callable[..., Any]] = []


def on_recordings(full: Callable[[], Any], wanted: Callable[[Recording], Any]) -> None:
    """Set what computes a recording that has grown long (or, in eager mode, any), or another's."""
    _hooks[:] = [full, wanted]


def current() -> Recording:
    """This thread's recording."""
    recording: Recording | None = context.recording
    if recording is None or recording.taken:
        recording = context.recording = Recording()
    return recording


def record(op: Op, inputs: tuple[Node, ...], attributes: tuple[Any, ...] = ()) -> Node:
    """Record `op` on `inputs`: shape and dtype are checked now, the value is computed later."""
    # The hot path of every program: one and two inputs are spelled out.
    if len(inputs) == 2:
        first, second = inputs
        key: tuple[Any, ...] = (attributes, first.spec, second.spec)
        requires_grad = first.requires_grad or second.requires_grad
    elif len(inputs) == 1:
        first = inputs[0]
        key = (attributes, first.spec)
        requires_grad = first.requires_grad
    else:
        key = (attributes, *[one.spec for one in inputs])
        requires_grad = any(one.requires_grad for one in inputs)
    spec = op.specs.get(key)
    if spec is None:
        spec = _infer(op, inputs, attributes)
        op.specs[key] = spec
    if requires_grad:
        requires_grad = context.grad_enabled and op.differentiable and spec.dtype.is_floating_point
    source = context.location or user_location()
    node = Node(op, inputs, attributes, spec, requires_grad, None, source)
    recording = context.recording
    if recording is None:
        recording = current()
    recording.append(node)
    if recording.nodes_left <= 0 or recording.bytes_left <= 0:
        _hooks[0]()
    return node


def call(subgraph: Subgraph, inputs: tuple[Node, ...]) -> list[Node]:
    """Record the operations of a subgraph on `inputs`, which have no place there twice."""
    recording = current()
    made = recording.call(subgraph, inputs)
    if recording.nodes_left <= 0 or recording.bytes_left <= 0:
        _hooks[0]()
    return made


def _infer(op: Op, inputs: tuple[Node, ...], attributes: tuple[Any, ...]) -> Spec:
    shape, kind = op.infer(*[one.spec for one in inputs], **op.named(attributes))
    devices = {one.spec.device for one in inputs if one.op is not SCALAR}
    if len(devices) > 1:
        names = " and ".join(sorted(map(str, devices)))
        raise RuntimeError(
            f"{op.name}: Expected all tensors to be on the same device, but found {names}"
        )
    where = devices.pop() if devices else context.default_device
    return Spec.of(tuple(shape), kind, where)


def data(buffer: Memory, spec: Spec) -> Node:
    """A leaf that holds `buffer`."""
    return Node(DATA, (), (), spec, False, buffer)


def scalar(value: float | int, kind: dtype) -> Node:
    """A leaf that holds a Python number; its value may differ from run to run of a plan."""
    if type(value) is Live:
        # One leaf, however often it is used: each replay reads it anew.
        known = value.leaves.get(kind)
        if known is None:
            known = value.leaves[kind] = Node(SCALAR, (), (value,), _scalar_spec(kind))
        return known
    return Node(SCALAR, (), (value,), _scalar_spec(kind))


@functools.cache
def _scalar_spec(kind: dtype) -> Spec:
    return Spec.of((), kind)


def parameter(value: Node) -> Node:
    """`value` as the place where a gradient is asked for."""
    source = context.location or user_location()
    node = Node(PARAMETER, (value,), (), value.spec, True, None, source)
    current().append(node)
    return node
