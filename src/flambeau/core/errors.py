"""The exceptions flambeau raises, beside Python's own.

A user's mistake raises the type PyTorch raises for it (`RuntimeError`, `IndexError`, `TypeError`,
`ValueError`, `NotImplementedError`). The classes here are for what PyTorch has no word for, most of
them faults of flambeau itself.
"""

from __future__ import annotations


class VerificationError(AssertionError):
    """A compiler stage handed over something its grammar does not allow: a bug in flambeau."""


class CompileError(RuntimeError):
    """LLVM refused a module that our verifiers let through: a bug in flambeau."""


class TooManyRounds(RuntimeError):
    """A loop went on for more rounds than there is memory set aside for its gradient."""
