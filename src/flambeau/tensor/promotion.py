"""The dtype of a result, and operands as nodes of it.

Tensors with dimensions decide first, then 0-dim tensors, then Python numbers: a later group counts
only if its category (bool, integer, float) is higher.
Reference: https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
"""

from __future__ import annotations

import functools
import numbers
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.core.dtypes import dtype, promote
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import scalar
from flambeau.ops.selection import cast
from flambeau.tensor.storage import copied
from flambeau.tensor.tensor import Tensor, wrap

Number = int | float | bool
NUMBERS = (int, float, np.number, np.bool_)


def number_dtype(value: Any) -> dtype:
    """The dtype a Python number counts as."""
    if isinstance(value, (bool, np.bool_)):
        return dtypes.bool
    if isinstance(value, (int, np.integer)):
        return dtypes.int64
    if isinstance(value, (float, np.floating)):
        return context.default_dtype
    if isinstance(value, numbers.Number):
        raise NotImplementedError("complex numbers are not supported yet")
    raise TypeError(f"expected a number or a tensor, got {type(value).__name__}")


@functools.cache
def combined(high: dtype, low: dtype) -> dtype:
    """The dtype of an operand that counts more (`high`) with one that counts less."""
    if low.category <= high.category:
        return high if high is not dtypes.bool else promote(high, low)
    return promote(high, low) if high.category == 0 else low


def with_number(kind: dtype, value: Any) -> dtype:
    """The dtype of a result of a tensor of dtype `kind` and a number."""
    given = type(value)
    if (given is float and kind.category == 2) or (given is int and kind.category):
        return kind
    return combined(kind, number_dtype(value))


def result_dtype(*operands: Any) -> dtype:
    """`torch.result_type` of any number of tensors and numbers."""
    groups: list[dtype | None] = [None, None, None]
    for one in operands:
        if isinstance(one, Tensor):
            node = one.node
            place, kind = (0 if node.spec.shape else 1), node.spec.dtype
        else:
            place, kind = 2, number_dtype(one)
        known = groups[place]
        groups[place] = kind if known is None else promote(known, kind)
    present = [kind for kind in groups if kind is not None]
    return functools.reduce(lambda low, high: combined(high, low), reversed(present))


def to_node(operand: Any, kind: dtype) -> Node:
    """An operand as a node of this dtype."""
    if isinstance(operand, Tensor):
        return cast(operand.node, kind)
    return scalar(plain(operand, kind), kind)


def plain(value: Any, kind: dtype) -> Number:
    """A number as the Python type that fits the dtype."""
    if kind.is_floating_point:
        # A Live number must stay one.
        return value if isinstance(value, float) else float(value)
    return bool(value) if kind is dtypes.bool else int(value)


def operands(first: Any, second: Any) -> tuple[Node, Node]:
    """Two operands as nodes of their result's dtype."""
    if isinstance(first, Tensor):
        a = first.node
        if isinstance(second, Tensor):
            b = second.node
            if a.spec.dtype is b.spec.dtype:
                return a, b
        elif type(second) is float and a.spec.dtype.category == 2:
            # The most frequent case by far.
            return a, scalar(second, a.spec.dtype)
        elif isinstance(second, NUMBERS):
            kind = with_number(a.spec.dtype, second)
            return cast(a, kind), scalar(plain(second, kind), kind)
    first, second = from_array(first), from_array(second)
    kind = result_dtype(first, second)
    return to_node(first, kind), to_node(second, kind)


def from_array(operand: Any) -> Any:
    """An operand with a NumPy array's elements as a tensor; any other as it is."""
    if not isinstance(operand, np.ndarray):
        return operand
    spec = Spec.of(operand.shape, dtypes.from_numpy(operand.dtype))
    return wrap(copied(operand, spec))


def float_dtype(*values: Any) -> dtype:
    """The dtype of a function that makes floats of integers."""
    kind = result_dtype(*values)
    return kind if kind.is_floating_point else context.default_dtype


def float_operands(*values: Any) -> tuple[Node, ...]:
    """Operands of such a function."""
    given = [*map(from_array, values)]
    kind = float_dtype(*given)
    return tuple([to_node(value, kind) for value in given])


def float_node(input: Tensor) -> Node:
    """The operand of such a function of one argument."""
    node = input.node
    return node if node.spec.dtype.is_floating_point else cast(node, context.default_dtype)


def check_tensor(op: str, name: str, position: int, value: Any) -> None:
    """TypeError in PyTorch's words unless `value` is a Tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{op}(): argument '{name}' (position {position}) must be Tensor, "
            f"not {type(value).__name__}"
        )
