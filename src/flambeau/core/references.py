"""What `sys.getrefcount` gives for objects held in a known way, measured in this interpreter.

Python versions differ in whether a local variable and the argument of the call itself count.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Final


class _Holder:
    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = object()


def _in_list_and_named() -> int:
    items, count = [object()], 0
    for position in range(len(items)):
        item = items[position]
        count = getrefcount(item)
    return count


def _in_attribute() -> int:
    holder = _Holder()
    return getrefcount(holder.held)


def _in_attribute_and_named() -> int:
    holder = _Holder()
    held = holder.held
    return getrefcount(held)


def _in_attribute_and_mapped() -> int:
    holder = _Holder()
    (count,) = map(getrefcount, [holder.held])
    return count


def _named() -> int:
    _, item = {0: object()}.popitem()
    return getrefcount(item)


IN_LIST_AND_NAMED: Final = _in_list_and_named()
IN_ATTRIBUTE: Final = _in_attribute()
IN_ATTRIBUTE_AND_NAMED: Final = _in_attribute_and_named()
# In a list that `getrefcount` is mapped over, which is the quick way for many objects.
IN_ATTRIBUTE_AND_MAPPED: Final = _in_attribute_and_mapped()
NAMED: Final = _named()
