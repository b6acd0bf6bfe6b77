"""Questions about arrays and dtypes, and functions with two results."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.numpy._elements import is_infinite, number
from flambeau.numpy._ndarray import array_of, fresh, made, ndarray, node_of
from flambeau.numpy._results import finished
from flambeau.numpy._ufuncs import UFUNCS
from flambeau.ops.algebra import sub
from flambeau.ops.rounding import trunc
from flambeau.ops.selection import cast, copysign
from flambeau.ops.selection import where as choose
from flambeau.ops.shape import full
from flambeau.tensor.elementwise import sinc as sinc_tensor
from flambeau.tensor.tensor import wrap


def divmod(x1: Any, x2: Any, /) -> tuple[Any, Any]:  # noqa: A001 - NumPy's spelling
    """The quotient rounded down and what it leaves."""
    return UFUNCS["floor_divide"](x1, x2), UFUNCS["remainder"](x1, x2)


def modf(x: Any, /) -> tuple[Any, Any]:
    """What follows the point, and what stands before it."""
    node = node_of(x)
    wide = cast(node, UFUNCS["sqrt"].plan(node.spec.dtype)[0])
    whole = trunc(wide)
    rest = choose(is_infinite(wide), number(0.0, wide), sub(wide, whole))
    return made(copysign(rest, wide)), made(whole)


def sinc(x: Any, /) -> Any:
    """sin(πx) / (πx), and 1 at 0."""
    node = node_of(x)
    wide = cast(node, UFUNCS["sqrt"].plan(node.spec.dtype)[0])
    return made(sinc_tensor(wrap(fresh(wide, node))).node)


def isposinf(x: Any, out: Any = None) -> Any:
    """Whether the elements are +inf."""
    return finished(UFUNCS["equal"].node(x, math.inf), out, "isposinf")


def isneginf(x: Any, out: Any = None) -> Any:
    """Whether the elements are -inf."""
    return finished(UFUNCS["equal"].node(x, -math.inf), out, "isneginf")


def isreal(x: Any) -> Any:
    """True everywhere, as there are no complex arrays."""
    return made(full(node_of(x).spec.shape, True, dtypes.bool))


def iscomplex(x: Any) -> Any:
    """False everywhere, as there are no complex arrays."""
    return made(full(node_of(x).spec.shape, False, dtypes.bool))


def isrealobj(x: Any) -> bool:
    """True, as there are no complex arrays."""
    return True


def iscomplexobj(x: Any) -> bool:
    """False, as there are no complex arrays."""
    return False


def isscalar(element: Any) -> bool:
    """Whether it is a number, and not an array."""
    from_ours = isinstance(element, ndarray) and type(element) is not ndarray
    return from_ours or np.isscalar(element)


def isfortran(a: Any) -> bool:
    """False: elements lie in row-major order."""
    return False


def iterable(y: Any) -> bool:
    """Whether one can go through it element by element."""
    return bool(array_of(y).ndim) if isinstance(y, ndarray) else np.iterable(y)


def real(val: Any) -> Any:
    """The array itself, as there are no complex ones."""
    return array_of(val)


real_if_close = real


def imag(val: Any) -> Any:
    """Zeros, as there are no complex arrays."""
    spec = node_of(val).spec
    return made(full(spec.shape, 0, spec.dtype))


def angle(z: Any, deg: bool = False) -> Any:
    """The angle of real numbers: 0, or π below zero."""
    found = UFUNCS["arctan2"](0.0, z)
    return UFUNCS["degrees"](found) if deg else found


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> ndarray:
    """The elements in another dtype; a copy unless `copy=False` and nothing changes."""
    if not isinstance(x, ndarray):
        raise TypeError(f"Input should be a NumPy array. It is a {type(x)} instead.")
    if device not in (None, "cpu"):
        raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {device}')
    return x.astype(dtype, copy=copy)


def _typed(given: Any) -> Any:
    """An array as NumPy's dtype of it, for questions of dtype alone."""
    return given.dtype if isinstance(given, ndarray) else given


def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """The dtype that these have together, by NumPy's rules."""
    return np.result_type(*[_typed(one) for one in arrays_and_dtypes])


def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """Whether one dtype may become another by a rule of casting."""
    return np.can_cast(_typed(from_), _typed(to), casting)


def common_type(*arrays: Any) -> Any:
    """The floating dtype that these arrays have together."""
    return np.common_type(*[np.empty(0, array_of(one).dtype) for one in arrays])


def min_scalar_type(a: Any) -> np.dtype:
    """The smallest dtype that holds the number."""
    return np.min_scalar_type(a if not isinstance(a, ndarray) else np.asarray(a))


def finfo(dtype: Any) -> Any:
    """The limits of a floating-point dtype."""
    return np.finfo(_typed(dtype))


def iinfo(type: Any) -> Any:
    """The limits of an integer dtype."""
    return np.iinfo(_typed(type))
