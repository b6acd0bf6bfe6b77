"""Views that need no copy: a stored node seen through an offset and strides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flambeau.compiler.nest import StoreFirst, settle
from flambeau.core.errors import VerificationError
from flambeau.core.settings import settings
from flambeau.graph.index import Coordinates, Index, NotAffine, delinearize, linearize
from flambeau.graph.node import Node
from flambeau.graph.op import SCALAR, Alias, View


class _Walker:
    """A Reader that follows coordinates down to stored memory and computes nothing."""

    def __init__(self, shape: tuple[int, ...], is_stored: Callable[[Node], bool]) -> None:
        self.extents = dict(enumerate(shape))
        self.is_stored = is_stored
        self.found: tuple[Node, Index] | None = None

    def value(self, node: Node, at: Coordinates) -> int:
        while isinstance(node.op, Alias) and node.buffer is None:
            node = node.inputs[0]
        at = settle(at, node.shape)
        if isinstance(node.op, View) and node.inputs and not self._stored(node):
            before = self.found
            try:
                node.op.source(self, node, at)
            except _Stop:
                self.found = before
            if self.found is not None:
                return 0
        self.found = (node, linearize(at, node.shape))
        return 0

    def _stored(self, node: Node) -> bool:
        return node.buffer is not None or self.is_stored(node)

    def linear(self, node: Node, position: Index) -> int:
        while node.buffer is None and (isinstance(node.op, Alias) or node.op.name == "reshape"):
            node = node.inputs[0]
        if self._stored(node) or node.op is SCALAR or not isinstance(node.op, View):
            self.found = (node, position)
            return 0
        try:
            return self.value(node, delinearize(position, node.shape, self.extents))
        except NotAffine:
            raise StoreFirst(node) from None

    def coordinate(self, at: Index) -> int:
        raise _Stop

    def dynamic(self, node: Node, at: Coordinates) -> Index:
        raise _Stop

    def where_inside(
        self, guards: Sequence[tuple[Index, int]], inside: Callable[[], int], outside: Node
    ) -> int:
        if guards:
            raise _Stop
        return inside()


class _Stop(Exception):
    """This view is more than strides."""


def strided_view(
    node: Node, is_stored: Callable[[Node], bool]
) -> tuple[Node, int, tuple[int, ...]]:
    """The node below `node`'s views, and the offset and strides by which it shows `node`.

    The node found is stored, or must be before these strides mean anything.
    """
    walker = _Walker(node.shape, is_stored)
    walker.value(node, tuple([Index.axis(dim) for dim in range(len(node.shape))]))
    assert walker.found is not None
    base, index = walker.found
    strides = tuple([index.factor(dim) for dim in range(len(node.shape))])
    if settings.verify:
        _verify_reach(node, base, index.constant, strides)
    return base, index.constant, strides


def _verify_reach(node: Node, base: Node, offset: int, strides: tuple[int, ...]) -> None:
    """Whoever reads `node` through these strides must stay within `base`."""
    ends = [(size - 1) * stride for size, stride in zip(node.shape, strides, strict=True)]
    low = offset + sum(min(end, 0) for end in ends)
    high = offset + sum(max(end, 0) for end in ends)
    if node.spec.numel and not 0 <= low <= high < base.spec.numel:
        raise VerificationError(f"{node} reaches from element {low} to {high} of {base}")
