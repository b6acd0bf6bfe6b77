"""How kernels go through memory changes no result: tiles, rows kept, stores past the caches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.compiler import row_buffers, streaming, tiles
from flambeau.compiler.kernel import Kernel
from flambeau.engine.explain import explain
from flambeau.nn import functional

ROWS = 5


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[Kernel]:
    """The kernels that are compiled."""
    from flambeau.compiler import linking

    found: list[Kernel] = []
    number = linking.number_arguments

    def note(kernel: Kernel) -> Any:
        found.append(kernel)
        return number(kernel)

    monkeypatch.setattr(linking, "number_arguments", note)
    return found


DTYPES = ["float32", "float64", "float16", "int8", "int64", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(33, 130), (64, 256), (5, 200), (200, 5)])
def test_transposed(dtype: str, shape: tuple[int, int], kernels: list[Kernel]) -> None:
    x = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    with explain():
        found = (flambeau.tensor(x).t() == flambeau.tensor(x.T.copy())).numpy()
    assert found.all()
    assert any(tiles.tile_axis(kernel) is not None for kernel in kernels)


ORDERS = [(0, 2, 3, 1), (3, 1, 2, 0), (3, 2, 1, 0), (1, 0, 3, 2)]


@pytest.mark.parametrize("order", ORDERS)
def test_permuted_with_code_around(order: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal((3, 20, 7, 35)).astype(np.float32)
    given = flambeau.tensor(x)
    found = given.permute(order) * 2 + given.reshape(x.transpose(order).shape)
    expected = x.transpose(order) * np.float32(2) + x.reshape(x.transpose(order).shape)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_what_is_written_to_positions_read_from_memory_keeps_its_order(
    kernels: list[Kernel],
) -> None:
    x = np.random.default_rng(0).standard_normal((40, 60)).astype(np.float32)
    with explain():
        target = flambeau.zeros(60, 40)
        # All rows go to one: the last one stays.
        target[flambeau.zeros(60, dtype=flambeau.int64)] = flambeau.tensor(x).t()
        found = target.numpy()
    np.testing.assert_array_equal(found[0], x[:, -1])
    scattering = [
        one for one in kernels if any(i.at and i.at.values for _, i in one.instructions())
    ]
    assert scattering
    assert all(tiles.tile_axis(kernel) is None for kernel in scattering)


@pytest.mark.parametrize("columns", [7, 300, 5000])
def test_a_softmax_needs_no_memory_for_its_exponentials(columns: int) -> None:
    x = flambeau.tensor(np.random.default_rng(0).standard_normal((64, columns), np.float32))
    flambeau.flush()
    with explain() as explanation:
        found = flambeau.softmax(x, 1).numpy()
    (plan,) = explanation.plans
    # The result, and a number or two for each row.
    assert plan.temporary_bytes + plan.output_bytes <= found.nbytes + 64 * 4 * 4
    exact = np.exp(x.numpy().astype(np.float64))
    np.testing.assert_allclose(found, exact / exact.sum(1, keepdims=True), rtol=1e-5)


def test_rows_in_memory_and_rows_kept_have_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((ROWS, 700)).astype(np.float32)

    def run() -> list[Any]:
        given = flambeau.tensor(x).requires_grad_()
        normal = functional.layer_norm(given, (700,))
        (functional.softmax(normal, 1) ** 2).sum().backward()
        return [normal.detach().numpy().copy(), given.grad.numpy().copy()]

    with explain():
        kept = run()
    monkeypatch.setattr(row_buffers, "LONGEST_ROW_BYTES", 0)
    with explain():
        stored = run()
    for one, other in zip(kept, stored, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape", [(64, 128), (33, 129), (5,), (1, 1000)])
def test_stores_past_the_caches(
    shape: tuple[int, ...], kernels: list[Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)

    def run() -> list[Any]:
        given = flambeau.tensor(x)
        return [(given * 3).numpy().copy(), functional.softmax(given, -1).numpy().copy()]

    with explain():
        plain = run()
    assert not any(kernel.streamed for kernel in kernels)
    monkeypatch.setattr(streaming, "LARGE", 0)
    with explain():
        streamed = run()
    assert any(kernel.streamed for kernel in kernels)
    for one, other in zip(plain, streamed, strict=True):
        np.testing.assert_array_equal(one, other)
