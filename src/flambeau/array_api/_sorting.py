"""Sorting, in rising or falling order; equal elements keep theirs."""

from __future__ import annotations

from flambeau.tensor.cloning import clone
from flambeau.tensor.searching import argsort as tensor_argsort
from flambeau.tensor.searching import sort as tensor_sort
from flambeau.tensor.tensor import Tensor


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along `axis`."""
    if not x.numel():
        return clone(x)
    return tensor_sort(x, axis, descending).values


def argsort(
    x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Tensor:
    """The positions that sort along `axis`."""
    return tensor_argsort(x, axis, descending)
