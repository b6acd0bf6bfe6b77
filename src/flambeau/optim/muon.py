"""Muon: momentum whose matrix is replaced by the nearest orthogonal one."""

from __future__ import annotations

import math

import flambeau.tensor as T
from flambeau.optim.optimizer import Group, Parameters, State, number
from flambeau.optim.rule import Numbers, RuleOptimizer
from flambeau.tensor import Tensor

NS_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ADJUSTMENTS = (None, "original", "match_rms_adamw")


def orthogonalized(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """The matrix with all singular values near 1, by a Newton-Schulz iteration in bfloat16."""
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = _rounded(matrix.t() if tall else matrix)
    x = _rounded(x / _rounded(x.norm()).clamp(min=eps))
    for _ in range(steps):
        gram = _rounded(T.matmul(x, x.t()))
        polynomial = _rounded(gram * b + T.matmul(gram, gram) * c)
        x = _rounded(x * a + T.matmul(polynomial, x))
    return x.t() if tall else x


def _rounded(matrix: Tensor) -> Tensor:
    """Values of bfloat16 in float32: what is computed from them is rounded once, at its end."""
    return matrix.bfloat16().float()


class Muon(RuleOptimizer):
    """`b` the average of g, then `p -= lr' O(b)`, O the orthogonalisation; matrices only.

    `lr' = lr √max(1, rows / columns)`, or `0.2 lr √max(rows, columns)` for
    `adjust_lr_fn='match_rms_adamw'`; weight decay is taken off the parameter. ValueError for a
    parameter that is no matrix. Source: Jordan et al., https://kellerjordan.github.io/posts/muon/

    >>> w = torch.eye(2, requires_grad=True)
    >>> w.grad = torch.eye(2)
    >>> optim.Muon([w], lr=0.1).step()
    >>> bool(w[0, 0] < 0.95)
    True
    """

    decay_mode = RuleOptimizer.DECOUPLED
    numbers_by_shape = True
    counts_steps = False

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = NS_COEFFICIENTS,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        for name, value in (
            ("Learning rate", number(lr)),
            ("momentum", momentum),
            ("weight decay", weight_decay),
        ):
            if not value >= 0.0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in ADJUSTMENTS:
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        if ns_steps >= 100:
            raise ValueError(f"ns_steps must be below 100 but is: {ns_steps}")
        if len(ns_coefficients) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.dim() != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with size: "
                        f"{parameter.size()}"
                    )

    def initial_state(self, parameter: Tensor, group: Group) -> State:
        return {"momentum_buffer": T.zeros_like(parameter)}

    def numbers(self, group: Group, state: State) -> Numbers:
        rows, columns = state["momentum_buffer"].shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            ratio = 0.2 * math.sqrt(max(rows, columns))
        else:
            ratio = math.sqrt(max(1, rows / columns))
        return -number(group["lr"]) * ratio, group["momentum"], 1 - group["momentum"]

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, numbers: Numbers
    ) -> None:
        rate, momentum, share = numbers
        buffer = state["momentum_buffer"].lerp_(gradient, share)
        average = gradient.lerp(buffer, momentum) if group["nesterov"] else buffer
        direction = orthogonalized(
            average, group["ns_coefficients"], group["ns_steps"], group["eps"]
        )
        parameter.add_(direction, alpha=rate)
