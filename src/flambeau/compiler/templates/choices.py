"""Choices made with random draws: a shuffle, and positions found in running sums."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from flambeau.compiler.units import Call
from flambeau.core import dtypes
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node
from flambeau.runtime.llvm.blocks import F64, I32, I64, KERNEL_TYPE, for_range, i64


def add_shuffle(builder: StepBuilder, node: Node) -> None:
    """Add the kernel that shuffles 0 to n-1 with the n-1 draws given (Fisher and Yates)."""
    draws = node.inputs[0]
    base, offset = builder.dense(draws)
    word = I64 if draws.dtype is dtypes.int64 else I32
    count = node.spec.numel
    # A single element takes no draw, so there may be no memory of them.
    source: Any = (base, offset * draws.dtype.itemsize) if draws.spec.numel else 0

    def emit(module: ir.Module, name: str) -> None:
        emit_shuffle(module, name, word)

    builder.kernel(
        Call(
            name=f"shuffle {count}",
            key=f"shuffle {word}",
            emit=emit,
            arguments=[(node, 0), source, count],
            total=1 if count else 0,
            target=node,
        )
    )


def emit_shuffle(module: ir.Module, name: str, word: ir.Type) -> None:
    """Emit the kernel for unsigned draws of type `word`; it is one work item."""
    function = ir.Function(module, KERNEL_TYPE, name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    result, draws, count = [b.load(b.gep(function.args[0], [i64(k)])) for k in range(3)]
    order = b.inttoptr(result, I64.as_pointer())
    words = b.inttoptr(draws, word.as_pointer())
    with for_range(b, function.args[1], function.args[2]):
        with for_range(b, i64(0), count) as fill:
            b.store(fill.index, b.gep(order, [fill.index]))
        with for_range(b, i64(0), b.sub(count, i64(1))) as loop:
            left = b.sub(count, loop.index)
            draw = b.load(b.gep(words, [loop.index]))
            chosen = b.urem(draw, left if word == I64 else b.trunc(left, word))
            step = chosen if word == I64 else b.zext(chosen, I64)
            here = b.gep(order, [loop.index])
            there = b.gep(order, [b.add(loop.index, step)])
            first, second = b.load(here), b.load(there)
            b.store(second, here)
            b.store(first, there)
    b.ret_void()


def add_search(builder: StepBuilder, node: Node) -> None:
    """Add the kernel that finds each target's place among the limits of its row."""
    limits, targets = node.inputs
    (rows, categories), samples = limits.shape, targets.shape[1]
    (low, low_at), (aim, aim_at) = builder.dense(limits), builder.dense(targets)
    arguments: list[Any] = [
        (node, 0), (low, low_at * 8), (aim, aim_at * 8), samples, categories,
        (categories - 1).bit_length(),
    ]  # fmt: skip
    builder.kernel(
        Call(
            name=f"search {rows}x{categories} for {samples}",
            key="search",
            emit=emit_search,
            arguments=arguments,
            total=rows * samples,
            grain=100,
            target=node,
        )
    )


def emit_search(module: ir.Module, name: str) -> None:
    """Emit the kernel: the first position whose limit reaches the target; at worst the last one."""
    function = ir.Function(module, KERNEL_TYPE, name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    numbers = [b.load(b.gep(function.args[0], [i64(k)])) for k in range(6)]
    result = b.inttoptr(numbers[0], I64.as_pointer())
    limits, targets = (b.inttoptr(one, F64.as_pointer()) for one in numbers[1:3])
    samples, categories, steps = numbers[3:]
    with for_range(b, function.args[1], function.args[2]) as item:
        row = b.gep(limits, [b.mul(b.sdiv(item.index, samples), categories)])
        target = b.load(b.gep(targets, [item.index]))
        bounds = [i64(0), b.sub(categories, i64(1))]
        with for_range(b, i64(0), steps, carried=bounds) as loop:
            low, high = loop.carried
            middle = b.ashr(b.add(low, high), i64(1))
            # Once the bounds meet, `middle` is where they are and neither may move past it.
            below = b.fcmp_ordered("<", b.load(b.gep(row, [middle])), target)
            beyond = b.select(b.icmp_signed("<", low, high), b.add(middle, i64(1)), low)
            loop.update([b.select(below, beyond, low), b.select(below, high, middle)])
        b.store(loop.carried[0], b.gep(result, [item.index]))
    b.ret_void()
