"""Tensors under the Python array API standard; benchmarks/array_api.py compares all functions."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import flambeau
from flambeau import array_api as xp

# The standard's functions, apart from those of complex numbers' parts and of Fourier transforms.
NAMES = """
    arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like
    tril triu zeros zeros_like astype can_cast finfo iinfo isdtype result_type abs acos acosh add
    asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or
    bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor
    floor_divide greater greater_equal hypot imag isfinite isinf isnan less less_equal log log1p
    log2 log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum multiply
    negative nextafter not_equal positive pow real reciprocal remainder round sign signbit sin sinh
    square sqrt subtract tan tanh trunc e inf nan newaxis pi take take_along_axis matmul
    matrix_transpose tensordot vecdot broadcast_arrays broadcast_to concat expand_dims flip moveaxis
    permute_dims repeat reshape roll squeeze stack tile unstack argmax argmin count_nonzero nonzero
    searchsorted where unique_all unique_counts unique_inverse unique_values argsort sort
    cumulative_prod cumulative_sum max mean min prod std sum var all any diff linalg
    __array_api_version__ __array_namespace_info__ bool int8 int16 int32 int64 uint8 float32
    float64"""


def test_the_namespace_is_whole() -> None:
    assert not [name for name in NAMES.split() if not hasattr(xp, name)]
    assert not [name for name in NAMES.split() if not hasattr(flambeau.numpy, name)]
    assert flambeau.ones(1).__array_namespace__() is xp
    assert flambeau.ones(1).__array_namespace__(api_version="2024.12") is xp
    with pytest.raises(ValueError, match=r"2019\.12"):
        flambeau.ones(1).__array_namespace__(api_version="2019.12")


def test_functions_take_and_give_tensors() -> None:
    x = flambeau.tensor([[3.0, 1.0], [2.0, 4.0]])
    total = xp.sum(x, axis=0)
    assert type(total) is flambeau.Tensor
    assert total.tolist() == [5.0, 5.0]
    values, counts = xp.unique_counts(flambeau.tensor([1, 2, 1]))
    assert (values.tolist(), counts.tolist()) == ([1, 2], [2, 1])
    assert xp.sort(x, descending=True).tolist() == [[3.0, 1.0], [4.0, 2.0]]
    assert xp.linalg.inv(x).dtype is flambeau.float32
    assert xp.result_type(x, flambeau.float64) is flambeau.float64
    assert x.to_device("cpu").tolist() == x.tolist()


def test_floats_have_the_default_dtype_of_tensors() -> None:
    made = (xp.zeros(2), xp.asarray(1.5), xp.asarray([1.5]), xp.full(2, 1.0), xp.linspace(0, 1, 3))
    assert {one.dtype for one in made} == {flambeau.float32}
    assert xp.arange(3).dtype is flambeau.int64
    assert xp.asarray(np.ones(2)).dtype is flambeau.float64
    assert xp.__array_namespace_info__().default_dtypes()["real floating"] is flambeau.float32


def test_gradients_flow_through_the_namespace() -> None:
    x = flambeau.tensor([1.0, 2.0], requires_grad=True)
    xp.sum(xp.exp(xp.stack([x, 2 * x])[1, :])).backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp([2.0, 4.0]), rtol=1e-6)


def test_elements_are_shared_unless_copied() -> None:
    x = flambeau.zeros(2)
    xp.asarray(x)[0] = 1
    xp.asarray(x, copy=True)[1] = 1
    assert x.tolist() == [1.0, 0.0]


SCIPY = """
import numpy as np, flambeau
from scipy import special, stats
x = np.random.default_rng(0).normal(size=(20, 4))
for function in (stats.zscore, stats.skew, lambda a: special.logsumexp(a, axis=1)):
    ours = function(flambeau.tensor(x))
    assert type(ours) is flambeau.Tensor
    np.testing.assert_allclose(ours.numpy(), function(x), rtol=1e-9)
"""
SKLEARN = """
import numpy as np, flambeau, flambeau.numpy
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
x = np.random.default_rng(0).normal(size=(20, 4))
def run(a):
    scaled = StandardScaler().fit(a).transform(a)
    return scaled, abs(PCA(2, svd_solver="full").fit_transform(a)), (
        Ridge(solver="svd").fit(a, a[:, 0]).predict(a))
expected = run(x)
with config_context(array_api_dispatch=True):
    arrays = flambeau.numpy
    for make, kind in ((flambeau.tensor, flambeau.Tensor), (arrays.array, arrays.ndarray)):
        for ours, theirs in zip(run(make(x)), expected, strict=True):
            assert type(ours) is kind
            np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-6, atol=1e-9)
"""


@pytest.mark.parametrize(("library", "program"), [("scipy", SCIPY), ("sklearn", SKLEARN)])
def test_libraries_accept_tensors(library: str, program: str) -> None:
    pytest.importorskip(library)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not done.returncode, done.stderr
