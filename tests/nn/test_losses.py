"""Losses: formulas in NumPy, reductions, weights and PyTorch's older arguments."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import flambeau
import flambeau.nn.functional as F
from flambeau import nn
from flambeau.engine.explain import explain

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(2, 5, 3))
SIGNS = np.sign(RANDOM.normal(size=(5, 3)))
PROBABILITY = RANDOM.uniform(0.1, 0.9, size=(5, 3))
BITS = (RANDOM.uniform(size=(5, 3)) > 0.5).astype(float)


def tensors(*arrays):
    return [flambeau.tensor(array) for array in arrays]


def huber(d, delta):
    return np.where(np.abs(d) <= delta, d * d / 2, delta * (np.abs(d) - delta / 2))


LOSSES = {
    "mse_loss": ((X, Y), {}, (X - Y) ** 2),
    "l1_loss": ((X, Y), {}, np.abs(X - Y)),
    "smooth_l1_loss": ((X, Y), {"beta": 0.5}, huber(X - Y, 0.5) / 0.5),
    "huber_loss": ((X, Y), {"delta": 0.5}, huber(X - Y, 0.5)),
    "binary_cross_entropy": (
        (PROBABILITY, BITS),
        {},
        -(BITS * np.log(PROBABILITY) + (1 - BITS) * np.log(1 - PROBABILITY)),
    ),
    "binary_cross_entropy_with_logits": ((X, BITS), {}, np.logaddexp(0, X) - BITS * X),
    "soft_margin_loss": ((X, SIGNS), {}, np.log1p(np.exp(-SIGNS * X))),
    "poisson_nll_loss": ((X, np.abs(Y)), {}, np.exp(X) - np.abs(Y) * X),
    "hinge_embedding_loss": ((X, SIGNS), {}, np.where(SIGNS > 0, X, np.maximum(0, 1 - X))),
    "kl_div": ((X, PROBABILITY), {}, PROBABILITY * (np.log(PROBABILITY) - X)),
    "multilabel_soft_margin_loss": (
        (X, BITS),
        {},
        (np.logaddexp(0, X) - BITS * X).mean(1),
    ),
}


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("name", LOSSES)
def test_formula_and_reductions(name):
    arrays, settings, expected = LOSSES[name]
    loss = getattr(F, name)
    for reduction, value in (
        ("none", expected),
        ("sum", expected.sum()),
        ("mean", expected.mean()),
    ):
        found = loss(*tensors(*arrays), reduction=reduction, **settings)
        np.testing.assert_allclose(found.numpy(), value, rtol=1e-10)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient(name):
    arrays, settings, _ = LOSSES[name]
    first, second = tensors(*arrays)
    first.requires_grad_()
    loss = getattr(F, name)
    assert flambeau.autograd.gradcheck(
        lambda x: loss(x, second, reduction="sum", **settings), (first,)
    )


def log_softmax(x):
    return x - np.log(np.exp(x).sum(1, keepdims=True))


CLASSES = np.array([0, 2, 1, 2, 0])
WEIGHT = np.array([0.5, 1.0, 2.0])


def test_cross_entropy():
    x, target = tensors(X, CLASSES)
    picked = -log_softmax(X)[np.arange(5), CLASSES]
    np.testing.assert_allclose(F.cross_entropy(x, target).item(), picked.mean())
    weights = WEIGHT[CLASSES]
    weighted = F.cross_entropy(x, target, flambeau.tensor(WEIGHT))
    np.testing.assert_allclose(weighted.item(), (picked * weights).sum() / weights.sum())
    ignored = F.cross_entropy(x, target, ignore_index=2)
    np.testing.assert_allclose(ignored.item(), picked[CLASSES != 2].mean())
    smooth = F.cross_entropy(x, target, label_smoothing=0.1)
    spread = -log_softmax(X).mean(1)
    np.testing.assert_allclose(smooth.item(), (0.9 * picked + 0.1 * spread).mean())
    one_hot = np.eye(3)[CLASSES]
    soft = F.cross_entropy(x, flambeau.tensor(one_hot), flambeau.tensor(WEIGHT), reduction="sum")
    np.testing.assert_allclose(soft.item(), (picked * weights).sum())
    both = F.cross_entropy(x, flambeau.tensor(one_hot), label_smoothing=0.1)
    np.testing.assert_allclose(both.item(), smooth.item())


def test_cross_entropy_of_images_and_single_samples():
    x = flambeau.tensor(RANDOM.normal(size=(2, 3, 4)))
    target = flambeau.tensor(RANDOM.integers(0, 3, size=(2, 4)))
    flat = x.permute(0, 2, 1).reshape(8, 3)
    whole = F.cross_entropy(x, target).item()
    assert whole == pytest.approx(F.cross_entropy(flat, target.reshape(8)).item())
    assert F.cross_entropy(x, target, reduction="none").shape == (2, 4)
    assert F.cross_entropy(flambeau.zeros(3), flambeau.tensor(1)).item() == pytest.approx(
        math.log(3)
    )
    nll = F.nll_loss(F.log_softmax(x, 1), target)
    assert nll.item() == pytest.approx(whole)


def test_cross_entropy_gradient_and_nothing_left():
    x, target = tensors(X, CLASSES)
    x.requires_grad_()
    assert flambeau.autograd.gradcheck(
        lambda a: F.cross_entropy(a, target, flambeau.tensor(WEIGHT), label_smoothing=0.2), (x,)
    )
    nothing = F.cross_entropy(x, flambeau.full((5,), -100, dtype=flambeau.int64))
    assert math.isnan(nothing.item())


def test_class_losses_check_their_arguments():
    x = flambeau.zeros(2, 3)
    with pytest.raises(
        ValueError, match=r"input batch_size \(2\) to match target batch_size \(4\)"
    ):
        F.cross_entropy(x, flambeau.zeros(4, dtype=flambeau.int64))
    with pytest.raises(RuntimeError, match="all 3 classes"):
        F.nll_loss(x, flambeau.zeros(2, dtype=flambeau.int64), flambeau.ones(4))
    with pytest.raises(RuntimeError, match="label_smoothing must be between"):
        F.cross_entropy(x, x, label_smoothing=2.0)
    with pytest.raises(IndexError):
        F.cross_entropy(x, flambeau.tensor([0, 7])).item()


def test_binary_losses():
    x, target = tensors(X, BITS)
    scaled = F.binary_cross_entropy_with_logits(x, target, pos_weight=flambeau.tensor(WEIGHT))
    expected = np.where(BITS > 0, WEIGHT * np.logaddexp(0, -X), np.logaddexp(0, X))
    np.testing.assert_allclose(scaled.item(), expected.mean())
    sure = F.binary_cross_entropy(flambeau.tensor([0.0, 1.0]), flambeau.tensor([1.0, 1.0]))
    assert sure.item() == 50.0
    with pytest.raises(ValueError, match="different to the input size"):
        F.binary_cross_entropy(x, target[0])
    with pytest.raises(ValueError, match="must be the same as input size"):
        F.binary_cross_entropy_with_logits(x, target[0])


def test_margin_losses():
    x, y, signs = tensors(X[:, 0], Y[:, 0], SIGNS[:, 0])
    ranking = F.margin_ranking_loss(x, y, signs, margin=0.5)
    expected = np.maximum(0, -SIGNS[:, 0] * (X[:, 0] - Y[:, 0]) + 0.5)
    np.testing.assert_allclose(ranking.item(), expected.mean())
    a, b, n = tensors(X, Y, Y[::-1].copy())
    near, far = (np.linalg.norm(X - other + 1e-6, axis=1) for other in (Y, Y[::-1]))
    triplet = F.triplet_margin_loss(a, b, n)
    np.testing.assert_allclose(triplet.item(), np.maximum(0, near - far + 1).mean())
    custom = F.triplet_margin_with_distance_loss(a, b, n, swap=True)
    swapped = np.minimum(far, np.linalg.norm(Y - Y[::-1] + 1e-6, axis=1))
    np.testing.assert_allclose(custom.item(), np.maximum(0, near - swapped + 1).mean())
    cosine = (X * Y).sum(1) / np.linalg.norm(X, axis=1) / np.linalg.norm(Y, axis=1)
    embedding = F.cosine_embedding_loss(a, b, flambeau.tensor(SIGNS[:, 0]))
    expected = np.where(SIGNS[:, 0] > 0, 1 - cosine, np.maximum(0, cosine))
    np.testing.assert_allclose(embedding.item(), expected.mean(), rtol=1e-9)
    with pytest.raises(ValueError, match="margin must be greater than 0"):
        F.triplet_margin_loss(a, b, n, margin=0)


def test_multi_class_margins():
    x, target = tensors(X, CLASSES)
    rows = np.arange(5)
    excess = np.maximum(0, 1 - X[rows, CLASSES][:, None] + X)
    excess[rows, CLASSES] = 0
    np.testing.assert_allclose(F.multi_margin_loss(x, target).item(), (excess.sum(1) / 3).mean())
    squared = F.multi_margin_loss(x, target, p=2, weight=flambeau.tensor(WEIGHT))
    per_row = ((excess * WEIGHT[CLASSES][:, None]) * excess).sum(1) / 3
    assert squared.item() > 0
    np.testing.assert_allclose(squared.item(), per_row.mean())
    # Two listed classes; the third is what they are compared with.
    labels = flambeau.tensor([0, 1, -1])
    scores = flambeau.tensor([0.5, -0.25, 0.125])
    loss = F.multilabel_margin_loss(scores, labels).item()
    assert loss == pytest.approx((1 - 0.375 + 1 + 0.375) / 3)


def test_likelihoods():
    x, y = tensors(X, Y)
    variance = np.abs(Y) + 0.1
    gaussian = F.gaussian_nll_loss(x, y, flambeau.tensor(variance), full=True)
    expected = 0.5 * (np.log(variance) + (X - Y) ** 2 / variance + math.log(2 * math.pi))
    np.testing.assert_allclose(gaussian.item(), expected.mean())
    assert F.gaussian_nll_loss(x, y, 0.5).shape == ()
    with pytest.raises(ValueError, match="negative entry"):
        F.gaussian_nll_loss(x, y, -flambeau.ones(5, 3))
    with pytest.raises(ValueError, match="incorrect size"):
        F.gaussian_nll_loss(x, y, flambeau.ones(5, 2))
    counts = flambeau.tensor([0.0, 1.0, 4.0])
    stirling = 4 * math.log(4) - 4 + 0.5 * math.log(8 * math.pi)
    full = F.poisson_nll_loss(flambeau.zeros(3), counts, full=True, reduction="sum")
    assert full.item() == pytest.approx(3 + stirling, rel=1e-6)
    zero = F.kl_div(flambeau.zeros(2), flambeau.tensor([0.0, 1.0]), reduction="batchmean")
    assert zero.item() == 0


def test_sizes_that_broadcast_are_warned_about():
    with pytest.warns(UserWarning, match="different to the input size"):
        F.mse_loss(flambeau.ones(2, 1), flambeau.ones(2))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"size_average": False}, "sum"),
        ({"size_average": True}, "mean"),
        ({"reduce": False}, "none"),
        ({"size_average": False, "reduce": True}, "sum"),
        ({"reduction": "elementwise_mean"}, "mean"),
    ],
)
def test_older_arguments(old, new):
    x, y = tensors(X, Y)
    with pytest.warns(UserWarning, match="deprecated"):
        layer = nn.MSELoss(**old)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert flambeau.equal(layer(x, y), F.mse_loss(x, y, reduction=new))
    with pytest.warns(UserWarning, match="deprecated"):
        assert flambeau.equal(F.mse_loss(x, y, **old), layer(x, y))


def test_an_unknown_reduction_is_an_error():
    with pytest.raises(ValueError, match="median is not a valid value for reduction"):
        F.l1_loss(flambeau.ones(1), flambeau.ones(1), reduction="median")


def test_class_weights_are_buffers():
    loss = nn.CrossEntropyLoss(weight=flambeau.ones(3))
    assert list(loss.state_dict()) == ["weight"]
    assert repr(loss) == "CrossEntropyLoss()"


def test_cross_entropys_gradient_needs_no_other_tensor_of_its_size() -> None:
    rows, classes = 64, 512
    logits = flambeau.randn(rows, classes, requires_grad=True)
    target = flambeau.randint(0, classes, (rows,))
    target.tolist()
    with explain() as found:
        F.cross_entropy(logits, target).backward()
        logits.grad.numpy()
    nbytes, spare = 4 * rows * classes, 100 * rows
    (plan,) = found.plans
    # The logits, their exponentials written and read, the gradient.
    assert sum(kernel.nbytes for kernel in plan.kernels) < 4 * nbytes + spare
    assert plan.temporary_bytes + plan.output_bytes < 2 * nbytes + spare


@pytest.mark.parametrize("wrong", [3, -1])
def test_a_bad_class_is_reported_though_only_the_gradient_is_looked_at(wrong: int) -> None:
    scores = flambeau.zeros(2, 3, requires_grad=True)
    log = flambeau.zeros(())
    F.cross_entropy(scores, flambeau.tensor([0, wrong])).backward()
    log.add_(scores.grad.sum())
    with pytest.raises(IndexError, match=f"index {wrong} is out of bounds"):
        log.item()
    assert log.item() == 0
