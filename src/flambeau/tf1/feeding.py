"""What `Session.run` is fed: arrays of the tensors' types and shapes, or the error for others."""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau.tf1 import dtypes
from flambeau.tf1.graph import Graph, Tensor, as_tensor
from flambeau.tf1.shapes import compatible, describe


def fed_tensor(graph: Graph, key: Any) -> Tensor:
    """The tensor that a key of a `feed_dict` means; TypeError if it is none of this graph."""
    try:
        found: Tensor = graph.as_graph_element(key, allow_operation=False)
    except (TypeError, ValueError, KeyError) as error:
        text = error.args[0] if error.args else error
        raise TypeError(f"Cannot interpret feed_dict key as Tensor: {text}") from None
    return found


def fed_array(tensor: Tensor, value: Any) -> np.ndarray:
    """The value as a row-major array of the tensor's type; TypeError, ValueError.

    An array that is one already is not copied.
    """
    if as_tensor(value) is not None:
        raise TypeError(
            f"The value of a feed cannot be a tf.Tensor object, but '{tensor.name}' is fed "
            f"{value!r}. Acceptable feed values include Python scalars, strings, lists, and NumPy "
            "ndarrays"
        )
    kind = tensor.dtype.numpy
    try:
        given = np.asarray(value)
        array = np.ascontiguousarray(given, kind).reshape(given.shape)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"Cannot feed '{tensor.name}', which has type {tensor.dtype.name}, with {value!r}: "
            f"{error}"
        ) from None
    wrong = given.dtype.kind == "c" and kind.kind != "c"
    if kind.kind in "iub" and given.dtype.kind in "fiu" and not np.array_equal(array, given):
        wrong = True
    if wrong:
        raise TypeError(
            f"Type of feed value of type {given.dtype} is not compatible with Tensor "
            f"'{tensor.name}' of type {tensor.dtype.name}: values would be lost. Try explicitly "
            "setting the type of the feed"
        )
    return array


def check_shape(tensor: Tensor, array: np.ndarray) -> None:
    """ValueError unless an array of this shape may be fed for the tensor."""
    if not compatible(tensor.static, array.shape):
        raise ValueError(
            f"Cannot feed value of shape {array.shape} for Tensor '{tensor.name}', which has shape "
            f"'{describe(tensor.static)}'"
        )
    if tensor.dtype is dtypes.string:
        raise TypeError(f"Tensor '{tensor.name}' is of type string, which cannot be computed with")
