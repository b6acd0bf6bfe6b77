"""From Python values to tensors, and from tensors to operations of the default graph."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from flambeau import tensor as ft
from flambeau.tf1 import dtypes, errors, shape_rules
from flambeau.tf1.dtypes import DType, as_dtype
from flambeau.tf1.graph import Graph, Operation, Tensor, as_tensor, get_default_graph
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import Dimension, TensorShape, as_static, describe

CONST = Kind("Const", shape_rules.stated)


def _not_fed(evaluation: Any, operation: Operation) -> Sequence[Any]:
    (tensor,) = operation.outputs
    known = "" if tensor.static is None else f" and shape {describe(tensor.static)}"
    raise errors.InvalidArgumentError(
        None,
        operation,
        f"You must feed a value for placeholder tensor '{operation.name}' with dtype "
        f"{tensor.dtype.name}{known}",
    )


PLACEHOLDER = Kind("Placeholder", shape_rules.stated, in_session=_not_fed)
PACK = Kind("Pack", shape_rules.stacked, lambda *values, axis: ft.stack(values, axis))


def operation(
    kind: Kind,
    inputs: Sequence[Tensor] = (),
    dtypes: Sequence[DType] = (),
    attributes: dict[str, Any] | None = None,
    name: str | None = None,
) -> Operation:
    """A new operation in the graph of the inputs (if none, the default graph)."""
    graph = inputs[0].graph if inputs else get_default_graph()
    return graph.create(kind, inputs, dtypes, attributes, name)


def apply(
    kind: Kind,
    *inputs: Tensor,
    name: str | None = None,
    dtype: DType | None = None,
    **attributes: Any,
) -> Tensor:
    """The one result of a new operation, by default of the first input's type."""
    kinds = [dtype if dtype is not None else inputs[0].dtype]
    return operation(kind, inputs, kinds, attributes, name).outputs[0]


def constant(
    value: Any,
    dtype: Any = None,
    shape: Any = None,
    name: str | None = None,
    verify_shape: bool = False,
) -> Tensor:
    """A tensor of these values; with `shape`, the last one fills what is missing.

    >>> constant([1, 2]).dtype, constant(0.5, shape=[2, 2]).shape.as_list()
    (tf.int32, [2, 2])
    """
    array, kind = as_array(value, None if dtype is None else as_dtype(dtype))
    if shape is not None:
        array = _filled(array, tuple([int(one) for one in as_static(shape) or ()]), verify_shape)  # type: ignore[arg-type]
    array.flags.writeable = False
    attributes = {"value": array, "shape": array.shape, "dtype": kind}
    return operation(CONST, (), [kind], attributes, name).outputs[0]


def _filled(array: np.ndarray, shape: tuple[int, ...], verify: bool) -> np.ndarray:
    count = int(np.prod(shape))
    if array.size > count or (verify and array.shape != shape):
        raise ValueError(
            f"Too many elements provided. Needed at most {count} (shape {list(shape)}), but "
            f"received {array.size} (shape {list(array.shape)})"
        )
    if array.size == count:
        return array.reshape(shape)
    flat = np.full(count, array.ravel()[-1] if array.size else 0, array.dtype)
    flat[: array.size] = array.ravel()
    return flat.reshape(shape)


def as_array(value: Any, dtype: DType | None) -> tuple[np.ndarray, DType]:
    """A copy of the value as an array, and its type; TypeError, ValueError."""
    if value is None:
        raise ValueError("None values not supported.")
    if isinstance(value, TensorShape):
        value = value.as_list()
        if None in value:
            raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {value}")
    if isinstance(value, Dimension):
        value = int(value)
    if dtype is dtypes.string:
        return np.array(value, np.object_), dtype
    if not isinstance(value, (np.ndarray, np.generic)):
        value = _plain(value)
    found = np.asarray(value)
    if found.dtype.kind in "SUO":
        if dtype is not None or found.dtype.kind == "O":
            wanted = "a Tensor" if dtype is None else f"type {dtype.name}"
            raise TypeError(f"Expected {wanted}, got {value!r} of type '{type(value).__name__}'.")
        return found.astype(np.object_), dtypes.string
    kind = dtype or _type_of(value, found)
    # Python numbers have to fit the type; arrays are converted, as the program asks for it.
    python = not isinstance(value, (np.ndarray, np.generic))
    if python and found.size and not _fits(found, kind):
        raise TypeError(
            f"Expected {kind.name}, got {value!r} of type '{type(value).__name__}' instead."
        )
    return np.array(found, kind.numpy), kind


def _plain(value: Any) -> Any:
    """Nested sequences with sizes as integers."""
    if isinstance(value, Dimension):
        return int(value)
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def _type_of(value: Any, found: np.ndarray) -> DType:
    if isinstance(value, (np.ndarray, np.generic)):
        return as_dtype(found.dtype)
    if found.dtype.kind == "f":
        return dtypes.float32
    if found.dtype.kind == "i":
        limits = np.iinfo(np.int32)
        small = not found.size or (found.min() >= limits.min and found.max() <= limits.max)
        return dtypes.int32 if small else dtypes.int64
    return as_dtype(found.dtype)


def _fits(found: np.ndarray, kind: DType) -> bool:
    if kind.is_bool:
        return found.dtype.kind == "b"
    if kind.is_integer:
        limits = np.iinfo(kind.numpy)
        return found.dtype.kind == "i" and limits.min <= found.min() and found.max() <= limits.max
    return found.dtype.kind in "fiu"


def convert_to_tensor(
    value: Any, dtype: Any = None, name: str | None = None, preferred_dtype: Any = None
) -> Tensor:
    """`value` (a tensor, variable, array, number, or list that may hold tensors) as a tensor.

    TypeError or ValueError where it cannot be one of type `dtype`.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    tensor = as_tensor(value)
    if tensor is not None:
        if wanted is not None and tensor.dtype is not wanted:
            raise ValueError(
                f"Tensor conversion requested dtype {wanted.name} for Tensor with dtype "
                f"{tensor.dtype.name}: {str(tensor)!r}"
            )
        return tensor
    if isinstance(value, (list, tuple)) and _holds_tensors(value):
        return packed(value, wanted, name)
    if wanted is None and preferred_dtype is not None:
        try:
            return constant(value, preferred_dtype, name=name)
        except TypeError:
            return constant(value, name=name)
    return constant(value, wanted, name=name)


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_tensors(one) for one in value)
    return as_tensor(value) is not None


def packed(values: Sequence[Any], dtype: DType | None, name: str | None, axis: int = 0) -> Tensor:
    """The values, some of which are tensors, as one tensor with a dimension more."""
    kind = dtype or _first_type(values)
    parts = [convert_to_tensor(one, kind) for one in values]
    return apply(PACK, *parts, name=name, axis=axis)


def _first_type(values: Any) -> DType | None:
    for one in values:
        tensor = as_tensor(one)
        kind = tensor.dtype if tensor is not None else None
        if kind is None and isinstance(one, (list, tuple)):
            kind = _first_type(one)
        if kind is not None:
            return kind
    return None


def alike(kind: str, *values: Any) -> list[Tensor]:
    """The values as tensors of one type, that of the first tensor among them; TypeError."""
    dtype = _first_type(values)
    found = []
    for one in values:
        tensor = as_tensor(one)
        if tensor is None:
            tensor = convert_to_tensor(one, dtype)
            dtype = dtype or tensor.dtype
        found.append(tensor)
    for number, tensor in enumerate(found):
        if tensor.dtype is not found[0].dtype:
            raise TypeError(
                f"Input {number} ('{tensor.name}') of '{kind}' Op has type {tensor.dtype.name} "
                f"that does not match type {found[0].dtype.name} of '{found[0].name}'."
            )
    return found


def integers(value: Any, name: str | None = None) -> Tensor:
    """A shape or a list of sizes, some of which may be tensors, as an integer tensor."""
    if isinstance(value, TensorShape) or not isinstance(value, (list, tuple)):
        tensor = convert_to_tensor(value, preferred_dtype=dtypes.int32, name=name)
    elif not value:
        tensor = constant(np.zeros(0, np.int32), name=name)
    else:
        tensor = convert_to_tensor(value, name=name)
    if not tensor.dtype.is_integer:
        raise TypeError(f"Expected integers, got {tensor} of type {tensor.dtype.name}")
    return tensor


def known_integer(value: Any, argument: str) -> int:
    """An argument that has to be known when the graph is built, such as an axis; TypeError."""
    tensor = as_tensor(value)
    if tensor is not None:
        found = shape_rules.constant_value(tensor)
        if found is None:
            raise TypeError(f"'{argument}' has to be known when the graph is built, got {tensor}")
        value = found
    return int(value)


def known_integers(value: Any, argument: str) -> tuple[int, ...] | None:
    """Like `known_integer`, for one or several; None stays None."""
    if value is None:
        return None
    tensor = as_tensor(value)
    if tensor is not None:
        found = shape_rules.constant_value(tensor)
        if found is None:
            raise TypeError(f"'{argument}' has to be known when the graph is built, got {tensor}")
        return tuple([int(one) for one in np.ravel(found)])
    if isinstance(value, (list, tuple, np.ndarray)):
        return tuple([known_integer(one, argument) for one in value])
    return (known_integer(value, argument),)


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor whose value is fed; unknown sizes are None.

    >>> placeholder("float32", [None, 10], name="features")
    <tf.Tensor 'features:0' shape=(?, 10) dtype=float32>
    """
    kind = as_dtype(dtype)
    attributes = {"dtype": kind, "shape": as_static(shape)}
    return operation(PLACEHOLDER, (), [kind], attributes, name).outputs[0]


def name_scope(
    name: str | None, default_name: str | None = None, values: Any = None
) -> AbstractContextManager[str]:
    """A block whose operations have names that begin with `name/`."""
    return get_default_graph().name_scope(default_name if name is None else name)


def control_dependencies(control_inputs: Any) -> AbstractContextManager[None]:
    """A block whose operations run after these."""
    return get_default_graph().control_dependencies(control_inputs)


def device(device_name_or_function: Any) -> AbstractContextManager[None]:
    """A block whose operations are noted to be for this device; all run on the CPU so far."""
    return get_default_graph().device(device_name_or_function)


def add_to_collection(name: Any, value: Any) -> None:
    """Append to a collection of the default graph."""
    get_default_graph().add_to_collection(name, value)


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """A copy of a collection of the default graph."""
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: Any) -> list[Any]:
    """A collection of the default graph itself."""
    return get_default_graph().get_collection_ref(key)


def graph_of(values: Sequence[Any]) -> Graph:
    """The graph of the first tensor among the values, or the default graph."""
    for one in values:
        tensor = as_tensor(one)
        if tensor is not None:
            return tensor.graph
    return get_default_graph()
