"""Triangular systems of equations."""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau.core.shapes import broadcast
from flambeau.tensor.function import Function
from flambeau.tensor.linalg.host import (
    check_float,
    check_matrix,
    check_square,
    deliver,
    on_host,
)
from flambeau.tensor.tensor import Tensor


def substituted(a: np.ndarray, b: np.ndarray, upper: bool, unit: bool) -> np.ndarray:
    """Solves `a x = b` for a triangular `a`, of which the other triangle is not read."""
    wide, x = a.astype(np.float64), b.astype(np.float64)
    size = a.shape[-1]
    for row in reversed(range(size)) if upper else range(size):
        known = slice(row + 1, size) if upper else slice(0, row)
        x[..., row, :] -= (wide[..., row : row + 1, known] @ x[..., known, :])[..., 0, :]
        if not unit:
            x[..., row, :] /= wide[..., row, row, None]
    return x.astype(b.dtype)


class TriangularSolve(Function):
    """x with `a x = b`, where `a` is triangular."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, upper: bool, unit: bool) -> Any:
        (x,) = on_host(lambda a, b: (substituted(a, b, upper, unit),), a, b)
        ctx.upper, ctx.unit = upper, unit
        ctx.save_for_backward(a, x)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        a, x = ctx.saved_tensors
        to_b = TriangularSolve.apply(a.mT, grads[0], not ctx.upper, ctx.unit)
        to_a = -(to_b @ x.mT)
        beyond = int(ctx.unit)
        to_a = to_a.triu(beyond) if ctx.upper else to_a.tril(-beyond)
        return to_a, to_b, None, None


def solve_triangular(
    input: Tensor,
    B: Tensor,
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """X with `A X = B` (or `X A = B` if not `left`), A (*, n, n) triangular, B (*, n, k).

    The other triangle of A is not read, nor is its diagonal if `unitriangular`.

    >>> import flambeau
    >>> A = flambeau.tensor([[2.0, 0.0], [1.0, 1.0]])
    >>> flambeau.linalg.solve_triangular(A, flambeau.ones(2, 1), upper=False)
    tensor([[0.5000],
            [0.5000]])
    """
    op = "linalg.solve_triangular"
    check_square(op, input)
    check_matrix(op, B, "B")
    check_float(op, input)
    if B.shape[-2 if left else -1] != input.shape[-1]:
        equation = "AX = B" if left else "XA = B"
        raise RuntimeError(
            f"{op}: Incompatible shapes of A and B for the equation {equation} "
            f"({input.shape[-2]}x{input.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )
    if not left:
        turned = solve_triangular(input.mT, B.mT, upper=not upper, unitriangular=unitriangular)
        return deliver(turned.mT, out)
    a, b = same_stacks(input, B)
    return deliver(TriangularSolve.apply(a, b, upper, unitriangular), out)


def same_stacks(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two stacks of matrices, broadcast to one number."""
    stack = broadcast([tuple(a.shape[:-2]), tuple(b.shape[:-2])])
    return a.expand(*stack, *a.shape[-2:]), b.expand(*stack, *b.shape[-2:])
