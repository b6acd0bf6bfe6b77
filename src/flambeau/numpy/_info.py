"""What the Python array API standard lets a program ask of a namespace."""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau.numpy._kinds import KINDS

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("signed",),
    "unsigned integer": ("unsigned",),
    "integral": ("signed", "unsigned"),
    "real floating": ("float",),
    "complex floating": (),
    "numeric": ("signed", "unsigned", "float"),
}


class NamespaceInfo:
    """Devices, dtypes and capabilities.

    >>> import flambeau.numpy as np
    >>> np.__array_namespace_info__().devices()
    ['cpu']
    """

    def capabilities(self) -> dict[str, Any]:
        """What depends on data is possible, up to 64 dimensions."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """Where arrays are made."""
        return "cpu"

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype]:
        """The dtypes of Python's numbers, by kind."""
        _check(device)
        return {"real floating": np.dtype(np.float64), "integral": np.dtype(np.int64),
                "indexing": np.dtype(np.int64)}  # fmt: skip

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype]:
        """The dtypes there are, of all kinds or of one or several."""
        _check(device)
        names = [kind] if isinstance(kind, str) else kind
        wanted = None if names is None else {k for name in names for k in _KINDS[name]}
        return {
            one.name: one.numpy
            for one in KINDS
            if one.itemsize != 2 or not one.is_floating_point
            if wanted is None or one.kind in wanted
        }

    def devices(self) -> list[str]:
        """The devices there are."""
        return ["cpu"]


def _check(device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {device}')


def namespace_info() -> NamespaceInfo:
    """What this namespace offers."""
    return NamespaceInfo()
