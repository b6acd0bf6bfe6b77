"""Faults that only the values can show: the codes kernels report and the exceptions they become."""

from __future__ import annotations

INDEX, ZERO_DIVISION = 1, 2


def exception(code: int, value: int, bound: int, where: str = "") -> Exception:
    """The Python exception for a fault `code` that a kernel reported with `value` and `bound`."""
    at = f" (recorded at {where})" if where else ""
    if code == INDEX:
        return IndexError(f"index {value} is out of bounds for dimension with size {bound}{at}")
    if code == ZERO_DIVISION:
        return RuntimeError(f"ZeroDivisionError{at}")
    raise AssertionError(f"unknown fault code {code}")
