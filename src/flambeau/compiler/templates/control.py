"""The kernels that steer a program: before each round of a loop, and where a branch parts.

They run alone, on one thread. Arguments are i64 words of the program's table, in which they may
also write those of other kernels, at a distance from their own.
"""

from __future__ import annotations

from llvmlite import ir

from flambeau.runtime.llvm.blocks import I8, I64, KERNEL_TYPE, for_range, i64, stack_slot

# What `head` finds first: whether to go on (its answer), the number of the round, the most rounds
# there may be, whether there is a condition, how many moving values there are, and how far away.
GO_ON, ROUND, LIMIT, CONDITIONAL, COUNT, FAR = range(6)
# Each moving value has its address in the one special round, otherwise that of its base, a shift
# of rounds, a mask for them, and bytes from round to round; then the number of the places where
# its address is wanted, which follow as pairs: how far away, and how many bytes to add.
SPECIAL, OTHER, BASE, SHIFT, MASK, STEP, PLACES, WORDS = range(8)


def _begun(module: ir.Module, name: str) -> tuple[ir.IRBuilder, ir.Value]:
    function = ir.Function(module, KERNEL_TYPE, name)
    return ir.IRBuilder(function.append_basic_block("entry")), function.args[0]


def head(module: ir.Module, name: str) -> None:
    """Count a round and put the addresses for it in place; the first value may be a condition."""
    b, args = _begun(module, name)

    def word(at: ir.Value, offset: int) -> ir.Value:
        return b.load(b.gep(args, [b.add(at, i64(offset))]))

    number = word(i64(0), ROUND)
    condition = stack_slot(b, I64)
    with for_range(b, i64(0), word(i64(0), COUNT), carried=[word(i64(0), FAR)]) as value:
        at = value.carried[0]
        turn = b.and_(b.add(number, word(at, SHIFT)), word(at, MASK))
        usual = b.add(word(at, BASE), b.mul(turn, word(at, STEP)))
        special = b.icmp_signed("==", number, word(at, SPECIAL))
        address = b.select(special, word(at, OTHER), usual)
        with b.if_then(b.icmp_signed("==", value.index, i64(0))):
            b.store(address, condition)
        places = word(at, PLACES)
        with for_range(b, i64(0), places) as place:
            pair = b.add(b.add(at, i64(WORDS)), b.mul(place.index, i64(2)))
            b.store(b.add(address, word(pair, 1)), b.gep(args, [word(pair, 0)]))
        value.update([b.add(b.add(at, i64(WORDS)), b.mul(places, i64(2)))])
    go_on = b.zext(b.icmp_signed("<", number, word(i64(0), LIMIT)), I64)
    b.store(go_on, b.gep(args, [i64(GO_ON)]))
    with b.if_then(b.icmp_signed("!=", word(i64(0), CONDITIONAL), i64(0))):
        byte = b.load(b.inttoptr(b.load(condition), I8.as_pointer()))
        b.store(b.and_(go_on, b.zext(byte, I64)), b.gep(args, [i64(GO_ON)]))
    b.store(b.add(number, i64(1)), b.gep(args, [i64(ROUND)]))
    b.ret_void()


def put(module: ir.Module, name: str) -> None:
    """Write the second argument to the place that lies as far away as the first one says."""
    b, args = _begun(module, name)
    b.store(b.load(b.gep(args, [i64(1)])), b.gep(args, [b.load(args)]))
    b.ret_void()


def decide(module: ir.Module, name: str) -> None:
    """Set the first argument to the bool at the address in the second."""
    b, args = _begun(module, name)
    byte = b.load(b.inttoptr(b.load(b.gep(args, [i64(1)])), I8.as_pointer()))
    b.store(b.zext(byte, I64), args)
    b.ret_void()
