"""Capture: a recording kept, and replayed with no Python in between.

While a function is captured nothing runs. Looking at a value ends the capture: what was recorded so
far is computed and the function goes on as usual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flambeau.core.context import context
from flambeau.graph.node import describe_location, user_location
from flambeau.graph.recording import Recording


@dataclass
class Capture:
    """A capture under way."""

    recording: Recording
    # Why it ended early, and the user's line; None while it goes on.
    broken: str | None = None
    strict: bool = False
    # Python that each replay must do first, such as counting a step.
    before_replay: list[Callable[[], None]] = field(default_factory=list)


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
            f"compile(fullgraph=True): {capture.broken}; a captured function cannot look at its "
            "values. Return them instead, or leave fullgraph off"
        )


def each_replay(action: Callable[[], None]) -> None:
    """Do `action` now, and again before each replay if a capture is under way."""
    action()
    if context.capture is not None:
        context.capture.before_replay.append(action)


@dataclass
class _Setup:
    """Counts the changes of Python state that captured functions depend on unseen."""

    version: int = 0


_setup = _Setup()


def setup_changed() -> None:
    """A module changed mode, or a tensor its storage: what was captured is to be captured anew."""
    _setup.version += 1


def setup_version() -> int:
    """Part of the key of a captured graph."""
    return _setup.version
