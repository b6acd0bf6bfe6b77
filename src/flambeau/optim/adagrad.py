"""Adagrad: steps scaled by the sum of all squared gradients."""

from __future__ import annotations

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer, check_not_negative
from flambeau.tensor import Tensor


class Adagrad(RuleOptimizer):
    """`s += g²`, then `p -= lr g / (√s + eps)`, the rate falling as `lr / (1 + (t - 1) lr_decay)`.

    Source: Duchi et al., https://jmlr.org/papers/v12/duchi11a.html

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.Adagrad([w], lr=0.25).step()
    >>> w.item()
    0.75
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_not_negative(
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        return {"sum": T.full_like(parameter, group["initial_accumulator_value"])}

    def numbers(self, group: Group, state: State) -> Numbers:
        rate = -number(group["lr"]) / (1 + (state["step"] - 1) * group["lr_decay"])
        return rate, group["eps"]

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        rate, eps = numbers
        total = state["sum"].addcmul_(gradient, gradient, value=1)
        parameter.addcdiv_(gradient, total.sqrt() + eps, value=rate)
