"""Memory for tensors on the CPU: 64-byte aligned, and quick to get again once freed.

A request is rounded up to a size class, and each class keeps a list of free blocks. Small blocks
are carved from chunks that stay; a large block is an allocation of its own, which goes back to the
system when too many lie idle. Lists are appended to and popped from, both atomic, so that no lock
is needed and a Buffer may die anywhere, even inside the garbage collector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALIGNMENT = 64
_LARGEST_SMALL = 1 << 20
_CHUNK_BYTES = 64 << 10
_MOST_IDLE_BYTES = 1 << 30  # of large blocks
_MOST_SIZES_REMEMBERED = 1 << 14


class Buffer:
    """A piece of memory: `nbytes` bytes from `address` on; freed with the last reference."""

    __slots__ = ("__weakref__", "_release", "address", "nbytes", "views")

    def __init__(self, address: int, nbytes: int, release: Callable[[int], None]) -> None:
        self.address = address
        self.nbytes = nbytes
        self._release = release
        # How many others look at the memory: a lender, or NumPy.
        self.views = 0

    def __del__(self) -> None:
        self._release(self.address)

    def __repr__(self) -> str:
        return f"Buffer({self.nbytes} bytes at {self.address:#x})"

    @classmethod
    def from_array(cls, array: NDArray[Any]) -> Buffer:
        """The memory of `array` without a copy; it stays alive as long as the Buffer.

        `address` is that of the first element; ValueError for negative strides.

        >>> array = np.arange(3.0)
        >>> Buffer.from_array(array).as_array(np.dtype("float64"), (3,)).tolist()
        [0.0, 1.0, 2.0]
        """
        if any(stride < 0 for stride in array.strides):
            raise ValueError(
                "At least one stride in the given numpy array is negative, and tensors with "
                "negative strides are not supported; received strides "
                f"{array.strides}. Make a copy with array.copy()"
            )
        reach = sum((n - 1) * step for n, step in zip(array.shape, array.strides, strict=True))
        nbytes = reach + array.itemsize if array.size else 0
        buffer = cls(array.ctypes.data, nbytes, _Borrowed(array).release)
        buffer.views = 1
        return buffer

    def as_array(
        self,
        dtype: np.dtype[Any],
        shape: Sequence[int],
        strides: Sequence[int] | None = None,
        offset: int = 0,
    ) -> NDArray[Any]:
        """A NumPy view of this memory that keeps it alive; strides and offset count elements."""
        return np.asarray(_ArrayView(self, dtype, shape, strides, offset))


class _ArrayView:
    """What NumPy asks of an object whose memory it shares."""

    def __init__(
        self,
        buffer: Buffer,
        dtype: np.dtype[Any],
        shape: Sequence[int],
        strides: Sequence[int] | None,
        offset: int,
    ) -> None:
        size = dtype.itemsize
        self.buffer = buffer
        buffer.views += 1
        self.__array_interface__ = {
            "version": 3,
            "data": (buffer.address + offset * size, False),
            "shape": tuple(shape),
            "strides": None if strides is None else tuple(step * size for step in strides),
            "typestr": dtype.str,
        }

    def __del__(self) -> None:
        self.buffer.views -= 1


class _Borrowed:
    """Memory of somebody else's that a Buffer points into."""

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.alive = _borrowed
        self.alive.add(self)

    def release(self, _address: int) -> None:
        self.alive.discard(self)


class _SmallBlocks:
    """Blocks of one small size, carved from chunks that are kept for good."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.free: list[int] = []
        self.release = self.free.append
        self._blocks_a_chunk = max(1, _CHUNK_BYTES // size)
        self._chunks: list[NDArray[np.uint8]] = []

    def grow(self) -> int:
        """The address of a new block; RuntimeError when there is no memory."""
        nbytes = self._blocks_a_chunk * self.size
        first, chunk = aligned_memory(nbytes)
        self._chunks.append(chunk)
        self.free.extend(reversed(range(first + self.size, first + nbytes, self.size)))
        return first

    def in_use(self) -> int:
        """How many blocks Buffers hold."""
        return len(self._chunks) * self._blocks_a_chunk - len(self.free)


class _LargeBlocks:
    """Blocks of one large size, each an allocation of its own."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.free: list[int] = []
        self._memory: dict[int, NDArray[np.uint8]] = {}
        # Attributes, as a Buffer may outlive this module's globals at interpreter exit.
        self._classes = _large_classes
        self._most_idle = _MOST_IDLE_BYTES
        self._classes.append(self)

    def grow(self) -> int:
        """The address of a new block; RuntimeError when there is no memory."""
        address, memory = aligned_memory(self.size)
        self._memory[address] = memory
        return address

    def release(self, address: int) -> None:
        """Keep the block for the next request, or give it back when too much lies idle."""
        idle = sum(one.size * len(one.free) for one in self._classes)
        if idle + self.size > self._most_idle:
            del self._memory[address]
        else:
            self.free.append(address)

    def give_back_idle(self) -> None:
        """Return the memory of all free blocks to the system."""
        for _ in range(len(self.free)):
            try:
                address = self.free.pop()
            except IndexError:  # another thread took the last one
                return
            del self._memory[address]

    def in_use(self) -> int:
        """How many blocks Buffers hold."""
        return len(self._memory) - len(self.free)


_SizeClass = _SmallBlocks | _LargeBlocks

_borrowed: set[_Borrowed] = set()
_classes: dict[int, _SizeClass] = {}  # by block size
_large_classes: list[_LargeBlocks] = []
_class_of: dict[int, _SizeClass] = {}  # by size asked for


def allocate(nbytes: int) -> Buffer:
    """A Buffer of `nbytes` bytes, not initialised; RuntimeError when there is no memory.

    >>> allocate(100).address % ALIGNMENT
    0
    """
    blocks = _class_of.get(nbytes) or _size_class(nbytes)
    try:
        address = blocks.free.pop()
    except IndexError:
        address = blocks.grow()
    return Buffer(address, nbytes, blocks.release)


def live_buffers() -> int:
    """How many Buffers exist, those made by `from_array` included."""
    return sum(blocks.in_use() for blocks in tuple(_classes.values())) + len(_borrowed)


def live_bytes() -> int:
    """The memory that Buffers hold, in whole blocks; memory of arrays is not counted."""
    return sum(blocks.in_use() * blocks.size for blocks in tuple(_classes.values()))


def release_idle() -> None:
    """Give the memory of idle large blocks back to the system."""
    for blocks in tuple(_large_classes):
        blocks.give_back_idle()


def _size_class(nbytes: int) -> _SizeClass:
    # Four classes between one power of two and the next waste at most a fifth.
    units = max(1, -(-nbytes // ALIGNMENT))
    step = 1 << max(0, units.bit_length() - 3)
    size = -(-units // step) * step * ALIGNMENT
    found = _classes.get(size)
    if found is None:
        new = _SmallBlocks(size) if size <= _LARGEST_SMALL else _LargeBlocks(size)
        found = _classes.setdefault(size, new)
    if len(_class_of) >= _MOST_SIZES_REMEMBERED:
        _class_of.clear()
    _class_of[nbytes] = found
    return found


def aligned_memory(nbytes: int) -> tuple[int, NDArray[np.uint8]]:
    """The address of new memory and the array that keeps it; not counted among the Buffers."""
    try:
        memory = _obtain(nbytes)
    except (MemoryError, ValueError):  # ValueError: more than any array can hold
        raise RuntimeError(
            f"DefaultCPUAllocator: not enough memory: you tried to allocate {nbytes} bytes."
        ) from None
    return -(-memory.ctypes.data // ALIGNMENT) * ALIGNMENT, memory


def _obtain(nbytes: int) -> NDArray[np.uint8]:
    try:
        return np.empty(nbytes + ALIGNMENT - 1, np.uint8)
    except MemoryError:
        release_idle()
    return np.empty(nbytes + ALIGNMENT - 1, np.uint8)
