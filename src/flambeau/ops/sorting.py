"""Sorting: the positions that put a row in order; values follow by indexing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import Sample, Template
from flambeau.graph.recording import record


class Argsort(Template):
    """int64 positions that sort the last dimension; equal elements keep their order.

    NaN counts as the largest number, as in PyTorch.
    """

    name = "argsort"
    parameters = ("descending",)
    differentiable = False

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return inputs[0].shape, dtypes.int64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        x = arrays[0]
        if not parameters["descending"]:
            return np.argsort(x, axis=-1, kind="stable")
        # A stable ascending sort of the reversed row, reversed, is a stable descending one.
        back = np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
        return x.shape[-1] - 1 - back

    def steps(self, builder: StepBuilder, node: Node) -> None:
        from flambeau.compiler.templates import sort as template

        template.add_steps(builder, node)

    def samples(self) -> Iterable[Sample]:
        x = np.random.default_rng(2).integers(-4, 5, (3, 17)).astype(np.float64)
        x[1, 3] = np.nan
        for descending in (False, True):
            for one in (x, x[:, :1], np.zeros((2, 0)), x[0, :8]):
                yield Sample((one,), {"descending": descending}, differentiable=False)


ARGSORT = Argsort()


def argsort(x: Node, descending: bool) -> Node:
    """Positions that sort the last dimension of `x`."""
    return record(ARGSORT, (x,), (descending,))
