"""Makes `import torch` mean flambeau in this process.

Each of PyTorch's module names that flambeau has is entered in `sys.modules` as the very same module
object, so `torch.nn is flambeau.nn`. A finder before all others refuses the names that are left:
otherwise Python would look for them in flambeau's folder, or find an installed PyTorch.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import flambeau

# flambeau's layers (flambeau.graph, ...) are not PyTorch's names, even where they sound like them.
NAMES = (
    "autograd", "autograd.forward_ad", "autograd.function", "autograd.functional",
    "autograd.gradcheck", "autograd.variable", "backends", "cuda", "distributions", "fft", "func",
    "linalg", "nn", "nn.functional", "nn.init", "nn.modules", "nn.parameter", "nn.utils",
    "nn.utils.rnn", "onnx", "optim", "optim.lr_scheduler", "optim.optimizer", "random", "special",
    "testing", "utils", "utils.checkpoint", "utils.data",
)  # fmt: skip


class _Refusal(MetaPathFinder):
    """Answers for every `torch` name that `install` has not entered."""

    def __init__(self, offered: Sequence[str]) -> None:
        self._offered = ", ".join(offered)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "torch":
            return None
        raise ModuleNotFoundError(
            f"No module named {fullname!r}: torch is flambeau here, which offers {self._offered}",
            name=fullname,
        )


def install() -> None:
    """From now on, `torch` and its submodules import as flambeau."""
    found = {f"torch.{name}": module for name in NAMES if (module := _module(name)) is not None}
    sys.modules.update({"torch": flambeau, **found})
    if not any(isinstance(finder, _Refusal) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Refusal(sorted(found)))


def _module(name: str) -> ModuleType | None:
    """The module at `flambeau.<name>`, as an attribute or as a file; None if there is none."""
    module: ModuleType = flambeau
    for part in name.split("."):
        child = getattr(module, part, None)
        if child is None and hasattr(module, "__path__"):
            full = f"{module.__name__}.{part}"
            child = importlib.import_module(full) if importlib.util.find_spec(full) else None
        if not isinstance(child, ModuleType):
            return None
        module = child
    return module
