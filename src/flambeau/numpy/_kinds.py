"""NumPy's dtypes and flambeau's element types, each for the other."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype

# NumPy has no bfloat16; a tensor of it has to be converted first.
KINDS = tuple([one for one in dtypes.ALL if one is not dtypes.bfloat16])
_NAMES = ", ".join(one.name for one in KINDS)


@functools.cache
def _kind(found: np.dtype) -> dtype:
    try:
        return dtypes.from_numpy(found)
    except TypeError:
        raise TypeError(f"flambeau.numpy has no arrays of dtype {found}; it has {_NAMES}") from None


def kind_of(given: Any) -> dtype:
    """The element type for anything NumPy takes as a dtype; TypeError where there is none."""
    if isinstance(given, dtype):
        return given if given is not dtypes.bfloat16 else refuse_bfloat16()
    return _kind(np.dtype(given))


_LIMITS = {
    one: (int(np.iinfo(one.numpy).min), int(np.iinfo(one.numpy).max)) for one in dtypes.INTEGERS
}


def check_bounds(value: int, kind: dtype) -> None:
    """OverflowError for a Python integer that a dtype of integers cannot hold."""
    limits = _LIMITS.get(kind)
    if limits is not None and not limits[0] <= value <= limits[1]:
        raise OverflowError(f"Python integer {value} out of bounds for {kind.name}")


def refuse_bfloat16() -> dtype:
    """TypeError for the one element type that NumPy cannot name."""
    raise TypeError(f"NumPy has no dtype for bfloat16; convert the tensor to one of {_NAMES} first")


def optional_kind(given: Any) -> dtype | None:
    """The element type, or None where none was asked for."""
    return None if given is None else kind_of(given)


@functools.cache
def promoted(*kinds: dtype) -> dtype:
    """The type all of `kinds` fit in, by NumPy's rules.

    >>> from flambeau.core import dtypes
    >>> promoted(dtypes.int64, dtypes.float32).name
    'float64'
    """
    return _kind(np.result_type(*[one.numpy for one in kinds]))
