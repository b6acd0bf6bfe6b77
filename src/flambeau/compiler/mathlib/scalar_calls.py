"""Slow paths: functions of float64 numbers, called lane by lane for rare arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

from flambeau.compiler.mathlib.lanes import F64, Lanes, select
from flambeau.runtime.llvm.blocks import for_range, i64, stack_slot


def scalar_function(
    module: ir.Module, name: str, arity: int, results: int, body: Callable[..., Sequence[Lanes]]
) -> ir.Function:
    """The module's own `void name(double x..., double* result...)`, made by `body` when new."""
    found = module.globals.get(name)
    if found is not None:
        return found
    kind = ir.FunctionType(ir.VoidType(), [F64] * arity + [F64.as_pointer()] * results)
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block())
    values = body(*(Lanes(builder, argument) for argument in function.args[:arity]))
    for value, place in zip(values, function.args[arity:], strict=True):
        builder.store(value.value, place)
    builder.ret_void()
    return function


def _any(mask: Lanes) -> ir.Value:
    if isinstance(mask.kind, ir.VectorType):
        bits = ir.IntType(mask.kind.count)
        return mask.builder.icmp_signed("!=", mask.builder.bitcast(mask.value, bits), bits(0))
    return mask.value


def _call_by_lane(function: ir.Function, operands: Sequence[Lanes], results: int) -> list[Lanes]:
    """The results of `function` for every lane of float64 operands, through memory."""
    first = operands[0]
    builder = first.builder
    lanes = first.kind.count if isinstance(first.kind, ir.VectorType) else 1
    slots = [stack_slot(builder, F64, lanes) for _ in range(len(operands) + results)]
    vectors = [builder.bitcast(slot, first.kind.as_pointer()) for slot in slots]
    for operand, vector in zip(operands, vectors, strict=False):
        builder.store(operand.value, vector, align=8)
    with for_range(builder, i64(0), i64(lanes)) as loop:
        places = [builder.gep(slot, [loop.index]) for slot in slots]
        inputs = [builder.load(place) for place in places[: len(operands)]]
        builder.call(function, inputs + places[len(operands) :])
    return [first.wrap(builder.load(vector, align=8)) for vector in vectors[len(operands) :]]


def patch(
    mask: Lanes, results: Sequence[Lanes], function: ir.Function, operands: Sequence[Lanes]
) -> list[Lanes]:
    """`results`, but those of `function` where `mask` holds; a branch skips it where none does."""
    builder = mask.builder
    before = builder.block
    single = results[0].is_single
    with builder.if_then(_any(mask), likely=False):
        wide = [operand.widen() if single else operand for operand in operands]
        exact = _call_by_lane(function, wide, len(results))
        narrow = [value.narrow() if single else value for value in exact]
        patched = [select(mask, slow, fast) for slow, fast in zip(narrow, results, strict=True)]
        inside = builder.block
    merged = []
    for fast, value in zip(results, patched, strict=True):
        phi = builder.phi(fast.kind)
        phi.add_incoming(fast.value, before)
        phi.add_incoming(value.value, inside)
        merged.append(fast.wrap(phi))
    return merged
