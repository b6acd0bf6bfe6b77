"""Element types and PyTorch's promotion rules.

Reference: https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np

BOOL, UNSIGNED, SIGNED, FLOAT = "bool", "unsigned", "signed", "float"
_CATEGORY: Final = {BOOL: 0, UNSIGNED: 1, SIGNED: 1, FLOAT: 2}


class dtype:  # noqa: N801 - PyTorch's spelling
    """An element type, e.g. `flambeau.float32`. Compared by identity: one object a type.

    >>> import flambeau
    >>> flambeau.float32.itemsize
    4
    """

    __slots__ = ("category", "is_floating_point", "is_signed", "itemsize", "kind", "name", "numpy")

    def __init__(self, name: str, kind: str, itemsize: int, storage: str) -> None:
        self.name = name
        self.kind = kind
        self.itemsize = itemsize
        self.numpy = np.dtype(storage)
        self.category = _CATEGORY[kind]
        self.is_floating_point = kind == FLOAT
        self.is_signed = kind in (SIGNED, FLOAT)

    is_complex = False

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name

    def to_complex(self) -> dtype:
        raise NotImplementedError("complex dtypes are not supported yet")

    def to_real(self) -> dtype:
        return self


bool = dtype("bool", BOOL, 1, "bool")  # noqa: A001 - PyTorch's spelling
uint8 = dtype("uint8", UNSIGNED, 1, "uint8")
int8 = dtype("int8", SIGNED, 1, "int8")
int16 = dtype("int16", SIGNED, 2, "int16")
int32 = dtype("int32", SIGNED, 4, "int32")
int64 = dtype("int64", SIGNED, 8, "int64")
float16 = dtype("float16", FLOAT, 2, "float16")
# NumPy has no bfloat16: its bits travel as uint16.
bfloat16 = dtype("bfloat16", FLOAT, 2, "uint16")
float32 = dtype("float32", FLOAT, 4, "float32")
float64 = dtype("float64", FLOAT, 8, "float64")

ALL: Final = (bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64)
INTEGERS: Final = (uint8, int8, int16, int32, int64)
FLOATS: Final = (float16, bfloat16, float32, float64)
BY_NAME: Final = {one.name: one for one in ALL}
_FROM_NUMPY: Final = {one.numpy: one for one in ALL if one is not bfloat16}


def from_numpy(kind: np.dtype) -> dtype:
    """The element type for a NumPy dtype; TypeError for one that has none."""
    found = _FROM_NUMPY.get(kind.newbyteorder("="))
    if found is None:
        names = ", ".join(one.name for one in ALL if one is not bfloat16)
        raise TypeError(
            f"can't convert np.ndarray of type {kind}. The only supported types are: {names}."
        )
    return found


@functools.cache
def promote(first: dtype, second: dtype) -> dtype:
    """The smallest type both fit in, as PyTorch defines it (`torch.promote_types`).

    >>> promote(float16, bfloat16), promote(uint8, int8), promote(int64, float16)
    (torch.float32, torch.int16, torch.float16)
    """
    if first is second:
        return first
    if first.category != second.category:
        return first if first.category > second.category else second
    if first.kind == FLOAT:
        if first.itemsize == second.itemsize:
            return float32
        return first if first.itemsize > second.itemsize else second
    signed, other = (first, second) if first.kind == SIGNED else (second, first)
    if other.kind == UNSIGNED:
        return int16 if signed is int8 else signed
    return first if first.itemsize > second.itemsize else second


def can_cast(source: dtype, target: dtype) -> bool:  # type: ignore[valid-type]
    """Whether PyTorch writes a result of type `source` into a tensor of type `target`."""
    return source.category <= target.category
