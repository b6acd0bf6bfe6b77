"""Names of PyTorch before 0.4 that old programs use: FloatTensor and kin, Variable, new."""

from __future__ import annotations

from typing import Any

from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.core.dtypes import dtype
from flambeau.tensor.conversion import converted
from flambeau.tensor.creation import empty, tensor
from flambeau.tensor.tensor import Tensor, alias


class TensorType:
    """`FloatTensor` and kin: makes tensors of one dtype, and stands for it in isinstance and type.

    >>> import flambeau
    >>> flambeau.LongTensor([1, 2]).dtype
    torch.int64
    """

    def __init__(self, name: str, kind: dtype) -> None:
        self.__name__ = name
        self.dtype = kind

    def __call__(self, *args: Any, device: Any = None) -> Tensor:
        """`FloatTensor(2, 3)` is a tensor to be filled, `FloatTensor([1, 2])` holds the values."""
        return made(args, self.dtype)

    def __instancecheck__(self, one: object) -> bool:
        return isinstance(one, Tensor) and one.dtype is self.dtype

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"


def made(args: tuple[Any, ...], kind: dtype) -> Tensor:
    """A tensor from sizes or from values, the way of the old constructors."""
    if len(args) == 1 and not isinstance(args[0], int):
        value = args[0]
        if isinstance(value, Tensor):
            if value.dtype is not kind:
                raise TypeError(f"expected {kind} (got {value.dtype})")
            same: Tensor = alias(value)
            return same
        if hasattr(value, "numel") and isinstance(value, tuple):  # a Size
            return empty(*value, dtype=kind)
        return tensor(value, dtype=kind)
    return empty(*args, dtype=kind) if args else empty(0, dtype=kind)


FloatTensor = TensorType("FloatTensor", dtypes.float32)
DoubleTensor = TensorType("DoubleTensor", dtypes.float64)
HalfTensor = TensorType("HalfTensor", dtypes.float16)
BFloat16Tensor = TensorType("BFloat16Tensor", dtypes.bfloat16)
LongTensor = TensorType("LongTensor", dtypes.int64)
IntTensor = TensorType("IntTensor", dtypes.int32)
ShortTensor = TensorType("ShortTensor", dtypes.int16)
CharTensor = TensorType("CharTensor", dtypes.int8)
ByteTensor = TensorType("ByteTensor", dtypes.uint8)
BoolTensor = TensorType("BoolTensor", dtypes.bool)


def construct(cls: type, *args: Any, **kwargs: Any) -> Any:
    """`Tensor(...)`: of the default dtype; a subclass is made on the same storage."""
    value = made(args, context.default_dtype) if not _is_tensor(args) else args[0]
    return value if cls is Tensor and not _is_tensor(args) else alias(value, cls)


def _is_tensor(args: tuple[Any, ...]) -> bool:
    return len(args) == 1 and isinstance(args[0], Tensor)


def new(input: Tensor, *args: Any, device: Any = None) -> Tensor:
    """A tensor of the same dtype, from sizes or values."""
    if len(args) == 1 and isinstance(args[0], Tensor):
        return converted(args[0], input.dtype, copy=True)
    return made(args, input.dtype)


def Variable(  # noqa: N802 - PyTorch's spelling
    data: Tensor, requires_grad: bool = False, volatile: bool = False
) -> Tensor:
    """A tensor: the wrapper that old programs put around tensors does nothing any more."""
    result: Tensor = alias(data)
    if requires_grad:
        result.requires_grad = True
    return result


def is_tensor(obj: object) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)
