"""The same network with tensors: NumPy's style, compiled to native code."""

from __future__ import annotations

import flambeau as torch

BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10
LEARNING_RATE = 1e-6


def main(steps: int = 500) -> list[float]:
    torch.manual_seed(0)
    x = torch.randn(BATCH, INPUTS)
    y = torch.randn(BATCH, OUTPUTS)
    w1 = torch.randn(INPUTS, HIDDEN)
    w2 = torch.randn(HIDDEN, OUTPUTS)

    losses = []
    for step in range(steps):
        hidden = x @ w1
        active = hidden.clamp(min=0)
        difference = active @ w2 - y
        losses.append(difference.pow(2).sum().item())
        if step % 100 == 0:
            print(step, losses[-1])

        grad_prediction = 2 * difference
        grad_w2 = active.t() @ grad_prediction
        grad_hidden = (grad_prediction @ w2.t()) * (hidden > 0)
        grad_w1 = x.t() @ grad_hidden

        w1 -= LEARNING_RATE * grad_w1
        w2 -= LEARNING_RATE * grad_w2
    return losses


if __name__ == "__main__":
    main()
