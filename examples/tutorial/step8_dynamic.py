"""A network that is another one at every step: plain Python decides how deep it is."""

from __future__ import annotations

import random

import flambeau as torch

BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10


class DynamicNet(torch.nn.Module):
    """None to three passes through one shared middle layer."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.first = torch.nn.Linear(inputs, hidden)
        self.middle = torch.nn.Linear(hidden, hidden)
        self.last = torch.nn.Linear(hidden, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x).clamp(min=0)
        for _ in range(random.randint(0, 3)):
            hidden = self.middle(hidden).clamp(min=0)
        return self.last(hidden)


def main(steps: int = 500) -> list[float]:
    random.seed(0)
    torch.manual_seed(0)
    x = torch.randn(BATCH, INPUTS)
    y = torch.randn(BATCH, OUTPUTS)
    model = DynamicNet(INPUTS, HIDDEN, OUTPUTS)
    squared_error = torch.nn.MSELoss(reduction="sum")
    # Shared weights make for a rough surface, which momentum smooths.
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

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
