"""Sizes that a model leaves open: found by comparing the graphs of several sizes.

A graph is recorded for sizes. Recorded for others, its structure is the same and the numbers that
depend on them differ; how they do is what an ONNX model computes from the shapes of its inputs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from flambeau.graph.node import describe_location
from flambeau.io.graph_file import Graph, Value

# As many names: the graph is recorded for all combinations of two sizes of each, and once more.
_MOST_NAMES = 3
_PRIMES = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)


class Size(int):
    """A whole number that depends on open sizes: its value in each of the graphs.

    As an int it is the value in the first; sums, differences and products are such numbers again.
    """

    values: tuple[int, ...]

    @classmethod
    def of(cls, values: Sequence[int]) -> int:
        """The number with these values; a plain int if they are equal."""
        if len(set(values)) == 1:
            return int(values[0])
        made = cls(values[0])
        made.values = tuple([int(one) for one in values])
        return made

    def _with(self, other: int, function: Callable[[int, int], int]) -> int:
        others = other.values if isinstance(other, Size) else itertools.repeat(int(other))
        return Size.of([function(a, b) for a, b in zip(self.values, others, strict=False)])

    def __add__(self, other: int) -> int:
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other: int) -> int:
        return self._with(other, lambda a, b: a - b)

    def __rsub__(self, other: int) -> int:
        return self._with(other, lambda a, b: b - a)

    def __mul__(self, other: int) -> int:
        return self._with(other, lambda a, b: a * b)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> int:
        return self * -1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.values == other.values

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__


class OpenSizes(NamedTuple):
    """The names of open sizes, where each is found, and what they are in each of the graphs."""

    # (input, dimension) to name; each name has at least one.
    places: dict[tuple[str, int], str]
    # For each graph, by name.
    settings: list[dict[str, int]]

    def factors(self, size: Size) -> dict[tuple[str, ...], int]:
        """The size as a sum: the factor of each product of names; ValueError if it is none."""
        names = list(self.settings[0])
        counts = range(len(names) + 1)
        products = [one for count in counts for one in itertools.combinations(names, count)]
        table = [
            [math.prod([setting[name] for name in one]) for one in products]
            for setting in self.settings
        ]
        solved, *_ = np.linalg.lstsq(np.array(table, float), np.array(size.values, float))
        factors = [round(one) for one in solved.tolist()]
        found = [sum(map(int.__mul__, row, factors)) for row in table]
        if found != list(size.values):
            raise ValueError(
                f"a size depends on {' and '.join(names)} other than by sums and products: it is "
                f"{list(size.values)} for {self.settings}"
            )
        return {one: factor for one, factor in zip(products, factors, strict=True) if factor}

    def name(self, size: int) -> int | str | None:
        """A size as ONNX's shapes spell it: a number, a name, or unknown."""
        if not isinstance(size, Size):
            return size
        for name in self.settings[0]:
            if size.values == tuple([setting[name] for setting in self.settings]):
                return name
        return None


def open_sizes(places: Mapping[tuple[str, int], str], taken: Sequence[int]) -> OpenSizes:
    """Sizes to record the graph for: primes, so that no two things are equal by chance.

    `taken` are sizes that are not open.
    """
    names = list(dict.fromkeys(places.values()))
    if len(names) > _MOST_NAMES:
        raise NotImplementedError(
            f"export: at most {_MOST_NAMES} different dynamic sizes are supported, received {names}"
        )
    free = [one for one in _PRIMES if one not in taken]
    few, many, check = [dict(zip(names, free[start:], strict=False)) for start in (0, 3, 6)]
    settings = [
        dict(zip(names, chosen, strict=True))
        for chosen in itertools.product(*[(few[name], many[name]) for name in names])
    ]
    return OpenSizes(dict(places), [*settings, check])


# All sizes are as they were recorded.
CLOSED = OpenSizes({}, [{}])


def fixed(values: Sequence[int]) -> Sequence[int]:
    """The values; ValueError if one depends on open sizes."""
    if any(isinstance(one, Size) for one in values):
        raise ValueError("its memory layout depends on the dynamic sizes")
    return values


def merged(graphs: Sequence[Graph]) -> Graph:
    """One graph with a Size wherever they have different numbers.

    RuntimeError if they differ in more than that.
    """
    first = graphs[0]
    if any(one.results != first.results or len(one.values) != len(first.values) for one in graphs):
        raise RuntimeError("export: other operations are done for other sizes of dynamic axes")
    values = [_merged_value(alike) for alike in zip(*[one.values for one in graphs], strict=True)]
    for name, array in first.weights.items():
        if not all(_is_same(array, one.weights[name]) for one in graphs):
            raise RuntimeError(f"export: the constant '{name}' depends on the dynamic sizes")
    return Graph(values, first.results, first.weights)


def _is_same(array: np.ndarray, other: np.ndarray) -> bool:
    """Whether they are one memory, as a weight is each time, or have the same bits."""
    if array.ctypes.data == other.ctypes.data:
        return True
    return array.shape == other.shape and array.tobytes() == other.tobytes()


def _merged_value(alike: Sequence[Value]) -> Value:
    first = alike[0]
    try:
        what = _merged([one.what for one in alike]) if first.kind == "number" else first.what
        for one in alike:
            if (one.kind, one.dtype, one.inputs) != (first.kind, first.dtype, first.inputs):
                raise ValueError("another operation is done")
            if first.kind != "number" and one.what != first.what:
                raise ValueError(f"'{one.what}' is done")
        attributes = {
            key: _merged([one.attributes[key] for one in alike]) for key in first.attributes
        }
        shape = _merged([one.shape for one in alike])
    except ValueError as error:
        raise RuntimeError(
            f"export: '{first.what}' (recorded at {describe_location(first.source)}) depends on "
            f"the dynamic sizes: {error} for other sizes"
        ) from None
    return first._replace(what=what, attributes=attributes, shape=shape)


def _merged(alike: Sequence[Any]) -> Any:
    """Numbers or tuples of them as one."""
    first = alike[0]
    if all(repr(one) == repr(first) for one in alike):  # NaN is NaN, and -0.0 is not 0.0
        return first
    if all(isinstance(one, tuple) and len(one) == len(first) for one in alike):
        return tuple([_merged(parts) for parts in zip(*alike, strict=True)])
    if all(type(one) in (int, float) and float(one).is_integer() for one in alike):
        return Size.of([int(one) for one in alike])
    raise ValueError(f"{first!r} becomes {alike[-1]!r}")
