"""Single instructions of AVX-512 for what takes several elsewhere, with the same bits."""

from __future__ import annotations

from itertools import pairwise

from llvmlite import ir

from flambeau.compiler.mathlib.lanes import I32, Lanes
from flambeau.runtime.llvm.blocks import intrinsic, zeros

_REGISTER_BYTES = 64
_CURRENT_ROUNDING = 4
_LESSER_SIZE = 2


def serves(x: Lanes) -> bool:
    """Whether the machine has these instructions, and `x` fills whole registers."""
    from flambeau.runtime.llvm import machine

    return (
        isinstance(x.kind, ir.VectorType)
        and x.kind.count % _per_register(x) == 0
        and machine.has_avx512()
    )


def scale(x: Lanes, exponent: Lanes) -> Lanes:
    """x 2^exponent for whole numbers `exponent`, rounded once."""
    return _call("scalef", x, exponent)


def within(x: Lanes, limit: float) -> Lanes:
    """x where |x| < limit, else the limit with the sign of x; that too for a NaN."""
    return _call("range", x, x.lift(limit), ir.Constant(I32, _LESSER_SIZE))


def _call(name: str, x: Lanes, other: Lanes, *flags: ir.Value) -> Lanes:
    """An instruction on every register of two vectors."""
    count = _per_register(x)
    kind, mask = ir.VectorType(x.scalar, count), ir.IntType(count)
    rest = [*flags, zeros(kind), ir.Constant(mask, -1), ir.Constant(I32, _CURRENT_ROUNDING)]
    types = [kind, kind, *[one.type for one in rest]]
    symbol = f"llvm.x86.avx512.mask.{name}.{'ps' if x.is_single else 'pd'}.512"
    function = intrinsic(x.builder.module, symbol, kind, types)
    parts = [
        x.builder.call(function, [*pair, *rest])
        for pair in zip(_registers(x), _registers(other), strict=True)
    ]
    return x.wrap(_joined(x.builder, parts))


def _per_register(x: Lanes) -> int:
    return _REGISTER_BYTES // (4 if x.is_single else 8)


def _registers(x: Lanes) -> list[ir.Value]:
    """The vector cut into registers."""
    borders = range(0, x.kind.count + 1, _per_register(x))
    return [_shuffled(x.builder, x.value, x.value, *border) for border in pairwise(borders)]


def _joined(builder: ir.IRBuilder, parts: list[ir.Value]) -> ir.Value:
    """One vector of registers, as many as a power of two."""
    while len(parts) > 1:
        parts = [
            _shuffled(builder, first, second, 0, 2 * first.type.count)
            for first, second in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def _shuffled(
    builder: ir.IRBuilder, first: ir.Value, second: ir.Value, start: int, stop: int
) -> ir.Value:
    """The lanes from `start` to `stop` of two vectors in a row."""
    lanes = ir.Constant(ir.VectorType(I32, stop - start), list(range(start, stop)))
    return builder.shuffle_vector(first, second, lanes)
