"""Index arithmetic: sums of loop axes, run-time values and a constant.

Every coordinate in a kernel is an `Index`. A view op maps the coordinates of its result to those
of its input; what comes out at the end is the address of a load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flambeau.core.shapes import Shape, contiguous_strides


class NotAffine(Exception):
    """These coordinates cannot be written without a division at run time."""


@dataclass(frozen=True)
class Index:
    """`constant + sum(axis * factor) + sum(value * factor)`; axes and values are numbers."""

    constant: int = 0
    axes: tuple[tuple[int, int], ...] = ()
    values: tuple[tuple[int, int], ...] = ()

    @classmethod
    def axis(cls, number: int) -> Index:
        return cls(0, ((number, 1),))

    @classmethod
    def value(cls, number: int) -> Index:
        return cls(0, (), ((number, 1),))

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.constant + other, self.axes, self.values)
        return Index(
            self.constant + other.constant,
            _merge(self.axes, other.axes),
            _merge(self.values, other.values),
        )

    def __mul__(self, factor: int) -> Index:
        if factor == 0:
            return ZERO
        if factor == 1:
            return self
        return Index(
            self.constant * factor,
            tuple([(axis, by * factor) for axis, by in self.axes]),
            tuple([(value, by * factor) for value, by in self.values]),
        )

    def factor(self, axis: int) -> int:
        """How much one step along `axis` adds."""
        for number, by in self.axes:
            if number == axis:
                return by
        return 0

    def substitute(self, replacements: Mapping[int, Index]) -> Index:
        """The same index with some axes replaced."""
        result = Index(self.constant, (), self.values)
        for axis, by in self.axes:
            result = result + replacements.get(axis, Index.axis(axis)) * by
        return result


ZERO = Index()
Coordinates = tuple[Index, ...]


def _merge(
    first: tuple[tuple[int, int], ...], second: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    if not first or not second:
        return first or second
    total = dict(first)
    for number, by in second:
        total[number] = total.get(number, 0) + by
    return tuple(sorted([(number, by) for number, by in total.items() if by]))


def linearize(at: Sequence[Index], shape: Shape) -> Index:
    """The position in row-major order of the element at coordinates `at`."""
    result = ZERO
    for index, stride, size in zip(at, contiguous_strides(shape), shape, strict=True):
        if size != 1:
            result = result + index * stride
    return result


def delinearize(position: Index, shape: Shape, extents: Mapping[int, int]) -> Coordinates:
    """The coordinates of the element at a row-major `position`.

    `extents` gives the sizes of the axes. Raises NotAffine where a division would be needed.
    """
    if 0 in shape:
        return (ZERO,) * len(shape)
    at: list[Index] = []
    for dim in range(len(shape) - 1, -1, -1):
        if dim == 0 or shape[dim] == 1:
            at.append(position if shape[dim] != 1 else ZERO)
            continue
        position, rest = _divide(position, shape[dim], extents)
        at.append(rest)
    return tuple(reversed(at))


def _divide(position: Index, size: int, extents: Mapping[int, int]) -> tuple[Index, Index]:
    """Quotient and remainder by `size` of an index that is never negative."""
    high, low = [], []
    constant, largest = divmod(position.constant, size)
    rest = largest
    for axis, by in position.axes:
        whole, part = divmod(by, size)
        if part == 0:
            high.append((axis, whole))
        elif by < 0:
            raise NotAffine
        else:
            low.append((axis, by))
            largest += by * (extents[axis] - 1)
    if largest >= size or any(by % size for _, by in position.values):
        raise NotAffine
    values = tuple([(value, by // size) for value, by in position.values])
    return Index(constant, tuple(high), values), Index(rest, tuple(low))
