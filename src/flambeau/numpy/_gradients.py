"""Gradients of NumPy-style functions."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from flambeau.autograd.aliases import CLONE
from flambeau.autograd.modes import enable_grad
from flambeau.graph.recording import record
from flambeau.numpy._ndarray import fresh, made, ndarray, node_of
from flambeau.tensor.gradients import grad as gradients_of
from flambeau.tensor.tensor import Tensor, wrap

Function = Callable[..., Any]


class _Depth(threading.local):
    """How many functions are being differentiated around this one."""

    level = 0


_depth = _Depth()


def value_and_grad(
    function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Function:
    """`function` with the gradient of its value, a scalar, by the arguments `argnums`.

    Each gradient is of its argument's kind: an array for an array or a float, a Tensor for a
    Tensor. With `has_aux` the function gives its value and something more, which is handed on.
    TypeError for arguments that are not floating-point, and for values that are not scalars.

    >>> import flambeau
    >>> import flambeau.numpy as np
    >>> flambeau.value_and_grad(lambda w: (w**2).sum())(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        chosen = [argnums] if isinstance(argnums, int) else list(argnums)
        leaves = [_leaf(args[place], place) for place in chosen]
        values = list(args)
        for place, leaf in zip(chosen, leaves, strict=True):
            # A value of its own: the function may write to it, and the caller's stays as it is.
            values[place] = _as_given(args[place], wrap(record(CLONE, (leaf.node,))))
        nested = _depth.level > 0
        _depth.level += 1
        try:
            with enable_grad():
                answer = function(*values, **kwargs)
                value, *more = answer if has_aux else (answer,)
                found = _gradients(_scalar(value), leaves, nested)
        finally:
            _depth.level -= 1
        results = tuple(
            [_as_given(args[place], one) for place, one in zip(chosen, found, strict=True)]
        )
        gradient = results[0] if isinstance(argnums, int) else results
        value = value if nested else _without_history(value)
        return ((value, *more), gradient) if has_aux else (value, gradient)

    return wrapper


def grad(function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """The gradient of `function`'s value, a scalar, by the arguments `argnums`.

    It can be differentiated in turn; see `value_and_grad`.

    >>> import flambeau
    >>> import flambeau.numpy as np
    >>> flambeau.grad(lambda x: np.sin(x).sum())(np.array([0.0]))
    array([1.])
    >>> flambeau.grad(flambeau.grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, *value[1:]) if has_aux else gradient

    return wrapper


def _leaf(argument: Any, place: int) -> Tensor:
    """A place to differentiate at, with the argument's value."""
    node = node_of(argument)
    if not node.spec.dtype.is_floating_point:
        raise TypeError(
            f"grad: argument {place} must be floating-point to differentiate by it, received "
            f"{node.spec.dtype.name}"
        )
    copy = wrap(record(CLONE, (node,)))
    if not node.requires_grad:
        copy.requires_grad = True
    return copy


def _scalar(value: Any) -> Tensor:
    tensor = value._tensor if isinstance(value, ndarray) else value
    if not isinstance(tensor, Tensor) or tensor.numel() != 1:
        what = (
            f"shape {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else type(value).__name__
        )
        raise TypeError(f"grad: the function must return a scalar array, received {what}")
    return tensor


def _gradients(value: Tensor, leaves: Sequence[Tensor], nested: bool) -> Sequence[Tensor]:
    if not value.requires_grad:
        return [leaf.detach() * 0 for leaf in leaves]
    return gradients_of(
        value, leaves, create_graph=nested, allow_unused=True, materialize_grads=True
    )


def _as_given(argument: Any, tensor: Tensor) -> Any:
    """A tensor as the kind of array that the argument is."""
    if isinstance(argument, Tensor):
        return tensor
    node = tensor.node
    return made(fresh(node, node))


def _without_history(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    return made(fresh(value._tensor.detach().node, value._tensor.node))
