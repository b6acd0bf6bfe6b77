"""The matrix product as a plan's step: which strides the operands have, and how work is cut."""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir

from flambeau.compiler.epilogue import Epilogue
from flambeau.compiler.templates import gemm
from flambeau.compiler.units import Call, Code
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node
from flambeau.runtime.cpu.pool import get_num_threads
from flambeau.runtime.llvm import machine


def add_steps(builder: StepBuilder, node: Node) -> None:
    """Add the gemm calls of a matmul node: one, or one for each index of outer batch dimensions."""
    operands = [builder.strided(one) for one in node.inputs]
    shapes = [one.shape for one in node.inputs]
    *batch, m, n = node.shape
    k = shapes[0][-1]
    strides = [
        _batch_strides(stride, shape)
        for (_, _, stride), shape in zip(operands, shapes, strict=True)
    ]
    c_batch = _dense_strides([*batch, m * n])[:-1]
    groups = _collapse(batch, [*strides, c_batch])
    inner, inner_strides = groups.pop() if groups else (1, [0, 0, 0])
    (a, a_offset, a_strides), (b, b_offset, b_strides) = operands
    problem = gemm.Problem(
        m, n, k,
        (inner_strides[0], a_strides[-2], a_strides[-1]),
        (inner_strides[1], b_strides[-2], b_strides[-1]),
        (inner_strides[2], n),
        inner,
    )  # fmt: skip
    size = node.dtype.itemsize
    offsets = _outer_offsets(groups)
    for a_at, b_at, c_at in offsets:
        operands_at = ((a, (a_offset + a_at) * size), (b, (b_offset + b_at) * size))
        call = _call(problem, node, operands_at, c_at * size)
        if len(offsets) == 1 and node.dtype.is_floating_point:
            call.fuse = functools.partial(_call, problem, node, operands_at, c_at * size)
        builder.kernel(call)


def _call(
    problem: gemm.Problem, node: Node, operands: Any, offset: int, epilogue: Epilogue | None = None
) -> Call:
    """The call of a product, with what `epilogue` makes of it as its result."""
    threads = get_num_threads()
    spec = gemm.GemmSpec(
        node.dtype.name,
        gemm.tile_for(node.dtype.name, problem, machine.lanes(), threads),
        problem.a_layout,
        problem.b_layout,
        None if epilogue is None else epilogue.text,
    )
    work = gemm.work_items(spec, problem, threads)
    target = node if epilogue is None else epilogue.target
    name = f"matmul {problem.batch}x{problem.m}x{problem.k}x{problem.n}"

    def finish(
        b: ir.IRBuilder, args: Any, sums: Any, batch: Any, row: Any, column: Any, mask: Any
    ) -> ir.Value:
        assert epilogue is not None
        count = len(epilogue.entries)
        loaded = [gemm.load_slot(b, args, gemm.Slot.EPILOGUE + number) for number in range(count)]
        return epilogue.emit(b, loaded, sums, (batch, row, column), mask)

    functions = gemm.functions(spec, work, None if epilogue is None else finish)
    return Call(
        name=name if epilogue is None else f"{name} then {epilogue.target.op.name}",
        key="matmul",
        emit=gemm.emit_gemm,
        arguments=[
            *operands,
            (target, offset),
            *gemm.arguments(spec, problem, work, 0, 0, 0)[3:],
            *(0 if one is None else Code(one.key, one.build) for one in functions),
            *([] if epilogue is None else epilogue.entries),
        ],
        total=0 if 0 in node.shape else work.total,
        grain=work.grain,
        scratch=work.scratch_bytes,
        operations=2 * problem.batch * problem.m * problem.k * problem.n,
        target=target,
        last=epilogue,
    )


def _batch_strides(strides: tuple[int, ...], shape: tuple[int, ...]) -> list[int]:
    """The strides of the batch dimensions, 0 where they are broadcast."""
    pairs = zip(strides[:-2], shape[:-2], strict=True)
    return [0 if size == 1 else stride for stride, size in pairs]


def _dense_strides(shape: list[int]) -> list[int]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return strides[::-1]


def _collapse(batch: list[int], strides: list[list[int]]) -> list[tuple[int, list[int]]]:
    """Batch dimensions as (size, strides of a, b and c), merged where all three allow it."""
    groups: list[tuple[int, list[int]]] = []
    for dim, size in enumerate(batch):
        by = [one[dim] for one in strides]
        if size == 1:
            continue
        if groups and all(
            before == here * size for before, here in zip(groups[-1][1], by, strict=True)
        ):
            groups[-1] = (groups[-1][0] * size, by)
        else:
            groups.append((size, by))
    return groups


def _outer_offsets(groups: list[tuple[int, list[int]]]) -> list[list[int]]:
    offsets = [[0, 0, 0]]
    for size, by in groups:
        offsets = [
            [start + index * step for start, step in zip(one, by, strict=True)]
            for one in offsets
            for index in range(size)
        ]
    return offsets
