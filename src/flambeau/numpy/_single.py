"""Single elements of computed arrays, read and written where they lie.

Programs loop over elements. Recorded, each place would be a structure of its own, to be compiled;
so numbers that are known go straight to and from memory.
"""

from __future__ import annotations

import ctypes
from sys import getrefcount
from typing import Any

import numpy as np

from flambeau.core.context import context
from flambeau.core.references import IN_ATTRIBUTE_AND_NAMED
from flambeau.core.shapes import Shape
from flambeau.engine.flush import compute, flush
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import data
from flambeau.numpy._ndarray import generic, host_value, made, ndarray
from flambeau.runtime.buffers import allocate
from flambeau.tensor.promotion import plain
from flambeau.tensor.storage import Storage, duplicate
from flambeau.tensor.tensor import Tensor, geometry


def place_of(tensor: Tensor, key: Any) -> int | None:
    """Where in the storage the element is that an integer for each dimension names, else None."""
    shape, strides, place = geometry(tensor)
    keys = key if type(key) is tuple else (key,)
    if len(keys) != len(shape) or not shape:
        return None
    for dim, (one, size, stride) in enumerate(zip(keys, shape, strides, strict=True)):
        if type(one) is not int:
            return None
        place += checked(one, dim, shape) * stride if size else 0
    return place


def checked(position: int, dim: int, shape: Shape) -> int:
    """A position counted from the front; IndexError in NumPy's words out of range."""
    size = shape[dim]
    if not -size <= position < size:
        raise IndexError(f"index {position} is out of bounds for axis {dim} with size {size}")
    return position % size


def read(tensor: Tensor, place: int) -> ndarray | None:
    """The element as a scalar; None where it is not there yet or the reading must be recorded."""
    storage = tensor._storage
    if not _is_plain(tensor) or storage.node.buffer is None:
        return None
    spec = Spec.of((), storage.node.spec.dtype)
    memory: Any = compute(storage.node).buffer
    buffer = allocate(spec.nbytes)
    ctypes.memmove(buffer.address, memory.address + place * spec.nbytes, spec.nbytes)
    return made(data(buffer, spec))


def write(tensor: Tensor, place: int, value: Any) -> bool:
    """Write a number; False where that must be recorded."""
    if not isinstance(value, (int, float, np.number, np.bool_, generic)) or not _is_plain(tensor):
        return False
    if isinstance(value, generic):
        if value._tensor.requires_grad:
            return False
        value = host_value(value)[()]
    kind = tensor.dtype
    element = np.array(plain(value, kind), kind.numpy)
    memory = _own_memory(tensor._storage)
    ctypes.memmove(memory + place * kind.itemsize, element.ctypes.data, kind.itemsize)
    tensor._storage.version += 1
    tensor._storage.parameter = None
    return True


def _is_plain(tensor: Tensor) -> bool:
    """Whether neither a capture, nor gradients, nor NumPy has a say in what is read or written."""
    storage = tensor._storage
    return context.capture is None and not storage.is_shared() and not tensor.requires_grad


def _own_memory(storage: Storage) -> int:
    """The address of the storage's elements, computed, which from now on nothing else uses."""
    flush()
    node: Node = compute(storage.node)
    buffer: Any = node.buffer
    if (
        node is not storage.node
        or getrefcount(node) > IN_ATTRIBUTE_AND_NAMED
        or getrefcount(buffer) > IN_ATTRIBUTE_AND_NAMED
    ):
        buffer = duplicate(buffer)
        storage.node = data(buffer, storage.node.spec)
    address: int = buffer.address
    return address
