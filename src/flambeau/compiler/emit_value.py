"""LLVM code for a section's instructions: values in registers, loads and stores.

A value that is the same in all lanes stays a scalar until a varying one needs it. Scalars and
vectors go through the same instructions, so lanes never change a result.
"""

from __future__ import annotations

import functools
import math
import struct
from contextlib import nullcontext
from dataclasses import dataclass, field

from llvmlite import ir

from flambeau.compiler import mathlib
from flambeau.compiler.arguments import Address, Arguments
from flambeau.compiler.kernel import Instruction, Kernel, Section, register_kind
from flambeau.compiler.mathlib import narrow
from flambeau.compiler.mathlib.lanes import Lanes, const, fma
from flambeau.compiler.mathlib.power import integer_power
from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.runtime.llvm.blocks import (
    F32,
    F64,
    I1,
    I8,
    I32,
    I64,
    POINTER,
    VOID,
    constant_lanes,
    for_range,
    i64,
    intrinsic,
    splat,
    zeros,
)
from flambeau.runtime.llvm.vectors import (
    LINE,
    item_bytes,
    load_vector,
    masked_load,
    masked_store,
    store_vector,
    stream_vector,
    suffix,
)

I16 = ir.IntType(16)
_RELATIONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_INTEGER = {"add", "sub", "mul", "and", "or", "xor", "shl"}


def register_type(kind: dtype) -> ir.Type:
    """The LLVM type of one lane of a value of this kind."""
    if kind is dtypes.float32:
        return F32
    if kind is dtypes.float64:
        return F64
    return I1 if kind is dtypes.bool else ir.IntType(8 * kind.itemsize)


def memory_type(kind: dtype) -> ir.Type:
    """The LLVM type of an element in memory."""
    if kind is dtypes.bool:
        return I8
    return I16 if kind.itemsize == 2 else register_type(kind)


def constant(kind: dtype, value: float | int) -> ir.Constant:
    """A scalar constant; floats are rounded to the type once."""
    if kind is dtypes.float32:
        value = struct.unpack("f", struct.pack("f", _within_float32(value)))[0]
    return ir.Constant(register_type(kind), value)


def _within_float32(value: float) -> float:
    largest = 3.4028234663852886e38
    inside = -largest <= value <= largest
    return value if inside or math.isnan(value) else float("inf") * (1 if value > 0 else -1)


@dataclass
class SectionEmitter:
    """Emits sections of one kernel at one place of the loop nest."""

    kernel: Kernel
    arguments: Arguments
    builder: ir.IRBuilder
    loaded: list[ir.Value]
    lane_axis: int
    lanes: int
    varying: set[int]
    # Current scalar index of each axis (for the lane axis: of its first lane).
    axes: dict[int, ir.Value] = field(default_factory=dict)
    mask: ir.Value | None = None
    values: dict[int, ir.Value] = field(default_factory=dict)
    # Vectors that loads need not fetch any more: see compiler/tiles.py.
    fetched: dict[int, ir.Value] = field(default_factory=dict)
    # The thread's own memory.
    scratch: ir.Value | None = None
    # The sums of a matrix product, for its epilogue.
    sums: ir.Value | None = None

    # ------------------------------------------------------------------ sections

    def emit(self, section: Section, *, but_stores: bool = False) -> dict[int, ir.Value]:
        """Emit all but the reductions of a section; returns the operands of those."""
        operands = {}
        for number, one in section.code:
            if but_stores and one.op == "store":
                continue
            if one.op == "reduce":
                value = self.values[one.operands[0]]
                operands[number] = self.wide(value)
            elif one.op == "store":
                self._store(one)
            elif one.op == "accumulate":
                self._accumulate(one)
            elif one.op == "fail":
                self._fail(number, one)
            else:
                self.values[number] = self._value(number, one)
        return operands

    def wide(self, value: ir.Value) -> ir.Value:
        """The value as a vector."""
        if isinstance(value.type, ir.VectorType):
            return value
        return splat(self.builder, value, self.lanes)

    def _operands(self, number: int, one: Instruction) -> list[ir.Value]:
        values = [self.values[operand] for operand in one.operands]
        if number in self.varying:
            return [self.wide(value) for value in values]
        return values

    def _value(self, number: int, one: Instruction) -> ir.Value:
        if one.op == "constant":
            text = str(one.detail)
            number_ = float(text) if one.kind.is_floating_point else int(eval_integer(text))
            return constant(one.kind, number_)
        if one.op == "scalar":
            return self._scalar(one)
        if one.op == "product":
            return self.sums
        if one.op == "coordinate":
            assert one.at is not None
            return self._index(self.arguments.addresses[one.at])
        if one.op == "inside":
            return self._guard(one.guards, self._guards_vary(one.guards))
        if one.op == "load":
            return self._load(number, one)
        values = self._operands(number, one)
        if one.op == "cast":
            return self._cast(
                values[0], self.kernel.kinds[one.operands[0]], dtypes.BY_NAME[str(one.detail)]
            )
        if one.op in _RELATIONS:
            return self._compare(one, values)
        if one.op == "select":
            return self.builder.select(*values)
        return compute(self.builder, one.op, one.kind, values)

    # ------------------------------------------------------------------ arithmetic

    def _compare(self, one: Instruction, values: list[ir.Value]) -> ir.Value:
        kind, relation = self.kernel.kinds[one.operands[0]], _RELATIONS[one.op]
        if kind.is_floating_point:
            if one.op == "ne":
                return self.builder.fcmp_unordered(relation, *values)
            return self.builder.fcmp_ordered(relation, *values)
        if kind.is_signed:
            return self.builder.icmp_signed(relation, *values)
        return self.builder.icmp_unsigned(relation, *values)

    def _cast(self, value: ir.Value, source: dtype, target: dtype) -> ir.Value:
        return cast(self.builder, value, source, target)

    # ------------------------------------------------------------------ memory

    def _base(self, address: Address) -> ir.Value:
        """The part of an address that is the same in all lanes (lane axis: its first lane)."""
        b = self.builder
        parts = [] if address.constant is None else [self.loaded[address.constant]]
        steps = [(self.axes[axis], factor) for axis, factor in address.axes]
        steps += [
            (self.values[value], factor)
            for value, factor in address.values
            if value not in self.varying
        ]
        for step, factor in steps:
            parts.append(step if factor is None else b.mul(step, self.loaded[factor]))
        return functools.reduce(b.add, parts) if parts else i64(0)

    def _scattered(self, address: Address) -> bool:
        """Whether the lanes are neither at one place nor at neighbouring ones."""
        if any(value in self.varying for value, _ in address.values):
            return True
        return address.along(self.lane_axis) not in (None, -1)

    def _varies(self, address: Address) -> bool:
        return address.along(self.lane_axis) is not None or any(
            value in self.varying for value, _ in address.values
        )

    def _index(self, address: Address) -> ir.Value:
        """The index itself: a scalar, or a vector if it varies over the lanes."""
        base = self._base(address)
        if not self._varies(address):
            return base
        b, total = self.builder, self.wide(base)
        factor = address.along(self.lane_axis)
        if factor is not None:
            lane = ir.Constant(ir.VectorType(I64, self.lanes), list(range(self.lanes)))
            step = lane if factor == -1 else b.mul(lane, self.wide(self.loaded[factor]))
            total = b.add(total, step)
        for value, by in address.values:
            if value in self.varying:
                step = self.values[value]
                total = b.add(
                    total, step if by is None else b.mul(step, self.wide(self.loaded[by]))
                )
        return total

    def _guards_vary(self, guards: tuple[tuple[object, int], ...]) -> bool:
        return any(self._varies(address) for address, _ in self.arguments.guards[guards])  # type: ignore[index]

    def _guard(self, guards: tuple[tuple[object, int], ...], vary: bool) -> ir.Value:
        """Whether every guarded index is inside its bounds."""
        b, result = self.builder, None
        for address, size in self.arguments.guards[guards]:  # type: ignore[index]
            index, bound = self._index(address), self.loaded[size]
            if vary:
                index, bound = self.wide(index), self.wide(bound)
            inside = b.icmp_unsigned("<", index, bound)
            result = inside if result is None else b.and_(result, inside)
        return result

    def _mask_for(self, one: Instruction) -> ir.Value | None:
        """The lanes in which memory may be touched; None for all."""
        mask = self.mask
        if one.guards:
            inside = self.wide(self._guard(one.guards, self._guards_vary(one.guards)))
            mask = inside if mask is None else self.builder.and_(mask, inside)
        return mask

    def _pointer(self, slot: int, index: ir.Value, kind: ir.Type) -> ir.Value:
        b, start = self.builder, self.loaded[self.arguments.slot(slot)]
        if slot in self.kernel.rows:
            start = b.add(b.ptrtoint(self.scratch, I64), start)
        return b.gep(b.inttoptr(start, kind.as_pointer()), [index])

    def _load(self, number: int, one: Instruction) -> ir.Value:
        assert one.at is not None
        b, address = self.builder, self.arguments.addresses[one.at]
        source = dtypes.BY_NAME[str(one.detail)]
        kind = memory_type(source)
        if number in self.fetched:
            return from_memory(b, self.fetched[number], source)
        if number not in self.varying:
            return from_memory(b, self._load_one(one, address, kind), source)
        if not self._varies(address):
            # Only its guards vary: one element, wanted in some lanes.
            mask = self._mask_for(one)
            assert mask is not None
            wanted = any_lane(b, mask)
            value = self._load_if(wanted, one, address, kind)
            return from_memory(b, self.wide(value), source)
        mask, vector = self._mask_for(one), ir.VectorType(kind, self.lanes)
        if self._scattered(address):
            value = self._gather(one, address, mask, vector)
        else:
            pointer = self._pointer(one.slot, self._base(address), kind)
            if mask is None:
                value = load_vector(b, pointer, self.lanes)
            else:
                value = masked_load(b, pointer, mask)
        return from_memory(b, value, source)

    def line(self, one: Instruction, lane: int) -> ir.Value:
        """The vector of neighbours in memory from the element of a lane on."""
        assert one.at is not None
        b, address = self.builder, self.arguments.addresses[one.at]
        index, step = self._base(address), address.along(self.lane_axis)
        assert step is not None
        index = b.add(index, b.mul(i64(lane), self.loaded[step]))
        kind = memory_type(dtypes.BY_NAME[str(one.detail)])
        return load_vector(b, self._pointer(one.slot, index, kind), self.lanes)

    def _load_one(self, one: Instruction, address: Address, kind: ir.Type) -> ir.Value:
        if one.guards:
            return self._load_if(self._guard(one.guards, False), one, address, kind)
        return self.builder.load(self._pointer(one.slot, self._base(address), kind))

    def _load_if(
        self, wanted: ir.Value, one: Instruction, address: Address, kind: ir.Type
    ) -> ir.Value:
        b, before = self.builder, self.builder.block
        with b.if_then(wanted):
            value, inside = b.load(self._pointer(one.slot, self._base(address), kind)), b.block
        result = b.phi(kind)
        result.add_incoming(ir.Constant(kind, 0), before)
        result.add_incoming(value, inside)
        return result

    def _pointers(self, one: Instruction, address: Address, kind: ir.Type) -> ir.Value:
        b, count = self.builder, self.lanes
        size = constant_lanes(ir.VectorType(I64, count), i64(item_bytes(kind)))
        base = self.wide(self.loaded[self.arguments.slot(one.slot)])
        where = b.add(base, b.mul(self.wide(self._index(address)), size))
        return b.inttoptr(where, ir.VectorType(kind.as_pointer(), count))

    def _gather(
        self, one: Instruction, address: Address, mask: ir.Value | None, vector: ir.VectorType
    ) -> ir.Value:
        pointers = self._pointers(one, address, vector.element)
        mask = all_lanes(self.lanes) if mask is None else mask
        name = f"llvm.masked.gather.{suffix(vector)}.v{self.lanes}p0"
        gather = intrinsic(
            self.builder.module, name, vector, [pointers.type, I32, mask.type, vector]
        )
        align = ir.Constant(I32, item_bytes(vector.element))
        return self.builder.call(gather, [pointers, align, mask, zeros(vector)])

    def _store(self, one: Instruction) -> None:
        assert one.at is not None
        b, address = self.builder, self.arguments.addresses[one.at]
        target = dtypes.BY_NAME[str(one.detail)]
        kind = memory_type(target)
        value = to_memory(b, self.values[one.operands[0]], target)
        if not self._varies(address) and not isinstance(value.type, ir.VectorType):
            wanted = self._guard(one.guards, False) if one.guards else None
            with b.if_then(wanted) if wanted else nullcontext():
                b.store(value, self._pointer(one.slot, self._base(address), kind))
            return
        value, vector, mask = self.wide(value), ir.VectorType(kind, self.lanes), self._mask_for(one)
        if self._scattered(address) or not self._varies(address):
            # In order of the lanes: the last one wins where several write to one place.
            pointers = self._pointers(one, address, kind)
            mask = all_lanes(self.lanes) if mask is None else mask
            name = f"llvm.masked.scatter.{suffix(vector)}.v{self.lanes}p0"
            scatter = intrinsic(b.module, name, VOID, [vector, pointers.type, I32, mask.type])
            b.call(scatter, [value, pointers, ir.Constant(I32, item_bytes(kind)), mask])
            return
        pointer = self._pointer(one.slot, self._base(address), kind)
        if mask is None and one.slot in self.kernel.streamed:
            stream_vector(b, value, pointer)
        elif mask is None:
            store_vector(b, value, pointer)
        else:
            masked_store(b, value, pointer, mask)

    def _accumulate(self, one: Instruction) -> None:
        """Add to memory lane by lane, in order: several lanes may name one place."""
        assert one.at is not None
        b, target = self.builder, dtypes.BY_NAME[str(one.detail)]
        where = self.wide(self._index(self.arguments.addresses[one.at]))
        value, mask = self.wide(self.values[one.operands[0]]), self._mask_for(one)
        with for_range(b, i64(0), i64(self.lanes)) as lane:
            here = i64(1) if mask is None else b.extract_element(mask, lane.index)
            wanted = b.icmp_unsigned("!=", here, ir.Constant(here.type, 0))
            with b.if_then(wanted):
                index = b.extract_element(where, lane.index)
                pointer = self._pointer(one.slot, index, memory_type(target))
                have = from_memory(b, b.load(pointer), target)
                add = "or" if target is dtypes.bool else "add"
                total = compute(b, add, one.kind, [have, b.extract_element(value, lane.index)])
                b.store(to_memory(b, total, target), pointer)

    def _scalar(self, one: Instruction) -> ir.Value:
        """A Python number from the argument list, rounded to its type."""
        b, bits = self.builder, self.loaded[self.arguments.slot(one.slot, "scalar")]
        named = dtypes.BY_NAME[str(one.detail)]
        if named.is_floating_point:
            return cast(b, b.bitcast(bits, F64), dtypes.float64, named)
        if named is dtypes.bool:
            return b.icmp_signed("!=", bits, i64(0))
        return bits if named is dtypes.int64 else b.trunc(bits, register_type(named))

    def read_ahead(self, axis: int) -> None:
        """Fetch what the present lanes will load at the next index of `axis`."""
        b, seen = self.builder, set()
        prefetch = intrinsic(b.module, "llvm.prefetch.p0", VOID, [POINTER, I32, I32, I32])
        read, nearby, data = (ir.Constant(I32, number) for number in (0, 3, 1))
        for _, one in self.kernel.instructions():
            if one.op != "load" or one.at is None or one.guards or one.at.values:
                continue
            address = self.arguments.addresses[one.at]
            step = address.along(axis)
            if step in (None, -1) or address.along(self.lane_axis) != -1 or one in seen:
                continue
            seen.add(one)
            kind = memory_type(dtypes.BY_NAME[str(one.detail)])
            index = b.add(self._base(address), self.loaded[step])
            line = b.bitcast(self._pointer(one.slot, index, kind), POINTER)
            for offset in range(0, self.lanes * item_bytes(kind), LINE):
                b.call(prefetch, [b.gep(line, [i64(offset)]), read, nearby, data])

    # ------------------------------------------------------------------ faults

    def _fail(self, number: int, one: Instruction) -> None:
        """Report the first lane (in address order) in which the condition holds."""
        b = self.builder
        condition, value, bound = [self.values[operand] for operand in one.operands]
        vectors = [self.wide(each) for each in (condition, value, bound)]
        mask = self._mask_for(one)
        bad = vectors[0] if mask is None else b.and_(vectors[0], mask)
        with (
            b.if_then(any_lane(b, bad), likely=False),
            for_range(b, i64(0), i64(self.lanes)) as lane,
        ):
            here = b.extract_element(bad, lane.index)
            with b.if_then(here, likely=False):
                cell = b.inttoptr(self.loaded[self.arguments.error], I64.as_pointer())
                code = self.loaded[self.arguments.faults[number]]
                swap = b.cmpxchg(cell, i64(0), code, "seq_cst", "seq_cst")
                with b.if_then(b.extract_value(swap, 1)):
                    b.store(b.extract_element(vectors[1], lane.index), b.gep(cell, [i64(1)]))
                    b.store(b.extract_element(vectors[2], lane.index), b.gep(cell, [i64(2)]))


# ---------------------------------------------------------------------------- single operations


def eval_integer(text: str) -> int:
    """An integer constant's text (`True` and `1.0` count) as a number."""
    if text in ("True", "False"):
        return int(text == "True")
    return int(float(text)) if "." in text or "e" in text else int(text)


def compute(b: ir.IRBuilder, op: str, kind: dtype, values: list[ir.Value]) -> ir.Value:
    """One function of the kernel language on registers of `kind`."""
    if kind.is_floating_point:
        return _float(b, op, values)
    if op in ("max", "min"):
        less = b.icmp_signed if kind.is_signed else b.icmp_unsigned
        return b.select(less(">" if op == "max" else "<", *values), values[0], values[1])
    if op == "neg":
        return b.sub(zeros(values[0].type), values[0])
    if op == "not":
        return b.not_(values[0])
    if op == "abs":
        negative = b.icmp_signed("<", values[0], zeros(values[0].type))
        return b.select(negative, b.sub(zeros(values[0].type), values[0]), values[0])
    if op == "pow":
        return integer_power(*[Lanes(b, value) for value in values]).value
    if op == "shr":
        return b.ashr(*values) if kind.is_signed else b.lshr(*values)
    if op == "div":
        return b.sdiv(*values) if kind.is_signed else b.udiv(*values)
    if op == "rem":
        return b.srem(*values) if kind.is_signed else b.urem(*values)
    if op not in _INTEGER:
        raise AssertionError(f"the kernel language has no '{op}' for {kind}")
    method = {"and": b.and_, "or": b.or_}.get(op) or getattr(b, op)
    return method(*values)


def _float(b: ir.IRBuilder, op: str, values: list[ir.Value]) -> ir.Value:
    if op == "fma":
        return fma(*[Lanes(b, value) for value in values]).value
    if op in ("add", "sub", "mul", "div", "rem", "neg"):
        return getattr(b, "f" + op)(*values)
    if op in ("max", "min"):
        first, second = values
        # NaN wins, whichever side it is on; of equal zeros the first. As processors have it, but
        # for the NaN.
        beyond = b.fcmp_ordered(">" if op == "max" else "<", second, first)
        is_nan = b.fcmp_unordered("!=", second, second)
        return b.select(is_nan, second, b.select(beyond, second, first))
    return mathlib.emit(op, b, *values)


def cast(b: ir.IRBuilder, value: ir.Value, source: dtype, target: dtype) -> ir.Value:
    """A register of `source` as one of `target`; to a narrow float: rounded, still a float32."""
    if target.itemsize == 2 and target.is_floating_point:
        # As in PyTorch by way of float32, so that a float64 number is rounded twice.
        if register_kind(source) is not dtypes.float32:
            value = cast(b, value, source, dtypes.float32)
        return from_memory(b, to_memory(b, value, target), target)
    vector = isinstance(value.type, ir.VectorType)
    kind = register_type(target)
    wanted = ir.VectorType(kind, value.type.count) if vector else kind
    if source.is_floating_point:
        if target is dtypes.bool:
            return b.fcmp_unordered("!=", value, zeros(value.type))
        if not target.is_floating_point:
            return _float_to_integer(b, value, target, wanted)
        if value.type == wanted:
            return value
        return b.fpext(value, wanted) if target is dtypes.float64 else b.fptrunc(value, wanted)
    if target.is_floating_point:
        return b.sitofp(value, wanted) if source.is_signed else b.uitofp(value, wanted)
    if target is dtypes.bool:
        return b.icmp_signed("!=", value, zeros(value.type))
    if value.type == wanted:
        return value
    if register_bits(source) > register_bits(target):
        return b.trunc(value, wanted)
    return b.sext(value, wanted) if source.is_signed else b.zext(value, wanted)


def _float_to_integer(b: ir.IRBuilder, value: ir.Value, target: dtype, wanted: ir.Type) -> ir.Value:
    """Truncation; out of range the low bits of the int64, as C compilers give on x86."""
    wide = ir.VectorType(I64, wanted.count) if isinstance(wanted, ir.VectorType) else I64
    limit = const(value.type, 2.0**63)
    inside = b.and_(b.fcmp_ordered("<", value, limit), b.fcmp_ordered(">=", value, b.fneg(limit)))
    safe = b.select(inside, value, zeros(value.type))
    lowest = const(wide, -(2**63))
    whole = b.select(inside, b.fptosi(safe, wide), lowest)
    return whole if target is dtypes.int64 else b.trunc(whole, wanted)


def register_bits(kind: dtype) -> int:
    """Bits of an integer register; a bool is one bit."""
    return 1 if kind is dtypes.bool else 8 * kind.itemsize


def from_memory(b: ir.IRBuilder, value: ir.Value, kind: dtype) -> ir.Value:
    """An element as it is stored, as a register."""
    if kind is dtypes.bool:
        return b.icmp_unsigned("!=", value, zeros(value.type))
    if kind is dtypes.bfloat16:
        return narrow.bf16_to_f32(b, value)
    return narrow.f16_to_f32(b, value) if kind is dtypes.float16 else value


def to_memory(b: ir.IRBuilder, value: ir.Value, kind: dtype) -> ir.Value:
    """A register as it is stored."""
    if kind is dtypes.bool:
        vector = isinstance(value.type, ir.VectorType)
        return b.zext(value, ir.VectorType(I8, value.type.count) if vector else I8)
    if kind is dtypes.bfloat16:
        return narrow.f32_to_bf16(b, value)
    return narrow.f32_to_f16(b, value) if kind is dtypes.float16 else value


def all_lanes(count: int) -> ir.Constant:
    """A mask with every lane set."""
    return constant_lanes(ir.VectorType(I1, count), ir.Constant(I1, 1))


def any_lane(b: ir.IRBuilder, mask: ir.Value) -> ir.Value:
    """Whether any lane of a mask is set."""
    count = mask.type.count
    return b.icmp_unsigned(
        "!=", b.bitcast(mask, ir.IntType(count)), ir.Constant(ir.IntType(count), 0)
    )
