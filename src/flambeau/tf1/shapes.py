"""Static shapes: sizes that may be unknown, as `tf.TensorShape` and as plain tuples.

Inside flambeau.tf1 a static shape is a tuple of sizes, None for an unknown one, or None if not even
the number of dimensions is known.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

Static = tuple[int | None, ...] | None


class Dimension:
    """A size that may be unknown (`value` is None); what is computed from it is unknown then.

    >>> Dimension(3) * 2, Dimension(None) + 1
    (Dimension(6), Dimension(None))
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        value = getattr(value, "value", value)
        if value is not None and operator.index(value) < 0:
            raise ValueError(f"Dimension {value} must be >= 0")
        self.value: int | None = None if value is None else int(value)

    def is_compatible_with(self, other: Any) -> bool:
        """Whether the two may be the same size."""
        other = Dimension(other).value
        return self.value is None or other is None or self.value == other

    def merge_with(self, other: Any) -> Dimension:
        """What is known from both; ValueError if they differ."""
        return Dimension(merged_size(self.value, Dimension(other).value))

    def _with(self, other: Any, function: Callable[[int, int], int]) -> Dimension:
        other = Dimension(other).value
        unknown = self.value is None or other is None
        return Dimension(None if unknown else function(self.value, other))  # type: ignore[arg-type]

    def __add__(self, other: Any) -> Dimension:
        return self._with(other, operator.add)

    def __sub__(self, other: Any) -> Dimension:
        return self._with(other, operator.sub)

    def __mul__(self, other: Any) -> Dimension:
        return self._with(other, operator.mul)

    def __floordiv__(self, other: Any) -> Dimension:
        return self._with(other, operator.floordiv)

    def __mod__(self, other: Any) -> Dimension:
        return self._with(other, operator.mod)

    def __rsub__(self, other: Any) -> Dimension:
        return Dimension(other) - self

    def __rfloordiv__(self, other: Any) -> Dimension:
        return Dimension(other) // self

    __radd__ = __add__
    __rmul__ = __mul__
    # Python 2's division, which old programs still spell for sizes.
    __div__ = __floordiv__

    def __int__(self) -> int:
        if self.value is None:
            raise TypeError("int() argument must be a known Dimension; this one is unknown")
        return self.value

    __index__ = __int__

    def __eq__(self, other: object) -> Any:
        try:
            value = Dimension(other).value
        except (TypeError, ValueError):
            return NotImplemented
        return None if self.value is None or value is None else self.value == value

    def __lt__(self, other: Any) -> bool | None:
        other = Dimension(other).value
        return None if self.value is None or other is None else self.value < other

    def __gt__(self, other: Any) -> bool | None:
        other = Dimension(other).value
        return None if self.value is None or other is None else self.value > other

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"Dimension({self.value})"

    def __str__(self) -> str:
        return "?" if self.value is None else str(self.value)


class TensorShape:
    """A static shape: sizes that may be unknown, even their number.

    >>> shape = TensorShape([None, 10])
    >>> shape.as_list(), shape.ndims, shape.is_fully_defined()
    ([None, 10], 2, False)
    """

    __slots__ = ("static",)

    def __init__(self, dims: Any) -> None:
        self.static: Static = as_static(dims)

    @property
    def dims(self) -> list[Dimension] | None:
        """The sizes; None if their number is unknown."""
        return None if self.static is None else [Dimension(one) for one in self.static]

    @property
    def ndims(self) -> int | None:
        """The number of dimensions, if known."""
        return None if self.static is None else len(self.static)

    rank = ndims

    def as_list(self) -> list[int | None]:
        """The sizes as integers and None; ValueError if their number is unknown."""
        if self.static is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self.static)

    def is_fully_defined(self) -> bool:
        """Whether all sizes are known."""
        return self.static is not None and None not in self.static

    def num_elements(self) -> int | None:
        """The number of elements, if known."""
        return math.prod(self.static) if is_known(self.static) else None  # type: ignore[arg-type]

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor can have both shapes."""
        return compatible(self.static, as_static(other))

    def merge_with(self, other: Any) -> TensorShape:
        """What is known from both; ValueError if they contradict each other."""
        return TensorShape(merged(self.static, as_static(other)))

    def concatenate(self, other: Any) -> TensorShape:
        """These dimensions, then those of the other."""
        other = as_static(other)
        unknown = self.static is None or other is None
        return TensorShape(None if unknown else (*self.static, *other))  # type: ignore[misc]

    def with_rank(self, rank: int) -> TensorShape:
        """The shape, known to have this many dimensions; ValueError if it has others."""
        return self.merge_with((None,) * rank)

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """The shape; ValueError if it has fewer dimensions."""
        if self.static is not None and len(self.static) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def assert_is_compatible_with(self, other: Any) -> None:
        """ValueError unless a tensor can have both shapes."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {TensorShape(other)} are incompatible")

    def assert_has_rank(self, rank: int) -> None:
        """ValueError unless there are this many dimensions."""
        if self.ndims not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def assert_is_fully_defined(self) -> None:
        """ValueError unless all sizes are known."""
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def __getitem__(self, key: Any) -> Any:
        if self.static is None:
            return TensorShape(None) if isinstance(key, slice) else Dimension(None)
        found = self.static[key]
        return TensorShape(found) if isinstance(key, slice) else Dimension(found)

    def __len__(self) -> int:
        if self.static is None:
            raise ValueError("Cannot take the length of Shape with unknown rank.")
        return len(self.static)

    def __iter__(self) -> Iterator[Dimension]:
        if self.static is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return map(Dimension, self.static)

    def __bool__(self) -> bool:
        return self.static is not None

    def __eq__(self, other: object) -> bool:
        try:
            return self.static == as_static(other)
        except TypeError:
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self.static)

    def __repr__(self) -> str:
        dims = self.dims
        return f"TensorShape({dims})"

    def __str__(self) -> str:
        return describe(self.static)


def as_static(dims: Any) -> Static:
    """A static shape from what TensorFlow accepts for one: -1 and None are unknown."""
    if dims is None or isinstance(dims, TensorShape):
        return None if dims is None else dims.static
    if isinstance(dims, (int, Dimension)) or not hasattr(dims, "__iter__"):
        dims = (dims,)
    return tuple([_size(one) for one in dims])


def _size(value: Any) -> int | None:
    value = getattr(value, "value", value)
    if value is None:
        return None
    number = operator.index(value)
    if number < -1:
        raise ValueError(f"Dimension {number} must be >= 0")
    return None if number == -1 else number


def is_known(shape: Static) -> bool:
    """Whether all sizes are known."""
    return shape is not None and None not in shape


def compatible(one: Static, other: Static) -> bool:
    """Whether a tensor can have both shapes."""
    if one is None or other is None:
        return True
    return len(one) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(one, other, strict=True)
    )


def merged_size(one: int | None, other: int | None) -> int | None:
    """What is known from both; ValueError if they differ."""
    if one is not None and other is not None and one != other:
        raise ValueError(f"Dimensions {one} and {other} are not compatible")
    return other if one is None else one


def merged(one: Static, other: Static) -> Static:
    """What is known from both shapes; ValueError if they contradict each other."""
    if one is None or other is None:
        return other if one is None else one
    if not compatible(one, other):
        raise ValueError(f"Shapes {describe(one)} and {describe(other)} are not compatible")
    return tuple([merged_size(a, b) for a, b in zip(one, other, strict=True)])


def describe(shape: Static) -> str:
    """The shape as TensorFlow prints it: `(?, 10)`, or `<unknown>`."""
    if shape is None:
        return "<unknown>"
    sizes = ["?" if one is None else str(one) for one in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"
