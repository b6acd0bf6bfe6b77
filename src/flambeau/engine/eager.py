"""`eager`: every operation computed on the spot, with the same bits; for debugging."""

from __future__ import annotations

from types import TracebackType

from flambeau.core.context import context
from flambeau.engine.flush import flush


class eager:  # noqa: N801 - used like PyTorch's no_grad
    """Compute each operation as soon as it is called, within a `with` block.

    The environment variable FLAMBEAU_EAGER=1 does it for a whole program.

    >>> import flambeau
    >>> with flambeau.eager():
    ...     x = flambeau.ones(2) + 1
    >>> x
    tensor([2., 2.])
    """

    def __enter__(self) -> None:
        flush()
        self.before = context.eager
        context.eager = True
        context.recording = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        context.eager = self.before
        context.recording = None
