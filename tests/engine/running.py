"""Ways to run a program, and to compare what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import llvmlite.binding as llvm
import numpy as np

from engine.random_programs import Program
from flambeau.compiler import linking
from flambeau.compiler.units import Nest
from flambeau.core.context import context
from flambeau.engine.eager import eager
from flambeau.engine.flush import engine, flush
from flambeau.engine.reference import evaluate, widened
from flambeau.graph.node import Node
from flambeau.runtime.cpu import executor, pool
from flambeau.runtime.kernel_cache import KernelCache
from flambeau.runtime.llvm import machine
from ops.harness import stored_value

Values = list[np.ndarray]


def fused(program: Program) -> Values:
    """The wanted values, of one flush, with nothing else held."""
    return [stored_value(one) for one in program.record(program.make_leaves())]


def one_by_one(program: Program) -> Values:
    """The wanted values, every op run as it is recorded."""
    with eager():
        wanted = program.record(program.make_leaves())
    return [stored_value(one) for one in wanted]


def all_held(program: Program) -> dict[Node, np.ndarray]:
    """Every node of the program, recorded but not run, and its value from a run of them all."""
    nodes, again = _recorded(program), _recorded(program, run=True)
    return dict(zip(nodes, [stored_value(one) for one in again], strict=True))


def _recorded(program: Program, *, run: bool = False) -> list[Node]:
    flush()  # what others recorded is theirs
    wanted = program.record(program.make_leaves())
    nodes = [*context.recording.nodes] if context.recording else wanted
    if not run:
        context.recording = None
    return nodes


def reference_of(node: Node, computed: dict[Node, np.ndarray]) -> np.ndarray:
    """What `node` means, given the values of its inputs."""
    return evaluate(node, {one: computed[one] for one in node.inputs if one in computed})


def assert_same_bits(actual: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    """Equal to the bit, but for the bits within a NaN, which processors choose."""
    for number, (found, wanted) in enumerate(zip(actual, expected, strict=True)):
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        nans = np.isnan(widened(found)) & np.isnan(widened(wanted))
        same = (_bits(found) == _bits(wanted)) | nans
        if not same.all():
            first = np.unravel_index(np.argmin(same), same.shape)
            raise AssertionError(
                f"wanted value {number}, {found.dtype}{list(found.shape)}: {(~same).sum()} differ; "
                f"at {[int(i) for i in first]} {found[first]!r}, expected {wanted[first]!r}"
            )


def _bits(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(f"u{array.itemsize}").reshape(array.shape)


def forget_plans() -> None:
    """Compile everything anew from here on."""
    engine.plans.clear()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Share all work, however little, out among this many threads, item by item."""
    before, work = pool.get_num_threads(), linking.nest_work

    def one_at_a_time(nest: Nest) -> tuple[int, int]:
        total, grain = work(nest)
        return total, grain if nest.serial else 1

    with ExitStack() as stack:
        stack.enter_context(patch.object(executor, "_WORTH_SHARING", 0))
        stack.enter_context(patch.object(executor, "_WORTH_WAKING", 0))
        stack.enter_context(patch.object(linking, "nest_work", one_at_a_time))
        forget_plans()
        pool.set_num_threads(count)
        try:
            yield
        finally:
            pool.set_num_threads(before)
            forget_plans()


@contextmanager
def kernel_folder(folder: Path) -> Iterator[KernelCache]:
    """Take kernels from this folder, and from nowhere else."""
    cache = KernelCache(folder, 1 << 30)
    forget_plans()
    with patch.object(linking, "kernels", cache):
        yield cache
    forget_plans()


@contextmanager
def lanes(count: int, folder: Path) -> Iterator[None]:
    """Compile for vectors of `count` float32 numbers; a folder for each count."""
    with patch.object(machine, "lanes", lambda: count), kernel_folder(folder / str(count)):
        yield


def is_x86_64_v3() -> bool:
    """Whether this processor runs code for AVX2 machines."""
    features = llvm.get_host_cpu_features()
    return all(features.get(name, False) for name in ("avx2", "fma", "bmi2", "f16c", "lzcnt"))
