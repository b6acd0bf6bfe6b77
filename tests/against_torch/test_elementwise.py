"""What elementwise ops mean, their gradients at kinks and what they refuse, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from flambeau.core.dtypes import dtype
from flambeau.engine.reference import evaluate, evaluate_with, widened
from flambeau.graph.op import Elementwise, Op
from flambeau.graph.recording import parameter
from ops.derivatives import gradients_of
from ops.harness import all_ops, apply, forget_recording, leaf
from tolerances import Tolerance, assert_close, tolerance

torch = pytest.importorskip("torch")

# What random numbers are made with has no counterpart (test_random.py compares results), and the
# count of a loop's rounds has none.
OWN = ("flambeau.ops.random", "flambeau.ops.indexing", "flambeau.autograd.while_loop")
OPS = [op for op in all_ops() if isinstance(op, Elementwise) and type(op).__module__ not in OWN]
RENAMED = {
    "floor_div": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "integer_floor_div": torch.floor_divide,
    "integer_remainder": torch.remainder,
    "integer_fmod": torch.fmod,
    "integer_pow": torch.pow,
    "shift_left": torch.bitwise_left_shift,
    "shift_right": torch.bitwise_right_shift,
    "clamp_min": lambda x, low: torch.clamp(x, min=low),
    "clamp_max": lambda x, high: torch.clamp(x, max=high),
    "cast": lambda x, kind: x.to(getattr(torch, kind.name)),
    **{name: getattr(torch.special, name) for name in ("i0", "i0e", "i1", "i1e")},
}
# Where PyTorch gives NaN for an infinite or a very large quotient.
UNFAIR = {"fmod", "remainder", "i0", "i1"}
# PyTorch computes these in 16 bits; and its float64 sqrt is not correctly rounded everywhere.
LOOSER = {
    "i0e": Tolerance(16, 4),
    "i1e": Tolerance(16, 4, signed_zeros=False),
    "i1": Tolerance(16, 1, signed_zeros=False),
    "sqrt": Tolerance(1),
}


@pytest.fixture(autouse=True)
def own_recording() -> Iterator[None]:
    forget_recording()
    yield
    forget_recording()


def torch_function(op: Op) -> Callable[..., Any]:
    return RENAMED.get(op.name) or getattr(torch, op.name)


def to_torch(array: np.ndarray) -> Any:
    if array.dtype == np.uint16:
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def from_torch(tensor: Any) -> np.ndarray:
    if tensor.dtype is torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def torch_value(op: Op, inputs: tuple[np.ndarray, ...], parameters: dict[str, dtype]) -> np.ndarray:
    return from_torch(torch_function(op)(*[to_torch(one) for one in inputs], **parameters))


@pytest.mark.parametrize("op", OPS, ids=str)
def test_meaning_is_pytorchs(op: Op) -> None:
    for sample in op.samples():
        expected = torch_value(op, sample.inputs, sample.parameters)
        actual = evaluate_with(op, sample.inputs, sample.parameters)
        if op.name in UNFAIR:
            actual = np.where(np.isnan(widened(expected)), expected, actual)
        assert_close(actual, expected, LOOSER.get(op.name, tolerance(op.name)))


@pytest.mark.parametrize("op", OPS, ids=str)
def test_what_pytorch_refuses_too_is_refused_in_its_words(op: Op) -> None:
    for sample in op.error_samples():
        if len({one.dtype for one in sample.inputs}) > 1:
            continue  # PyTorch promotes
        refusal = torch_refusal(op, sample.inputs)
        if refusal is not None:
            assert type(refusal) is sample.error
            assert sample.message in str(refusal)


def torch_refusal(op: Op, inputs: tuple[np.ndarray, ...]) -> Exception | None:
    try:
        torch_value(op, inputs, {})
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        return error
    return None


KINKS = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 2.5])


@pytest.mark.parametrize("op", [op for op in OPS if op.differentiable], ids=str)
def test_gradients_at_kinks_are_pytorchs(op: Op) -> None:
    arity = op.arity  # type: ignore[attr-defined]
    arrays = [np.ascontiguousarray(one) for one in np.meshgrid(*[KINKS] * arity, indexing="ij")]
    if op.name == "where":
        arrays[0] = arrays[0] > 0
    parameters = {name: next(iter(op.samples())).parameters[name] for name in op.parameters}
    if op.name == "cast":
        return
    smooth = [place for place, one in enumerate(arrays) if one.dtype == np.float64]
    tensors = [to_torch(one).requires_grad_(one.dtype == np.float64) for one in arrays]
    output = torch_function(op)(*tensors, **parameters)
    expected = torch.autograd.grad(output.sum(), [tensors[i] for i in smooth])

    variables = [parameter(leaf(one)) if i in smooth else leaf(one) for i, one in enumerate(arrays)]
    result = apply(op, variables, parameters)
    weights = leaf(np.ones(result.shape))
    actual = gradients_of([result], [weights], [variables[i] for i in smooth])
    for mine, theirs in zip(actual, expected, strict=True):
        assert mine is not None
        np.testing.assert_allclose(evaluate(mine), theirs.numpy(), rtol=1e-9, atol=1e-12)
