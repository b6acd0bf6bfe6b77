"""Layers that normalise channels with the statistics of a batch."""

from __future__ import annotations

from typing import Any

import flambeau.nn.functional as F
import flambeau.tensor as T
from flambeau.nn.modules._affine import Affine
from flambeau.tensor import Tensor


class NormBase(Affine):
    """What batch and instance norms share: affine parameters and running statistics."""

    _version = 2  # the first without num_batches_tracked was 1
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        mean = variance = batches = None
        if track_running_stats:
            mean = T.zeros(num_features, device=device, dtype=dtype)
            variance = T.ones(num_features, device=device, dtype=dtype)
            batches = T.tensor(0, dtype=T.int64, device=device)
        self._add_affine((num_features,), affine, affine and bias, device, dtype)
        self.register_buffer("running_mean", mean)
        self.register_buffer("running_var", variance)
        self.register_buffer("num_batches_tracked", batches)

    def reset_running_stats(self) -> None:
        """Forget the running statistics: mean 0, variance 1."""
        if self.running_mean is not None:
            self.running_mean.zero_()
        if self.running_var is not None:
            self.running_var.fill_(1)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Set weight and variance to ones, bias and mean to zeros."""
        if "running_mean" in self._buffers:
            self.reset_running_stats()
        super().reset_parameters()

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        if local_metadata.get("version", 1) < 2 and self.num_batches_tracked is not None:
            state_dict.setdefault(f"{prefix}num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(NormBase):
    ranks: tuple[int, ...]

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self.ranks:
            expected = " or ".join(f"{rank}D" for rank in self.ranks)
            raise ValueError(f"expected {expected} input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        momentum: float | Tensor = 0.0 if self.momentum is None else self.momentum
        mean, variance = self.running_mean, self.running_var
        use_batch = self.training or (mean is None and variance is None)
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the plain average of all batches so far
                momentum = 1.0 / self.num_batches_tracked.to(T.get_default_dtype())
        if self.training and not self.track_running_stats:
            mean = variance = None
        return F.batch_norm(
            input, mean, variance, self.weight, self.bias, use_batch, momentum, self.eps
        )


class BatchNorm1d(_BatchNorm):
    """Normalise (N, C) or (N, C, L) channel by channel over the batch.

    In evaluation mode the running statistics are used. `momentum=None` averages all batches
    alike. Source: Ioffe and Szegedy, https://arxiv.org/abs/1502.03167

    >>> nn.BatchNorm1d(3)(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalise (N, C, H, W) channel by channel over the batch and all positions.

    >>> nn.BatchNorm2d(3)(torch.ones(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalise (N, C, D, H, W) channel by channel over the batch and all positions.

    >>> nn.BatchNorm3d(3)(torch.ones(2, 3, 4, 4, 4)).shape
    torch.Size([2, 3, 4, 4, 4])
    """

    ranks = (5,)
