"""Initial values: their distributions, and PyTorch's numbers from the same seed."""

from __future__ import annotations

import math

import pytest

import flambeau
from flambeau import nn
from flambeau.nn import init

# What PyTorch 2.13 gives for Linear(3, 2) and then MultiheadAttention(2, 1) after manual_seed(0).
LINEAR_WEIGHT = [[-0.0043225177, 0.30971584, -0.47518533], [-0.4248946, -0.22236897, 0.15482073]]
LINEAR_BIAS = [-0.011439145, 0.45777494]
ATTENTION_ROW = [-0.35699567, 0.032080673]


def drawn(name, *shape, **settings):
    flambeau.manual_seed(0)
    return getattr(init, name)(flambeau.empty(*shape), **settings)


@pytest.mark.parametrize(
    ("name", "settings", "std"),
    [
        ("uniform_", {"a": -1.0, "b": 1.0}, 1 / math.sqrt(3)),
        ("normal_", {"std": 0.5}, 0.5),
        ("xavier_uniform_", {"gain": 2.0}, 2 * math.sqrt(2 / 500)),
        ("xavier_normal_", {}, math.sqrt(2 / 500)),
        ("kaiming_uniform_", {"nonlinearity": "relu"}, math.sqrt(2 / 300)),
        ("kaiming_normal_", {"mode": "fan_out", "a": 1.0}, math.sqrt(1 / 200)),
    ],
)
def test_spread(name, settings, std):
    weights = drawn(name, 200, 300, **settings)
    assert weights.mean().item() == pytest.approx(0, abs=0.02 * std)
    assert weights.std().item() == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize("limits", [(-1.0, 2.0), (1.5, 3.0)])
def test_truncated_normal_stays_inside(limits):
    weights = drawn("trunc_normal_", 5000, a=limits[0], b=limits[1])
    assert limits[0] <= weights.min().item() < limits[0] + 0.05
    assert weights.max().item() <= limits[1]


def test_orthogonal():
    for shape in ((4, 7), (7, 4), (4, 2, 3)):
        weights = drawn("orthogonal_", *shape, gain=2.0).reshape(shape[0], -1)
        small = weights @ weights.t() if shape[0] <= weights.shape[1] else weights.t() @ weights
        assert flambeau.allclose(small, 4 * flambeau.eye(len(small)), atol=1e-4)


def test_simple_fillings():
    assert drawn("eye_", 2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert drawn("constant_", 2, val=0.5).tolist() == [0.5, 0.5]
    assert drawn("ones_", 1).item() == 1
    assert drawn("zeros_", 1).item() == 0
    assert (drawn("sparse_", 10, 4, sparsity=0.3) == 0).sum(0).tolist() == [3, 3, 3, 3]
    passed = drawn("dirac_", 4, 2, 3, groups=2)
    assert passed.nonzero().tolist() == [[0, 0, 1], [1, 1, 1], [2, 0, 1], [3, 1, 1]]


def test_initialisation_is_not_recorded():
    weight = nn.Parameter(flambeau.empty(2, 2))
    assert init.normal_(weight) is weight
    assert weight.is_leaf


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init.xavier_uniform_(flambeau.empty(3))
    with pytest.raises(ValueError, match="Mode sideways not supported"):
        init.kaiming_uniform_(flambeau.empty(3, 3), mode="sideways")
    with pytest.raises(ValueError, match="Unsupported nonlinearity"):
        init.calculate_gain("step")
    with pytest.raises(ValueError, match="2 dimensions"):
        init.eye_(flambeau.empty(3))
    with pytest.warns(UserWarning, match="no-op"):
        init.kaiming_normal_(flambeau.empty(0, 3))
    with pytest.warns(FutureWarning, match=r"in favor of `nn.init.uniform_`"):
        init.uniform(flambeau.empty(1))


def test_gains():
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu", 1) == 1
    assert init.calculate_gain("conv2d") == 1


def test_layers_start_from_pytorchs_numbers():
    flambeau.manual_seed(0)
    linear = nn.Linear(3, 2)
    assert flambeau.allclose(linear.weight, flambeau.tensor(LINEAR_WEIGHT), rtol=1e-6)
    assert flambeau.allclose(linear.bias, flambeau.tensor(LINEAR_BIAS), rtol=1e-6)
    attention = nn.MultiheadAttention(2, 1)
    assert attention.in_proj_weight[0].tolist() == pytest.approx(ATTENTION_ROW, rel=1e-6)
