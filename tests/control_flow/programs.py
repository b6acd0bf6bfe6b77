"""Programs with loops, written with `scan` and with Python's `for`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flambeau as torch

Step = Callable[[Any, Any], tuple[Any, Any]]


def unrolled(step: Step, carry: Any, xs: torch.Tensor, *, reverse: bool = False) -> Any:
    """What `scan` means."""
    outputs = []
    for x in reversed(xs.unbind(0)) if reverse else xs.unbind(0):
        carry, y = step(carry, x)
        outputs.append(y)
    return carry, torch.stack(outputs[::-1] if reverse else outputs)


def leaf(*shape: int, seed: int = 0, dtype: Any = torch.float64) -> torch.Tensor:
    """A leaf that wants its gradient."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype, requires_grad=True)


def same_bits(first: Any, second: Any) -> bool:
    """Whether two sequences of tensors are equal to the bit."""
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
