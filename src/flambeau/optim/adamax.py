"""Adamax: Adam with the largest instead of the mean squared gradient."""

from __future__ import annotations

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer, check_betas, check_not_negative
from flambeau.tensor import Tensor


class Adamax(RuleOptimizer):
    """`u = max(beta2 u, |g| + eps)`, then `p -= lr m̂ / u`, m the average of g.

    Source: Kingma and Ba, https://arxiv.org/abs/1412.6980

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.Adamax([w], lr=0.25).step()
    >>> round(w.item(), 4)
    0.75
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        return {name: T.zeros_like(parameter) for name in ("exp_avg", "exp_inf")}

    def numbers(self, group: Group, state: State) -> Numbers:
        beta1, beta2 = group["betas"]
        step_size = -number(group["lr"]) / (1 - beta1 ** state["step"])
        return 1 - beta1, beta2, group["eps"], step_size

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        rate1, keep2, eps, step_size = numbers
        mean, largest = state["exp_avg"], state["exp_inf"]
        mean.lerp_(gradient, rate1)
        largest.copy_(T.maximum(largest * keep2, gradient.abs() + eps))
        parameter.addcdiv_(mean, largest, value=step_size)
