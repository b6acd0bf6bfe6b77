"""Functions of flambeau.numpy's arrays as functions of tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.device import device
from flambeau.core.dtypes import dtype
from flambeau.numpy._ndarray import ndarray, viewing
from flambeau.tensor.tensor import Tensor


def entered(given: Any) -> Any:
    """An argument as flambeau.numpy takes it: tensors as arrays of the same elements."""
    if isinstance(given, Tensor):
        return viewing(given)
    if isinstance(given, dtype):
        return given.numpy
    if isinstance(given, device):
        return given.type
    if type(given) in (list, tuple):
        return type(given)([entered(one) for one in given])
    return given


def given_back(result: Any) -> Any:
    """A result as the standard's: arrays as tensors, dtypes as tensors'."""
    if isinstance(result, ndarray):
        return result._tensor
    if isinstance(result, np.dtype):
        return dtypes.from_numpy(result)
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*[given_back(one) for one in result])
    if type(result) in (list, tuple):
        return type(result)([given_back(one) for one in result])
    return result


def on_tensors(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`function` for tensors, under the standard's name."""

    @functools.wraps(function, assigned=("__doc__",), updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        named = {key: entered(value) for key, value in kwargs.items()}
        return given_back(function(*map(entered, args), **named))

    wrapper.__name__ = wrapper.__qualname__ = name
    return wrapper
