"""backward and grad: the walk over nodes seen from tensors, with hooks and `.grad`."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flambeau.autograd.aliases import CLONE, FUNCTION_OUTPUT
from flambeau.autograd.engine import gradients, identity, sources
from flambeau.autograd.repeated import leaf_gradients
from flambeau.core.context import context
from flambeau.engine.capture import touch_gradient
from flambeau.graph.node import Node
from flambeau.graph.op import PARAMETER
from flambeau.graph.recording import record
from flambeau.ops.algebra import add
from flambeau.ops.shape import zeros
from flambeau.tensor.tensor import Tensor, wrap, write


class RemovableHandle:
    """What registering a hook returns; `remove` takes the hook away."""

    _numbers = itertools.count()

    def __init__(self, hooks: dict[int, Any], *, extra_dict: Any = None) -> None:
        self._hooks = weakref.ref(hooks) if _can_be_weak(hooks) else lambda: hooks
        self._extra = [extra_dict] if isinstance(extra_dict, dict) else list(extra_dict or ())
        self.id = next(RemovableHandle._numbers)

    def remove(self) -> None:
        """Take the hook away; once more does nothing."""
        for table in (self._hooks(), *self._extra):
            if table is not None:
                table.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def _can_be_weak(table: object) -> bool:
    return type(table) is not dict


class Hooks(dict[int, Callable[[Any], Any]]):
    """A table of hooks that a handle may outlive."""


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of `tensors` to the `.grad` of the leaves they were computed from.

    `grad_tensors` weigh the elements; scalars need none. `inputs` limits it to these tensors.

    >>> import flambeau
    >>> x = flambeau.ones(2, requires_grad=True)
    >>> flambeau.autograd.backward((x * 3).sum())
    >>> x.grad
    tensor([3., 3.])
    """
    outputs = _tensors(tensors)
    seeds = _seeds(outputs, grad_tensors if grad_tensors is not None else grad_variables)
    nodes = [one.node for one in outputs]
    retain = create_graph if retain_graph is None else retain_graph
    targets: Iterable[tuple[Tensor | None, Node]]
    if inputs is not None:
        chosen = _tensors(inputs)
        if not chosen:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        wanted = _wanted(chosen)
        found = gradients(nodes, seeds, set(wanted), retain_graph=retain, create_graph=create_graph)
        targets = [(wanted[key], grad) for key, (_, grad) in found.items()]
    else:
        leaves = leaf_gradients(nodes, seeds, retain_graph=retain, create_graph=create_graph)
        targets = [(node.owner and node.owner(), grad) for node, grad in leaves]
    used = set(map(id, seeds))
    for target, grad in targets:
        if target is not None:
            _accumulate(target, _fresh(grad, used), create_graph)


def tensor_backward(
    self: Tensor,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradient of this tensor to the `.grad` of the leaves it was computed from."""
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def _tensors(given: Any) -> list[Tensor]:
    return [given] if isinstance(given, Tensor) else list(given)


def _fresh(grad: Node, used: set[int]) -> Node:
    """The gradient as a node of its own: two tensors do not share one."""
    if id(grad) in used:
        grad = record(CLONE, (grad,))
    used.add(id(grad))
    return grad


def _seeds(outputs: Sequence[Tensor], given: Any) -> list[Node | None]:
    """The gradients of the outputs that the walk starts from; None stands for one."""
    if given is None or isinstance(given, Tensor):
        given = [given] * len(outputs) if given is None else [given]
    given = list(given)
    if len(given) != len(outputs):
        raise RuntimeError(
            f"Mismatch in number of gradients: got {len(given)} for {len(outputs)} outputs"
        )
    return [_seed(number, *pair) for number, pair in enumerate(zip(outputs, given, strict=True))]


def _seed(number: int, output: Tensor, grad: Any) -> Node | None:
    if not output.requires_grad:
        raise RuntimeError(
            f"element {number} of tensors does not require grad and does not have a grad_fn"
        )
    node = output.node
    if grad is None:
        if node.spec.numel != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        return None
    if grad.node.spec.shape != node.spec.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{number}] has a shape of {grad.shape} and "
            f"output[{number}] has a shape of {output.shape}."
        )
    result: Node = grad.to(node.dtype).node
    return result


def _wanted(tensors: Sequence[Tensor]) -> dict[int, Tensor]:
    """By identity, the tensors whose gradients are asked for."""
    wanted = {}
    for one in tensors:
        if not one.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
        wanted[_key(one)] = one
    return wanted


def _key(tensor: Tensor) -> int:
    return id(tensor) if tensor._leaf else identity(tensor.node)


def _accumulate(tensor: Tensor, grad: Node, create_graph: bool) -> None:
    if tensor._hooks and tensor._leaf:
        for hook in tuple(tensor._hooks.values()):
            answer = hook(wrap(grad))
            grad = grad if answer is None else record(CLONE, (answer.node,))
    known = tensor._grad
    if context.capture is not None:
        touch_gradient(tensor, known, read=True)
    if known is None:
        tensor._grad = wrap(grad)
    elif create_graph:
        tensor._grad = wrap(add(known.node, grad))
    else:
        before, context.grad_enabled = context.grad_enabled, False
        try:
            write(known, add(known.node, grad))
        finally:
            context.grad_enabled = before
    if tensor._after_accumulation:
        for after in tuple(tensor._after_accumulation.values()):
            after(tensor)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of `outputs` with respect to `inputs`; nothing is added to any `.grad`.

    With `create_graph` they can be differentiated again.

    >>> import flambeau
    >>> x = flambeau.tensor(3.0, requires_grad=True)
    >>> flambeau.autograd.grad(x * x, x)
    (tensor(6.),)
    """
    if is_grads_batched:
        raise NotImplementedError("grad(is_grads_batched=True) is not supported; loop instead")
    results = _tensors(outputs)
    chosen = _tensors(inputs)
    wanted = _wanted(chosen)
    seeds = _seeds(results, grad_outputs)
    found = gradients(
        [one.node for one in results],
        seeds,
        set(wanted),
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
    )
    used = {id(seed) for seed in seeds}
    answers: list[Tensor | None] = []
    for one in chosen:
        pair = found.get(_key(one))
        if pair is not None:
            answers.append(_hooked(one, wrap(_fresh(pair[1], used))))
        elif materialize_grads:
            answers.append(wrap(zeros(tuple(one.shape), one.dtype)))
        elif allow_unused:
            answers.append(None)
        else:
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
    return tuple(answers)


def _hooked(tensor: Tensor, grad: Tensor) -> Tensor:
    for hook in tuple((tensor._hooks or {}).values()) if tensor._leaf else ():
        answer = hook(grad)
        grad = grad if answer is None else answer
    return grad


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `hook` with the gradient of this tensor; what it returns takes the gradient's place."""
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._hooks is None:
        self._hooks = Hooks()
    table = self._hooks
    handle = RemovableHandle(table)
    table[handle.id] = hook
    if not self._leaf:
        _attach(self.node, _Observer(table, handle.id))
    return handle


class _Observer:
    """A tensor's hook at the tensor's node; gone once it was removed from the table."""

    def __init__(self, table: dict[int, Any], number: int) -> None:
        self.table = table
        self.number = number

    def __call__(self, grad: Node) -> Node | None:
        hook = self.table.get(self.number)
        answer = None if hook is None else hook(wrap(record(CLONE, (grad,))))
        return None if answer is None else answer.node


class _Keeper:
    """Sets the `.grad` of a tensor that is no leaf."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)

    def __call__(self, grad: Node) -> None:
        tensor = self.tensor()
        if tensor is None:
            return
        clone = record(CLONE, (grad,))
        tensor._grad = wrap(clone if tensor._grad is None else add(tensor._grad.node, clone))


def _attach(node: Node, hook: Callable[[Node], Node | None]) -> None:
    """Add a hook; the one that keeps the gradient stays last."""
    hooks = list(node.hooks or ())
    place = len(hooks) - 1 if hooks and isinstance(hooks[-1], _Keeper) else len(hooks)
    hooks.insert(place, hook)
    node.hooks = hooks


def register_post_accumulate_grad_hook(
    self: Tensor, hook: Callable[[Tensor], None]
) -> RemovableHandle:
    """Call `hook` with this leaf each time its `.grad` has been added to."""
    if not self._leaf:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    if self._after_accumulation is None:
        self._after_accumulation = Hooks()
    table = self._after_accumulation
    handle = RemovableHandle(table)
    table[handle.id] = hook
    return handle


def retain_grad(self: Tensor) -> None:
    """Keep the gradient of this tensor in `.grad` though it is no leaf."""
    if not self.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._leaf or retains_grad(self):
        return
    node = self.node
    node.hooks = [*(node.hooks or ()), _Keeper(self)]


def retains_grad(self: Tensor) -> bool:
    """Whether `retain_grad` was called."""
    return not self._leaf and any(isinstance(one, _Keeper) for one in self.node.hooks or ())


_NAMES = {"parameter": "AccumulateGrad", "clone": "CloneBackward0", "cast": "ToCopyBackward0"}


def name_of(node: Node) -> str:
    """What PyTorch would call the node of the backward graph, as near as there is one."""
    if node.op is FUNCTION_OUTPUT and node.owner:
        title: str = node.owner[0].name()
        return title
    words = node.op.name.split("_")
    return _NAMES.get(node.op.name) or "".join(map(str.capitalize, words)) + "Backward0"


class GradientFunction:
    """`Tensor.grad_fn`: a step of the backward graph, which is the graph of values itself."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.metadata: dict[Any, Any] = {}

    def name(self) -> str:
        """The name of the step."""
        return name_of(self._node)

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The steps that the gradient goes to next, each with the number of its output."""
        return tuple([(grad_fn_of(one), 0) for one in sources(self._node)])

    @property
    def variable(self) -> Any:
        """The leaf that the gradient is added to."""
        if self._node.op is not PARAMETER:
            raise AttributeError(f"'{self.name()}' object has no attribute 'variable'")
        return self._node.owner()

    def register_hook(self, hook: Callable[[Any, Any], Any]) -> RemovableHandle:
        """Call `hook(None, (gradient,))` when the gradient gets here."""
        return self.register_prehook(lambda grads: hook(None, grads))

    def register_prehook(self, hook: Callable[[Any], Any]) -> RemovableHandle:
        """Call `hook((gradient,))` when the gradient gets here."""

        def unpacked(grad: Tensor) -> Tensor | None:
            answer = hook((grad,))
            replaced: Tensor | None = answer[0] if isinstance(answer, tuple) else answer
            return replaced

        table = Hooks()
        handle = RemovableHandle(table)
        table[handle.id] = unpacked
        observer = _Observer(table, handle.id)
        self._node.hooks = [*(self._node.hooks or ()), observer]
        return handle

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradientFunction) and other._node is self._node

    def __hash__(self) -> int:
        return id(self._node)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self._node):#x}>"


def grad_fn_of(node: Node) -> GradientFunction | None:
    """The step that made a value, or None where no gradient goes."""
    return GradientFunction(node) if node.requires_grad else None


def grad_fn(self: Tensor) -> Any:
    """The step of the backward graph that made this tensor; None for leaves."""
    if self._leaf or not self.requires_grad:
        return None
    node = self.node
    if node.op is FUNCTION_OUTPUT and node.owner and hasattr(node.owner[0], "next_functions"):
        return node.owner[0]
    return grad_fn_of(node)


def get_grad(self: Tensor) -> Tensor | None:
    """The gradient accumulated so far."""
    if context.capture is not None:
        touch_gradient(self, self._grad, read=True)
    return self._grad


def set_grad(self: Tensor, value: Tensor | None) -> None:
    """Set the gradient; it must fit."""
    if value is not None:
        if not isinstance(value, Tensor):
            raise TypeError(
                f"assigned grad expected to be a Tensor or None but got grad of type "
                f"{type(value).__name__}"
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if value.shape != self.shape:
            raise RuntimeError(
                f"assigned grad has data of a different size: expected {list(self.shape)}, got "
                f"{list(value.shape)}"
            )
        if value.dtype is not self.dtype:
            raise RuntimeError(
                f"assigned grad has data of a different type: expected {self.dtype}, got "
                f"{value.dtype}"
            )
    touch_gradient(self, self._grad, read=False)
    self._grad = value


def del_grad(self: Tensor) -> None:
    """Forget the gradient."""
    touch_gradient(self, self._grad, read=False)
    self._grad = None
