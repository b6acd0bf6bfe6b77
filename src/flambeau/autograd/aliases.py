"""Values under another name, where autograd must tell one from the other."""

from __future__ import annotations

from typing import Any

from flambeau.graph.node import Node
from flambeau.graph.op import Alias
from flambeau.ops.shape import zeros


class Clone(Alias):
    """The same value as the result of an operation of its own."""

    name = "clone"
    stands_alone = True


class History(Alias):
    """The value of the first input with the history of the second.

    This is a value that was overwritten behind autograd's back, through `.data` or under `no_grad`.
    """

    name = "history"
    stands_alone = True

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        return (None, grad)


class Overwritten(Alias):
    """The value of the first input, in the place of the second, which gets no gradient."""

    name = "overwritten"

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        old = node.inputs[1]
        return (None, zeros(old.shape, old.dtype))


class FunctionOutput(Alias):
    """A result of a user's Function; the node's `owner` is the call and the result's number."""

    name = "function"
    stands_alone = True


CLONE, HISTORY, OVERWRITTEN = Clone(), History(), Overwritten()
FUNCTION_OUTPUT = FunctionOutput()
