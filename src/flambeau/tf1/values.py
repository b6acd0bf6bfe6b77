"""NumPy arrays to flambeau's tensors and back, and computing beside what is being captured."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from flambeau.core.context import context
from flambeau.core.references import IN_ATTRIBUTE
from flambeau.engine.flush import compute
from flambeau.graph.node import Spec
from flambeau.graph.recording import data
from flambeau.ops.elementwise_base import from_bfloat16, to_bfloat16
from flambeau.runtime.buffers import Buffer
from flambeau.tensor.storage import copied, duplicate
from flambeau.tensor.tensor import Tensor, wrap
from flambeau.tf1 import dtypes
from flambeau.tf1.dtypes import DType


@contextmanager
def aside() -> Iterator[None]:
    """What is computed inside is no part of the recording, or the capture, under way."""
    before = context.recording, context.capture
    context.recording = context.capture = None
    try:
        yield
    finally:
        context.recording, context.capture = before


def tensor_of(array: np.ndarray, dtype: DType) -> Tensor:
    """A tensor that holds a copy of the array; TypeError for strings."""
    if dtype.native is None:
        raise TypeError(f"values of type {dtype.name} cannot be computed with")
    if dtype is dtypes.bfloat16:
        array = to_bfloat16(np.asarray(array, np.float32))
    return wrap(copied(array, Spec.of(array.shape, dtype.native)))


class Loan:
    """A tensor in the memory of arrays that others own, one after the other; never a result."""

    def __init__(self, spec: Spec) -> None:
        self._buffer = Buffer(0, spec.nbytes, _keep)
        self._buffer.views = 1
        self.tensor = wrap(data(self._buffer, spec))

    def of(self, array: np.ndarray) -> Tensor:
        """The tensor, showing a row-major array, which has to stay as it is while that is used."""
        self._buffer.address = array.__array_interface__["data"][0]
        return self.tensor


def _keep(address: int) -> None:
    """What is only lent is not released."""


# How a single number is read from memory, for the types that losses and counts have.
_NUMBERS: dict[Any, tuple[Any, Any]] = {
    dtypes.float32.native: (ctypes.c_float, np.float32),
    dtypes.float64.native: (ctypes.c_double, np.float64),
    dtypes.int32.native: (ctypes.c_int32, np.int32),
    dtypes.int64.native: (ctypes.c_int64, np.int64),
}


def array_of(value: Tensor, lend: bool = False) -> Any:
    """A tensor's value as an array of its own, or a NumPy scalar if it is 0-dim; see `array_in`."""
    node: Any = compute(value.node)
    others = sys.getrefcount(node.buffer) > IN_ATTRIBUTE
    return array_in(node.buffer, node.spec, others, lend)


def array_in(buffer: Buffer, spec: Spec, others: bool, lend: bool) -> Any:
    """What is in a buffer, as an array, or as a NumPy scalar if it is 0-dim.

    What others hold too, as variables do, is copied. With `lend` it comes as it is, to be read
    only: whoever is about to write it moves elsewhere as long as the array is there.
    """
    if not spec.shape and spec.dtype in _NUMBERS:
        kind, result = _NUMBERS[spec.dtype]
        return result(kind.from_address(buffer.address).value)
    if others and not lend:
        buffer = duplicate(buffer)
    array = buffer.as_array(spec.dtype.numpy, spec.shape)
    if others and lend:
        array.flags.writeable = False
    if spec.dtype is dtypes.bfloat16.native:
        array = from_bfloat16(array)
    return array if spec.shape else array[()]
