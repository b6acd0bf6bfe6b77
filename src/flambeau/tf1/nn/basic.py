"""What layers are made of: softmax, dropout, biases, moments, lookups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flambeau import tensor as ft
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tf1 import dtypes, shape_rules
from flambeau.tf1.arrays import concat, shape
from flambeau.tf1.building import (
    apply,
    convert_to_tensor,
    graph_of,
    known_integer,
    operation,
)
from flambeau.tf1.elementwise import (
    cast,
    equal,
    greater_equal,
    multiply,
    negative,
    relu,
    rsqrt,
    squared_difference,
)
from flambeau.tf1.graph import Tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.products import matmul
from flambeau.tf1.randoms import random_uniform
from flambeau.tf1.reductions import reduce_mean
from flambeau.tf1.shapes import Static
from flambeau.tf1.slicing import gather

_SOFTMAX = Kind("Softmax", shape_rules.same, lambda x, axis: ft.softmax(x, axis))
_LOG_SOFTMAX = Kind("LogSoftmax", shape_rules.same, lambda x, axis: ft.log_softmax(x, axis))


def softmax(logits: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """The exponentials, divided by their sum along `axis` (default: the last).

    >>> import flambeau.tf1 as tf
    >>> with tf.Session() as session:
    ...     session.run(tf.nn.softmax([0.0, 0.0]))
    array([0.5, 0.5], dtype=float32)
    """
    return apply(_SOFTMAX, convert_to_tensor(logits), name=name, axis=_axis(axis, dim))


def log_softmax(logits: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """The logarithm of the softmax."""
    return apply(_LOG_SOFTMAX, convert_to_tensor(logits), name=name, axis=_axis(axis, dim))


def _axis(axis: Any, dim: Any) -> int:
    given = dim if axis is None else axis
    return -1 if given is None else known_integer(given, "axis")


def crelu(features: Any, name: str | None = None, axis: int = -1) -> Tensor:
    """The positive and the negative parts, one after the other."""
    tensor = convert_to_tensor(features)
    return relu(concat([tensor, negative(tensor)], axis), name=name)


def _bias_shape(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> list[Static]:
    known, bias = inputs[0].static, inputs[1].static
    if known is None or bias is None:
        return [known]
    size = shape_rules.sizes_merged(known[-1:], bias, 0, "bias_add")
    return [(*known[:-1], size)]


_BIAS_ADD = Kind("BiasAdd", _bias_shape, lambda x, bias: x + bias)


def bias_add(
    value: Any, bias: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """`value` plus a vector along its last dimension."""
    if data_format not in (None, "NHWC", "N...C"):
        raise NotImplementedError(f"bias_add: data_format={data_format!r}; only channels last")
    tensor = convert_to_tensor(value)
    return apply(_BIAS_ADD, tensor, convert_to_tensor(bias, tensor.dtype), name=name)


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """`matmul(x, weights) + biases`."""
    with graph_of([x, weights]).name_scope(name or "xw_plus_b"):
        return bias_add(matmul(x, weights), biases)


_L2_LOSS = Kind("L2Loss", shape_rules.scalar, lambda x: ft.sum(ft.square(x)) / 2)


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """Half the sum of the squares."""
    return apply(_L2_LOSS, convert_to_tensor(t), name=name)


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Tensor:
    """Elements are 0 with probability `rate` (or `1 - keep_prob`), the others scaled up to match.

    Srivastava et al., 2014.
    """
    tensor = convert_to_tensor(x)
    if (keep_prob is None) == (rate is None):
        raise ValueError("Exactly one of `keep_prob` and `rate` must be given.")
    share = 1 - rate if keep_prob is None else keep_prob
    if isinstance(share, (int, float)):
        if not 0 < share <= 1:
            raise ValueError(f"keep_prob must be a scalar tensor or a float in (0, 1], got {share}")
        if share == 1:
            return tensor
    with graph_of([tensor]).name_scope(name or "dropout"):
        kept = convert_to_tensor(share, tensor.dtype)
        sizes = shape(tensor) if noise_shape is None else noise_shape
        drawn = random_uniform(sizes, seed=seed, dtype=tensor.dtype)
        mask = cast(greater_equal(drawn, 1 - kept), tensor.dtype)
        return multiply(tensor / kept, mask)


def moments(
    x: Any,
    axes: Any,
    shift: Any = None,
    name: str | None = None,
    keep_dims: bool | None = None,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """The mean and the variance over `axes`."""
    tensor = convert_to_tensor(x)
    keep = bool(keepdims or keep_dims)
    with graph_of([tensor]).name_scope(name or "moments"):
        whole = reduce_mean(tensor, axes, True)
        variance = reduce_mean(squared_difference(tensor, whole), axes, keep)
        mean = whole if keep else reduce_mean(tensor, axes)
        return mean, variance


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any,
    scale: Any,
    variance_epsilon: float,
    name: str | None = None,
) -> Tensor:
    """`(x - mean) / sqrt(variance + variance_epsilon) * scale + offset`.

    Ioffe and Szegedy, 2015, arXiv:1502.03167.
    """
    tensor = convert_to_tensor(x)
    with graph_of([tensor]).name_scope(name or "batchnorm"):
        factor = rsqrt(convert_to_tensor(variance) + variance_epsilon)
        if scale is not None:
            factor = factor * scale
        shift = -(mean * factor) if offset is None else offset - mean * factor
        return tensor * factor + shift


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """The share of elements that are 0."""
    tensor = convert_to_tensor(value)
    zero = convert_to_tensor(0, tensor.dtype)
    with graph_of([tensor]).name_scope(name or "zero_fraction"):
        return reduce_mean(cast(equal(tensor, zero), dtypes.float32))


def embedding_lookup(
    params: Any,
    ids: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: float | None = None,
) -> Tensor:
    """The rows of `params` that `ids` name. Its gradient is dense here, not `IndexedSlices`."""
    if isinstance(params, (list, tuple)):
        if len(params) != 1:
            raise NotImplementedError("embedding_lookup: partitioned tables are not supported")
        (params,) = params
    if max_norm is not None:
        raise NotImplementedError("embedding_lookup: max_norm is not supported")
    return gather(params, ids, name=name or "embedding_lookup")


def _in_top_k(predictions: Value, targets: Value, k: int) -> Value:
    own = ft.gather(predictions, 1, targets.long().unsqueeze(1))
    better = ft.sum((predictions > own).to(dtypes.int64.native), 1)
    return (better < k) & ft.isfinite(own.squeeze(1))


_IN_TOP_K = Kind(
    "InTopK", lambda inputs, attributes: [inputs[1].static], _in_top_k, differentiable=False
)


def in_top_k(predictions: Any, targets: Any, k: Any, name: str | None = None) -> Tensor:
    """Whether each row's target class is among its k largest predictions."""
    inputs = [convert_to_tensor(predictions), convert_to_tensor(targets)]
    return apply(_IN_TOP_K, *inputs, name=name, dtype=dtypes.bool, k=known_integer(k, "k"))


class TopK(NamedTuple):
    """The largest values and where they are."""

    values: Tensor
    indices: Tensor


def _top_k(x: Value, k: int) -> tuple[Value, Value]:
    found = ft.topk(x, k, -1)
    return found[0], found[1].to(dtypes.int32.native)


def _top_shapes(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> list[Static]:
    known = inputs[0].static
    return [None if known is None else (*known[:-1], attributes["k"])] * 2


_TOP_K = Kind("TopKV2", _top_shapes, _top_k)


def top_k(input: Any, k: Any = 1, sorted: bool = True, name: str | None = None) -> TopK:
    """The k largest elements of each row, in order, and their positions."""
    tensor = convert_to_tensor(input)
    kinds = [tensor.dtype, dtypes.int32]
    return TopK(*operation(_TOP_K, [tensor], kinds, {"k": known_integer(k, "k")}, name).outputs)
