"""What a thread's program has switched on: gradients, defaults, and the recording being made.

The only state that is not passed as an argument. `show()` prints it.
"""

from __future__ import annotations

import threading
from typing import Any

from flambeau.core import dtypes
from flambeau.core.device import CPU, device
from flambeau.core.settings import settings


class Context(threading.local):
    """One object; every thread sees its own values."""

    def __init__(self) -> None:
        self.grad_enabled = True
        self.inference = False
        self.eager = settings.eager
        self.default_dtype: dtypes.dtype = dtypes.float32
        self.default_device: device = CPU
        # A graph.Recording; the layers above know.
        self.recording: Any = None
        # The user's line, while one stands for all that is recorded.
        self.location: Any = None
        # An engine.capture.Capture while `compile` records a function.
        self.capture: Any = None

    def show(self) -> str:
        """One line a setting, for bug reports."""
        return "\n".join(f"{name}: {value}" for name, value in sorted(vars(self).items()))


context = Context()
