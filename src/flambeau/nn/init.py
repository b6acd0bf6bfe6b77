"""Initial values of weights, written in place.

Every function takes and returns the tensor, records no gradient, and draws from the generator in
PyTorch's order, so that the same seed gives the same weights.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import flambeau.tensor as T
from flambeau.tensor import Tensor

_CONVOLUTIONS = [f"{name}{rank}d" for name in ("conv", "conv_transpose") for rank in (1, 2, 3)]


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights grow to make up for what a nonlinearity takes away.

    `param` is the negative slope of `leaky_relu`. ValueError for an unknown name.

    >>> nn.init.calculate_gain("tanh")
    1.6666666666666667
    """
    gains = {"sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    gains.update(dict.fromkeys(["linear", *_CONVOLUTIONS], 1.0))
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in gains:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return gains[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Evenly distributed between a and b.

    >>> nn.init.uniform_(torch.empty(3)).shape
    torch.Size([3])
    """
    with T.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normally distributed.

    >>> nn.init.normal_(torch.empty(3)).shape
    torch.Size([3])
    """
    with T.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Any = None,
) -> Tensor:
    """Normally distributed, values outside [a, b] drawn again.

    Where most draws would fall outside, uniform ones are taken with the probability that the
    density gives them.

    >>> bool((nn.init.trunc_normal_(torch.empty(9)).abs() <= 2).all())
    True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of "
            "values may be incorrect.",
            UserWarning,
            stacklevel=2,
        )
    below, above = (math.erf((end - mean) / (std * math.sqrt(2.0))) for end in (a, b))
    with T.no_grad():
        if (above - below) / 2 > 0.3:
            return tensor.copy_(_redrawn_normal(tensor, mean, std, (a, b), generator))
        return tensor.copy_(_accepted_uniform(tensor, mean, std, (a, b), generator))


def _redrawn_normal(
    tensor: Tensor, mean: float, std: float, limits: tuple[float, float], generator: Any
) -> Tensor:
    result = T.empty_like(tensor).normal_(mean, std, generator=generator)
    while True:
        outside = (result < limits[0]) | (result > limits[1])
        if not bool(outside.any()):
            return result
        again = T.empty_like(result).normal_(mean, std, generator=generator)
        result = T.where(outside, again, result)


def _accepted_uniform(
    tensor: Tensor, mean: float, std: float, limits: tuple[float, float], generator: Any
) -> Tensor:
    a, b = limits
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    result = T.empty_like(tensor)
    pending = T.ones_like(tensor, dtype=T.bool)
    while True:
        candidates = T.empty_like(tensor).uniform_(a, b, generator=generator)
        result = T.where(pending, candidates, result)
        log_density = ((candidates - mean) / std) ** 2 * -0.5 - peak
        height = T.log(T.empty_like(tensor).uniform_(generator=generator))
        pending = pending & (height > log_density)
        if not bool(pending.any()):
            return result


def constant_(tensor: Tensor, val: float) -> Tensor:
    """The same value everywhere.

    >>> nn.init.constant_(torch.empty(2), 0.5)
    tensor([0.5000, 0.5000])
    """
    with T.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones.

    >>> nn.init.ones_(torch.empty(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros.

    >>> nn.init.zeros_(torch.empty(2))
    tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix, as far as it fits; ValueError unless the tensor has 2 dimensions.

    >>> nn.init.eye_(torch.empty(1, 2))
    tensor([[1., 0.]])
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with T.no_grad():
        return tensor.copy_(T.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Convolution weights that pass channels through unchanged: (out, in, ...), 3 to 5 dimensions.

    >>> nn.init.dirac_(torch.empty(1, 1, 3))
    tensor([[[0., 1., 0.]]])
    """
    if tensor.dim() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    size = tensor.shape[0] // groups
    centre = tuple(length // 2 for length in tensor.shape[2:])
    with T.no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(size, tensor.shape[1])):
                place = (group * size + channel, channel, *centre)
                tensor[place] = 1.0
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    if tensor.dim() < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fan(tensor: Tensor, mode: str) -> int:
    fans = dict(zip(("fan_in", "fan_out"), _calculate_fan_in_and_fan_out(tensor), strict=True))
    if mode.lower() not in fans:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(fans)}")
    return fans[mode.lower()]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform with variance `2 gain² / (fan_in + fan_out)`.

    Source: Glorot and Bengio, https://proceedings.mlr.press/v9/glorot10a.html

    >>> nn.init.xavier_uniform_(torch.empty(3, 5)).shape
    torch.Size([3, 5])
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / float(fan_in + fan_out)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with variance `2 gain² / (fan_in + fan_out)`.

    Source: Glorot and Bengio, https://proceedings.mlr.press/v9/glorot10a.html

    >>> nn.init.xavier_normal_(torch.empty(3, 5)).shape
    torch.Size([3, 5])
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    if not tensor.numel():
        warnings.warn("Initializing zero-element tensors is a no-op", UserWarning, stacklevel=3)
        return None
    return calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Uniform with variance `gain² / fan`; `a` is the slope of the leaky ReLU that follows.

    Source: He et al., https://arxiv.org/abs/1502.01852

    >>> nn.init.kaiming_uniform_(torch.empty(3, 5), nonlinearity="relu").shape
    torch.Size([3, 5])
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Normal with variance `gain² / fan`; `a` is the slope of the leaky ReLU that follows.

    Source: He et al., https://arxiv.org/abs/1502.01852

    >>> nn.init.kaiming_normal_(torch.empty(3, 5), mode="fan_out").shape
    torch.Size([3, 5])
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """A random (semi-)orthogonal matrix times `gain`; later dimensions count as one.

    Source: Saxe et al., https://arxiv.org/abs/1312.6120

    >>> w = nn.init.orthogonal_(torch.empty(2, 3))
    >>> torch.allclose(w @ w.t(), torch.eye(2), atol=1e-5)
    True
    """
    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if not tensor.numel():
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    with T.no_grad():
        drawn = T.empty(rows, columns, dtype=tensor.dtype, device=tensor.device)
        drawn.normal_(0, 1, generator=generator)
        q, r = T.linalg.qr(drawn.t() if rows < columns else drawn)
        q = q * T.sign(T.diagonal(r))  # the signs that make the decomposition unique
        q = q.t() if rows < columns else q
        return tensor.copy_((q * gain).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normal values of which, in every column, the share `sparsity` is set to 0 (2 dimensions).

    Source: Martens, https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf

    >>> (nn.init.sparse_(torch.empty(4, 1), 0.5) == 0).sum().item()
    2
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    silent = math.ceil(sparsity * rows)
    with T.no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[T.randperm(rows)[:silent], column] = 0.0
    return tensor


def _deprecated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function under its old name, without the trailing underscore."""
    old = function.__name__.removesuffix("_")

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{function.__name__}`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    wrapper.__name__ = wrapper.__qualname__ = old
    return wrapper


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
