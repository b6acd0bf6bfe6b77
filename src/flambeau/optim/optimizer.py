"""`Optimizer`, the base class: parameter groups, state, hooks, and what ends every step."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from itertools import chain
from operator import is_
from typing import Any

import flambeau.tensor as T
from flambeau.core.context import context
from flambeau.engine.capture import guard, interrupt, setup_changed
from flambeau.graph.node import user_location
from flambeau.tensor import RemovableHandle, Tensor

Parameters = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
Group = dict[str, Any]
State = dict[str, Any]
Closure = Callable[[], Any]

HOOK_TABLES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


class _RequiredParameter:
    """Stands for a default that every group must give itself."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _RequiredParameter()


def number(value: float | Tensor) -> float:
    """A hyper-parameter as a Python number; a tensor of one element is read."""
    return float(value.item()) if isinstance(value, Tensor) else value


def _observed(step: Callable[..., Any]) -> Callable[..., Any]:
    """A `step` with its hooks around it and the flush at its end."""

    @functools.wraps(step)
    def wrapper(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        for before in tuple(self._optimizer_step_pre_hooks.values()):
            answer = before(self, args, kwargs)
            if answer is None:
                continue
            if not (isinstance(answer, tuple) and len(answer) == 2):
                raise RuntimeError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), but got "
                    f"{answer}."
                )
            args, kwargs = answer
        line = context.location
        context.location = line or user_location()
        try:
            if context.capture is None:
                result = step(self, *args, **kwargs)
            else:
                result = self._captured(step, args, kwargs)
        finally:
            context.location = line
        self._opt_called = True
        for after in tuple(self._optimizer_step_post_hooks.values()):
            after(self, args, kwargs)
        T.end_step()  # where the values of a training loop are due
        return result

    return wrapper


class Settings:
    """The settings of an optimizer: of live ones whether they are 0, of tensors which they are."""

    def __init__(self, optimizer: Optimizer, live: frozenset[str]) -> None:
        self.optimizer = optimizer
        self.live = live
        self.seen: list[Any] = []
        self.found: list[Any] = []

    def __call__(self) -> list[Any]:
        groups = self.optimizer.param_groups
        values: list[Any] = []
        for group in groups:
            values += group.values()
        # The same objects are the same settings; to compare them takes longer.
        if len(values) != len(self.seen) or not all(map(is_, values, self.seen)):
            self.seen = values
            self.found = [
                self._value(name, value) for group in groups for name, value in group.items()
            ]
        return self.found

    def _value(self, name: str, value: Any) -> Any:
        if name == "params" or isinstance(value, Tensor):
            return id(value)
        return bool(value) if name in self.live else value


class Optimizer:
    """Base class of optimizers: a subclass gives its defaults and defines `step`.

    `params` holds tensors, `(name, tensor)` pairs, or dicts with `params` and their own settings.

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> class Descent(optim.Optimizer):
    ...     def step(self, closure=None):
    ...         for group in self.param_groups:
    ...             for p in group["params"]:
    ...                 p.data -= group["lr"] * p.grad
    >>> Descent([w], {"lr": 0.5}).step()
    >>> w.item()
    0.5
    """

    # Settings that captured steps read anew at each replay.
    live_settings: frozenset[str] = frozenset()
    # Entries of the state that are Python numbers here and 0-dimensional tensors in a state dict.
    scalar_state: tuple[str, ...] = ("step",)

    _optimizer_step_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_step_post_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]
    _opt_called: bool

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _observed(cls.step)  # type: ignore[method-assign]

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        self._reset()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {params.type()}"
            )
        if defaults.get("differentiable"):
            raise NotImplementedError(
                f"{type(self).__name__}: differentiable=True is not supported; steps are not "
                "recorded for gradients"
            )
        self.defaults = defaults
        self.state: defaultdict[Any, State] = defaultdict(dict)
        self.param_groups: list[Group] = []
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _reset(self) -> None:
        """What is not part of the saved state."""
        self.__dict__.update({name: OrderedDict() for name in HOOK_TABLES}, _opt_called=False)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("defaults", "state", "param_groups")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._reset()
        self.__dict__.update(state)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for index, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {index}")
            names = sorted(name for name in group if name != "params")
            lines.extend(f"    {name}: {group[name]}" for name in names)
        return "\n".join([*lines, ")"])

    # ------------------------------------------------------------------ parameters

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with settings of their own; the rest comes from the defaults."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        tensors, names = self._listed(param_group["params"])
        param_group["params"] = tensors
        if names:
            param_group["param_names"] = names
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            param_group.setdefault(name, default)
        self._check_against_groups(param_group)
        if self.param_groups:
            setup_changed("parameters were added to an optimizer")
        self.param_groups.append(param_group)

    @staticmethod
    def _listed(params: Any) -> tuple[list[Tensor], list[str]]:
        """The tensors of a group, and their names if they have any."""
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead."
            )
        entries = [params] if isinstance(params, Tensor) else list(params)
        names = [entry[0] for entry in entries if isinstance(entry, tuple)]
        tensors = [entry[1] if isinstance(entry, tuple) else entry for entry in entries]
        if names and len(names) != len(tensors):
            raise ValueError(
                "all optimizer params should be with/without names. Some param names are missing"
            )
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    f"{type(tensor).__module__}.{type(tensor).__name__}"
                )
            if not (tensor.is_leaf or tensor.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        return tensors, names

    def _check_against_groups(self, new: Group) -> None:
        ids = [id(tensor) for tensor in new["params"]]
        if len(set(ids)) < len(ids):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error",
                UserWarning,
                stacklevel=4,
            )
        for group in self.param_groups:
            if ("param_names" in group) != ("param_names" in new):
                kind = "with names" if "param_names" in new else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {kind} to the optimizer"
                )
            if not {id(tensor) for tensor in group["params"]}.isdisjoint(ids):
                raise ValueError("some parameters appear in more than one parameter group")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad = T.zeros_like(parameter.grad)

    def step(self, closure: Closure | None = None) -> Any:
        """Update all parameters once; returns what `closure`, which computes the loss, returns."""
        raise NotImplementedError(f"{type(self).__name__} does not define step")

    # ------------------------------------------------------------------ capture

    def _captured(self, step: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A step that is being captured: replayed only while the settings are the same."""
        live = self.live_settings if getattr(step, "reads_live", False) else frozenset()
        guard(Settings(self, live))
        before = None if live else self._counters()
        result = step(self, *args, **kwargs)
        if before is not None and before != self._counters():
            interrupt("an optimizer changed Python numbers in its state")
        return result

    def _counters(self) -> list[Any]:
        return [
            (name, value)
            for own in self.state.values()
            for name, value in own.items()
            if isinstance(value, int | float)
        ]

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """State and settings with parameters replaced by their positions, in PyTorch's layout."""
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        positions: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for parameter in group["params"]:
                positions.setdefault(id(parameter), len(positions))
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [positions[id(parameter)] for parameter in group["params"]]
            groups.append(packed)
        state = {positions.get(id(key), key): self._saved(own) for key, own in self.state.items()}
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for after in self._optimizer_state_dict_post_hooks.values():
            answer = after(self, result)
            result = result if answer is None else answer
        return result

    def _saved(self, own: Any) -> Any:
        if not isinstance(own, dict):
            return own
        return {
            key: self._saved_number(key, value) if key in self.scalar_state else value
            for key, value in own.items()
        }

    @staticmethod
    def _saved_number(key: str, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value
        # Steps are float32 as in PyTorch; running products would not resume exactly from that.
        return T.tensor(float(value), dtype=T.float32 if key == "step" else T.float64)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over state and settings; ValueError unless the groups have the same sizes."""
        loaded = dict(state_dict)
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            answer = before(self, loaded)
            loaded = loaded if answer is None else answer
        saved = deepcopy(loaded["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for own, other in zip(self.param_groups, saved, strict=True):
            if len(own["params"]) != len(other["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    "optimizer's group"
                )
        numbered = zip(
            chain.from_iterable(group["params"] for group in saved),
            chain.from_iterable(group["params"] for group in self.param_groups),
            strict=True,
        )
        parameters = dict(numbered)
        self.state = defaultdict(dict)
        for key, value in loaded["state"].items():
            if key in parameters:
                self.state[parameters[key]] = self._restored(value, parameters[key])
            else:
                self.state[key] = value
        for own, other in zip(self.param_groups, saved, strict=True):
            other["params"] = own["params"]
            if "param_names" in own:
                other.setdefault("param_names", own["param_names"])
        self.param_groups = saved
        setup_changed("the state of an optimizer was loaded")
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)

    def _restored(self, value: Any, parameter: Tensor, key: str = "") -> Any:
        """A saved value for use here: scalars as numbers, tensors like their parameter."""
        if isinstance(value, Tensor):
            if key in self.scalar_state:
                return number(value)
            dtype = parameter.dtype if parameter.is_floating_point() else value.dtype
            return value.to(device=parameter.device, dtype=dtype)
        if isinstance(value, dict):
            return {name: self._restored(part, parameter, name) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._restored(part, parameter) for part in value)
        return value

    # ------------------------------------------------------------------ hooks

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return other arguments."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` before the state is collected."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` on the collected state; it may return another one."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before loading; it may return another state."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after loading."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _register(table: OrderedDict[int, Any], hook: Any, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = hook
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle
