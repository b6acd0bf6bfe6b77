"""Layers from `nn` hold the weights; the loss is one, too."""

from __future__ import annotations

import flambeau as torch

BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10
LEARNING_RATE = 1e-4


def main(steps: int = 500) -> list[float]:
    torch.manual_seed(0)
    x = torch.randn(BATCH, INPUTS)
    y = torch.randn(BATCH, OUTPUTS)
    model = torch.nn.Sequential(
        torch.nn.Linear(INPUTS, HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Linear(HIDDEN, OUTPUTS),
    )
    squared_error = torch.nn.MSELoss(reduction="sum")

    losses = []
    for step in range(steps):
        loss = squared_error(model(x), y)
        losses.append(loss.item())
        if step % 100 == 0:
            print(step, losses[-1])

        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= LEARNING_RATE * parameter.grad
    return losses


if __name__ == "__main__":
    main()
