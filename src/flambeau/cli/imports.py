"""What other packages' names mean in a script that `flambeau run` runs.

`import torch` gives flambeau for the whole process: a finder before all others answers for every
name of a package in `NAMES`, with the very same module objects (`torch.nn is flambeau.nn`), and
refuses the rest, which Python would otherwise look for in flambeau's folder or find installed.
Libraries need the real NumPy, so that `numpy` is replaced in the script's own imports alone.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# flambeau's layers (flambeau.graph, ...) are not PyTorch's names, even where they sound like them.
_TORCH = (
    "autograd", "autograd.forward_ad", "autograd.function", "autograd.functional",
    "autograd.gradcheck", "autograd.variable", "backends", "cuda", "distributions", "fft", "func",
    "linalg", "nn", "nn.functional", "nn.init", "nn.modules", "nn.parameter", "nn.utils",
    "nn.utils.rnn", "onnx", "optim", "optim.lr_scheduler", "optim.optimizer", "random", "special",
    "testing", "utils", "utils.checkpoint", "utils.data",
)  # fmt: skip

# What a name is imported as; names whose module flambeau does not have yet are refused.
NAMES: dict[str, str] = {
    "torch": "flambeau",
    **{f"torch.{name}": f"flambeau.{name}" for name in _TORCH},
    "tensorflow": "flambeau.tf1",
    "tensorflow.compat": "flambeau.tf1.compat",
    "tensorflow.compat.v1": "flambeau.tf1",
}
# The same for a script's own imports, with all of the packages' submodules.
SCRIPT_ALONE: dict[str, str] = {"numpy": "flambeau.numpy"}


def install() -> None:
    """From now on, the packages in `NAMES` import as flambeau."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Answers for all names of the packages in `NAMES`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package = fullname.partition(".")[0]
        if package not in NAMES:
            return None
        module = find_module(NAMES[fullname]) if fullname in NAMES else None
        if module is not None:
            return ModuleSpec(fullname, _SameModule(module))
        offered = [
            name
            for name, ours in NAMES.items()
            if name.startswith(f"{package}.") and find_module(ours) is not None
        ]
        raise ModuleNotFoundError(
            f"No module named {fullname!r}: {package} is {NAMES[package]} here, which offers "
            f"{', '.join(offered) or 'no submodules'}",
            name=fullname,
        )


class _SameModule(Loader):
    """Loads a name as a module that there is already."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = self._module


def find_module(path: str) -> ModuleType | None:
    """The module at a dotted path, as an attribute or as a file; None if there is none."""
    first, *rest = path.split(".")
    module = importlib.import_module(first)
    for part in rest:
        child = getattr(module, part, None)
        if child is None and hasattr(module, "__path__"):
            full = f"{module.__name__}.{part}"
            child = importlib.import_module(full) if importlib.util.find_spec(full) else None
        if not isinstance(child, ModuleType):
            return None
        module = child
    return module


def script_builtins(packages: Mapping[str, str]) -> ModuleType:
    """The builtins of a script whose own imports of `packages` are to give other modules."""

    def import_(
        name: str,
        names: Mapping[str, Any] | None = None,
        local: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        package, _, rest = name.partition(".")
        ours = packages.get(package)
        if ours is None or level:
            return builtins.__import__(name, names, local, fromlist or (), level)
        module = find_module(f"{ours}.{rest}" if rest else ours)
        if module is None:
            raise ModuleNotFoundError(f"No module named {name!r}: {package} is {ours} here")
        return module if fromlist else importlib.import_module(ours)

    made = ModuleType("builtins")
    vars(made).update(vars(builtins), __import__=import_)
    return made
