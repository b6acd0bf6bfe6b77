"""Where results go: into `out`, or into an array that is written in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph.node import Node
from flambeau.numpy._ndarray import fresh, made, ndarray
from flambeau.ops.selection import cast
from flambeau.ops.shape import expand
from flambeau.ops.strided import overlaps
from flambeau.tensor.tensor import write


def spelled(shape: Shape) -> str:
    """A shape as NumPy's errors spell it."""
    return str(tuple(shape)).replace(" ", "")


def check_broadcast(*shapes: Shape) -> None:
    """ValueError in NumPy's words unless the shapes broadcast."""
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        text = " ".join([spelled(one) for one in shapes])
        raise ValueError(f"operands could not be broadcast together with shapes {text} ") from None


def finished(node: Node, out: Any, name: str, *sources: Node) -> Any:
    """The result as a new array that shares no node with `sources`, or in `out`."""
    node = fresh(node, *sources)
    return made(node) if out is None else put_into(out, node, name)


def check_writable(array: ndarray) -> None:
    """ValueError in NumPy's words for what `broadcast_to` made."""
    view = array._tensor._view
    if view is not None and overlaps(view.shape, view.strides):
        raise ValueError("assignment destination is read-only")


def put_into(out: Any, node: Node, name: str, casting: Any = "same_kind") -> ndarray:
    """`out` with the result written to it; NumPy's errors where it does not fit."""
    if isinstance(out, tuple):
        (out,) = out
    if type(out) is not ndarray:
        raise TypeError("return arrays must be of ArrayType")
    check_writable(out)
    tensor = out._tensor
    node = fitted(node, tensor.dtype, tuple(tensor.shape), name, casting)
    write(tensor, node)
    return out


def fitted(node: Node, kind: dtype, shape: Shape, name: str, casting: Any = "same_kind") -> Node:
    """A result cast and broadcast to the array that it is written to."""
    if node.spec.dtype is not kind:
        if not np.can_cast(node.spec.dtype.numpy, kind.numpy, casting):
            raise TypeError(
                f"Cannot cast ufunc '{name}' output from {node.spec.dtype.numpy!r} to "
                f"{kind.numpy!r} with casting rule '{casting}'"
            )
        node = cast(node, kind)
    if node.spec.shape != shape:
        try:
            node = expand(node, shape)
        except RuntimeError:
            raise ValueError(
                f"non-broadcastable output operand with shape {spelled(shape)} doesn't match the "
                f"broadcast shape {spelled(node.spec.shape)}"
            ) from None
    return node
