"""An operation of one's own: a forward and a backward rule make a `Function`."""

from __future__ import annotations

from typing import Any

import flambeau as torch

BATCH, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10
LEARNING_RATE = 1e-6


class Rectify(torch.autograd.Function):
    """Zero for negative numbers, the identity for others."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        grad = grad_output.clone()
        grad[x < 0] = 0
        return grad


def main(steps: int = 500) -> list[float]:
    torch.manual_seed(0)
    x = torch.randn(BATCH, INPUTS)
    y = torch.randn(BATCH, OUTPUTS)
    w1 = torch.randn(INPUTS, HIDDEN, requires_grad=True)
    w2 = torch.randn(HIDDEN, OUTPUTS, requires_grad=True)

    losses = []
    for step in range(steps):
        prediction = Rectify.apply(x @ w1) @ w2
        loss = (prediction - y).pow(2).sum()
        losses.append(loss.item())
        if step % 100 == 0:
            print(step, losses[-1])

        loss.backward()
        with torch.no_grad():
            for weight in (w1, w2):
                weight -= LEARNING_RATE * weight.grad
                weight.grad.zero_()
    return losses


if __name__ == "__main__":
    main()
