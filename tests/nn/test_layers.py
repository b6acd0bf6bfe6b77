"""Linear, normalisation, embedding, dropout, padding and attention layers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flambeau
import flambeau.nn.functional as F
from flambeau import nn

RANDOM = np.random.default_rng(1)


def normal(*shape):
    return RANDOM.normal(size=shape)


def standardized(x, axes, eps=1e-5):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + eps)


def close(found, expected, rtol=1e-9):
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=rtol, atol=1e-12)


def test_linear_and_bilinear():
    x, w, b = normal(4, 5, 3), normal(2, 3), normal(2)
    close(F.linear(*map(flambeau.tensor, (x, w, b))), x @ w.T + b)
    close(F.linear(flambeau.tensor(x), flambeau.tensor(w[0])), x @ w[0])
    x1, x2, a = normal(4, 2), normal(4, 3), normal(5, 2, 3)
    found = F.bilinear(*map(flambeau.tensor, (x1, x2, a)))
    close(found, np.einsum("ni,oij,nj->no", x1, a, x2))
    with pytest.raises(RuntimeError, match="inputs of size 2 and 3"):
        F.bilinear(*map(flambeau.tensor, (x2, x1, a)))
    with pytest.raises(RuntimeError):
        nn.Linear(3, 2)(flambeau.ones(4, 5))


def test_layer_and_rms_norm():
    x, w, b = normal(2, 3, 4), normal(3, 4), normal(3, 4)
    found = F.layer_norm(flambeau.tensor(x), (3, 4), flambeau.tensor(w), flambeau.tensor(b))
    close(found, standardized(x, (1, 2)) * w + b)
    mean_square = (x * x).mean(-1, keepdims=True)
    found = F.rms_norm(flambeau.tensor(x), (4,), flambeau.tensor(w[0]), eps=0.1)
    close(found, x / np.sqrt(mean_square + 0.1) * w[0])
    with pytest.raises(RuntimeError, match=r"expected input with shape \[\*, 3\]"):
        nn.LayerNorm(3)(flambeau.ones(2, 4))
    with pytest.raises(RuntimeError, match="same shape as normalized_shape"):
        F.layer_norm(flambeau.tensor(x), (4,), flambeau.ones(3))
    t = flambeau.tensor(x, requires_grad=True)
    assert flambeau.autograd.gradcheck(lambda a: F.layer_norm(a, (4,)), (t,))


def test_group_and_instance_norm():
    x = normal(2, 4, 5)
    grouped = standardized(x.reshape(2, 2, 10), 2).reshape(2, 4, 5)
    close(nn.GroupNorm(2, 4)(flambeau.tensor(x)), grouped)
    close(nn.InstanceNorm1d(4)(flambeau.tensor(x)), standardized(x, 2))
    close(nn.InstanceNorm1d(4)(flambeau.tensor(x[0])), standardized(x[:1], 2)[0])
    tracked = nn.InstanceNorm1d(4, track_running_stats=True, momentum=1.0)
    tracked(flambeau.tensor(x).float())
    close(tracked.running_mean, x.mean((0, 2)), rtol=1e-5)
    with pytest.raises(ValueError, match="divisible by num_groups"):
        nn.GroupNorm(3, 4)
    with pytest.raises(RuntimeError, match="divisible by num_groups"):
        F.group_norm(flambeau.ones(2, 4, 5), 3)
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        nn.InstanceNorm1d(4)(flambeau.ones(2, 4, 1))


def test_batch_norm_trains_and_evaluates():
    layer = nn.BatchNorm1d(3, momentum=0.25).double()
    x = normal(8, 3)
    close(layer(flambeau.tensor(x)), standardized(x, 0))
    close(layer.running_mean, 0.25 * x.mean(0))
    close(layer.running_var, 0.75 + 0.25 * x.var(0, ddof=1))
    assert layer.num_batches_tracked.item() == 1
    y = normal(2, 3)
    mean, variance = layer.running_mean.numpy().copy(), layer.running_var.numpy().copy()
    close(layer.eval()(flambeau.tensor(y)), (y - mean) / np.sqrt(variance + 1e-5))
    close(layer.running_mean, mean)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        layer.train()(flambeau.ones(1, 3, dtype=flambeau.float64))
    with pytest.raises(ValueError, match=r"expected 2D or 3D input \(got 4D input\)"):
        layer(flambeau.ones(1, 3, 1, 1))


def test_batch_norm_averages_all_batches():
    layer = nn.BatchNorm1d(3, momentum=None)
    batches = normal(4, 8, 3)
    for batch in batches:
        layer(flambeau.tensor(batch).float())
    close(layer.running_mean, batches.mean((0, 1)), rtol=1e-4)


def test_batch_norm_without_statistics_and_with_old_checkpoints():
    layer = nn.BatchNorm2d(3, track_running_stats=False)
    x = normal(2, 3, 4, 4)
    close(layer.eval()(flambeau.tensor(x)), standardized(x, (0, 2, 3)))
    assert list(layer.state_dict()) == ["weight", "bias"]
    new = nn.BatchNorm2d(3)
    state = dict(new.state_dict())
    del state["num_batches_tracked"]
    new.load_state_dict(state)
    x = flambeau.tensor(normal(5, 3), requires_grad=True)
    assert flambeau.autograd.gradcheck(lambda a: F.batch_norm(a, None, None, training=True), (x,))


def test_local_response_norm():
    x = normal(2, 5, 3)
    padded = np.pad(x * x, ((0, 0), (1, 1), (0, 0)))
    mean = sum(padded[:, start : start + 5] for start in range(3)) / 3
    expected = x / (2 + 0.5 * mean) ** 0.75
    close(F.local_response_norm(flambeau.tensor(x), 3, alpha=0.5, k=2.0), expected)


def test_embedding():
    table = normal(5, 2)
    index = np.array([[1, 4], [1, 0]])
    w = flambeau.tensor(table, requires_grad=True)
    found = F.embedding(flambeau.tensor(index), w, padding_idx=-1)
    close(found, table[index])
    found.sum().backward()
    assert w.grad[:, 0].tolist() == [1, 2, 0, 0, 0]
    w.grad = None
    F.embedding(flambeau.tensor(index), w, scale_grad_by_freq=True).sum().backward()
    assert w.grad[:, 0].tolist() == [1, 1, 0, 0, 1]
    short = flambeau.tensor(table)
    F.embedding(flambeau.tensor([0, 1]), short, max_norm=0.1)
    norms = short.norm(2, 1)
    assert float(norms[:2].max()) <= 0.1 + 1e-6
    np.testing.assert_array_equal(short[2:].numpy(), table[2:])
    layer = nn.Embedding(4, 3, padding_idx=1)
    assert layer.weight[1].tolist() == [0, 0, 0]
    assert repr(layer) == "Embedding(4, 3, padding_idx=1)"
    assert not nn.Embedding.from_pretrained(flambeau.ones(2, 2)).weight.requires_grad
    with pytest.raises(IndexError):
        layer(flambeau.tensor([9])).sum().item()
    with pytest.raises(AssertionError, match="within num_embeddings"):
        nn.Embedding(4, 3, padding_idx=4)


def test_one_hot():
    assert F.one_hot(flambeau.tensor([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert F.one_hot(flambeau.tensor([[1]]), 4).shape == (1, 1, 4)
    with pytest.raises(RuntimeError, match="smaller than num_classes"):
        F.one_hot(flambeau.tensor([2]), 2)
    with pytest.raises(RuntimeError, match="non-negative"):
        F.one_hot(flambeau.tensor([-1]))


def test_dropout():
    flambeau.manual_seed(0)
    x = flambeau.ones(10_000)
    kept = F.dropout(x, 0.25)
    assert set(kept.tolist()) == {0.0, float(flambeau.tensor(1 / 0.75))}
    assert (kept == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert F.dropout(x, 0.25, training=False) is x
    assert F.dropout(x, 1.0).sum().item() == 0
    layer = nn.Dropout2d(0.5)
    channels = layer(flambeau.ones(20, 30, 2, 2)).reshape(600, 4)
    assert flambeau.equal(channels.amin(1), channels.amax(1))
    assert layer.eval()(x[:4].reshape(1, 1, 2, 2)).sum().item() == 4
    assert repr(layer) == "Dropout2d(p=0.5, inplace=False)"
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.Dropout(1.5)


def test_alpha_dropout_keeps_mean_and_variance():
    flambeau.manual_seed(0)
    x = flambeau.randn(100_000)
    y = F.alpha_dropout(x, 0.3, training=True)
    assert y.mean().item() == pytest.approx(0, abs=0.02)
    assert y.std().item() == pytest.approx(1, abs=0.02)


PADS = [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]


@pytest.mark.parametrize(("mode", "name"), [("constant", "constant"), *PADS])
def test_padding(mode, name):
    x = normal(2, 3, 4, 5)
    found = F.pad(flambeau.tensor(x), (2, 1, 0, 3), mode)
    close(found, np.pad(x, ((0, 0), (0, 0), (0, 3), (2, 1)), name))
    t = flambeau.tensor(x[0], requires_grad=True)
    assert flambeau.autograd.gradcheck(lambda a: F.pad(a, (2, 1), mode), (t,))


def test_padding_crops_and_checks():
    x = flambeau.arange(5.0).view(1, 5)
    assert F.pad(x, (-1, 2), value=9.0).tolist() == [[1, 2, 3, 4, 9, 9]]
    assert F.pad(x, (-1, 2), "replicate").tolist() == [[1, 2, 3, 4, 4, 4]]
    assert F.pad(x, (-1, 2), "circular").tolist() == [[1, 2, 3, 4, 1, 2]]
    with pytest.raises(RuntimeError, match="divisible by 2"):
        F.pad(x, (1, 2, 3))
    with pytest.raises(RuntimeError, match="less than the corresponding input dimension"):
        F.pad(x, (5, 0), "reflect")
    with pytest.raises(RuntimeError, match="wrapping around more than once"):
        F.pad(x, (6, 0), "circular")
    with pytest.raises(NotImplementedError, match="padding mode"):
        F.pad(x, (1, 1), "mirror")
    assert repr(nn.ConstantPad1d((1, 2), 3.5)) == "ConstantPad1d(padding=(1, 2), value=3.5)"


def test_shuffles_undo_each_other():
    x = flambeau.arange(48.0).view(1, 3, 4, 4)
    assert flambeau.equal(nn.PixelShuffle(2)(nn.PixelUnshuffle(2)(x)), x)
    y = flambeau.arange(6.0).view(1, 6, 1)
    assert nn.ChannelShuffle(2)(y).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(RuntimeError, match="divisible by the square"):
        F.pixel_shuffle(flambeau.ones(1, 3, 2, 2), 2)


def test_distances():
    x, y = normal(4, 3), normal(4, 3)
    a, b = flambeau.tensor(x), flambeau.tensor(y)
    close(F.pairwise_distance(a, b, eps=0.0), np.linalg.norm(x - y, axis=1))
    cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    close(F.cosine_similarity(a, b), cosine)
    pairs = [np.linalg.norm(x[i] - x[j]) for i in range(4) for j in range(i + 1, 4)]
    close(F.pdist(a), pairs)
    close(F.normalize(a), x / np.linalg.norm(x, axis=1, keepdims=True))
    assert F.cosine_similarity(flambeau.zeros(1, 3), flambeau.ones(1, 3)).item() == 0


def attention(q, k, v, mask=0.0):
    scores = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1]) + mask
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v


def test_scaled_dot_product_attention():
    q, k, v = normal(2, 3, 4, 5), normal(2, 3, 6, 5), normal(2, 3, 6, 7)
    args = [flambeau.tensor(array) for array in (q, k, v)]
    close(F.scaled_dot_product_attention(*args), attention(q, k, v))
    causal = np.where(np.tril(np.ones((4, 6))) > 0, 0.0, -np.inf)
    close(F.scaled_dot_product_attention(*args, is_causal=True), attention(q, k, v, causal))
    mask = flambeau.tensor(np.isfinite(causal))
    close(F.scaled_dot_product_attention(*args, attn_mask=mask), attention(q, k, v, causal))
    nothing = flambeau.zeros(4, 6, dtype=flambeau.bool)
    assert float(F.scaled_dot_product_attention(*args, attn_mask=nothing).abs().max()) == 0
    grouped = F.scaled_dot_product_attention(
        args[0].repeat_interleave(2, 1), *args[1:], enable_gqa=True
    )
    close(grouped[:, ::2], attention(q, k, v))
    with pytest.raises(RuntimeError, match="should not be set when is_causal"):
        F.scaled_dot_product_attention(*args, attn_mask=mask, is_causal=True)


def test_multihead_attention():
    layer = nn.MultiheadAttention(6, 2).double()
    x = normal(5, 3, 6)
    out, weights = layer(*[flambeau.tensor(x)] * 3)
    packed = x @ layer.in_proj_weight.detach().numpy().T
    heads = packed.reshape(5, 3, 3, 2, 3).transpose(2, 1, 3, 0, 4)  # (qkv, N, H, L, E / H)
    mixed = attention(*heads).transpose(2, 0, 1, 3).reshape(5, 3, 6)
    close(out, mixed @ layer.out_proj.weight.detach().numpy().T)
    close(weights.sum(-1), np.ones((3, 5)))
    lean, nothing = layer(*[flambeau.tensor(x)] * 3, need_weights=False)
    assert nothing is None
    close(lean, out.detach().numpy())


def test_multihead_attention_variants():
    x = flambeau.tensor(normal(2, 5, 6)).float()
    layer = nn.MultiheadAttention(6, 2, batch_first=True, add_bias_kv=True, add_zero_attn=True)
    padding = flambeau.tensor([[False] * 4 + [True], [False] * 5])
    out, weights = layer(x, x, x, key_padding_mask=padding, average_attn_weights=False)
    assert out.shape == (2, 5, 6)
    assert weights.shape == (2, 2, 5, 7)
    assert float(weights[0, :, :, 4].abs().max()) == 0
    cross = nn.MultiheadAttention(6, 3, kdim=4, vdim=2)
    out, weights = cross(flambeau.ones(5, 6), flambeau.ones(7, 4), flambeau.ones(7, 2))
    assert (out.shape, weights.shape) == ((5, 6), (5, 7))
    assert list(cross.state_dict())[:3] == ["q_proj_weight", "k_proj_weight", "v_proj_weight"]
    with pytest.raises(AssertionError, match="divisible by num_heads"):
        nn.MultiheadAttention(6, 4)
    with pytest.raises(RuntimeError, match="should be"):
        layer(x, x, x, attn_mask=flambeau.zeros(4, 5))


def test_flatten_round_trip():
    x = flambeau.zeros(2, 12)
    assert nn.Flatten()(nn.Unflatten(1, (3, 4))(x)).shape == (2, 12)
    with pytest.raises(TypeError, match="tuple of ints"):
        nn.Unflatten(1, "ab")
