"""Adam: steps scaled by running averages of the gradient and of its square."""

from __future__ import annotations

import math

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer, check_betas, check_not_negative
from flambeau.tensor import Tensor


class Adam(RuleOptimizer):
    """`p -= lr m̂ / (√v̂ + eps)`, m and v averages of g and g², corrected for starting at 0.

    `amsgrad` takes the largest v so far. Weight decay is added to the gradient, or taken off the
    parameter if `decoupled_weight_decay`. Source: Kingma and Ba, https://arxiv.org/abs/1412.6980;
    AMSGrad: Reddi et al., https://openreview.net/forum?id=ryQu7f-RZ

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.Adam([w], lr=0.25).step()
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
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        names = ["exp_avg", "exp_avg_sq"]
        if group["amsgrad"]:
            names.append("max_exp_avg_sq")
        return {name: T.zeros_like(parameter) for name in names}

    def numbers(self, group: Group, state: State) -> Numbers:
        beta1, beta2 = map(number, group["betas"])
        step = state["step"]
        step_size = -number(group["lr"]) / (1 - beta1**step)
        # A product with this costs a fraction of a division by the root.
        correction2 = 1 / math.sqrt(1 - beta2**step)
        return 1 - beta1, beta2, 1 - beta2, correction2, group["eps"], step_size

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        rate1, keep2, rate2, correction2, eps, step_size = numbers
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(gradient, rate1)
        square.mul_(keep2).addcmul_(gradient, gradient, value=rate2)
        if group["amsgrad"]:
            square = state["max_exp_avg_sq"].copy_(T.maximum(state["max_exp_avg_sq"], square))
        parameter.addcdiv_(mean, square.sqrt() * correction2 + eps, value=step_size)


class AdamW(Adam):
    """Adam whose weight decay is taken off the parameter: `p -= lr weight_decay p`.

    Source: Loshchilov and Hutter, https://arxiv.org/abs/1711.05101

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.zeros(1)
    >>> optim.AdamW([w], lr=0.5, weight_decay=0.5).step()
    >>> w.item()
    0.75
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
