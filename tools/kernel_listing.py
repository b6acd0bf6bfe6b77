"""Print the kernels of a fixed set of programs, to be compared between two commits.

    python tools/kernel_listing.py > before
    (change the compiler)
    python tools/kernel_listing.py | diff before -

The text of a kernel is all that its code depends on, save the code generator and the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from flambeau.compiler.arguments import number_arguments
from flambeau.compiler.linking import Linked
from flambeau.compiler.plan import describe
from flambeau.compiler.units import Call, Nest, Unit
from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.engine.flush import compute, engine
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import data, scalar
from flambeau.ops.arithmetic import add, div, mul, relu, sub
from flambeau.ops.comparison import gt
from flambeau.ops.exponential import exp, log, sigmoid
from flambeau.ops.indexing import index, index_put, wrap_index
from flambeau.ops.matmul import matmul
from flambeau.ops.power import rsqrt
from flambeau.ops.reduction import amax, prod
from flambeau.ops.scan import cumsum
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import pad, permute, reshape, sum_
from flambeau.ops.sorting import argsort
from flambeau.ops.strided import as_strided, as_strided_scatter, cat, slice_
from flambeau.runtime.buffers import Buffer
from flambeau.runtime.cpu.executor import Program


def leaf(*shape: int, kind: dtype = dtypes.float32) -> Node:
    """An input of ones."""
    return data(Buffer.from_array(np.ones(shape, kind.numpy)), Spec.of(shape, kind))


def number(value: float, kind: dtype = dtypes.float32) -> Node:
    """A Python number."""
    return scalar(value, kind)


def column(x: Node) -> Node:
    """A row's result beside its row."""
    return reshape(x, (*x.shape, 1))


def softmax() -> list[Node]:
    x = leaf(64, 1000)
    shifted = exp(sub(x, column(amax(x, (1,)))))
    return [div(shifted, column(sum_(shifted, (1,))))]


def layer_norm() -> list[Node]:
    x, weight, bias = leaf(64, 512), leaf(512), leaf(512)
    share = number(1 / 512)
    centred = sub(x, mul(column(sum_(x, (1,))), share))
    variance = mul(sum_(mul(centred, centred), (1,)), share)
    scaled = mul(centred, column(rsqrt(add(variance, number(1e-5)))))
    return [add(mul(scaled, weight), bias)]


def linear_layer() -> list[Node]:
    x, weight, bias = leaf(64, 1000), leaf(100, 1000), leaf(100)
    return [relu(add(matmul(x, permute(weight, (1, 0))), bias))]


def momentum_step() -> list[Node]:
    results = []
    for shape in ((1000, 100), (100,)):
        weight, grad, velocity = leaf(*shape), leaf(*shape), leaf(*shape)
        velocity = add(mul(velocity, number(0.9)), grad)
        results += [velocity, sub(weight, mul(velocity, number(0.01)))]
    return results


def statistics() -> list[Node]:
    x = leaf(300, 40, 50)
    return [sum_(x, (0, 2)), sum_(x, (0,)), amax(x, (1,)), prod(leaf(9000), (0,))]


def narrow_types() -> list[Node]:
    x, y = leaf(4097, kind=dtypes.bfloat16), leaf(4097, kind=dtypes.float16)
    return [add(mul(x, x), cast(y, dtypes.bfloat16)), sum_(y, (0,)), sigmoid(y)]


def views() -> list[Node]:
    x = leaf(12, 30)
    window = as_strided(x, (5, 4, 7), (31, 60, 2), 3)
    border = pad(slice_(x, (11, 2), (-2, 3), (6, 9)), number(7), (1, 0), (0, 2))
    return [log(window), border, permute(reshape(x, (4, 3, 30)), (2, 0, 1))]


def writes() -> list[Node]:
    x, y = leaf(8, 6), leaf(8, 3)
    positions = wrap_index(leaf(5, kind=dtypes.int64), 8)
    rows = index(x, (positions,), (0,))
    return [
        index_put(x, rows, (positions,), (0,), True),
        as_strided_scatter(x, y, (6, 2), 1),
        cat((x, y, mul(y, y)), 1),
    ]


def orders() -> list[Node]:
    x = leaf(16, 100)
    return [cumsum(x, 0), argsort(x, True), where(gt(x, number(0)), x, number(-1))]


PROGRAMS: Sequence[Callable[[], list[Node]]] = (
    softmax, layer_norm, linear_layer, momentum_step, statistics, narrow_types, views, writes,
    orders,
)  # fmt: skip


def listing(program: Callable[[], list[Node]]) -> str:
    """The kernels of one program, in the order in which they run."""
    texts: list[str] = []

    def listed(linked: Linked) -> Program:
        texts.extend(f"{describe(unit)}\n{text(unit)}\n" for unit, _ in linked.steps)
        return linked.program()

    engine.program = listed
    engine.plans.clear()
    try:
        results = program()
        for one in results:
            compute(one)
    finally:
        engine.program = None
    return "\n".join(texts)


def text(unit: Unit) -> str:
    """What the code of a unit depends on."""
    if isinstance(unit, Nest) and unit.built is not None:
        return number_arguments(unit.built.kernel).text
    return unit.key if isinstance(unit, Call) else ""


def main() -> None:
    """Print the listing."""
    for program in PROGRAMS:
        title = program.__name__.replace("_", " ")
        print(f"{'=' * 20} {title} {'=' * (78 - len(title))}\n\n{listing(program)}")


if __name__ == "__main__":
    main()
