"""Kernels that do nothing but compute, read or copy: how fast a machine can, as LLVM IR.

Their times are what other kernels are held against, as in Williams, Waterman and Patterson,
"Roofline: An Insightful Visual Performance Model" (2009).
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from flambeau.runtime.llvm.blocks import F32, KERNEL_TYPE, for_range, i64, intrinsic
from flambeau.runtime.llvm.vectors import load_vector, store_vector, suffix

BLOCK = 1024  # float32 values that an item of a stream reads
TURNS = 1024  # of the loop that is an item of `emit_multiply_adds`
# Independent of each other: enough for two units of latency four, and for sixteen registers.
CHAINS = 12

Emit = Callable[[ir.Module, str, int], None]


def operations(lanes: int) -> int:
    """What an item of `emit_multiply_adds` does."""
    return 2 * TURNS * CHAINS * lanes


def emit_multiply_adds(module: ir.Module, name: str, lanes: int) -> None:
    """Chains of fused multiply-adds in registers; args: a source and a target of a block each."""
    builder, source, target, begin, end = _begin(module, name)
    kind = ir.VectorType(F32, lanes)
    fma = intrinsic(module, f"llvm.fma.{suffix(kind)}", kind, [kind] * 3)
    factor = load_vector(builder, source, lanes)
    with for_range(builder, begin, end):
        chains = [
            builder.fadd(factor, ir.Constant(kind, [float(n)] * lanes)) for n in range(CHAINS)
        ]
        with for_range(builder, i64(0), i64(TURNS), carried=chains) as loop:
            loop.update([builder.call(fma, [one, factor, factor]) for one in loop.carried])
        store_vector(builder, _sum(builder, loop.carried), target)
    builder.ret_void()


def emit_read(module: ir.Module, name: str, lanes: int) -> None:
    """Add up blocks; args: a source of a block for each item, a target of one block."""
    builder, source, target, begin, end = _begin(module, name)
    zero, step = ir.Constant(ir.VectorType(F32, lanes), None), CHAINS // 3 * lanes
    zeros = [zero] * (CHAINS // 3)
    start, stop = (builder.mul(bound, i64(BLOCK)) for bound in (begin, end))
    with for_range(builder, start, stop, i64(step), carried=zeros) as loop:
        places = [builder.add(loop.index, i64(n * lanes)) for n in range(len(zeros))]
        loaded = [load_vector(builder, builder.gep(source, [one]), lanes) for one in places]
        pairs = zip(loop.carried, loaded, strict=True)
        loop.update([builder.fadd(total, one) for total, one in pairs])
    store_vector(builder, _sum(builder, loop.carried), target)
    builder.ret_void()


def emit_copy(module: ir.Module, name: str, lanes: int) -> None:
    """Copy blocks; args: a source and a target of a block for each item."""
    builder, source, target, begin, end = _begin(module, name)
    start, stop = (builder.mul(bound, i64(BLOCK)) for bound in (begin, end))
    with for_range(builder, start, stop, i64(lanes)) as loop:
        value = load_vector(builder, builder.gep(source, [loop.index]), lanes)
        store_vector(builder, value, builder.gep(target, [loop.index]))
    builder.ret_void()


def _begin(
    module: ir.Module, name: str
) -> tuple[ir.IRBuilder, ir.Value, ir.Value, ir.Value, ir.Value]:
    """A kernel's builder, its two arrays of float32, its first item and the one after its last."""
    function = ir.Function(module, KERNEL_TYPE, name)
    args, begin, end, _ = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    addresses = [builder.load(builder.gep(args, [i64(n)])) for n in range(2)]
    source, target = (builder.inttoptr(one, F32.as_pointer()) for one in addresses)
    return builder, source, target, begin, end


def _sum(builder: ir.IRBuilder, values: list[ir.Value]) -> ir.Value:
    total = values[0]
    for one in values[1:]:
        total = builder.fadd(total, one)
    return total
