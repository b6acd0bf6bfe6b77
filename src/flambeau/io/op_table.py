"""The ops that graph files may name, and what their arguments have to be.

An op's own `infer` checks what users can get wrong; the rest is made sure of by the functions that
record it. A file did not come through these, so here is what they promise: with it, no op of a
file reads or writes outside of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flambeau.autograd import branch, while_loop
from flambeau.autograd import scan as scan_loop
from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph.body import Body
from flambeau.graph.node import Spec
from flambeau.graph.op import Op, Reduction
from flambeau.ops import (
    algebra,
    comparison,
    division,
    exponential,
    extrema,
    indexing,
    logic,
    matmul,
    power,
    reduction,
    rounding,
    scan,
    selection,
    shape,
    sorting,
    special,
    strided,
    trigonometric,
)
from flambeau.ops.elementwise_base import Pointwise

# All but the random ones, whose state is no part of a graph.
_MODULES = (
    algebra, comparison, division, exponential, extrema, indexing, logic, matmul, power,
    reduction, rounding, scan, selection, shape, sorting, special, strided, trigonometric,
    scan_loop, while_loop, branch,
)  # fmt: skip

OPS: dict[str, Op] = {
    op.name: op for module in _MODULES for op in vars(module).values() if isinstance(op, Op)
}

_WHOLE, _FLAG, _WHOLES, _DTYPE = "a whole number", "true or false", "whole numbers", "a dtype"
_BODY = "a body"
# What an attribute of this name is, whichever op's it is.
_ATTRIBUTES = {
    "accumulate": _FLAG, "after": _WHOLES, "before": _WHOLES, "body": _BODY, "carries": _WHOLE,
    "count": _WHOLE, "length": _WHOLE, "limit": _WHOLE, "number": _WHOLE, "otherwise": _BODY,
    "then": _BODY, "walked": _WHOLE,
    "descending": _FLAG, "dim": _WHOLE, "dims": _WHOLES, "kind": _DTYPE, "largest": _FLAG,
    "lowest": _WHOLE, "offset": _WHOLE, "reverse": _FLAG, "shape": _WHOLES, "size": _WHOLE,
    "sizes": _WHOLES, "starts": _WHOLES, "steps": _WHOLES, "strides": _WHOLES,
}  # fmt: skip
_LARGEST = 1 << 60


def check_arguments(op: Op, inputs: Sequence[Spec], attributes: dict[str, Any]) -> None:
    """ValueError for arguments that only a damaged or an evil file gives an op."""
    if tuple(attributes) != op.parameters:
        raise ValueError(f"it takes the attributes {list(op.parameters)}, found {list(attributes)}")
    for name, value in attributes.items():
        if not _is(value, _ATTRIBUTES[name]):
            raise ValueError(f"'{name}' has to be {_ATTRIBUTES[name]}, found {value!r:.200}")
    count = op.arity if isinstance(op, Pointwise) else _COUNTS.get(op.name)
    if "body" in attributes:
        count = len(attributes["body"].inputs)
    if "then" in attributes:
        count = len(attributes["then"].inputs) + 1
    if count is None and not inputs:
        raise ValueError("it takes at least one input")
    if count is not None and len(inputs) != count:
        raise ValueError(f"it takes {count} inputs, found {len(inputs)}")
    check = _CHECKS.get(op.name, _fold if isinstance(op, Reduction) else None)
    if check is not None and not check(*inputs, **attributes):
        found = ", ".join(map(repr, inputs))
        raise ValueError(f"the attributes {attributes} do not fit the inputs {found}")


def _is(value: Any, kind: str) -> bool:
    if kind is _WHOLE:
        return type(value) is int and abs(value) < _LARGEST
    if kind is _FLAG:
        return type(value) is bool
    if kind is _DTYPE:
        return isinstance(value, dtype)
    if kind is _BODY:
        return isinstance(value, Body)
    return type(value) is tuple and all(_is(one, _WHOLE) for one in value)


# For the other ops, at least one.
_COUNTS = {
    "amax": 1, "amin": 1, "any": 1, "all": 1, "argsort": 1, "as_strided": 1,
    "as_strided_scatter": 2, "expand": 1, "gather": 2, "iota": 0, "matmul": 2,
    "next_round": 1, "pad": 2, "permute": 1, "place": 3,
    "prod": 1, "recurrence": 2, "reshape": 1, "running_extreme": 1, "slice": 1, "sum": 1,
    "wrap_index": 1,
}  # fmt: skip


def _fold(x: Spec, dims: Shape) -> bool:
    return _are_dims(x, dims) and list(dims) == sorted(dims)


def _are_dims(x: Spec, dims: Shape) -> bool:
    """Whether they are different dimensions of x, at least one."""
    return len(dims) == len(set(dims)) > 0 and all(_is_dim(x, dim) for dim in dims)


def _is_dim(x: Spec, dim: int) -> bool:
    return 0 <= dim < len(x.shape)


def _are_sizes(sizes: Shape) -> bool:
    return all(size >= 0 for size in sizes)


def _permute(x: Spec, dims: Shape) -> bool:
    return sorted(dims) == list(range(len(x.shape)))


def _expand(x: Spec, shape: Shape) -> bool:
    return len(shape) >= len(x.shape) and _are_sizes(shape)


def _reshape(x: Spec, shape: Shape) -> bool:
    return _are_sizes(shape)


def _pad(x: Spec, fill: Spec, before: Shape, after: Shape) -> bool:
    fits = len(before) == len(after) == len(x.shape)
    return fits and fill.shape == () and fill.dtype is x.dtype


def _slice(x: Spec, starts: Shape, steps: Shape, sizes: Shape) -> bool:
    if not len(starts) == len(steps) == len(sizes) == len(x.shape) or not _are_sizes(sizes):
        return False
    ends = [start + step * (n - 1) for start, step, n in zip(starts, steps, sizes, strict=True)]
    return all(
        n == 0 or (min(start, end) >= 0 and max(start, end) < whole)
        for n, start, end, whole in zip(sizes, starts, ends, x.shape, strict=True)
    )


def _as_strided(x: Spec, shape: Shape, strides: Shape, offset: int) -> bool:
    return len(shape) == len(strides) and _are_sizes(shape)


def _as_strided_scatter(base: Spec, value: Spec, strides: Shape, offset: int) -> bool:
    return len(strides) == len(value.shape) and base.dtype is value.dtype


def _cat(*inputs: Spec, dim: int) -> bool:
    first = inputs[0]
    alike = all(x.dtype is first.dtype and len(x.shape) == len(first.shape) for x in inputs)
    return alike and _is_dim(first, dim)


def _indexed(x: Spec, indices: Sequence[Spec], dims: Shape) -> bool:
    alike = all(one.dtype is dtypes.int64 and one.shape == indices[0].shape for one in indices)
    return alike and len(indices) == len(dims) and _are_dims(x, dims)


def _index(x: Spec, *indices: Spec, dims: Shape) -> bool:
    return _indexed(x, indices, dims)


def _gather(x: Spec, positions: Spec, dim: int) -> bool:
    fits = len(positions.shape) == len(x.shape) and all(
        size <= x.shape[one] for one, size in enumerate(positions.shape) if one != dim
    )
    return fits and positions.dtype is dtypes.int64 and _is_dim(x, dim)


def _place(value: Spec, positions: Spec, fill: Spec, dim: int, size: int) -> bool:
    alike = value.shape == positions.shape and positions.dtype is dtypes.int64
    fills = fill.shape == () and fill.dtype is value.dtype
    return alike and fills and _is_dim(value, dim) and value.shape[dim] == 1 and size >= 0


def _index_put(x: Spec, *others: Spec, dims: Shape, accumulate: bool) -> bool:
    return len(others) > 1 and others[0].dtype is x.dtype and _indexed(x, others[1:], dims)


def _logical(x: Spec, dims: Shape) -> bool:
    return _fold(x, dims) and x.dtype is dtypes.bool


def _scan(*inputs: Spec, body: Body, carries: int, walked: int, **named: Any) -> bool:
    fits = min(carries, walked) >= 0 and carries + walked <= len(body.inputs) == len(inputs)
    count = len(body.results) + carries
    return fits and named["length"] > 0 and carries <= len(body.results) and _is_in(named, count)


def _while(*inputs: Spec, body: Body, carries: int, limit: int, **named: Any) -> bool:
    fits = 0 < carries == len(body.results) and carries <= len(body.inputs) == len(inputs)
    return fits and limit >= -1 and _is_in(named, carries * (1 if limit < 0 else 2))


def _branch(*inputs: Spec, then: Body, otherwise: Body, **named: Any) -> bool:
    return len(inputs) == len(then.inputs) + 1 and _is_in(named, len(then.results))


def _is_in(named: dict[str, Any], count: int) -> bool:
    """Whether there is a result of this number."""
    return 0 <= int(named["number"]) < count


_CHECKS: dict[str, Callable[..., bool]] = {
    "all": _logical,
    "any": _logical,
    "argsort": lambda x, descending: len(x.shape) > 0,
    "as_strided": _as_strided,
    "as_strided_scatter": _as_strided_scatter,
    "branch": _branch,
    "cat": _cat,
    "expand": _expand,
    "gather": _gather,
    "index": _index,
    "index_put": _index_put,
    "iota": lambda count: count >= 0,
    "matmul": lambda a, b: len(a.shape) == len(b.shape) >= 2,
    "next_round": lambda x, limit: x.shape == () and x.dtype is dtypes.int64 and limit > 0,
    "pad": _pad,
    "permute": _permute,
    "place": _place,
    "recurrence": lambda a, b, dim, reverse: a is b and _is_dim(a, dim),
    "reshape": _reshape,
    "running_extreme": lambda x, dim, largest: _is_dim(x, dim),
    "scan": _scan,
    "slice": _slice,
    "while": _while,
    "wrap_index": lambda x, size, lowest: size >= 0 and lowest in (0, -size),
}
