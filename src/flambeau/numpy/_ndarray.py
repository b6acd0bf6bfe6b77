"""ndarray: NumPy's array as a handle on a Tensor, and what makes one of other values.

The methods are put in by _methods.py.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from flambeau.autograd.aliases import CLONE
from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.engine.flush import compute
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import record
from flambeau.numpy._kinds import kind_of, promoted, refuse_bfloat16
from flambeau.ops.selection import cast
from flambeau.ops.shape import full, reshape
from flambeau.ops.strided import cat
from flambeau.tensor.promotion import plain
from flambeau.tensor.storage import copied
from flambeau.tensor.tensor import Tensor, geometry, wrap

NUMBERS = (int, float, np.number, np.bool_)


class ndarray:  # noqa: N801 - NumPy's spelling
    """An array of one dtype; views of it share its elements.

    `ndarray(shape, dtype)` holds zeros. Prefer `array`, `zeros` and the like.

    >>> import flambeau.numpy as np
    >>> a = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> a.T[0] = 0
    >>> a
    array([[0., 2.],
           [0., 4.]])
    """

    __slots__ = ("__weakref__", "_tensor")
    # Above NumPy's own arrays and Tensor: their operators leave mixed operands to this class.
    __array_priority__ = 2000.0
    __hash__ = None  # type: ignore[assignment]

    _tensor: Tensor

    if TYPE_CHECKING:  # what _methods.py puts in, as far as types matter
        shape: Any
        dtype: np.dtype
        ndim: int
        size: int
        T: ndarray

        def __getattr__(self, name: str) -> Any: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[Any]: ...
        def __getitem__(self, key: Any) -> Any: ...
        def __setitem__(self, key: Any, value: Any) -> None: ...
        def __int__(self) -> int: ...
        def __float__(self) -> float: ...

    def __init__(self, shape: Any, dtype: Any = float) -> None:
        self._tensor = wrap(full(shape_of(shape), 0, kind_of(dtype)))

    @property
    def tensor(self) -> Tensor:
        """The flambeau Tensor of the same elements: each side sees what the other writes."""
        return self._tensor


class generic(ndarray):  # noqa: N801 - NumPy's spelling
    """A single number, as reductions and full indexing give it: immutable and hashable.

    It is computed when somebody looks, prints and compares as NumPy's scalar does, and counts in
    promotion by its dtype.

    >>> import flambeau.numpy as np
    >>> np.arange(4.0).sum()
    np.float64(6.0)
    """

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(value_of(self).item())


def shape_of(given: Any) -> Shape:
    """A shape from an integer or a sequence; NumPy's errors for others."""
    if isinstance(given, (int, np.integer)) or (isinstance(given, ndarray) and not given.ndim):
        given = (given,)
    try:
        shape = tuple([one.__index__() for one in given])
    except (TypeError, AttributeError):
        raise TypeError(
            f"expected a sequence of integers or a single integer, got {given!r}"
        ) from None
    if any(size < 0 for size in shape):
        raise ValueError("negative dimensions are not allowed")
    return shape


_new = object.__new__


def made(node: Node) -> ndarray:
    """The result of an operation: a new array, or a scalar if it has no dimensions."""
    result = _new(ndarray if node.spec.shape else generic)
    result._tensor = wrap(node)
    return result


def made_array(node: Node) -> ndarray:
    """A new array, also of no dimensions."""
    result = _new(ndarray)
    result._tensor = wrap(node)
    return result


def fresh(node: Node, *sources: Node) -> Node:
    """`node`, or a copy of it if it is one of `sources`: arrays do not share nodes."""
    return record(CLONE, (node,)) if any(node is one for one in sources) else node


def made_apart(node: Node, *sources: Node) -> ndarray:
    """The result of an operation that may have given one of `sources` back."""
    return made(fresh(node, *sources))


def viewing(tensor: Tensor) -> ndarray:
    """An array of this tensor's elements, shared with it."""
    if tensor.dtype is dtypes.bfloat16:
        refuse_bfloat16()
    result = _new(ndarray)
    result._tensor = tensor
    return result


def value_of(array: ndarray | Tensor | Node) -> np.ndarray:
    """The elements for reading, computed if they were not yet."""
    if isinstance(array, ndarray):
        array = array._tensor
    node = compute(array.node if isinstance(array, Tensor) else array)
    buffer: Any = node.buffer
    found: np.ndarray = buffer.as_array(node.dtype.numpy, node.shape)
    return found


def host_value(given: Any) -> Any:
    """`given` as NumPy takes it: arrays by their values, also inside lists and tuples.

    TypeError for arrays whose gradient is wanted, as none flows through NumPy.
    """
    if isinstance(given, (ndarray, Tensor)):
        tensor = given if isinstance(given, Tensor) else given._tensor
        if tensor.requires_grad:
            raise TypeError(
                "this function is computed by NumPy on the host, and no gradient flows through "
                "that; the argument is an array whose gradient is wanted"
            )
        return value_of(tensor)
    if type(given) in (list, tuple):
        return type(given)([host_value(one) for one in given])
    return given


def from_host(given: Any) -> Any:
    """NumPy's results as ours, in lists and tuples too; what is no array stays."""
    if isinstance(given, np.ndarray):
        return made_array(host_node(given))
    if isinstance(given, np.generic) and isinstance(given, (np.number, np.bool_)):
        return made(host_node(np.asarray(given)))
    if isinstance(given, tuple) and hasattr(given, "_fields"):
        return type(given)(*[from_host(one) for one in given])
    if type(given) in (list, tuple):
        return type(given)([from_host(one) for one in given])
    return given


def host_node(array: np.ndarray) -> Node:
    """A leaf that holds a copy of the array's elements."""
    return copied(array, Spec.of(array.shape, kind_of(array.dtype)))


def node_of(given: Any, kind: dtype | None = None) -> Node:
    """Any array-like, or a node as it is, as a node in dtype `kind` if one is given."""
    if isinstance(given, ndarray):
        node = given._tensor.node
    elif isinstance(given, Tensor):
        node = viewing(given)._tensor.node
    elif isinstance(given, NUMBERS):
        node = _number_node(given)
    elif isinstance(given, Node):
        node = given
    else:
        node = _sequence_node(given)
    return node if kind is None else cast(node, kind)


def _number_node(given: Any) -> Node:
    if isinstance(given, (bool, np.bool_)):
        kind = dtypes.bool
    elif isinstance(given, int):
        if not -(1 << 63) <= given < 1 << 63:
            raise OverflowError(f"Python integer {given} out of bounds for int64")
        kind = dtypes.int64
    elif isinstance(given, np.generic):
        kind = kind_of(given.dtype)
    else:
        kind = dtypes.float64
    return full((), plain(given, kind), kind)


def _sequence_node(given: Any) -> Node:
    """Nested sequences, objects with NumPy's interfaces, and NumPy's own arrays."""
    if isinstance(given, np.ndarray):
        return host_node(given)
    if isinstance(given, (list, tuple)) and _holds_arrays(given):
        return _stacked(given)
    if isinstance(given, range):
        given = list(given)
    array = np.asarray(given)
    if array.dtype == object and isinstance(given, numbers.Number):
        raise TypeError(f"flambeau.numpy has no arrays of {type(given).__name__}")
    return host_node(array)


def _holds_arrays(given: Any) -> bool:
    return any(
        isinstance(one, (ndarray, Tensor))
        or (isinstance(one, (list, tuple)) and _holds_arrays(one))
        for one in given
    )


def _stacked(given: Any) -> Node:
    """A sequence that holds arrays, joined in the graph so that gradients reach them."""
    nodes = [node_of(one) for one in given]
    kind = promoted(*[node.spec.dtype for node in nodes])
    shape = nodes[0].spec.shape
    if any(node.spec.shape != shape for node in nodes):
        raise ValueError(
            "setting an array element with a sequence. The requested array has an inhomogeneous "
            f"shape after 1 dimensions. The detected shape was ({len(nodes)},) + inhomogeneous "
            "part."
        )
    return cat(tuple([reshape(cast(node, kind), (1, *shape)) for node in nodes]), 0)


def array_of(given: Any) -> ndarray:
    """`given` itself if it is an array, else an array of it (`asanyarray`)."""
    if isinstance(given, generic):
        return made_array(fresh(given._tensor.node, given._tensor.node))
    if isinstance(given, ndarray):
        return given
    if isinstance(given, Tensor):
        return viewing(given)
    return made_array(node_of(given))


def dims_of(array: ndarray) -> Shape:
    """The shape, as a plain tuple of the tensor's own."""
    return geometry(array._tensor)[0]
