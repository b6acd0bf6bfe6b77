"""How reductions join values: two at a time, vectors along a row, and lanes at the end."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from flambeau.compiler.emit_value import compute, constant, eval_integer
from flambeau.compiler.kernel import Instruction, Section
from flambeau.core.dtypes import dtype
from flambeau.runtime.llvm.blocks import poison, splat

# Which of two numbers a maximum or minimum takes.
_BEYOND = {"max": ">", "min": "<"}


@dataclass(frozen=True)
class Fold:
    """A reduction: its number in the kernel, and how two values become one."""

    number: int
    combine: str
    kind: dtype
    identity: ir.Value

    def join(self, b: ir.IRBuilder, first: ir.Value, second: ir.Value) -> ir.Value:
        """One value of two."""
        return compute(b, self.combine, self.kind, [first, second])

    def across_lanes(self, b: ir.IRBuilder, vector: ir.Value, lanes: int) -> ir.Value:
        """The lanes folded by halves."""
        while lanes > 1:
            lanes //= 2
            low = _lanes(b, vector, 0, lanes)
            vector = self.join(b, low, _lanes(b, vector, lanes, lanes))
        return b.extract_element(vector, ir.Constant(ir.IntType(32), 0))


class RowFolds:
    """Reductions along a row, lane by lane.

    Of a maximum the greatest number and the last NaN are kept apart, so that a step waits for one
    instruction of the step before it, not for three.
    """

    def __init__(self, builder: ir.IRBuilder, folds: list[Fold], lanes: int) -> None:
        self.builder, self.folds, self.lanes = builder, folds, lanes
        self._ordered = [
            one for one in folds if one.combine in _BEYOND and one.kind.is_floating_point
        ]
        # What a loop carries: a value for each fold, then those NaNs.
        self.initial = [splat(builder, fold.identity, lanes) for fold in (*folds, *self._ordered)]

    def step(self, carried: list[ir.Value], operands: dict[int, ir.Value]) -> list[ir.Value]:
        """What is carried after one more vector of each operand."""
        b, count = self.builder, len(self.folds)
        values = []
        for fold, have in zip(self.folds, carried[:count], strict=True):
            more = operands[fold.number]
            if fold in self._ordered:
                beyond = b.fcmp_ordered(_BEYOND[fold.combine], more, have)
                values.append(b.select(beyond, more, have))
            else:
                values.append(fold.join(b, have, more))
        for fold, nan in zip(self._ordered, carried[count:], strict=True):
            more = operands[fold.number]
            values.append(b.select(b.fcmp_unordered("!=", more, more), more, nan))
        return values

    def totals(self, carried: list[ir.Value]) -> dict[int, ir.Value]:
        """The results, by the numbers of the reductions."""
        b, values = self.builder, carried[: len(self.folds)]
        for fold, nan in zip(self._ordered, carried[len(self.folds) :], strict=True):
            place = self.folds.index(fold)
            values[place] = b.select(b.fcmp_unordered("!=", nan, nan), nan, values[place])
        return {
            fold.number: fold.across_lanes(b, value, self.lanes)
            for fold, value in zip(self.folds, values, strict=True)
        }


def joined(
    b: ir.IRBuilder, folds: list[Fold], have: list[ir.Value], more: list[ir.Value]
) -> list[ir.Value]:
    """One value of two, for each fold."""
    return [fold.join(b, *pair) for fold, *pair in zip(folds, have, more, strict=True)]


def _lanes(b: ir.IRBuilder, vector: ir.Value, start: int, count: int) -> ir.Value:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(start, start + count)))
    return b.shuffle_vector(vector, poison(vector.type), mask)


def reductions(section: Section) -> list[Fold]:
    """The reductions of an inner section."""
    return [_fold_of(number, one) for number, one in section.code if one.op == "reduce"]


def _fold_of(number: int, one: Instruction) -> Fold:
    combine, text = str(one.detail).split()
    identity = float(text) if one.kind.is_floating_point else eval_integer(text)
    return Fold(number, combine, one.kind, constant(one.kind, identity))
