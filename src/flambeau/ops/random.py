"""Random numbers: draws from a generator's state, and what PyTorch makes of them.

A state (compiler/templates/mersenne.py says what it holds) is a leaf whose memory the drawing ops
advance; they run once each, in the order of recording. Distributions are flat nodes, in the order
in which the numbers are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape, broadcast
from flambeau.graph.lowering import Expressions, StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import NOTHING, Elementwise, Sample, Template
from flambeau.graph.recording import record, scalar
from flambeau.ops import random_meaning as meaning
from flambeau.ops.algebra import add, div, neg, scaled, shifted
from flambeau.ops.comparison import eq, lt
from flambeau.ops.elementwise_base import Pointwise, edge_values
from flambeau.ops.exponential import exp, log, log1p
from flambeau.ops.logic import bitwise_and
from flambeau.ops.reduction import amax, amin
from flambeau.ops.rounding import ceil
from flambeau.ops.scan import cumsum
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import expand, iota, reshape
from flambeau.ops.sorting import argsort
from flambeau.ops.strided import slice_
from flambeau.ops.trigonometric import tan

_HALVES = (dtypes.float16, dtypes.bfloat16)


class Drawing(Template):
    """What the ops that advance a state share; their NumPy meanings advance it too, in place."""

    parameters = ("count",)
    reads = NOTHING
    differentiable = False
    effect = True
    result: dtype

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return (parameters["count"],), self.result

    def samples(self) -> Iterable[Sample]:
        for count in (0, 1, 2, 5, 624, 1300):
            yield Sample((meaning.seeded_state(count),), {"count": count}, differentiable=False)


class Draw32(Drawing):
    """The next `count` draws of 32 bits."""

    name, result = "draw32", dtypes.int32

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return meaning.draw32(arrays[0], parameters["count"]).astype(np.uint32).view(np.int32)

    def steps(self, builder: StepBuilder, node: Node) -> None:
        from flambeau.compiler.templates import mersenne

        mersenne.add_draws(builder, node, wide=False)


class Draw64(Drawing):
    """The next `count` draws of 64 bits: two of 32 each, the first one high."""

    name, result = "draw64", dtypes.int64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return meaning.draw64(arrays[0], parameters["count"]).view(np.int64)

    def steps(self, builder: StepBuilder, node: Node) -> None:
        from flambeau.compiler.templates import mersenne

        mersenne.add_draws(builder, node, wide=True)


class DrawNormals(Drawing):
    """The next `count` standard normals; a pair is made at once, and the second may wait."""

    name, result = "draw_normals", dtypes.float64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return meaning.normals(arrays[0], parameters["count"])

    def steps(self, builder: StepBuilder, node: Node) -> None:
        from flambeau.compiler.templates import mersenne

        mersenne.add_normals(builder, node)


class BoxMuller(Template):
    """Standard normals of 16 or more draws, by blocks of 16: float32 of int32, float64 of int64.

    Where `count` is no multiple of 16, the last 16 draws make the last 16 normals.
    """

    name = "box_muller"
    parameters = ("count",)
    differentiable = False

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        kind = dtypes.float32 if inputs[0].dtype is dtypes.int32 else dtypes.float64
        return (parameters["count"],), kind

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return meaning.box_muller(arrays[0], parameters["count"])

    def steps(self, builder: StepBuilder, node: Node) -> None:
        from flambeau.compiler.templates import box_muller

        box_muller.add_steps(builder, node)

    def samples(self) -> Iterable[Sample]:
        values = np.random.default_rng(4)
        # float64 is as good as the math library, not equal to the bit; tests/tensor has it.
        for count in (16, 31, 48, 1003):
            size = count + 16 * (count % 16 != 0)
            draws = values.integers(-(2**31), 2**31, size, np.int32)
            yield Sample((draws,), {"count": count}, differentiable=False)


class Shuffle(Template):
    """0 to n-1 in the order that n-1 unsigned draws make (Fisher and Yates, from the front)."""

    name = "shuffle"
    parameters = ("count",)
    differentiable = False

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return (parameters["count"],), dtypes.int64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        count, order = parameters["count"], np.arange(parameters["count"])
        for i, draw in enumerate(_unsigned(arrays[0]).tolist()):
            other = i + draw % (count - i)
            order[i], order[other] = order[other], order[i]
        return order

    def steps(self, builder: StepBuilder, node: Node) -> None:
        from flambeau.compiler.templates import choices

        choices.add_shuffle(builder, node)

    def samples(self) -> Iterable[Sample]:
        values = np.random.default_rng(4)
        for kind, count in [("int32", 0), ("int32", 1), ("int32", 100), ("int64", 9)]:
            limits = np.iinfo(kind)
            draws = values.integers(limits.min, limits.max, max(count - 1, 0), np.dtype(kind))
            yield Sample((draws,), {"count": count}, differentiable=False)


class InverseDistribution(Template):
    """For each target the first place in its row of ascending limits that is not below it."""

    name = "inverse_distribution"
    differentiable = False

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return inputs[1].shape, dtypes.int64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        rows = [np.searchsorted(limits, aims) for limits, aims in zip(*arrays, strict=True)]
        return np.asarray(np.minimum(np.stack(rows), arrays[0].shape[1] - 1))

    def steps(self, builder: StepBuilder, node: Node) -> None:
        from flambeau.compiler.templates import choices

        choices.add_search(builder, node)

    def samples(self) -> Iterable[Sample]:
        values = np.random.default_rng(4)
        for categories in (1, 2, 3, 8, 100):
            limits, targets = np.sort(values.random((3, categories))), values.random((3, 20))
            targets[:, 0] = limits[:, 0]
            yield Sample((limits, targets), {}, differentiable=False)


class DrawRemainder(Elementwise):
    """The remainder of an unsigned draw (int32 or int64 bits) by an unsigned int64 span."""

    name = "draw_remainder"
    reads = NOTHING
    differentiable = False
    cost = 10

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return broadcast([one.shape for one in inputs], self.name), dtypes.int64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        draws, span = (_unsigned(one).astype(np.uint64) for one in arrays)
        return np.asarray(draws % span).astype(np.int64)

    def lower(self, e: Expressions, *values: int, **parameters: Any) -> int:
        draw, span = values
        return (_rest32 if e.kind(draw) is dtypes.int32 else _rest64)(e, draw, span)

    def samples(self) -> Iterable[Sample]:
        values = np.random.default_rng(4)
        for kind, spans in [("int32", (1, 7, 2**31)), ("int64", (1, 2**28, 2**63 - 1, -1, -5))]:
            limits = np.iinfo(kind)
            draws = values.integers(limits.min, limits.max, 50, np.dtype(kind))
            for span in spans:
                yield Sample((draws, np.array(span, np.int64)), {}, differentiable=False)


def _unsigned(draws: np.ndarray) -> np.ndarray:
    return draws.view(f"uint{8 * draws.itemsize}")


def _rest32(e: Expressions, draw: int, span: int) -> int:
    """By way of float64, in which a quotient of 32-bit numbers never rounds up to an integer."""
    low = e.constant(2**32 - 1, dtypes.int64)
    unsigned = e.call("and", e.cast(draw, dtypes.int64), low)
    x, divisor = e.cast(unsigned, dtypes.float64), e.cast(span, dtypes.float64)
    whole = e.call("floor", e.call("div", x, divisor))
    return e.cast(e.call("sub", x, e.call("mul", whole, divisor)), dtypes.int64)


def _rest64(e: Expressions, draw: int, span: int) -> int:
    """By the remainder of half the draw, as the kernel language divides signed numbers."""
    one, most = e.constant(1, dtypes.int64), e.constant(2**63 - 1, dtypes.int64)
    divisor = e.call("max", span, one)
    half = e.call("and", e.call("shr", draw, one), most)
    rest = e.call("rem", half, divisor)
    doubled = e.call("add", e.call("add", rest, rest), e.call("and", draw, one))
    small = _minus_if_reached(e, doubled, divisor)
    # A span of 2**63 or more, which looks negative, goes into the draw at most once.
    negative = e.compare("lt", span, e.constant(0, dtypes.int64))
    return e.select(negative, _minus_if_reached(e, draw, span), small)


def _minus_if_reached(e: Expressions, x: int, span: int) -> int:
    lowest = e.constant(-(2**63), dtypes.int64)
    reached = e.compare("ge", e.call("xor", x, lowest), e.call("xor", span, lowest))
    return e.select(reached, e.call("sub", x, span), x)


class FusedMultiplyAdd(Pointwise):
    """a * b + c, rounded once."""

    name, arity, differentiable = "fused_multiply_add", 3, False
    accepts = (dtypes.float32, dtypes.float64)

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        a, b, c = np.broadcast_arrays(*arrays)
        return meaning.fused(a, b, c)

    def lower(self, e: Expressions, *values: int, **parameters: Any) -> int:
        return e.call("fma", *values)

    def edges(self, kind: dtype) -> tuple[np.ndarray, ...]:
        values = edge_values(kind)
        return values, values[::-1].copy(), np.roll(values, 5)


DRAW32, DRAW64, DRAW_NORMALS = Draw32(), Draw64(), DrawNormals()
BOX_MULLER, SHUFFLE, INVERSE_DISTRIBUTION = BoxMuller(), Shuffle(), InverseDistribution()
DRAW_REMAINDER, FUSED_MULTIPLY_ADD = DrawRemainder(), FusedMultiplyAdd()


def draw32(state: Node, count: int) -> Node:
    """The bits of `count` draws, as int32."""
    return record(DRAW32, (state,), (count,))


def draw64(state: Node, count: int) -> Node:
    """The bits of `count` draws of 64 bits, as int64."""
    return record(DRAW64, (state,), (count,))


def fused_multiply_add(a: Node, b: float, c: float) -> Node:
    """a * b + c with one rounding, for numbers b and c."""
    return record(FUSED_MULTIPLY_ADD, (a, scalar(b, a.dtype), scalar(c, a.dtype)))


def narrowed(x: Node, kind: dtype) -> Node:
    """x in `kind`, to which float16 and bfloat16 come by way of float32."""
    return cast(cast(x, dtypes.float32) if kind in _HALVES else x, kind)


# ---------------------------------------------------------------------------------- continuous


def uniform24(state: Node, count: int) -> Node:
    """float32 multiples of 2**-24 from 0 up to 1."""
    bits = bitwise_and(draw32(state, count), scalar(2**24 - 1, dtypes.int32))
    return scaled(cast(bits, dtypes.float32), 2.0**-24)


def uniform53(state: Node, count: int) -> Node:
    """float64 multiples of 2**-53 from 0 up to 1."""
    bits = bitwise_and(draw64(state, count), scalar(2**53 - 1, dtypes.int64))
    return scaled(cast(bits, dtypes.float64), 2.0**-53)


def uniform(state: Node, count: int, low: float, high: float, kind: dtype) -> Node:
    """Numbers from low up to high; one that rounds up to `high` becomes `low`."""
    if kind is dtypes.float64:
        values, width = uniform53(state, count), high - low
    else:
        values, width = uniform24(state, count), float(np.float32(high) - np.float32(low))
    if (low, high) != (0.0, 1.0):
        values = fused_multiply_add(values, width, low)
    elif kind not in _HALVES:
        return values
    values = cast(values, kind)
    return where(eq(values, scalar(high, kind)), scalar(low, kind), values)


def normal(
    state: Node, count: int, mean: float, std: float, kind: dtype, contiguous: bool = True
) -> Node:
    """Normal numbers: by blocks of 16 if there are that many and their memory is contiguous."""
    if count < 16 or not contiguous:
        normals = record(DRAW_NORMALS, (state,), (count,))
    else:
        rest = count % 16
        if kind is dtypes.float64:
            draws = draw64(state, count + (16 if rest else 0))
        elif kind is dtypes.float32:
            draws = draw32(state, count + (16 if rest else 0))
        else:
            draws = draw32(state, count + (16 - rest if rest else 0))
        normals = record(BOX_MULLER, (draws,), (count,))
    if (mean, std) != (0.0, 1.0):
        normals = fused_multiply_add(normals, std, mean)
    return narrowed(normals, kind)


def log_normal(state: Node, count: int, mean: float, std: float, kind: dtype) -> Node:
    """e to the power of normal numbers."""
    normals = record(DRAW_NORMALS, (state,), (count,))
    return narrowed(exp(fused_multiply_add(normals, std, mean)), kind)


def exponential(state: Node, count: int, rate: float, kind: dtype) -> Node:
    """Waiting times for events of this rate."""
    return narrowed(scaled(log1p(neg(uniform53(state, count))), -1.0 / rate), kind)


def cauchy(state: Node, count: int, median: float, sigma: float, kind: dtype) -> Node:
    """Numbers of the Cauchy distribution."""
    turns = shifted(uniform53(state, count), -0.5)
    return narrowed(fused_multiply_add(tan(scaled(turns, math.pi)), sigma, median), kind)


def geometric(state: Node, count: int, p: float, kind: dtype) -> Node:
    """How many trials it takes to succeed, each with probability p."""
    logs = log(uniform53(state, count))
    return narrowed(ceil(div(logs, scalar(math.log1p(-p), dtypes.float64))), kind)


# ------------------------------------------------------------------------------------ integers


def integers(state: Node, count: int, low: int, span: int) -> Node:
    """int64 numbers low to low+span-1; a span of 2**64 is all of them."""
    draws = draw64(state, count) if span >= 2**28 else draw32(state, count)
    if span == 2**64:
        return draws
    rest = record(DRAW_REMAINDER, (draws, scalar(span, dtypes.int64)))
    return add(rest, scalar(low, dtypes.int64)) if low else rest


def non_negative(state: Node, count: int, kind: dtype) -> Node:
    """Any number of an integer type that is not negative; of a float type, any exact one."""
    wide = kind in (dtypes.int64, dtypes.float64)
    draws = draw64(state, count) if wide else draw32(state, count)
    span = scalar(largest_whole(kind) + 1, dtypes.int64)
    return cast(record(DRAW_REMAINDER, (draws, span)), kind)


_DIGITS = {dtypes.float16: 11, dtypes.bfloat16: 8, dtypes.float32: 24, dtypes.float64: 53}


def largest_whole(kind: dtype) -> int:
    """The largest number of an integer type; of a float type, up to where it has them all."""
    if kind.is_floating_point:
        return int(2 ** _DIGITS[kind])
    return 1 if kind is dtypes.bool else int(np.iinfo(kind.numpy).max)


def permutation(state: Node, count: int) -> Node:
    """0 to count-1 in random order."""
    draw = draw32 if count < (2**32 - 1) // 20 else draw64
    return record(SHUFFLE, (draw(state, max(count - 1, 0)),), (count,))


# ------------------------------------------------------------------------------------- choices


def bernoulli(state: Node, count: int, p: float) -> Node:
    """bool: True with probability p."""
    return lt(uniform53(state, count), scalar(p, dtypes.float64))


def bernoulli_each(state: Node, p: Node) -> Node:
    """bool: True with the probability that flat `p` has at this place."""
    if p.dtype is dtypes.float64:
        return lt(uniform53(state, p.spec.numel), p)
    return lt(uniform24(state, p.spec.numel), cast(p, dtypes.float32))


def multinomial(state: Node, weights: Node, samples: int, replacement: bool) -> Node:
    """int64 (rows, samples): categories drawn with probabilities as the rows of `weights`."""
    rows, categories = weights.shape
    if replacement and samples > 1:
        limits = _running_shares(weights)
        targets = reshape(uniform53(state, rows * samples), (rows, samples))
        return record(INVERSE_DISTRIBUTION, (limits, targets))
    # An exponential race: the category whose weighted clock rings first wins.
    clocks = exponential(state, rows * categories, 1.0, weights.dtype)
    scores = div(weights, reshape(clocks, weights.shape))
    if samples > 1:
        return slice_(argsort(scores, True), (0, 0), (1, 1), (rows, samples))
    best = expand(reshape(amax(scores, (1,)), (rows, 1)), scores.shape)
    places, none = iota(categories), scalar(categories, dtypes.int64)
    return reshape(amin(where(eq(scores, best), places, none), (1,)), (rows, 1))


def _running_shares(weights: Node) -> Node:
    """The sums of each row up to each place over the whole sum, in float64, 1 at the end."""
    rows, categories = weights.shape
    sums = cumsum(weights, 1)
    total = slice_(sums, (0, categories - 1), (1, 1), (rows, 1))
    shares = cast(div(sums, total), dtypes.float64)
    is_last = eq(iota(categories), scalar(categories - 1, dtypes.int64))
    return where(is_last, scalar(1.0, dtypes.float64), shares)
