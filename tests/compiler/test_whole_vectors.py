"""Kernels whose sizes fill all vectors have no code for a few lanes, and give the same results."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau
from flambeau.compiler.kernel import WIDEST, Instruction, Kernel, Section
from flambeau.core import dtypes
from flambeau.runtime.kernel_cache import kernels


@pytest.mark.parametrize(("size", "whole"), [(WIDEST, True), (3 * WIDEST, True), (65, False)])
def test_the_axis_of_the_lanes_decides(size: int, whole: bool) -> None:
    assert Kernel([7, size], [], "outer").whole is whole
    assert Kernel([7], [size], "inner").whole is whole
    assert not Kernel([size], [7], "inner").whole


def test_an_epilogue_leaves_its_lanes_to_the_product() -> None:
    kernel = Kernel([1, WIDEST], [], "outer")
    kernel.sections.append(Section(False, [(0, Instruction("product", dtypes.float32))]))
    assert not kernel.whole


def test_sizes_of_a_kind_share_a_kernel() -> None:
    def compiled(columns: int) -> int:
        before = kernels.counters.compiled + kernels.counters.loaded_from_disk
        (flambeau.ones(6, columns).cos() - 3).amax(1).numpy()
        return kernels.counters.compiled + kernels.counters.loaded_from_disk - before

    compiled(128), compiled(129)
    assert compiled(192) == compiled(320) == compiled(193) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("size", [64, 65, 100, 128, 4096, 4160, 4161, 8192])
def test_every_element_is_computed_once(size: int, dtype: str) -> None:
    x = np.random.default_rng(size).integers(-9, 9, (3, size)).astype(dtype)
    t = flambeau.tensor(x)
    np.testing.assert_array_equal((t * 2 + 1).numpy(), x * 2 + 1)
    np.testing.assert_array_equal((t * 2).sum(1).numpy(), (x * 2).sum(1))
    np.testing.assert_array_equal((t * 2).sum(0).numpy(), (x * 2).sum(0))
    np.testing.assert_array_equal((t - t.amax(1, keepdim=True)).numpy(), x - x.max(1)[:, None])
