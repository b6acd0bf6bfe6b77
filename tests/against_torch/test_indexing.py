"""Indexing, read and written, compared with PyTorch and with NumPy's memory rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

SHAPE = (4, 5, 3)


def keys(lib: Any) -> list[Any]:
    mask = lib.tensor([True, False, True, True])
    rows = lib.tensor([0, 3, -1])
    return [
        0,
        -1,
        slice(1, 3),
        slice(None, None, 2),
        slice(3, 1),
        (slice(None), 2),
        (Ellipsis, 1),
        (None, Ellipsis, None),
        (1, None, slice(0, 2)),
        (slice(None), None, 3, Ellipsis),
        rows,
        (rows, 1),
        (1, rows),
        (slice(None), rows),
        (rows, slice(None), lib.tensor([0, 1, 2])),
        (rows, lib.tensor([1, 2, 3])),
        (slice(None), lib.tensor([[0, 1], [2, 3]])),
        (rows, None, lib.tensor([1, 2, 3])),
        (0, rows, lib.tensor([0, 1, 2])),
        (lib.tensor([[0], [1]]), lib.tensor([0, 2, 1])),
        mask,
        (mask, slice(1, 4)),
        (mask, lib.tensor([0, 1, 2])),
        (slice(None), slice(None), lib.tensor([True, False, True])),
        [0, 2],
        ([0, 2], [1, 1]),
        (slice(1, None), [True, False, True, False, True]),
        lib.tensor(2),
        (lib.tensor(1), lib.tensor(2)),
        np.array([1, 0]),
        (np.int64(1), slice(None)),
        True,
        False,
        lib.tensor([], dtype=lib.int64),
        lib.zeros(SHAPE, dtype=lib.bool),
    ]


COUNT = len(keys(torch))


def pair(seed: int = 0) -> tuple[Any, Any]:
    array = np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)
    return torch.tensor(array), flambeau.tensor(array)


@pytest.mark.parametrize("number", range(COUNT))
def test_read(number: int) -> None:
    theirs, ours = pair()
    expected, found = theirs[keys(torch)[number]], ours[keys(flambeau)[number]]
    assert tuple(found.shape) == tuple(expected.shape)
    assert np.array_equal(found.numpy(), expected.numpy())


@pytest.mark.parametrize("number", range(COUNT))
def test_read_gradient(number: int) -> None:
    theirs, ours = (one.requires_grad_() for one in pair())
    for x, lib in ((theirs, torch), (ours, flambeau)):
        part = (x * 2)[keys(lib)[number]]
        (part * part).sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("number", range(COUNT))
@pytest.mark.parametrize("kind", ["number", "broadcast", "whole"])
def test_write(number: int, kind: str) -> None:
    theirs, ours = pair()
    shape = tuple(theirs[keys(torch)[number]].shape)
    if kind == "whole":
        value = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    else:
        value = np.full(shape[-1:], 7, np.float32)
    for x, lib in ((theirs, torch), (ours, flambeau)):
        x[keys(lib)[number]] = 7 if kind == "number" else lib.tensor(value)
    assert np.array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("number", range(COUNT))
def test_write_gradient(number: int) -> None:
    theirs, ours = (one.requires_grad_() for one in pair())
    values = []
    for x, lib in ((theirs, torch), (ours, flambeau)):
        value = lib.tensor(1.5, requires_grad=True)
        y = x * 3
        y[keys(lib)[number]] = value
        (y * y).sum().backward()
        values.append(value)
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-5)
    expected, found = (0.0 if one.grad is None else one.grad.item() for one in values)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "key",
    [
        5,
        (0, 0, 0, 0),
        (slice(None), 7),
        1.5,
        slice(None, None, -1),
        [True, False],
        (0, 9, 9, 9),
    ],
)
def test_refused(key: Any) -> None:
    theirs, ours = pair()
    with pytest.raises(Exception) as expected:  # noqa: PT011 - PyTorch says which
        theirs[key]
    with pytest.raises(expected.type):
        ours[key]


def test_a_bad_index_value_leaves_the_tensor_as_it_was() -> None:
    _, ours = pair()
    before = ours.numpy().copy()
    wrong = flambeau.tensor([0, 9])
    ours[wrong] = 0.0
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        ours.tolist()
    assert np.array_equal(ours.numpy(), before)
