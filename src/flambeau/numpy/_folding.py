"""Folding over axes, with NumPy's `axis`, `keepdims`, `initial` and `where`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numpy.lib.array_utils import normalize_axis_tuple

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.numpy._ndarray import ndarray, node_of
from flambeau.ops.selection import cast
from flambeau.ops.selection import where as choose
from flambeau.ops.shape import expand, full, kept, kept_as_ones, reshape
from flambeau.tensor.promotion import plain

Dims = tuple[int, ...]


def dims_for(axis: Any, rank: int) -> Dims:
    """The dimensions that `axis` names, sorted; all for None. AxisError if there is none such."""
    if axis is None:
        return tuple(range(rank))
    if isinstance(axis, (ndarray, list)):
        axis = tuple(axis) if isinstance(axis, list) else int(axis)
    return tuple(sorted(normalize_axis_tuple(axis, rank)))


def count_of(shape: Shape, dims: Dims) -> int:
    """How many elements are folded into one."""
    return math.prod([shape[dim] for dim in dims])


def kept_dims(node: Node, shape: Shape, dims: Dims, keepdims: Any) -> Node:
    """A folded value, with ones in the place of the folded dimensions if wanted."""
    return reshape(node, kept_as_ones(shape, dims)) if keepdims else node


def folded(
    node: Node,
    axis: Any,
    fold: Callable[[Node, Dims], Node],
    *,
    name: str,
    kind: dtype | None = None,
    keepdims: Any = False,
    identity: Any = None,
    initial: Any = None,
    combine: Callable[[Node, Node], Node] | None = None,
    where: Any = True,
) -> Node:
    """`fold` over the dimensions of `axis`; ValueError where nothing is folded without identity."""
    shape = node.spec.shape
    dims = dims_for(axis, len(shape))
    node = node if kind is None else cast(node, kind)
    start = identity if initial is None else initial
    if where is not True:
        node = _only_where(node, where, start, name)
        shape = node.spec.shape
    if count_of(shape, dims) == 0 and 0 not in kept(shape, dims):
        if start is None:
            raise ValueError(f"zero-size array to reduction operation {name} which has no identity")
        result = full(kept(shape, dims), plain(_number(start), node.spec.dtype), node.spec.dtype)
    elif node.spec.numel == 0:
        result = full(kept(shape, dims), 0, node.spec.dtype)
    else:
        result = fold(node, dims)
    if initial is not None and combine is not None:
        value = scalar(plain(_number(initial), node.spec.dtype), node.spec.dtype)
        result = combine(result, value)
    return kept_dims(result, shape, dims, keepdims)


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, ndarray) else value


def _only_where(node: Node, where: Any, start: Any, name: str) -> Node:
    """Elements outside of the mask replaced by one that does not count."""
    if start is None:
        raise ValueError(
            f"reduction operation '{name}' does not have an identity, so to use a where mask one "
            "has to specify 'initial'"
        )
    mask = node_of(where, dtypes.bool)
    kind = node.spec.dtype
    neutral = scalar(plain(_number(start), kind), kind)
    return choose(expand(mask, node.spec.shape), node, neutral)
