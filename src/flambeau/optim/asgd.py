"""ASGD: gradient descent that also keeps the average of the parameters."""

from __future__ import annotations

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer, check_not_negative
from flambeau.tensor import Tensor


class ASGD(RuleOptimizer):
    """`p = (1 - lambd eta) p - eta g` with a falling eta; the state's `ax` averages p after t0.

    Source: Polyak and Juditsky, https://doi.org/10.1137/0330046

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.ASGD([w], lr=0.25, lambd=0.0).step()
    >>> w.item()
    0.75
    """

    scalar_state = ("step", "eta", "mu")

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        return {"eta": number(group["lr"]), "mu": 1.0, "ax": T.zeros_like(parameter)}

    def numbers(self, group: Group, state: State) -> Numbers:
        lr, lambd, step = number(group["lr"]), group["lambd"], state["step"]
        eta, mu = state["eta"], state["mu"]
        state["eta"] = lr / (1 + lambd * lr * step) ** group["alpha"]
        state["mu"] = 1 / max(1, step - group["t0"])
        return -eta, 1 - lambd * eta, mu

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        step_size, keep, mu = numbers
        parameter.mul_(keep).add_(gradient, alpha=step_size)
        state["ax"].lerp_(parameter, mu)  # mu = 1 gives the parameter itself
