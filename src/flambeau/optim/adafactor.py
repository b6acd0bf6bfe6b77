"""Adafactor: second moments of a matrix kept as a row and a column."""

from __future__ import annotations

import math

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer
from flambeau.tensor import Tensor


def _root_mean_square(tensor: Tensor) -> Tensor:
    return tensor.norm() / math.sqrt(tensor.numel())


class Adafactor(RuleOptimizer):
    """`p -= α u / max(1, rms(u) / d)` with `u = g / √v`, v factored for two or more dimensions.

    `α = max(eps2, rms(p)) min(lr, 1 / √t)`; the averages forget as `t ** beta2_decay`; `eps` is
    (eps1, eps2), eps1 by default the resolution of the parameter's type. Source: Shazeer and
    Stern, https://arxiv.org/abs/1804.04235

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.Adafactor([w], lr=0.25).step()
    >>> round(w.item(), 4)
    0.75
    """

    decay_mode = RuleOptimizer.OWN

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        for name, value in (
            ("Learning rate", number(lr)),
            ("epsilon1", 0.0 if eps[0] is None else eps[0]),
            ("epsilon2", eps[1]),
            ("weight_decay", weight_decay),
        ):
            if not value >= 0.0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        if parameter.dim() < 2:
            return {"variance": T.zeros_like(parameter)}
        *outer, rows, columns = parameter.shape
        return {
            "row_var": parameter.new_zeros((*outer, rows, 1)),
            "col_var": parameter.new_zeros((*outer, 1, columns)),
        }

    def numbers(self, group: Group, state: State) -> Numbers:
        step, lr = state["step"], number(group["lr"])
        rate = step ** group["beta2_decay"]
        return rate, min(lr, 1 / math.sqrt(step)), 1 - lr * group["weight_decay"]

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        rate, step_size, keep = numbers
        eps1, eps2 = group["eps"]
        eps1 = T.finfo(parameter.dtype).eps if eps1 is None else eps1
        alpha = _root_mean_square(parameter).clamp(min=eps2) * step_size
        if group["weight_decay"]:
            parameter.mul_(keep)
        square = gradient * gradient
        if parameter.dim() < 2:
            variance = state["variance"].lerp_(square, rate)
        else:
            rows = state["row_var"].lerp_(square.mean(-1, keepdim=True), rate)
            columns = state["col_var"].lerp_(square.mean(-2, keepdim=True), rate)
            variance = rows * columns / rows.mean(-2, keepdim=True).clamp(min=eps1)
        direction = variance.clamp(min=eps1 * eps1).rsqrt() * gradient
        excess = (_root_mean_square(direction) / group["d"]).clamp(min=1.0)
        parameter.sub_(direction * (alpha / excess))
