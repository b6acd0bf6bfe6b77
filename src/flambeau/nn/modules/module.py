"""`Module`, the base class of all layers and networks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import flambeau.tensor as T
from flambeau.engine.capture import setup_changed
from flambeau.nn.modules._hooks import Hooked
from flambeau.nn.modules._state import (
    EXTRA_STATE,
    IncompatibleKeys,
    copy_into,
    fitted,
    key_message,
    replacement,
)
from flambeau.nn.modules._text import indented, type_name
from flambeau.nn.parameter import Buffer, Parameter
from flambeau.tensor import Tensor

Self = TypeVar("Self", bound="Module")
Named = TypeVar("Named")

_PLAIN = (int, float, bool, str)


class Module(Hooked):
    """Base class of layers: parameters, buffers and sub-modules are registered by assignment.

    A subclass calls `super().__init__()`, assigns its parts and defines `forward`.

    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(torch.tensor(2.0))
    ...     def forward(self, input):
    ...         return self.factor * input
    >>> Scale()(torch.tensor(3.0)).item()
    6.0
    """

    training: bool
    _version = 1
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _non_persistent_buffers_set: set[str]
    _modules: dict[str, Module | None]

    def __init__(self) -> None:
        Hooked.__init__(self)  # not super(): a mixin's __init__ is its user's to call
        # Straight into __dict__: our own __setattr__ needs these dictionaries.
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _non_persistent_buffers_set=set(),
            _modules={},
        )

    # ------------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        registered = self.__dict__
        self._note_change(name, value)
        if isinstance(value, Parameter):
            self._require_init("parameters")
            self._forget(name, self._buffers, self._modules)
            self.register_parameter(name, value)
        elif name in registered.get("_parameters", ()):
            self._check_none(name, value, "parameter", "torch.nn.Parameter or None")
            self._parameters[name] = None
        elif isinstance(value, Module):
            self._require_init("module")
            self._forget(name, self._parameters, self._buffers)
            self._modules[name] = value
        elif name in registered.get("_modules", ()):
            self._check_none(name, value, "child module", "torch.nn.Module or None")
            self._modules[name] = None
        elif isinstance(value, Buffer) or name in registered.get("_buffers", ()):
            self._set_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def _note_change(self, name: str, value: Any) -> None:
        """Tell captured functions, which depend on the attributes of modules."""
        own = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            if own.get(kind, {}).get(name, value) is not value:
                setup_changed(f"'{name}' of a module was replaced")
        if type(value) in _PLAIN and own.get(name, value) != value:
            setup_changed(f"the attribute '{name}' of a module was set")

    def _set_buffer(self, name: str, value: Any) -> None:
        self._require_init("buffer")
        if not isinstance(value, Tensor):
            self._check_none(name, value, "buffer", "torch.nn.Buffer, torch.Tensor or None")
        persistent = name not in self._non_persistent_buffers_set
        if isinstance(value, Buffer):
            persistent = value.persistent
        self.register_buffer(name, value, persistent)

    def _require_init(self, what: str) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")

    def _forget(self, name: str, *others: dict[str, Any]) -> None:
        """Drop what else is known by this name, so that an assignment replaces it."""
        self.__dict__.pop(name, None)
        for members in others:
            members.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    @staticmethod
    def _check_none(name: str, value: Any, what: str, expected: str) -> None:
        if value is not None:
            raise TypeError(
                f"cannot assign '{type_name(value)}' as {what} '{name}' ({expected} expected)"
            )

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            members = own.get(kind)
            if members is not None and name in members:
                return members[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        for members in (self._parameters, self._buffers, self._modules):
            if name in members:
                del members[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__}
        names.update(self._parameters, self._buffers, self._modules)
        return sorted(name for name in names if not name[0].isdigit())

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a buffer; `persistent=False` keeps it out of the state dict."""
        self._require_init("buffer")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type_name(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; `None` reserves the name."""
        self._require_init("parameter")
        self._check_name("parameter", name, self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type_name(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param is not None and not param.is_leaf:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. A parameter must be a leaf "
                "of the graph; compute values derived from other tensors in forward()."
            )
        self._parameters[name] = param

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a sub-module; `None` reserves the name."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type_name(module)} is not a Module subclass")
        self._check_name("module", name, self._modules)
        self._modules[name] = module

    register_module = add_module

    def _check_name(self, kind: str, name: Any, members: Mapping[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type_name(name)}")
        if hasattr(self, name) and name not in members:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')

    # ------------------------------------------------------------------ walking

    def get_submodule(self, target: str) -> Module:
        """The sub-module at a dotted path; AttributeError if there is none."""
        module: Module = self
        for part in target.split(".") if target else ():
            found = module._member(part)
            if not isinstance(found, Module):
                raise AttributeError(f"`{part}` is not an nn.Module")
            module = found
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a dotted path; `strict` requires that one is there already."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if (strict or hasattr(parent, name)) and not isinstance(parent._member(name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path; AttributeError if there is none."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._member(name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path; AttributeError if there is none."""
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        found = owner._member(name)
        if name not in owner._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        tensor: Tensor = found
        return tensor

    def _member(self, name: str) -> Any:
        if not hasattr(self, name):
            raise AttributeError(f"{self._get_name()} has no attribute `{name}`")
        return getattr(self, name)

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with dotted names, parents first."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct sub-modules with their names, each once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The direct sub-modules, each once."""
        return (module for _, module in self.named_children())

    def _named_members(
        self,
        members: Callable[[Module], dict[str, Named | None]],
        prefix: str,
        recurse: bool,
        remove_duplicate: bool,
    ) -> Iterator[tuple[str, Named]]:
        seen: set[int] = set()
        owners = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in owners if recurse else [(prefix, self)]:
            for name, value in members(module).items():
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters with dotted names, each once."""
        return self._named_members(lambda m: m._parameters, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters of this module and, with `recurse`, of those below it, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Buffers with dotted names, each once."""
        return self._named_members(lambda m: m._buffers, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers of this module and, with `recurse`, of those below it, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    # ------------------------------------------------------------------ modes and conversion

    def train(self: Self, mode: bool = True) -> Self:
        """Set training mode (or evaluation mode) here and below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        if self.training != mode:
            object.__setattr__(self, "training", mode)
            setup_changed("a module was switched between training and evaluation")
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: Self) -> Self:
        """Set evaluation mode here and below."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Freeze or thaw all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = T.zeros_like(parameter.grad)

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module, children first; for example to initialise weights."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self: Self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        setup_changed("a module was converted")
        for module in self.children() if recurse else ():
            module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is not None:
                parameter.data = fn(parameter.data)
                if parameter.grad is not None:
                    parameter.grad.data = fn(parameter.grad.data)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Move or convert in place: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)`.

        A dtype applies to floating-point parameters and buffers only.
        """
        device, dtype = _target(*args, **kwargs)
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )

        def convert(tensor: Tensor) -> Tensor:
            if device is not None:
                tensor = tensor.to(device)
            if dtype is not None and tensor.is_floating_point():
                tensor = tensor.to(dtype)
            return tensor

        return self._apply(convert)

    def type(self: Self, dst_type: Any) -> Self:
        """Convert all parameters and buffers to a type."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def float(self: Self) -> Self:
        """Floating-point parameters and buffers to float32."""
        return self.to(T.float32)

    def double(self: Self) -> Self:
        """Floating-point parameters and buffers to float64."""
        return self.to(T.float64)

    def half(self: Self) -> Self:
        """Floating-point parameters and buffers to float16."""
        return self.to(T.float16)

    def bfloat16(self: Self) -> Self:
        """Floating-point parameters and buffers to bfloat16."""
        return self.to(T.bfloat16)

    def cpu(self: Self) -> Self:
        """Parameters and buffers to main memory."""
        return self.to("cpu")

    def cuda(self: Self, device: int | None = None) -> Self:
        """Parameters and buffers to a GPU."""
        return self.to("cuda" if device is None else f"cuda:{device}")

    def share_memory(self: Self) -> Self:
        """Nothing to do: tensors are not shared between processes."""
        return self

    # ------------------------------------------------------------------ state

    def state_dict(
        self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """Parameters and persistent buffers by dotted name, detached unless `keep_vars`.

        >>> list(nn.Linear(2, 1).state_dict())
        ['weight', 'bias']
        """
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in self._state_dict_hooks.values():
            if hook(self, destination, prefix, metadata) is not None:
                raise RuntimeError("state_dict post-hook must return None")
        return destination

    def _own_state(self) -> dict[str, Tensor]:
        state = {**self._parameters, **self._buffers}
        return {
            name: value
            for name, value in state.items()
            if value is not None and name not in self._non_persistent_buffers_set
        }

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, value in self._own_state().items():
            destination[prefix + name] = value if keep_vars else value.detach()
        if type(self).get_extra_state is not Module.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def get_extra_state(self) -> Any:
        """What a subclass wants saved beside its tensors; overridden together with the next."""
        raise NotImplementedError(f"{self._get_name()} has no extra state")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise NotImplementedError(f"{self._get_name()} has no extra state")

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy saved values in (`assign`: take the tensors themselves); returns what did not match.

        RuntimeError on a wrong shape and, if `strict`, on missing or unexpected keys.

        >>> nn.Linear(2, 1).load_state_dict(nn.Linear(2, 1).state_dict())
        <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        metadata = getattr(state_dict, "_metadata", None) or {}

        def load(module: Module, state: dict[str, Any], prefix: str) -> None:
            local = dict(metadata.get(prefix[:-1], {}), assign_to_params_buffers=assign)
            module._load_from_state_dict(state, prefix, local, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    path = f"{prefix}{name}."
                    load(child, {k: v for k, v in state.items() if k.startswith(path)}, path)
            for hook in module._load_state_dict_post_hooks.values():
                hook(module, IncompatibleKeys(missing, unexpected))

        load(self, dict(state_dict), "")
        if strict:
            for kind, keys in (("Unexpected", unexpected), ("Missing", missing)):
                if keys:
                    errors.insert(0, key_message(kind, keys))
        if errors:
            details = "\n\t".join(errors)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{details}"
            )
        return IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own part; subclasses extend it to read older layouts."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(
                self,
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
        own_state = self._own_state()
        for name, own in own_state.items():
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            given = fitted(key, own, state_dict[key], error_msgs)
            if given is not None and local_metadata.get("assign_to_params_buffers"):
                setattr(self, name, replacement(own, given))
            elif given is not None:
                copy_into(key, own, given, error_msgs)
        known = {*own_state, *self._load_extra_state(state_dict, prefix, missing_keys)}
        for key in state_dict:
            if key.startswith(prefix):
                first, dot, _ = key[len(prefix) :].partition(".")
                if first not in (self._modules if dot else known):
                    unexpected_keys.append(key)

    def _load_extra_state(
        self, state_dict: dict[str, Any], prefix: str, missing_keys: list[str]
    ) -> tuple[str, ...]:
        if type(self).set_extra_state is Module.set_extra_state:
            return ()
        key = prefix + EXTRA_STATE
        if key in state_dict:
            self.set_extra_state(state_dict[key])
        else:
            missing_keys.append(key)
        return (EXTRA_STATE,)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    # ------------------------------------------------------------------ printing

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What `repr` shows of the module itself; overridden by layers."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        children = [f"({key}): {indented(repr(m))}" for key, m in self._modules.items()]
        if not children and len(extra_lines) <= 1:
            return f"{self._get_name()}({extra})"
        body = "\n  ".join(extra_lines + children)
        return f"{self._get_name()}(\n  {body}\n)"


def _target(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """The device and dtype that the arguments of `to` ask for, None where they do not."""
    given: list[Any] = [*args[:2], *(kwargs.get(key) for key in ("device", "dtype", "tensor"))]
    device = dtype = None
    for value in given:
        if isinstance(value, Tensor):
            return value.device, value.dtype
        if isinstance(value, type(T.float32)):
            dtype = value
        elif value is not None and not isinstance(value, bool):  # a bool is `non_blocking`
            device = value
    return device, dtype
