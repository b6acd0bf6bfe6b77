"""Switching gradients on and off, as context managers and decorators."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from flambeau.core.context import context

Function = TypeVar("Function", bound=Callable[..., Any])


class _Mode:
    """Sets the mode while a block, or a decorated function, runs."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(context.grad_enabled)
        context.grad_enabled = self.mode

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        context.grad_enabled = self._before.pop()

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function):
            return _generator_in_mode(function, self.again)  # type: ignore[no-any-return]

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.again():
                return function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    def again(self) -> _Mode:
        """The same mode for another block."""
        return _Mode(self.mode)


def _generator_in_mode(function: Any, mode: Callable[[], _Mode]) -> Any:
    """The mode holds while the generator runs, not while its caller does."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        answer: Any = None
        try:
            while True:
                with mode():
                    value = generator.send(answer)
                answer = yield value
        except StopIteration as stop:
            return stop.value
        finally:
            generator.close()

    return wrapper


class _DecoratorOrMode(_Mode):
    """May also decorate without parentheses: `@no_grad`."""

    default: bool

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        if function is None:
            return object.__new__(cls)
        return cls()(function)

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__(self.default)


class no_grad(_DecoratorOrMode):  # noqa: N801 - PyTorch's spelling
    """Record no gradients in a block or a function.

    >>> import flambeau
    >>> x = flambeau.ones(1, requires_grad=True)
    >>> with flambeau.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    default = False


class enable_grad(_DecoratorOrMode):  # noqa: N801 - PyTorch's spelling
    """Record gradients again, inside `no_grad`."""

    default = True


class set_grad_enabled(_Mode):  # noqa: N801 - PyTorch's spelling
    """Record gradients or not, from now on or for a block."""

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self._outside = context.grad_enabled
        context.grad_enabled = mode

    def __enter__(self) -> None:
        self._before.append(self._outside)
        context.grad_enabled = self.mode

    def __call__(self, function: Function) -> Function:
        context.grad_enabled = self._outside
        return super().__call__(function)


class inference_mode(_Mode):  # noqa: N801 - PyTorch's spelling
    """`no_grad` under the name PyTorch gives its stricter form."""

    def __new__(cls, mode: bool | Callable[..., Any] = True) -> Any:
        if callable(mode):
            return cls()(mode)
        return object.__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode and context.grad_enabled)
        self.inference = mode
        self._inference_before: list[bool] = []

    def __enter__(self) -> None:
        super().__enter__()
        self._inference_before.append(context.inference)
        context.inference = self.inference

    def again(self) -> inference_mode:
        return inference_mode(self.inference)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        context.inference = self._inference_before.pop()


class detect_anomaly:  # noqa: N801 - PyTorch's spelling
    """Accepted for compatibility: every node knows the line it was recorded at in any case."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class set_detect_anomaly(detect_anomaly):  # noqa: N801 - PyTorch's spelling
    """Accepted for compatibility, like `detect_anomaly`."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        super().__init__(check_nan)
        self.mode = mode


def is_grad_enabled() -> bool:
    """Whether gradients are being recorded."""
    return context.grad_enabled


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` is on."""
    return context.inference
