"""Element types of a matrix product: as they lie in memory, and as they are computed in."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from flambeau.runtime.llvm.blocks import F32, F64, I8, I32, I64

I16 = ir.IntType(16)
F16 = ir.HalfType()

_STORAGE = {
    "float16": F16,
    "bfloat16": I16,
    "float32": F32,
    "float64": F64,
    "uint8": I8,
    "int8": I8,
    "int16": I16,
    "int32": I32,
    "int64": I64,
}
_COMPUTE = {"float64": F64, "int64": I64, "int32": I32, "int16": I32, "int8": I32, "uint8": I32}


@dataclass(frozen=True)
class Element:
    """An element type: how it lies in memory and the wider type it is computed in.

    Integers narrower than 32 bits may be computed in 32: wrapping around once at the end gives the
    same bits as wrapping around at every step.
    """

    dtype: str

    @property
    def storage(self) -> ir.Type:
        return _STORAGE[self.dtype]

    @property
    def compute(self) -> ir.Type:
        return _COMPUTE.get(self.dtype, F32)

    @property
    def is_narrow(self) -> bool:
        """Whether memory holds less than is computed."""
        return self.storage is not self.compute

    def widen(self, builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
        """A loaded vector or scalar, in the type it is computed in."""
        if not self.is_narrow:
            return value
        wide = _shaped(self.compute, value)
        if self.dtype == "float16":
            return builder.fpext(value, wide)
        if self.dtype == "bfloat16":
            bits = builder.zext(value, _shaped(I32, value))
            return builder.bitcast(builder.shl(bits, _constant(bits, 16)), wide)
        extend = builder.zext if self.dtype == "uint8" else builder.sext
        return extend(value, wide)

    def narrow(self, builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
        """A computed vector or scalar as it is stored: rounded to nearest, ties to even."""
        if not self.is_narrow:
            return value
        if self.dtype == "float16":
            return builder.fptrunc(value, _shaped(F16, value))
        if self.dtype == "bfloat16":
            return _round_to_bfloat16(builder, value)
        return builder.trunc(value, _shaped(self.storage, value))


def _shaped(kind: ir.Type, value: ir.Value) -> ir.Type:
    """`kind`, as a vector if `value` is one."""
    return ir.VectorType(kind, value.type.count) if isinstance(value.type, ir.VectorType) else kind


def _constant(like: ir.Value, number: int) -> ir.Constant:
    if isinstance(like.type, ir.VectorType):
        return ir.Constant(like.type, [number] * like.type.count)
    return ir.Constant(like.type, number)


def _round_to_bfloat16(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    bits = builder.bitcast(value, _shaped(I32, value))
    odd = builder.and_(builder.lshr(bits, _constant(bits, 16)), _constant(bits, 1))
    rounded = builder.add(bits, builder.add(odd, _constant(bits, 0x7FFF)))
    # Rounding could turn a NaN into an infinity: set its quiet bit instead.
    quiet = builder.or_(bits, _constant(bits, 0x400000))
    chosen = builder.select(builder.fcmp_unordered("uno", value, value), quiet, rounded)
    return builder.trunc(builder.lshr(chosen, _constant(bits, 16)), _shaped(I16, value))
