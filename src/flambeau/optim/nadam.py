"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer, check_betas, check_not_negative
from flambeau.tensor import Tensor


class NAdam(RuleOptimizer):
    """Adam that looks ahead: the average is weighted by the next step's momentum.

    Momentum grows as `beta1 (1 - 0.96 ** (t momentum_decay) / 2)`. Source: Dozat,
    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.NAdam([w], lr=0.25).step()
    >>> round(w.item(), 4)
    0.7359
    """

    scalar_state = ("step", "mu_product")

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        moments = {name: T.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
        return {"mu_product": 1.0, **moments}

    def numbers(self, group: Group, state: State) -> Numbers:
        lr, (beta1, beta2), step = number(group["lr"]), group["betas"], state["step"]

        def momentum(at: float) -> float:
            return float(beta1 * (1.0 - 0.5 * 0.96 ** (at * group["momentum_decay"])))

        now, following = momentum(step), momentum(step + 1)
        state["mu_product"] *= now
        product = state["mu_product"]
        gradient_rate = -lr * (1.0 - now) / (1.0 - product)
        mean_rate = -lr * following / (1.0 - product * following)
        correction2 = 1 - beta2**step
        return 1 - beta1, beta2, 1 - beta2, correction2, group["eps"], gradient_rate, mean_rate

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        rate1, keep2, rate2, correction2, eps, gradient_rate, mean_rate = numbers
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(gradient, rate1)
        square.mul_(keep2).addcmul_(gradient, gradient, value=rate2)
        scale = (square / correction2).sqrt() + eps
        parameter.addcdiv_(gradient, scale, value=gradient_rate)
        parameter.addcdiv_(mean, scale, value=mean_rate)
