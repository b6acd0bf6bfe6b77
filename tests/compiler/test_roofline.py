"""The kernels that tell how fast a machine is do the work that they are timed for."""

from __future__ import annotations

import numpy as np
import pytest
from llvmlite import ir

from flambeau.compiler.templates import roofline
from flambeau.runtime.cpu.executor import Program, Step
from flambeau.runtime.kernel_cache import kernels

LANES = (1, 4, 8, 16)


def run(
    emit: roofline.Emit, lanes: int, source: np.ndarray, target: np.ndarray, items: int
) -> None:
    def build(name: str) -> str:
        module = ir.Module(name)
        emit(module, name, lanes)
        return str(module)

    code = kernels.get(f"test {emit.__name__} {lanes}", build)
    step = Step(code, 0, items, 1, 0, False)
    Program([step], [source.ctypes.data, target.ctypes.data], 0, [], [], 0, 0).run(())


@pytest.mark.parametrize("lanes", LANES)
def test_copy_copies_every_block(lanes: int) -> None:
    source = np.random.default_rng(0).random(5 * roofline.BLOCK, np.float32)
    target = np.zeros_like(source)
    run(roofline.emit_copy, lanes, source, target, 4)
    done = 4 * roofline.BLOCK
    np.testing.assert_array_equal(target[:done], source[:done])
    assert not target[done:].any()


@pytest.mark.parametrize("lanes", LANES)
def test_read_adds_up_what_it_reads(lanes: int) -> None:
    source, target = np.ones(roofline.BLOCK, np.float32), np.zeros(lanes, np.float32)
    run(roofline.emit_read, lanes, source, target, 1)
    assert target.sum() == roofline.BLOCK


@pytest.mark.parametrize("lanes", LANES)
def test_every_chain_is_multiplied_and_added(lanes: int) -> None:
    source, target = np.full(roofline.BLOCK, 0.5, np.float32), np.zeros(lanes, np.float32)
    run(roofline.emit_multiply_adds, lanes, source, target, 1)
    # x = x / 2 + 1 / 2 ends at 1.
    np.testing.assert_array_equal(target, np.full(lanes, roofline.CHAINS))
