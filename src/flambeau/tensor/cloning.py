"""Copies and aliases of tensors."""

from __future__ import annotations

from typing import Any

from flambeau.autograd.aliases import CLONE
from flambeau.core.dtypes import dtype
from flambeau.engine.flush import compute
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import record
from flambeau.tensor.storage import copied
from flambeau.tensor.tensor import Tensor, alias, wrap


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with a storage of its own; gradients flow through it."""
    return wrap(record(CLONE, (input.node,)))


def detach(input: Tensor) -> Tensor:
    """The same elements, shared, without gradients."""
    result: Tensor = alias(input)
    return result


def detach_(input: Tensor) -> Tensor:
    """Cut off from how it was computed."""
    if input._view is not None and input._view.base is not None:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using "
            "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
            "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
            "these gradients."
        )
    if input._leaf:
        input.requires_grad = False
    input._detached, input._plain = True, False
    return input


def distinct(node: Node, *sources: Node) -> Node:
    """`node`, or another one of its value if it is one of `sources`: tensors do not share nodes."""
    return record(CLONE, (node,)) if any(node is one for one in sources) else node


def reinterpreted(input: Tensor, kind: dtype) -> Tensor:
    """A copy whose bits are read as another dtype; the last size changes with the width."""
    node = compute(input.node)
    buffer: Any = node.buffer
    array = buffer.as_array(node.dtype.numpy, node.shape).view(kind.numpy)
    return wrap(copied(array, Spec.of(array.shape, kind)))
