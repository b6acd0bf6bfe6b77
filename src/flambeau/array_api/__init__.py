"""The Python array API standard 2024.12 for flambeau's tensors.

`tensor.__array_namespace__()` gives this module, so that libraries written to the standard accept
tensors. The functions are those of flambeau.numpy; floats made of Python's numbers have the default
dtype of tensors.
Reference: https://data-apis.org/array-api/2024.12/

>>> import flambeau
>>> xp = flambeau.ones(2).__array_namespace__()
>>> xp.sum(xp.asarray([1.0, 2.0]) + flambeau.ones(2))
tensor(5.)
"""

# ruff: noqa: A004 - the standard's names are Python's too

from __future__ import annotations

import math as _math
import sys as _sys
from typing import Any

import flambeau.numpy as _arrays
from flambeau.array_api import linalg
from flambeau.array_api._adapter import on_tensors as _on_tensors
from flambeau.array_api._creation import (
    arange,
    asarray,
    empty,
    eye,
    from_dlpack,
    full,
    linspace,
    ones,
    zeros,
)
from flambeau.array_api._info import (
    finfo,
    iinfo,
    isdtype,
)
from flambeau.array_api._info import (
    namespace_info as __array_namespace_info__,
)
from flambeau.array_api._sorting import argsort, sort
from flambeau.core.dtypes import (
    bool,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)

_NAMES = """
    empty_like full_like meshgrid ones_like tril triu zeros_like
    astype can_cast result_type
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift
    bitwise_or bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp
    expm1 floor floor_divide greater greater_equal hypot imag isfinite isinf isnan less less_equal
    log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor maximum minimum
    multiply negative nextafter not_equal positive pow real reciprocal remainder round sign signbit
    sin sinh sqrt square subtract tan tanh trunc
    take take_along_axis
    matmul matrix_transpose tensordot vecdot
    broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll
    squeeze stack tile unstack
    argmax argmin count_nonzero nonzero searchsorted where
    unique_all unique_counts unique_inverse unique_values
    cumulative_prod cumulative_sum max mean min prod std sum var
    all any diff"""

for _name in _NAMES.split():
    globals()[_name] = _on_tensors(getattr(_arrays, _name), _name)

e, inf, nan, pi, newaxis = _math.e, _math.inf, _math.nan, _math.pi, None
__array_api_version__ = "2024.12"
_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")


def of_version(version: str | None) -> Any:
    """This module; ValueError for a version of the standard that it does not follow."""
    if version is not None and version not in _VERSIONS:
        raise ValueError(
            f"the array API standard's version {version!r} is not supported; these are: "
            f"{', '.join(_VERSIONS)}"
        )
    return _sys.modules[__name__]
