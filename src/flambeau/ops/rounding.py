"""Rounding to whole numbers; integers stay as they are."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from flambeau.graph.lowering import Expressions
from flambeau.graph.node import Node
from flambeau.graph.op import NOTHING
from flambeau.graph.recording import record
from flambeau.ops.algebra import zeros_like
from flambeau.ops.elementwise_base import NUMBERS, Pointwise


class Rounding(Pointwise):
    """A rounding of the kernel language under the op's name; its gradient is zero."""

    reads, accepts = NOTHING, NUMBERS
    meaning: ClassVar[np.ufunc]

    def numpy(self, x: np.ndarray) -> Any:
        return np.asarray(self.meaning(x)) if x.dtype.kind == "f" else x

    def lower(self, e: Expressions, x: int) -> int:
        return e.call(self.name, x) if e.kind(x).is_floating_point else x

    def gradient(self, grad: Node, node: Node, **_: Any) -> tuple[Node | None, ...]:
        return (zeros_like(grad),)


class Floor(Rounding):
    """Down."""

    name, meaning, refusal = "floor", np.floor, "floor_vml_cpu"


class Ceil(Rounding):
    """Up."""

    name, meaning, refusal = "ceil", np.ceil, "ceil_vml_cpu"


class Trunc(Rounding):
    """Towards zero."""

    name, meaning, refusal = "trunc", np.trunc, "trunc_vml_cpu"


class Round(Rounding):
    """To the nearest, halves to even."""

    name, meaning, refusal = "round", np.rint, "round_vml_cpu"


FLOOR, CEIL, TRUNC, ROUND = Floor(), Ceil(), Trunc(), Round()


def floor(x: Node) -> Node:
    """The largest whole number not above x."""
    return record(FLOOR, (x,))


def ceil(x: Node) -> Node:
    """The smallest whole number not below x."""
    return record(CEIL, (x,))


def trunc(x: Node) -> Node:
    """x without its fraction."""
    return record(TRUNC, (x,))


def round(x: Node) -> Node:  # noqa: A001 - PyTorch's spelling
    """The nearest whole number, the even one of two."""
    return record(ROUND, (x,))
