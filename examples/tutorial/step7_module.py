"""A network as a class: a `Module` names its layers and says how data flows through them."""

from __future__ import annotations

import flambeau as torch

BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10


class TwoLayerNet(torch.nn.Module):
    """Linear, rectified, linear."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.first = torch.nn.Linear(inputs, hidden)
        self.second = torch.nn.Linear(hidden, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).clamp(min=0))


def main(steps: int = 500) -> list[float]:
    torch.manual_seed(0)
    x = torch.randn(BATCH, INPUTS)
    y = torch.randn(BATCH, OUTPUTS)
    model = TwoLayerNet(INPUTS, HIDDEN, OUTPUTS)
    squared_error = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)

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
