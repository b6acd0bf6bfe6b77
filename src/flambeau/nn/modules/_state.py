"""The parts of `load_state_dict` that concern one tensor, and what it reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import flambeau.tensor as T
from flambeau.nn.parameter import Parameter
from flambeau.tensor import Tensor

EXTRA_STATE = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """The keys that only one side had, as `load_state_dict(strict=False)` returns them."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"_IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )


def key_message(kind: str, keys: Iterable[str]) -> str:
    """The complaint about keys that are `Missing` or `Unexpected`."""
    quoted = ", ".join(f'"{key}"' for key in keys)
    return f"{kind} key(s) in state_dict: {quoted}. "


def fitted(key: str, own: Tensor, given: Any, errors: list[str]) -> Tensor | None:
    """The loaded value if it fits `own`, or None after a note in `errors`."""
    if not isinstance(given, Tensor):
        errors.append(
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
            f"object from checkpoint but received {type(given)}"
        )
        return None
    if own.dim() == 0 and tuple(given.shape) == (1,):  # checkpoints of PyTorch before 0.4
        given = given[0]
    if given.shape != own.shape:
        errors.append(
            f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, "
            f"the shape in current model is {own.shape}."
        )
        return None
    return given


def copy_into(key: str, own: Tensor, given: Tensor, errors: list[str]) -> None:
    """Copy a loaded value in place; a failure becomes a note in `errors`."""
    try:
        with T.no_grad():
            own.copy_(given)
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        errors.append(
            f'While copying the parameter named "{key}", whose dimensions in the model are '
            f"{own.size()} and whose dimensions in the checkpoint are {given.size()}, an exception "
            f"occurred : {error.args}."
        )


def replacement(own: Tensor, given: Tensor) -> Tensor:
    """The loaded value as the module will hold it (`load_state_dict(assign=True)`)."""
    if not isinstance(own, Parameter):
        return given
    if not isinstance(given, Parameter):
        return Parameter(given, requires_grad=own.requires_grad)
    given.requires_grad_(own.requires_grad)
    return given
