"""Elementwise code at the end of a matrix product: applied to sums while they are in registers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flambeau.compiler.arguments import Arguments, number_arguments
from flambeau.compiler.kernel import Kernel, varying_values
from flambeau.compiler.nest import Domain, NestBuilder
from flambeau.compiler.numbering import Numbering
from flambeau.graph.node import Node

if TYPE_CHECKING:
    from llvmlite import ir


@dataclass(frozen=True)
class Epilogue:
    """The code that turns the sums of a product into the elements of `target`."""

    target: Node
    kernel: Kernel
    slots: list[Node]
    arguments: Arguments
    product: Node
    # What is computed of it, for pictures.
    computed: list[Node]

    @property
    def text(self) -> str:
        """What the code depends on."""
        return f"{len(self.kernel.outer)} axes\n{self.arguments.text}"

    @property
    def entries(self) -> list[int | Node | tuple[Node, int]]:
        """The arguments it adds to those of the product."""
        return [self._entry(kind, number) for kind, number in self.arguments.entries]

    def _entry(self, kind: str, number: int) -> int | Node | tuple[Node, int]:
        if kind == "slot":
            return self.slots[number], 0
        return self.slots[number] if kind == "scalar" else number

    def emit(
        self,
        builder: ir.IRBuilder,
        loaded: list[ir.Value],
        sums: ir.Value,
        place: tuple[ir.Value, ir.Value, ir.Value],
        mask: ir.Value,
    ) -> ir.Value:
        """The elements for a vector of sums at (batch, row, first column)."""
        from flambeau.compiler.emit_value import SectionEmitter

        axis = len(self.kernel.outer) - 1
        varying = varying_values(self.kernel, axis)
        emitter = SectionEmitter(
            self.kernel, self.arguments, builder, loaded, axis, sums.type.count, varying
        )
        batch, emitter.axes[axis - 1], emitter.axes[axis] = place
        for dim in range(axis - 2, -1, -1):
            size = loaded[self.arguments.outer[dim]]
            emitter.axes[dim], batch = builder.urem(batch, size), builder.udiv(batch, size)
        emitter.mask, emitter.sums = mask, sums
        (section,) = self.kernel.sections
        *_, (_, store) = section.code
        emitter.emit(section, but_stores=True)
        return emitter.wide(emitter.values[store.operands[0]])


def build_epilogue(product: Node, target: Node, is_stored: Callable[[Node], bool]) -> Epilogue:
    """The code that computes `target` from `product` in registers; raises Unfusable."""
    slots, faults = Numbering(), Numbering()
    builder = NestBuilder(Domain(target.shape), is_stored, slots, faults, product)
    builder.store(target, slots(target))
    kernel = builder.kernel
    arguments = number_arguments(kernel)
    return Epilogue(target, kernel, slots.nodes, arguments, product, list(builder.computed))
