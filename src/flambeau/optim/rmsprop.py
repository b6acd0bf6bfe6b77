"""RMSprop: steps scaled by a running average of the squared gradient."""

from __future__ import annotations

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer, check_not_negative
from flambeau.tensor import Tensor


class RMSprop(RuleOptimizer):
    """`v` the average of g² (`centered`: the variance), then `p -= lr g / (√v + eps)`.

    With momentum the scaled gradients are accumulated first. Source: Hinton,
    https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf; centred: Graves,
    https://arxiv.org/abs/1308.0850

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.RMSprop([w], lr=0.25, alpha=0.75).step()
    >>> round(w.item(), 4)
    0.5
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(
            lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha
        )
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        names = ["square_avg"]
        if group["momentum"] > 0:
            names.append("momentum_buffer")
        if group["centered"]:
            names.append("grad_avg")
        return {name: T.zeros_like(parameter) for name in names}

    def numbers(self, group: Group, state: State) -> Numbers:
        alpha = group["alpha"]
        return -number(group["lr"]), alpha, 1 - alpha, group["eps"], group["momentum"]

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        step_size, alpha, rate, eps, momentum = numbers
        square = state["square_avg"].mul_(alpha).addcmul_(gradient, gradient, value=rate)
        if group["centered"]:
            mean = state["grad_avg"].lerp_(gradient, rate)
            square = square.addcmul(mean, mean, value=-1)
        scale = square.sqrt() + eps
        if group["momentum"] > 0:
            buffer = state["momentum_buffer"].mul_(momentum).addcdiv_(gradient, scale)
            parameter.add_(buffer, alpha=step_size)
        else:
            parameter.addcdiv_(gradient, scale, value=step_size)
