"""Node: one pure value of the graph, and Spec: what is known of it before it is computed."""

from __future__ import annotations

import math
import os
import sys
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from flambeau.core.device import CPU, device
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape

if TYPE_CHECKING:
    from flambeau.graph.op import Op


# The `owner` of a node whose links to its inputs gradients may no longer follow.
FREED: tuple[()] = ()


class Memory(Protocol):
    """What a node needs of a buffer: the runtime's own class is unknown here."""

    address: int
    nbytes: int


class Spec:
    """Shape, dtype and device of a value. Interned: equal specs are one object."""

    __slots__ = ("device", "dtype", "nbytes", "numel", "shape")

    _known: ClassVar[dict[tuple[Shape, dtype, device], Spec]] = {}

    def __init__(self, shape: Shape, kind: dtype, where: device) -> None:
        self.shape = shape
        self.dtype = kind
        self.device = where
        self.numel = math.prod(shape)
        self.nbytes = self.numel * kind.itemsize

    @classmethod
    def of(cls, shape: Shape, kind: dtype, where: device = CPU) -> Spec:
        """The one spec with these fields."""
        key = (shape, kind, where)
        found = cls._known.get(key)
        if found is None:
            found = cls._known.setdefault(key, cls(shape, kind, where))
        return found

    def __repr__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"


class Node:
    """A value: the op that makes it from `inputs`, or a leaf that holds a buffer or a scalar.

    `recording` and `position` say where it was recorded. `buffer` is set once it is computed;
    `inputs` are kept after that only where a gradient may still be asked for.
    """

    __slots__ = (
        "__weakref__",
        "attributes",
        "buffer",
        "hooks",
        "inputs",
        "op",
        "owner",
        "position",
        "recording",
        "requires_grad",
        "source",
        "spec",
    )

    def __init__(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        attributes: tuple[Any, ...],
        spec: Spec,
        requires_grad: bool = False,
        buffer: Memory | None = None,
        source: tuple[CodeType, int] | None = None,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attributes = attributes
        self.spec = spec
        self.requires_grad = requires_grad
        self.buffer = buffer
        self.source = source
        self.recording: Any = None
        self.position = -1
        self.hooks: Any = None
        # What autograd finds behind an alias: a tensor to accumulate into, or a Function call; and
        # behind a loop's results a list of values that their gradient reads.
        self.owner: Any = None

    @property
    def shape(self) -> Shape:
        return self.spec.shape

    @property
    def dtype(self) -> dtype:
        return self.spec.dtype

    @property
    def device(self) -> device:
        return self.spec.device

    def __repr__(self) -> str:
        return f"{self.op.name}{list(self.attributes)} -> {self.spec}"


_PACKAGE = __name__.partition(".")[0]
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
_PROGRAMS = os.path.join(_FOLDER, "cli", "")  # what runs here is the user's
# Whether a file is flambeau's own; looking it up is all that most frames cost. (Not by code object:
# its hash is computed anew each time.)
_own: dict[str, bool] = {}


def user_location(depth: int = 2) -> tuple[CodeType, int] | None:
    """Where the nearest frame outside flambeau stands; its line is looked up only on a fault.

    The search starts `depth` frames up.
    """
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        code = frame.f_code
        own = _own.get(code.co_filename)
        if own is None:
            own = _own[code.co_filename] = _is_own_file(code.co_filename)
        if not own:
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def _is_own_file(path: str) -> bool:
    return path.startswith(_FOLDER) and not path.startswith(_PROGRAMS)


def is_own_module(name: str) -> bool:
    """Whether a module's code is flambeau's; what its programs run is the user's."""
    return name.partition(".")[0] == _PACKAGE and not name.startswith(f"{_PACKAGE}.cli")


def describe_location(source: tuple[CodeType, int] | None) -> str:
    """`file.py:12`, or a phrase when it is not known."""
    if source is None:
        return "an unknown line"
    code, offset = source
    line = code.co_firstlineno
    for start, stop, number in code.co_lines():
        if start <= offset < stop and number is not None:
            line = number
    return f"{code.co_filename}:{line}"
