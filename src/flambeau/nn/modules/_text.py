"""How modules and what they hold are named in messages and listings."""

from __future__ import annotations

from typing import Any

from flambeau.tensor import Tensor


def type_name(value: Any) -> str:
    """A value's type as error messages give it."""
    if isinstance(value, Tensor):
        return str(value.type())
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def indented(text: str) -> str:
    """All lines but the first moved two columns to the right."""
    first, *others = text.split("\n")
    return "\n".join([first, *("  " + line if line.strip() else "" for line in others)])
