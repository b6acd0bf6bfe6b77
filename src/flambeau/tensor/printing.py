"""Tensors as text, character for character as PyTorch prints them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass
class PrintOptions:
    """What `set_printoptions` sets."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}

# Options belong to the process, not to a thread: PyTorch's programs set them once at the top.
OPTIONS = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors print; what is not given stays, except `sci_mode`, which is reset.

    `profile` is 'default', 'short' or 'full'; ValueError for another one.

    >>> import flambeau
    >>> flambeau.set_printoptions(precision=2)
    >>> flambeau.tensor([1.12345])
    tensor([1.12])
    >>> flambeau.set_printoptions(profile="default")
    """
    chosen: dict[str, Any] = {}
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(
                f"set_printoptions: profile must be one of {', '.join(_PROFILES)}; "
                f"received profile={profile!r}"
            )
        chosen = dataclasses.asdict(_PROFILES[profile])
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    chosen.update((name, value) for name, value in given.items() if value is not None)
    chosen["sci_mode"] = sci_mode
    for name, value in chosen.items():
        setattr(OPTIONS, name, value)


def get_printoptions() -> dict[str, Any]:
    """The options in force, ready for `set_printoptions(**options)`.

    >>> get_printoptions()["precision"]
    4
    """
    return dataclasses.asdict(OPTIONS)


class _Formatter:
    """One number format for all elements of a tensor, decided from those that will be shown."""

    def __init__(self, shown: Array, *, floating: bool) -> None:
        self._floating = floating
        self._integral = True
        self._scientific = False
        self.width = 1
        if floating:
            self._choose_float_format(shown.astype(np.float64).ravel())
        elif shown.size:
            self.width = max(len(str(value)) for value in shown.ravel().tolist())

    def _choose_float_format(self, shown: Array) -> None:
        # Zeros, infinities and nan have no say in it; they may even stick out of the width.
        deciding = shown[np.isfinite(shown) & (shown != 0)]
        if not deciding.size:
            return
        self._integral = bool((deciding == np.ceil(deciding)).all())
        sizes = np.abs(deciding)
        smallest, largest = float(sizes.min()), float(sizes.max())
        if OPTIONS.sci_mode is not None:
            self._scientific = OPTIONS.sci_mode
        else:
            wide = largest / smallest > 1000.0
            self._scientific = wide or largest > 1.0e8 or smallest < 1.0e-4
        self.width = max(1, *(len(self(value)) for value in deciding.tolist()))

    def __call__(self, value: float) -> str:
        if not self._floating:
            return str(value).rjust(self.width)
        if self._scientific:
            text = f"{value:.{OPTIONS.precision}e}"
        elif self._integral:
            text = f"{value:.0f}" + ("." if math.isfinite(value) else "")
        else:
            text = f"{value:.{OPTIONS.precision}f}"
        return text.rjust(self.width)


def _edges(array: Array) -> Array:
    """The elements a summary shows: the first and last `edgeitems` along every dimension."""
    edge = OPTIONS.edgeitems
    for dim, size in enumerate(array.shape):
        if size > 2 * edge:
            kept = [*range(edge), *range(size - edge, size)]
            array = array.take(kept, axis=dim)
    return array


def _row(row: Array, indent: int, summarize: bool, formatter: _Formatter) -> str:
    edge = OPTIONS.edgeitems
    if summarize and not edge:
        texts = ["..."]
    elif summarize and len(row) > 2 * edge:
        head, tail = row[:edge].tolist(), row[-edge:].tolist()
        texts = [*map(formatter, head), " ...", *map(formatter, tail)]
    else:
        texts = [formatter(value) for value in row.tolist()]
    per_line = max(1, (OPTIONS.linewidth - indent) // (formatter.width + len(", ")))
    lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _nested(array: Array, indent: int, summarize: bool, formatter: _Formatter) -> str:
    if array.ndim == 0:
        return formatter(array.item())
    if array.ndim == 1:
        return _row(array, indent, summarize, formatter)
    edge, size = OPTIONS.edgeitems, len(array)
    if summarize and size > 2 * edge:
        before, after = range(edge), range(size - edge, size)
    else:
        before, after = range(size), range(0)
    parts = [_nested(array[i], indent + 1, summarize, formatter) for i in before]
    if len(before) + len(after) < size:
        parts.append("...")
    parts += [_nested(array[i], indent + 1, summarize, formatter) for i in after]
    between = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
    return "[" + between.join(parts) + "]"


def _contents(array: Array, indent: int, kind: dtype) -> str:
    if array.size == 0:
        return "[]"
    summarize = array.size > OPTIONS.threshold
    shown = _edges(array) if summarize else array
    return _nested(array, indent, summarize, _Formatter(shown, floating=kind.is_floating_point))


def _suffixes(
    array: Array, kind: dtype, default_dtype: dtype, device: str | None, history: str | None
) -> list[str]:
    """What follows the numbers: only what a reader could not infer from them."""
    found = []
    if device is not None:
        found.append(f"device='{device}'")
    implied = (default_dtype,) if array.size == 0 else (default_dtype, dtypes.int64, dtypes.bool)
    if (array.size == 0 and array.ndim != 1) or (array.size and not OPTIONS.edgeitems):
        found.append(f"size={tuple(array.shape)}")
    if kind not in implied:
        found.append(f"dtype={kind}")
    if history is not None:
        found.append(history)
    return found


def format_tensor(
    array: Array,
    kind: dtype,
    *,
    requires_grad: bool = False,
    grad_fn: str | None = None,
    default_dtype: dtype = dtypes.float32,
    device: str | None = None,
    name: str = "tensor",
) -> str:
    """The `repr` of a tensor with these elements; bfloat16 comes widened to float32.

    `grad_fn` is the bare name of the node that made it; `device` is given only where it is not the
    default one; `name` is the class name of a subclass.

    >>> print(format_tensor(np.array([[1.5, -2.0], [0.25, 3.0]]), dtypes.float32, grad_fn="Add"))
    tensor([[ 1.5000, -2.0000],
            [ 0.2500,  3.0000]], grad_fn=<Add>)
    >>> format_tensor(np.zeros((0, 3)), dtypes.float16)
    'tensor([], size=(0, 3), dtype=torch.float16)'
    """
    indent = len(name) + 1
    text = f"{name}({_contents(array, indent, kind)}"
    history = "requires_grad=True" if requires_grad else None
    if grad_fn is not None:
        history = f"grad_fn=<{grad_fn}>"
    # PyTorch counts from the newline before the last line, and two more: kept, as it moves breaks.
    column = len(text) - text.rfind("\n") + 1
    for suffix in _suffixes(array, kind, default_dtype, device, history):
        if column + len(suffix) + len(", ") > OPTIONS.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + len(", ")
    return text + ")"
