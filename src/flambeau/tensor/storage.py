"""Storage: the memory that several tensors may be views of, as a pointer to the node of its value.

Nodes are pure, so a write replaces the node. No two storages hold the same node. Only where NumPy
looks at the same memory does the value have to stay at one address.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau.core.context import context
from flambeau.core.references import IN_ATTRIBUTE_AND_NAMED
from flambeau.core.shapes import Shape
from flambeau.engine.flush import compute, flush
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import Recording, current, data
from flambeau.runtime.buffers import Buffer, allocate
from flambeau.runtime.cpu.executor import background


class Storage:
    """Elements in row-major order; `version` counts the writes."""

    __slots__ = ("__weakref__", "node", "parameter", "shared", "version")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.version = 0
        # The value as the leaf whose gradient is asked for, see Tensor.node.
        self.parameter: Node | None = None
        # Gives what NumPy holds of this memory, or None once it has let go.
        self.shared: Callable[[], Any] | None = None

    def replace(self, node: Node) -> None:
        """Write: `node` is the value from now on."""
        if self.is_shared():
            self._write_through(node)
        else:
            recording = current()
            before = node.position if node.recording is recording else len(recording.nodes)
            recording.writes.append((weakref.ref(self), before, self.node))
        self.node = node
        self.version += 1
        self.parameter = None

    def put_back(self, node: Node) -> None:
        """Take back a write: `node` was the value before."""
        self.node = node
        self.version += 1
        self.parameter = None

    def is_shared(self) -> bool:
        """Whether NumPy may read or write this memory."""
        if self.shared is not None and self.shared() is None:
            self.shared = None
        return self.shared is not None

    def array(self, shape: Shape, strides: Shape, offset: int) -> np.ndarray:
        """A NumPy view of this memory: from now on both sides see each other's writes."""
        kind = self.node.dtype.numpy
        holder = self.shared() if self.shared is not None else None
        if holder is None:
            buffer = self._own_buffer()
            holder = buffer.as_array(kind, (self.node.spec.numel,)).base
            self.shared = weakref.ref(holder)
            self.parameter = None
        flat = np.asarray(holder)[offset:]
        steps = [step * kind.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(flat, shape, steps)

    def _own_buffer(self) -> Buffer:
        """The value's buffer, after a copy if anything else uses it."""
        flush()
        node = compute(self.node)
        buffer: Any = node.buffer
        if sys.getrefcount(node) > IN_ATTRIBUTE_AND_NAMED and not node.requires_grad:
            self.node = data(duplicate(buffer), node.spec)
        elif sys.getrefcount(buffer) > IN_ATTRIBUTE_AND_NAMED:
            node.buffer = duplicate(buffer)
        return self.node.buffer  # type: ignore[return-value]

    def _write_through(self, node: Node) -> None:
        old = self.node
        memory: Any = compute(old).buffer
        computed: Any = compute(node).buffer
        if sys.getrefcount(old) > IN_ATTRIBUTE_AND_NAMED:
            # It was saved for a gradient, which must see the value as it was.
            old.buffer = duplicate(memory)
        ctypes.memmove(memory.address, computed.address, node.spec.nbytes)
        node.buffer = memory


def replace_all(storages: Sequence[Storage], nodes: Sequence[Node]) -> None:
    """`replace` for each of some storages that NumPy does not see, with nodes just recorded."""
    recording = current()
    position = nodes[0].position if nodes else 0
    for storage, node in zip(storages, nodes, strict=True):
        recording.writes.append((weakref.ref(storage), position, storage.node))
        storage.node = node
        storage.version += 1
        storage.parameter = None


# Recordings that read memory which NumPy may change at any time: to be run before it does.
_urgent: list[Recording] = []


def mark_urgent() -> None:
    """The operation now being recorded reads shared memory."""
    _urgent.append(current())


def urgent() -> list[Recording]:
    """The recordings to be run at once; the same list always."""
    return _urgent


def run_urgent() -> None:
    """Run this thread's recording if it is one of those."""
    if context.recording in _urgent:
        _urgent[:] = [one for one in _urgent if one is not context.recording]
        flush()


def duplicate(buffer: Buffer) -> Buffer:
    """A copy of the buffer."""
    background.finish()
    copy = allocate(buffer.nbytes)
    ctypes.memmove(copy.address, buffer.address, buffer.nbytes)
    return copy


def copied(array: np.ndarray, spec: Spec) -> Node:
    """A leaf that holds a copy of the array's elements."""
    buffer = allocate(spec.nbytes)
    buffer.as_array(spec.dtype.numpy, spec.shape)[...] = array
    return data(buffer, spec)


def borrowed(array: np.ndarray, spec: Spec) -> Storage:
    """A storage in the array's own memory, of which `spec` is the whole."""
    buffer = Buffer.from_array(array)
    storage = Storage(data(buffer, spec))
    holder = buffer.as_array(spec.dtype.numpy, spec.shape).base
    storage.shared = lambda: holder
    return storage
