"""Vectors in memory: whole, or as many lanes as there are elements left."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from flambeau.runtime.llvm.blocks import I8, I32, I64, VOID, i64, intrinsic, splat, zeros

LINE = 64


def item_bytes(kind: ir.Type) -> int:
    """The size of one element in memory."""
    return {ir.HalfType(): 2, ir.FloatType(): 4, ir.DoubleType(): 8}.get(kind) or kind.width // 8


def load_vector(builder: ir.IRBuilder, pointer: ir.Value, lanes: int) -> ir.Value:
    """Load `lanes` neighbours; the pointer need only be aligned to its element."""
    kind = pointer.type.pointee
    whole = builder.bitcast(pointer, ir.VectorType(kind, lanes).as_pointer())
    return builder.load(whole, align=item_bytes(kind))


def store_vector(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value) -> None:
    """Store a vector; the pointer need only be aligned to its element."""
    whole = builder.bitcast(pointer, value.type.as_pointer())
    builder.store(value, whole, align=item_bytes(value.type.element))


def prefetch(builder: ir.IRBuilder, pointer: ir.Value, locality: int = 3) -> None:
    """Have the cache line at `pointer` fetched: into all caches (3), or not the first (2)."""
    flags = [ir.Constant(I32, one) for one in (0, locality, 1)]
    line = builder.bitcast(pointer, I8.as_pointer())
    name = "llvm.prefetch.p0"
    fetch = intrinsic(builder.module, name, VOID, [line.type, I32, I32, I32])
    builder.call(fetch, [line, *flags])


def stream_vector(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value) -> None:
    """Store a vector past the caches, if the pointer is aligned to a line of memory."""
    whole = builder.bitcast(pointer, value.type.as_pointer())
    offset = builder.and_(builder.ptrtoint(pointer, I64), i64(LINE - 1))
    with builder.if_else(builder.icmp_unsigned("==", offset, i64(0))) as (aligned, other):
        with aligned:
            store = builder.store(value, whole, align=LINE)
            store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(I32, 1)]))
        with other:
            store_vector(builder, value, pointer)


def first_lanes(builder: ir.IRBuilder, count: ir.Value, lanes: int) -> ir.Value:
    """The mask of the lanes below `count`, which may exceed `lanes`."""
    numbers = ir.Constant(ir.VectorType(I64, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, splat(builder, count, lanes))


@dataclass(frozen=True)
class Lanes:
    """The lanes of a vector that exist in memory: all of them, or the first few."""

    mask: ir.Value
    all: ir.Value

    @classmethod
    def first(cls, builder: ir.IRBuilder, count: ir.Value, lanes: int) -> Lanes:
        """The lanes below `count`, which may exceed `lanes`."""
        mask = first_lanes(builder, count, lanes)
        return cls(mask, builder.icmp_signed(">=", count, i64(lanes)))

    # Many processors are slow at masked access, so whole vectors go the plain way.

    def load(self, builder: ir.IRBuilder, pointer: ir.Value) -> ir.Value:
        """Load a vector: zero where there is no lane."""
        with builder.if_else(self.all) as (whole, part):
            with whole:
                plain = load_vector(builder, pointer, self.mask.type.count)
                plain_block = builder.block
            with part:
                masked = masked_load(builder, pointer, self.mask)
                masked_block = builder.block
        value = builder.phi(plain.type)
        value.add_incoming(plain, plain_block)
        value.add_incoming(masked, masked_block)
        return value

    def store(self, builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value) -> None:
        """Store a vector: memory where there is no lane is not touched."""
        with builder.if_else(self.all) as (whole, part):
            with whole:
                store_vector(builder, value, pointer)
            with part:
                masked_store(builder, value, pointer, self.mask)


def masked_load(builder: ir.IRBuilder, pointer: ir.Value, mask: ir.Value) -> ir.Value:
    """Load the lanes of `mask`; the others are zero and their memory is not touched."""
    kind = ir.VectorType(pointer.type.pointee, mask.type.count)
    name = f"llvm.masked.load.{suffix(kind)}.p0"
    load = intrinsic(builder.module, name, kind, [kind.as_pointer(), I32, mask.type, kind])
    whole = builder.bitcast(pointer, kind.as_pointer())
    alignment = ir.Constant(I32, item_bytes(kind.element))
    return builder.call(load, [whole, alignment, mask, zeros(kind)])


def masked_store(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, mask: ir.Value) -> None:
    """Store the lanes of `mask`; the memory of the others is not touched."""
    kind = value.type
    name = f"llvm.masked.store.{suffix(kind)}.p0"
    store = intrinsic(builder.module, name, VOID, [kind, kind.as_pointer(), I32, mask.type])
    whole = builder.bitcast(pointer, kind.as_pointer())
    alignment = ir.Constant(I32, item_bytes(kind.element))
    builder.call(store, [value, whole, alignment, mask])


def suffix(kind: ir.VectorType) -> str:
    """How the names of intrinsics give a vector's type: `v16f32`."""
    letter = "i" if isinstance(kind.element, ir.IntType) else "f"
    return f"v{kind.count}{letter}{item_bytes(kind.element) * 8}"


def minimum(builder: ir.IRBuilder, first: ir.Value, second: ir.Value) -> ir.Value:
    """The smaller of two signed integers."""
    return builder.select(builder.icmp_signed("<", first, second), first, second)


def maximum(builder: ir.IRBuilder, first: ir.Value, second: ir.Value) -> ir.Value:
    """The larger of two signed integers."""
    return builder.select(builder.icmp_signed(">", first, second), first, second)
