"""Running results along a dimension: one work item walks one line, in order."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from flambeau.compiler.emit_value import compute, constant, from_memory, memory_type, to_memory
from flambeau.compiler.kernel import register_kind
from flambeau.compiler.units import Call
from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import contiguous_strides
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node
from flambeau.runtime.llvm.blocks import KERNEL_TYPE, for_range, i64

# Arguments: addresses of the result and the inputs, the length, then for the result and each input
# its step along the line, and its steps along the inner and the outer dimensions; inner size.
_HEAD = 1


def add_steps(builder: StepBuilder, node: Node, rule: str) -> None:
    """Add the scan of `node` by `rule`: linear (two inputs), max or min (one)."""
    shape, dim = node.shape, node.attributes[0]
    reverse = rule == "linear" and node.attributes[1]
    views = [builder.strided(one) for one in node.inputs]
    views.insert(0, (node, 0, contiguous_strides(shape)))
    length, size = shape[dim], node.dtype.itemsize
    lines = [(n, d) for d, n in enumerate(shape) if d != dim]
    total = 1
    for count, _ in lines:
        total *= count
    arguments: list[Any] = []
    for base, offset, strides in views:
        start = offset + (strides[dim] * (length - 1) if reverse else 0)
        arguments.append((base, start * size))
    arguments.append(length)
    for _, _, strides in views:
        arguments.append(-strides[dim] if reverse else strides[dim])
    for count, d in lines:
        arguments += [count, *[strides[d] for _, _, strides in views]]
    kind, inputs, rank = node.dtype, len(node.inputs), len(lines)

    def emit(module: ir.Module, name: str) -> None:
        emit_scan(module, name, rule, kind, inputs, rank)

    builder.kernel(
        Call(
            name=f"scan {rule} {list(shape)} along {dim}",
            key=f"scan {rule} {kind.name} {rank}",
            emit=emit,
            arguments=arguments,
            total=total if length else 0,
            grain=max(1, 4000 // max(length, 1)),
            target=node,
        )
    )


def emit_scan(module: ir.Module, name: str, rule: str, kind: dtype, inputs: int, rank: int) -> None:
    """Emit the kernel; `rank` counts the dimensions beside the scanned one."""
    function = ir.Function(module, KERNEL_TYPE, name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    views = inputs + 1
    count = 2 * views + 1 + rank * (views + 1)
    args = [b.load(b.gep(function.args[0], [i64(number)])) for number in range(count)]
    length, steps = args[views], args[views + 1 : 2 * views + 1]
    with for_range(b, function.args[1], function.args[2]) as item:
        offsets = _line_offsets(b, args[2 * views + 1 :], item.index, views, rank)
        memory = memory_type(kind)
        bases = [b.inttoptr(args[view], memory.as_pointer()) for view in range(views)]
        register = register_kind(kind)
        with for_range(b, i64(0), length, carried=[constant(register, _start(rule, kind))]) as loop:
            pointers = [
                b.gep(base, [b.add(offset, b.mul(loop.index, step))])
                for base, offset, step in zip(bases, offsets, steps, strict=True)
            ]
            values = [from_memory(b, b.load(pointer), kind) for pointer in pointers[1:]]
            state = _advance(b, rule, register, loop.carried[0], values)
            b.store(to_memory(b, state, kind), pointers[0])
            loop.update([state])
    b.ret_void()


def _line_offsets(
    b: ir.IRBuilder, sizes: list[ir.Value], item: ir.Value, views: int, rank: int
) -> list[ir.Value]:
    offsets: list[ir.Value] = [i64(0)] * views
    for line in reversed(range(rank)):
        size, *strides = sizes[line * (views + 1) : (line + 1) * (views + 1)]
        index, item = b.urem(item, size), b.udiv(item, size)
        offsets = [
            b.add(offset, b.mul(index, stride))
            for offset, stride in zip(offsets, strides, strict=True)
        ]
    return offsets


def _start(rule: str, kind: dtype) -> float | int:
    if rule == "linear":
        return 0
    sign = -1 if rule == "max" else 1
    if kind.is_floating_point:
        return sign * float("inf")
    if kind is dtypes.bool:
        return 0 if rule == "max" else 1
    bits = 8 * kind.itemsize
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if kind.is_signed else (0, 2**bits - 1)
    return low if rule == "max" else high


def _advance(
    b: ir.IRBuilder, rule: str, kind: dtype, state: ir.Value, values: list[ir.Value]
) -> ir.Value:
    if rule == "linear":
        return compute(b, "add", kind, [compute(b, "mul", kind, [values[0], state]), values[1]])
    return compute(b, rule, kind, [state, values[0]])
