"""Gradients. The layer itself knows nodes only; the rest of `torch.autograd` is the tensor layer's.

Those are looked up when they are asked for, as that layer is above this one.
"""

from __future__ import annotations

import importlib
from typing import Any

from flambeau.autograd.modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)

_ABOVE = {
    "Function": "function",
    "Variable": "legacy",
    "backward": "gradients",
    "function": "function",
    "functional": "derivatives",
    "grad": "gradients",
    "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck",
}


def __getattr__(name: str) -> Any:
    if name not in _ABOVE:
        raise AttributeError(f"module 'flambeau.autograd' has no attribute '{name}'")
    module = importlib.import_module(f"flambeau.tensor.{_ABOVE[name]}")
    return getattr(module, name) if hasattr(module, name) else module
