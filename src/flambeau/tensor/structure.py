"""Nested tuples, lists and dicts of tensors, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def flatten(value: Any) -> list[Any]:
    """What is in a structure, in order; dicts go by insertion."""
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in flatten(one)]
    if isinstance(value, (tuple, list)):
        return [leaf for one in value for leaf in flatten(one)]
    return [] if value is None else [value]


def unflatten(like: Any, leaves: Sequence[Any]) -> Any:
    """A structure like another with these in it."""
    return _filled(like, iter(leaves))


def _filled(like: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(like, dict):
        return type(like)((key, _filled(one, leaves)) for key, one in like.items())
    if isinstance(like, (tuple, list)):
        parts = [_filled(one, leaves) for one in like]
        return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)
    return None if like is None else next(leaves)


def same_structure(first: Any, second: Any) -> bool:
    """Whether two structures differ only in what is in them."""
    if isinstance(first, dict):
        return (
            isinstance(second, dict)
            and list(first) == list(second)
            and all(same_structure(first[key], second[key]) for key in first)
        )
    if isinstance(first, (tuple, list)):
        return (
            isinstance(second, type(first))
            and len(first) == len(second)
            and all(map(same_structure, first, second))
        )
    return not isinstance(second, (dict, tuple, list)) and (first is None) == (second is None)
