"""Faults that only the values can show: the codes kernels report and the exceptions they become."""

from __future__ import annotations

from flambeau.core.errors import TooManyRounds, VerificationError

INDEX, ZERO_DIVISION, OUT_OF_BOUNDS, ROUNDS = 1, 2, 3, 4


def exception(code: int, value: int, bound: int, where: str = "") -> Exception:
    """The Python exception for a fault `code` that a kernel reported with `value` and `bound`."""
    at = f" (recorded at {where})" if where else ""
    if code == INDEX:
        return IndexError(f"index {value} is out of bounds for dimension with size {bound}{at}")
    if code == ZERO_DIVISION:
        return RuntimeError(f"ZeroDivisionError{at}")
    if code == OUT_OF_BOUNDS:
        return VerificationError(f"element {value} of {bound} was about to be accessed{at}")
    if code == ROUNDS:
        return TooManyRounds(f"a loop has more than the {bound} rounds it was given memory for{at}")
    raise AssertionError(f"unknown fault code {code}")
