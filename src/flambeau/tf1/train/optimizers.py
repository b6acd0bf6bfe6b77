"""The rules, by TensorFlow 1's formulas, which differ from PyTorch's in where epsilon stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flambeau.tf1.building import convert_to_tensor
from flambeau.tf1.elementwise import cast, rsqrt, sqrt, square
from flambeau.tf1.graph import Operation, Tensor
from flambeau.tf1.nothing import group
from flambeau.tf1.train.optimizer import Optimizer
from flambeau.tf1.variables import Variable


class _WithRate(Optimizer):
    """A rule with a learning rate: a number, a tensor, or a function that gives one."""

    def __init__(self, learning_rate: Any, use_locking: bool, name: str) -> None:
        super().__init__(use_locking, name)
        self._given_rate = learning_rate
        self._tensor: Tensor

    def _rate(self, grad: Tensor) -> Tensor:
        """The learning rate in the gradient's type."""
        return cast(self._tensor, grad.dtype)

    def _prepare(self, variables: Sequence[Variable]) -> None:
        given = self._given_rate() if callable(self._given_rate) else self._given_rate
        self._tensor = convert_to_tensor(given, variables[0].dtype, name="learning_rate")


class GradientDescentOptimizer(_WithRate):
    """`w -= rate * g`."""

    def __init__(
        self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent"
    ) -> None:
        super().__init__(learning_rate, use_locking, name)

    def _apply(self, grad: Tensor, variable: Variable) -> Operation:
        return variable.assign_sub(self._rate(grad) * grad).op


class MomentumOptimizer(_WithRate):
    """`a = momentum * a + g; w -= rate * a`; with Nesterov's, `w -= rate * (g + momentum * a)`.

    Sutskever et al., 2013.
    """

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(learning_rate, use_locking, name)
        self._momentum, self._nesterov = momentum, use_nesterov

    def _apply(self, grad: Tensor, variable: Variable) -> Operation:
        slot = self._slot(variable, "momentum", self._name)
        gathered = slot.assign(slot.value() * self._momentum + grad)
        step = grad + gathered * self._momentum if self._nesterov else gathered
        return variable.assign_sub(self._rate(grad) * step).op


class AdagradOptimizer(_WithRate):
    """`a += g * g; w -= rate * g / sqrt(a)`, from `a = initial_accumulator_value`.

    Duchi et al., 2011.
    """

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:
        if initial_accumulator_value <= 0:
            raise ValueError(
                f"initial_accumulator_value must be positive: {initial_accumulator_value}"
            )
        super().__init__(learning_rate, use_locking, name)
        self._start = initial_accumulator_value

    def _apply(self, grad: Tensor, variable: Variable) -> Operation:
        slot = self._slot(variable, "accumulator", self._name, self._start)
        gathered = slot.assign_add(square(grad))
        return variable.assign_sub(self._rate(grad) * grad * rsqrt(gathered)).op


class AdadeltaOptimizer(_WithRate):
    """Steps scaled by the ratio of the mean squares of past steps and of gradients.

    Zeiler, 2012, arXiv:1212.5701.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-8,
        use_locking: bool = False,
        name: str = "Adadelta",
    ) -> None:
        super().__init__(learning_rate, use_locking, name)
        self._rho, self._epsilon = rho, epsilon

    def _apply(self, grad: Tensor, variable: Variable) -> Operation:
        gathered = self._slot(variable, "accum", self._name)
        moved = self._slot(variable, "accum_update", self._name)
        rho, epsilon = self._rho, self._epsilon
        squares = gathered.assign(gathered.value() * rho + square(grad) * (1 - rho))
        step = sqrt(moved.value() + epsilon) * rsqrt(squares + epsilon) * grad
        changed = variable.assign_sub(self._rate(grad) * step)
        return group(changed, moved.assign(moved.value() * rho + square(step) * (1 - rho)))


class RMSPropOptimizer(_WithRate):
    """`s = decay * s + (1 - decay) * g²; m = momentum * m + rate * g / sqrt(s + epsilon); w -= m`.

    s starts from 1. Centered, the square of the mean gradient is taken from s. Tieleman and Hinton,
    2012.
    """

    def __init__(
        self,
        learning_rate: Any,
        decay: float = 0.9,
        momentum: Any = 0.0,
        epsilon: float = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(learning_rate, use_locking, name)
        self._decay, self._momentum, self._epsilon = decay, momentum, epsilon
        self._centered = centered

    def _apply(self, grad: Tensor, variable: Variable) -> Operation:
        squares = self._slot(variable, "rms", self._name, 1.0)
        moved = self._slot(variable, "momentum", self._name)
        kept = 1 - self._decay
        spread = squares.assign_add((square(grad) - squares.value()) * kept)
        if self._centered:
            mean = self._slot(variable, "mg", self._name)
            spread = spread - square(mean.assign_add((grad - mean.value()) * kept))
        scaled = self._rate(grad) * grad * rsqrt(spread + self._epsilon)
        step = moved.assign(moved.value() * self._momentum + scaled)
        return variable.assign_sub(step).op


class AdamOptimizer(_WithRate):
    """`w -= rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)`.

    m and v are running means of g and g². The epsilon is the "epsilon hat" before section 2.1 of
    Kingma and Ba, 2014, arXiv:1412.6980.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(learning_rate, use_locking, name)
        self._betas, self._epsilon = (beta1, beta2), epsilon
        self._powers: list[Variable] = []

    def _prepare(self, variables: Sequence[Variable]) -> None:
        super()._prepare(variables)
        if not self._powers:
            self._powers = [
                self._number(convert_to_tensor(beta, variables[0].dtype), name)
                for beta, name in zip(self._betas, ("beta1_power", "beta2_power"), strict=True)
            ]
        first, second = (one.value() for one in self._powers)
        self._corrected = self._tensor * sqrt(1 - second) / (1 - first)

    def _apply(self, grad: Tensor, variable: Variable) -> Operation:
        mean = self._slot(variable, "m", self._name)
        squares = self._slot(variable, "v", self._name)
        first, second = self._betas
        m = mean.assign_add((grad - mean.value()) * (1 - first))
        v = squares.assign_add((square(grad) - squares.value()) * (1 - second))
        return variable.assign_sub(
            m * cast(self._corrected, grad.dtype) / (sqrt(v) + self._epsilon)
        ).op

    def _finish(self) -> list[Operation]:
        return [
            power.assign(power.value() * beta).op
            for power, beta in zip(self._powers, self._betas, strict=True)
        ]

    def variables(self) -> list[Variable]:
        """All the state of the rule."""
        return [*self._powers, *super().variables()]
