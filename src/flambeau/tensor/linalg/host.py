"""What the functions of linear algebra share: NumPy on the host, checks, and errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau.core import dtypes
from flambeau.engine.flush import compute
from flambeau.graph.node import Spec
from flambeau.ops.elementwise_base import SPELLING
from flambeau.tensor.results import into
from flambeau.tensor.storage import copied
from flambeau.tensor.tensor import Tensor, wrap

NARROW = (dtypes.float16, dtypes.bfloat16)


class LinAlgError(RuntimeError):
    """A matrix that the function is not defined for: singular, not positive-definite, ..."""


def array_of(tensor: Tensor) -> np.ndarray:
    """The tensor's value, computed now; not to be written to."""
    node = compute(tensor.node)
    buffer: Any = node.buffer
    array: np.ndarray = buffer.as_array(node.dtype.numpy, node.shape)
    return array


def from_array(array: Any) -> Tensor:
    """A tensor with a copy of the array's elements."""
    array = np.asarray(array)
    return wrap(copied(array, Spec.of(array.shape, dtypes.from_numpy(array.dtype))))


def on_host(function: Callable[..., Any], *tensors: Tensor) -> tuple[Tensor, ...]:
    """The arrays that `function` makes of the tensors' values, as tensors without history."""
    with np.errstate(all="ignore"):
        made = function(*[array_of(one) for one in tensors])
    return tuple([from_array(one) for one in made])


def deliver(result: Tensor, out: Tensor | None) -> Tensor:
    """The result, written to `out` if there is one."""
    return result if out is None else into(out, result.node)


def deliver_all(results: Sequence[Tensor], out: Any) -> Sequence[Tensor]:
    """Several results, written to the tensors of `out` if they are given."""
    if out is None:
        return results
    return [into(place, one.node) for one, place in zip(results, out, strict=True)]


def check_matrix(op: str, x: Tensor, name: str = "A") -> None:
    """RuntimeError unless `x` is a matrix or a stack of them."""
    if x.dim() < 2:
        raise RuntimeError(f"{op}: The input tensor {name} must have at least 2 dimensions.")


def check_square(op: str, x: Tensor, name: str = "A") -> None:
    """RuntimeError unless `x` is a square matrix or a stack of them."""
    check_matrix(op, x, name)
    if x.shape[-1] != x.shape[-2]:
        raise RuntimeError(
            f"{op}: {name} must be batches of square matrices, but they are {x.shape[-2]} by "
            f"{x.shape[-1]} matrices"
        )


def check_float(op: str, x: Tensor) -> None:
    """RuntimeError unless `x` is of float32 or float64."""
    check_floating(op, x)
    if x.dtype in NARROW:
        raise RuntimeError(f"{op}: Low precision dtypes not supported. Got {SPELLING[x.dtype]}")


def check_floating(op: str, x: Tensor) -> None:
    """RuntimeError unless `x` is of floats."""
    if not x.dtype.is_floating_point:
        raise RuntimeError(
            f"{op}: Expected a floating point or complex tensor as input. Got {SPELLING[x.dtype]}"
        )


def check_same_dtype(op: str, a: Tensor, b: Tensor, first: str = "A", second: str = "B") -> None:
    """RuntimeError unless both have one dtype."""
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"{op}: Expected {first} and {second} to have the same dtype, but found {first} of "
            f"type {SPELLING[a.dtype]} and {second} of type {SPELLING[b.dtype]} instead"
        )


def check_info(op: str, info: Tensor, problem: str) -> None:
    """LinAlgError with `problem` (`{}` takes the number) for the first matrix that failed."""
    codes = array_of(info)
    failed = np.flatnonzero(codes)
    if not failed.size:
        return
    where = f" (Batch element {failed[0]}):" if codes.ndim else ""
    raise LinAlgError(f"{op}:{where} {problem.format(codes.flat[failed[0]])}")


def with_info(
    function: Callable[..., np.ndarray],
    fault: Callable[[np.ndarray], int],
    *arrays: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`function` of stacks of matrices, and for each matrix 0, or its fault's number.

    The result for a matrix that NumPy refuses is NaN.
    """
    first = arrays[0]
    codes = np.zeros(first.shape[:-2], np.int32)
    try:
        return function(*arrays), codes
    except np.linalg.LinAlgError:
        result = np.full(arrays[-1].shape, np.nan, first.dtype)
    for place in np.ndindex(codes.shape):
        try:
            result[place] = function(*[one[place] for one in arrays])
        except np.linalg.LinAlgError:
            codes[place] = fault(first[place])
    return result, codes


def symmetric_part(x: Tensor) -> Tensor:
    """The mean of a matrix and its transpose."""
    return (x + x.mT) * 0.5


def with_half_diagonal(x: Tensor) -> Tensor:
    """The matrix with its diagonal halved."""
    half: Tensor = x.diagonal(0, -2, -1) * 0.5
    rest: Tensor = x - half.diag_embed()
    return rest
