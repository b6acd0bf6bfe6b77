"""Stochastic gradient descent."""

from __future__ import annotations

from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer, check_not_negative
from flambeau.tensor import Tensor


class SGD(RuleOptimizer):
    """`b = momentum b + (1 - dampening) g`, then `p -= lr b` (Nesterov: `lr (g + momentum b)`).

    The first b is the first gradient. ValueError for Nesterov without momentum or with dampening.
    Source: Sutskever et al., https://proceedings.mlr.press/v28/sutskever13.html

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.SGD([w], lr=0.25).step()
    >>> w.item()
    0.75
    """

    counts_steps = False

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        return {}

    def numbers(self, group: Group, state: State) -> Numbers:
        return -number(group["lr"]), group["momentum"], 1 - group["dampening"]

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        rate, momentum, share = numbers
        if group["momentum"]:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = gradient.detach().clone()
            else:
                buffer.mul_(momentum).add_(gradient, alpha=share)
            gradient = gradient.add(buffer, alpha=momentum) if group["nesterov"] else buffer
        parameter.add_(gradient, alpha=rate)
