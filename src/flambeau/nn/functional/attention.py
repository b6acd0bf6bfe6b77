"""Attention: a weighted mean of values, the weights from comparing queries with keys.

Source: Vaswani et al., https://arxiv.org/abs/1706.03762
Letters in shapes: N batch, H heads, L queries, S keys, E features.
"""

from __future__ import annotations

import math
from typing import Any

import flambeau.tensor as T
from flambeau.nn.functional.dropout import dropout
from flambeau.nn.functional.linear import linear
from flambeau.nn.functional.padding import pad
from flambeau.nn.functional.softmax import softmax
from flambeau.tensor import Tensor


def _additive(mask: Tensor, dtype: Any) -> Tensor:
    """A boolean mask (True takes part) as what is added to the scores: 0 or minus infinity."""
    zero = T.zeros((), dtype=dtype, device=mask.device)
    return T.where(mask, zero, -math.inf)


def _safe_softmax(scores: Tensor) -> Tensor:
    """Softmax over the last dimension; all zeros for a query that may attend to nothing."""
    none = (scores.detach() == -math.inf).all(-1, keepdim=True)
    return T.where(none, 0.0, softmax(T.where(none, 0.0, scores), -1))


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`softmax(Q Kᵀ * scale + mask) V`: (..., L, E), (..., S, E), (..., S, V) give (..., L, V).

    `attn_mask` broadcasts to (..., L, S): boolean (True attends) or added to the scores.
    `is_causal` lets query i see keys 0..i. `scale` defaults to 1/√E. With `enable_gqa` each head
    of keys and values serves several heads of queries.

    >>> q = torch.zeros(1, 2, 4)
    >>> F.scaled_dot_product_attention(q, q, torch.ones(1, 2, 3)).shape
    torch.Size([1, 2, 3])
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = T.matmul(query * scale, key.transpose(-2, -1))  # (..., L, S)
    if is_causal:
        size = scores.shape[-2:]
        attn_mask = T.ones(size, dtype=T.bool, device=query.device).tril()
    if attn_mask is None:
        weights = softmax(scores, -1)
    elif attn_mask.dtype is T.bool:
        weights = _safe_softmax(T.where(attn_mask, scores, -math.inf))
    else:
        weights = _safe_softmax(scores + attn_mask)
    if dropout_p > 0.0:
        weights = dropout(weights, dropout_p)
    return T.matmul(weights, value)


def canonical_mask(mask: Tensor | None, name: str, dtype: Any) -> Tensor | None:
    """A mask of multi-head attention (boolean: True is left out) as what is added to scores."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype is not T.bool:
        raise AssertionError(f"only bool and floating types of {name} are supported")
    return _additive(~mask, dtype)


def _check_shapes(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    num_heads: int,
    same_width: bool,
) -> None:
    rank = query.dim()
    if rank not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {rank}-D query tensor"
        )
    if key.dim() != rank or value.dim() != rank:
        raise AssertionError(
            f"For {rank}-D `query`, expected `key` and `value` to be {rank}-D but found "
            f"{key.dim()}-D and {value.dim()}-D tensors respectively"
        )
    if query.shape[-1] != embed_dim:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim}, but got {query.shape[-1]}"
        )
    if embed_dim % num_heads:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    if same_width and key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
    if key.shape[:-1] != value.shape[:-1]:
        raise AssertionError(
            f"key's sequence and batch dims {key.shape[:-1]} do not match value's "
            f"{value.shape[:-1]}"
        )


def _check_mask(mask: Tensor, queries: int, keys: int, products: int) -> Tensor:
    """The attention mask as (1 or N H, L, S)."""
    expected = (queries, keys) if mask.dim() == 2 else (products, queries, keys)
    if mask.dim() not in (2, 3):
        raise RuntimeError(f"attn_mask's dimension {mask.dim()} is not supported")
    if tuple(mask.shape) != expected:
        raise RuntimeError(
            f"The shape of the {mask.dim()}D attn_mask is {tuple(mask.shape)}, but should be "
            f"{expected}."
        )
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


def _split_heads(tensor: Tensor, products: int) -> Tensor:
    """(L, N, E) to (N H, L, E / H)."""
    return tensor.reshape(tensor.shape[0], products, -1).transpose(0, 1)


def _with_batch(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The inputs with a batch of one: the same object where they were the same."""
    lifted = {id(tensor): tensor.unsqueeze(1) for tensor in (query, key, value)}
    return lifted[id(query)], lifted[id(key)], lifted[id(value)]


def _extended(
    tensor: Tensor,
    name: str,
    bias: Tensor | None,
    static: Tensor | None,
    products: int,
    add_zero: bool,
) -> Tensor:
    """Keys or values by head, (N H, S, E / H), with the trained and the zero entry if wanted."""
    if bias is not None:
        if static is not None:
            raise AssertionError(f"bias cannot be added to static_{name}.")
        tensor = T.cat([tensor, bias.expand(1, tensor.shape[1], -1)])
    heads = _split_heads(tensor, products)
    if static is not None:
        if (static.shape[0], static.shape[2]) != (products, heads.shape[2]):
            raise AssertionError(
                f"expecting static_{name} of shape ({products}, S, {heads.shape[2]}), but got "
                f"{tuple(static.shape)}"
            )
        heads = static
    return pad(heads, (0, 0, 0, 1)) if add_zero else heads


def _thirds(tensor: Tensor | None) -> tuple[Tensor | None, ...]:
    return (None, None, None) if tensor is None else tuple(tensor.chunk(3))


def _projections(
    inputs: tuple[Tensor, Tensor, Tensor],
    packed: Tensor | None,
    separate: tuple[Tensor | None, Tensor | None, Tensor | None],
    bias: Tensor | None,
    use_separate: bool,
) -> list[Tensor]:
    """Queries, keys and values; one product where all three come from the same tensor."""
    query, key, value = inputs
    if not use_separate and packed is not None and query is key and key is value:
        return list(linear(query, packed, bias).chunk(3, -1))
    weights = separate if use_separate else _thirds(packed)
    projected = []
    for name, tensor, weight, part in zip("qkv", inputs, weights, _thirds(bias), strict=True):
        if weight is None:
            missing = f"{name}_proj_weight" if use_separate else "in_proj_weight"
            raise AssertionError(
                f"use_separate_proj_weight is {use_separate} but {missing} is None"
            )
        projected.append(linear(tensor, weight, part))
    return projected


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention in several heads between projections: (L, N, E) or (L, E) give the same.

    The second result holds the weights: (N, L, S), per head (N, H, L, S), or None.
    In `key_padding_mask` (N, S) and `attn_mask` (L, S) or (N H, L, S), True is left out.

    >>> x, weight = torch.zeros(3, 1, 4), torch.zeros(12, 4)
    >>> out, weights = F.multi_head_attention_forward(
    ...     x, x, x, 4, 2, weight, None, None, None, False, 0.0, torch.zeros(4, 4), None)
    >>> out.shape, weights.shape
    (torch.Size([3, 1, 4]), torch.Size([1, 3, 3]))
    """
    _check_shapes(query, key, value, embed_dim_to_check, num_heads, not use_separate_proj_weight)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    batched = query.dim() == 3
    inputs = (query, key, value) if batched else _with_batch(query, key, value)
    if not batched and key_padding_mask is not None:
        key_padding_mask = key_padding_mask.unsqueeze(0)
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    q, k, v = _projections(inputs, in_proj_weight, separate, in_proj_bias, use_separate_proj_weight)
    products = q.shape[1] * num_heads
    added = int(bias_k is not None) + int(add_zero_attn)
    mask = _score_mask(attn_mask, key_padding_mask, q, k.shape[0], num_heads, added)
    heads = _split_heads(q, products)
    keys = _extended(k, "k", bias_k, static_k, products, add_zero_attn)
    values = _extended(v, "v", bias_v, static_v, products, add_zero_attn)
    output, weights = _attend(heads, keys, values, mask, dropout_p * training, need_weights)
    output = output.transpose(0, 1).reshape(q.shape)  # (L, N, E)
    output = linear(output, out_proj_weight, out_proj_bias)
    if weights is not None:
        weights = _shown_weights(weights, num_heads, average_attn_weights, batched)
    return output if batched else output.squeeze(1), weights


def _shown_weights(weights: Tensor, heads: int, average: bool, batched: bool) -> Tensor:
    """From (N H, L, S) to (N, L, S), or per head, and without N for an input without a batch."""
    weights = weights.view(-1, heads, *weights.shape[1:])
    weights = weights.mean(1) if average else weights
    return weights if batched else weights.squeeze(0)


def _score_mask(
    attn_mask: Tensor | None,
    key_padding_mask: Tensor | None,
    q: Tensor,
    keys: int,
    heads: int,
    added: int,
) -> Tensor | None:
    """Both masks as one to add to the scores; keys that were added are always attended to."""
    padding = canonical_mask(key_padding_mask, "key_padding_mask", q.dtype)
    if padding is not None:
        padding = pad(padding, (0, added)).repeat_interleave(heads, 0).unsqueeze(1)
    mask = canonical_mask(attn_mask, "attn_mask", q.dtype)
    if mask is None:
        return padding
    mask = pad(_check_mask(mask, q.shape[0], keys, q.shape[1] * heads), (0, added))
    return mask if padding is None else mask + padding


def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float, need_weights: bool
) -> tuple[Tensor, Tensor | None]:
    """Attention over (N H, length, E / H), with the weights (N H, L, S) if they are needed."""
    if not need_weights:
        return scaled_dot_product_attention(q, k, v, mask, dropout_p), None
    scores = T.matmul(q * math.sqrt(1.0 / q.shape[-1]), k.transpose(-2, -1))
    weights = softmax(scores if mask is None else scores + mask, -1)
    if dropout_p > 0.0:
        weights = dropout(weights, dropout_p)
    return T.matmul(weights, v), weights
