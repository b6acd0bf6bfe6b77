"""How a module's backward hooks are tied into the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flambeau.tensor import Function, Tensor

Gradients = tuple[Tensor | None, ...]


class _Observed(Function):
    """The identity on several tensors; `observe` sees, and may replace, all their gradients."""

    @staticmethod
    def forward(ctx: Any, observe: Callable[[Gradients], Gradients], *tensors: Tensor) -> Any:
        ctx.observe = observe
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        return (None, *ctx.observe(gradients))


def _tensor_positions(values: Sequence[Any]) -> list[int]:
    return [index for index, value in enumerate(values) if isinstance(value, Tensor)]


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


class BackwardHooks:
    """Calls a module's full backward hooks for one forward call.

    The inputs and the outputs pass through an identity each. The one behind the module meets the
    gradients first and runs the pre-hooks; the one before it runs the hooks.
    """

    def __init__(
        self,
        module: Any,
        hooks: Iterable[Callable[..., Any]],
        pre_hooks: Iterable[Callable[..., Any]],
    ) -> None:
        self.module = module
        self.hooks = tuple(hooks)
        self.pre_hooks = tuple(pre_hooks)
        self.arity = 0
        self.inputs_watched = False
        self.output_gradients: Gradients = ()

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.arity = len(args)
        positions = _tensor_positions(args)
        self.inputs_watched = any(args[index].requires_grad for index in positions)
        if not self.inputs_watched:
            return args
        return self._passed_through(args, positions, self._on_inputs)

    def watch_outputs(self, result: Any) -> Any:
        if not isinstance(result, Tensor | tuple):
            return result
        values = _as_tuple(result)
        passed = self._passed_through(values, _tensor_positions(values), self._on_outputs)
        return passed if isinstance(result, tuple) else passed[0]

    def _passed_through(
        self,
        values: tuple[Any, ...],
        positions: list[int],
        react: Callable[[Gradients], Gradients],
    ) -> tuple[Any, ...]:
        def observe(gradients: Gradients) -> Gradients:
            everything: list[Tensor | None] = [None] * len(values)
            for index, gradient in zip(positions, gradients, strict=True):
                everything[index] = gradient
            answer = react(tuple(everything))
            return tuple(answer[index] for index in positions)

        if not positions:
            return values
        passed = list(values)
        replaced = _as_tuple(_Observed.apply(observe, *(values[index] for index in positions)))
        for index, tensor in zip(positions, replaced, strict=True):
            passed[index] = tensor
        return tuple(passed)

    def _on_outputs(self, gradients: Gradients) -> Gradients:
        for hook in self.pre_hooks:
            answer = hook(self.module, gradients)
            if answer is not None:
                gradients = self._checked(answer, gradients, "grad_output")
        self.output_gradients = gradients
        if not self.inputs_watched:
            self._on_inputs((None,) * self.arity)
        return gradients

    def _on_inputs(self, gradients: Gradients) -> Gradients:
        for hook in self.hooks:
            answer = hook(self.module, gradients, self.output_gradients)
            if answer is not None:
                gradients = self._checked(answer, gradients, "grad_input")
        return gradients

    @staticmethod
    def _checked(answer: Any, gradients: Gradients, name: str) -> Gradients:
        answer = _as_tuple(answer)
        if len(answer) != len(gradients):
            raise RuntimeError(
                f"a backward hook must return as many {name} tensors as it was given: "
                f"expected {len(gradients)}, got {len(answer)}"
            )
        return answer
