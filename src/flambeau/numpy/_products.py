"""Products of vectors and matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from flambeau.core import dtypes
from flambeau.core.shapes import Shape
from flambeau.graph.node import Node
from flambeau.numpy._elements import zero_like
from flambeau.numpy._joining import stack
from flambeau.numpy._kinds import optional_kind, promoted
from flambeau.numpy._ndarray import array_of, fresh, made, made_array, ndarray, node_of
from flambeau.numpy._results import finished, spelled
from flambeau.numpy._shaping import diagonal
from flambeau.numpy._ufuncs import UFUNCS
from flambeau.ops.comparison import ne
from flambeau.ops.matmul import matmul as product
from flambeau.ops.selection import cast
from flambeau.ops.shape import pad, permute, reshape, sum_
from flambeau.tensor.einstein import einsum as einsum_tensor
from flambeau.tensor.tensor import wrap


def _pair(a: Any, b: Any) -> tuple[Node, Node]:
    """Two operands in their common dtype."""
    first, second = node_of(a), node_of(b)
    if first.spec.dtype is second.spec.dtype:
        return first, second
    kind = promoted(first.spec.dtype, second.spec.dtype)
    return cast(first, kind), cast(second, kind)


def _of_matrices(a: Node, b: Node) -> Node:
    """The product of (stacks of) matrices; of bools, whether any pair of elements is true."""
    if a.spec.dtype is not dtypes.bool:
        return product(a, b)
    found = product(cast(a, dtypes.int64), cast(b, dtypes.int64))
    return ne(found, zero_like(found))


def dot(a: Any, b: Any, out: Any = None) -> Any:
    """The sum of products over the last dimension of `a` and the last but one of `b`.

    >>> import flambeau.numpy as np
    >>> np.dot([[1.0, 2.0]], [3.0, 4.0])
    array([11.])
    """
    first, second = _pair(a, b)
    x, y = first.spec.shape, second.spec.shape
    if len(x) == 2 and len(y) == 2 and x[1] == y[0]:
        result = _of_matrices(first, second)
    elif not x or not y:
        result = UFUNCS["multiply"].node(first, second)
    else:
        at = -1 if len(y) == 1 else -2
        if x[-1] != y[at]:
            raise ValueError(
                f"shapes {spelled(x)} and {spelled(y)} not aligned: {x[-1]} (dim {len(x) - 1}) != "
                f"{y[at]} (dim {len(y) + at})"
            )
        result = _contracted(first, second, (len(x) - 1,), (len(y) + at,))
    return made(result) if out is None else finished(result, out, "dot")


def _contracted(a: Node, b: Node, first: Shape, second: Shape) -> Node:
    """The sum of products over these dimensions, what is left of `a` in front."""
    x, y = a.spec.shape, b.spec.shape
    left = [dim for dim in range(len(x)) if dim not in first]
    right = [dim for dim in range(len(y)) if dim not in second]
    rows, columns = tuple([x[dim] for dim in left]), tuple([y[dim] for dim in right])
    depth = math.prod([x[dim] for dim in first])
    flat_a = reshape(permute(a, (*left, *first)), (math.prod(rows), depth))
    flat_b = reshape(permute(b, (*second, *right)), (depth, math.prod(columns)))
    return reshape(_of_matrices(flat_a, flat_b), rows + columns)


def matmul(a: Any, b: Any, /, out: Any = None, *, dtype: Any = None, **options: Any) -> Any:
    """The product of matrices, of stacks of them (broadcast), or of vectors.

    >>> import flambeau.numpy as np
    >>> np.matmul([[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]])
    """
    first, second = _pair(a, b)
    x, y = first.spec.shape, second.spec.shape
    if not x or not y:
        raise ValueError(
            f"matmul: Input operand {int(bool(x))} does not have enough dimensions (has 0, gufunc "
            "core with signature (n?,k),(k,m?)->(n?,m?) requires 1)"
        )
    if x[-1] != y[-2 if len(y) > 1 else 0]:
        raise ValueError(
            "matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc "
            f"signature (n?,k),(k,m?)->(n?,m?) (size {y[-2 if len(y) > 1 else 0]} is different "
            f"from {x[-1]})"
        )
    node = _by_matmul(first, second)
    kind = optional_kind(dtype)
    return finished(node if kind is None else cast(node, kind), out, "matmul")


def _by_matmul(a: Node, b: Node) -> Node:
    x, y = a.spec.shape, b.spec.shape
    if len(x) == len(y) == 2:
        return _of_matrices(a, b)
    a = reshape(a, (1, *x)) if len(x) == 1 else a
    b = reshape(b, (*y, 1)) if len(y) == 1 else b
    shape, other = a.spec.shape, b.spec.shape
    if len(other) == 2:
        rows = reshape(a, (math.prod(shape[:-1]), shape[-1]))
        node = reshape(_of_matrices(rows, b), (*shape[:-1], other[-1]))
    else:
        rank = max(len(shape), len(other))
        _check_stacks(shape, other)
        a = reshape(a, (1,) * (rank - len(shape)) + shape)
        b = reshape(b, (1,) * (rank - len(other)) + other)
        node = _of_matrices(a, b)
    final = node.spec.shape
    if len(y) == 1:
        final = final[:-1]
    if len(x) == 1:
        final = final[:-1] if len(y) == 1 else (*final[:-2], final[-1])
    return reshape(node, final)


def _check_stacks(x: Shape, y: Shape) -> None:
    try:
        np.broadcast_shapes(x[:-2], y[:-2])
    except ValueError:
        raise ValueError(
            "operands could not be broadcast together with remapped shapes "
            f"[original->remapped]: {spelled(x)}->{spelled(x)} {spelled(y)}->{spelled(y)}"
        ) from None


def vdot(a: Any, b: Any, /) -> Any:
    """The sum of the products of all elements."""
    first, second = _pair(a, b)
    if first.spec.numel != second.spec.numel:
        raise ValueError(
            f"cannot reshape array of size {first.spec.numel} into shape ({second.spec.numel},)"
        )
    return dot(reshape(first, (first.spec.numel,)), reshape(second, (second.spec.numel,)))


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, **options: Any) -> Any:
    """The sums of products along `axis`, the other dimensions broadcast."""
    first, second = _pair(x1, x2)
    if not first.spec.shape or not second.spec.shape:
        raise ValueError("vecdot: Input operand 0 does not have enough dimensions (has 0)")
    sizes = [
        node.spec.shape[normalize_axis_index(axis, len(node.spec.shape))]
        for node in (first, second)
    ]
    if sizes[0] != sizes[1]:
        raise ValueError(
            "vecdot: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature "
            f"(n),(n)->() (size {sizes[1]} is different from {sizes[0]})"
        )
    first, second = [_last(node, axis) for node in (first, second)]
    if first.spec.dtype is dtypes.bool:
        return UFUNCS["logical_or"].reduce(UFUNCS["logical_and"].node(first, second), -1)
    found = UFUNCS["multiply"].node(first, second)
    return made(sum_(found, (len(found.spec.shape) - 1,)))


def _last(node: Node, axis: int) -> Node:
    """A node with the dimension `axis` behind the others."""
    rank = len(node.spec.shape)
    dim = normalize_axis_index(axis, rank)
    return permute(node, (*[one for one in range(rank) if one != dim], dim))


def matvec(x1: Any, x2: Any, /) -> Any:
    """Stacks of matrices times stacks of vectors."""
    second = node_of(x2)
    wide = matmul(x1, reshape(second, (*second.spec.shape, 1)))
    node = node_of(wide)
    return made(reshape(node, node.spec.shape[:-1]))


def vecmat(x1: Any, x2: Any, /) -> Any:
    """Stacks of vectors times stacks of matrices."""
    first = node_of(x1)
    wide = matmul(reshape(first, (*first.spec.shape[:-1], 1, first.spec.shape[-1])), x2)
    node = node_of(wide)
    return made(reshape(node, (*node.spec.shape[:-2], node.spec.shape[-1])))


def inner(a: Any, b: Any, /) -> Any:
    """The sums of products over the last dimensions."""
    first, second = _pair(a, b)
    x, y = first.spec.shape, second.spec.shape
    if not x or not y:
        return UFUNCS["multiply"](first, second)
    if x[-1] != y[-1]:
        raise ValueError(
            f"shapes {spelled(x)} and {spelled(y)} not aligned: {x[-1]} (dim {len(x) - 1}) != "
            f"{y[-1]} (dim {len(y) - 1})"
        )
    return made(_contracted(first, second, (len(x) - 1,), (len(y) - 1,)))


def outer(a: Any, b: Any, out: Any = None) -> Any:
    """The products of each element of `a` with each of `b`."""
    first, second = node_of(a), node_of(b)
    column = reshape(first, (first.spec.numel, 1))
    row = reshape(second, (1, second.spec.numel))
    return finished(UFUNCS["multiply"].node(column, row), out, "outer")


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sums of products over pairs of dimensions: the last of `a` and first of `b`, or given."""
    first, second = _pair(a, b)
    x, y = first.spec.shape, second.spec.shape
    if isinstance(axes, (int, np.integer)):
        here: Any = range(len(x) - axes, len(x))
        there: Any = range(axes)
    else:
        here, there = [[one] if isinstance(one, (int, np.integer)) else list(one) for one in axes]
    if len(here) != len(there):
        raise ValueError("shape-mismatch for sum")
    dims = normalize_axis_tuple(tuple(here), len(x)), normalize_axis_tuple(tuple(there), len(y))
    if any(x[p] != y[q] for p, q in zip(*dims, strict=True)):
        raise ValueError("shape-mismatch for sum")
    return made_array(_contracted(first, second, *dims))


def kron(a: Any, b: Any) -> Any:
    """The Kronecker product: `b` in the place of every element of `a`, times it."""
    first, second = _pair(a, b)
    rank = max(len(first.spec.shape), len(second.spec.shape))
    x, y = [(1,) * (rank - len(n.spec.shape)) + n.spec.shape for n in (first, second)]
    spread_x = tuple([size for one in x for size in (one, 1)])
    spread_y = tuple([size for one in y for size in (1, one)])
    found = UFUNCS["multiply"].node(reshape(first, spread_x), reshape(second, spread_y))
    return made(reshape(found, tuple([p * q for p, q in zip(x, y, strict=True)])))


def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Any:
    """The vectors at right angles to both, of three dimensions (of two: the third component)."""
    if axis is not None:
        axisa = axisb = axisc = axis
    first, second = [_last(node, at) for node, at in zip(_pair(a, b), (axisa, axisb), strict=True)]
    sizes = first.spec.shape[-1], second.spec.shape[-1]
    if not set(sizes) <= {2, 3}:
        raise ValueError(
            "Both input arrays must be (arrays of) 3-dimensional vectors, but they are "
            f"{sizes[0]} and {sizes[1]} dimensional instead."
        )
    x, y = [made_array(fresh(one, one)) for one in (first, second)]

    def minor(p: int, q: int) -> Any:
        return x[..., p] * y[..., q] - x[..., q] * y[..., p]

    if sizes == (2, 2):
        return array_of(minor(0, 1))
    x, y = _with_third(x), _with_third(y)
    parts = [node_of(minor(p, q)) for p, q in ((1, 2), (2, 0), (0, 1))]
    return stack(parts, normalize_axis_index(axisc, len(parts[0].spec.shape) + 1))


def _with_third(x: ndarray) -> ndarray:
    """Vectors of two dimensions in the plane of three."""
    node = x._tensor.node
    rank = len(node.spec.shape)
    if node.spec.shape[-1] == 3:
        return x
    zeros = (0,) * rank
    return made_array(pad(node, zero_like(node), zeros, (*zeros[1:], 1)))


def einsum(*operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Any:
    """Sums of products by Einstein's convention.

    >>> import flambeau.numpy as np
    >>> np.einsum("ij,j->i", [[1.0, 2.0]], [3.0, 4.0])
    array([11.])
    """
    subscripts, *given = operands
    if not isinstance(subscripts, str):
        return _by_sublists(operands, out)
    nodes = [node_of(one) for one in given]
    if not nodes:
        raise ValueError("must provide at least an operand and a subscripts list to einsum")
    kind = promoted(*[node.spec.dtype for node in nodes])
    tensors = [wrap(fresh(cast(node, kind), node)) for node in nodes]
    try:
        result = einsum_tensor(subscripts, *tensors)
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    node = result.node
    return finished(fresh(node, node), out, "einsum")


def _by_sublists(operands: Sequence[Any], out: Any) -> Any:
    """The form without a string: operands and lists of numbers in turn, the result's last."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

    def spelled_out(labels: Any) -> str:
        return "".join(["..." if one is Ellipsis else letters[one] for one in labels])

    arrays, lists = operands[: len(operands) // 2 * 2 : 2], operands[1::2]
    text = ",".join([spelled_out(one) for one in lists])
    if len(operands) % 2:
        text += "->" + spelled_out(operands[-1])
    return einsum(text, *arrays, out=out)


def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    """The sum of the diagonal."""
    return UFUNCS["add"].reduce(diagonal(a, offset, axis1, axis2), -1, dtype, out)
