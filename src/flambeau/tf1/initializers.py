"""Initializers: what variables start from, given the shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flambeau.tf1 import arrays, building, dtypes, randoms
from flambeau.tf1.dtypes import DType, as_dtype
from flambeau.tf1.graph import Tensor


class Initializer:
    """Called with a shape (and a type), gives the tensor to start from."""

    dtype: DType = dtypes.float32

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        kind = self.dtype if dtype is None else as_dtype(dtype)
        return self.made([int(one) for one in shape], kind)

    def made(self, shape: list[int], kind: DType) -> Tensor:
        """The tensor for a known shape and type."""
        raise NotImplementedError(type(self).__name__)


class Zeros(Initializer):
    """All elements 0."""

    def __init__(self, dtype: Any = dtypes.float32) -> None:
        self.dtype = as_dtype(dtype)

    def made(self, shape: list[int], kind: DType) -> Tensor:
        return arrays.zeros(shape, kind)


class Ones(Initializer):
    """All elements 1."""

    def __init__(self, dtype: Any = dtypes.float32) -> None:
        self.dtype = as_dtype(dtype)

    def made(self, shape: list[int], kind: DType) -> Tensor:
        return arrays.ones(shape, kind)


class Constant(Initializer):
    """These values, the last of which fills what is missing."""

    def __init__(
        self, value: Any = 0, dtype: Any = dtypes.float32, verify_shape: bool = False
    ) -> None:
        self.value, self.dtype, self.verify_shape = value, as_dtype(dtype), verify_shape

    def made(self, shape: list[int], kind: DType) -> Tensor:
        return building.constant(self.value, kind, shape, verify_shape=self.verify_shape)


class _Normal(Initializer):
    def __init__(
        self,
        mean: float = 0.0,
        stddev: float = 1.0,
        seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:
        self.mean, self.stddev, self.seed, self.dtype = mean, stddev, seed, as_dtype(dtype)


class RandomNormal(_Normal):
    """Normally distributed."""

    def made(self, shape: list[int], kind: DType) -> Tensor:
        return randoms.random_normal(shape, self.mean, self.stddev, kind, self.seed)


class TruncatedNormal(_Normal):
    """Normally distributed within two standard deviations."""

    def made(self, shape: list[int], kind: DType) -> Tensor:
        return randoms.truncated_normal(shape, self.mean, self.stddev, kind, self.seed)


class RandomUniform(Initializer):
    """Evenly distributed."""

    def __init__(
        self,
        minval: float = 0,
        maxval: float | None = None,
        seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:
        self.minval, self.maxval, self.seed, self.dtype = minval, maxval, seed, as_dtype(dtype)

    def made(self, shape: list[int], kind: DType) -> Tensor:
        return randoms.random_uniform(shape, self.minval, self.maxval, kind, self.seed)


class VarianceScaling(Initializer):
    """Random, with a variance of `scale` over the number of inputs, outputs, or their mean.

    He et al., 2015, arXiv:1502.01852.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:
        if scale <= 0:
            raise ValueError("`scale` must be positive float.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"Invalid `mode` argument: {mode}")
        distribution = distribution.lower()
        if distribution not in ("normal", "uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(f"Invalid `distribution` argument: {distribution}")
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.seed, self.dtype = seed, as_dtype(dtype)

    def made(self, shape: list[int], kind: DType) -> Tensor:
        fan_in, fan_out = _fans(shape)
        counts = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, counts[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return randoms.random_uniform(shape, -limit, limit, kind, self.seed)
        if self.distribution == "untruncated_normal":
            return randoms.random_normal(shape, 0.0, math.sqrt(variance), kind, self.seed)
        # Cutting the ends off takes some variance away.
        stddev = math.sqrt(variance) / 0.87962566103423978
        return randoms.truncated_normal(shape, 0.0, stddev, kind, self.seed)


def _fans(shape: list[int]) -> tuple[float, float]:
    """The numbers of inputs and outputs of a unit."""
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


class GlorotUniform(VarianceScaling):
    """Uniform within `sqrt(6 / (inputs + outputs))` (Glorot and Bengio, 2010)."""

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed, dtype)


class GlorotNormal(VarianceScaling):
    """Normal with variance `2 / (inputs + outputs)` (Glorot and Bengio, 2010)."""

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed, dtype)


class Identity(Initializer):
    """The identity matrix times `gain`."""

    def __init__(self, gain: float = 1.0, dtype: Any = dtypes.float32) -> None:
        self.gain, self.dtype = gain, as_dtype(dtype)

    def made(self, shape: list[int], kind: DType) -> Tensor:
        return building.constant(self.gain * np.eye(shape[0], shape[1]), kind)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Normal with variance `2 / inputs`."""
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform with variance `2 / inputs`."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Normal with variance `1 / inputs`."""
    return VarianceScaling(1.0, "fan_in", "truncated_normal", seed)


zeros, ones, constant, random_normal = Zeros, Ones, Constant, RandomNormal
random_uniform, truncated_normal, variance_scaling = RandomUniform, TruncatedNormal, VarianceScaling
glorot_uniform, glorot_normal, identity = GlorotUniform, GlorotNormal, Identity
