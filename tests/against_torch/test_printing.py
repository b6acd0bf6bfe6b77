"""Printed tensors, character for character against PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from flambeau.core import dtypes
from flambeau.tensor.printing import format_tensor, get_printoptions, set_printoptions

torch = pytest.importorskip("torch")

SHAPES = [
    (), (1,), (5,), (30,), (1001,), (1500,), (2, 3), (1, 1), (40, 26), (7, 200), (200, 6), (3, 0),
    (0,), (0, 3), (2, 3, 4), (11, 11, 11), (1, 2, 1, 3), (5, 1, 300), (2, 2, 2, 2, 2),
]  # fmt: skip
OPTIONS = [
    {},
    {"profile": "short"},
    {"profile": "full"},
    {"precision": 7},
    {"precision": 0},
    {"linewidth": 20},
    {"linewidth": 5},
    {"threshold": 4, "edgeitems": 1},
    {"threshold": 0},
    {"edgeitems": 0},
    {"threshold": 2, "edgeitems": 0},
    {"sci_mode": True},
    {"sci_mode": False},
]


@pytest.fixture(autouse=True)
def default_options() -> Iterator[None]:
    yield
    set_printoptions(profile="default")
    torch.set_printoptions(profile="default")


def random_floats(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Elements of one of the kinds between which the format changes."""
    kind = rng.integers(7)
    values = rng.standard_normal(shape)
    if kind == 1:
        values = values * 10.0 ** rng.integers(-6, 10)
    elif kind == 2:
        values = np.round(values * 10.0 ** rng.integers(0, 10))
    elif kind == 3:
        values = values * 10.0 ** rng.integers(-8, 8, shape)
    elif kind == 4:
        values = np.abs(values) * (rng.random(shape) < 0.3)
    if kind >= 4:
        special = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], shape)
        values = np.where(rng.random(shape) < rng.choice([0.1, 0.9, 1.0]), special, values)
    return np.asarray(values)


def random_tensor(rng: np.random.Generator, shape: tuple[int, ...], kind: dtypes.dtype) -> Any:
    target = getattr(torch, kind.name)
    if kind.is_floating_point:
        return torch.from_numpy(random_floats(rng, shape)).to(target)
    if kind is dtypes.bool:
        return torch.from_numpy(np.asarray(rng.random(shape) < 0.5))
    limits = np.iinfo(kind.numpy)
    low, high = ((0, 10), (limits.min, limits.max), (max(limits.min, -50), 100))[rng.integers(3)]
    return torch.from_numpy(np.asarray(rng.integers(low, high, shape, kind.numpy, endpoint=True)))


def ours(tensor: Any, **history: Any) -> str:
    wide = tensor.detach().float() if tensor.dtype == torch.bfloat16 else tensor.detach()
    kind = dtypes.BY_NAME[str(tensor.dtype).removeprefix("torch.")]
    return format_tensor(wide.numpy(), kind, **history)


@pytest.mark.parametrize("kind", dtypes.ALL, ids=lambda kind: kind.name)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_prints_as_torch(kind: dtypes.dtype, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    set_printoptions(**options)
    torch.set_printoptions(**options)
    for shape in SHAPES:
        full = math.prod(shape) <= 400
        for _ in range(8 if full else 2):
            tensor = random_tensor(rng, shape, kind)
            assert ours(tensor) == repr(tensor)


@pytest.mark.parametrize("size", range(1, 14))
def test_suffixes_break_lines_as_torch(size: int) -> None:
    leaf = torch.linspace(0, 1, size, dtype=torch.float64, requires_grad=True)
    assert ours(leaf, requires_grad=True) == repr(leaf)
    result = leaf.exp()
    assert ours(result, requires_grad=True, grad_fn="ExpBackward0") == repr(result)


def test_another_default_dtype() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        for tensor in (
            torch.zeros(2),
            torch.zeros(2).float(),
            torch.zeros(0),
            torch.zeros(0).int(),
        ):
            assert ours(tensor, default_dtype=dtypes.float64) == repr(tensor)
    finally:
        torch.set_default_dtype(torch.float32)


def test_subclass_name_moves_the_indent() -> None:
    class Picture(torch.Tensor):
        pass

    tensor = torch.arange(12.0).reshape(3, 4)
    assert ours(tensor, name="Picture") == repr(tensor.as_subclass(Picture))


@pytest.mark.parametrize(
    "pair", [(1.5, 1500.0), (0.1, 100.0), (1e-4, 0.1), (0.5, 1e8), (5e-324, 1e308)]
)
def test_the_switch_to_scientific_is_torchs(pair: tuple[float, float]) -> None:
    for nudge in (0.0, np.inf, -np.inf):
        tensor = torch.tensor([pair[0], np.nextafter(pair[1], nudge)], dtype=torch.float64)
        assert ours(tensor) == repr(tensor)


def test_options_are_torchs() -> None:
    for options in OPTIONS:
        set_printoptions(**options)
        torch.set_printoptions(**options)
        assert get_printoptions() == torch._tensor_str.get_printoptions()


def test_unknown_profile_is_named() -> None:
    with pytest.raises(ValueError, match="profile='tiny'"):
        set_printoptions(profile="tiny")
