"""Kinds of operations: what an operation of a type computes, and what is known of its results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flambeau.tf1.shapes import Static

if TYPE_CHECKING:
    from flambeau.tf1.evaluation import Evaluation
    from flambeau.tf1.graph import Operation, Tensor

# From the inputs and the attributes: the static shapes of the results.
ShapeRule = Callable[[Sequence["Tensor"], dict[str, Any]], Sequence[Static]]


@dataclass(frozen=True, eq=False)
class Kind:
    """A type of operations.

    `evaluate(*values, **attributes)` computes the result (or a tuple of them) with flambeau's
    tensors. Kinds that need the session or the feeds have `in_session(evaluation, operation)`.
    """

    name: str
    shape: ShapeRule
    evaluate: Callable[..., Any] | None = None
    in_session: Callable[[Evaluation, Operation], Sequence[Any]] | None = None
    # The inputs that decide the results' shapes: they are given as NumPy arrays.
    static: tuple[int, ...] = ()
    # Whether 0-dim constants are given as Python numbers, which are arguments of a plan.
    takes_numbers: bool = False
    # Whether a gradient may flow through.
    differentiable: bool = True
