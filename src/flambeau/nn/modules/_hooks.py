"""The hooks of a module: their tables, their registration, and a call that runs them."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from flambeau.core.context import context
from flambeau.graph.node import is_own_module, user_location
from flambeau.nn.modules._backward_hooks import BackwardHooks
from flambeau.tensor import RemovableHandle


class ForwardHook(NamedTuple):
    """A forward (pre-)hook and how it wants to be called."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


HOOK_TABLES = (
    "_forward_pre_hooks",
    "_forward_hooks",
    "_backward_pre_hooks",
    "_backward_hooks",
    "_state_dict_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


class Hooked:
    """Something that is called by way of `forward`, with hooks around it."""

    _forward_pre_hooks: OrderedDict[int, ForwardHook]
    _forward_hooks: OrderedDict[int, ForwardHook]
    _backward_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _backward_hooks: OrderedDict[int, Callable[..., Any]]
    _state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _state_dict_hooks: OrderedDict[int, Callable[..., Any]]
    _load_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _load_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]

    # Whether `forward` is flambeau's code.
    _is_own: bool

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_own = is_own_module(getattr(cls.forward, "__module__", ""))

    def __init__(self) -> None:
        self.__dict__.update({name: OrderedDict() for name in HOOK_TABLES})

    def _forward_unimplemented(self, *input: Any) -> Any:
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    # A variable, so that subclasses may give `forward` any signature.
    forward: Callable[..., Any] = _forward_unimplemented

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
        ):
            return self._call_with_hooks(args, kwargs)
        if self._is_own is (context.location is None):
            # The line that calls a layer of ours stands for all that it records; a module of the
            # user's has lines of its own.
            before = context.location
            context.location = user_location() if self._is_own else None
            try:
                return self.forward(*args, **kwargs)
            finally:
                context.location = before
        return self.forward(*args, **kwargs)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        pending = [hook for hook in self._forward_hooks.values() if hook.always_call]
        try:
            args, kwargs = self._run_pre_hooks(args, kwargs)
            backward = None
            if self._backward_hooks or self._backward_pre_hooks:
                backward = BackwardHooks(
                    self, self._backward_hooks.values(), self._backward_pre_hooks.values()
                )
                args = backward.watch_inputs(args)
            result = self.forward(*args, **kwargs)
            for hook in tuple(self._forward_hooks.values()):
                pending = [other for other in pending if other is not hook]
                result = self._run_hook(hook, args, kwargs, result)
            return backward.watch_outputs(result) if backward else result
        except Exception:
            for hook in pending:
                self._run_hook(hook, args, kwargs, None)
            raise

    def _run_pre_hooks(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        for hook in tuple(self._forward_pre_hooks.values()):
            if not hook.with_kwargs:
                answer = hook.function(self, args)
                if answer is not None:
                    args = answer if isinstance(answer, tuple) else (answer,)
                continue
            answer = hook.function(self, args, kwargs)
            if answer is None:
                continue
            if not (isinstance(answer, tuple) and len(answer) == 2):
                raise RuntimeError(
                    "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {answer}."
                )
            args, kwargs = answer
        return args, kwargs

    def _run_hook(
        self, hook: ForwardHook, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Any:
        given = (self, args, kwargs, result) if hook.with_kwargs else (self, args, result)
        answer = hook.function(*given)
        return result if answer is None else answer

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before `forward`; it may return other arguments."""
        return _register(self._forward_pre_hooks, ForwardHook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after `forward`; it may return another output."""
        entry = ForwardHook(hook, with_kwargs, always_call)
        return _register(self._forward_hooks, entry, prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_output)` before the gradients pass through this module."""
        return _register(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` once the input gradients are known."""
        return _register(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """The old name of `register_full_backward_hook`."""
        warnings.warn(
            "register_backward_hook is deprecated: use register_full_backward_hook, which it "
            "stands for",
            FutureWarning,
            stacklevel=2,
        )
        return self.register_full_backward_hook(hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before the state is collected."""
        return _register(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` once the state is collected."""
        return _register(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call the hook with the arguments of `_load_from_state_dict` before it is called."""
        return _register(self._load_state_dict_pre_hooks, hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after loading; it may edit the two lists."""
        return _register(self._load_state_dict_post_hooks, hook)


def _register(table: OrderedDict[int, Any], entry: Any, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = entry
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle
