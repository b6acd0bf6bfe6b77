"""Arithmetic on shapes: tuples of ints, row-major."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any

Shape = tuple[int, ...]


class Size(tuple[int, ...]):
    """A tensor's shape: a tuple that prints as PyTorch prints it and counts elements.

    >>> Size((2, 3)).numel()
    6
    """

    __slots__ = ()

    def numel(self) -> int:
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, item: Any) -> Any:
        found = tuple.__getitem__(self, item)
        return Size(found) if isinstance(item, slice) else found

    def __add__(self, other: Any) -> Any:
        return Size(tuple.__add__(self, tuple(other)))


@functools.lru_cache(maxsize=4096)
def contiguous_strides(shape: Shape) -> Shape:
    """Row-major strides, in elements.

    >>> contiguous_strides((2, 3, 4))
    (12, 4, 1)
    """
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def broadcast(shapes: Sequence[Shape], op: str = "broadcast") -> Shape:
    """The shape all of `shapes` expand to; RuntimeError in PyTorch's words if there is none.

    >>> broadcast([(3, 1), (4,)])
    (3, 4)
    """
    if len(shapes) == 1:
        return shapes[0]
    first, *rest = shapes
    result = first
    for shape in rest:
        if shape != result:
            result = _broadcast_two(result, shape, op)
    return result


@functools.lru_cache(maxsize=4096)
def _broadcast_two(first: Shape, second: Shape, op: str) -> Shape:
    rank = max(len(first), len(second))
    left = (1,) * (rank - len(first)) + first
    right = (1,) * (rank - len(second)) + second
    result = []
    for dim, (a, b) in enumerate(zip(left, right, strict=True)):
        if a != b and a != 1 and b != 1:
            raise RuntimeError(
                f"{op}: The size of tensor a ({a}) must match the size of tensor b ({b}) at "
                f"non-singleton dimension {dim}; received shapes {list(first)} and {list(second)}"
            )
        result.append(b if a == 1 else a)
    return tuple(result)


def normalize_dim(dim: int, rank: int) -> int:
    """A dimension counted from the front; IndexError in PyTorch's words when out of range."""
    limit = max(rank, 1)
    if not -limit <= dim < limit:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], "
            f"but got {dim})"
        )
    return dim + limit if dim < 0 else dim


def normalize_dims(dims: int | Iterable[int] | None, rank: int) -> tuple[int, ...]:
    """Sorted, distinct dimensions; all of them for None or an empty sequence."""
    if dims is None:
        return tuple(range(rank))
    if isinstance(dims, int):
        return (normalize_dim(dims, rank),) if rank else (normalize_dim(dims, rank),)[:0]
    given = [normalize_dim(dim, rank) for dim in dims]
    if not given:
        return tuple(range(rank))
    for dim in given:
        if given.count(dim) > 1:
            raise RuntimeError(f"dim {dim} appears multiple times in the list of dims")
    return tuple(sorted(given)) if rank else ()
