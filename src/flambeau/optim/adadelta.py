"""Adadelta: steps in the units of the parameter."""

from __future__ import annotations

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer, check_not_negative
from flambeau.tensor import Tensor


class Adadelta(RuleOptimizer):
    """`p -= lr d` with `d = √(u + eps) / √(v + eps) g`, u and v averages of d² and g².

    Source: Zeiler, https://arxiv.org/abs/1212.5701

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.Adadelta([w]).step()
    >>> round(w.item(), 4)
    0.9968
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        return {name: T.zeros_like(parameter) for name in ("square_avg", "acc_delta")}

    def numbers(self, group: Group, state: State) -> Numbers:
        return -number(group["lr"]), group["rho"], 1 - group["rho"], group["eps"]

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        step_size, rho, rate, eps = numbers
        squares, deltas = state["square_avg"], state["acc_delta"]
        squares.mul_(rho).addcmul_(gradient, gradient, value=rate)
        delta = (deltas + eps).sqrt() / (squares + eps).sqrt() * gradient
        deltas.mul_(rho).addcmul_(delta, delta, value=rate)
        parameter.add_(delta, alpha=step_size)
