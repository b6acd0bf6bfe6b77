"""Tensors to other dtypes and devices, to Python and NumPy values, to text, and to copies."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from flambeau.autograd.aliases import CLONE
from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.core.device import device as Device
from flambeau.core.device import resolve
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Size, normalize_dim
from flambeau.engine.flush import compute
from flambeau.graph.node import Spec
from flambeau.graph.recording import record
from flambeau.ops.elementwise_base import from_bfloat16
from flambeau.ops.selection import cast
from flambeau.tensor.arguments import chosen_dtype
from flambeau.tensor.gradients import name_of
from flambeau.tensor.printing import format_tensor
from flambeau.tensor.storage import copied
from flambeau.tensor.tensor import Tensor, geometry, wrap
from flambeau.tensor.views import unbind

_TYPE_NAMES = {
    dtypes.float32: "FloatTensor",
    dtypes.float64: "DoubleTensor",
    dtypes.float16: "HalfTensor",
    dtypes.bfloat16: "BFloat16Tensor",
    dtypes.int64: "LongTensor",
    dtypes.int32: "IntTensor",
    dtypes.int16: "ShortTensor",
    dtypes.int8: "CharTensor",
    dtypes.uint8: "ByteTensor",
    dtypes.bool: "BoolTensor",
}
BY_TYPE_NAME = {name: kind for kind, name in _TYPE_NAMES.items()}


def to(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor with another dtype or device: `to(dtype)`, `to(device, dtype)`, `to(other)`.

    Itself if nothing changes, unless `copy=True`.

    >>> import flambeau
    >>> flambeau.ones(1).to(flambeau.int64)
    tensor([1])
    """
    kind, copy = kwargs.pop("dtype", None), kwargs.pop("copy", False)
    resolve(kwargs.pop("device", None))
    for unimportant in ("non_blocking", "memory_format"):
        kwargs.pop(unimportant, None)
    if kwargs:
        raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
    for number, one in enumerate(args):
        if isinstance(one, dtype) or one in (float, int, bool):
            kind = one
        elif isinstance(one, Tensor):
            kind = one.dtype
        elif isinstance(one, bool):
            copy = one if number == len(args) - 1 and number >= 2 else copy
        elif one is not None:
            resolve(one)
    return converted(input, chosen_dtype(kind, input.dtype), copy)


def converted(input: Tensor, kind: dtype, copy: bool = False) -> Tensor:
    """The tensor in dtype `kind`; itself if it has that already."""
    if kind is input.dtype:
        return wrap(record(CLONE, (input.node,))) if copy else input
    return wrap(cast(input.node, kind))


def _converter(name: str, kind: dtype) -> Callable[..., Tensor]:
    def function(input: Tensor, memory_format: Any = None) -> Tensor:
        return converted(input, kind)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The elements as {kind.name}."
    return function


CONVERTERS = {
    name: _converter(name, kind)
    for name, kind in {
        "float": dtypes.float32,
        "double": dtypes.float64,
        "half": dtypes.float16,
        "bfloat16": dtypes.bfloat16,
        "long": dtypes.int64,
        "int": dtypes.int32,
        "short": dtypes.int16,
        "char": dtypes.int8,
        "byte": dtypes.uint8,
        "bool": dtypes.bool,
    }.items()
}


def type_as(input: Tensor, other: Tensor) -> Tensor:
    """The elements in the dtype of `other`."""
    return converted(input, other.dtype)


def type_(input: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The old name of the tensor's type, or the tensor as the type given by dtype or old name."""
    if dtype is None:
        return f"torch.{_TYPE_NAMES[input.dtype]}"
    if isinstance(dtype, str):
        _, _, name = dtype.rpartition(".")
        if name not in BY_TYPE_NAME:
            raise ValueError(f"invalid type: '{dtype}'")
        if ".cuda." in dtype:
            resolve("cuda")
        return converted(input, BY_TYPE_NAME[name])
    return converted(input, chosen_dtype(getattr(dtype, "dtype", dtype), input.dtype))


def cpu(input: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor on the CPU."""
    return input


def cuda(input: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """The tensor on a GPU; RuntimeError where there is none."""
    resolve(Device("cuda") if device is None else Device(device))
    return input


def array_of(tensor: Tensor) -> np.ndarray:
    """The elements as an array that is to be read only; bfloat16 comes as float32."""
    node = compute(tensor.node)
    buffer: Any = node.buffer
    array: np.ndarray = buffer.as_array(node.dtype.numpy, node.shape)
    return from_bfloat16(array) if node.dtype is dtypes.bfloat16 else array


def item(input: Tensor) -> Any:
    """The only element as a Python number."""
    node = input.node
    spec = node.spec
    if spec.numel != 1:
        raise RuntimeError(f"a Tensor with {spec.numel} elements cannot be converted to Scalar")
    if spec.dtype is dtypes.bfloat16:
        return array_of(input).item()
    # Not by way of an array, which takes ten times as long to make.
    buffer: Any = compute(node).buffer
    return struct.unpack(spec.dtype.numpy.char, ctypes.string_at(buffer.address, spec.nbytes))[0]


def tolist(input: Tensor) -> Any:
    """The elements as nested lists; of a 0-dim tensor the number."""
    return array_of(input).tolist()


def numpy(input: Tensor, *, force: bool = False) -> np.ndarray:
    """An array in the tensor's memory: each side sees what the other writes.

    RuntimeError if a gradient is wanted of it (`force=True` detaches first).

    >>> import flambeau
    >>> flambeau.ones(2).numpy().tolist()
    [1.0, 1.0]
    """
    if input.requires_grad and not force:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
    if input.dtype is dtypes.bfloat16:
        raise TypeError("Got unsupported ScalarType BFloat16")
    if input._view is not None and not input.requires_grad:
        # A view's value is made again while NumPy may write, and must not count as another user.
        input._view.node = None
    return input._storage.array(*geometry(input))


def to_array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """What NumPy's functions see of a tensor."""
    array = numpy(self)
    if dtype is not None and array.dtype != dtype:
        return array.astype(dtype)
    return array.copy() if copy else array


def dlpack(self: Tensor, **arguments: Any) -> Any:
    """The memory as other libraries take it."""
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    return numpy(self).__dlpack__(**arguments)


def dlpack_device(self: Tensor) -> tuple[int, int]:
    """The kind and number of the device, by DLPack's numbering."""
    return (1, 0)


def truth(self: Tensor) -> bool:
    """Whether the only element is nonzero."""
    count = self.node.spec.numel
    if count > 1:
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    if count == 0:
        raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
    return bool(item(self))


def to_int(self: Tensor) -> int:
    """The only element, towards zero."""
    return int(item(self))


def to_float(self: Tensor) -> float:
    """The only element as a float."""
    return float(item(self))


def to_complex(self: Tensor) -> complex:
    """The only element as a complex number."""
    return complex(item(self))


def to_index(self: Tensor) -> int:
    """The only element, of an integer tensor, as an index."""
    if self.dtype.is_floating_point or self.node.spec.numel != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(item(self))


def length(self: Tensor) -> int:
    """The size of the first dimension."""
    shape = geometry(self)[0]
    if not shape:
        raise TypeError("len() of a 0-d tensor")
    return shape[0]


def iterate(self: Tensor) -> Iterator[Tensor]:
    """The slices along the first dimension."""
    if not self.dim():
        raise TypeError("iteration over a 0-d tensor")
    return iter(unbind(self, 0))


def text(self: Tensor, *, tensor_contents: Any = None) -> str:
    """The tensor as PyTorch prints it."""
    history = None
    if self.requires_grad and not self.is_leaf:
        history = name_of(self.node)
    return format_tensor(
        array_of(self),
        self.dtype,
        requires_grad=self._leaf,
        grad_fn=history,
        default_dtype=context.default_dtype,
        device=None if self.device.type == "cpu" else str(self.device),
    )


def formatted(self: Tensor, format_spec: str) -> str:
    """A 0-dim tensor formats as its number."""
    if not self.dim() and type(self) is Tensor:
        return format(item(self), format_spec)
    return object.__format__(self, format_spec)


def deep_copy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A copy with a storage of its own, for leaves."""
    if id(self) in memo:
        return memo[id(self)]  # type: ignore[no-any-return]
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
            "because of a torch.nn.utils.weight_norm usage, see "
            "https://github.com/pytorch/pytorch/pull/103001"
        )
    copy = self.detach().clone()
    if self.requires_grad:
        copy.requires_grad = True
    if self._grad is not None:
        copy._grad = deep_copy(self._grad, memo)
    memo[id(self)] = copy
    return copy


def reduced(self: Tensor, protocol: Any) -> tuple[Any, ...]:
    """What pickle stores: the elements, the dtype, whether a gradient is wanted."""
    node = compute(self.node)
    buffer: Any = node.buffer
    array = buffer.as_array(node.dtype.numpy, node.shape).copy()
    return _rebuilt, (array, node.dtype, self.requires_grad)


def _rebuilt(array: np.ndarray, kind: dtype, requires_grad: bool) -> Tensor:
    result = wrap(copied(array, Spec.of(array.shape, kind)))
    if requires_grad:
        result.requires_grad = True
    return result


def size(input: Tensor, dim: int | None = None) -> Any:
    """The shape, or the size of one dimension."""
    return input.shape if dim is None else input.shape[_checked(dim, input.dim())]


def stride(input: Tensor, dim: int | None = None) -> Any:
    """The steps between neighbours in each dimension, in elements, or one of them."""
    strides = geometry(input)[1]
    return strides if dim is None else strides[_checked(dim, len(strides))]


def _checked(dim: int, rank: int) -> int:
    if not rank:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return normalize_dim(dim, rank)


def dim(input: Tensor) -> int:
    """The number of dimensions."""
    view = input._view
    return len(input._storage.node.spec.shape if view is None else view.shape)


def numel(input: Tensor) -> int:
    """The number of elements."""
    return Size(geometry(input)[0]).numel()


def element_size(input: Tensor) -> int:
    """The bytes an element takes."""
    return input.dtype.itemsize


def storage_offset(input: Tensor) -> int:
    """Where in the storage the first element is."""
    return geometry(input)[2]


def data_ptr(input: Tensor) -> int:
    """The address of the first element, once computed."""
    buffer: Any = compute(input._storage.node).buffer
    address: int = buffer.address + geometry(input)[2] * input.dtype.itemsize
    return address


class UntypedStorage:
    """What two tensors share when they are views of one memory; a handle to compare and measure."""

    def __init__(self, tensor: Tensor) -> None:
        self._storage = tensor._storage

    def nbytes(self) -> int:
        """Its size in bytes."""
        return self._storage.node.spec.nbytes

    def __len__(self) -> int:
        return self.nbytes()

    def data_ptr(self) -> int:
        """Its address, once computed."""
        buffer: Any = compute(self._storage.node).buffer
        address: int = buffer.address
        return address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and other._storage is self._storage

    def __hash__(self) -> int:
        return id(self._storage)


def untyped_storage(input: Tensor) -> UntypedStorage:
    """The memory that the tensor is a view of."""
    return UntypedStorage(input)


def get_device(input: Tensor) -> int:
    """The number of the GPU, or -1 on the CPU."""
    return -1 if input.device.type == "cpu" else input.device.index or 0


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are floats."""
    return input.dtype.is_floating_point


def is_complex(input: Tensor) -> bool:
    """Whether the elements are complex: never."""
    return False


def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return input.dtype.is_signed


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is nonzero."""
    return truth(input)


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether the shapes are equal."""
    return input.shape == other.shape


def is_set_to(input: Tensor, other: Tensor) -> bool:
    """Whether both show the same elements of the same memory."""
    return input._storage is other._storage and geometry(input) == geometry(other)


def itself(input: Tensor, *_: Any, **__: Any) -> Tensor:
    """The tensor: pinning, resolving conjugates and the like change nothing here."""
    return input


def never(input: Tensor, *_: Any) -> bool:
    """False: for what tensors here never are."""
    return False
