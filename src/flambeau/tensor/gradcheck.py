"""Gradients compared with finite differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau.autograd.modes import enable_grad, no_grad
from flambeau.core import dtypes
from flambeau.tensor.conversion import array_of
from flambeau.tensor.creation import ones_like, tensor, zeros_like
from flambeau.tensor.gradients import grad
from flambeau.tensor.tensor import Tensor


class GradcheckError(RuntimeError):
    """A gradient that differs from the finite difference."""


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _differentiable(values: Sequence[Any]) -> list[Tensor]:
    return [
        one
        for one in values
        if isinstance(one, Tensor) and one.dtype.is_floating_point and one.requires_grad
    ]


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func` at `inputs` agree with central differences.

    The inputs that require a gradient should be float64. GradcheckError (or False, without
    `raise_exception`) where they differ.

    >>> import flambeau
    >>> x = flambeau.rand(3, dtype=flambeau.float64, requires_grad=True)
    >>> flambeau.autograd.gradcheck(flambeau.sin, x)
    True
    """
    try:
        _check(func, _tuple(inputs), eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(
    func: Callable[..., Any], inputs: tuple[Any, ...], eps: float, atol: float, rtol: float
) -> None:
    checked = _differentiable(inputs)
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them "
            "have requires_grad=True."
        )
    if any(one.dtype is not dtypes.float64 for one in checked):
        warnings.warn(
            "gradcheck: an input requires gradient and is not a double precision floating point. "
            "This check will likely fail if all the inputs are not of double precision.",
            stacklevel=3,
        )
    outputs = _differentiable(_tuple(func(*inputs)))
    for number, output in enumerate(outputs):
        exact = _analytical(output, checked)
        for place, (one, found) in enumerate(zip(checked, exact, strict=True)):
            numeric = _numerical(func, inputs, one, number, eps)
            if not np.allclose(found, numeric, rtol, atol, equal_nan=True):
                raise GradcheckError(
                    f"Jacobian mismatch for output {number} with respect to input {place},\n"
                    f"numerical:{numeric}\nanalytical:{found}\n"
                )


def _analytical(output: Tensor, inputs: Sequence[Tensor]) -> list[np.ndarray]:
    """Jacobians (input element, output element), one backward pass for each output element."""
    count = output.numel()
    jacobians = [np.zeros((one.numel(), count)) for one in inputs]
    for place in range(count):
        seed = np.zeros(count)
        seed[place] = 1
        weights = tensor(seed, dtype=output.dtype).view(*output.shape)
        found = grad(output, inputs, weights, retain_graph=True, allow_unused=True)
        for jacobian, one in zip(jacobians, found, strict=True):
            if one is not None:
                jacobian[:, place] = array_of(one).reshape(-1)
    return jacobians


def _numerical(
    func: Callable[..., Any], inputs: tuple[Any, ...], one: Tensor, number: int, eps: float
) -> np.ndarray:
    """The same Jacobian from differences."""
    columns = []
    start = array_of(one).copy()
    with no_grad():
        for place in range(start.size):
            values = []
            for step in (eps, -eps):
                moved = start.copy()
                moved.reshape(-1)[place] += step
                one.copy_(tensor(moved))
                values.append(_output(func, inputs, number))
            columns.append((values[0] - values[1]) / (2 * eps))
        one.copy_(tensor(start))
    return np.array(columns).reshape(start.size, -1)


def _output(func: Callable[..., Any], inputs: tuple[Any, ...], number: int) -> np.ndarray:
    outputs = [
        one
        for one in _tuple(func(*inputs))
        if isinstance(one, Tensor) and one.dtype.is_floating_point
    ]
    return array_of(outputs[number]).reshape(-1).astype(np.float64)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the second gradients agree with differences of the first."""
    given = _tuple(inputs)
    outputs = _differentiable(_tuple(func(*given)))
    if grad_outputs is None:
        weights = [(ones_like(one) * 0.7).requires_grad_(True) for one in outputs]
    else:
        weights = list(_tuple(grad_outputs))
    count = len(given)

    @enable_grad()
    def first(*arguments: Any) -> Any:
        results = _differentiable(_tuple(func(*arguments[:count])))
        wanted = _differentiable(arguments[:count])
        found = grad(results, wanted, arguments[count:], create_graph=True, allow_unused=True)
        pairs = zip(found, wanted, strict=True)
        return tuple([zeros_like(one) if answer is None else answer for answer, one in pairs])

    return gradcheck(
        first, (*given, *weights), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception
    )
