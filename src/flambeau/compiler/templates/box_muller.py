"""Uniform numbers to normal ones, in blocks of 16: eight radii, then eight angles.

float32 uses the polynomials below, whose bits are PyTorch's on x86; float64 the math library.

Sources: Box and Muller (1958), https://doi.org/10.1214/aoms/1177706645; log, sin and cos as in
Moshier's Cephes (logf.c, sinf.c; https://netlib.org/cephes)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from flambeau.compiler import mathlib
from flambeau.compiler.mathlib.lanes import Lanes, call_intrinsic, fma, like, select
from flambeau.compiler.templates.random_tables import (
    BLOCK,
    COS,
    HALF,
    LN2_HIGH,
    LN2_LOW,
    LOG,
    MINUS_QUARTER_PI,
    SIN,
    as_float32,
)
from flambeau.compiler.units import Call
from flambeau.core import dtypes
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node
from flambeau.runtime.llvm.blocks import F32, F64, I32, I64, KERNEL_TYPE, for_range, i64


def add_steps(builder: StepBuilder, node: Node) -> None:
    """Add the kernel that makes normals of draws.

    The draws of the blocks come first. Where the count is no multiple of 16, the last 16 draws
    make the last 16 normals, over what the blocks put there.
    """
    (draws,), count = node.inputs, node.spec.numel
    base, offset = builder.dense(draws)
    single = node.dtype is dtypes.float32
    tail = int(count % BLOCK != 0)
    size = draws.dtype.itemsize
    arguments: list[Any] = [
        (node, 0), (base, offset * size), count // BLOCK,
        tail, count - BLOCK, draws.spec.numel - BLOCK,
    ]  # fmt: skip

    def emit(module: ir.Module, name: str) -> None:
        emit_box_muller(module, name, single)

    builder.kernel(
        Call(
            name=f"box-muller {list(node.shape)}",
            key=f"box-muller {node.dtype.name}",
            emit=emit,
            arguments=arguments,
            total=count // BLOCK,
            grain=250,
            target=node,
        )
    )


def emit_box_muller(module: ir.Module, name: str, single: bool) -> None:
    """Emit the kernel; a work item is a block, and the last one also does the tail."""
    element, word = (F32, I32) if single else (F64, I64)
    block = _emit_block(module, f"{name}_block", single)
    function = ir.Function(module, KERNEL_TYPE, name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    numbers = [b.load(b.gep(function.args[0], [i64(k)])) for k in range(6)]
    result = b.inttoptr(numbers[0], element.as_pointer())
    draws = b.inttoptr(numbers[1], word.as_pointer())
    blocks, tail, tail_to, tail_from = numbers[2:]
    begin, end = function.args[1:3]
    with for_range(b, begin, end) as item:
        start = b.mul(item.index, i64(BLOCK))
        b.call(block, [b.gep(draws, [start]), b.gep(result, [start])])
    last = b.and_(b.icmp_signed("<", begin, end), b.icmp_signed("==", end, blocks))
    with b.if_then(b.and_(last, b.icmp_signed("!=", tail, i64(0)))):
        b.call(block, [b.gep(draws, [tail_from]), b.gep(result, [tail_to])])
    b.ret_void()


def _emit_block(module: ir.Module, name: str, single: bool) -> ir.Function:
    """`block(draws, out)` for 16 of each."""
    element, word = (F32, I32) if single else (F64, I64)
    signature = ir.FunctionType(ir.VoidType(), [word.as_pointer(), element.as_pointer()])
    function = ir.Function(module, signature, name)
    function.linkage = "internal"
    draws, out = function.args
    b = ir.IRBuilder(function.append_basic_block())
    one, other = (_uniforms(b, b.gep(draws, [i64(k)]), single) for k in (0, HALF))
    radius = call_intrinsic("sqrt", _log(1.0 - one, single) * -2.0)
    angle = other * (as_float32(2.0 * math.pi) if single else 2.0 * math.pi)
    sine, cosine = _sine_cosine(angle) if single else _library(angle, "sin", "cos")
    for place, factor in ((0, cosine), (HALF, sine)):
        # Adding zero makes -0 a 0, as PyTorch's addition of the mean does.
        normal = radius * factor + 0.0
        pointer = b.bitcast(b.gep(out, [i64(place)]), normal.kind.as_pointer())
        b.store(normal.value, pointer, align=4 if single else 8)
    b.ret_void()
    return function


def _uniforms(b: ir.IRBuilder, draws: ir.Value, single: bool) -> Lanes:
    word = draws.type.pointee
    pointer = b.bitcast(draws, ir.VectorType(word, HALF).as_pointer())
    bits = Lanes(b, b.load(pointer, align=word.width // 8)) & (2 ** (24 if single else 53) - 1)
    return _to_float(bits, F32 if single else F64) * 2.0 ** (-24 if single else -53)


def _to_float(whole: Lanes, element: ir.Type) -> Lanes:
    return whole.wrap(whole.builder.sitofp(whole.value, like(whole.kind, element)))


def _library(x: Lanes, *names: str) -> tuple[Lanes, ...]:
    return tuple([x.wrap(mathlib.emit(name, x.builder, x.value)) for name in names])


def _log(x: Lanes, single: bool) -> Lanes:
    return _log32(x) if single else _library(x, "log")[0]


def _log32(x: Lanes) -> Lanes:
    """Natural logarithm of normal positive float32 numbers."""
    bits = x.to_bits()
    mantissa = ((bits & 0x7FFFFF) | 0x3F000000).to_float()  # in [0.5, 1)
    small = mantissa < as_float32(math.sqrt(0.5))
    exponent = _to_float((bits >> 23) - 126, F32) - select(small, x.lift(1.0), 0.0)
    r = select(small, (mantissa - 1.0) + mantissa, mantissa - 1.0)
    square = r * r
    y = fma(_polynomial(r, LOG) * r, square, exponent * LN2_LOW)
    return fma(exponent, LN2_HIGH, r + (y - square * 0.5))


def _sine_cosine(x: Lanes) -> tuple[Lanes, Lanes]:
    """Sine and cosine of float32 angles from 0 to a few turns."""
    scaled = x * as_float32(4.0 / math.pi)
    octant = (x.wrap(x.builder.fptosi(scaled.value, like(x.kind, I32))) + 1) & ~1
    for part in MINUS_QUARTER_PI:
        x = fma(_to_float(octant, F32), as_float32(part), x)
    square = x * x
    near_cosine = fma(_polynomial(square, COS) * square, square, -(square * 0.5)) + 1.0
    near_sine = fma(_polynomial(square, SIN) * square, x, x)
    swapped = (octant & 2).differs(0)
    sine = select(swapped, near_cosine, near_sine)
    cosine = select(swapped, near_sine, near_cosine)
    sine = select((octant & 4).differs(0), -sine, sine)
    return sine, select(((octant + 2) & 4).differs(0), -cosine, cosine)


def _polynomial(x: Lanes, coefficients: Sequence[float]) -> Lanes:
    """Horner's rule, highest power first, every step fused."""
    total = x.lift(as_float32(coefficients[0]))
    for coefficient in coefficients[1:]:
        total = fma(total, x, as_float32(coefficient))
    return total
