"""NumPy's functions called on our arrays: they find ours by name, so that results stay ours."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

from flambeau.numpy._ndarray import from_host, host_value, ndarray
from flambeau.numpy._ufuncs import UFUNCS


def _counterpart(function: Any) -> Any:
    """Our function of the same name and place as NumPy's, or None."""
    path = function.__module__.split(".")
    found: Any = sys.modules["flambeau.numpy"]
    for part in path[1:]:
        found = getattr(found, part, None)
        if not isinstance(found, ModuleType):
            return None
    return getattr(found, function.__name__, None)


def array_function(
    self: ndarray, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What NumPy calls for one of its functions; those we lack work on the host."""
    ours = _counterpart(function)
    if ours is not None:
        return ours(*args, **kwargs)
    values = [host_value(one) for one in args]
    named = {name: host_value(one) for name, one in kwargs.items()}
    return from_host(function(*values, **named))


def array_ufunc(self: ndarray, function: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """What NumPy calls for one of its ufuncs, e.g. for `numpy_array + ours`."""
    out = kwargs.get("out", ())
    if any(isinstance(one, np.ndarray) for one in out):
        values = [host_value(one) for one in inputs]
        return getattr(function, method)(*values, **kwargs)
    ours = UFUNCS.get(function.__name__)
    if ours is not None:
        return getattr(ours, method)(*inputs, **kwargs)
    other = _counterpart(function) if method == "__call__" else None
    if other is not None:
        return other(*inputs, **kwargs)
    values = [host_value(one) for one in inputs]
    return from_host(getattr(function, method)(*values, **kwargs))
