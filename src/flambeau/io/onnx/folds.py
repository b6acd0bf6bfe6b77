"""Reductions, running results, matrix products and sorting."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper

from flambeau.core.shapes import Shape
from flambeau.io.onnx.builder import Builder, Tensor
from flambeau.io.onnx.elementwise import Emitter, in_float32, operator
from flambeau.io.onnx.sizes import Size
from flambeau.io.onnx.views import box, permute, reshape, reverse


def reduction(name: str) -> Emitter:
    """An operator over dimensions, which are removed; of bools, one on 0 and 1."""

    def emitter(g: Builder, x: Tensor, dims: Shape) -> Tensor:
        return g.op(name, x, g.integers(dims), keepdims=0)

    return emitter


def _argsort(g: Builder, x: Tensor, descending: bool) -> Tensor:
    # Of equal elements the one of the lower index comes first, by ONNX's rule too.
    count = g.integers(g.shape(x)[-1:])
    return g.op("TopK", x, count, axis=-1, largest=int(descending), sorted=1, result=1)


# ---------------------------------------------------------------------- running results


def _recurrence(g: Builder, a: Tensor, b: Tensor, dim: int, reverse: bool) -> Tensor:
    shape, is_sum = g.shape(b), _is_one(g, a)

    def emit(g: Builder, a: Tensor, b: Tensor) -> Tensor:
        if is_sum:
            return g.op("CumSum", b, g.number(dim, TensorProto.INT64), reverse=int(reverse))
        rest = g.integers([size for place, size in enumerate(shape) if place != dim])
        zero = g.op("Expand", g.number(0, b.kind), rest)
        steps = [("Mul", "state", "x0", "scaled"), ("Add", "scaled", "x1", "next")]
        return _scan(g, steps, zero, [a, b], shape, dim, reverse)

    return in_float32(emit)(g, a, b) if shape[dim] else b


def _is_one(g: Builder, x: Tensor) -> bool:
    """Whether it is recorded as the number 1 everywhere, as the factor of a running sum is."""
    value = g.value(x)
    if value.what != "expand":
        return False
    number = g.values[value.inputs[0]]
    return number.kind == "number" and number.what == 1


def _running_extreme(g: Builder, x: Tensor, dim: int, largest: bool) -> Tensor:
    shape, kind = g.shape(x), x.kind
    if not shape[dim]:
        return x
    if kind == TensorProto.BOOL:
        x = g.cast(x, TensorProto.UINT8)
    ones = tuple([1 if place == dim else size for place, size in enumerate(shape)])
    first = box(g, x, shape, [0] * len(shape), [1] * len(shape), ones)
    state = reshape(g, first, tuple([size for place, size in enumerate(shape) if place != dim]))
    steps = [("Max" if largest else "Min", "state", "x0", "next")]
    return g.cast(_scan(g, steps, state, [x], shape, dim, False), kind)


def _scan(
    g: Builder,
    steps: Sequence[tuple[str, ...]],
    state: Tensor,
    inputs: Sequence[Tensor],
    shape: Shape,
    dim: int,
    backwards: bool,
) -> Tensor:
    """The states along `dim`: `steps` make `next` of `state` and of `x0`, `x1`, ... there.

    The dimension is moved to the front and turned round by nodes of their own, as not all runtimes
    can do that within Scan.
    """
    order = [dim, *[place for place in range(len(shape)) if place != dim]]
    moved = [permute(g, one, order) for one in inputs]
    if backwards:
        moved = [reverse(g, one, shape[dim]) for one in moved]
    body = _body(g.scope, steps, state.kind, len(inputs), [shape[place] for place in order[1:]])
    found = g.op("Scan", state, *moved, body=body, num_scan_inputs=len(inputs), result=1)
    if backwards:
        found = reverse(g, found, shape[dim])
    return permute(g, found, [order.index(place) for place in range(len(shape))])


def _body(
    scope: str, steps: Sequence[tuple[str, ...]], kind: int, count: int, shape: Sequence[int]
) -> GraphProto:
    """The graph of one step; its names begin with the scope, as others must not have them."""

    def nodes() -> list[NodeProto]:
        made = []
        for name, *operands in [*steps, ("Identity", "next", "result")]:
            *sources, target = [f"{scope}/{one}" for one in operands]
            made.append(helper.make_node(name, sources, [target], name=target))
        return made

    sizes = [None if isinstance(one, Size) else one for one in shape]

    def described(names: Sequence[str]) -> list[ValueInfoProto]:
        return [helper.make_tensor_value_info(f"{scope}/{one}", kind, sizes) for one in names]

    given = ["state", *[f"x{place}" for place in range(count)]]
    return helper.make_graph(nodes(), "step", described(given), described(["next", "result"]))


FOLDS: dict[str, Emitter] = {
    "sum": in_float32(reduction("ReduceSum")), "prod": in_float32(reduction("ReduceProd")),
    "amax": reduction("ReduceMax"), "amin": reduction("ReduceMin"),
    "any": reduction("ReduceMax"), "all": reduction("ReduceMin"), "matmul": operator("MatMul"),
    "argsort": _argsort, "recurrence": _recurrence, "running_extreme": _running_extreme,
}  # fmt: skip
