"""Distances of all rows from all rows."""

from __future__ import annotations

from typing import Any

from flambeau.core.shapes import broadcast
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import algebra
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.extrema import clamp_min
from flambeau.ops.matmul import matmul, transpose
from flambeau.ops.power import sqrt
from flambeau.ops.shape import expand, reshape, sum_
from flambeau.tensor.function import Function
from flambeau.tensor.reductions import vector_norm_node
from flambeau.tensor.searching import where
from flambeau.tensor.tensor import Tensor, wrap

# PyTorch's modes, and whether they use a matrix product: always, never, or (None) for many rows.
_MODES = {
    "use_mm_for_euclid_dist_if_necessary": None,
    "use_mm_for_euclid_dist": True,
    "donot_use_mm_for_euclid_dist": False,
}
_MANY_ROWS = 25


class Euclidean(Function):
    """Euclidean distances; the gradient at distance 0 is 0."""

    @staticmethod
    def forward(ctx: Any, x1: Tensor, x2: Tensor, by_product: bool) -> Any:
        a, b = x1.node, x2.node
        result = wrap(_from_products(a, b) if by_product else _from_gaps(a, b, 2.0))
        ctx.save_for_backward(x1, x2, result)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x1, x2, result = ctx.saved_tensors
        same = result == 0
        ratio = where(same, 0.0, grads[0] / where(same, 1.0, result))
        to_x1 = x1 * ratio.sum(-1, keepdim=True) - ratio @ x2
        to_x2 = x2 * ratio.sum(-2)[..., None] - ratio.mT @ x1
        return to_x1, to_x2, None


def _from_products(a: Node, b: Node) -> Node:
    """`|a|² + |b|² - 2ab`: fast, and less accurate where rows are near each other."""
    last = (len(a.spec.shape) - 1,)
    first, second = sum_(algebra.square(a), last), sum_(algebra.square(b), last)
    squares = algebra.add(
        reshape(first, (*first.spec.shape, 1)),
        reshape(second, (*second.spec.shape[:-1], 1, second.spec.shape[-1])),
    )
    squares = algebra.sub(squares, algebra.scaled(matmul(a, transpose(b)), 2.0))
    return sqrt(clamp_min(squares, scalar(0.0, a.dtype)))


def _from_gaps(a: Node, b: Node, order: float) -> Node:
    """The norms of the differences."""
    left = reshape(a, (*a.spec.shape[:-1], 1, a.spec.shape[-1]))
    right = reshape(b, (*b.spec.shape[:-2], 1, *b.spec.shape[-2:]))
    gaps = algebra.sub(left, right)
    last = (len(gaps.spec.shape) - 1,)
    return vector_norm_node(gaps, order, last) if gaps.spec.numel else sum_(gaps, last)


def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """The p-norm distances of all rows: (*, P, M) and (*, R, M) give (*, P, R); stacks broadcast.

    For p = 2 and more than 25 rows they come from a matrix product unless `compute_mode` says
    otherwise.

    >>> import flambeau
    >>> flambeau.cdist(flambeau.zeros(1, 2), flambeau.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    _check(x1, x2, p)
    mode = compute_mode or "use_mm_for_euclid_dist_if_necessary"
    if mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    a, b = x1.node, x2.node
    stack = broadcast([a.spec.shape[:-2], b.spec.shape[:-2]], "cdist")
    a = expand(a, (*stack, *a.spec.shape[-2:]))
    b = expand(b, (*stack, *b.spec.shape[-2:]))
    if p != 2:
        return wrap(_from_gaps(a, b, float(p)))
    by_product = _MODES[mode]
    if by_product is None:
        by_product = a.spec.shape[-2] > _MANY_ROWS or b.spec.shape[-2] > _MANY_ROWS
    result: Tensor = Euclidean.apply(wrap(a), wrap(b), by_product)
    return result


def _check(x1: Tensor, x2: Tensor, p: float) -> None:
    for name, x in (("X1", x1), ("X2", x2)):
        if x.dim() < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.dim()}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    for name, x in (("X1", x1), ("X2", x2)):
        if not x.dtype.is_floating_point:
            raise RuntimeError(
                f"cdist only supports floating-point dtypes, {name} got: {SPELLING[x.dtype]}"
            )
    if x1.dtype is not x2.dtype:
        raise RuntimeError(
            f"expected scalar type {SPELLING[x1.dtype]} but found {SPELLING[x2.dtype]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
