"""Creation functions: floats have tensors' default dtype, `flambeau.get_default_dtype()`."""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau.array_api._adapter import entered, given_back
from flambeau.core.context import context
from flambeau.core.dtypes import dtype as Kind
from flambeau.numpy import _creation as arrays
from flambeau.numpy._ndarray import ndarray
from flambeau.tensor.tensor import Tensor


def _kind(dtype: Kind | None, *numbers: Any) -> Any:
    """The dtype asked for; the default one where none was and a number is a float."""
    if dtype is None and (not numbers or any(type(one) is float for one in numbers)):
        return context.default_dtype.numpy
    return None if dtype is None else dtype.numpy


def _made(function: Any, *args: Any, device: Any = None, **named: Any) -> Any:
    return given_back(function(*map(entered, args), device=entered(device), **named))


def asarray(
    obj: Any, /, *, dtype: Kind | None = None, device: Any = None, copy: bool | None = None
) -> Tensor:
    """A tensor of a number, nested sequences, a buffer or a tensor, shared unless `copy`."""
    made = _made(arrays.asarray, obj, device=device, copy=copy, dtype=_given(dtype))
    plain = not isinstance(obj, (Tensor, np.ndarray, np.generic, ndarray))
    if plain and dtype is None and made.dtype.is_floating_point and not _holds_arrays(obj):
        return made.to(context.default_dtype)
    return made


def _given(dtype: Kind | None) -> Any:
    return None if dtype is None else dtype.numpy


def _holds_arrays(obj: Any) -> bool:
    if isinstance(obj, (list, tuple)):
        return any(_holds_arrays(one) for one in obj)
    return isinstance(obj, (Tensor, np.ndarray, np.generic))


def arange(
    start: Any,
    /,
    stop: Any = None,
    step: Any = 1,
    *,
    dtype: Kind | None = None,
    device: Any = None,
) -> Tensor:
    """start, start + step, ... below `stop`; from 0 with one argument."""
    kind = _kind(dtype, start, stop, step)
    return _made(arrays.arange, start, stop, step, dtype=kind, device=device)


def empty(shape: Any, *, dtype: Kind | None = None, device: Any = None) -> Tensor:
    """A tensor to be filled; it holds zeros."""
    return _made(arrays.zeros, shape, dtype=_kind(dtype), device=device)


def zeros(shape: Any, *, dtype: Kind | None = None, device: Any = None) -> Tensor:
    """Zeros."""
    return _made(arrays.zeros, shape, dtype=_kind(dtype), device=device)


def ones(shape: Any, *, dtype: Kind | None = None, device: Any = None) -> Tensor:
    """Ones."""
    return _made(arrays.ones, shape, dtype=_kind(dtype), device=device)


def full(shape: Any, fill_value: Any, *, dtype: Kind | None = None, device: Any = None) -> Tensor:
    """`fill_value` in every place."""
    kind = _kind(dtype, fill_value)
    return _made(arrays.full, shape, fill_value, dtype=kind, device=device)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: Kind | None = None,
    device: Any = None,
) -> Tensor:
    """Ones on the `k`-th diagonal, zeros elsewhere."""
    return _made(arrays.eye, n_rows, n_cols, k, dtype=_kind(dtype), device=device)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: Kind | None = None,
    device: Any = None,
    endpoint: bool = True,
) -> Tensor:
    """`num` numbers evenly from `start` to `stop`, which is the last unless `endpoint=False`."""
    kind = _kind(dtype)
    return _made(arrays.linspace, start, stop, num, endpoint, dtype=kind, device=device)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor of another library's elements."""
    return _made(arrays.from_dlpack, x, device=device, copy=copy)
