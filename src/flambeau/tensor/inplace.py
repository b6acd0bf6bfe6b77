"""In-place operations: the result goes back into the tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flambeau.autograd.aliases import CLONE
from flambeau.core.shapes import contiguous_strides
from flambeau.engine.capture import setup_changed
from flambeau.graph.node import Node
from flambeau.graph.recording import record
from flambeau.ops import algebra
from flambeau.ops.selection import cast
from flambeau.ops.shape import expand, full, reshape
from flambeau.ops.strided import cat
from flambeau.tensor import arithmetic, comparison, elementwise, joining, scans, scatter, views
from flambeau.tensor.arguments import sizes
from flambeau.tensor.arithmetic import sub_operands, times_alpha
from flambeau.tensor.indexing import index_put
from flambeau.tensor.matrix import addbmm, addmm, addmv, addr, baddbmm
from flambeau.tensor.promotion import operands, plain
from flambeau.tensor.results import assign
from flambeau.tensor.tensor import Tensor, View, check_writable, geometry, write


def add_(input: Tensor, other: Any, legacy: Any = None, *, alpha: float = 1) -> Tensor:
    """`input += alpha * other`; the old order `add_(alpha, other)` works too."""
    if legacy is not None:
        other, alpha = legacy, other
    a, b = operands(input, other)
    if alpha != 1:
        b = times_alpha(b, alpha)
    return assign(input, algebra.add(a, b))


def sub_(input: Tensor, other: Any, legacy: Any = None, *, alpha: float = 1) -> Tensor:
    """`input -= alpha * other`; the old order `sub_(alpha, other)` works too."""
    if legacy is not None:
        other, alpha = legacy, other
    a, b = sub_operands(input, other)
    if alpha != 1:
        b = times_alpha(b, alpha)
    return assign(input, algebra.sub(a, b))


def mul_(input: Tensor, other: Any) -> Tensor:
    """`input *= other`."""
    a, b = operands(input, other)
    return assign(input, algebra.mul(a, b))


def zero_(input: Tensor) -> Tensor:
    """All elements 0."""
    return fill_(input, 0)


def fill_(input: Tensor, value: Any) -> Tensor:
    """All elements `value`, a number or a 0-dim tensor."""
    check_writable(input)
    shape, kind = tuple(input.shape), input.dtype
    if isinstance(value, Tensor):
        if value.dim():
            raise RuntimeError(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value.dim()} dimensions."
            )
        node = expand(cast(value.node, kind), shape)
        if node is value.node:
            node = record(CLONE, (node,))
    else:
        node = full(shape, plain(value, kind), kind)
    write(input, node)
    return input


def copy_(input: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """The elements of `src`, broadcast and cast."""
    check_writable(input)
    node: Node = src.node
    shape = tuple(input.shape)
    if node.spec.shape != shape:
        try:
            value = expand(node, shape)
        except RuntimeError:
            raise RuntimeError(
                f"The size of tensor a ({shape}) must match the size of tensor b "
                f"({node.spec.shape}): output with shape {list(shape)} doesn't match the broadcast "
                f"shape of {list(node.spec.shape)}"
            ) from None
    else:
        value = node
    value = cast(value, input.dtype)
    write(input, record(CLONE, (value,)) if value is node else value)
    return input


def in_place(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """The in-place form of a function."""

    def method(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(input)
        return assign(input, function(input, *args, **kwargs).node)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`{function.__name__}`, in place."
    return method


_FUNCTIONS: Sequence[Callable[..., Tensor]] = (
    *[
        getattr(arithmetic, name)
        for name in (
            "div",
            "true_divide",
            "floor_divide",
            "remainder",
            "fmod",
            "neg",
            "abs",
            "sign",
            "square",
            "reciprocal",
            "pow",
            "float_power",
            "clamp",
            "clamp_min",
            "clamp_max",
            "addcmul",
            "addcdiv",
            "lerp",
            "hypot",
            "frac",
            "round",
            "nan_to_num",
            "logit",
            "deg2rad",
            "rad2deg",
            "ldexp",
            "xlogy",
            "heaviside",
        )
    ],
    *[
        getattr(elementwise, name)
        for name in (
            "exp",
            "exp2",
            "expm1",
            "log",
            "log2",
            "log10",
            "log1p",
            "sigmoid",
            "sqrt",
            "rsqrt",
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "sinh",
            "cosh",
            "tanh",
            "asinh",
            "acosh",
            "atanh",
            "erf",
            "erfc",
            "erfinv",
            "lgamma",
            "digamma",
            "i0",
            "relu",
            "floor",
            "ceil",
            "trunc",
            "atan2",
            "copysign",
            "nextafter",
            "sinc",
        )
    ],
    *[
        getattr(comparison, name)
        for name in (
            "lt",
            "le",
            "gt",
            "ge",
            "eq",
            "ne",
            "logical_and",
            "logical_or",
            "logical_xor",
            "logical_not",
            "bitwise_and",
            "bitwise_or",
            "bitwise_xor",
            "bitwise_not",
            "bitwise_left_shift",
            "bitwise_right_shift",
        )
    ],
    *[
        getattr(scatter, name)
        for name in (
            "scatter",
            "scatter_add",
            "scatter_reduce",
            "index_add",
            "index_copy",
            "index_fill",
            "index_reduce",
            "masked_fill",
            "masked_scatter",
            "put",
        )
    ],
    *[getattr(joining, name) for name in ("tril", "triu")],
    *[getattr(scans, name) for name in ("cumsum", "cumprod")],
    addmm,
    addmv,
    addr,
    addbmm,
    baddbmm,
    index_put,
)


def _cast_back(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Comparisons write their bools back as 0 and 1 of the tensor's dtype."""

    def method(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(input)
        write(input, cast(function(input, *args, **kwargs).node, input.dtype))
        return input

    method.__name__ = method.__qualname__ = f"{function.__name__}_"
    return method


IN_PLACE: dict[str, Callable[..., Tensor]] = {
    **{f"{one.__name__}_": in_place(one, f"{one.__name__}_") for one in _FUNCTIONS},
    "float_power_": _cast_back(arithmetic.float_power),
}


def _reviewed(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The tensor itself becomes the view that `function` makes."""

    def method(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        view = function(input, *args, **kwargs)
        _show(input, *geometry(view))
        return input

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`{function.__name__}`, in place: the same memory, shown otherwise."
    return method


def _show(tensor: Tensor, shape: Any, strides: Any, offset: int) -> None:
    tensor._view = View(shape, strides, offset, None, -1)
    tensor._plain = False


RESHAPING: dict[str, Callable[..., Tensor]] = {
    f"{one.__name__}_": _reviewed(f"{one.__name__}_", one)
    for one in (views.t, views.transpose, views.squeeze, views.unsqueeze, views.as_strided)
}
RESHAPING["swapaxes_"] = RESHAPING["swapdims_"] = RESHAPING["transpose_"]


def resize_(input: Tensor, *shape: Any, memory_format: Any = None) -> Tensor:
    """The tensor with another shape; elements are dropped, or zeros come, at the end."""
    wanted = sizes(shape)
    old = input._storage.node
    count = 1
    for size in wanted:
        count *= size
    flat = reshape(old, (old.spec.numel,))
    if count > old.spec.numel:
        more = full((count - old.spec.numel,), 0, old.dtype)
        input._storage.replace(cat((flat, more), 0))
    _show(input, wanted, contiguous_strides(wanted), geometry(input)[2])
    return input


def resize_as_(input: Tensor, other: Tensor) -> Tensor:
    """The tensor with the shape of `other`."""
    return resize_(input, *other.shape)


def set_(input: Tensor, source: Tensor | None = None) -> Tensor:
    """The tensor shows the storage of `source` from now on."""
    adopt(input, source if source is not None else Tensor())
    return input


def adopt(tensor: Tensor, other: Tensor) -> None:
    """`tensor.data = other`: the storage of the other, the own role in the graph."""
    if not tensor._leaf and tensor.requires_grad:
        tensor._detached = True
    if other._storage is not tensor._storage:  # as in `p.data -= ...`
        setup_changed("a tensor's data was replaced", tensor._storage)
    tensor._storage, view = other._storage, other._view
    tensor._view = None
    if view is not None:
        tensor._view = View(view.shape, view.strides, view.offset, None, -1)
    # What the other was computed from is not this tensor's history.
    tensor._detached = True
    tensor._plain = False


def fill_diagonal_(input: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """The diagonal of a matrix set to a number."""
    rows, columns = input.shape[0], input.shape[-1]
    step = sum(geometry(input)[1])
    length = min(rows, columns) if not wrap or rows <= columns else -(-rows * columns // step)
    fill_(views.as_strided(input, (length,), (step,)), fill_value)
    return input


def requires_grad_(input: Tensor, requires_grad: bool = True) -> Tensor:
    """Ask for the gradient of this leaf, or no longer."""
    input.requires_grad = requires_grad
    return input


def share_memory_(input: Tensor) -> Tensor:
    """The tensor: processes made by fork see it as it is then."""
    return input
