"""What elementwise ops share: type and shape rules, float functions, and sample inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import ALL, FLOATS, INTEGERS, dtype
from flambeau.core.shapes import Shape, broadcast
from flambeau.graph.lowering import Expressions
from flambeau.graph.node import Spec
from flambeau.graph.op import Elementwise, ErrorSample, Sample

NUMBERS = INTEGERS + FLOATS
BITS = (dtypes.bool, *INTEGERS)

# How PyTorch's C++ spells the types, and so its error messages.
SPELLING = {
    dtypes.bool: "Bool",
    dtypes.uint8: "Byte",
    dtypes.int8: "Char",
    dtypes.int16: "Short",
    dtypes.int32: "Int",
    dtypes.int64: "Long",
    dtypes.float16: "Half",
    dtypes.bfloat16: "BFloat16",
    dtypes.float32: "Float",
    dtypes.float64: "Double",
}
_SMALLEST_NORMAL = {"float16": 2.0**-14, "float32": 2.0**-126, "float64": 2.0**-1022}


class Pointwise(Elementwise):
    """An op on values of one dtype, which is the result's too unless `result_dtype` says else."""

    arity: ClassVar[int] = 1
    accepts: ClassVar[tuple[dtype, ...]] = ALL
    # The name PyTorch's refusals of other dtypes give the op.
    refusal: ClassVar[str]
    # Differentiable samples are drawn from here.
    domain: ClassVar[tuple[float, float]] = (-2.0, 2.0)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        kind = inputs[0].dtype
        for one in inputs[1:]:
            if one.dtype is not kind:
                raise RuntimeError(
                    f"{self.name}: expected inputs of one dtype, received "
                    f"{' and '.join(str(one.dtype) for one in inputs)}"
                )
        if kind not in self.accepts:
            raise self.refuse(kind)
        return broadcast([one.shape for one in inputs], self.name), self.result_dtype(kind)

    def result_dtype(self, kind: dtype) -> dtype:
        """The result's type for inputs of type `kind`."""
        return kind

    def refuse(self, kind: dtype) -> Exception:
        """What PyTorch raises for an input of type `kind`."""
        name = getattr(self, "refusal", self.name)
        return NotImplementedError(f"\"{name}\" not implemented for '{SPELLING[kind]}'")

    def samples(self) -> Iterable[Sample]:
        for kind in self.accepts:
            smooth = kind is dtypes.float64 and self.differentiable
            yield Sample(self._random(kind, [(2, 3, 4), (3, 1), (4,)]), {}, smooth)
            yield Sample(self.edges(kind), {}, False)
        for shape in [(), (0, 3), (37,)]:
            yield Sample(self._random(self.accepts[-1], [shape] * 3), {}, self.differentiable)

    def edges(self, kind: dtype) -> tuple[np.ndarray, ...]:
        """All combinations of the values of type `kind` where ops go wrong."""
        axes = np.meshgrid(*[edge_values(kind)] * self.arity, indexing="ij")
        return tuple(np.ascontiguousarray(one) for one in axes)

    def error_samples(self) -> Iterable[ErrorSample]:
        refused = [kind for kind in (dtypes.bool, dtypes.float32) if kind not in self.accepts]
        for kind in refused:
            ones = np.ones(2, kind.numpy)
            error = self.refuse(kind)
            yield ErrorSample((ones,) * self.arity, type(error), str(error))
        if self.arity == 2:
            accepted = self.accepts[-1].numpy
            shapes = np.ones((2, 3), accepted), np.ones((2, 4), accepted)
            yield ErrorSample(shapes, RuntimeError, "must match the size of tensor b (4)")

    def _random(self, kind: dtype, shapes: list[Shape]) -> tuple[np.ndarray, ...]:
        generator = np.random.default_rng(len(shapes[0]))
        return tuple(
            random_values(generator, kind, shape, self.domain) for shape in shapes[: self.arity]
        )


class MathFunction(Pointwise):
    """A float function that the kernel language has under the op's name.

    `meaning` is evaluated in float64; so for narrower types the reference is correctly rounded.
    """

    cost = 10
    accepts = FLOATS
    meaning: ClassVar[Callable[..., Any]]

    def numpy(self, *arrays: Any, **_: Any) -> Any:
        wide = [one.astype(np.float64) for one in arrays]
        return np.asarray(type(self).meaning(*wide)).astype(arrays[0].dtype)

    def lower(self, e: Expressions, *values: Any, **_: Any) -> int:
        return e.call(self.name, *values)


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """The bits, as uint16, of float32 values rounded to bfloat16 (ties to even)."""
    bits = np.asarray(values, np.float32, order="C").view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), 0x7FC0, rounded).astype(np.uint16)


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """The float32 values of bfloat16 bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def stored(values: np.ndarray, kind: dtype) -> np.ndarray:
    """The values as an array of the type that `kind` is stored as."""
    return to_bfloat16(values) if kind is dtypes.bfloat16 else values.astype(kind.numpy)


def edge_values(kind: dtype) -> np.ndarray:
    """Signed zeros, extremes, neighbours of one, infinities and NaN, as `kind` stores them."""
    if kind is dtypes.bool:
        return np.array([False, True])
    if not kind.is_floating_point:
        information = np.iinfo(kind.numpy)
        some = [information.min, information.min + 1, 0, 1, 2, 3, 7, 100, information.max]
        some += [-1, -2, -3] if kind.is_signed else [200]
        return np.array(some, kind.numpy)
    if kind is dtypes.bfloat16:
        return to_bfloat16(edge_values(dtypes.float32))
    limits = np.finfo(kind.numpy)
    tiny, large = _SMALLEST_NORMAL[kind.name], float(limits.max)
    positive = [0.0, 0.5, 1.0, 1.0 + float(limits.eps), 1.5, 2.5, 3.0, 10.0, tiny, large, np.inf]
    return np.array([*positive, *[-one for one in positive], np.nan], kind.numpy)


def random_values(
    generator: np.random.Generator, kind: dtype, shape: Shape, domain: tuple[float, float]
) -> np.ndarray:
    """Values of type `kind`: floats from `domain`, small integers, bools."""
    if kind is dtypes.bool:
        return generator.random(shape) < 0.5
    if not kind.is_floating_point:
        lowest = -9 if kind.is_signed else 0
        drawn = generator.integers(lowest, 10, shape)
        return np.asarray(np.where(drawn == 0, 5, drawn), kind.numpy)
    return stored(np.asarray(generator.uniform(*domain, shape)), kind)
