"""The slow interpreter: every op by its NumPy meaning, one at a time. It is the definition.

What the compiler makes is compared with it; where the two differ the compiler is wrong. Arrays
travel as they are stored (bfloat16 as uint16 bits); ops see float16 and bfloat16 as float32, and
their results are rounded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.errors import VerificationError
from flambeau.graph.body import Body
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import SCALAR, Op
from flambeau.ops.elementwise_base import from_bfloat16, stored
from flambeau.runtime.buffers import Buffer

_NARROW = (dtypes.float16, dtypes.bfloat16)


def evaluate(node: Node, cache: dict[Node, np.ndarray] | None = None) -> np.ndarray:
    """The value of `node` as it would be stored; `cache` keeps the values met on the way."""
    known = {} if cache is None else cache
    waiting = [node]
    while waiting:
        one = waiting[-1]
        missing = [] if one in known or _is_leaf(one) else [i for i in one.inputs if i not in known]
        waiting.extend(missing)
        if missing:
            continue
        waiting.pop()
        if one not in known:
            known[one] = _value(one, known)
    return known[node]


def evaluate_with(op: Op, arrays: Sequence[np.ndarray], parameters: dict[str, Any]) -> np.ndarray:
    """The op's meaning for stored arrays; raises what recording or running it would raise."""
    specs = [Spec.of(one.shape, kind_of(one)) for one in arrays]
    shape, kind = op.infer(*specs, **parameters)
    return _apply(op, arrays, parameters, Spec.of(tuple(shape), kind))


def evaluate_body(body: Body, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The results of a body for stored arrays."""
    made: list[np.ndarray] = []
    for op, attributes, spec, sources in body.steps:
        given = [made[one] if one >= 0 else arrays[~one] for one in sources]
        made.append(_apply(op, given, op.named(attributes), spec))
    return [made[one] if one >= 0 else arrays[~one] for one in body.numbers]


def kind_of(array: np.ndarray) -> dtype:
    """The element type of a stored array; uint16 holds bfloat16."""
    return dtypes.bfloat16 if array.dtype == np.uint16 else dtypes.from_numpy(array.dtype)


def widened(array: np.ndarray) -> np.ndarray:
    """A stored array as ops see it: the 16-bit floats as float32."""
    if array.dtype == np.uint16:
        return from_bfloat16(array)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _is_leaf(node: Node) -> bool:
    return node.buffer is not None or node.op is SCALAR


def _value(node: Node, known: dict[Node, np.ndarray]) -> np.ndarray:
    if node.buffer is not None:
        return cast(Buffer, node.buffer).as_array(node.dtype.numpy, node.shape)
    if node.op is SCALAR:
        return stored(np.asarray(node.attributes[0]), node.dtype)
    arrays = [known[one] for one in node.inputs]
    return _apply(node.op, arrays, node.op.named(node.attributes), node.spec)


def _apply(
    op: Op, arrays: Sequence[np.ndarray], parameters: dict[str, Any], spec: Spec
) -> np.ndarray:
    with np.errstate(all="ignore"):
        result = np.asarray(op.numpy(*[widened(one) for one in arrays], **parameters))
        expected = np.dtype("float32") if spec.dtype in _NARROW else spec.dtype.numpy
        if result.shape != spec.shape or result.dtype != expected:
            raise VerificationError(
                f"{op.name}: infer promises {spec}, numpy gives {result.dtype}{list(result.shape)}"
            )
        return stored(result, spec.dtype)
