"""`compile`: a function's operations captured once and replayed with no Python in between."""

from __future__ import annotations

import functools
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flambeau.core.context import context
from flambeau.engine import capture as capturing
from flambeau.engine.flush import flush
from flambeau.tensor.make_replay import Differentiable, NotReplayable, make_replay
from flambeau.tensor.replay import MISFIT, Replay
from flambeau.tensor.tensor import Tensor
from flambeau.tensor.variables import Variables, random_state, same

# A first call may make state (an optimizer's moments); later ones find it made.
MOST_ATTEMPTS = 3
# Captures with no replay in between, after which capturing does not pay.
MOST_IN_VAIN = 32
MOST_KINDS = 256
MOST_REPLAYS = 8


def compile(  # noqa: A001 - PyTorch's name
    model: Callable[..., Any] | None = None, *, fullgraph: bool = False, **options: Any
) -> Any:
    """Capture what `model` (a function or a module) computes and replay it on later calls.

    A whole training step, with `backward` and `optimizer.step()`, is one graph. Learning rates and
    other optimizer settings, random numbers and buffers stay live. A new shape, dtype or Python
    argument captures anew (and compiles nothing that is known), and so does a Python variable that
    the function reads once it has another value. What cannot be replayed, such as looking at a
    value inside (`item`, `print`, `if tensor:`) or changing Python state, ends the capture: the
    function then runs as it would uncaptured, with one warning that names the reason and, where it
    is known, the line. With `fullgraph=True` that is a RuntimeError.

    Not seen are changes inside Python containers and objects that the function reads.
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


@dataclass
class _Kind:
    """What is known for one kind of arguments."""

    replays: list[Replay] = field(default_factory=list)
    attempts: int = 0


class Compiled:
    """A function with the graphs captured from it, by the kind of its arguments."""

    def __init__(self, function: Callable[..., Any], fullgraph: bool = False) -> None:
        self.function = function
        self.fullgraph = fullgraph
        self._kinds: dict[Any, _Kind] = {}
        self._setup = capturing.setup_version()
        self._in_vain = 0
        self._warned: set[str] = set()

    @functools.cached_property
    def _variables(self) -> Variables:
        return Variables(self.function)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        return Compiled, (self.function, self.fullgraph)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if context.capture is not None or context.eager or self._in_vain >= MOST_IN_VAIN:
            return self.function(*args, **kwargs)
        tensors: list[Tensor] = []
        try:
            key = (
                *[_kind(one, tensors) for one in args],
                *[(name, _kind(one, tensors)) for name, one in kwargs.items()],
                context.grad_enabled,
                context.inference,
            )
        except TypeError as error:
            self._decline(str(error))
            return self.function(*args, **kwargs)
        if self._setup != capturing.setup_version():
            self._forget()
        kind = self._kinds.get(key)
        variables = self._variables.values()
        if kind is not None:
            for replay in kind.replays:
                result = replay.run(tensors) if replay.fits(variables) else MISFIT
                if result is not MISFIT:
                    self._in_vain = 0
                    return result
            if kind.attempts >= MOST_ATTEMPTS:
                return self.function(*args, **kwargs)
        else:
            if len(self._kinds) >= MOST_KINDS:
                del self._kinds[next(iter(self._kinds))]
            kind = self._kinds[key] = _Kind()
        return self._record(kind, tensors, args, kwargs)

    def _forget(self) -> None:
        self._setup = capturing.setup_version()
        for kind in self._kinds.values():
            kind.replays.clear()

    def _record(self, kind: _Kind, tensors: list[Tensor], args: Any, kwargs: Any) -> Any:
        if self._variables.changed is not None:
            kind.attempts = MOST_ATTEMPTS
            self._decline(self._variables.changed)
            return self.function(*args, **kwargs)
        flush()
        variables, random = self._variables.values(), random_state()
        capture = capturing.start(self.fullgraph)
        try:
            result = self.function(*args, **kwargs)
        finally:
            context.capture = None
        if capture.broken is not None:
            flush()
            kind.attempts = MOST_ATTEMPTS
            self._decline(capture.broken)
            return result
        try:
            self._check_python(variables, random)
            replay = make_replay(capture, tensors, result, variables)
        except NotReplayable as reason:
            flush()
            kind.attempts += 1
            if kind.attempts == MOST_ATTEMPTS and not isinstance(reason, Differentiable):
                self._decline(str(reason))
            return result
        kind.replays[MOST_REPLAYS - 1 :] = []
        kind.replays.insert(0, replay)
        self._in_vain += 1
        if self._in_vain == MOST_IN_VAIN:
            self._kinds.clear()
            self._decline("its arguments or variables are others at each call")
        return result

    def _check_python(self, variables: list[Any], random: Any) -> None:
        if random != random_state():
            raise NotReplayable("it draws from the random numbers of Python or NumPy")
        if not same(variables, self._variables.values()):
            raise NotReplayable("it changes Python variables")

    def _decline(self, reason: str) -> None:
        """Warn, once for each reason, that the function runs uncaptured."""
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        message = f"flambeau.compile: {name} is not captured: {reason}"
        if self.fullgraph:
            raise RuntimeError(message)
        if reason in self._warned:
            return
        self._warned.add(reason)
        depth = 1
        while sys._getframe(depth).f_globals.get("__name__", "").startswith("flambeau"):
            depth += 1
        warnings.warn(message, stacklevel=depth + 1)


def _kind(value: Any, tensors: list[Tensor]) -> Any:
    """What of an argument decides the graph; its tensors are collected on the way."""
    if isinstance(value, Tensor):
        storage = value._storage
        same_as = len(tensors)
        for number, one in enumerate(tensors):
            if one._storage is storage:
                same_as = number
                break
        tensors.append(value)
        if value._plain and type(value) is Tensor:
            node = storage.node
            return node.spec, node.requires_grad, same_as
        view = value._view
        shown = None if view is None else (view.shape, view.strides, view.offset)
        # A parameter is one of the tensors that a function may also reach otherwise.
        own = None if type(value) is Tensor else storage
        return storage.node.spec, value.requires_grad, value.is_leaf, shown, same_as, own
    if isinstance(value, (tuple, list)):
        return type(value), tuple([_kind(one, tensors) for one in value])
    if isinstance(value, dict):
        return tuple([(name, _kind(one, tensors)) for name, one in value.items()])
    if type(value) is float:
        return value.hex()  # tells 0.0 from -0.0, and NaN is NaN
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"an argument is a {type(value).__name__}, which may change") from None
    return type(value), value
