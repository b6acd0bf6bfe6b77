"""What happens to a tile's sums that do not go to C as they are: the epilogue, and rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from flambeau.compiler.templates.gemm_element import Element
from flambeau.compiler.templates.gemm_slots import FINISH_TYPE, module_text
from flambeau.runtime.llvm.blocks import for_range, i64
from flambeau.runtime.llvm.vectors import first_lanes, load_vector, masked_store, store_vector

# epilogue(builder, args, sums, batch, row, first_column, mask): the vector to store for the sums,
# both in the type computed in; only the lanes of `mask` exist, or all if it is None.
Epilogue = Callable[
    [ir.IRBuilder, ir.Value, ir.Value, ir.Value, ir.Value, ir.Value, ir.Value | None], ir.Value
]


@dataclass(frozen=True)
class Finish:
    """`finish(args, sums, sums_stride, c, c_stride, rows, columns, batch, row, column)`.

    Stores in C what the epilogue makes of a tile's sums. `text` tells all that its code depends on.
    """

    dtype: str
    lanes: int
    text: str | None = None
    epilogue: Epilogue | None = None

    @property
    def key(self) -> str:
        return f"gemm finish {self.dtype} {self.lanes} {self.text}"

    def build(self, name: str) -> str:
        """The code of a module with the function `name`."""
        return module_text(name, FINISH_TYPE, self._emit)

    def _emit(self, function: ir.Function) -> None:
        element, lanes = Element(self.dtype), self.lanes
        args, sums, sums_stride, c, c_stride, rows, columns, batch, row, column = function.args
        builder = ir.IRBuilder(function.append_basic_block())
        sums = builder.bitcast(sums, element.compute.as_pointer())
        c = builder.bitcast(c, element.storage.as_pointer())

        def vector(down: ir.Value, across: ir.Value, mask: ir.Value | None) -> None:
            source = builder.gep(sums, [builder.add(builder.mul(down, sums_stride), across)])
            target = builder.gep(c, [builder.add(builder.mul(down, c_stride), across)])
            value = load_vector(builder, source, lanes)
            if self.epilogue is not None:
                place = batch, builder.add(row, down), builder.add(column, across)
                value = self.epilogue(builder, args, value, *place, mask)
            value = element.narrow(builder, value)
            if mask is None:
                store_vector(builder, value, target)
            else:
                masked_store(builder, value, target, mask)

        whole = builder.and_(columns, i64(-lanes))
        mask = first_lanes(builder, builder.sub(columns, whole), lanes)
        is_part = builder.icmp_signed("!=", whole, columns)
        with for_range(builder, i64(0), rows) as down:
            with for_range(builder, i64(0), whole, i64(lanes)) as across:
                vector(down.index, across.index, None)
            with builder.if_then(is_part):
                vector(down.index, whole, mask)
        builder.ret_void()
