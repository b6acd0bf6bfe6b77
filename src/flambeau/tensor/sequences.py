"""Tensors filled by rule: counting, even spacing, the identity matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.core.device import resolve
from flambeau.core.dtypes import dtype
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import algebra
from flambeau.ops.comparison import lt
from flambeau.ops.exponential import exp2
from flambeau.ops.power import pow as pow_op
from flambeau.ops.selection import cast, where
from flambeau.ops.shape import full as filled
from flambeau.ops.shape import iota
from flambeau.tensor.arguments import chosen_dtype
from flambeau.tensor.creation import finished
from flambeau.tensor.promotion import plain
from flambeau.tensor.tensor import Tensor


def arange(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """`start`, `start + step`, ... below `end`; of int64 if all three are integers.

    >>> import flambeau
    >>> flambeau.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    resolve(device)
    if end is None:
        start, end = 0, start
    start, end, step = [
        one.item() if isinstance(one, Tensor) else one for one in (start, end, step)
    ]
    whole = not any(isinstance(one, (float, np.floating)) for one in (start, end, step))
    kind = chosen_dtype(dtype, dtypes.int64 if whole else context.default_dtype)
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if kind.is_floating_point or not whole:
        count = math.ceil((end - start) / step)
    else:
        count = max(0, -(-(int(end) - int(start)) // int(step)))
    return finished(_steps(start, step, count, kind), requires_grad, out)


def _steps(start: Any, step: Any, count: int, kind: dtype) -> Node:
    numbers = iota(count)
    if kind.is_floating_point:
        numbers = cast(numbers, dtypes.float64)
    if step != 1:
        numbers = algebra.mul(numbers, scalar(plain(step, numbers.dtype), numbers.dtype))
    if start != 0:
        numbers = algebra.add(numbers, scalar(plain(start, numbers.dtype), numbers.dtype))
    return cast(numbers, kind)


def range_(
    start: float = 0,
    end: float | None = None,
    step: float = 1,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`start`, `start + step`, ... up to and including `end`."""
    if end is None:
        start, end = 0, start
    count = math.floor((end - start) / step) + 1
    kind = chosen_dtype(dtype, context.default_dtype)
    return finished(_steps(start, step, count, kind), requires_grad, out)


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers from `start` to `end`, evenly spaced.

    >>> import flambeau
    >>> flambeau.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    resolve(device)
    kind = chosen_dtype(dtype, context.default_dtype)
    return finished(cast(_spaced(start, end, steps, kind), kind), requires_grad, out)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`base` to the powers of `linspace(start, end, steps)`."""
    resolve(device)
    kind = chosen_dtype(dtype, context.default_dtype)
    exponents = cast(_spaced(start, end, steps, dtypes.float64), dtypes.float64)
    powers = (
        exp2(exponents) if base == 2 else pow_op(scalar(float(base), exponents.dtype), exponents)
    )
    return finished(cast(powers, kind), requires_grad, out)


def _spaced(start: Any, end: Any, steps: int, kind: dtype) -> Node:
    """Counted from the nearer end, so that both ends are exact; whole numbers in float64."""
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    low, high = [one.item() if isinstance(one, Tensor) else one for one in (start, end)]
    wide = kind if kind in (dtypes.float32, dtypes.float64) else dtypes.float64
    if not kind.is_floating_point:
        low, high = int(low), int(high)
    if steps == 1:
        return filled((1,), float(low), wide)
    numbers = cast(iota(steps), wide)
    step = scalar((high - low) / max(steps - 1, 1), wide)
    up = algebra.add(scalar(float(low), wide), algebra.mul(step, numbers))
    left = algebra.sub(scalar(float(steps - 1), wide), numbers)
    down = algebra.sub(scalar(float(high), wide), algebra.mul(step, left))
    return where(lt(numbers, scalar(float(steps // 2), wide)), up, down)
