"""Random shapes, keys and dtypes: what NumPy gives, flambeau.numpy gives."""

from __future__ import annotations

from typing import Any

import numpy  # noqa: ICN001 - `np` is flambeau.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import flambeau.numpy as np

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
FEW = settings(max_examples=40, deadline=None, derandomize=True)


def numbered(shape: tuple[int, ...], dtype: str = "float64") -> numpy.ndarray:
    return (numpy.arange(numpy.prod(shape, dtype=int)) % 7 - 2).astype(dtype).reshape(shape)


def check(ours: Any, theirs: Any) -> None:
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    numpy.testing.assert_allclose(numpy.asarray(ours), theirs, rtol=1e-3)


SHAPES = arrays.array_shapes(max_dims=3, max_side=4, min_side=0)


@FEW
@given(
    arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4),
    st.sampled_from(DTYPES),
    st.sampled_from(DTYPES),
    st.sampled_from(("add", "multiply", "maximum", "less")),
)
def test_broadcasting_and_promotion(shapes: Any, first: str, second: str, name: str) -> None:
    a, b = (numbered(s, d) for s, d in zip(shapes.input_shapes, (first, second), strict=True))
    check(getattr(np, name)(np.array(a), np.array(b)), getattr(numpy, name)(a, b))


@FEW
@given(st.data())
def test_basic_keys_read_and_write(data: Any) -> None:
    shape = data.draw(SHAPES)
    key = data.draw(arrays.basic_indices(shape, allow_newaxis=True))
    theirs, ours = numbered(shape), np.array(numbered(shape))
    check(ours[key], theirs[key])
    theirs[key] = 50
    ours[key] = 50
    check(ours, theirs)


@FEW
@given(st.data())
def test_index_arrays_read_and_write(data: Any) -> None:
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=3, max_side=4))
    key = data.draw(
        arrays.integer_array_indices(shape, result_shape=arrays.array_shapes(max_dims=2))
    )
    theirs, ours = numbered(shape), np.array(numbered(shape))
    check(ours[key], theirs[key])
    theirs[key] = 50
    ours[key] = 50
    check(ours, theirs)


@FEW
@given(st.data())
def test_masks_read_and_write(data: Any) -> None:
    shape = data.draw(arrays.array_shapes(max_dims=2, max_side=4))
    mask = data.draw(arrays.arrays(bool, shape))
    theirs, ours = numbered(shape), np.array(numbered(shape))
    check(ours[np.array(mask)], theirs[mask])
    theirs[mask] *= 3
    ours[np.array(mask)] *= 3
    check(ours, theirs)


@FEW
@given(st.data())
def test_reductions_over_any_axes(data: Any) -> None:
    shape = data.draw(arrays.array_shapes(max_dims=3, max_side=4))
    axes = data.draw(arrays.valid_tuple_axes(len(shape)))
    keep = data.draw(st.booleans())
    dtype = data.draw(st.sampled_from(("int64", "float32", "float64", "bool")))
    name = data.draw(st.sampled_from(("sum", "max", "mean", "all", "var")))
    a = numbered(shape, dtype)
    theirs = getattr(numpy, name)(a, axis=axes, keepdims=keep)
    check(getattr(np, name)(np.array(a), axis=axes, keepdims=keep), theirs)


@FEW
@given(st.data())
def test_writes_through_chains_of_views(data: Any) -> None:
    theirs = numbered((3, 4))
    ours = np.array(theirs)
    a, b = theirs, ours
    for _ in range(data.draw(st.integers(1, 4))):
        step = data.draw(st.sampled_from(("T", "flip", "slice", "reshape", "newaxis", "row")))
        views = {
            "T": lambda x: x.T,
            "flip": lambda x: x[::-1],
            "slice": lambda x: x[:, ::2] if x.ndim > 1 else x[1:],
            "reshape": lambda x: x.reshape(-1),
            "newaxis": lambda x: x[None],
            "row": lambda x: x[0] if x.ndim > 1 else x,
        }
        a, b = views[step](a), views[step](b)
        check(b, a)
    if a.size:
        a[...] = 99
        b[...] = 99
        a += 1
        b += 1
    check(b, a)
    check(ours, theirs)
