"""How fast this machine computes and moves bytes: what times are held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from flambeau.runtime.cpu.executor import Program, Step
from flambeau.runtime.cpu.pool import get_num_threads
from flambeau.runtime.kernel_cache import kernels

_Array = NDArray[np.float32]

_SMALLEST, _LARGEST = 1 << 15, 1 << 27
_TRIES, _SECONDS = 20, 0.02  # the quickest of as many tries as fit, but of a few at least
_FEWEST_TRIES = 5
_ITEMS = 64  # of multiply-adds, about ten microseconds each
_BYTES_A_RUN = 1 << 22  # at least, in several waves if need be, so that starting costs nothing


@dataclass(frozen=True)
class Speed:
    """Bytes a second to and from memory, and operations a second in float32, of all threads."""

    memory: float
    operations: float


_Measure = Callable[[int], float]
_known: dict[tuple[_Measure, int, int], float] = {}  # by bytes and threads


def measure_speed() -> Speed:
    """Measure, once, with kernels that do nothing else, in about a tenth of a second."""
    return Speed(bandwidth(_LARGEST), _best(_peak, 0))


def bandwidth(nbytes: int) -> float:
    """Bytes a second that a program can move whose data takes `nbytes`: caches make few go faster.

    The better of reading and of copying.
    """
    return _best(_moved, min(max(_SMALLEST, 1 << nbytes.bit_length()), _LARGEST))


def measure_again() -> None:
    """Measure anew what is known and keep the better, as a machine may have been busy before."""
    threads = get_num_threads()
    for (measure, nbytes, of_threads), before in tuple(_known.items()):
        if of_threads == threads:
            _known[measure, nbytes, threads] = max(before, measure(nbytes))


def _best(measure: _Measure, nbytes: int) -> float:
    key = measure, nbytes, get_num_threads()
    if key not in _known:
        _known[key] = measure(nbytes)
    return _known[key]


def _peak(_nbytes: int) -> float:
    from flambeau.compiler.templates import roofline
    from flambeau.runtime.llvm import machine

    block = np.full(roofline.BLOCK, 0.5, np.float32)
    seconds = _quickest("multiply_adds", block, block.copy(), _ITEMS, 1, 1)
    return _ITEMS * roofline.operations(machine.lanes()) / seconds


def _moved(nbytes: int) -> float:
    from flambeau.compiler.templates.roofline import BLOCK

    source, target = np.ones(nbytes // 4, np.float32), np.ones(nbytes // 8, np.float32)
    blocks = source.size // BLOCK
    grain = max(1, blocks // 8)
    waves = max(1, _BYTES_A_RUN // nbytes)
    reading = _quickest("read", source, target, blocks, grain, waves)
    copying = _quickest("copy", source, target, blocks // 2, grain, waves)
    return nbytes * waves / min(reading, copying)


def _quickest(
    name: str, source: _Array, target: _Array, items: int, grain: int, waves: int
) -> float:
    """Seconds of the quickest run of a kernel of templates/roofline.py."""

    def build(symbol: str) -> str:
        from llvmlite import ir

        from flambeau.compiler.templates import roofline
        from flambeau.runtime.llvm import machine

        module = ir.Module(symbol)
        getattr(roofline, f"emit_{name}")(module, symbol, machine.lanes())
        return str(module)

    code = kernels.get(f"roofline {name}", build)
    steps = [Step(code, 0, items, grain, wave, False) for wave in range(waves)]
    program = Program(steps, [source.ctypes.data, target.ctypes.data], 0, [], [], 0, 0)
    times: list[float] = []
    while len(times) < _FEWEST_TRIES or (len(times) < _TRIES and sum(times) < _SECONDS):
        start = perf_counter()
        program.run(())
        times.append(perf_counter() - start)
    return min(times)
