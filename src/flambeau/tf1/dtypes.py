"""TensorFlow's element types, each the counterpart of one of flambeau's."""

from __future__ import annotations

import builtins
from typing import Any, Final

import numpy as np

from flambeau.core import dtypes as native


class DType:
    """An element type, e.g. `tf.float32`; equal to whatever names the same type.

    >>> import numpy as np
    >>> float32 == np.float32, float32.size, int32.max
    (True, 4, 2147483647)
    """

    __slots__ = ("_enum", "as_numpy_dtype", "name", "native", "numpy")

    def __init__(self, name: str, enum: int, numpy: Any, kind: native.dtype | None) -> None:
        self.name = name
        self._enum = enum
        # The scalar class, as TensorFlow has it, and the dtype object, which is quicker to use.
        self.as_numpy_dtype = numpy
        self.numpy = np.dtype(numpy)
        self.native = kind

    @property
    def as_datatype_enum(self) -> int:
        """TensorFlow's number for the type."""
        return self._enum

    @property
    def base_dtype(self) -> DType:
        """The type itself: there are no reference types here."""
        return self

    @property
    def real_dtype(self) -> DType:
        """The type itself: there are no complex types here."""
        return self

    @property
    def is_floating(self) -> builtins.bool:
        """Whether it is a floating-point type."""
        return self.native is not None and self.native.is_floating_point

    @property
    def is_integer(self) -> builtins.bool:
        """Whether it is an integer type."""
        return self.native is not None and self.native in native.INTEGERS

    @property
    def is_bool(self) -> builtins.bool:
        """Whether it is `tf.bool`."""
        return self.native is native.bool

    @property
    def is_complex(self) -> builtins.bool:
        """Never: there are no complex types here."""
        return False

    @property
    def is_unsigned(self) -> builtins.bool:
        """Whether it is an unsigned integer type."""
        return self.is_integer and self.native is native.uint8

    @property
    def is_numpy_compatible(self) -> builtins.bool:
        """Whether NumPy has the type."""
        return self.native is not native.bfloat16

    @property
    def size(self) -> int:
        """The bytes an element takes."""
        return 1 if self.native is None else self.native.itemsize

    @property
    def min(self) -> Any:
        """The smallest value; TypeError for strings and booleans."""
        return self._limits().min

    @property
    def max(self) -> Any:
        """The largest value; TypeError for strings and booleans."""
        return self._limits().max

    def _limits(self) -> Any:
        if self.is_integer:
            return np.iinfo(self.numpy)
        if self.is_floating:
            return np.finfo(self.numpy)
        raise TypeError(f"Cannot find the limits of {self}.")

    def is_compatible_with(self, other: Any) -> builtins.bool:
        """Whether a value of type `other` may stand where this one is asked for."""
        return self == as_dtype(other)

    def __eq__(self, other: object) -> builtins.bool:
        if other is self:
            return True
        if other is None or isinstance(other, DType):
            return False
        try:
            return as_dtype(other) is self
        except TypeError:
            return False

    def __hash__(self) -> int:
        return self._enum

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"

    def __int__(self) -> int:
        return self._enum

    def __reduce__(self) -> str:
        return self.name


float32 = DType("float32", 1, np.float32, native.float32)
float64 = DType("float64", 2, np.float64, native.float64)
int32 = DType("int32", 3, np.int32, native.int32)
uint8 = DType("uint8", 4, np.uint8, native.uint8)
int16 = DType("int16", 5, np.int16, native.int16)
int8 = DType("int8", 6, np.int8, native.int8)
string = DType("string", 7, np.object_, None)
int64 = DType("int64", 9, np.int64, native.int64)
bool = DType("bool", 10, np.bool_, native.bool)  # noqa: A001 - TensorFlow's spelling
# NumPy has no bfloat16: such values are float32 outside of the graph.
bfloat16 = DType("bfloat16", 14, np.float32, native.bfloat16)
float16 = DType("float16", 19, np.float16, native.float16)
half, double = float16, float64

ALL: Final = (
    float32, float64, int32, uint8, int16, int8, string, int64, bool, bfloat16, float16,
)  # fmt: skip
_BY_NAME: Final = {one.name: one for one in ALL} | {
    "half": float16,
    "float": float32,
    "double": float64,
}
_BY_ENUM: Final = {one.as_datatype_enum: one for one in ALL}
_BY_NUMPY: Final = {one.numpy: one for one in ALL if one is not bfloat16}
_OF_PYTHON: Final = {float: float32, builtins.bool: bool, int: int64, str: string, bytes: string}
_OF_NATIVE: Final = {one.native: one for one in ALL if one.native is not None}


def as_dtype(value: Any) -> DType:
    """The type that `value` (a DType, name, NumPy type, Python type or number) stands for.

    >>> as_dtype("float64"), as_dtype(int)
    (tf.float64, tf.int64)
    """
    if isinstance(value, DType):
        return value
    if isinstance(value, str) and value in _BY_NAME:
        return _BY_NAME[value]
    if isinstance(value, int) and value in _BY_ENUM:
        return _BY_ENUM[value]
    if isinstance(value, type) and value in _OF_PYTHON:
        return _OF_PYTHON[value]
    try:
        kind = np.dtype(value)
    except TypeError:
        kind = None
    if kind is not None and kind.kind in "SU":
        return string
    if kind is None or kind not in _BY_NUMPY:
        raise TypeError(f"Cannot convert value {value!r} to a TensorFlow DType.")
    return _BY_NUMPY[kind]


def of_native(kind: native.dtype) -> DType:
    """The counterpart of one of flambeau's types."""
    return _OF_NATIVE[kind]
