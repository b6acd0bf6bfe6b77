"""Tensors from Python and NumPy values, and tensors filled by rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.core.device import resolve
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import scalar
from flambeau.ops import algebra
from flambeau.ops.comparison import eq
from flambeau.ops.elementwise_base import to_bfloat16
from flambeau.ops.selection import cast
from flambeau.ops.shape import expand, iota, reshape
from flambeau.ops.shape import full as filled
from flambeau.tensor.arguments import chosen_dtype, sizes
from flambeau.tensor.promotion import number_dtype, plain
from flambeau.tensor.results import into
from flambeau.tensor.storage import borrowed, copied
from flambeau.tensor.tensor import Tensor, View, wrap


def finished(node: Node, requires_grad: bool = False, out: Tensor | None = None) -> Tensor:
    """A new tensor, as a leaf if it requires a gradient; or the result in `out`."""
    if out is not None:
        return into(out, node)
    result = wrap(node)
    if requires_grad:
        result.requires_grad = True
    return result


def tensor(
    data: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A copy of a number, nested sequence, array or tensor.

    Floats take the default dtype, ints int64; arrays and tensors keep theirs.

    >>> import flambeau
    >>> flambeau.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    resolve(device)
    if isinstance(data, Tensor):
        node = cast(data.detach().clone().node, chosen_dtype(dtype, data.dtype))
        return finished(node, requires_grad)
    return finished(_node_of(data, dtype), requires_grad)


def _node_of(data: Any, kind: Any) -> Node:
    array = _array(data)
    own = _inferred(data, array)
    wanted = chosen_dtype(kind, own)
    if wanted is dtypes.bfloat16:
        array = to_bfloat16(array.astype(np.float32))
    elif array.dtype != wanted.numpy:
        array = _converted(array, wanted)
    return copied(array, Spec.of(array.shape, wanted))


def _converted(array: np.ndarray, wanted: dtype) -> np.ndarray:
    if array.dtype.kind in "iu" and not wanted.is_floating_point and wanted is not dtypes.bool:
        limits = np.iinfo(wanted.numpy)
        if array.size and not limits.min <= array.min() <= array.max() <= limits.max:
            raise RuntimeError(
                f"value cannot be converted to type {wanted.name}_t without overflow"
            )
    with np.errstate(all="ignore"):
        return array.astype(wanted.numpy)


def _inferred(data: Any, array: np.ndarray) -> dtype:
    if isinstance(data, (np.ndarray, np.generic)):
        return dtypes.from_numpy(array.dtype)
    if isinstance(data, (list, tuple)) and array.dtype.kind == "f" and _holds_arrays(data):
        return dtypes.from_numpy(array.dtype)
    if array.dtype.kind == "f":
        return context.default_dtype
    return context.default_dtype if not array.size else dtypes.from_numpy(array.dtype)


def _holds_arrays(data: Sequence[Any]) -> bool:
    while len(data) and isinstance(data[0], (list, tuple)):
        data = data[0]
    return bool(len(data)) and isinstance(data[0], (np.ndarray, np.generic))


def _array(data: Any) -> np.ndarray:
    """The data as an array of a dtype that tensors can have."""
    if isinstance(data, (list, tuple)):
        data = _plain_items(data)
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"expected sequence of equal length at every dim ({error})") from None
    if array.dtype.kind == "c":
        raise NotImplementedError("complex dtypes are not supported yet")
    if array.dtype.kind in "OUSV":
        if isinstance(data, np.ndarray) or array.dtype.kind == "V":
            dtypes.from_numpy(array.dtype)
        _complain(data)
    return array


def _plain_items(data: Sequence[Any]) -> list[Any]:
    return [
        one.tolist()
        if isinstance(one, Tensor)
        else _plain_items(one)
        if isinstance(one, (list, tuple))
        else one
        for one in data
    ]


def _complain(data: Any) -> None:
    """Raise what PyTorch raises for data that is no array of numbers."""
    if isinstance(data, str):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if isinstance(data, (list, tuple)):
        for one in data:
            if isinstance(one, int) and abs(one) >= 1 << 63:
                raise RuntimeError("Overflow when unpacking long long")
            if isinstance(one, str):
                raise ValueError("too many dimensions 'str'")
            _complain(one)
        return
    if not isinstance(data, (int, float)) and (data is None or not np.isscalar(data)):
        raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")


def as_tensor(data: Any, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor: itself, or sharing an array's memory, where that needs no conversion."""
    if isinstance(data, Tensor):
        return data if dtype is None or dtype is data.dtype else data.to(dtype)
    if isinstance(data, np.ndarray):
        shared = from_numpy(data)
        return shared if dtype is None or dtype is shared.dtype else shared.to(dtype)
    return tensor(data, dtype=dtype, device=device)


def asarray(
    obj: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Like `as_tensor`, with a say over copying."""
    made = tensor(obj, dtype=dtype) if copy else as_tensor(obj, dtype, device)
    if requires_grad:
        made.requires_grad = True
    return made


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor in the array's memory: each side sees what the other writes.

    >>> import numpy as np, flambeau
    >>> a = np.zeros(2)
    >>> flambeau.from_numpy(a)[0] = 1.0
    >>> a.tolist()
    [1.0, 0.0]
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    kind = dtypes.from_numpy(ndarray.dtype)
    if not ndarray.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. Conversion "
            "between byte orders is currently not supported."
        )
    if any(step % ndarray.itemsize for step in ndarray.strides):
        raise ValueError(
            "given numpy array strides not a multiple of the element byte size. Copy the numpy "
            "array to reallocate the memory."
        )
    result = object.__new__(Tensor)
    if ndarray.flags.c_contiguous:
        result._storage = borrowed(ndarray, Spec.of(ndarray.shape, kind))
        return result
    strides = tuple([step // ndarray.itemsize for step in ndarray.strides])
    reach = sum([(n - 1) * step for n, step in zip(ndarray.shape, strides, strict=True)]) + 1
    count = reach if ndarray.size else 0
    result._storage = borrowed(ndarray, Spec.of((count,), kind))
    result._view, result._plain = View(ndarray.shape, strides, 0, None, -1), False
    return result


def frombuffer(
    buffer: Any, *, dtype: dtype, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A vector in the memory of an object with the buffer interface."""
    made = from_numpy(np.frombuffer(buffer, dtype.numpy, count, offset))
    if requires_grad:
        made.requires_grad = True
    return made


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor in the memory of an array of another library."""
    return from_numpy(np.from_dlpack(ext_tensor))


def full(
    size: Sequence[int],
    fill_value: Any,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """`fill_value` in every place of shape `size`.

    >>> import flambeau
    >>> flambeau.full((2,), 7)
    tensor([7, 7])
    """
    resolve(device)
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    kind = chosen_dtype(dtype, number_dtype(value))
    return finished(_filled(sizes((tuple(size),)), value, kind), requires_grad, out)


def _filled(shape: Shape, value: Any, kind: dtype) -> Node:
    for size in shape:
        if size < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {size}: {list(shape)}"
            )
    return filled(shape, plain(value, kind), kind)


def _constant(
    value: float,
    size: Sequence[Any],
    out: Tensor | None,
    kind: Any,
    device: Any,
    requires_grad: bool,
    named: Any,
) -> Tensor:
    resolve(device)
    shape = sizes(size) if named is None else sizes((tuple(named),))
    kind = chosen_dtype(kind, context.default_dtype if out is None else out.dtype)
    return finished(_filled(shape, value, kind), requires_grad, out)


def zeros(
    *size: Any,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Zeros in the shape given as `zeros(2, 3)` or `zeros((2, 3))`."""
    return _constant(0, size, out, dtype, device, requires_grad, _named_size("zeros", named))


def ones(
    *size: Any,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Ones in the shape given as `ones(2, 3)` or `ones((2, 3))`."""
    return _constant(1, size, out, dtype, device, requires_grad, _named_size("ones", named))


def empty(
    *size: Any,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
    **named: Any,
) -> Tensor:
    """A tensor to be filled; it holds zeros, so that programs give the same result each time."""
    return _constant(0, size, out, dtype, device, requires_grad, _named_size("empty", named))


def _named_size(op: str, named: dict[str, Any]) -> Any:
    size = named.pop("size", None)
    if named:
        raise TypeError(f"{op}() got an unexpected keyword argument '{next(iter(named))}'")
    return size


def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor to be filled, with these strides."""
    reach = sum([(n - 1) * step for n, step in zip(size, stride, strict=True)]) + 1
    count = reach if math.prod(size) else 0
    made = zeros(count, dtype=dtype, device=device).as_strided(size, stride)
    made = made.detach()
    made.requires_grad = requires_grad
    return made


def _like(
    input: Tensor, value: Any, kind: dtype | None, device: Any, requires_grad: bool
) -> Tensor:
    resolve(device)
    node = _filled(tuple(input.shape), value, chosen_dtype(kind, input.dtype))
    return finished(node, requires_grad)


def zeros_like(
    input: Tensor,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Zeros in the shape and dtype of `input`."""
    return _like(input, 0, dtype, device, requires_grad)


def ones_like(
    input: Tensor,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Ones in the shape and dtype of `input`."""
    return _like(input, 1, dtype, device, requires_grad)


def empty_like(
    input: Tensor,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor to be filled in the shape and dtype of `input`; it holds zeros."""
    return _like(input, 0, dtype, device, requires_grad)


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """`fill_value` in the shape and dtype of `input`."""
    return _like(input, fill_value, dtype, device, requires_grad)


def new_zeros(
    input: Tensor,
    *size: Any,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Zeros of the dtype of `input`."""
    kind = chosen_dtype(dtype, input.dtype)
    return _constant(0, size, None, kind, device, requires_grad, _named_size("new_zeros", named))


def new_ones(
    input: Tensor,
    *size: Any,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Ones of the dtype of `input`."""
    kind = chosen_dtype(dtype, input.dtype)
    return _constant(1, size, None, kind, device, requires_grad, _named_size("new_ones", named))


def new_empty(
    input: Tensor,
    *size: Any,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """A tensor to be filled, of the dtype of `input`; it holds zeros."""
    kind = chosen_dtype(dtype, input.dtype)
    return _constant(0, size, None, kind, device, requires_grad, _named_size("new_empty", named))


def new_empty_strided(
    input: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor to be filled, with these strides, of the dtype of `input`."""
    kind = chosen_dtype(dtype, input.dtype)
    return empty_strided(size, stride, dtype=kind, requires_grad=requires_grad)


def new_full(
    input: Tensor,
    size: Sequence[int],
    fill_value: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """`fill_value` in every place, of the dtype of `input`."""
    kind = chosen_dtype(dtype, input.dtype)
    return full(size, fill_value, dtype=kind, device=device, requires_grad=requires_grad)


def new_tensor(
    input: Tensor,
    data: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """A copy of `data`, of the dtype of `input`."""
    kind = chosen_dtype(dtype, input.dtype)
    return tensor(data, dtype=kind, device=device, requires_grad=requires_grad)


def scalar_tensor(
    s: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """A number as a 0-dim tensor of the default dtype."""
    kind = chosen_dtype(dtype, context.default_dtype)
    return tensor(s, dtype=kind, device=device, requires_grad=requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones on the diagonal of an n × m matrix, zeros elsewhere."""
    resolve(device)
    kind = chosen_dtype(dtype, context.default_dtype)
    columns = n if m is None else m
    if n < 0:
        raise RuntimeError(f"n must be greater or equal to 0, got {n}")
    return finished(cast(same_index(n, columns), kind), requires_grad, out)


def same_index(rows: int, columns: int, offset: int = 0) -> Node:
    """Where the column is the row plus `offset`."""
    down = expand(reshape(iota(rows), (rows, 1)), (rows, columns))
    across = expand(reshape(iota(columns), (1, columns)), (rows, columns))
    return eq(across, algebra.add(down, scalar(offset, dtypes.int64)))
