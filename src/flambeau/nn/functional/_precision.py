"""Narrow floating-point types: compute in float32, round once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import flambeau.tensor as T
from flambeau.tensor import Tensor

Arguments = ParamSpec("Arguments")
Function = Callable[Concatenate[Tensor, Arguments], Tensor]


def is_narrow(tensor: Tensor) -> bool:
    """Whether the element type is float16 or bfloat16."""
    return tensor.dtype is T.float16 or tensor.dtype is T.bfloat16


def computed_wide(function: Function[Arguments]) -> Function[Arguments]:
    """Let a composition of several operations round a narrow result only once, at its end."""

    @functools.wraps(function)
    def wrapper(input: Tensor, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Tensor:
        if not is_narrow(input):
            return function(input, *args, **kwargs)
        return function(input.float(), *args, **kwargs).to(input.dtype)

    return wrapper
