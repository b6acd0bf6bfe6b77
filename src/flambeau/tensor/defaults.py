"""Defaults of dtype and device, and the limits of dtypes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.core.device import device as Device
from flambeau.core.device import resolve
from flambeau.core.dtypes import dtype
from flambeau.engine.capture import setup_changed
from flambeau.tensor.arithmetic import largest_finite
from flambeau.tensor.conversion import BY_TYPE_NAME


def set_default_dtype(d: dtype) -> None:
    """The dtype of floats from now on; TypeError for other than floating-point ones."""
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    context.default_dtype = d
    setup_changed("the default dtype was set")


def get_default_dtype() -> dtype:
    """The dtype that floats get."""
    return context.default_dtype


def set_default_tensor_type(t: Any) -> None:
    """The default dtype, by an old name such as 'torch.DoubleTensor'."""
    name = t.rpartition(".")[2] if isinstance(t, str) else t.__name__
    if name not in BY_TYPE_NAME:
        raise TypeError(f"invalid type object: {t!r}")
    set_default_dtype(BY_TYPE_NAME[name])


def set_default_device(device: Any) -> None:
    """The device of new tensors; RuntimeError if this machine does not have it."""
    context.default_device = resolve(device)


def get_default_device() -> Device:
    """The device that new tensors are made on."""
    return context.default_device


_PRECISIONS = ("highest", "high", "medium")
# One for all threads, as in PyTorch.
_matmul = {"precision": "highest"}


def set_float32_matmul_precision(precision: str) -> None:
    """How exact products of float32 matrices have to be: 'highest', 'high' or 'medium'.

    The lower ones allow shortcuts; flambeau takes none so far, and computes all in float32. Other
    values are ignored with a warning, as in PyTorch.

    >>> import flambeau
    >>> flambeau.set_float32_matmul_precision("highest")
    >>> flambeau.get_float32_matmul_precision()
    'highest'
    """
    if precision not in _PRECISIONS:
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current "
            "set_float32_matmul_precision call has no effect",
            stacklevel=2,
        )
        return
    _matmul["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` has set."""
    return _matmul["precision"]


class finfo:  # noqa: N801 - PyTorch's spelling
    """The limits of a floating-point dtype: bits, eps, max, min, tiny, resolution.

    >>> import flambeau
    >>> flambeau.finfo(flambeau.float32).eps
    1.1920928955078125e-07
    """

    def __init__(self, type: dtype | None = None) -> None:
        kind = context.default_dtype if type is None else type
        if not kind.is_floating_point:
            raise TypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                f"'{kind}'"
            )
        mantissa = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}[kind.name]
        exponent = {"float16": -14, "bfloat16": -126, "float32": -126, "float64": -1022}[kind.name]
        self.dtype = kind.name
        self.bits = 8 * kind.itemsize
        self.eps = 2.0**-mantissa
        self.max = largest_finite(kind)
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0**exponent
        self.resolution = 10.0 ** -int(mantissa * 0.30103)

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.tiny:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:  # noqa: N801 - PyTorch's spelling
    """The limits of an integer dtype: bits, max, min."""

    def __init__(self, type: dtype) -> None:
        if type not in dtypes.INTEGERS:
            raise TypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{type}'"
            )
        limits = np.iinfo(type.numpy)
        self.dtype = type.name
        self.bits = limits.bits
        self.min, self.max = int(limits.min), int(limits.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
