"""A two-layer network in NumPy: every gradient derived by hand."""

from __future__ import annotations

import numpy as np

BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10
LEARNING_RATE = 1e-6


def main(steps: int = 500) -> list[float]:
    np.random.seed(0)
    x = np.random.randn(BATCH, INPUTS)
    y = np.random.randn(BATCH, OUTPUTS)
    w1 = np.random.randn(INPUTS, HIDDEN)
    w2 = np.random.randn(HIDDEN, OUTPUTS)

    losses = []
    for step in range(steps):
        hidden = x @ w1
        active = np.maximum(hidden, 0)
        difference = active @ w2 - y
        losses.append(float(np.square(difference).sum()))
        if step % 100 == 0:
            print(step, losses[-1])

        # The chain rule, from the loss backwards.
        grad_prediction = 2 * difference
        grad_w2 = active.T @ grad_prediction
        grad_hidden = (grad_prediction @ w2.T) * (hidden > 0)
        grad_w1 = x.T @ grad_hidden

        w1 -= LEARNING_RATE * grad_w1
        w2 -= LEARNING_RATE * grad_w2
    return losses


if __name__ == "__main__":
    main()
