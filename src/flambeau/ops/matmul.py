"""The matrix product, batched and broadcast."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape, broadcast
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import INPUTS, ErrorSample, Sample, Template
from flambeau.graph.recording import record
from flambeau.ops.shape import PERMUTE, permute, sum_to


class Matmul(Template):
    """`a[..., m, k] @ b[..., k, n]`; the leading dimensions broadcast.

    Every element is one chain of fused multiply-adds over k, in order.
    """

    name = "matmul"
    reads = INPUTS

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        a, b = inputs
        if a.dtype is not b.dtype:
            raise RuntimeError(
                "expected m1 and m2 to have the same dtype, but got: "
                f"{_c_name(a.dtype)} != {_c_name(b.dtype)}"
            )
        if a.dtype is dtypes.bool:
            raise RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Bool'")
        if a.shape[-1] != b.shape[-2]:
            raise RuntimeError(
                "mat1 and mat2 shapes cannot be multiplied "
                f"({a.shape[-2]}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})"
            )
        batch = broadcast([a.shape[:-2], b.shape[:-2]], "matmul")
        return (*batch, a.shape[-2], b.shape[-1]), a.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return np.matmul(arrays[0], arrays[1])

    def steps(self, builder: StepBuilder, node: Node) -> None:
        from flambeau.compiler.templates import matmul as template

        template.add_steps(builder, node)

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        a, b = node.inputs
        to_a = _oriented(grad, transpose(b), a) if a.requires_grad else None
        to_b = _oriented(transpose(a), grad, b) if b.requires_grad else None
        return to_a, to_b

    def samples(self) -> Iterable[Sample]:
        values = np.random.default_rng(3)
        for left, right in [
            ((3, 4), (4, 5)), ((1, 7), (7, 1)), ((2, 0), (0, 3)), ((0, 2), (2, 3)),
            ((65, 33), (33, 70)), ((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (5, 4, 2)),
        ]:  # fmt: skip
            rank = max(len(left), len(right))
            wide = [(1,) * (rank - len(one)) + one for one in (left, right)]
            yield Sample(tuple([values.standard_normal(one) for one in wide]))

    def error_samples(self) -> Iterable[ErrorSample]:
        three, two = np.ones((2, 3)), np.ones((2, 3))
        yield ErrorSample((three, two), RuntimeError, "cannot be multiplied (2x3 and 2x3)")


_C_NAMES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "int64": "long", "int32": "int", "int16": "short", "int8": "signed char",
    "uint8": "unsigned char", "bool": "bool",
}  # fmt: skip


def _c_name(kind: dtype) -> str:
    return _C_NAMES[kind.name]


def _oriented(left: Node, right: Node, like: Node) -> Node:
    """left @ right, summed to the shape of `like`; laid out as the matrix that `like` is a view of.

    A layer multiplies by its weight transposed; the gradient is wanted the way the weight lies.
    """
    if like.op is PERMUTE:
        return sum_to(transpose(matmul(transpose(right), transpose(left))), like.shape)
    return sum_to(matmul(left, right), like.shape)


MATMUL = Matmul()


def matmul(a: Node, b: Node) -> Node:
    """The product of matrices, or of stacks of them; both of one rank of at least 2."""
    return record(MATMUL, (a, b))


def transpose(x: Node) -> Node:
    """The last two dimensions exchanged."""
    rank = len(x.spec.shape)
    return permute(x, (*range(rank - 2), rank - 1, rank - 2))
