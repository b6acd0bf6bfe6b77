"""Comparisons: bools from two values of one dtype. NaN is unequal to everything."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.graph.lowering import Expressions
from flambeau.graph.node import Node
from flambeau.graph.op import NOTHING
from flambeau.graph.recording import record
from flambeau.ops.elementwise_base import Pointwise


class Comparison(Pointwise):
    """A relation of the kernel language under the op's name."""

    arity, reads, differentiable = 2, NOTHING, False
    meaning: ClassVar[np.ufunc]

    def result_dtype(self, kind: dtype) -> dtype:
        return dtypes.bool

    def numpy(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.asarray(self.meaning(a, b))

    def lower(self, e: Expressions, a: int, b: int) -> int:
        return e.compare(self.name, a, b)


class Less(Comparison):
    """a < b."""

    name, meaning = "lt", np.less


class LessEqual(Comparison):
    """a <= b."""

    name, meaning = "le", np.less_equal


class Greater(Comparison):
    """a > b."""

    name, meaning = "gt", np.greater


class GreaterEqual(Comparison):
    """a >= b."""

    name, meaning = "ge", np.greater_equal


class Equal(Comparison):
    """a == b."""

    name, meaning = "eq", np.equal


class NotEqual(Comparison):
    """a != b."""

    name, meaning = "ne", np.not_equal


LT, LE, GT, GE, EQ, NE = Less(), LessEqual(), Greater(), GreaterEqual(), Equal(), NotEqual()


def lt(a: Node, b: Node) -> Node:
    """a < b."""
    return record(LT, (a, b))


def le(a: Node, b: Node) -> Node:
    """a <= b."""
    return record(LE, (a, b))


def gt(a: Node, b: Node) -> Node:
    """a > b."""
    return record(GT, (a, b))


def ge(a: Node, b: Node) -> Node:
    """a >= b."""
    return record(GE, (a, b))


def eq(a: Node, b: Node) -> Node:
    """a == b."""
    return record(EQ, (a, b))


def ne(a: Node, b: Node) -> Node:
    """a != b."""
    return record(NE, (a, b))
