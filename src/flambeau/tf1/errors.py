"""TensorFlow's exceptions: what goes wrong when a graph is run."""

from __future__ import annotations

from typing import Any, ClassVar

from flambeau.graph.node import describe_location


class OpError(Exception):
    """An operation failed; `op` is the operation, where it is known."""

    error_code: ClassVar[int] = 2

    def __init__(self, node_def: Any, op: Any, message: str) -> None:
        super().__init__(message)
        self.node_def = node_def
        self.op = op
        self.message = message

    def __str__(self) -> str:
        if self.op is None:
            return self.message
        where = describe_location(self.op.source)
        return f"{self.message}\n\t [operation '{self.op.name}' ({self.op.type}), made at {where}]"


class CancelledError(OpError):
    """The run was cancelled."""

    error_code = 1


class UnknownError(OpError):
    """Something went wrong of which nothing more is known."""

    error_code = 2


class InvalidArgumentError(OpError):
    """An operation was given something that it cannot work on."""

    error_code = 3


class DeadlineExceededError(OpError):
    """It took too long."""

    error_code = 4


class NotFoundError(OpError):
    """A file, or a name in a checkpoint, is not there."""

    error_code = 5


class AlreadyExistsError(OpError):
    """What was to be made is there already."""

    error_code = 6


class PermissionDeniedError(OpError):
    """The caller may not do this."""

    error_code = 7


class ResourceExhaustedError(OpError):
    """There is no memory, or no room, left."""

    error_code = 8


class FailedPreconditionError(OpError):
    """What has to happen before has not: most often, a variable is not initialised."""

    error_code = 9


class AbortedError(OpError):
    """The run was broken off."""

    error_code = 10


class OutOfRangeError(OpError):
    """The input has come to its end."""

    error_code = 11


class UnimplementedError(OpError):
    """The operation is not supported for these arguments."""

    error_code = 12


class InternalError(OpError):
    """An error in the framework itself."""

    error_code = 13


class UnavailableError(OpError):
    """What is asked for is not available at present."""

    error_code = 14


class DataLossError(OpError):
    """A file is damaged."""

    error_code = 15


class UnauthenticatedError(OpError):
    """The caller is not known."""

    error_code = 16
