"""Reductions, positions of extremes, running sums and norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau import tensor as ft
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tf1 import dtypes, shape_rules
from flambeau.tf1.building import apply, convert_to_tensor, graph_of, known_integer, known_integers
from flambeau.tf1.dtypes import DType, as_dtype
from flambeau.tf1.elementwise import abs_, cast, equal, maximum, minimum, multiply, sqrt, square
from flambeau.tf1.graph import Tensor
from flambeau.tf1.kind import Kind

Axis = tuple[int, ...] | None


def _over(
    function: Callable[[Value, Axis, bool], Value],
) -> Callable[[Value, Axis, bool], Value]:
    """No axes at all means no reduction, which PyTorch's functions take for all of them."""

    def evaluate(x: Value, axis: Axis, keepdims: bool) -> Value:
        if axis == ():
            return x
        return function(x, tuple(range(x.dim())) if axis is None else axis, keepdims)

    return evaluate


def _mean(x: Value, axis: Axis, keepdims: bool) -> Value:
    if x.dtype.is_floating_point:
        return ft.mean(x, axis, keepdims)
    count = 1
    for one in axis or ():
        count *= x.shape[one]
    return ft.floor_divide(ft.sum(x, axis, keepdims, dtype=x.dtype), count)


def _one_by_one(function: Callable[..., Value]) -> Callable[[Value, Axis, bool], Value]:
    def evaluate(x: Value, axis: Axis, keepdims: bool) -> Value:
        for one in sorted([place % x.dim() for place in axis or ()], reverse=True):
            x = function(x, one, keepdims)
        return x

    return evaluate


def _any_dims(function: Callable[..., Value]) -> Callable[[Value, Axis, bool], Value]:
    return lambda x, axis, keepdims: function(x, axis, keepdims) if x.dim() else x


_Reduce = Callable[..., Tensor]


def _reduction(
    name: str, kind_name: str, evaluate: Callable[[Value, Axis, bool], Value], text: str,
    only: DType | None = None,
) -> _Reduce:  # fmt: skip
    kind = Kind(kind_name, shape_rules.reduced, _over(evaluate), differentiable=only is None)

    def function(
        input_tensor: Any,
        axis: Any = None,
        keepdims: bool | None = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Tensor:
        tensor = convert_to_tensor(input_tensor)
        if only is not None and tensor.dtype is not only:
            raise TypeError(f"{kind_name} expects {only.name}, got {tensor} of {tensor.dtype.name}")
        dims = known_integers(reduction_indices if axis is None else axis, "axis")
        keep = bool(keepdims or keep_dims)
        return apply(kind, tensor, name=name, axis=dims, keepdims=keep)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text} over the dimensions `axis` (default: all)."
    return function


reduce_sum = _reduction(
    "reduce_sum", "Sum", lambda x, axis, keep: ft.sum(x, axis, keep, dtype=x.dtype), "The sum"
)
reduce_mean = _reduction("reduce_mean", "Mean", _mean, "The mean")
reduce_max = _reduction("reduce_max", "Max", _any_dims(ft.amax), "The largest element")
reduce_min = _reduction("reduce_min", "Min", _any_dims(ft.amin), "The smallest element")
reduce_prod = _reduction(
    "reduce_prod",
    "Prod",
    _one_by_one(lambda x, dim, keep: ft.prod(x, dim, keep, dtype=x.dtype)),
    "The product",
)
reduce_any = _reduction("reduce_any", "Any", ft.any, "Whether any element is true", dtypes.bool)
reduce_all = _reduction("reduce_all", "All", ft.all, "Whether all elements are true", dtypes.bool)
reduce_logsumexp = _reduction(
    "reduce_logsumexp", "LogSumExp", ft.logsumexp, "The logarithm of the sum of the exponentials"
)


def count_nonzero(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    dtype: Any = dtypes.int64,
    name: str | None = None,
    **named: Any,
) -> Tensor:
    """How many elements are not 0."""
    tensor = convert_to_tensor(input_tensor)
    zero = convert_to_tensor(False if tensor.dtype.is_bool else 0, tensor.dtype)
    counted = 1 - cast(equal(tensor, zero), as_dtype(dtype))
    return reduce_sum(counted, axis, keepdims, name, **named)


def _position(function: Callable[..., Value]) -> Callable[..., Value]:
    def evaluate(x: Value, axis: int, result: DType) -> Value:
        return function(x, axis).to(result.native)

    return evaluate


_ARG_MAX = Kind("ArgMax", shape_rules.without_axis, _position(ft.argmax), differentiable=False)
_ARG_MIN = Kind("ArgMin", shape_rules.without_axis, _position(ft.argmin), differentiable=False)


def argmax(
    input: Any,
    axis: Any = None,
    name: str | None = None,
    dimension: Any = None,
    output_type: Any = dtypes.int64,
) -> Tensor:
    """The position of the largest element along `axis` (default: 0), the first at a tie."""
    return _extreme(_ARG_MAX, input, dimension if axis is None else axis, name, output_type)


def argmin(
    input: Any,
    axis: Any = None,
    name: str | None = None,
    dimension: Any = None,
    output_type: Any = dtypes.int64,
) -> Tensor:
    """The position of the smallest element along `axis` (default: 0), the first at a tie."""
    return _extreme(_ARG_MIN, input, dimension if axis is None else axis, name, output_type)


def _extreme(kind: Kind, given: Any, axis: Any, name: str | None, output_type: Any) -> Tensor:
    result = as_dtype(output_type)
    place = known_integer(0 if axis is None else axis, "axis")
    return apply(kind, convert_to_tensor(given), name=name, dtype=result, axis=place, result=result)


def _running(function: Callable[[Value, int], Value], empty: float) -> Callable[..., Value]:
    def evaluate(x: Value, axis: int, exclusive: bool, reverse: bool) -> Value:
        if reverse:
            x = ft.flip(x, (axis,))
        if exclusive:
            first = ft.full_like(ft.narrow(x, axis, 0, min(1, x.shape[axis])), empty)
            x = ft.cat([first, ft.narrow(x, axis, 0, max(0, x.shape[axis] - 1))], axis)
        result = function(x, axis).to(x.dtype)
        return ft.flip(result, (axis,)) if reverse else result

    return evaluate


_CUMSUM = Kind("Cumsum", shape_rules.same, _running(ft.cumsum, 0))
_CUMPROD = Kind("Cumprod", shape_rules.same, _running(ft.cumprod, 1))


def cumsum(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """Running sums along `axis`; `exclusive` ones leave out the element itself."""
    return _accumulated(_CUMSUM, x, axis, exclusive, reverse, name)


def cumprod(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """Running products along `axis`; `exclusive` ones leave out the element itself."""
    return _accumulated(_CUMPROD, x, axis, exclusive, reverse, name)


def _accumulated(
    kind: Kind, x: Any, axis: Any, exclusive: bool, reverse: bool, name: str | None
) -> Tensor:
    place = known_integer(axis, "axis")
    tensor = convert_to_tensor(x)
    return apply(kind, tensor, name=name, axis=place, exclusive=exclusive, reverse=reverse)


def norm(
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The norm of the elements along `axis` (default: of all): euclidean, 1, 2 or infinite."""
    values = convert_to_tensor(tensor)
    keep = bool(keepdims or keep_dims)
    with graph_of([values]).name_scope(name or "norm"):
        if ord in ("euclidean", "fro", 2):
            return sqrt(reduce_sum(square(values), axis, keep))
        if ord == 1:
            return reduce_sum(abs_(values), axis, keep)
        if ord == float("inf"):
            return reduce_max(abs_(values), axis, keep)
    raise ValueError(f"'ord' must be 'euclidean', 'fro', 1, 2 or inf, got {ord!r}")


def l2_normalize(
    x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None
) -> Tensor:
    """x divided by its euclidean norm along `axis`; by `sqrt(epsilon)` where that is smaller."""
    values = convert_to_tensor(x)
    with graph_of([values]).name_scope(name or "l2_normalize"):
        squares = reduce_sum(square(values), dim if axis is None else axis, True)
        return multiply(values, 1 / sqrt(maximum(squares, epsilon)))


def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """The euclidean norm of all elements of all tensors; those that are None do not count."""
    tensors = [convert_to_tensor(one) for one in t_list if one is not None]
    with graph_of(tensors).name_scope(name or "global_norm"):
        total = reduce_sum(square(tensors[0]))
        for one in tensors[1:]:
            total = total + reduce_sum(square(one))
        return sqrt(total)


def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Tensor | None], Tensor]:
    """The tensors, scaled together so that their global norm is at most `clip_norm`; and the norm.

    Pascanu et al., 2012, arXiv:1211.5063.
    """
    length = global_norm(t_list) if use_norm is None else convert_to_tensor(use_norm)
    with graph_of([length]).name_scope(name or "clip_by_global_norm"):
        limit = convert_to_tensor(clip_norm, length.dtype)
        scale = limit * minimum(1 / length, 1 / limit)
        return [None if one is None else multiply(one, scale) for one in t_list], length


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """t, scaled so that its euclidean norm is at most `clip_norm`."""
    tensor = convert_to_tensor(t)
    with graph_of([tensor]).name_scope(name or "clip_by_norm"):
        limit = convert_to_tensor(clip_norm, tensor.dtype)
        length = sqrt(reduce_sum(square(tensor), axes, True))
        return tensor * limit / maximum(length, limit)
