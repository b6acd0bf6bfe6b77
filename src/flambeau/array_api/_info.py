"""Questions about dtypes and about the namespace."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from flambeau.array_api._adapter import entered, given_back
from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.core.device import device as Device
from flambeau.core.device import resolve
from flambeau.core.dtypes import dtype
from flambeau.numpy._info import NamespaceInfo
from flambeau.tensor.tensor import Tensor


class FloatInfo(NamedTuple):
    """The limits of a floating-point dtype."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: dtype


class IntegerInfo(NamedTuple):
    """The limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: dtype


def _kind(type: Any) -> dtype:
    return type.dtype if isinstance(type, Tensor) else type


def finfo(type: Any, /) -> FloatInfo:
    """The limits of a floating-point dtype, or of a tensor's."""
    kind = _kind(type)
    found = np.finfo(kind.numpy)
    eps, high, low, least = map(float, (found.eps, found.max, found.min, found.smallest_normal))
    return FloatInfo(found.bits, eps, high, low, least, kind)


def iinfo(type: Any, /) -> IntegerInfo:
    """The limits of an integer dtype, or of a tensor's."""
    kind = _kind(type)
    found = np.iinfo(kind.numpy)
    return IntegerInfo(found.bits, int(found.max), int(found.min), kind)


def isdtype(dtype: dtype, kind: Any) -> bool:
    """Whether a dtype is of a kind: a dtype, a name such as 'integral', or a tuple of these."""
    if dtype is dtypes.bfloat16:
        return kind in (dtype, "real floating", "numeric")
    return np.isdtype(dtype.numpy, entered(kind))


class _NamespaceInfo(NamespaceInfo):
    """Devices, dtypes and capabilities for tensors."""

    def default_device(self) -> Any:
        return context.default_device

    def devices(self) -> list[Any]:
        return [Device("cpu")]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        resolve(device)
        integers = {"integral": dtypes.int64, "indexing": dtypes.int64}
        return {"real floating": context.default_dtype, **integers}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        resolve(device)
        return {name: given_back(one) for name, one in super().dtypes(kind=kind).items()}


def namespace_info() -> _NamespaceInfo:
    """What this namespace offers."""
    return _NamespaceInfo()
