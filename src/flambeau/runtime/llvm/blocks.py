"""LLVM IR as `with` blocks, so that nobody wires phi nodes by hand.

Sizes, indices and addresses are i64 throughout.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from llvmlite import ir

I1 = ir.IntType(1)
I8 = ir.IntType(8)
I32 = ir.IntType(32)
I64 = ir.IntType(64)
F32 = ir.FloatType()
F64 = ir.DoubleType()
POINTER = I8.as_pointer()
VOID = ir.VoidType()
# kernel(args, begin, end, scratch): every kernel's signature.
KERNEL_TYPE = ir.FunctionType(VOID, [I64.as_pointer(), I64, I64, POINTER])


def i64(value: int) -> ir.Constant:
    """An i64 constant."""
    return ir.Constant(I64, value)


@dataclass
class Loop:
    """A loop being built: its index and the values it carries from one turn to the next."""

    index: ir.Value
    carried: list[ir.Value]
    _next: list[ir.Value] = field(default_factory=list)

    def update(self, values: Sequence[ir.Value]) -> None:
        """Set what the next turn sees in `carried` (by default: the same values)."""
        self._next = list(values)


@contextmanager
def for_range(
    builder: ir.IRBuilder,
    start: ir.Value,
    stop: ir.Value,
    step: ir.Value | None = None,
    carried: Sequence[ir.Value] = (),
) -> Iterator[Loop]:
    """`for index in range(start, stop, step)`; after the block, `carried` holds the final values.

    >>> module = ir.Module()
    >>> function = ir.Function(module, ir.FunctionType(I64, [I64]), "triangle")
    >>> builder = ir.IRBuilder(function.append_basic_block())
    >>> with for_range(builder, i64(0), function.args[0], carried=[i64(0)]) as loop:
    ...     loop.update([builder.add(loop.carried[0], loop.index)])
    >>> _ = builder.ret(loop.carried[0])
    """
    step = i64(1) if step is None else step
    before = builder.block
    header = builder.append_basic_block("loop")
    body = builder.append_basic_block("body")
    after = builder.append_basic_block("after")
    builder.branch(header)
    builder.position_at_end(header)
    index = builder.phi(I64)
    index.add_incoming(start, before)
    phis = []
    for value in carried:
        phi = builder.phi(value.type)
        phi.add_incoming(value, before)
        phis.append(phi)
    builder.cbranch(builder.icmp_signed("<", index, stop), body, after)
    builder.position_at_end(body)
    loop = Loop(index, list(phis))
    yield loop
    last = builder.block
    index.add_incoming(builder.add(index, step), last)
    for phi, value in zip(phis, loop._next or phis, strict=True):
        phi.add_incoming(value, last)
    builder.branch(header)
    builder.position_at_end(after)


def stack_slot(builder: ir.IRBuilder, kind: ir.Type, count: int = 1) -> ir.Value:
    """Stack space reserved in the entry block, so that a loop does not grow the stack."""
    with builder.goto_entry_block():
        return builder.alloca(kind, i64(count))


def splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    """A vector with `value` in every lane."""
    kind = ir.VectorType(value.type, lanes)
    if isinstance(value, ir.Constant):
        return constant_lanes(kind, value)
    first = builder.insert_element(poison(kind), value, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, poison(kind), _first_everywhere(lanes))


@functools.cache
def _first_everywhere(lanes: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)


class _ShortConstant(ir.Constant):  # type: ignore[misc]
    """A constant by LLVM's short name for it.

    llvmlite writes a vector out lane by lane, which costs time here and again where LLVM reads it.
    """

    def __init__(self, kind: ir.Type, text: str) -> None:
        self.type, self.constant = kind, text

    def _get_reference(self) -> str:
        return self.constant


def constant_lanes(kind: ir.VectorType, value: ir.Constant) -> ir.Constant:
    """The vector with a constant in every lane."""
    return _ShortConstant(kind, f"splat ({value})")


def zeros(kind: ir.Type) -> ir.Constant:
    """Zero of a scalar or vector type."""
    return _ShortConstant(kind, "zeroinitializer")


def poison(kind: ir.Type) -> ir.Constant:
    """A value of which nothing is used."""
    return _ShortConstant(kind, "poison")


def pointer_from(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type) -> ir.Value:
    """The i64 `address` as a pointer to `kind`."""
    return builder.inttoptr(address, kind.as_pointer())


def intrinsic(
    module: ir.Module, name: str, result: ir.Type, params: Sequence[ir.Type]
) -> ir.Function:
    """Declare an LLVM intrinsic or an external function once per module."""
    found = module.globals.get(name)
    if found is not None:
        return found
    return ir.Function(module, ir.FunctionType(result, list(params)), name)
