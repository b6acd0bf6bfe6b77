"""Fills in ndarray: operators, properties, and the functions that are methods too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.numpy import _creation as creation
from flambeau.numpy import _joining as joining
from flambeau.numpy import _products as products
from flambeau.numpy import _reductions as reductions
from flambeau.numpy import _shaping as shaping
from flambeau.numpy import _sorting as sorting
from flambeau.numpy import _statistics as statistics
from flambeau.numpy._indexing import contains, get_item, set_item
from flambeau.numpy._kinds import kind_of
from flambeau.numpy._ndarray import (
    NUMBERS,
    dims_of,
    fresh,
    generic,
    host_value,
    made,
    made_array,
    ndarray,
    node_of,
    value_of,
    viewing,
)
from flambeau.numpy._protocols import array_function, array_ufunc
from flambeau.numpy._results import check_writable, fitted
from flambeau.numpy._ufunc import ufunc
from flambeau.numpy._ufuncs import UFUNCS
from flambeau.ops.selection import cast
from flambeau.ops.shape import full
from flambeau.tensor.conversion import dlpack, numpy
from flambeau.tensor.tensor import Tensor, geometry, write
from flambeau.tensor.views import strides_for

_OPERANDS = (ndarray, *NUMBERS, complex, list, tuple, np.ndarray, Tensor, range)

BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "power", "and": "bitwise_and",
    "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
COMPARISONS = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal",
}  # fmt: skip
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _binary(function: ufunc, name: str) -> Any:
    two = function.two

    def operator(self: ndarray, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return made(two(self, other))
        return NotImplemented

    return _named(operator, name)


def _reflected(function: ufunc, name: str) -> Any:
    two = function.two

    def operator(self: ndarray, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return made(two(other, self))
        return NotImplemented

    return _named(operator, name)


def _in_place(function: ufunc, name: str) -> Any:
    two = function.two

    def operator(self: ndarray, other: Any) -> Any:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        if type(self) is generic:
            return made(two(self, other))
        tensor = self._tensor
        if tensor._view is not None:
            check_writable(self)
        node, spec = two(self, other), tensor.node.spec
        if node.spec is not spec:
            node = fitted(node, spec.dtype, spec.shape, function.__name__)
        write(tensor, node)
        return self

    return _named(operator, name)


def _equality(function: ufunc, name: str) -> Any:
    """== and != of what is no array are what Python makes of them, element by element."""
    two, differs = function.two, name == "__ne__"

    def operator(self: ndarray, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return made(two(self, other))
        if other is None or isinstance(other, str):
            return made_array(full(dims_of(self), differs, dtypes.bool))
        return NotImplemented

    return _named(operator, name)


def _unary(function: ufunc, name: str) -> Any:
    def operator(self: ndarray) -> Any:
        return made(function.node(self))

    return _named(operator, name)


def _named(function: Any, name: str) -> Any:
    function.__name__ = function.__qualname__ = name
    return function


def _matmul(self: ndarray, other: Any) -> Any:
    return products.matmul(self, other) if isinstance(other, _OPERANDS) else NotImplemented


def _rmatmul(self: ndarray, other: Any) -> Any:
    return products.matmul(other, self) if isinstance(other, _OPERANDS) else NotImplemented


def _imatmul(self: ndarray, other: Any) -> Any:
    return products.matmul(self, other, out=self)


def _divmod(self: ndarray, other: Any) -> Any:
    return self // other, self % other


def _rdivmod(self: ndarray, other: Any) -> Any:
    return other // self, other % self


# What an array is as a Python value, and how it prints: NumPy's own answers for its elements.


def _scalar_or_array(self: ndarray) -> Any:
    value = value_of(self)
    return value[()] if isinstance(self, generic) else value


def _text(self: ndarray) -> str:
    return str(_scalar_or_array(self))


def _shown(self: ndarray) -> str:
    return repr(_scalar_or_array(self))


def _formatted(self: ndarray, specification: str) -> str:
    return format(_scalar_or_array(self), specification)


def _truth(self: ndarray) -> bool:
    return bool(value_of(self))


def _to_int(self: ndarray) -> int:
    return int(_scalar_or_array(self))


def _to_float(self: ndarray) -> float:
    return float(_scalar_or_array(self))


def _to_complex(self: ndarray) -> complex:
    return complex(_scalar_or_array(self))


def _to_index(self: ndarray) -> int:
    value = _scalar_or_array(self)
    return value.__index__()


def _rounded(self: ndarray, digits: int | None = None) -> Any:
    return int(UFUNCS["rint"](self)) if digits is None else statistics.round(self, digits)


def _length(self: ndarray) -> int:
    shape = dims_of(self)
    if not shape:
        kind = "numpy.float64" if isinstance(self, generic) else None
        raise TypeError(
            f"object of type '{kind}' has no len()" if kind else "len() of unsized object"
        )
    return shape[0]


def _iterated(self: ndarray) -> Iterator[Any]:
    if not dims_of(self):
        raise TypeError("iteration over a 0-d array")
    return (self[place] for place in range(len(self)))


def _item(self: ndarray, *where: Any) -> Any:
    """An element as a Python number: the only one, or the one at a flat or full position."""
    return value_of(self).item(*where)


def _tolist(self: ndarray) -> Any:
    """The elements as nested lists of Python numbers."""
    return value_of(self).tolist()


def _tobytes(self: ndarray, order: Any = "C") -> bytes:
    """The bytes of the elements in row-major order."""
    return value_of(self).tobytes(order)


def _to_array(self: ndarray, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """What NumPy's functions see: an array in the same memory unless copied or cast."""
    tensor = self._tensor
    if tensor.requires_grad:
        host_value(self)
    array = numpy(tensor) if not copy and not isinstance(self, generic) else value_of(self).copy()
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        return array.astype(dtype)
    return array


def _astype(
    self: ndarray,
    dtype: Any,
    order: str = "K",
    casting: Any = "unsafe",
    subok: bool = True,
    copy: bool = True,
) -> ndarray:
    """The elements in another dtype; a copy unless `copy=False` and nothing changes."""
    kind, node = kind_of(dtype), self._tensor.node
    own = node.spec.dtype
    if not np.can_cast(own.numpy, kind.numpy, casting):
        raise TypeError(
            f"Cannot cast array data from {own.numpy!r} to {kind.numpy!r} according to the rule "
            f"'{casting}'"
        )
    if kind is own and not copy:
        return self
    result = cast(node, kind)
    return _like(self, fresh(result, node))


def _like(self: ndarray, node: Any) -> ndarray:
    return made(node) if isinstance(self, generic) else made_array(node)


def _copy(self: ndarray, order: str = "C") -> ndarray:
    """A copy with elements of its own."""
    node = self._tensor.node
    return _like(self, fresh(node, node))


def _deep_copy(self: ndarray, memo: Any) -> ndarray:
    return _copy(self)


def _reduced(self: ndarray) -> tuple[Any, ...]:
    """What pickle stores: the elements as NumPy's array or scalar."""
    return _rebuilt, (np.array(value_of(self)), isinstance(self, generic))


def _rebuilt(value: np.ndarray, scalar: bool) -> ndarray:
    node = node_of(value)
    return made(node) if scalar else made_array(node)


def _view(self: ndarray, dtype: Any = None, type: Any = None) -> ndarray:
    """A view of all elements; of another dtype's bits, a copy."""
    if dtype is None or dtype is ndarray or kind_of(dtype) is self._tensor.dtype:
        return shaping.whole_view(self)
    return made_array(node_of(np.array(value_of(self)).view(kind_of(dtype).numpy)))


def _fill(self: ndarray, value: Any) -> None:
    """Write one number everywhere."""
    self[...] = value


def _reshape(self: ndarray, *shape: Any, order: str = "C", copy: bool | None = None) -> ndarray:
    """The elements under another shape: a view where possible."""
    return shaping.reshape(self, shaping.sizes_of(shape), order, copy=copy)


def _transpose(self: ndarray, *axes: Any) -> ndarray:
    """The dimensions in the opposite order, or in the order `axes`: a view."""
    if len(axes) == 1 and (axes[0] is None or not isinstance(axes[0], int)):
        return shaping.transpose(self, axes[0])
    return shaping.transpose(self, axes or None)


def _flatten(self: ndarray, order: str = "C") -> ndarray:
    """A copy as a vector."""
    return _copy(shaping.ravel(self, order))


def _resize(self: ndarray, *shape: Any, refcheck: bool = True) -> None:
    """Another shape for the array itself; elements are dropped, or zeros come, at the end."""
    self._tensor.resize_(*shaping.sizes_of(shape))


def _nonzero(self: ndarray) -> Any:
    """Where the elements are nonzero."""
    return sorting.nonzero(self)


def _conjugate(self: ndarray) -> ndarray:
    """A copy, as there are no complex arrays."""
    return _copy(self)


def _partition(
    self: ndarray, kth: Any, axis: int = -1, kind: Any = None, order: Any = None
) -> None:
    """Sort the array itself, which puts the `kth` element in its place."""
    sorting.check_kth(self, kth, axis)
    sorting.sort_in_place(self, axis)


def _to_device(self: ndarray, device: Any, /, *, stream: Any = None) -> ndarray:
    """The array itself, on the CPU."""
    if device != "cpu" or stream is not None:
        raise ValueError(f"Unsupported device: {device!r}")
    return self


def _namespace(self: ndarray, *, api_version: str | None = None) -> Any:
    """The module of the Python array API standard for these arrays."""
    if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
        raise ValueError(f'Version "{api_version}" of the Array API Standard is not supported.')
    return sys.modules["flambeau.numpy"]


def _set_shape(self: ndarray, shape: Any) -> None:
    tensor = self._tensor
    found = shaping.reshape(self, shape)
    if strides_for(tensor, dims_of(found)) is None:
        raise AttributeError(
            "Incompatible shape for in-place modification. Use `.reshape()` to make a copy with "
            "the desired shape."
        )
    self._tensor = found._tensor


def _byte_strides(self: ndarray) -> tuple[int, ...]:
    by = geometry(self._tensor)[1]
    return tuple([one * self._tensor.dtype.itemsize for one in by])


def _base(self: ndarray) -> Any:
    view = self._tensor._view
    return None if view is None or view.base is None else viewing(view.base)


def _imaginary(self: ndarray) -> ndarray:
    return creation.zeros_like(self)


class flatiter:  # noqa: N801 - NumPy's spelling
    """`ndarray.flat`: the elements in row-major order, read and written."""

    def __init__(self, array: ndarray) -> None:
        self.base = array

    def __iter__(self) -> Iterator[Any]:
        return iter(self.base.ravel())

    def __len__(self) -> int:
        return self.base.size

    def __getitem__(self, key: Any) -> Any:
        return self.base.ravel()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        flat = _flatten(self.base)
        flat[key] = value
        self.base[...] = flat.reshape(dims_of(self.base))

    def copy(self) -> ndarray:
        """The elements as a new vector."""
        return _flatten(self.base)


METHODS: dict[str, Any] = {
    # Functions whose first argument is the array.
    **{
        name: getattr(module, name)
        for module, names in {
            reductions: "sum prod max min any all mean var std argmax argmin cumsum cumprod",
            shaping: "ravel swapaxes squeeze diagonal",
            joining: "repeat take",
            sorting: "argsort argpartition searchsorted clip compress put",
            products: "dot trace",
            statistics: "round",
        }.items()
        for name in names.split()
    },
    "sort": sorting.sort_in_place,
    "partition": _partition,
    "choose": sorting.choose_from,
    "conj": _conjugate,
    "conjugate": _conjugate,
    "nonzero": _nonzero,
    "item": _item,
    "tolist": _tolist,
    "tobytes": _tobytes,
    "astype": _astype,
    "copy": _copy,
    "view": _view,
    "fill": _fill,
    "reshape": _reshape,
    "transpose": _transpose,
    "flatten": _flatten,
    "resize": _resize,
    "to_device": _to_device,
}

SPECIAL: dict[str, Any] = {
    "__matmul__": _matmul,
    "__rmatmul__": _rmatmul,
    "__imatmul__": _imatmul,
    "__divmod__": _divmod,
    "__rdivmod__": _rdivmod,
    "__getitem__": get_item,
    "__setitem__": set_item,
    "__contains__": contains,
    "__len__": _length,
    "__iter__": _iterated,
    "__bool__": _truth,
    "__int__": _to_int,
    "__float__": _to_float,
    "__complex__": _to_complex,
    "__index__": _to_index,
    "__round__": _rounded,
    "__str__": _text,
    "__repr__": _shown,
    "__format__": _formatted,
    "__array__": _to_array,
    "__array_ufunc__": array_ufunc,
    "__array_function__": array_function,
    "__array_namespace__": _namespace,
    "__dlpack__": lambda self, **options: dlpack(self._tensor, **options),
    "__dlpack_device__": lambda self: (1, 0),
    "__copy__": _copy,
    "__deepcopy__": _deep_copy,
    "__reduce__": _reduced,
}

PROPERTIES: dict[str, Any] = {
    "shape": property(dims_of, _set_shape),
    "dtype": property(lambda self: self._tensor.dtype.numpy),
    "ndim": property(lambda self: len(dims_of(self))),
    "size": property(lambda self: self._tensor.numel()),
    "itemsize": property(lambda self: self._tensor.dtype.itemsize),
    "nbytes": property(lambda self: self._tensor.numel() * self._tensor.dtype.itemsize),
    "strides": property(_byte_strides),
    "T": property(shaping.transposed),
    "mT": property(shaping.matrix_transpose),
    "flat": property(flatiter, lambda self, value: flatiter(self).__setitem__(slice(None), value)),
    "real": property(lambda self: self),
    "imag": property(_imaginary),
    "base": property(_base),
    "device": property(lambda self: "cpu"),
    "flags": property(lambda self: _to_array(self).flags),
    "data": property(lambda self: _to_array(self).data),
    "ctypes": property(lambda self: _to_array(self).ctypes),
}


def _operators() -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, function in BINARY.items():
        table[f"__{name}__"] = _binary(UFUNCS[function], f"__{name}__")
        table[f"__r{name}__"] = _reflected(UFUNCS[function], f"__r{name}__")
        table[f"__i{name}__"] = _in_place(UFUNCS[function], f"__i{name}__")
    for name, function in COMPARISONS.items():
        kind = _equality if name in ("eq", "ne") else _binary
        table[f"__{name}__"] = kind(UFUNCS[function], f"__{name}__")
    for name, function in UNARY.items():
        table[f"__{name}__"] = _unary(UFUNCS[function], f"__{name}__")
    return table


for _name, _member in (_operators() | METHODS | SPECIAL | PROPERTIES).items():
    setattr(ndarray, _name, _member)
