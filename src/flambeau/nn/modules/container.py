"""Modules that hold other modules."""

from __future__ import annotations

import operator
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

from flambeau.nn.modules._text import indented
from flambeau.nn.modules.module import Module

Self = TypeVar("Self", bound="_Numbered")


class Container(Module):
    """The old base class of containers; `Module` does all it did."""

    def __init__(self, **modules: Module) -> None:
        super().__init__()
        warnings.warn(
            "`nn.Container` is deprecated. All of its functionality is now implemented in "
            "`nn.Module`. Subclass that instead.",
            FutureWarning,
            stacklevel=2,
        )
        for name, module in modules.items():
            self.add_module(name, module)


class _Numbered(Module):
    """Modules in an order, addressed by position."""

    def _keys(self) -> list[str]:
        return list(self._modules)

    def _key(self, index: int) -> str:
        position, size = operator.index(index), len(self._modules)
        if not -size <= position < size:
            raise IndexError(f"index {index} is out of range")
        return self._keys()[position]

    def _renumber(self, modules: Iterable[Module | None]) -> None:
        self._modules = {str(index): module for index, module in enumerate(modules)}

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())  # type: ignore[arg-type]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        gone = self._keys()[index] if isinstance(index, slice) else [self._key(index)]
        self._renumber(module for key, module in self._modules.items() if key not in gone)

    def append(self: Self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self: Self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"{type(self).__name__}.extend should be called with an iterable, but got "
                f"{type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def _insert(self, index: int, module: Module) -> None:
        members = list(self._modules.values())
        members.insert(index, module)
        self._renumber(members)


class Sequential(_Numbered):
    """Modules called one after the other: given in order, or as an ordered dict of names.

    >>> nn.Sequential(nn.Linear(3, 2), nn.ReLU())(torch.ones(4, 3)).shape
    torch.Size([4, 2])
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            named: Iterable[tuple[str, Module]] = args[0].items()
        else:
            named = ((str(index), module) for index, module in enumerate(args))
        for name, module in named:
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        value = input
        for module in self._modules.values():
            value = module(value)  # type: ignore[misc]
        return value

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def _check_sequential(self, other: Any) -> None:
        if not isinstance(other, Sequential):
            raise ValueError(
                f"add operator supports only objects of Sequential class, but {type(other)} is "
                "given."
            )

    def __add__(self, other: Sequential) -> Sequential:
        self._check_sequential(other)
        return Sequential(*self, *other)

    def __iadd__(self, other: Sequential) -> Sequential:
        self._check_sequential(other)
        return self.extend(other)

    def _check_times(self, times: Any) -> None:
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")

    def __mul__(self, times: int) -> Sequential:
        self._check_times(times)
        return Sequential(*list(self) * times)

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Sequential:
        self._check_times(times)
        return self.extend(list(self) * (times - 1))

    def pop(self, index: int | slice) -> Any:
        """Take a module out."""
        taken = self[index]
        del self[index]
        return taken

    def insert(self, index: int, module: Module) -> Sequential:
        """Put a module in before position `index`."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Index out of range: {index}")
        self._insert(index, module)
        return self


class ModuleList(_Numbered):
    """A list of modules, which are registered; it cannot be called.

    >>> len(nn.ModuleList([nn.Linear(2, 2) for _ in range(3)]))
    3
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._modules[self._key(index)]

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def insert(self, index: int, module: Module) -> None:
        """Put a module in before position `index`."""
        self._insert(index, module)

    def pop(self, index: int | slice) -> Any:
        """Take a module out."""
        taken = self[index]
        del self[index]
        return taken

    def __repr__(self) -> str:
        """Equal neighbours are printed once, with their number."""
        blocks: list[tuple[int, int, str]] = []
        for index, text in enumerate(map(repr, self)):
            if blocks and blocks[-1][2] == text:
                blocks[-1] = (blocks[-1][0], index, text)
            else:
                blocks.append((index, index, text))
        if not blocks:
            return f"{self._get_name()}()"
        lines = [
            f"({first}): {text}"
            if first == last
            else f"({first}-{last}): {last - first + 1} x {text}"
            for first, last, text in blocks
        ]
        body = "\n  ".join(indented(line) for line in lines)
        return f"{self._get_name()}(\n  {body}\n)"


def _pairs(owner: str, entries: Any) -> Iterable[tuple[str, Any]]:
    """The key/value pairs in a mapping or an iterable of pairs, checked."""
    if not isinstance(entries, Iterable):
        raise TypeError(
            f"{owner}.update should be called with an iterable of key/value pairs, but got "
            f"{type(entries).__name__}"
        )
    if isinstance(entries, Mapping) or hasattr(entries, "items"):
        return entries.items()
    for number, entry in enumerate(entries := list(entries)):
        if not isinstance(entry, Iterable):
            raise TypeError(
                f"{owner} update sequence element #{number} should be Iterable; is "
                f"{type(entry).__name__}"
            )
        if len(tuple(entry)) != 2:
            raise ValueError(
                f"{owner} update sequence element #{number} has length {len(tuple(entry))}; "
                "2 is required"
            )
    return entries


class ModuleDict(Module):
    """A dict of modules, which are registered; it cannot be called.

    >>> list(nn.ModuleDict({"up": nn.Linear(2, 4), "down": nn.Linear(4, 2)}))
    ['up', 'down']
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Take a module out."""
        return self._modules.pop(key)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Add the modules in a mapping or in an iterable of pairs."""
        for key, module in _pairs("ModuleDict", modules):
            self[key] = module
