"""How fast this machine moves and computes, measured once: what kernels' times are held against."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.engine.flush import compute
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import data
from flambeau.ops.matmul import matmul
from flambeau.runtime.buffers import Buffer
from flambeau.runtime.cpu.pool import get_num_threads

_SMALLEST, _LARGEST = 1 << 15, 1 << 26
_ORDER = 512


@dataclass(frozen=True)
class Speed:
    """Bytes a second to and from memory, and operations a second in float32."""

    memory: float
    operations: float


@functools.cache
def measure_speed() -> Speed:
    """Measure with copies by NumPy and a matrix product of ours, in about a tenth of a second."""
    return Speed(bandwidth(_LARGEST), 2 * _ORDER**3 / _quickest(_product()))


def bandwidth(nbytes: int) -> float:
    """Bytes a second that all threads can move when they move `nbytes`: caches make few go faster.

    Measured on one thread; more cannot do better than as many times that.
    """
    one = _copy_speed(min(max(_SMALLEST, 1 << nbytes.bit_length()), _LARGEST))
    return one * get_num_threads()


@functools.cache
def _copy_speed(nbytes: int) -> float:
    source, target = np.ones(nbytes // 2, np.uint8), np.ones(nbytes // 2, np.uint8)
    return nbytes / _quickest(lambda: np.copyto(target, source))


def _product() -> Callable[[], None]:
    array = np.ones((_ORDER, _ORDER), np.float32)
    spec = Spec.of(array.shape, dtypes.float32)
    square: Node = data(Buffer.from_array(array), spec)

    def run() -> None:
        before, context.recording = context.recording, None
        try:
            compute(matmul(square, square))
        finally:
            context.recording = before

    return run


def _quickest(run: Callable[[], None], times: int = 20) -> float:
    best = float("inf")
    for _ in range(times):
        start = perf_counter()
        run()
        best = min(best, perf_counter() - start)
    return best
