"""A line search for the strong Wolfe conditions.

Source: Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6; the allowance for
rounding: Hager and Zhang, https://doi.org/10.1137/030601880
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from flambeau.tensor import Tensor

SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9


@dataclass(frozen=True)
class Point:
    """A step along the direction: its length, the loss, the gradient, and the slope there."""

    step: float
    loss: float
    gradient: Tensor
    slope: float


def cubic_minimum(one: Point, other: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points with their slopes is smallest, within the bounds."""
    low, high = bounds or (min(one.step, other.step), max(one.step, other.step))
    left, right = (one, other) if one.step <= other.step else (other, one)
    d1 = one.slope + other.slope - 3 * (one.loss - other.loss) / (one.step - other.step)
    discriminant = d1**2 - one.slope * other.slope
    if not discriminant >= 0:
        return (low + high) / 2.0
    d2 = math.sqrt(discriminant)
    share = (right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2)
    return min(max(right.step - (right.step - left.step) * share, low), high)


class StrongWolfe:
    """Searches from `start`, where the step is 0, for a point that meets both conditions."""

    def __init__(
        self,
        evaluate: Callable[[float], Point],
        start: Point,
        largest_element: float,
        rounding: float,
        tolerance_change: float = 1e-9,
        max_iterations: int = 25,
    ) -> None:
        self.evaluate = evaluate
        self.start = start
        self.largest_element = largest_element
        # Near the minimum a loss this much higher may well be lower: it cannot be told apart.
        self.allowance = rounding * abs(start.loss)
        self.tolerance_change = tolerance_change
        self.max_iterations = max_iterations
        self.evaluations = 0
        self.iterations = 0

    def search(self, step: float) -> Point:
        """The point found, tried first at `step`; the best one when iterations run out."""
        bracket = self._bracket(step)
        return bracket[0] if len(bracket) == 1 else self._zoom(*bracket)

    def _at(self, step: float) -> Point:
        self.evaluations += 1
        return self.evaluate(step)

    def _too_high(self, point: Point) -> bool:
        limit = self.start.loss + SUFFICIENT_DECREASE * point.step * self.start.slope
        return point.loss > limit + self.allowance

    def _flat(self, point: Point) -> bool:
        return abs(point.slope) <= -CURVATURE * self.start.slope

    def _bracket(self, step: float) -> tuple[Point, ...]:
        """One point that meets the conditions, or two with such a point in between."""
        previous, point = self.start, self._at(step)
        while self.iterations < self.max_iterations:
            rising = self.iterations > 1 and point.loss >= previous.loss
            if self._too_high(point) or rising:
                return previous, point
            if self._flat(point):
                return (point,)
            if point.slope >= 0:
                return previous, point
            bounds = point.step + 0.01 * (point.step - previous.step), point.step * 10
            step = cubic_minimum(previous, point, bounds)
            previous, point = point, self._at(step)
            self.iterations += 1
        return self.start, point

    def _zoom(self, one: Point, other: Point) -> Point:
        bracket = [one, other]
        low = _lower(bracket)
        stalled = False
        while self.iterations < self.max_iterations:
            width = abs(bracket[1].step - bracket[0].step)
            if width * self.largest_element < self.tolerance_change:
                break
            step, stalled = self._trial(bracket[0], bracket[1], stalled)
            point = self._at(step)
            self.iterations += 1
            if self._too_high(point) or point.loss >= bracket[low].loss:
                bracket[1 - low] = point
                low = _lower(bracket)
                continue
            if self._flat(point):
                return point
            if point.slope * (bracket[1 - low].step - bracket[low].step) >= 0:
                bracket[1 - low] = bracket[low]
            bracket[low] = point
        return bracket[low]

    @staticmethod
    def _trial(one: Point, other: Point, stalled: bool) -> tuple[float, bool]:
        """The next step to try, kept off the ends when two in a row came too close to them."""
        step = cubic_minimum(one, other)
        left, right = min(one.step, other.step), max(one.step, other.step)
        margin = 0.1 * (right - left)
        if min(right - step, step - left) >= margin:
            return step, False
        if stalled or step >= right or step <= left:
            nearer_right = abs(step - right) < abs(step - left)
            return (right - margin if nearer_right else left + margin), False
        return step, True


def _lower(bracket: list[Point]) -> int:
    """Which end of the bracket has the lower loss."""
    return 0 if bracket[0].loss <= bracket[1].loss else 1
