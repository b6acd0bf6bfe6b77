"""Where results go: into a new tensor, into `out`, or back into the tensor they came from."""

from __future__ import annotations

from flambeau.core.dtypes import can_cast
from flambeau.engine.capture import setup_changed
from flambeau.graph.node import Node
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.selection import cast
from flambeau.tensor.storage import Storage
from flambeau.tensor.tensor import Tensor, check_writable, wrap, write


def finish(node: Node, out: Tensor | None) -> Tensor:
    """The result as a new tensor, or in `out`, which takes on its shape."""
    return wrap(node) if out is None else into(out, node)


def into(out: Tensor, node: Node) -> Tensor:
    """`out` with the result written to it."""
    check_writable(out)
    _check_cast(node, out)
    if tuple(out.shape) != node.spec.shape:
        setup_changed("the shape of a tensor was changed", out._storage)
        out._storage, out._view = Storage(cast(node, out.dtype)), None
        out._plain = not out._detached
        return out
    write(out, cast(node, out.dtype))
    return out


def assign(tensor: Tensor, node: Node) -> Tensor:
    """`tensor` after an in-place operation whose result is `node`."""
    check_writable(tensor)
    if node.spec is tensor._storage.node.spec and tensor._view is None:
        write(tensor, node)
        return tensor
    shape = tuple(tensor.shape)
    if node.spec.shape != shape:
        raise RuntimeError(
            f"output with shape {list(shape)} doesn't match the broadcast shape "
            f"{list(node.spec.shape)}"
        )
    _check_cast(node, tensor)
    write(tensor, cast(node, tensor.dtype))
    return tensor


def _check_cast(node: Node, tensor: Tensor) -> None:
    if not can_cast(node.spec.dtype, tensor.dtype):
        raise RuntimeError(
            f"result type {SPELLING[node.spec.dtype]} can't be cast to the desired output type "
            f"{SPELLING[tensor.dtype]}"
        )
