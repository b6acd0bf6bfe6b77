"""The Python variables that a function reads: while they are the same, so is what it does.

Seen are its closure, its globals, the plain attributes of the object it is a method of, and those
of the functions it calls by a global name or through its closure.
"""

from __future__ import annotations

import dis
import operator
import random
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from flambeau.tensor.tensor import Tensor

_PLAIN = (int, float, bool, str, bytes, type(None))
# Attributes whose setting is an operation on a tensor, and seen as one.
_OF_TENSORS = frozenset({"grad", "data", "requires_grad"})
_UNBOUND = object()


class Variables:
    """What a function reads from outside, apart from its arguments."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._cells: list[types.CellType] = []
        self._globals: list[tuple[dict[str, Any], str]] = []
        self.changed: str | None = None
        method = getattr(function, "__self__", None)
        self._object = method if hasattr(method, "__dict__") else None
        self._seen: set[types.FunctionType] = set()
        plain = getattr(function, "__func__", function)
        if isinstance(plain, types.FunctionType) and not _is_own(plain):
            self._follow(plain)

    def values(self) -> list[Any]:
        """The values now."""
        try:
            found = [one.cell_contents for one in self._cells]
        except ValueError:  # one is not bound yet
            found = [_content(one) for one in self._cells]
        found += [variables.get(name) for variables, name in self._globals]
        if self._object is not None:
            found += [one for one in vars(self._object).values() if type(one) in _PLAIN]
        return found

    def _follow(self, function: types.FunctionType) -> None:
        if function in self._seen:
            return
        self._seen.add(function)
        for cell in function.__closure__ or ():
            if self._matters(_content(cell)):
                self._cells.append(cell)
        variables = function.__globals__
        for name in _global_names(function.__code__):
            if name in variables and self._matters(variables[name]):
                self._globals.append((variables, name))
        names = function.__code__.co_freevars
        self.changed = self.changed or _assigned(function.__code__, names)

    def _matters(self, value: Any) -> bool:
        """Whether to see a variable with this value; one with a function is followed."""
        if isinstance(value, types.ModuleType) or _is_own(value):
            return False
        if isinstance(value, types.FunctionType):
            self._follow(value)
        return True


def same(one: list[Any], other: list[Any]) -> bool:
    """Whether variables have the same values: plain ones are compared, others are objects."""
    if len(one) != len(other):
        return False
    if all(map(operator.is_, one, other)):
        return True
    for left, right in zip(one, other, strict=True):
        if left is right:
            continue
        # By their texts: 0.0 is not -0.0, and NaN is NaN.
        if type(left) is not type(right) or type(left) not in _PLAIN or repr(left) != repr(right):
            return False
    return True


def tensors_in(values: list[Any]) -> Iterator[Tensor]:
    """The tensors among the values of variables."""
    return (one for one in values if isinstance(one, Tensor))


def random_state() -> Any:
    """The states of Python's and NumPy's generators, which a replay does not advance."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is None:
        return random.getstate(), None
    name, words, *rest = numpy_random.get_state()
    return random.getstate(), (name, bytes(words), *rest)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet bound
        return _UNBOUND


def _is_own(value: Any) -> bool:
    if not isinstance(value, (type, types.FunctionType)):
        return False
    return (value.__module__ or "").partition(".")[0] == "flambeau"


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _codes(one)


def _global_names(code: types.CodeType) -> list[str]:
    found = {
        step.argval
        for one in _codes(code)
        for step in dis.get_instructions(one)
        if step.opname == "LOAD_GLOBAL"
    }
    return sorted(found)


def _assigned(code: types.CodeType, free: tuple[str, ...]) -> str | None:
    """A variable from outside, or an attribute, that the code assigns."""
    for one in _codes(code):
        for step in dis.get_instructions(one):
            if step.opname == "STORE_GLOBAL" or (
                step.opname == "STORE_DEREF" and step.argval in free
            ):
                return f"it assigns the variable '{step.argval}'"
            if step.opname == "STORE_ATTR" and step.argval not in _OF_TENSORS:
                return f"it sets the attribute '{step.argval}'"
    return None
