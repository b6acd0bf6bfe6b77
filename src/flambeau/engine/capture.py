"""Capture: a recording kept, and replayed with no Python in between.

While a function is captured nothing runs. Looking at a value ends the capture: what was recorded so
far is computed and the function goes on as usual. So does changing Python state that a replay would
not change.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flambeau.core.context import context
from flambeau.graph.node import describe_location, user_location
from flambeau.graph.recording import Recording


class Touched(NamedTuple):
    """A `.grad` that the function uses: whose, and what it was before if that was asked for."""

    owner: weakref.ref[Any]
    before: Any
    read: bool


class Guard(NamedTuple):
    """Python state that shaped the graph, which serves only while it is the same."""

    read: Callable[[], Any]
    value: Any


@dataclass
class Capture:
    """A capture under way."""

    recording: Recording
    # Why it ended early, and the user's line; None while it goes on.
    broken: str | None = None
    strict: bool = False
    # Python that each replay must do first, such as counting a step.
    before_replay: list[Callable[[], None]] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    # By the tensors' ids.
    gradients: dict[int, Touched] = field(default_factory=dict)


def start(strict: bool) -> Capture:
    """Record from here on into a fresh recording."""
    context.recording = recording = Recording(endless=True)
    context.capture = capture = Capture(recording, strict=strict)
    return capture


def interrupt(reason: str) -> None:
    """End the capture under way, as the program needs something that a replay cannot give."""
    capture = context.capture
    if capture is None:
        return
    context.capture = None
    capture.broken = f"{reason} at {describe_location(user_location())}"
    if capture.strict:
        raise RuntimeError(
            f"compile(fullgraph=True): {capture.broken}, which a replay cannot do. Do this outside "
            "of the function (return what you want to look at), or leave fullgraph off"
        )


def each_replay(action: Callable[[], None]) -> None:
    """Do `action` now, and again before each replay if a capture is under way."""
    action()
    if context.capture is not None:
        context.capture.before_replay.append(action)


def guard(read: Callable[[], Any]) -> None:
    """What is being captured is to be replayed only while `read` gives what it gives now."""
    if context.capture is not None:
        context.capture.guards.append(Guard(read, read()))


def touch_gradient(owner: Any, current: Any, *, read: bool) -> None:
    """Note that the function reads or sets the gradient of `owner`, now `current`."""
    if context.capture is None:
        return
    known = context.capture.gradients
    if id(owner) not in known or known[id(owner)].owner() is not owner:
        known[id(owner)] = Touched(weakref.ref(owner), current if read else None, read)


@dataclass
class _Setup:
    """Counts the changes of Python state that captured functions depend on unseen."""

    version: int = 0
    # The storages that captured functions read or write.
    watched: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)


_setup = _Setup()


def watch(storage: Any) -> None:
    """Changes of the tensors that show this storage make functions be captured anew."""
    _setup.watched.add(storage)


def setup_changed(reason: str, storage: Any = None) -> None:
    """What was captured is to be captured anew, if it reads this storage (None: in any case)."""
    interrupt(reason)
    if storage is None or storage in _setup.watched:
        _setup.version += 1


def setup_version() -> int:
    """Changes when what was captured before no longer holds."""
    return _setup.version
