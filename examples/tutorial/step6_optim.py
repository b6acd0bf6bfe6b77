"""An optimizer updates the weights: Adam, all parameters in one go."""

from __future__ import annotations

import flambeau as torch

BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10


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
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    losses = []
    for step in range(steps):
        loss = squared_error(model(x), y)
        losses.append(loss.item())
        if step % 100 == 0:
            print(step, losses[-1])

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


if __name__ == "__main__":
    main()
