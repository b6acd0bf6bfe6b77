"""Recording: the operations a thread has asked for and nobody has looked at yet."""

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
from flambeau.graph.inference import TO_INFER, inferred
from flambeau.graph.node import Memory, Node, Spec, user_location
from flambeau.graph.op import DATA, INNER, PARAMETER, SCALAR, Alias, Op
from flambeau.graph.structure import ROOT, Reference, Structure
from flambeau.graph.subgraph import SUBGRAPH, Subgraph
from flambeau.graph.writes import Write


class Recording:
    """Nodes in program order, the leaves they read, and the structure so far."""

    __slots__ = (
        "aliased",
        "aliases",
        "busy",
        "holds_step",
        "leaf_positions",
        "leaves",
        "lock",
        "most_bytes",
        "most_nodes",
        "nodes",
        "structure",
        "taken",
        "writes",
    )

    def __init__(self, *, endless: bool = False) -> None:
        self.nodes: list[Node] = []
        self.structure = ROOT
        self.leaves: list[Node] = []
        self.leaf_positions: dict[int, int] = {}
        # The aliases from outside, as often as they are an input, and the leaves they stand for.
        self.aliases: list[Node] = []
        self.aliased: list[int] = []
        # What it may grow to before it is run; an eager one is run at once.
        self.most_nodes: float = settings.flush_nodes
        self.most_bytes: float = settings.flush_bytes
        if endless:
            self.most_nodes = self.most_bytes = math.inf
        elif context.eager:
            self.most_nodes = 1
        # Another thread that needs a value takes the recording and runs it: `taken` says that it is
        # at its end, `busy` that its own thread is adding to it, and who runs it holds the lock.
        self.lock = threading.RLock()
        self.taken = self.busy = False
        # Whether a training step ended in it.
        self.holds_step = False
        # In-place writes: what, after how many nodes, the node replaced.
        self.writes: list[Write] = []

    def append(self, node: Node) -> None:
        """Add a node whose inputs are leaves, computed, or recorded."""
        before, self.busy = self.busy, True
        start = self.structure
        try:
            if self.taken:
                self.busy = before  # whoever has taken it waits for that
                current().append(node)
                return
            entry = (node.op, node.attributes, *self._references(node.inputs))
            structure = self.structure
            node.recording = self
            node.position = structure.count
            known = structure.next.get(entry)
            node.spec = known.spec if known is not None else inferred(node)
            self.nodes.append(node)
            self.structure = known or structure.then_operation(entry, node)
        except BaseException:
            self._return_to(start)
            raise
        finally:
            self.busy = before

    def call(self, subgraph: Subgraph, inputs: tuple[Node, ...]) -> list[Node]:
        """Add the operations of a subgraph as one entry; its results."""
        self.busy = True
        start = self.structure
        try:
            if self.taken:
                self.busy = False
                return current().call(subgraph, inputs)
            entry = (subgraph, (), *self._references(inputs))
            structure = self.structure
            line = context.location or user_location()
            made = [
                Node(SUBGRAPH, inputs, attributes, spec, False, None, line)
                for attributes, spec in subgraph.outputs
            ]
            for position, node in enumerate(made, structure.count):
                node.recording = self
                node.position = position
            self.nodes += made
            self.structure = structure.next.get(entry) or structure.then_call(entry, subgraph)
            return made
        except BaseException:
            self._return_to(start)
            raise
        finally:
            self.busy = False

    def _references(self, inputs: tuple[Node, ...]) -> list[Reference]:
        """What an entry says of its inputs; new leaves are added on the way."""
        references: list[Reference] = []
        leaves = self.leaf_positions
        for source in inputs:
            if source.recording is self:
                references.append(source.position)
                continue
            number = leaves.get(id(source))
            if number is not None:
                references.append(~number)
            else:
                self._refer_outside(source, references)
        return references

    def _refer_outside(self, source: Node, references: list[Reference]) -> None:
        """Add what is said of an input that is met for the first time."""
        if source.op is SCALAR:
            spec: Reference = (source.spec,)
        elif source.buffer is not None and source.recording is None:
            spec = source.spec  # what computed it does not matter any more
        else:
            self._refer_behind(source, references)
            return
        number = len(self.leaves)
        references += (~number, spec)
        self.leaves.append(source)
        self.leaf_positions[id(source)] = number

    def _refer_behind(self, source: Node, references: list[Reference]) -> None:
        """The same for an alias, or for a value that has to be computed anew."""
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
        references += self._references((base,))
        if base is not source and base.recording is not self:
            # The alias refers to the leaf, and dies with the recording or not.
            self.aliased.append(self.leaf_positions[id(base)])

    def _return_to(self, structure: Structure) -> None:
        """Forget what was recorded after this, as an error or Ctrl-C came in between."""
        for node in self.nodes[structure.count :]:
            node.recording = None
        del self.nodes[structure.count :]
        del self.leaves[len(structure.leaves()) :]
        self.leaf_positions = {id(leaf): number for number, leaf in enumerate(self.leaves)}
        self.aliased = [number for number in self.aliased if number < len(self.leaves)]
        self.structure = structure

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
                    # A tuple of inputs counts as one use, so it must not be shared any more.
                    node.inputs = (*node.inputs,)
                self.append(node)
            if not missing:
                waiting.pop()
            waiting.extend(missing)


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
    requires_grad = False
    for one in inputs:
        if one.requires_grad:
            requires_grad = context.grad_enabled and op.differentiable
            break
    line = context.location or user_location(3)  # not the function that stands for the op
    node = Node(op, inputs, attributes, TO_INFER, requires_grad, None, line)
    recording = context.recording
    if recording is None:
        recording = current()
    recording.append(node)
    if requires_grad and not node.spec.dtype.is_floating_point:
        node.requires_grad = False
    grown = recording.structure
    if grown.operations >= recording.most_nodes or grown.nbytes >= recording.most_bytes:
        _hooks[0]()
    return node


def call(subgraph: Subgraph, inputs: tuple[Node, ...]) -> list[Node]:
    """Record the operations of a subgraph on `inputs`, which have no place there twice."""
    recording = current()
    made = recording.call(subgraph, inputs)
    grown = recording.structure
    if grown.operations >= recording.most_nodes or grown.nbytes >= recording.most_bytes:
        _hooks[0]()
    return made


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
