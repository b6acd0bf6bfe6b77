"""Rprop: step sizes that follow the sign of the gradient only."""

from __future__ import annotations

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer, check_not_negative
from flambeau.tensor import Tensor


class Rprop(RuleOptimizer):
    """Each element has a step size, which grows while its gradient keeps the sign.

    After a change of sign it shrinks, and the element rests for one step. Source: Riedmiller and
    Braun, https://doi.org/10.1109/ICNN.1993.298623

    >>> w = torch.ones(1, requires_grad=True)
    >>> w.grad = torch.ones(1)
    >>> optim.Rprop([w], lr=0.25).step()
    >>> w.item()
    0.75
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        sizes = T.full_like(parameter, number(group["lr"]))
        return {"prev": T.zeros_like(parameter), "step_size": sizes}

    def numbers(self, group: Group, state: State) -> Numbers:
        return (*group["etas"], *group["step_sizes"])

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        shrink, grow, smallest, largest = numbers
        previous, sizes = state["prev"], state["step_size"]
        agreement = gradient * previous
        smaller = T.where(agreement < 0, sizes * shrink, sizes)
        sizes.copy_(T.where(agreement > 0, sizes * grow, smaller).clamp(smallest, largest))
        gradient = T.where(agreement < 0, 0.0, gradient)
        parameter.addcmul_(gradient.sign(), sizes, value=-1)
        previous.copy_(gradient)
