"""Function: operations with a gradient rule of the user's own.

Both styles work: static `forward(ctx, ...)` and `backward(ctx, ...)`, used through `apply`; and the
old one, in which an instance is called and `self` takes the place of `ctx`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from flambeau.autograd.aliases import FUNCTION_OUTPUT
from flambeau.autograd.engine import SECOND_TIME
from flambeau.autograd.modes import no_grad
from flambeau.core.context import context
from flambeau.core.shapes import broadcast
from flambeau.graph.node import Node
from flambeau.graph.recording import record
from flambeau.ops.shape import sum_to, zeros
from flambeau.tensor.gradients import grad_fn_of
from flambeau.tensor.tensor import Tensor, wrap, write


class FunctionContext:
    """What a call keeps between forward and backward."""

    title = "Function"
    inputs: tuple[Node, ...] = ()
    freed = False
    output_count = 0
    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True

    _to_save: tuple[Any, ...] = ()
    _saved: tuple[Any, ...] = ()
    _dirty: tuple[Any, ...] = ()
    _not_differentiable: tuple[Any, ...] = ()
    _argument_count = 0
    _tensor_positions: tuple[int, ...] = ()
    _output_specs: tuple[Any, ...] = ()
    rule: Callable[..., Any]

    def differentiate(self, *grads: Tensor | None) -> Any:
        """Call backward."""
        return self.rule(self, *grads)

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep these for backward, which finds them in `saved_tensors`."""
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Accepted; forward-mode rules are not used."""

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What `save_for_backward` was given."""
        if self.freed:
            raise RuntimeError(SECOND_TIME)
        if not self._saved and self._to_save:
            return self._to_save
        return tuple([self._restored(one) for one in self._saved])

    @property
    def saved_variables(self) -> tuple[Tensor | None, ...]:
        """The old name of `saved_tensors`."""
        return self.saved_tensors

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The steps of the backward graph that the gradients go to next."""
        return tuple([(grad_fn_of(one), 0) for one in self.inputs])

    def name(self) -> str:
        """The name of this step of the backward graph."""
        return f"{self.title}Backward"

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{self.name()} object at {id(self):#x}>"

    def mark_dirty(self, *tensors: Tensor) -> None:
        """These inputs were changed in place; they must be returned."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """These results have no gradient."""
        self._not_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward is given zeros, or None, for results that nothing used."""
        self.materialize_grads = value

    def _restored(self, saved: Any) -> Tensor | None:
        """A saved input as it was, or a saved result with this call as its history."""
        if saved is None or isinstance(saved, Tensor):
            return saved
        if isinstance(saved, _SavedInput):
            return saved.restored()
        node, index = saved
        result = record(FUNCTION_OUTPUT, (node,))
        result.requires_grad, result.owner = True, (self, index)
        return wrap(result)

    def run(self, forward: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Call `forward(*args)` and tie its results into the graph."""
        tensors = [(place, one) for place, one in enumerate(args) if isinstance(one, Tensor)]
        self._argument_count = len(args)
        self._tensor_positions = tuple([place for place, _ in tensors])
        self.needs_input_grad = tuple(
            [isinstance(one, Tensor) and one.requires_grad for one in args]
        )
        traced = context.grad_enabled and any(self.needs_input_grad)
        if traced:
            self.inputs = tuple([one.node for _, one in tensors])
        with no_grad():
            result = forward(*args)
        given = [one for _, one in tensors]
        outputs = result if isinstance(result, tuple) else (result,)
        self.output_count = len(outputs)
        if traced:
            outputs = self._traced(outputs, given)
        else:
            self._saved = self._to_save
        return outputs if isinstance(result, tuple) else outputs[0]

    def _traced(self, outputs: tuple[Any, ...], given: list[Tensor]) -> tuple[Any, ...]:
        values: dict[int, tuple[Node, int]] = {}
        results = []
        for index, one in enumerate(outputs):
            if not isinstance(one, Tensor) or not one.dtype.is_floating_point:
                results.append(one)
                continue
            if any(one is other for other in self._not_differentiable):
                results.append(one)
                continue
            with no_grad():
                value = one.node
            values[id(one)] = (value, index)
            results.append(self._output(one, value, index))
        self._output_specs = tuple(
            [one.node.spec if isinstance(one, Tensor) else None for one in outputs]
        )
        self._saved = tuple([self._kept(one, given, values) for one in self._to_save])
        self._to_save = ()
        return tuple(results)

    def _output(self, tensor: Tensor, value: Node, index: int) -> Tensor:
        node = record(FUNCTION_OUTPUT, (value,))
        node.requires_grad, node.owner = True, (self, index)
        if any(tensor is one for one in self._dirty):
            if tensor._leaf:
                raise RuntimeError(
                    "a leaf Variable that requires grad is being used in an in-place operation."
                )
            write(tensor, node)
            return tensor
        return wrap(node)

    def _kept(self, tensor: Any, given: list[Tensor], values: dict[int, tuple[Node, int]]) -> Any:
        if tensor is None:
            return None
        for number, one in enumerate(given):
            if one is tensor and not any(tensor is dirty for dirty in self._dirty):
                return _SavedInput(tensor, self.inputs[number])
        return values.get(id(tensor), tensor)

    def gradients(self, grads: Sequence[Node | None]) -> Sequence[Node | None]:
        """The gradients of the tensor arguments."""
        given = []
        for grad, spec in zip(grads, self._output_specs, strict=True):
            if grad is None and self.materialize_grads and spec is not None:
                grad = zeros(spec.shape, spec.dtype)
            given.append(None if grad is None else wrap(grad))
        answer = self.differentiate(*given)
        answers = answer if isinstance(answer, tuple) else (answer,)
        return self._checked(answers)

    def _checked(self, answers: tuple[Any, ...]) -> list[Node | None]:
        count = self._argument_count
        if len(answers) > count and all(one is None for one in answers[count:]):
            answers = answers[:count]
        if len(answers) != count:
            raise RuntimeError(
                f"function {self.title}Backward returned an incorrect number of gradients "
                f"(expected {count}, got {len(answers)})"
            )
        nodes: list[Node | None] = []
        for place, source in zip(self._tensor_positions, self.inputs, strict=True):
            one = answers[place]
            if one is None:
                nodes.append(None)
                continue
            if not isinstance(one, Tensor):
                raise TypeError(f"expected Variable or None (got {type(one).__name__})")
            nodes.append(self._fitted(one, source, place))
        return nodes

    def _fitted(self, grad: Tensor, source: Node, place: int) -> Node:
        node, shape = grad.node, source.spec.shape
        if node.spec.shape != shape:
            try:
                fits = broadcast([shape, node.spec.shape]) == node.spec.shape
            except RuntimeError:
                fits = False
            if not fits:
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {place} - got "
                    f"{list(node.spec.shape)} but expected shape compatible with {list(shape)}"
                )
            node = sum_to(node, shape)
        if node.dtype is not source.dtype:
            node = grad.to(source.dtype).node
        return node

    def free(self) -> None:
        """Forget what was saved."""
        self._saved = ()
        self.freed = bool(self.inputs)
        self.inputs = ()


class _SavedInput:
    """An argument as it was when it was saved."""

    def __init__(self, tensor: Tensor, node: Node) -> None:
        self.tensor = tensor
        self.node = node
        self.version = tensor._storage.version

    def restored(self) -> Tensor:
        return self.tensor if self.tensor._storage.version == self.version else wrap(self.node)


class Function(FunctionContext):
    """An operation with its own gradient rule.

    >>> import flambeau
    >>> class Double(flambeau.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         return grad * 2
    >>> x = flambeau.ones(1, requires_grad=True)
    >>> Double.apply(x).backward()
    >>> x.grad
    tensor([2.])
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; to be defined."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients of the arguments; to be defined."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save for backward, where `forward` takes no context."""
        raise NotImplementedError("setup_context is not implemented.")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call the operation."""
        ctx = FunctionContext()
        ctx.title = cls.__name__
        rule = cls.vjp if "vjp" in cls.__dict__ else cls.backward  # type: ignore[attr-defined]
        ctx.rule = rule
        if cls.setup_context is Function.setup_context:
            return ctx.run(functools.partial(cls.forward, ctx), args)

        def forward(*args: Any) -> Any:
            result = cls.forward(*args)
            cls.setup_context(ctx, args, result)
            return result

        return ctx.run(forward, args)

    def __call__(self, *args: Any) -> Any:
        """The old style: the instance is the context."""
        self.title = type(self).__name__
        return self.run(self.forward, args)

    def differentiate(self, *grads: Tensor | None) -> Any:
        """Call backward, in the old style."""
        return self.backward(*grads)


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """A backward whose own gradient must not be asked for."""

    @functools.wraps(function)
    def wrapper(ctx: Any, *args: Any) -> Any:
        with no_grad():
            return function(ctx, *args)

    return wrapper
