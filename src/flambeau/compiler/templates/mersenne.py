"""MT19937, whose draws are PyTorch's on the CPU, and normal numbers drawn one by one.

A generator's state is an int32 array, which the kernels advance in place: 624 words, the position
of the next one, and the cached normal number, if any. One thread draws, in order.

Source: Matsumoto and Nishimura, "Mersenne Twister" (1998), https://doi.org/10.1145/272991.272995
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from flambeau.compiler import mathlib
from flambeau.compiler.mathlib.lanes import Lanes, call_intrinsic
from flambeau.compiler.templates.random_tables import HAS_NORMAL, NORMAL, POSITION, WORDS
from flambeau.compiler.units import Call
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node
from flambeau.runtime.llvm import machine
from flambeau.runtime.llvm.blocks import (
    F64,
    I32,
    I64,
    KERNEL_TYPE,
    VOID,
    for_range,
    i64,
    stack_slot,
)
from flambeau.runtime.llvm.vectors import minimum

_FAR = 397  # a word is made of itself, the next one, and the one this far ahead
_UPPER, _LOWER = -(2**31), 2**31 - 1
_MATRIX = 0x9908B0DF - 2**32
_TEMPER_B, _TEMPER_C = 0x9D2C5680 - 2**32, 0xEFC60000 - 2**32

WORD_POINTER = I32.as_pointer()


def add_draws(builder: StepBuilder, node: Node, wide: bool) -> None:
    """Add the kernel that fills `node` with draws of 32 bits, or of 64 if `wide`."""

    def emit(module: ir.Module, name: str) -> None:
        emit_draws(module, name, wide, machine.lanes())

    _add(builder, node, f"draws{64 if wide else 32}", emit)


def add_normals(builder: StepBuilder, node: Node) -> None:
    """Add the kernel that fills `node` with standard normals, in float64."""

    def emit(module: ir.Module, name: str) -> None:
        emit_normals(module, name, machine.lanes())

    _add(builder, node, "normals", emit)


def _add(
    builder: StepBuilder, node: Node, name: str, emit: Callable[[ir.Module, str], None]
) -> None:
    state, offset = builder.dense(node.inputs[0])
    arguments: list[Any] = [(node, 0), (state, offset * 4), node.spec.numel]
    total = 1 if node.spec.numel else 0
    label = f"{name} {list(node.shape)}"
    builder.kernel(Call(name=label, key=f"mersenne {name}", emit=emit, arguments=arguments,
                        total=total, target=node))  # fmt: skip


# ------------------------------------------------------------------------------------- kernels


def emit_draws(module: ir.Module, name: str, wide: bool, lanes: int) -> None:
    """Emit the kernel; arguments: the addresses of the result and the state, how many draws."""
    fill = _emit_fill(module, f"{name}_fill", lanes)
    function = ir.Function(module, KERNEL_TYPE, name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    result, state, count = _arguments(b, function)
    with for_range(b, function.args[1], function.args[2]):
        words = b.mul(count, i64(2)) if wide else count
        b.call(fill, [state, result, words])
        if wide:
            _first_draws_high(b, b.bitcast(result, I64.as_pointer()), count, max(lanes // 2, 1))
    b.ret_void()


def _first_draws_high(b: ir.IRBuilder, pairs: ir.Value, count: ir.Value, lanes: int) -> None:
    def swap(index: ir.Value, width: int) -> None:
        pair = _load(b, pairs, index, width)
        _store(b, (pair << 32) | pair.logical_shift(32), pairs, index)

    _each(b, i64(0), count, lanes, swap)


def emit_normals(module: ir.Module, name: str, lanes: int) -> None:
    """Emit the kernel; arguments: the addresses of the result and the state, how many numbers.

    A pair of uniforms makes two normals; one that is not asked for stays in the state.
    """
    fill = _emit_fill(module, f"{name}_fill", lanes)
    function = ir.Function(module, KERNEL_TYPE, name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    words, state, count = _arguments(b, function)
    result = b.bitcast(words, F64.as_pointer())
    flag = b.gep(state, [i64(HAS_NORMAL)])
    kept = b.bitcast(b.gep(state, [i64(NORMAL)]), F64.as_pointer())
    drawn = stack_slot(b, I32, 4)
    with for_range(b, function.args[1], function.args[2]):
        has_one = b.zext(b.load(flag), I64)
        with b.if_then(b.trunc(has_one, ir.IntType(1))):
            b.store(b.load(kept), result)
            b.store(ir.Constant(I32, 0), flag)
        with for_range(b, has_one, count, i64(2)) as pair:
            b.call(fill, [state, drawn, i64(4)])
            cosine, sine = _box_muller(b, drawn)
            b.store(cosine, b.gep(result, [pair.index]))
            second = b.add(pair.index, i64(1))
            with b.if_else(b.icmp_signed("<", second, count)) as (wanted, left_over):
                with wanted:
                    b.store(sine, b.gep(result, [second]))
                with left_over:
                    b.store(sine, kept)
                    b.store(ir.Constant(I32, 1), flag)
    b.ret_void()


def _box_muller(b: ir.IRBuilder, drawn: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Two standard normals of four words: with the cosine, and with the sine."""
    first, second = _uniform53(b, drawn, 0), _uniform53(b, drawn, 2)
    logarithm = Lanes(b, mathlib.emit("log1p", b, (-second).value))
    radius = call_intrinsic("sqrt", logarithm * -2.0)
    angle = (first * (2.0 * math.pi)).value
    cosine, sine = (Lanes(b, mathlib.emit(name, b, angle)) for name in ("cos", "sin"))
    return (radius * cosine).value, (radius * sine).value


def _uniform53(b: ir.IRBuilder, drawn: ir.Value, at: int) -> Lanes:
    high, low = (b.zext(b.load(b.gep(drawn, [i64(at + k)])), I64) for k in range(2))
    bits = b.or_(b.shl(b.and_(high, i64(2**21 - 1)), i64(32)), low)
    return Lanes(b, b.sitofp(bits, F64)) * 2.0**-53


# ----------------------------------------------------------------------------------- generator


def _emit_fill(module: ir.Module, name: str, lanes: int) -> ir.Function:
    """`fill(state, out, count)`: the next `count` words."""
    twist = _emit_twist(module, f"{name}_twist", lanes)
    function = _internal(module, name, [WORD_POINTER, WORD_POINTER, I64])
    state, out, count = function.args
    b = ir.IRBuilder(function.append_basic_block())
    place = b.gep(state, [i64(POSITION)])
    position = minimum(b, b.zext(b.load(place), I64), i64(WORDS))
    ready = minimum(b, count, b.sub(i64(WORDS), position))
    _temper(b, b.gep(state, [position]), out, ready, lanes)
    with for_range(b, ready, count, i64(WORDS), carried=[b.add(position, ready)]) as block:
        b.call(twist, [state])
        length = minimum(b, i64(WORDS), b.sub(count, block.index))
        _temper(b, state, b.gep(out, [block.index]), length, lanes)
        block.update([length])
    b.store(b.trunc(block.carried[0], I32), place)
    b.ret_void()
    return function


def _temper(b: ir.IRBuilder, words: ir.Value, out: ir.Value, count: ir.Value, lanes: int) -> None:
    """Write the first `count` words as drawn."""

    def temper(index: ir.Value, width: int) -> None:
        word = _load(b, words, index, width)
        word = word ^ word.logical_shift(11)
        word = word ^ ((word << 7) & _TEMPER_B)
        word = word ^ ((word << 15) & _TEMPER_C)
        _store(b, word ^ word.logical_shift(18), out, index)

    _each(b, i64(0), count, lanes, temper)


def _emit_twist(module: ir.Module, name: str, lanes: int) -> ir.Function:
    """`twist(state)`: the next 624 words in place of the last."""
    function = _internal(module, name, [WORD_POINTER])
    state = function.args[0]
    b = ir.IRBuilder(function.append_basic_block())

    def renew(index: ir.Value, following: ir.Value, far: ir.Value, width: int) -> None:
        this, other = _load(b, state, index, width), _load(b, state, following, width)
        mixed = ((this & _UPPER) | (other & _LOWER)).logical_shift(1)
        odd = other.lift(0) - (other & 1)
        _store(b, _load(b, state, far, width) ^ mixed ^ (odd & _MATRIX), state, index)

    # Words before `turn` are made of old ones only, the others of one renewed before.
    turn = WORDS - _FAR
    for start, stop, distance in ((0, turn, _FAR), (turn, WORDS - 1, -turn)):

        def step(index: ir.Value, width: int, distance: int = distance) -> None:
            renew(index, b.add(index, i64(1)), b.add(index, i64(distance)), width)

        _each(b, i64(start), i64(stop), lanes, step)
    renew(i64(WORDS - 1), i64(0), i64(_FAR - 1), 1)
    b.ret_void()
    return function


# ------------------------------------------------------------------------------------- helpers


def _internal(module: ir.Module, name: str, params: list[ir.Type]) -> ir.Function:
    function = ir.Function(module, ir.FunctionType(VOID, params), name)
    function.linkage = "internal"
    return function


def _arguments(b: ir.IRBuilder, function: ir.Function) -> tuple[ir.Value, ir.Value, ir.Value]:
    result, state, count = [b.load(b.gep(function.args[0], [i64(k)])) for k in range(3)]
    return b.inttoptr(result, WORD_POINTER), b.inttoptr(state, WORD_POINTER), count


def _each(
    b: ir.IRBuilder,
    start: ir.Value,
    stop: ir.Value,
    lanes: int,
    body: Callable[[ir.Value, int], None],
) -> None:
    """`body(index, width)` for whole vectors of `lanes`, then one by one."""
    rest = b.srem(b.sub(stop, start), i64(lanes))
    whole = b.sub(stop, rest)
    with for_range(b, start, whole, i64(lanes)) as vectors:
        body(vectors.index, lanes)
    with for_range(b, whole, stop) as single:
        body(single.index, 1)


def _load(b: ir.IRBuilder, base: ir.Value, index: ir.Value, width: int) -> Lanes:
    pointer, kind = b.gep(base, [index]), base.type.pointee
    if width > 1:
        pointer = b.bitcast(pointer, ir.VectorType(kind, width).as_pointer())
    return Lanes(b, b.load(pointer, align=kind.width // 8))


def _store(b: ir.IRBuilder, value: Lanes, base: ir.Value, index: ir.Value) -> None:
    pointer = b.bitcast(b.gep(base, [index]), value.kind.as_pointer())
    b.store(value.value, pointer, align=base.type.pointee.width // 8)
