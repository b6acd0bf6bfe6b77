"""Normalisation over features, groups of channels, and batches.

Each is `(x - mean) / sqrt(variance + eps) * weight + bias`; they differ in what is averaged over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import flambeau.tensor as T
from flambeau.nn.functional._precision import computed_wide
from flambeau.nn.functional.padding import pad
from flambeau.tensor import Tensor

Dims = tuple[int, ...]


def _moments(input: Tensor, dims: Dims) -> tuple[Tensor, Tensor, Tensor]:
    """The mean over `dims`, the centred input and its (biased) variance; `dims` stay as size 1."""
    mean = input.mean(dims, keepdim=True)
    centred = input - mean
    return mean, centred, (centred * centred).mean(dims, keepdim=True)


def _affine(input: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    scaled = input if weight is None else input * weight
    return scaled if bias is None else scaled + bias


def _per_channel(values: Tensor | None, rank: int) -> Tensor | None:
    """One value per channel, shaped to broadcast along dimension 1."""
    return None if values is None else values.view(1, -1, *[1] * (rank - 2))


def _trailing_dims(
    name: str, input: Tensor, shape: Sequence[int], parameters: dict[str, Tensor | None]
) -> Dims:
    expected = tuple(shape)
    if not expected:
        raise RuntimeError(
            f"{name}: Expected normalized_shape to be at least 1-dimensional, but got {expected}"
        )
    for label, parameter in parameters.items():
        if parameter is not None and tuple(parameter.shape) != expected:
            raise RuntimeError(
                f"Expected {label} to be of same shape as normalized_shape, but got {label} of "
                f"shape {list(parameter.shape)} and normalized_shape = {list(expected)}"
            )
    if tuple(input.shape[-len(expected) :]) != expected:
        raise RuntimeError(
            f"Given normalized_shape={list(expected)}, expected input with shape "
            f"[*, {', '.join(map(str, expected))}], but got input of size{list(input.shape)}"
        )
    return tuple(range(-len(expected), 0))


@computed_wide
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise over the last dimensions, whose sizes are `normalized_shape`.

    Source: Ba et al., https://arxiv.org/abs/1607.06450

    >>> F.layer_norm(torch.tensor([1.0, 3.0]), (2,))
    tensor([-1.0000,  1.0000])
    """
    dims = _trailing_dims("layer_norm", input, normalized_shape, {"weight": weight, "bias": bias})
    _, centred, variance = _moments(input, dims)
    return _affine(centred * T.rsqrt(variance + eps), weight, bias)


@computed_wide
def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Divide by the root of the mean square over the last dimensions.

    `eps` defaults to the resolution of the input's type. Source: Zhang and Sennrich,
    https://arxiv.org/abs/1910.07467

    >>> F.rms_norm(torch.tensor([3.0, 4.0]), (2,))
    tensor([0.8485, 1.1314])
    """
    dims = _trailing_dims("rms_norm", input, normalized_shape, {"weight": weight})
    if eps is None:
        eps = T.finfo(input.dtype).eps
    mean_square = (input * input).mean(dims, keepdim=True)
    return _affine(input * T.rsqrt(mean_square + eps), weight, None)


def _check_several_values(size: Sequence[int]) -> None:
    if size[0] * math.prod(size[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {size}"
        )


@computed_wide
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise (N, C, ...) over groups of channels and all positions, sample by sample.

    Source: Wu and He, https://arxiv.org/abs/1803.08494

    >>> F.group_norm(torch.tensor([[1.0, 3.0, 5.0, 9.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    if input.dim() < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.dim()}"
        )
    samples, channels = input.shape[:2]
    if num_groups <= 0 or channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    _check_several_values([samples * channels // num_groups, num_groups, *input.shape[2:]])
    size = channels // num_groups * math.prod(input.shape[2:])
    _, centred, variance = _moments(input.reshape(samples, num_groups, size), (2,))
    normal = (centred * T.rsqrt(variance + eps)).view(input.shape)
    return _affine(normal, _per_channel(weight, input.dim()), _per_channel(bias, input.dim()))


def _update_running(
    running: tuple[Tensor | None, Tensor | None],
    mean: Tensor,
    variance: Tensor,
    count: int,
    momentum: float | Tensor,
) -> None:
    """Move the running statistics towards a batch's; their variance is the unbiased one."""
    with T.no_grad():
        for average, value in zip(running, (mean, variance * (count / (count - 1))), strict=True):
            if average is not None:
                target = value.detach().reshape(average.shape).to(average.dtype)
                average.lerp_(target, momentum)


@computed_wide
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise (N, C, ...) channel by channel, over the batch and all positions.

    In training the running statistics, if given, move towards the batch's by `momentum`;
    otherwise they are what is normalised with. ValueError for one value per channel in training.
    Source: Ioffe and Szegedy, https://arxiv.org/abs/1502.03167

    >>> F.batch_norm(torch.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    rank = input.dim()
    if eps < 0.0 or (training and eps == 0.0):
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if not input.numel():
        return _affine(input, _per_channel(weight, rank), _per_channel(bias, rank))
    if training:
        _check_several_values(input.shape)
        dims = (0, *range(2, rank))
        mean, centred, variance = _moments(input, dims)
        if running_mean is not None or running_var is not None:
            count = input.numel() // input.shape[1]
            _update_running((running_mean, running_var), mean, variance, count, momentum)
        factor = T.rsqrt(variance + eps)
    else:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when training=False"
            )
        centred = input - running_mean.view(1, -1, *[1] * (rank - 2))
        factor = T.rsqrt(running_var + eps).view(1, -1, *[1] * (rank - 2))
    return _affine(centred * factor, _per_channel(weight, rank), _per_channel(bias, rank))


@computed_wide
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise (N, C, ...) channel by channel and sample by sample, over all positions.

    Source: Ulyanov et al., https://arxiv.org/abs/1607.08022

    >>> F.instance_norm(torch.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    count = math.prod(input.shape[2:])
    if count == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}"
        )
    dims = tuple(range(2, input.dim()))
    mean, centred, variance = _moments(input, dims)
    if running_mean is not None or running_var is not None:
        running = running_mean, running_var
        _update_running(running, mean.mean(0), variance.mean(0), count, momentum)
    normal = centred * T.rsqrt(variance + eps)
    return _affine(normal, _per_channel(weight, input.dim()), _per_channel(bias, input.dim()))


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Divide (N, C, ...) by `(k + alpha * m) ** beta`, m the mean square of `size` channels around.

    Source: Krizhevsky et al., https://papers.nips.cc/paper/4824

    >>> F.local_response_norm(torch.ones(1, 2, 1), 2, alpha=1.0).squeeze()
    tensor([0.7378, 0.5946])
    """
    if input.dim() < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {input.dim()} dimensions)"
        )
    if not input.numel():
        return input
    channels = input.shape[1]
    around = [0, 0] * (input.dim() - 2) + [size // 2, (size - 1) // 2]
    squares = pad(input * input, around)
    total = squares.narrow(1, 0, channels)
    for offset in range(1, size):
        total = total + squares.narrow(1, offset, channels)
    return input / (total * (alpha / size) + k) ** beta


def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Divide by the p-norm along `dim`, or by `eps` if that is larger.

    >>> F.normalize(torch.tensor([3.0, 4.0]), dim=0)
    tensor([0.6000, 0.8000])
    """
    result = input / input.norm(p, dim, keepdim=True).clamp(min=eps)
    return result if out is None else out.copy_(result)
