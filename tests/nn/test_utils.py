"""Gradient clipping and parameters as a vector."""

from __future__ import annotations

import math

import pytest

import flambeau
from flambeau import nn
from flambeau.nn import utils


def with_gradients(*rows):
    parameters = [nn.Parameter(flambeau.zeros(len(row))) for row in rows]
    for parameter, row in zip(parameters, rows, strict=True):
        parameter.grad = flambeau.tensor(row)
    return [*parameters, nn.Parameter(flambeau.zeros(1))]


def gradients(parameters):
    return [p.grad.tolist() for p in parameters if p.grad is not None]


def test_norm_is_limited():
    parameters = with_gradients([3.0], [0.0, 4.0])
    assert utils.clip_grad_norm_(parameters, 1.0).item() == 5
    assert gradients(parameters)[0] == pytest.approx([0.6], rel=1e-5)
    assert utils.clip_grad_norm_(parameters, 10.0).item() == pytest.approx(1, rel=1e-5)
    assert gradients(parameters)[1] == pytest.approx([0.0, 0.8], rel=1e-5)
    assert utils.clip_grad_norm_(parameters, 1.0, math.inf).item() == pytest.approx(0.8, rel=1e-5)
    assert utils.clip_grad_norm_([], 1.0).item() == 0


def test_non_finite_norms():
    parameters = with_gradients([math.inf])
    with pytest.raises(RuntimeError, match="non-finite"):
        utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)


def test_values_are_limited():
    parameters = with_gradients([-3.0, 0.5])
    utils.clip_grad_value_(parameters, 1.0)
    assert gradients(parameters) == [[-1.0, 0.5]]
    utils.clip_grad_value_(parameters[0], 0.25)
    assert gradients(parameters) == [[-0.25, 0.25]]


def test_warnings():
    with pytest.warns(UserWarning, match="empty generator"):
        utils.clip_grad_norm_((p for p in []), 1.0)
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        utils.clip_grad_norm(with_gradients([1.0]), 1.0)


def test_vector_round_trip():
    source, target = nn.Linear(3, 2), nn.Linear(3, 2)
    vector = utils.parameters_to_vector(source.parameters())
    assert vector.shape == (8,)
    utils.vector_to_parameters(vector, target.parameters())
    assert flambeau.equal(source.weight, target.weight)
    assert flambeau.equal(source.bias, target.bias)
    with pytest.raises(TypeError, match=r"expected torch.Tensor"):
        utils.vector_to_parameters([1.0], target.parameters())
