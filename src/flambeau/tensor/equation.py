"""The equations of `einsum`: which dimension of which operand has which label."""

from __future__ import annotations

import string
from collections.abc import Sequence

from flambeau.core.shapes import Shape

Labels = tuple[str, ...]
ELLIPSIS = "..."
_LETTERS = string.ascii_uppercase + string.ascii_lowercase


def letters(sublist: Sequence[object]) -> str:
    """A list of numbers (and perhaps an Ellipsis) as a part of an equation."""
    text = ""
    for one in sublist:
        if one is Ellipsis:
            text += ELLIPSIS
        elif isinstance(one, int) and 0 <= one < len(_LETTERS):
            text += _LETTERS[one]
        else:
            raise ValueError(
                "einsum(): subscript in subscript list is not within the valid range "
                f"[0, {len(_LETTERS)})"
            )
    return text


def parse(equation: str, shapes: Sequence[Shape]) -> tuple[list[Labels], Labels]:
    """The labels of the operands' dimensions, and of the result's.

    The dimensions that an ellipsis stands for are '.0', '.1', ..., counted from the last.
    """
    left, arrow, right = equation.partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        few = "more" if len(parts) < len(shapes) else "fewer"
        raise RuntimeError(f"einsum(): {few} operands were provided than specified in the equation")
    inputs, start = [], 0
    for number, (part, shape) in enumerate(zip(parts, shapes, strict=True)):
        found = _subscripts(part, start, f"operand {number}")
        inputs.append(_spread(found, len(shape), number))
        start += len(part) + 1
    # The longest list of hidden dimensions contains the others, so that they broadcast.
    most = max([sum(len(label) > 1 for label in labels) for labels in inputs])
    if arrow:
        return inputs, _output(right, len(left) + len(arrow), inputs, most)
    named = [label for labels in inputs for label in labels if len(label) == 1]
    return inputs, (*_hidden(most), *sorted([one for one in set(named) if named.count(one) == 1]))


def _subscripts(text: str, start: int, where: str) -> Labels:
    """Letters and perhaps one ellipsis; `start` is where `text` begins in the equation."""
    found: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == ".":
            _check_ellipsis(text, at, found, where)
            found.append(ELLIPSIS)
            at += 2
        elif char in _LETTERS:
            found.append(char)
        elif char != " ":
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {start + at} in the equation string, "
                "subscripts must be in [a-zA-Z]"
            )
        at += 1
    return tuple(found)


def _check_ellipsis(text: str, at: int, found: list[str], where: str) -> None:
    output = where == "output"
    if ELLIPSIS in found:
        already = "but an ellipsis (...) was" if output else "for which an ellipsis was"
        raise RuntimeError(f"einsum(): found '.' for {where} {already} already found")
    if not text.startswith(ELLIPSIS, at):
        dots = " (...)" if output else ""
        raise RuntimeError(
            f"einsum(): found '.' for {where} that is not part of any ellipsis{dots}"
        )


def _hidden(count: int) -> Labels:
    return tuple([f".{number}" for number in range(count - 1, -1, -1)])


def _spread(found: Labels, rank: int, operand: int) -> Labels:
    """An operand's labels with the ellipsis replaced by what it stands for."""
    named = len(found) - (ELLIPSIS in found)
    count = f"einsum(): the number of subscripts in the equation ({named})"
    if ELLIPSIS not in found:
        if named != rank:
            raise RuntimeError(
                f"{count} does not match the number of dimensions ({rank}) for operand {operand} "
                "and no ellipsis was given"
            )
        return found
    if named > rank:
        raise RuntimeError(
            f"{count} is more than the number of dimensions ({rank}) for operand {operand}"
        )
    place = found.index(ELLIPSIS)
    return (*found[:place], *_hidden(rank - named), *found[place + 1 :])


def _output(text: str, start: int, inputs: Sequence[Labels], most: int) -> Labels:
    found = _subscripts(text, start, "output")
    known = {label for labels in inputs for label in labels}
    result: list[str] = []
    for label in found:
        if label == ELLIPSIS:
            result.extend(_hidden(most))
            continue
        if label in result:
            raise RuntimeError(
                f"einsum(): output subscript {label} appears more than once in the output"
            )
        if label not in known:
            raise RuntimeError(
                f"einsum(): output subscript {label} does not appear in the equation for any input "
                "operand"
            )
        result.append(label)
    return tuple(result)
