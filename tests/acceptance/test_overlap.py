"""Training steps whose kernels go on while the program does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import flambeau


def train(step: Callable[[flambeau.Tensor], flambeau.Tensor], array: np.ndarray) -> list[float]:
    losses = []
    for number in range(20):
        array[:] = np.random.default_rng(number).standard_normal(array.shape)
        losses.append(step(flambeau.from_numpy(array)))
        # What a step has read may be overwritten as soon as it has returned.
        array[:] = np.nan
    return [float(one) for one in losses]


@pytest.mark.parametrize("count", [1, 2])
def test_numpy_may_overwrite_what_a_training_step_has_read(count: int) -> None:
    before = flambeau.get_num_threads()
    flambeau.set_num_threads(count)
    try:
        train_and_overwrite()
    finally:
        flambeau.set_num_threads(before)


def train_and_overwrite() -> None:
    flambeau.manual_seed(0)
    model = flambeau.nn.Linear(200, 100)
    optimizer = flambeau.optim.Adam(model.parameters())

    def step(x: flambeau.Tensor) -> flambeau.Tensor:
        optimizer.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    losses = train(step, np.zeros((300, 200), np.float32))
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    weight = model.weight.detach().numpy()
    before = weight.copy()
    step(flambeau.ones(300, 200))
    assert not np.array_equal(weight, before)  # NumPy sees the write that the step made
