"""L-BFGS: Newton's method with the curvature of the last steps."""

from __future__ import annotations

from typing import Any

import flambeau.tensor as T
from flambeau.optim.line_search import Point, StrongWolfe
from flambeau.optim.optimizer import Closure, Optimizer, Parameters, State, number
from flambeau.optim.rule import check_not_negative
from flambeau.tensor import Tensor

SMALLEST_CURVATURE = 1e-10


class LBFGS(Optimizer):
    """Steps along `-H g`, H estimated from `history_size` steps; `step` needs a closure.

    A step evaluates the closure up to `max_eval` times in `max_iter` iterations.
    `line_search_fn` is None (steps of length `lr`) or 'strong_wolfe'. One parameter group only.
    Source: Nocedal, https://doi.org/10.1090/S0025-5718-1980-0572855-7

    >>> w = torch.ones(1, requires_grad=True)
    >>> optimizer = optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - 3) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    4.0
    >>> round(w.item(), 4)
    3.0
    """

    scalar_state = ()

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_not_negative(lr=lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Tensor]:
        params: list[Tensor] = self.param_groups[0]["params"]
        return params

    def _flat_gradient(self) -> Tensor:
        return T.cat(
            [
                T.zeros_like(p).reshape(-1) if p.grad is None else p.grad.reshape(-1)
                for p in self._params
            ]
        )

    def _move(self, step: float, direction: Tensor) -> None:
        start = 0
        for parameter in self._params:
            end = start + parameter.numel()
            parameter.add_(direction[start:end].view(parameter.shape), alpha=step)
            start = end

    def _evaluate(self, closure: Closure, step: float, direction: Tensor) -> Point:
        """Loss, gradient and slope at a step from here, where the parameters are put back."""
        before = [parameter.clone() for parameter in self._params]
        self._move(step, direction)
        with T.enable_grad():
            loss = number(closure())
        gradient = self._flat_gradient()
        for parameter, value in zip(self._params, before, strict=True):
            parameter.copy_(value)
        return Point(step, loss, gradient, float(gradient.dot(direction)))

    def step(self, closure: Closure) -> Any:  # type: ignore[override]
        """Run up to `max_iter` iterations; returns the first loss."""
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with T.enable_grad():
            first_loss = closure()
        state["func_evals"] += 1
        with T.no_grad():
            gradient = self._flat_gradient()
            if not self._is_flat(gradient):
                self._iterate(closure, number(first_loss), gradient, state)
        return first_loss

    def _is_flat(self, gradient: Tensor) -> bool:
        return float(gradient.abs().max()) <= self.param_groups[0]["tolerance_grad"]

    def _iterate(self, closure: Closure, loss: float, gradient: Tensor, state: State) -> None:
        group = self.param_groups[0]
        tolerance, max_eval = group["tolerance_change"], group["max_eval"]
        evaluations, stalled = 1, 0
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(gradient, state)
            state["prev_flat_grad"], state["prev_loss"] = gradient, loss
            step = number(group["lr"])
            if state["n_iter"] == 1:
                step *= min(1.0, 1.0 / float(gradient.abs().sum()))
            state["d"], state["t"] = direction, step
            slope = float(gradient.dot(direction))
            if slope > -tolerance:
                return
            point, used = self._search(
                closure,
                Point(0.0, loss, gradient, slope),
                direction,
                step,
                max_eval - evaluations,
                last=iteration == group["max_iter"],
            )
            state["t"] = point.step
            loss, gradient = point.loss, point.gradient
            evaluations += used
            state["func_evals"] += used
            moved = float((direction * point.step).abs().max())
            stalled = stalled + 1 if abs(loss - state["prev_loss"]) < tolerance else 0
            # One equal loss may be rounding, where that is coarser than the tolerance.
            patience = 2 if T.finfo(gradient.dtype).eps * abs(loss) > tolerance else 1
            if (
                evaluations >= max_eval
                or self._is_flat(gradient)
                or moved <= tolerance
                or stalled >= patience
            ):
                return

    def _search(
        self,
        closure: Closure,
        start: Point,
        direction: Tensor,
        step: float,
        max_iterations: int,
        last: bool,
    ) -> tuple[Point, int]:
        """Move the parameters; the point reached, and how often the closure was called."""
        name = self.param_groups[0]["line_search_fn"]
        if name is None:
            self._move(step, direction)
            if last:  # nobody will use the loss and the gradient there
                return Point(step, start.loss, start.gradient, start.slope), 0
            with T.enable_grad():
                loss = number(closure())
            return Point(step, loss, self._flat_gradient(), start.slope), 1
        if name != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        search = StrongWolfe(
            lambda length: self._evaluate(closure, length, direction),
            start,
            float(direction.abs().max()),
            2 * T.finfo(direction.dtype).eps,
            max_iterations=max_iterations,
        )
        point = search.search(step)
        self._move(point.step, direction)
        return point, search.evaluations

    def _direction(self, gradient: Tensor, state: State) -> Tensor:
        """`-H g` by the two-loop recursion over the remembered steps."""
        if "old_dirs" not in state:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        change, moved = gradient - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = float(change.dot(moved))
        if curvature > SMALLEST_CURVATURE:
            if len(changes) == self.param_groups[0]["history_size"]:
                for history in (changes, steps, inverses):
                    history.pop(0)
            changes.append(change)
            steps.append(moved)
            inverses.append(1.0 / curvature)
            state["H_diag"] = curvature / float(change.dot(change))
        direction = -gradient
        shares = []
        remembered = list(zip(changes, steps, inverses, strict=True))
        for change, moved, inverse in reversed(remembered):
            share = moved.dot(direction) * inverse
            direction = direction - change * share
            shares.append(share)
        direction = direction * state["H_diag"]
        for (change, moved, inverse), share in zip(remembered, reversed(shares), strict=True):
            direction = direction + moved * (share - change.dot(direction) * inverse)
        return direction
