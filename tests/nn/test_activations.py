"""Activations: values against NumPy, gradients against differences, and what holds at kinks."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flambeau
import flambeau.nn.functional as F
from flambeau import nn

ERF = np.vectorize(math.erf)
POINTS = np.array([-30.0, -4.0, -2.5, -1.1, -0.3, 0.2, 0.7, 1.5, 2.9, 5.0, 30.0])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


REFERENCES = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "celu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "gelu": lambda x: x * 0.5 * (1 + ERF(x / math.sqrt(2))),
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "softplus": softplus,
    "logsigmoid": lambda x: -softplus(-x),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "hardsigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hardshrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "tanhshrink": lambda x: x - np.tanh(x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "rrelu": lambda x: np.where(x > 0, x, x * (1 / 8 + 1 / 3) / 2),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_values(name):
    x = flambeau.tensor(POINTS)
    np.testing.assert_allclose(getattr(F, name)(x).numpy(), REFERENCES[name](POINTS), atol=1e-8)


@pytest.mark.parametrize("name", REFERENCES)
def test_gradients(name):
    x = flambeau.tensor(POINTS[1:-1], requires_grad=True)
    assert flambeau.autograd.gradcheck(getattr(F, name), (x,))


# Name, point, gradient there as PyTorch has it.
KINKS = [
    ("relu", 0.0, 0.0),
    ("relu6", 0.0, 0.0),
    ("relu6", 6.0, 0.0),
    ("hardtanh", -1.0, 0.0),
    ("hardtanh", 1.0, 0.0),
    ("leaky_relu", 0.0, 0.01),
    ("elu", 0.0, 1.0),
    ("selu", 0.0, 1.6732632423543772 * 1.0507009873554805),
    ("hardsigmoid", 3.0, 0.0),
    ("hardsigmoid", -3.0, 0.0),
    ("hardswish", -3.0, 0.0),
    ("hardswish", 3.0, 1.0),
    ("hardshrink", 0.5, 0.0),
    ("softshrink", 0.5, 0.0),
    ("softsign", 0.0, 1.0),
    ("logsigmoid", 0.0, 0.5),
]


@pytest.mark.parametrize(("name", "point", "gradient"), KINKS)
def test_gradient_at_a_kink(name, point, gradient):
    x = flambeau.tensor(point, dtype=flambeau.float64, requires_grad=True)
    getattr(F, name)(x).backward()
    assert x.grad.item() == pytest.approx(gradient, abs=1e-12)


@pytest.mark.parametrize("name", ["elu", "selu", "celu", "softplus", "mish", "logsigmoid", "silu"])
def test_no_overflow_in_the_branch_not_taken(name):
    x = flambeau.tensor([-1000.0, 1000.0], requires_grad=True)
    y = getattr(F, name)(x)
    y.sum().backward()
    assert bool(flambeau.isfinite(y).all())
    assert bool(flambeau.isfinite(x.grad).all())


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "silu", "hardtanh", "hardswish"])
def test_in_place(name):
    x = flambeau.tensor(POINTS)
    expected = getattr(F, name)(x)
    assert getattr(F, name)(x, inplace=True) is x
    assert flambeau.equal(x, expected)


def test_prelu_per_channel():
    x = -flambeau.ones(2, 3, 4)
    slopes = flambeau.tensor([1.0, 2.0, 3.0])
    assert F.prelu(x, slopes)[1, :, 0].tolist() == [-1.0, -2.0, -3.0]
    assert nn.PReLU(3)(x).shape == (2, 3, 4)
    with pytest.raises(RuntimeError, match="one per channel"):
        F.prelu(x, flambeau.ones(2))


def test_rrelu_draws_slopes_in_training():
    flambeau.manual_seed(0)
    y = F.rrelu(-flambeau.ones(1000), 0.25, 0.5, training=True)
    assert -0.5 <= y.min().item() < -0.49
    assert -0.26 < y.max().item() <= -0.25


def test_softmax_family():
    x = np.array([[1.0, 2.0, 1000.0], [-1.0, 0.0, 1.0]])
    e = np.exp(x - x.max(1, keepdims=True))
    softmax = e / e.sum(1, keepdims=True)
    t = flambeau.tensor(x)
    np.testing.assert_allclose(F.softmax(t, 1).numpy(), softmax)
    np.testing.assert_allclose(F.log_softmax(t, 1)[1].exp().numpy(), softmax[1])
    np.testing.assert_allclose(F.softmin(-t, 1).numpy(), softmax)
    assert F.log_softmax(t, 1)[0, 0].item() == -999.0
    assert F.softmax(t.float(), 1, dtype=flambeau.float64).dtype is flambeau.float64
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        assert F.softmax(t).shape == t.shape
    z = flambeau.randn(3, 4, dtype=flambeau.float64, requires_grad=True)
    assert flambeau.autograd.gradcheck(lambda a: F.softmax(a, 1), (z,))
    assert flambeau.autograd.gradcheck(lambda a: F.log_softmax(a, 0), (z,))


def test_narrow_types_round_once():
    x = flambeau.linspace(-3, 3, 50)
    for kind in (flambeau.float16, flambeau.bfloat16):
        y = x.to(kind)
        assert F.gelu(y).dtype is kind
        assert flambeau.equal(F.gelu(y), F.gelu(y.float()).to(kind))
        assert flambeau.equal(F.softmax(y, 0), F.softmax(y.float(), 0).to(kind))


def test_glu_and_gumbel():
    x = flambeau.arange(8.0).view(2, 4)
    halves = x.numpy()[:, :2] * sigmoid(x.numpy()[:, 2:])
    np.testing.assert_allclose(F.glu(x).numpy(), halves, rtol=1e-6)
    with pytest.raises(RuntimeError, match="Halving dimension must be even"):
        F.glu(x[:, :3])
    logits = flambeau.zeros(5, 3, requires_grad=True)
    sample = F.gumbel_softmax(logits, hard=True)
    assert sample.sum(1).tolist() == [1.0] * 5
    (sample * flambeau.arange(3.0)).sum().backward()
    assert logits.grad.abs().sum().item() > 0


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.ReLU(inplace=True), "ReLU(inplace=True)"),
        (nn.Hardtanh(), "Hardtanh(min_val=-1.0, max_val=1.0)"),
        (nn.LeakyReLU(0.2), "LeakyReLU(negative_slope=0.2)"),
        (nn.GELU("tanh"), "GELU(approximate='tanh')"),
        (nn.Softmax(dim=1), "Softmax(dim=1)"),
        (nn.Hardshrink(), "Hardshrink(0.5)"),
        (nn.Threshold(1, 2), "Threshold(threshold=1, value=2)"),
    ],
)
def test_repr(layer, text):
    assert repr(layer) == text
