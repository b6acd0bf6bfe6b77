"""`torch.cuda` where there is no GPU: programs ask, and go on with the CPU."""

from __future__ import annotations

from typing import Any

from flambeau.core.device import device, resolve


def is_available() -> bool:
    """Whether there is a GPU to compute on.

    >>> is_available()
    False
    """
    return device_count() > 0


def device_count() -> int:
    """How many GPUs there are to compute on."""
    return 0


def is_initialized() -> bool:
    """Whether a GPU is in use."""
    return is_available()


def manual_seed(seed: int) -> None:
    """Seed the GPU's generator; nothing to do without one."""


def manual_seed_all(seed: int) -> None:
    """Seed all GPUs' generators; nothing to do without one."""


def empty_cache() -> None:
    """Give back idle GPU memory; nothing to do without one."""


def synchronize(device: Any = None) -> None:
    """Wait for the GPU; RuntimeError without one."""
    resolve("cuda" if device is None else device)


def current_device() -> int:
    """The number of the GPU in use; RuntimeError without one."""
    return resolve(device("cuda")).index or 0
