"""Shapes and orders of dimensions: views where NumPy gives views."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from numpy import broadcast_shapes
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from flambeau.core.shapes import Shape
from flambeau.numpy._ndarray import array_of, dims_of, fresh, made_array, ndarray, node_of, viewing
from flambeau.numpy._results import spelled
from flambeau.ops import shape as ops
from flambeau.tensor import views
from flambeau.tensor.tensor import Tensor, geometry, make_view


def tensor_of(a: Any) -> Tensor:
    """The tensor of any array-like."""
    return array_of(a)._tensor


def sizes_of(given: tuple[Any, ...]) -> Shape:
    """A shape given as one argument or as several."""
    if len(given) == 1 and not _is_index(given[0]):
        given = tuple(given[0])
    return tuple([operator.index(one) for one in given])


def _is_index(value: Any) -> bool:
    if isinstance(value, ndarray):
        return not value.ndim
    return hasattr(value, "__index__")


def reshape(
    a: Any,
    /,
    shape: Any = None,
    order: str = "C",
    *,
    newshape: Any = None,
    copy: bool | None = None,
) -> ndarray:
    """The elements under another shape, one size of which may be -1: a view where possible.

    >>> import flambeau.numpy as np
    >>> np.reshape(np.arange(6), (2, -1))
    array([[0, 1, 2],
           [3, 4, 5]])
    """
    given = shape if shape is not None else newshape
    if given is None:
        raise TypeError("reshape() missing 1 required positional argument: 'shape'")
    tensor = tensor_of(a)
    wanted = _inferred(sizes_of((given,)), tensor.numel())
    if order == "F":
        back = reshape(viewing(views.reversed_dims(tensor)), wanted[::-1])
        return viewing(views.reversed_dims(back._tensor))
    if copy:
        node = tensor.node
        return made_array(fresh(ops.reshape(node, wanted), node))
    if copy is False and views.strides_for(tensor, wanted) is None:
        raise ValueError("Unable to avoid creating a copy while reshaping.")
    return viewing(views.reshape(tensor, wanted))


def _inferred(shape: Shape, count: int) -> Shape:
    known = math.prod([size for size in shape if size >= 0])
    unknown = [dim for dim, size in enumerate(shape) if size < 0]
    if len(unknown) > 1:
        raise ValueError("can only specify one unknown dimension")
    fits = known == count if not unknown else known and count % known == 0
    if not fits:
        raise ValueError(f"cannot reshape array of size {count} into shape {spelled(shape)}")
    return tuple([count // known if size < 0 else size for size in shape])


def ravel(a: Any, order: str = "C") -> ndarray:
    """The elements as a vector: a view where possible."""
    return reshape(a, -1 if array_of(a).size else 0, order)


def transpose(a: Any, axes: Any = None) -> ndarray:
    """The dimensions in the opposite order, or in the order `axes`: a view."""
    tensor = tensor_of(a)
    if axes is None:
        return viewing(views.reversed_dims(tensor))
    rank = tensor.dim()
    axes = tuple(axes)
    if len(axes) != rank:
        raise ValueError("axes don't match array")
    order = [normalize_axis_index(operator.index(one), rank) for one in axes]
    if len(set(order)) != rank:
        raise ValueError("repeated axis in transpose")
    return viewing(views.permute(tensor, order))


permute_dims = transpose


def transposed(a: ndarray) -> ndarray:
    """`ndarray.T`: the dimensions in the opposite order: a view."""
    tensor = a._tensor
    shape, strides, offset = geometry(tensor)
    if len(shape) != 2:
        return viewing(views.reversed_dims(tensor))
    node = ops.permute(tensor.node, (1, 0))
    return viewing(make_view(tensor, node, strides[::-1], offset, ops.permute, (1, 0)))


def matrix_transpose(x: Any, /) -> ndarray:
    """The last two dimensions exchanged: a view."""
    tensor = tensor_of(x)
    if tensor.dim() < 2:
        raise ValueError(f"Input array must be at least 2-dimensional, but it is {tensor.dim()}")
    return viewing(views.transpose(tensor, -2, -1))


def swapaxes(a: Any, axis1: int, axis2: int) -> ndarray:
    """Two dimensions exchanged: a view."""
    tensor = tensor_of(a)
    rank = tensor.dim()
    first, second = normalize_axis_index(axis1, rank), normalize_axis_index(axis2, rank)
    return viewing(views.transpose(tensor, first, second))


def moveaxis(a: Any, source: Any, destination: Any) -> ndarray:
    """Dimensions moved to other places, the rest in their order: a view."""
    tensor = tensor_of(a)
    rank = tensor.dim()
    here = normalize_axis_tuple(source, rank, "source")
    there = normalize_axis_tuple(destination, rank, "destination")
    if len(here) != len(there):
        raise ValueError(
            "`source` and `destination` arguments must have the same number of elements"
        )
    return viewing(views.movedim(tensor, list(here), list(there)) if here else tensor)


def rollaxis(a: Any, axis: int, start: int = 0) -> ndarray:
    """The dimension `axis` moved to before `start`: a view."""
    rank = array_of(a).ndim
    axis = normalize_axis_index(axis, rank)
    start = start + rank if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


def expand_dims(a: Any, axis: Any) -> ndarray:
    """New dimensions of size 1 at `axis`, places in the result: a view."""
    found = array_of(a)
    axes = (axis,) if not isinstance(axis, (tuple, list)) else tuple(axis)
    rank = found.ndim + len(axes)
    places = normalize_axis_tuple(axes, rank)
    own = iter(dims_of(found))
    return reshape(found, tuple([1 if dim in places else next(own) for dim in range(rank)]))


def squeeze(a: Any, axis: Any = None) -> ndarray:
    """Without the dimensions of size 1, or without those of `axis`: a view."""
    tensor = tensor_of(a)
    shape = geometry(tensor)[0]
    if axis is None:
        return viewing(views.squeeze(tensor))
    dims = normalize_axis_tuple(axis, len(shape))
    if any(shape[dim] != 1 for dim in dims):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return viewing(views.squeeze(tensor, dims))


def broadcast_to(array: Any, shape: Any, subok: bool = False) -> ndarray:
    """Expanded to `shape` without a copy; not to be written to."""
    tensor = tensor_of(array)
    wanted = sizes_of((shape,))
    try:
        return viewing(views.expand(tensor, wanted))
    except RuntimeError:
        raise ValueError(
            "operands could not be broadcast together with remapped shapes "
            f"[original->remapped]: {spelled(tensor.shape)}  and requested shape {spelled(wanted)}"
        ) from None


def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[ndarray, ...]:
    """The arrays expanded to their common shape."""
    arrays = [array_of(one) for one in args]
    shape = broadcast_shapes(*[dims_of(one) for one in arrays])
    return tuple([broadcast_to(one, shape) for one in arrays])


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> ndarray:
    """The diagonals of the planes that two dimensions span: a view."""
    tensor = tensor_of(a)
    if tensor.dim() < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    rank = tensor.dim()
    first, second = normalize_axis_index(axis1, rank), normalize_axis_index(axis2, rank)
    if first == second:
        raise ValueError("axis1 and axis2 cannot be the same")
    return viewing(views.diagonal(tensor, offset, first, second))


def _widened(a: Any, shapes: Sequence[Any]) -> ndarray:
    found = array_of(a)
    rank = found.ndim
    return found if rank >= len(shapes) else reshape(found, shapes[rank](*dims_of(found)))


def atleast_1d(*arys: Any) -> Any:
    """With at least one dimension."""
    return _each(arys, [lambda: (1,)])


def atleast_2d(*arys: Any) -> Any:
    """With at least two dimensions; new ones in front."""
    return _each(arys, [lambda: (1, 1), lambda n: (1, n)])


def atleast_3d(*arys: Any) -> Any:
    """With at least three dimensions: a matrix gets one behind, a vector one on each side."""
    return _each(arys, [lambda: (1, 1, 1), lambda n: (1, n, 1), lambda m, n: (m, n, 1)])


def _each(arrays: tuple[Any, ...], shapes: Sequence[Any]) -> Any:
    result = tuple([_widened(one, shapes) for one in arrays])
    return result[0] if len(result) == 1 else result


def flip(m: Any, axis: Any = None) -> ndarray:
    """The elements in the opposite order along `axis`: a view."""
    found = array_of(m)
    dims = range(found.ndim) if axis is None else normalize_axis_tuple(axis, found.ndim)
    steps = [-1 if dim in dims else 1 for dim in range(found.ndim)]
    return found[tuple([slice(None, None, step) for step in steps] + [...])]


def fliplr(m: Any) -> ndarray:
    """The columns in the opposite order: a view."""
    if array_of(m).ndim < 2:
        raise ValueError("Input must be >= 2-d.")
    return flip(m, 1)


def flipud(m: Any) -> ndarray:
    """The rows in the opposite order: a view."""
    if array_of(m).ndim < 1:
        raise ValueError("Input must be >= 1-d.")
    return flip(m, 0)


def along(dim: int, part: Any) -> tuple[Any, ...]:
    """The key that takes `part` of dimension `dim` and all of those before it."""
    return (slice(None),) * dim + (part,)


def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> ndarray:
    """Turned by k quarters from the first of `axes` to the second."""
    found = array_of(m)
    if len(axes) != 2:
        raise ValueError("len(axes) must be 2.")
    first, second = [normalize_axis_index(one, found.ndim) for one in axes]
    if first == second:
        raise ValueError("Axes must be different.")
    turned = {
        0: lambda: found,
        1: lambda: swapaxes(flip(found, second), first, second),
        2: lambda: flip(flip(found, first), second),
        3: lambda: flip(swapaxes(found, first, second), second),
    }
    return turned[k % 4]()


def shares_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    """Whether the two arrays share an element (of overlapping stretches: whether they may)."""
    if not (isinstance(a, ndarray) and isinstance(b, ndarray)):
        return False
    if a._tensor._storage is not b._tensor._storage:
        return False
    return _reach(a).start < _reach(b).stop and _reach(b).start < _reach(a).stop


may_share_memory = shares_memory


def _reach(array: ndarray) -> range:
    """The stretch of the storage that the array's elements lie in."""
    shape, strides, offset = geometry(array._tensor)
    if 0 in shape:
        return range(0)
    ends = [(size - 1) * by for size, by in zip(shape, strides, strict=True)]
    low = offset + sum([min(end, 0) for end in ends])
    return range(low, offset + sum([max(end, 0) for end in ends]) + 1)


def shape(a: Any) -> Shape:
    """The sizes of the dimensions."""
    return node_of(a).spec.shape


def ndim(a: Any) -> int:
    """The number of dimensions."""
    return len(node_of(a).spec.shape)


def size(a: Any, axis: Any = None) -> int:
    """The number of elements, or the size along `axis`."""
    found = node_of(a).spec
    if axis is None:
        return found.numel
    return math.prod([found.shape[dim] for dim in normalize_axis_tuple(axis, len(found.shape))])


def as_view(tensor: Tensor, shape: Shape, strides: Shape, offset: int) -> ndarray:
    """The elements that shape and strides (in elements) reach: a view."""
    return viewing(views.as_strided(tensor, shape, strides, offset))


def whole_view(a: ndarray) -> ndarray:
    """A view of all of it."""
    tensor = a._tensor
    own, strides, offset = geometry(tensor)
    return viewing(make_view(tensor, tensor.node, strides, offset, ops.reshape, own))
