"""Matrix products and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from flambeau.core import dtypes
from flambeau.core.shapes import broadcast, normalize_dim
from flambeau.graph.node import Node
from flambeau.ops import algebra
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.matmul import matmul as product
from flambeau.ops.selection import cast
from flambeau.ops.shape import expand, kept_as_ones, permute, reshape, sum_
from flambeau.ops.strided import cat, slice_
from flambeau.tensor.arithmetic import scalar_like
from flambeau.tensor.creation import eye
from flambeau.tensor.indexing import get_item
from flambeau.tensor.joining import triu_indices
from flambeau.tensor.promotion import check_tensor, from_array, operands
from flambeau.tensor.reductions import vector_norm_node
from flambeau.tensor.results import finish
from flambeau.tensor.tensor import Tensor, wrap
from flambeau.tensor.views import diagonal

_C_NAMES = {
    dtypes.float32: "float",
    dtypes.float64: "double",
    dtypes.float16: "c10::Half",
    dtypes.bfloat16: "c10::BFloat16",
    dtypes.int64: "long int",
    dtypes.int32: "int",
    dtypes.int16: "short int",
    dtypes.int8: "signed char",
    dtypes.uint8: "unsigned char",
    dtypes.bool: "bool",
}


def _check_rank(name: str, argument: str, node: Node, rank: int) -> None:
    if len(node.spec.shape) != rank:
        what = {1: "1D tensor", 2: "matrix", 3: "3D tensor"}[rank]
        raise RuntimeError(
            f"{name}: {argument} must be a {what}, got {len(node.spec.shape)}D tensor"
        )


def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The product of two matrices.

    >>> import flambeau
    >>> flambeau.mm(flambeau.ones(1, 2), flambeau.ones(2, 1))
    tensor([[2.]])
    """
    a, b = input.node, mat2.node
    if len(a.spec.shape) != 2:
        raise RuntimeError("self must be a matrix")
    if len(b.spec.shape) != 2:
        raise RuntimeError("mat2 must be a matrix")
    return finish(product(a, b), out)


def bmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The products of two stacks of matrices, of equal number."""
    a, b = input.node, mat2.node
    if len(a.spec.shape) != 3 or len(b.spec.shape) != 3:
        raise RuntimeError(
            "batch1 must be a 3D tensor" if len(a.spec.shape) != 3 else "batch2 must be a 3D tensor"
        )
    if a.spec.shape[0] != b.spec.shape[0] or a.spec.shape[2] != b.spec.shape[1]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{a.spec.shape[0]}, {a.spec.shape[2]}] but got: "
            f"[{b.spec.shape[0]}, {b.spec.shape[1]}]."
        )
    return finish(product(a, b), out)


def mv(input: Tensor, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """A matrix times a vector."""
    _check_rank("mv", "self", input.node, 2)
    _check_rank("mv", "vec", vec.node, 1)
    if input.shape[1] != vec.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({input.shape[0]}), mat ({input.shape[0]}x"
            f"{input.shape[1]}), vec ({vec.shape[0]})"
        )
    return finish(_product(input.node, vec.node), out)


def dot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The sum of the products of two vectors' elements."""
    a, b = input.node, tensor.node
    if len(a.spec.shape) != 1 or len(b.spec.shape) != 1:
        raise RuntimeError(
            f"1D tensors expected, but got {len(a.spec.shape)}D and {len(b.spec.shape)}D tensors"
        )
    if a.dtype is not b.dtype:
        raise RuntimeError(
            "dot : expected both vectors to have same dtype, but found "
            f"{SPELLING[a.dtype]} and {SPELLING[b.dtype]}"
        )
    if a.spec.shape != b.spec.shape:
        raise RuntimeError(
            "inconsistent tensor size, expected tensor "
            f"{list(a.spec.shape)} and src {list(b.spec.shape)} to have the same number of "
            f"elements, but got {a.spec.numel} and {b.spec.numel} elements respectively"
        )
    return finish(_product(a, b), out)


def vdot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`dot`, of real vectors."""
    return dot(input, other, out=out)


def matmul(input: Tensor, other: Any, *, out: Tensor | None = None) -> Tensor:
    """The product of matrices, stacks of them (broadcast), or vectors.

    >>> import flambeau
    >>> flambeau.matmul(flambeau.ones(2, 3), flambeau.ones(3))
    tensor([3., 3.])
    """
    if not isinstance(other, Tensor):
        other = from_array(other)
        check_tensor("matmul", "other", 2, other)
    a, b = input.node, other.node
    if len(a.spec.shape) == len(b.spec.shape) == 2:
        return finish(product(a, b), out)
    return finish(_product(a, b), out)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x Wᵀ + b`: (..., in), weight (out, in) or (in,), bias (out,) or () give (..., out)."""
    a, w = input.node, weight.node
    if len(w.spec.shape) > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {len(w.spec.shape)}D"
        )
    if len(w.spec.shape) == 2:
        w = permute(w, (1, 0))
    node = product(a, w) if len(a.spec.shape) == len(w.spec.shape) == 2 else _product(a, w)
    if bias is None:
        return wrap(node)
    b = bias.node
    if b.spec.dtype is node.spec.dtype:
        return wrap(algebra.add(node, b))
    return wrap(node) + bias


def rmatmul(input: Tensor, other: Any) -> Tensor:
    """`other @ input`."""
    return matmul(from_array(other), input)


def _product(a: Node, b: Node) -> Node:
    """The product by the rules of `matmul`: vectors count as a row and as a column."""
    first, second = a.spec.shape, b.spec.shape
    if not first or not second:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {len(first)}D and "
            f"{len(second)}D"
        )
    if len(first) == 1:
        a = reshape(a, (1, *first))
    if len(second) == 1:
        b = reshape(b, (*second, 1))
    result = _stacked(a, b)
    shape = result.spec.shape
    if len(second) == 1:
        shape = shape[:-1]
    if len(first) == 1:
        shape = shape[:-1] if len(second) == 1 else (*shape[:-2], shape[-1])
    return reshape(result, shape)


def _stacked(a: Node, b: Node) -> Node:
    first, second = a.spec.shape, b.spec.shape
    if len(first) > 2 and len(second) == 2:
        rows = reshape(a, (math.prod(first[:-1]), first[-1]))
        return reshape(product(rows, b), (*first[:-1], second[-1]))
    rank = max(len(first), len(second))
    a = reshape(a, (1,) * (rank - len(first)) + first)
    b = reshape(b, (1,) * (rank - len(second)) + second)
    return product(a, b)


def _plus(input: Tensor, node: Node, beta: float, alpha: float) -> Node:
    """`beta * input + alpha * node`; an input times 0 is not looked at."""
    if alpha != 1:
        node = algebra.mul(node, _factor(alpha, node, "alpha"))
    if beta == 0:
        return expand(node, node.spec.shape)
    added = input.node
    if added.dtype is not node.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {SPELLING[added.dtype]} and "
            f"{SPELLING[node.dtype]}"
        )
    if beta != 1:
        added = algebra.mul(added, _factor(beta, node, "beta"))
    return algebra.add(expand(added, node.spec.shape), node)


def _factor(value: float, node: Node, name: str) -> Node:
    if type(value) is float and not node.dtype.is_floating_point:
        raise RuntimeError(
            f"For integral input tensors, argument {name} must not be a floating point number."
        )
    return scalar_like(value, node)


def addmm(
    input: Tensor,
    mat1: Any,
    mat2: Any,
    *legacy: Any,
    beta: float = 1,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`beta * input + alpha * mat1 @ mat2`."""
    if len(legacy) == 2:  # addmm(beta, input, alpha, mat1, mat2)
        scale, added = input, mat1
        return addmm(added, *legacy, beta=scale, alpha=mat2, out=out)  # type: ignore[arg-type]
    return finish(_plus(input, mm(mat1, mat2).node, beta, alpha), out)


def addmv(
    input: Tensor,
    mat: Tensor,
    vec: Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`beta * input + alpha * mat @ vec`."""
    return finish(_plus(input, mv(mat, vec).node, beta, alpha), out)


def addbmm(
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`beta * input + alpha * Σ batch1[i] @ batch2[i]`."""
    total = sum_(bmm(batch1, batch2).node, (0,))
    return finish(_plus(input, total, beta, alpha), out)


def baddbmm(
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`beta * input[i] + alpha * batch1[i] @ batch2[i]`."""
    return finish(_plus(input, bmm(batch1, batch2).node, beta, alpha), out)


def outer(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """All products of an element of one vector with one of the other."""
    a, b = operands(input, vec2)
    _check_rank("outer", "self", a, 1)
    _check_rank("outer", "vec2", b, 1)
    return finish(algebra.mul(reshape(a, (*a.spec.shape, 1)), b), out)


def addr(
    input: Tensor,
    vec1: Tensor,
    vec2: Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`beta * input + alpha * outer(vec1, vec2)`."""
    node = outer(vec1, vec2).node
    kind = dtypes.promote(input.dtype, node.dtype)
    return finish(
        _plus(
            wrap(cast(input.node, kind)) if kind is not input.dtype else input,
            cast(node, kind),
            beta,
            alpha,
        ),
        out,
    )


def inner(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sums of products along both last dimensions."""
    if not input.dim() or not other.dim():
        return finish(algebra.mul(*operands(input, other)), out)
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]), out=out)


def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Tensor | None = None) -> Tensor:
    """Sums of products over pairs of dimensions: `dims` of the last and first, or two lists."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        pairs = [*range(a.dim() - dims, a.dim())], [*range(dims)]
    else:
        pairs = (
            [dims[0]] if isinstance(dims[0], int) else list(dims[0]),
            [dims[1]] if isinstance(dims[1], int) else list(dims[1]),
        )
    first = [normalize_dim(dim, a.dim()) for dim in pairs[0]]
    second = [normalize_dim(dim, b.dim()) for dim in pairs[1]]
    left, right = a.node, b.node
    for one, other in zip(first, second, strict=True):
        sizes = left.spec.shape[one], right.spec.shape[other]
        if sizes[0] != sizes[1] and 1 not in sizes:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {sizes[0]} in dim "
                f"{one} and second has size {sizes[1]} in dim {other}"
            )
        # A size of 1 goes with any: the other side is summed.
        left = _as_one(left, one) if sizes[1] == 1 else left
        right = _as_one(right, other) if sizes[0] == 1 else right
    return finish(_contracted(left, right, first, second), out)


def _as_one(node: Node, dim: int) -> Node:
    return reshape(sum_(node, (dim,)), kept_as_ones(node.spec.shape, (dim,)))


def _contracted(a: Node, b: Node, first: Sequence[int], second: Sequence[int]) -> Node:
    rows = [dim for dim in range(len(a.spec.shape)) if dim not in first]
    columns = [dim for dim in range(len(b.spec.shape)) if dim not in second]
    depth = math.prod([a.spec.shape[dim] for dim in first])
    down = [a.spec.shape[dim] for dim in rows]
    across = [b.spec.shape[dim] for dim in columns]
    left = reshape(permute(a, (*rows, *first)), (math.prod(down), depth))
    right = reshape(permute(b, (*second, *columns)), (depth, math.prod(across)))
    return reshape(product(left, right), (*down, *across))


def chain_matmul(*matrices: Any) -> Tensor:
    """The product of several matrices, multiplied in the cheapest order."""
    given = list(
        matrices[0] if len(matrices) == 1 and not isinstance(matrices[0], Tensor) else matrices
    )
    if len(given) == 1:
        return given[0]  # type: ignore[no-any-return]
    sizes = [given[0].shape[0], *[one.shape[1] for one in given]]
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for width in range(1, len(given)):
        for low in range(len(given) - width):
            high = low + width
            best[low, high] = min(
                (
                    best.get((low, cut), (0, 0))[0]
                    + best.get((cut + 1, high), (0, 0))[0]
                    + sizes[low] * sizes[cut + 1] * sizes[high + 1],
                    cut,
                )
                for cut in range(low, high)
            )

    def multiply(low: int, high: int) -> Tensor:
        if low == high:
            return given[low]  # type: ignore[no-any-return]
        cut = best[low, high][1]
        return mm(multiply(low, cut), multiply(cut + 1, high))

    return multiply(0, len(given) - 1)


def kron(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Kronecker product: each element of `input` times the whole of `other`."""
    a, b = operands(input, other)
    rank = max(len(a.spec.shape), len(b.spec.shape))
    first = (1,) * (rank - len(a.spec.shape)) + a.spec.shape
    second = (1,) * (rank - len(b.spec.shape)) + b.spec.shape
    apart = reshape(a, tuple([one for size in first for one in (size, 1)]))
    fine = reshape(b, tuple([one for size in second for one in (1, size)]))
    final = tuple([one * two for one, two in zip(first, second, strict=True)])
    return finish(reshape(algebra.mul(apart, fine), final), out)


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    if input.dim() != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.dim()}")
    node = diagonal(input).node
    kind = node.dtype if node.dtype.is_floating_point else dtypes.int64
    return wrap(sum_(cast(node, kind), (0,)))


def matrix_power(input: Tensor, n: int) -> Tensor:
    """The matrix multiplied with itself; `n` not negative."""
    if n == 0:
        return wrap(expand(eye(input.shape[-1], dtype=input.dtype).node, tuple(input.shape)))
    result, power = None, input
    while n:
        if n & 1:
            result = power if result is None else matmul(result, power)
        n >>= 1
        if n:
            power = matmul(power, power)
    return power if result is None else result.clone() if result is input else result


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product along a dimension of size 3 (the first such, unless given)."""
    a, b = operands(input, other)
    shape = broadcast([a.spec.shape, b.spec.shape], "cross")
    if dim is None:
        dim = next((one for one, size in enumerate(shape) if size == 3), -1)
        if dim < 0:
            raise RuntimeError("no dimension of size 3 in input")
    dim = normalize_dim(dim, len(shape))
    if shape[dim] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {a.spec.shape[dim]} and "
            f"{b.spec.shape[dim]}"
        )
    a, b = expand(a, shape), expand(b, shape)

    def turned(node: Node, by: int) -> Node:
        parts = []
        for number in range(3):
            starts = tuple([(number + by) % 3 if one == dim else 0 for one in range(len(shape))])
            sizes = (*shape[:dim], 1, *shape[dim + 1 :])
            parts.append(slice_(node, starts, (1,) * len(shape), sizes))
        return cat(tuple(parts), dim)

    return wrap(
        algebra.sub(
            algebra.mul(turned(a, 1), turned(b, 2)), algebra.mul(turned(a, 2), turned(b, 1))
        )
    )


def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """Distances of all rows of `x1` from all rows of `x2`, in the p-norm; stacks broadcast."""
    a, b = x1.node, x2.node
    if len(a.spec.shape) < 2 or len(b.spec.shape) < 2:
        raise RuntimeError("cdist only supports at least 2D tensors")
    if a.spec.shape[-1] != b.spec.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {a.spec.shape[-1]} X2: "
            f"{b.spec.shape[-1]}"
        )
    left = reshape(a, (*a.spec.shape[:-1], 1, a.spec.shape[-1]))
    right = reshape(b, (*b.spec.shape[:-2], 1, *b.spec.shape[-2:]))
    gaps = algebra.sub(left, right)
    rank = len(gaps.spec.shape)
    if not gaps.spec.numel:
        return wrap(sum_(gaps, (rank - 1,)))
    return wrap(vector_norm_node(gaps, float(p), (rank - 1,)))


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Distances of all pairs of rows."""
    rows, columns = triu_indices(input.shape[0], input.shape[0], 1)
    gaps = algebra.sub(get_item(input, rows).node, get_item(input, columns).node)
    if not gaps.spec.numel:
        return wrap(sum_(gaps, (1,)))
    return wrap(vector_norm_node(gaps, float(p), (1,)))
