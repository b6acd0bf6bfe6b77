"""Gradients found by the machine: `backward` walks the recorded operations in reverse."""

from __future__ import annotations

import flambeau as torch

BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10
LEARNING_RATE = 1e-6


def main(steps: int = 500) -> list[float]:
    torch.manual_seed(0)
    x = torch.randn(BATCH, INPUTS)
    y = torch.randn(BATCH, OUTPUTS)
    # Asking for their gradients is all that marks these as the weights.
    w1 = torch.randn(INPUTS, HIDDEN, requires_grad=True)
    w2 = torch.randn(HIDDEN, OUTPUTS, requires_grad=True)

    losses = []
    for step in range(steps):
        prediction = (x @ w1).clamp(min=0) @ w2
        loss = (prediction - y).pow(2).sum()
        losses.append(loss.item())
        if step % 100 == 0:
            print(step, losses[-1])

        loss.backward()
        with torch.no_grad():  # the update itself is not to be differentiated
            for weight in (w1, w2):
                weight -= LEARNING_RATE * weight.grad
                weight.grad.zero_()
    return losses


if __name__ == "__main__":
    main()
