"""Gradients of nodes, and the modes that switch them.

What else `torch.autograd` offers works on tensors; the package's root adds it here.
"""

from __future__ import annotations

from flambeau.autograd.modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)
