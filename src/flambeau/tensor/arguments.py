"""Arguments as PyTorch takes them: sizes in several forms, dtypes by several names."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape

_PYTHON_TYPES = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool}


def sizes(given: Sequence[Any]) -> Shape:
    """`f(2, 3)` and `f((2, 3))` alike; elements may be 0-dim tensors."""
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = given[0]
    return tuple([one if type(one) is int else operator.index(one) for one in given])


def chosen_dtype(kind: Any, default: dtype) -> dtype:
    """The dtype asked for; Python's float, int and bool stand for theirs."""
    if kind is None:
        return default
    if isinstance(kind, dtype):
        return kind
    found = _PYTHON_TYPES.get(kind)
    if found is None:
        raise TypeError(f"argument 'dtype' must be torch.dtype, not {type(kind).__name__}")
    return found
