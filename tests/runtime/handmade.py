"""Kernels small enough to be written by hand, for tests of what runs them."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from flambeau.runtime.cpu.native import KERNEL
from flambeau.runtime.llvm.blocks import I64, for_range, i64

Body = Callable[[ir.IRBuilder, ir.Value, ir.Value, ir.Value], None]


def kernel_text(name: str, body: Body) -> str:
    """IR of a kernel that does `body(builder, args, item, scratch)` for each item."""
    function = ir.Function(ir.Module(), KERNEL, name)
    builder = ir.IRBuilder(function.append_basic_block())
    args, begin, end, scratch = function.args
    with for_range(builder, begin, end) as loop:
        body(builder, args, loop.index, scratch)
    builder.ret_void()
    return str(function.module)


def argument(builder: ir.IRBuilder, args: ir.Value, index: int) -> ir.Value:
    return builder.load(builder.gep(args, [i64(index)]))


def element(builder: ir.IRBuilder, args: ir.Value, index: int, item: ir.Value) -> ir.Value:
    """A pointer to an item of the i64 array whose address is an argument."""
    array = builder.inttoptr(argument(builder, args, index), I64.as_pointer())
    return builder.gep(array, [item])


def affine(builder: ir.IRBuilder, args: ir.Value, item: ir.Value, _scratch: ir.Value) -> None:
    """x[item] = x[item] * args[1] + args[2]: repeated or misplaced calls show."""
    place = element(builder, args, 0, item)
    product = builder.mul(builder.load(place), argument(builder, args, 1))
    builder.store(builder.add(product, argument(builder, args, 2)), place)


def through_scratch(
    builder: ir.IRBuilder, args: ir.Value, item: ir.Value, scratch: ir.Value
) -> None:
    """x[item] = item, by way of the last of args[1] words of scratch memory."""
    last = builder.sub(argument(builder, args, 1), i64(1))
    room = builder.gep(builder.bitcast(scratch, I64.as_pointer()), [last])
    builder.store(item, room)
    builder.store(builder.load(room), element(builder, args, 0, item))


def report(builder: ir.IRBuilder, args: ir.Value, item: ir.Value, _scratch: ir.Value) -> None:
    """Report error 7 with the item in the error cell args[0], if the item is args[1]."""
    bad = builder.icmp_signed("==", item, argument(builder, args, 1))
    with builder.if_then(bad):
        cell = element(builder, args, 0, i64(0))
        before = builder.cmpxchg(cell, i64(0), i64(7), "monotonic", "monotonic")
        with builder.if_then(builder.extract_value(before, 1)):
            builder.store(item, builder.gep(cell, [i64(1)]))


def burn(builder: ir.IRBuilder, args: ir.Value, _item: ir.Value, _scratch: ir.Value) -> None:
    """Take args[0] turns of a loop that LLVM cannot shorten."""
    with for_range(builder, i64(0), argument(builder, args, 0)):
        builder.load_atomic(args, "monotonic", 8)
