"""A value written into a part of another one, out of place: the counterparts of the views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flambeau.ops.shape import sum_to
from flambeau.ops.strided import as_strided_scatter as strided_scatter
from flambeau.tensor.cloning import clone, distinct
from flambeau.tensor.indexing import set_item
from flambeau.tensor.tensor import Tensor, wrap
from flambeau.tensor.views import diagonal


def _written(input: Tensor, src: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy of `input` with `src` in the part that a view shows."""
    result = clone(input)
    target = part(result)
    if target.shape != src.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(target.shape)}"
        )
    set_item(target, ..., src)
    return result


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """`input` with `src` in place of the slice at `index` along `dim`."""
    return _written(input, src, lambda whole: whole.select(dim, index))


def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    """`input` with `src` in place of the elements from `start` to `end` along `dim`."""
    key: list[Any] = [slice(None)] * input.dim()
    key[dim] = slice(start, end, step)
    return _written(input, src, lambda whole: whole[tuple(key)])


def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """`input` with `src` in place of a diagonal."""
    return _written(input, src, lambda whole: diagonal(whole, offset, dim1, dim2))


def as_strided_scatter(
    input: Tensor,
    src: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:
    """`input` with `src` in place of what the strides show."""
    return wrap(strided_scatter(input.node, src.node, tuple(stride), storage_offset or 0))


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """The sum over the dimensions that broadcasting from `size` would have repeated."""
    shape = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else tuple(size)
    return wrap(distinct(sum_to(input.node, shape), input.node))
