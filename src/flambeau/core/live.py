"""Numbers that may change between the replays of a captured graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Live(float):
    """A Python number that knows how to read itself anew, such as a learning rate.

    Used as a scalar operand it stays what `read` gives at each run of a captured graph; arithmetic
    on it makes an ordinary number.

    >>> group = {"lr": 0.5}
    >>> rate = Live.of(lambda: group["lr"])
    >>> group["lr"] = 0.25
    >>> float(rate), rate.read()
    (0.5, 0.25)
    """

    __slots__ = ("leaves", "read")

    read: Callable[[], float]
    # By dtype: the leaf of the graph that stands for it.
    leaves: dict[Any, Any]

    # Equal to no number, so that no operation is left out because its operand is 0 or 1 just now.
    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__

    @classmethod
    def of(cls, read: Callable[[], float]) -> Live:
        """The number `read` gives now, and again whenever it is asked."""
        made = cls(read())
        made.read = read
        made.leaves = {}
        return made
