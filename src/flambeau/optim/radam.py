"""RAdam: Adam that waits with scaling until it has seen enough gradients."""

from __future__ import annotations

import math

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer, check_betas, check_not_negative
from flambeau.tensor import Tensor


class RAdam(RuleOptimizer):
    """Adam with its step rectified for the variance of v; plain momentum in the first steps.

    Source: Liu et al., https://arxiv.org/abs/1908.03265

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.RAdam([w], lr=0.25).step()
    >>> round(w.item(), 4)
    0.75
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        return {name: T.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}

    def numbers(self, group: Group, state: State) -> Numbers:
        (beta1, beta2), step = group["betas"], state["step"]
        step_size = number(group["lr"]) / (1 - beta1**step)
        correction2 = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction2
        plain, scaled = step_size, 0.0
        if length > 5.0:
            gain = (length - 4) * (length - 2) * longest
            rectified = math.sqrt(gain / ((longest - 4) * (longest - 2) * length))
            plain, scaled = 0.0, step_size * rectified * math.sqrt(correction2)
        return 1 - beta1, beta2, 1 - beta2, group["eps"], plain, scaled

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        rate1, keep2, rate2, eps, plain, scaled = numbers
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(gradient, rate1)
        square.mul_(keep2).addcmul_(gradient, gradient, value=rate2)
        # One of the two rates is 0: both phases are the same operations.
        rate = scaled / (square.sqrt() + eps) + plain
        parameter.sub_(mean * rate)
