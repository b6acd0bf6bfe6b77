"""Random programs: a few leaves, a dozen ops of every kind on them, and which results are wanted.

A program is drawn once, from any `random.Random`, and can then be recorded any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import (
    arithmetic,
    comparison,
    exponential,
    logic,
    reduction,
    rounding,
    selection,
    shape,
    sorting,
    special,
    trigonometric,
)
from flambeau.ops.elementwise_base import random_values
from flambeau.ops.indexing import gather, index, index_put, place, wrap_index
from flambeau.ops.matmul import matmul
from flambeau.ops.scan import cumprod, cumsum, running_extreme
from flambeau.ops.strided import as_strided, as_strided_scatter, cat, overlaps, slice_
from ops.harness import forget_recording, leaf

KINDS = (
    dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16,
    dtypes.int64, dtypes.int32, dtypes.uint8, dtypes.bool,
)  # fmt: skip
SIZES = (0, 1, 1, 2, 3, 4, 5, 7, 16, 17, 33)
# Long enough for several work items, blocks and groups of a reduction.
LONG_SHAPES = ((8209,), (3, 4099), (4099, 3), (2, 5, 1031), (300, 37))
MOST_ELEMENTS = 40_000


@dataclass(frozen=True)
class Step:
    """`function` of earlier values (by number) and parameters; or leaf number `leaf`."""

    function: Callable[..., Node]
    inputs: tuple[int, ...] = ()
    parameters: tuple[Any, ...] = ()
    leaf: int = -1

    def __str__(self) -> str:
        if self.leaf >= 0:
            return f"leaf {self.leaf}"
        words = [f"v{one}" for one in self.inputs] + [repr(one) for one in self.parameters]
        return f"{self.function.__name__}({', '.join(words)})"


@dataclass
class Program:
    """Leaves, steps that each make one more value, and the values wanted of it."""

    leaves: list[np.ndarray]
    steps: list[Step]
    wanted: tuple[int, ...]

    def make_leaves(self) -> list[Node]:
        """New nodes with copies of the leaves."""
        return [leaf(one) for one in self.leaves]

    def record(self, leaves: Sequence[Node]) -> list[Node]:
        """Start a recording of all steps; the wanted nodes, and nothing else is held."""
        forget_recording()
        values: list[Node] = []
        for step in self.steps:
            arguments = [values[one] for one in step.inputs]
            made = step.function(*arguments, *step.parameters) if step.leaf < 0 else None
            values.append(leaves[step.leaf] if made is None else made)
        return [values[number] for number in self.wanted]

    def with_bad_index(self, random: Random) -> Program:
        """The same with one more value wanted, which reads beyond the end of another."""
        bad = np.array([0, 3, -1])
        source, size = random.randrange(len(self.steps)), 3
        number = len(self.steps)
        more = [
            Step(leaf, leaf=len(self.leaves)),
            Step(wrap_index, (number,), (size,)),
            Step(shape.iota, (), (size,)),
            Step(_indexed, (number + 2, number + 1), ((0,),)),
            Step(_summed, (source,)),
            Step(arithmetic.add, (number + 3, number + 4)),
        ]
        return Program([*self.leaves, bad], [*self.steps, *more], (*self.wanted, number + 5))

    def __str__(self) -> str:
        lines = [f"leaf {n}: {a.dtype}{list(a.shape)}" for n, a in enumerate(self.leaves)]
        lines += [f"v{n} = {step}" for n, step in enumerate(self.steps)]
        return "\n".join([*lines, f"wanted {self.wanted}"])

    __repr__ = __str__


def random_program(random: Random, most_steps: int = 12) -> Program:
    """A program of up to `most_steps` steps and some that they need."""
    return _Drawing(random).program(most_steps)


class _Drawing:
    """A program being drawn; `values` are its nodes, recorded for their shapes, never run."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.leaves: list[np.ndarray] = []
        self.steps: list[Step] = []
        self.values: list[Node] = []

    def program(self, most_steps: int) -> Program:
        before, context.recording = context.recording, None
        try:
            long = self.random.random() < 0.2
            for _ in range(self.random.randint(1, 3)):
                shape_ = self.random.choice(LONG_SHAPES) if long else self.shape()
                self.add_leaf(self.random.choice(KINDS), shape_)
            for _ in range(self.random.randint(1, most_steps)):
                rule = self.random.choice(_RULES)
                rule(self, self.random.randrange(len(self.values)))
        finally:
            context.recording = before
        return Program(self.leaves, self.steps, self.wanted())

    def wanted(self) -> tuple[int, ...]:
        """The last value, and some of the others."""
        last = len(self.values) - 1
        others = self.random.sample(range(last + 1), min(last, self.random.randint(0, 3)))
        return tuple(sorted({last, *others}))

    # ------------------------------------------------------------------ values

    def shape(self) -> Shape:
        rank = self.random.randint(0, 3)
        return tuple([self.random.choice(SIZES) for _ in range(rank)])

    def add_leaf(self, kind: dtype, shape_: Shape, array: np.ndarray | None = None) -> int:
        """A new leaf, the number of its value."""
        if array is None:
            generator = np.random.default_rng(len(self.leaves))
            array = random_values(generator, kind, shape_, (-2.0, 2.0))
        self.steps.append(Step(leaf, leaf=len(self.leaves)))
        self.leaves.append(np.asarray(array))
        self.values.append(leaf(array))
        return len(self.values) - 1

    def step(self, function: Callable[..., Node], *inputs: int, parameters: Any = ()) -> int:
        """Add a step unless its result would be large; the number of its value."""
        arguments = [self.values[one] for one in inputs]
        made = function(*arguments, *parameters)
        if made.spec.numel > MOST_ELEMENTS:
            return inputs[0]
        self.steps.append(Step(function, inputs, tuple(parameters)))
        self.values.append(made)
        return len(self.values) - 1

    def scalar(self, kind: dtype) -> int:
        value = self.random.choice((0, 1, 3, -1, 0.5, 0.1) if kind.is_floating_point else (1, 2, 3))
        if kind is dtypes.bool:
            value = bool(value)
        return self.step(scalar, parameters=(value, kind))

    def cast(self, number: int, kind: dtype) -> int:
        if self.values[number].dtype is kind:
            return number
        return self.step(selection.cast, number, parameters=(kind,))

    def partner(self, number: int, kind: dtype | None = None) -> int:
        """A value of this kind that broadcasts with the value `number`."""
        mine = self.values[number].shape
        kind = kind or self.values[number].dtype
        fitting = [n for n, one in enumerate(self.values) if _broadcasts(one.shape, mine)]
        if not fitting or self.random.random() < 0.3:
            return self.scalar(kind)
        return self.cast(self.random.choice(fitting), kind)

    def dims(self, number: int) -> tuple[int, ...]:
        rank = len(self.values[number].shape)
        return tuple(sorted(self.random.sample(range(rank), self.random.randint(1, rank))))

    def positions(self, size: int, shape_: Shape) -> int:
        """A checked int64 index below `size`: a leaf's, or computed."""
        generator = np.random.default_rng(self.random.randrange(100))
        drawn = generator.integers(-size, size, shape_)
        return self.step(wrap_index, self.add_leaf(dtypes.int64, shape_, drawn), parameters=(size,))


def _broadcasts(first: Shape, second: Shape) -> bool:
    pairs = zip(reversed(first), reversed(second), strict=False)
    return all(a == b or a == 1 or b == 1 for a, b in pairs)


# ---------------------------------------------------------------------------- the kinds of steps

_ANY = (arithmetic.sign, logic.logical_not)
_NUMBER = (arithmetic.neg, arithmetic.abs, arithmetic.relu)
_INTEGER = (logic.bitwise_not,)
_FLOAT = (
    arithmetic.sqrt, exponential.exp, exponential.sigmoid, exponential.log1p, trigonometric.tanh,
    trigonometric.sin, special.erf, rounding.floor, rounding.round, arithmetic.rsqrt,
)  # fmt: skip
_ANY_PAIR = (arithmetic.add, arithmetic.mul, arithmetic.maximum, arithmetic.minimum)
_RELATION = (comparison.lt, comparison.ge, comparison.eq, comparison.ne, logic.logical_and)


def _unary(d: _Drawing, x: int) -> None:
    kind = d.values[x].dtype
    choices: tuple[Callable[..., Node], ...] = _ANY
    if kind is not dtypes.bool:
        choices += _NUMBER
    choices += _FLOAT if kind.is_floating_point else _INTEGER
    d.step(d.random.choice(choices), x)


def _binary(d: _Drawing, x: int) -> None:
    kind = d.values[x].dtype
    choices = _ANY_PAIR + _RELATION
    if kind is not dtypes.bool:
        choices += (arithmetic.sub,)
    if kind.is_floating_point:
        choices += (arithmetic.div, arithmetic.remainder)
    function, other = d.random.choice(choices), d.partner(x)
    pair = (x, other) if d.random.random() < 0.5 else (other, x)
    d.step(function, *pair)


def _integer_division(d: _Drawing, x: int) -> None:
    divisor = d.scalar(dtypes.int64)
    d.step(arithmetic.floor_div, d.cast(x, dtypes.int64), divisor)


def _where(d: _Drawing, x: int) -> None:
    condition = d.partner(x, dtypes.bool)
    other = d.scalar(d.values[x].dtype)
    d.step(selection.where, condition, x, other)


def _cast(d: _Drawing, x: int) -> None:
    d.cast(x, d.random.choice(KINDS))


def _reshape(d: _Drawing, x: int) -> None:
    count, sizes = d.values[x].spec.numel, []
    for size in (2, 3, 5, 7):
        if count and count % size == 0 and d.random.random() < 0.6:
            sizes.append(size)
            count //= size
    sizes.append(count)
    d.random.shuffle(sizes)
    d.step(shape.reshape, x, parameters=(tuple(sizes),))


def _permute(d: _Drawing, x: int) -> None:
    order = list(range(len(d.values[x].shape)))
    d.random.shuffle(order)
    d.step(shape.permute, x, parameters=(tuple(order),))


def _expand(d: _Drawing, x: int) -> None:
    sizes = [d.random.choice((1, 3, 5)) if n == 1 else n for n in d.values[x].shape]
    lead = [d.random.choice((1, 2, 17))] if d.random.random() < 0.5 else []
    d.step(shape.expand, x, parameters=((*lead, *sizes),))


def _slice(d: _Drawing, x: int) -> None:
    starts, steps, sizes = [], [], []
    for size in d.values[x].shape:
        step = d.random.choice((1, 1, 2, 3, -1, -2))
        start = d.random.randrange(size) if size else 0
        room = size - start if step > 0 else start + 1
        sizes.append(-(-room // abs(step)) if size else 0)
        starts.append(start)
        steps.append(step)
    d.step(slice_, x, parameters=(tuple(starts), tuple(steps), tuple(sizes)))


def _pad(d: _Drawing, x: int) -> None:
    fill = d.scalar(d.values[x].dtype)
    before = [d.random.choice((0, 1, 2, -1)) if n else 1 for n in d.values[x].shape]
    after = [d.random.choice((0, 1, 17)) for _ in before]
    d.step(shape.pad, x, fill, parameters=(tuple(before), tuple(after)))


def _strides(d: _Drawing, size: int) -> tuple[Shape, Shape, int] | None:
    """A shape, strides and an offset that stay within `size` elements."""
    sizes = tuple([d.random.choice((1, 2, 3, 17)) for _ in range(d.random.randint(1, 2))])
    strides = tuple([d.random.choice((0, 1, 2, 3, 17, -1)) for _ in sizes])
    ends = [(n - 1) * by for n, by in zip(sizes, strides, strict=True)]
    low, high = sum(min(one, 0) for one in ends), sum(max(one, 0) for one in ends)
    if high - low >= size:
        return None
    return sizes, strides, -low + d.random.randrange(size - high + low)


def _as_strided(d: _Drawing, x: int) -> None:
    found = _strides(d, d.values[x].spec.numel)
    if found:
        d.step(as_strided, x, parameters=found)


def _as_strided_scatter(d: _Drawing, x: int) -> None:
    found = _strides(d, d.values[x].spec.numel)
    if found and not overlaps(*found[:2]):
        value = d.partner(x)
        if d.values[value].shape != found[0]:
            value = d.step(shape.expand, d.scalar(d.values[x].dtype), parameters=(found[0],))
        d.step(as_strided_scatter, x, value, parameters=found[1:])


def _joined(*nodes: Any) -> Node:
    *values, dim = nodes
    return cat(tuple(values), dim)


def _cat(d: _Drawing, x: int) -> None:
    mine = d.values[x]
    if mine.shape:
        dim = d.random.randrange(len(mine.shape))
        fitting = [
            n
            for n, one in enumerate(d.values)
            if len(one.shape) == len(mine.shape)
            and all(a == b or i == dim for i, (a, b) in enumerate(zip(one.shape, mine.shape)))  # noqa: B905
        ]
        parts = [d.cast(d.random.choice(fitting), mine.dtype) for _ in range(2)]
        d.step(_joined, x, *parts, parameters=(dim,))


def _reduce(d: _Drawing, x: int) -> None:
    one = d.values[x]
    if not one.shape:
        return
    dims = d.dims(x)
    choices: list[Callable[..., Node]] = [shape.sum_, reduction.prod]
    if all(one.shape[dim] for dim in dims):
        choices += [reduction.amax, reduction.amin]
    if one.dtype is dtypes.bool:
        choices = [reduction.any_, reduction.all_]
    result = d.step(d.random.choice(choices), x, parameters=(dims,))
    if d.random.random() < 0.6:
        # What softmax and its like do: the row's result beside the row.
        back = d.step(shape.reshape, result, parameters=(shape.kept_as_ones(one.shape, dims),))
        d.step(arithmetic.add, x, back)


def _indexed(*nodes: Any) -> Node:
    x, *indices, dims = nodes
    return index(x, tuple(indices), dims)


def _summed(x: Node) -> Node:
    return shape.sum_(selection.cast(x, dtypes.int64), tuple(range(len(x.shape))))


def _put(*nodes: Any) -> Node:
    x, value, *indices, dims, accumulate = nodes
    place = dims[0] if dims == tuple(range(dims[0], dims[0] + len(dims))) else 0
    rest = [size for dim, size in enumerate(x.shape) if dim not in dims]
    wanted = (*rest[:place], *indices[0].shape, *rest[place:])
    return index_put(x, shape.expand(value, wanted), tuple(indices), dims, accumulate)


def _index(d: _Drawing, x: int) -> None:
    sizes = d.values[x].shape
    if not sizes or not d.values[x].spec.numel:
        return
    dims = d.dims(x)[:2]
    where = d.random.choice(((), (3,), (2, 2), (0,), (17,)))
    indices = [d.positions(sizes[dim], where) for dim in dims]
    if d.random.random() < 0.6:
        d.step(_indexed, x, *indices, parameters=(dims,))
        return
    value = d.scalar(d.values[x].dtype)
    d.step(_put, x, value, *indices, parameters=(dims, d.random.random() < 0.5))


def _gather(d: _Drawing, x: int) -> None:
    """Read one or more elements along a dimension; what was one is put back among zeros."""
    sizes = d.values[x].shape
    if not sizes or not d.values[x].spec.numel:
        return
    dim = d.random.randrange(len(sizes))
    count = d.random.choice((1, 1, 3))
    at = d.positions(sizes[dim], (*sizes[:dim], count, *sizes[dim + 1 :]))
    found = d.step(gather, x, at, parameters=(dim,))
    if count == 1:
        back = d.step(place, found, at, parameters=(dim, sizes[dim]))
        if d.values[x].dtype is not dtypes.bool and d.random.random() < 0.5:
            d.step(arithmetic.add, x, back)


def _sorted(d: _Drawing, x: int) -> None:
    if d.values[x].shape and d.values[x].dtype is not dtypes.bool:
        d.step(sorting.argsort, x, parameters=(d.random.random() < 0.5,))


def _scan(d: _Drawing, x: int) -> None:
    one = d.values[x]
    if one.shape and one.dtype is not dtypes.bool:
        dim = d.random.randrange(len(one.shape))
        function = d.random.choice((cumsum, cumprod, running_extreme))
        d.step(function, x, parameters=(dim, d.random.random() < 0.5))


def _matmul(d: _Drawing, x: int) -> None:
    one = d.values[x]
    if len(one.shape) < 2 or one.dtype is dtypes.bool:
        return
    rank = len(one.shape)
    other = d.step(shape.permute, x, parameters=((*range(rank - 2), rank - 1, rank - 2),))
    if d.random.random() < 0.5:
        other = d.step(arithmetic.mul, other, d.scalar(one.dtype))
    if one.shape[-2] ** 2 * one.shape[-1] <= 1 << 20:
        product = d.step(matmul, x, other)
        if d.random.random() < 0.5:
            d.step(arithmetic.add, product, d.scalar(one.dtype))


def _iota(d: _Drawing, x: int) -> None:
    sizes = d.values[x].shape
    if sizes:
        ramp = d.step(shape.iota, parameters=(sizes[-1],))
        d.step(arithmetic.mul, x, d.cast(ramp, d.values[x].dtype))


_RULES: tuple[Callable[[_Drawing, int], None], ...] = (
    *[_unary, _binary] * 4, _integer_division, _where, _cast, _cast, _reshape, _reshape, _permute,
    _permute, _expand, _slice, _slice, _pad, _as_strided, _as_strided_scatter, _cat, _reduce,
    _reduce, _reduce, _index, _index, _gather, _sorted, _scan, _matmul, _iota,
)  # fmt: skip
