"""A stable merge sort of positions, one row a work item.

Bottom-up merging between the result and a second array in the thread's scratch memory. NaN counts
as larger than every number.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from flambeau.compiler.emit_value import from_memory, memory_type
from flambeau.compiler.units import Call
from flambeau.core.dtypes import dtype
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node
from flambeau.runtime.llvm.blocks import I64, KERNEL_TYPE, for_range, i64, stack_slot
from flambeau.runtime.llvm.vectors import minimum


def add_steps(builder: StepBuilder, node: Node) -> None:
    """Add the sort of a node's rows."""
    source = node.inputs[0]
    base, offset = builder.dense(source)
    length = node.shape[-1] if node.shape else 1
    kind, descending = source.dtype, node.attributes[0]

    def emit(module: ir.Module, name: str) -> None:
        emit_sort(module, name, kind, descending)

    rows = node.spec.numel // length if length else 0
    arguments: list[Any] = [(node, 0), (base, offset * kind.itemsize), length]
    builder.kernel(
        Call(
            name=f"argsort {list(node.shape)}",
            key=f"argsort {kind.name} {descending}",
            emit=emit,
            arguments=arguments,
            total=rows,
            grain=max(1, 1000 // max(length, 1)),
            scratch=8 * length,
            target=node,
        )
    )


def emit_sort(module: ir.Module, name: str, kind: dtype, descending: bool) -> None:
    """Emit the kernel for rows of `kind`."""
    before = _emit_before(module, f"{name}_before", kind, descending)
    merge = _emit_merge(module, f"{name}_merge", kind, before)
    function = ir.Function(module, KERNEL_TYPE, name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    result, values, length = [b.load(b.gep(function.args[0], [i64(number)])) for number in range(3)]
    scratch = b.bitcast(function.args[3], I64.as_pointer())
    slots = [stack_slot(b, I64.as_pointer()) for _ in range(2)]
    width = stack_slot(b, I64)
    with for_range(b, function.args[1], function.args[2]) as item:
        first = b.mul(item.index, length)
        row = b.gep(b.inttoptr(values, memory_type(kind).as_pointer()), [first])
        order = b.gep(b.inttoptr(result, I64.as_pointer()), [first])
        with for_range(b, i64(0), length) as fill:
            b.store(fill.index, b.gep(order, [fill.index]))
        b.store(order, slots[0])
        b.store(scratch, slots[1])
        b.store(i64(1), width)
        header = b.append_basic_block("pass")
        body, done = b.append_basic_block("merge"), b.append_basic_block("sorted")
        b.branch(header)
        b.position_at_end(header)
        run = b.load(width)
        b.cbranch(b.icmp_signed("<", run, length), body, done)
        b.position_at_end(body)
        source, target = b.load(slots[0]), b.load(slots[1])
        with for_range(b, i64(0), length, b.mul(run, i64(2))) as pair:
            middle = minimum(b, b.add(pair.index, run), length)
            stop = minimum(b, b.add(middle, run), length)
            b.call(merge, [row, source, target, pair.index, middle, stop])
        b.store(target, slots[0])
        b.store(source, slots[1])
        b.store(b.mul(run, i64(2)), width)
        b.branch(header)
        b.position_at_end(done)
        last = b.load(slots[0])
        moved = b.icmp_unsigned("!=", b.ptrtoint(last, I64), b.ptrtoint(order, I64))
        with b.if_then(moved), for_range(b, i64(0), length) as copy:
            b.store(b.load(b.gep(last, [copy.index])), b.gep(order, [copy.index]))
    b.ret_void()


def _emit_before(module: ir.Module, name: str, kind: dtype, descending: bool) -> ir.Function:
    """Whether the second of two elements must come before the first."""
    memory = memory_type(kind)
    function = ir.Function(module, ir.FunctionType(ir.IntType(1), [memory, memory]), name)
    function.linkage = "internal"
    b = ir.IRBuilder(function.append_basic_block())
    first, second = (from_memory(b, one, kind) for one in function.args)
    if descending:
        first, second = second, first
    if kind.is_floating_point:
        nan_first = b.fcmp_unordered("uno", first, first)
        nan_second = b.fcmp_unordered("uno", second, second)
        smaller = b.or_(b.fcmp_ordered("<", second, first), nan_first)
        b.ret(b.and_(smaller, b.not_(nan_second)))
    elif kind.is_signed:
        b.ret(b.icmp_signed("<", second, first))
    else:
        b.ret(b.icmp_unsigned("<", second, first))
    return function


def _emit_merge(module: ir.Module, name: str, kind: dtype, before: ir.Function) -> ir.Function:
    """Merge positions source[low:middle] and source[middle:high] into target."""
    pointer = I64.as_pointer()
    row_type = memory_type(kind).as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [row_type, pointer, pointer, I64, I64, I64])
    function = ir.Function(module, signature, name)
    function.linkage = "internal"
    row, source, target, low, middle, high = function.args
    b = ir.IRBuilder(function.append_basic_block())
    with for_range(b, low, high, carried=[low, middle]) as loop:
        left, right = loop.carried
        has_left, has_right = b.icmp_signed("<", left, middle), b.icmp_signed("<", right, high)
        # Clamped, so that an exhausted side is read at a valid place and then ignored.
        safe_left = b.select(has_left, left, low)
        safe_right = b.select(has_right, right, low)
        here = b.load(b.gep(source, [safe_left]))
        there = b.load(b.gep(source, [safe_right]))
        swap = b.call(before, [b.load(b.gep(row, [here])), b.load(b.gep(row, [there]))])
        take_right = b.or_(b.not_(has_left), b.and_(has_right, swap))
        b.store(b.select(take_right, there, here), b.gep(target, [loop.index]))
        one = b.zext(take_right, I64)
        loop.update([b.add(left, b.sub(i64(1), one)), b.add(right, one)])
    b.ret_void()
    return function
