"""Result dtypes of all pairs of operands, and what in-place operations refuse."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import pytest

import flambeau

torch = pytest.importorskip("torch")

NAMES = [
    "bool", "uint8", "int8", "int16", "int32", "int64",
    "float16", "bfloat16", "float32", "float64",
]  # fmt: skip
NUMBERS = [True, 2, 2.5]


def operands(lib: Any) -> list[Any]:
    tensors = [lib.ones(shape, dtype=getattr(lib, name)) for name in NAMES for shape in [(2,), ()]]
    return [*tensors, *NUMBERS]


def outcome(function: Any) -> str:
    try:
        return str(function().dtype)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        return type(error).__name__


@pytest.mark.parametrize(
    "name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "and_"]
)
def test_operators(name: str) -> None:
    function = getattr(operator, name)
    pairs = zip(operands(torch), operands(flambeau), strict=True)
    for (a, x), (b, y) in itertools.product(list(pairs), repeat=2):
        if not isinstance(a, torch.Tensor) and not isinstance(b, torch.Tensor):
            continue
        expected = outcome(lambda a=a, b=b: function(a, b))
        assert outcome(lambda x=x, y=y: function(x, y)) == expected, (name, a, b)


@pytest.mark.parametrize("name", ["add_", "mul_", "div_", "pow_"])
def test_in_place(name: str) -> None:
    pairs = list(zip(operands(torch), operands(flambeau), strict=True))
    for (a, x), (b, y) in itertools.product(pairs, repeat=2):
        if isinstance(a, torch.Tensor) and (a.dim() or not getattr(b, "shape", ())):
            expected = outcome(lambda a=a, b=b: getattr(a.clone(), name)(b))
            assert outcome(lambda x=x, y=y: getattr(x.clone(), name)(y)) == expected, (name, a, b)


@pytest.mark.parametrize("name", ["sum", "prod", "cumsum", "exp", "sqrt", "abs", "neg", "any"])
def test_functions(name: str) -> None:
    for kind in NAMES:
        arguments = (0,) if name == "cumsum" else ()
        ours = outcome(
            lambda k=kind, a=arguments: getattr(flambeau.ones(2, dtype=getattr(flambeau, k)), name)(
                *a
            )
        )
        theirs = outcome(
            lambda k=kind, a=arguments: getattr(torch.ones(2, dtype=getattr(torch, k)), name)(*a)
        )
        assert ours == theirs, (name, kind)
