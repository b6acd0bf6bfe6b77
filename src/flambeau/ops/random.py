"""Random numbers: draws from a generator's state, and what is made of them, as in PyTorch.

A state (compiler/templates/mersenne.py says what it holds) is a leaf whose memory the drawing ops
advance: they run once each, in the order of recording. Distributions return flat nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, cast

import numpy as np

from flambeau.compiler.templates import box_muller, choices, mersenne
from flambeau.compiler.templates.mersenne import HAS_NORMAL, NORMAL, POSITION, STATE_WORDS, WORDS
from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape, broadcast
from flambeau.graph.lowering import Expressions, StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import NOTHING, Elementwise, Sample, Template
from flambeau.graph.recording import record
from flambeau.ops.elementwise_base import Pointwise, edge_values


def seeded_state(seed: int) -> np.ndarray:
    """The state after `manual_seed(seed)`."""
    bits = np.random.MT19937()
    bits._legacy_seeding(seed % 2**32)
    state = np.zeros(STATE_WORDS, np.int32)
    words: Any = bits.state
    state[:WORDS] = words["state"]["key"].astype(np.uint32).view(np.int32)
    state[POSITION] = mersenne.SEEDED
    return state


def _next_words(state: np.ndarray, count: int) -> np.ndarray:
    """The next draws, as uint64, by NumPy's own MT19937; advances `state`."""
    if count == 0:
        return np.zeros(0, np.uint64)
    bits = np.random.MT19937()
    start = {"key": state[:WORDS].view(np.uint32), "pos": min(int(state[POSITION]), WORDS)}
    bits.state = {"bit_generator": "MT19937", "state": start}
    drawn = bits.random_raw(count)
    end = cast("dict[str, Any]", bits.state)["state"]
    state[:WORDS] = end["key"].astype(np.uint32).view(np.int32)
    state[POSITION] = end["pos"]
    return cast("np.ndarray", drawn)


def _next_wide_words(state: np.ndarray, count: int) -> np.ndarray:
    halves = _next_words(state, 2 * count).reshape(count, 2)
    return cast("np.ndarray", halves[:, 0] << np.uint64(32) | halves[:, 1])


def _uniform53(bits: np.ndarray) -> np.ndarray:
    return (bits & np.uint64(2**53 - 1)) * 2.0**-53


class Drawing(Template):
    """What the ops that advance a state share. Their NumPy meanings advance it too, in place."""

    parameters = ("count",)
    reads = NOTHING
    differentiable = False
    effect = True
    result: dtype

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return (parameters["count"],), self.result

    def samples(self) -> Iterable[Sample]:
        for count in (0, 1, 2, 5, 624, 1300):
            yield Sample((seeded_state(count),), {"count": count}, differentiable=False)


class Draw32(Drawing):
    """The next `count` draws of 32 bits."""

    name, result = "draw32", dtypes.int32

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return _next_words(arrays[0], parameters["count"]).astype(np.uint32).view(np.int32)

    def steps(self, builder: StepBuilder, node: Node) -> None:
        mersenne.add_draws(builder, node, wide=False)


class Draw64(Drawing):
    """The next `count` draws of 64 bits, each two of 32, the first in the high half."""

    name, result = "draw64", dtypes.int64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return _next_wide_words(arrays[0], parameters["count"]).view(np.int64)

    def steps(self, builder: StepBuilder, node: Node) -> None:
        mersenne.add_draws(builder, node, wide=True)


class DrawNormals(Drawing):
    """The next `count` standard normals; a pair is drawn at once, and the second may wait."""

    name, result = "draw_normals", dtypes.float64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        (state,), count = arrays, parameters["count"]
        kept = state[NORMAL:].view(np.float64)
        waiting = [float(kept[0])] if state[HAS_NORMAL] else []
        for _ in range((count - len(waiting) + 1) // 2):
            angle, other = _uniform53(_next_wide_words(state, 2))
            radius = math.sqrt(-2.0 * math.log1p(-other))
            turn = 2.0 * math.pi * angle
            waiting += [radius * math.cos(turn), radius * math.sin(turn)]
        state[HAS_NORMAL] = len(waiting) > count
        if state[HAS_NORMAL]:
            kept[0] = waiting[-1]
        return np.array(waiting[:count], np.float64)

    def steps(self, builder: StepBuilder, node: Node) -> None:
        mersenne.add_normals(builder, node)


class BoxMuller(Template):
    """Standard normals of 16 or more draws, by blocks of 16; float32 of int32, float64 of int64.

    Where `count` is no multiple of 16, the last 16 normals are made of the last 16 draws.
    """

    name = "box_muller"
    parameters = ("count",)
    reads = NOTHING
    differentiable = False

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        kind = dtypes.float32 if inputs[0].dtype is dtypes.int32 else dtypes.float64
        return (parameters["count"],), kind

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        (draws,), count = arrays, parameters["count"]
        whole = count - count % 16
        blocks = _block32 if draws.dtype == np.int32 else _block64
        result = np.empty(count, np.float32 if draws.dtype == np.int32 else np.float64)
        result[:whole] = blocks(draws[:whole])
        if count != whole:
            result[-16:] = blocks(draws[-16:])
        return result

    def steps(self, builder: StepBuilder, node: Node) -> None:
        box_muller.add_steps(builder, node)

    def samples(self) -> Iterable[Sample]:
        values = np.random.default_rng(4)
        for count in (16, 17, 48, 1003):
            draws = values.integers(-(2**31), 2**31, count + 16, np.int32)
            yield Sample((draws,), {"count": count}, differentiable=False)


def _block64(draws: np.ndarray) -> np.ndarray:
    one, other = np.moveaxis(_uniform53(draws.view(np.uint64)).reshape(-1, 2, 8), 1, 0)
    radius, angle = np.sqrt(-2.0 * np.log(1.0 - one)), 2.0 * np.pi * other
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel() + 0.0


def _block32(draws: np.ndarray) -> np.ndarray:
    """In float32 throughout; its log, sine and cosine are those of the kernel."""
    f32 = np.float32
    uniform = ((draws & 0xFFFFFF) * 2.0**-24).astype(f32).reshape(-1, 2, 8)
    radius = np.sqrt(f32(-2.0) * _log32(f32(1.0) - uniform[:, 0]))
    sine, cosine = _sine_cosine32(f32(2.0 * math.pi) * uniform[:, 1])
    return np.stack([radius * cosine, radius * sine], 1).ravel() + f32(0.0)


def _log32(x: np.ndarray) -> np.ndarray:
    f32 = np.float32
    mantissa, exponent = np.frexp(x)
    small = mantissa < f32(math.sqrt(0.5))
    exponent = exponent.astype(f32) - small.astype(f32)
    r = np.where(small, (mantissa - f32(1)) + mantissa, mantissa - f32(1))
    square = r * r
    y = _fused(_polynomial32(r, box_muller.LOG) * r, square, exponent * f32(box_muller.LN2_LOW))
    return _fused(exponent, f32(box_muller.LN2_HIGH), r + (y - square * f32(0.5)))


def _sine_cosine32(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    f32 = np.float32
    octant = ((x * f32(4.0 / math.pi)).astype(np.int32) + 1) & ~1
    for part in box_muller.MINUS_QUARTER_PI:
        x = _fused(octant.astype(f32), f32(part), x)
    square = x * x
    near_cosine = _polynomial32(square, box_muller.COS) * square
    near_cosine = _fused(near_cosine, square, -(square * f32(0.5))) + f32(1)
    near_sine = _fused(_polynomial32(square, box_muller.SIN) * square, x, x)
    swapped = (octant & 2) != 0
    sine = np.where(swapped, near_cosine, near_sine)
    cosine = np.where(swapped, near_sine, near_cosine)
    sine = np.where((octant & 4) != 0, -sine, sine)
    return sine, np.where(((octant + 2) & 4) != 0, -cosine, cosine)


def _polynomial32(x: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = _fused(total, x, np.float32(coefficient))
    return total
