"""The battery's machinery: all ops, and the ways to compute one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

import numpy as np

import flambeau.ops
from flambeau.autograd import branch, scan, while_loop
from flambeau.core.context import context
from flambeau.engine import flush
from flambeau.engine.reference import kind_of
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import Op
from flambeau.graph.recording import data, record
from flambeau.ops.shape import permute
from flambeau.ops.strided import slice_
from flambeau.runtime.buffers import Buffer


def op_modules() -> list[ModuleType]:
    """The modules of flambeau.ops, and those of loops, whose rules need autograd."""
    names = [one.name for one in pkgutil.iter_modules(flambeau.ops.__path__)]
    found = [importlib.import_module(f"flambeau.ops.{name}") for name in names]
    return [*found, scan, while_loop, branch]


def all_ops() -> list[Op]:
    """Every op that one of these modules defines, by name."""
    found = {
        id(one): one
        for module in op_modules()
        for one in vars(module).values()
        if isinstance(one, Op) and type(one).__module__ == module.__name__
    }
    return sorted(found.values(), key=lambda op: op.name)


def leaf(array: np.ndarray) -> Node:
    """A node that holds a copy of a stored array."""
    copy = np.array(array, order="C")
    return data(Buffer.from_array(copy), Spec.of(array.shape, kind_of(array)))


def stretched_leaf(array: np.ndarray) -> Node:
    """The same values seen through a transposition and a slice with steps: not contiguous."""
    rank, transposed = array.ndim, array.transpose()
    roomy = np.ones([2 * size + 3 for size in transposed.shape], array.dtype)
    roomy[tuple(slice(1, 1 + 2 * size, 2) for size in transposed.shape)] = transposed
    sliced = slice_(leaf(roomy), (1,) * rank, (2,) * rank, transposed.shape)
    return permute(sliced, tuple(reversed(range(rank))))


def apply(op: Op, inputs: Sequence[Node], parameters: dict[str, Any]) -> Node:
    """The op recorded on nodes."""
    return record(op, tuple(inputs), tuple(parameters[name] for name in op.parameters))


def stored_value(node: Node) -> np.ndarray:
    """A node's value, computed by the engine, as stored."""
    buffer = flush.compute(node).buffer
    assert isinstance(buffer, Buffer)
    return buffer.as_array(node.dtype.numpy, node.shape).copy()


def compiled(op: Op, arrays: Sequence[np.ndarray], parameters: dict[str, Any]) -> np.ndarray:
    """What the compiled op makes of stored arrays."""
    return stored_value(apply(op, [leaf(one) for one in arrays], parameters))


def compiled_stretched(
    op: Op, arrays: Sequence[np.ndarray], parameters: dict[str, Any]
) -> np.ndarray:
    """`compiled`, from inputs that are not contiguous."""
    return stored_value(apply(op, [stretched_leaf(one) for one in arrays], parameters))


def forget_recording() -> None:
    """Compute what a test left, that others may hold, and start anew if that cannot be."""
    with suppress(IndexError, RuntimeError):
        flush.flush()
    context.recording = None
