"""`compile`: a function's operations captured once and replayed with no Python in between."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from typing import Any

from flambeau.core.context import context
from flambeau.engine import capture as capturing
from flambeau.engine.flush import flush
from flambeau.tensor.replay import DIFFERENTIABLE, NotReplayable, Replay, make_replay
from flambeau.tensor.tensor import Tensor

# A first call may make state (an optimizer's moments); later ones find it made.
MOST_ATTEMPTS = 3


def compile(  # noqa: A001 - PyTorch's name
    model: Callable[..., Any] | None = None, *, fullgraph: bool = False, **options: Any
) -> Any:
    """Capture what `model` (a function or a module) computes and replay it on later calls.

    A whole training step, with `backward` and `optimizer.step()`, is one graph. Learning rates and
    other optimizer settings, random numbers and buffers stay live. A new shape, dtype or Python
    argument captures anew (and compiles nothing that is known). Looking at a value inside (`item`,
    `print`, `if tensor:`) ends the capture: the function then runs as it would uncaptured, with one
    warning that names the line, or, with `fullgraph=True`, RuntimeError.

    Other Python values that the function reads or changes are those of the first call.
    PyTorch's other options (`mode`, `backend`, `dynamic`) are accepted and change nothing.

    >>> import flambeau
    >>> double = flambeau.compile(lambda x: x * 2)
    >>> double(flambeau.ones(2)), double(flambeau.ones(2))
    (tensor([2., 2.]), tensor([2., 2.]))
    """
    unknown = set(options) - {"mode", "backend", "dynamic", "options", "disable"}
    if unknown:
        raise TypeError(f"compile() got an unexpected keyword argument '{unknown.pop()}'")
    if model is None:
        return functools.partial(compile, fullgraph=fullgraph, **options)
    if options.get("disable"):
        return model
    if not isinstance(model, type) and hasattr(model, "forward"):
        # A module stays a module; its forward pass is what is captured.
        model.forward = Compiled(model.forward, fullgraph)
        return model
    return functools.wraps(model)(Compiled(model, fullgraph))


class Compiled:
    """A function with the graphs captured from it, by the kind of its arguments."""

    def __init__(self, function: Callable[..., Any], fullgraph: bool) -> None:
        self.function = function
        self.fullgraph = fullgraph
        self.replays: dict[Any, Replay] = {}
        self.attempts: dict[Any, int] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if context.capture is not None or context.eager:
            return self.function(*args, **kwargs)
        tensors: list[Tensor] = []
        key = (
            _kind((args, kwargs), tensors),
            context.grad_enabled,
            capturing.setup_version(),
        )
        replay = self.replays.get(key)
        if replay is not None and not replay.is_shared(tensors):
            return replay.run(tensors)
        if self.attempts.get(key, 0) >= MOST_ATTEMPTS:
            return self.function(*args, **kwargs)
        return self._record(key, tensors, args, kwargs)

    def _record(self, key: Any, tensors: list[Tensor], args: Any, kwargs: Any) -> Any:
        flush()
        capture = capturing.start(self.fullgraph)
        try:
            result = self.function(*args, **kwargs)
        finally:
            context.capture = None
        if capture.broken is not None:
            self.attempts[key] = MOST_ATTEMPTS
            _warn(f"{_name(self.function)} is not captured: {capture.broken}")
            return result
        try:
            self.replays[key] = make_replay(capture, tensors, result)
        except NotReplayable as reason:
            self.attempts[key] = self.attempts.get(key, 0) + 1
            if self.attempts[key] == MOST_ATTEMPTS and reason is not DIFFERENTIABLE:
                _warn(f"{_name(self.function)} is not captured: {reason}")
        return result


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__)


def _warn(message: str) -> None:
    depth = 1
    while sys._getframe(depth).f_globals.get("__name__", "").startswith("flambeau"):
        depth += 1
    warnings.warn(f"flambeau.compile: {message}", stacklevel=depth + 1)


def _kind(value: Any, tensors: list[Tensor]) -> Any:
    """What of an argument decides the graph; its tensors are collected on the way."""
    if isinstance(value, Tensor):
        tensors.append(value)
        view, storage = value._view, value._storage
        same = next(i for i, one in enumerate(tensors) if one._storage is storage)
        shown = None if view is None else (view.shape, view.strides, view.offset)
        return storage.node.spec, value.requires_grad, value.is_leaf, shown, same
    if isinstance(value, (tuple, list)):
        return type(value), tuple([_kind(one, tensors) for one in value])
    if isinstance(value, dict):
        return tuple([(name, _kind(one, tensors)) for name, one in value.items()])
    try:
        hash(value)
    except TypeError:
        return type(value), id(value)
    return type(value), value
