"""Loops and branches as operations: `scan`, `while_loop` and `cond`.

Python calls the functions given to them once, to see what they do; what they do is then part of the
graph, and runs without Python, as often as the values ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from flambeau.autograd.aliases import CLONE
from flambeau.autograd.branch import branch as branch_nodes
from flambeau.autograd.scan import scan as scan_nodes
from flambeau.autograd.while_loop import while_loop as while_nodes
from flambeau.core import dtypes
from flambeau.graph.node import Node
from flambeau.graph.recording import record
from flambeau.ops.shape import reshape
from flambeau.tensor.structure import flatten, same_structure, unflatten
from flambeau.tensor.tensor import Tensor, wrap


def scan(
    combine_fn: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any,
    *,
    dim: int = 0,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """`carry, y = combine_fn(carry, x)` for each slice `x` of `xs` along `dim`, in order.

    The result is the last carry and the `y`s stacked along `dim`; carries, slices and results are
    tensors or nested tuples, lists and dicts of tensors. With `reverse` it goes from the last slice
    to the first. `combine_fn` may use tensors from around it, and is called once, to record
    what it does: it cannot look at values, write in place to tensors from outside, or draw random
    numbers. Gradients compute each round again from the carry it began with.

    RuntimeError if `combine_fn` changes the structure, shape or dtype of the carry, or the slices
    differ in number. As `torch._higher_order_ops.scan`.

    >>> import flambeau
    >>> flambeau.scan(lambda s, x: (s + x, s * x), flambeau.tensor(0), flambeau.arange(4))
    (tensor(6), tensor([0, 0, 2, 9]))
    """
    first = _tensors("scan", "init", init)
    walked = _tensors("scan", "xs", xs)
    if not walked:
        return init, []
    dim = _checked_dim(walked, dim)
    length = walked[0].shape[dim]
    outputs: Any = None

    def step(
        carries: Sequence[Node], slices: Sequence[Node], _: Sequence[Node]
    ) -> tuple[list[Node], list[Node]]:
        nonlocal outputs
        given = _wrapped(init, carries), _wrapped(xs, slices)
        result: Any = combine_fn(*given)
        if not isinstance(result, tuple) or len(result) != 2:
            raise RuntimeError(
                f"scan: combine_fn has to return the next carry and an output, got {_text(result)}"
            )
        after, outputs = result
        nodes = _same_nodes("scan", "combine_fn", init, first, after)
        return nodes, [one.node for one in _tensors("scan", "the output of combine_fn", outputs)]

    moved = [(one.movedim(dim, 0) if dim else one).node for one in walked]
    begin = [one.node for one in first]
    last, stacked = scan_nodes(begin, moved, (), length, reverse, step)
    results = [one.movedim(0, dim) if 0 < dim < one.dim() else one for one in map(wrap, stacked)]
    return unflatten(init, own_tensors(last, begin)), unflatten(outputs, results)


def while_loop(
    cond_fn: Callable[..., Any],
    body_fn: Callable[..., Any],
    carried_inputs: Any,
    *,
    maximum_iterations: int | None = None,
) -> Any:
    """`values = body_fn(*values)` as long as `cond_fn(*values)` holds; the last values.

    The values are tensors, or structures of them. Both functions may use tensors from around
    them; they are called to record what they do, and cannot look at values, write in place to
    tensors from outside, or draw random numbers. With `maximum_iterations` the loop ends after so
    many rounds; gradients need it, as memory for what each round begins with is set aside.

    RuntimeError if `body_fn` changes the structure, shape or dtype of the values, or `cond_fn`
    does not give a single bool. As `torch._higher_order_ops.while_loop`.

    >>> import flambeau
    >>> collatz = lambda n, steps: (flambeau.where(n % 2 == 0, n // 2, 3 * n + 1), steps + 1)
    >>> start = flambeau.tensor(27), flambeau.tensor(0)
    >>> flambeau.while_loop(lambda n, steps: n > 1, collatz, start)
    (tensor(1), tensor(111))
    """
    if not isinstance(carried_inputs, (tuple, list)):
        raise RuntimeError(
            "while_loop: carried_inputs has to be a tuple or a list, got "
            f"{type(carried_inputs).__name__}"
        )
    if maximum_iterations is not None and maximum_iterations < 0:
        raise RuntimeError(
            f"while_loop: maximum_iterations must not be negative, got {maximum_iterations}"
        )
    first = _tensors("while_loop", "carried_inputs", carried_inputs)

    def condition(values: Sequence[Node]) -> Node:
        return _single_bool("while_loop: cond_fn", cond_fn(*_wrapped(carried_inputs, values)))

    def step(values: Sequence[Node], _: Sequence[Node]) -> list[Node]:
        after = body_fn(*_wrapped(carried_inputs, values))
        if isinstance(after, Tensor) and len(carried_inputs) == 1:
            after = (after,)
        if isinstance(after, list) and isinstance(carried_inputs, tuple):
            after = tuple(after)
        return _same_nodes("while_loop", "body_fn", carried_inputs, first, after)

    limit = -1 if maximum_iterations is None else maximum_iterations
    begin = [one.node for one in first]
    last, _ = while_nodes(condition, step, begin, (), limit)
    return unflatten(carried_inputs, own_tensors(last, begin))


def cond(
    pred: Any,
    true_fn: Callable[..., Any],
    false_fn: Callable[..., Any],
    operands: Sequence[Any] = (),
) -> Any:
    """`true_fn(*operands)` if `pred` holds, else `false_fn(*operands)`; only one is computed.

    `pred` is a tensor with a single bool (or a Python bool, which decides at once). Both functions
    are called once, to record what they do, and have to give the same structure of tensors with the
    same shapes and dtypes; RuntimeError otherwise. They cannot look at values, write in place to
    tensors from outside, or draw random numbers. As `torch.cond`.

    >>> import flambeau
    >>> x = flambeau.tensor([1.0, -4.0])
    >>> flambeau.cond(x.sum() > 0, lambda x: x.sqrt(), lambda x: x.abs().sqrt(), (x,))
    tensor([1., 2.])
    """
    if isinstance(pred, bool):
        return (true_fn if pred else false_fn)(*operands)
    given = _tensors("cond", "operands", operands)
    found: list[Any] = []

    def arm(function: Callable[..., Any], name: str) -> Callable[[Sequence[Node]], list[Node]]:
        def nodes(values: Sequence[Node]) -> list[Node]:
            result = function(*_wrapped(operands, values))
            found.append(result)
            if len(found) == 2:
                _alike(found)
            return [one.node for one in _tensors("cond", f"the result of {name}", result)]

        return nodes

    condition = _single_bool("cond: pred", pred)
    arms = arm(true_fn, "true_fn"), arm(false_fn, "false_fn")
    results = branch_nodes(condition, [one.node for one in given], *arms)
    return unflatten(found[0], [wrap(one) for one in results])


def _alike(results: Sequence[Any]) -> None:
    """RuntimeError unless both branches gave the same structure of values of the same kinds."""
    first, second = results
    if not same_structure(first, second):
        raise RuntimeError(
            "cond: true_fn and false_fn must give the same structure, received "
            f"{_text(first)} and {_text(second)}"
        )
    for number, (one, other) in enumerate(zip(flatten(first), flatten(second), strict=True)):
        if (one.shape, one.dtype) != (other.shape, other.dtype):
            raise RuntimeError(
                f"cond: true_fn and false_fn must give the same shapes and dtypes; value {number} "
                f"is {one.dtype} of shape {list(one.shape)} and {other.dtype} of shape "
                f"{list(other.shape)}"
            )


def _single_bool(what: str, value: Any) -> Node:
    """A condition as a 0-dim bool; RuntimeError for anything else."""
    if not isinstance(value, Tensor) or value.dtype is not dtypes.bool or value.numel() != 1:
        found = type(value).__name__
        if isinstance(value, Tensor):
            found = f"{value.dtype} of shape {list(value.shape)}"
        raise RuntimeError(f"{what} has to give a single bool, got {found}")
    return reshape(value.node, ())


def _tensors(function: str, argument: str, value: Any) -> list[Tensor]:
    leaves = flatten(value)
    for one in leaves:
        if not isinstance(one, Tensor):
            raise RuntimeError(
                f"{function}: {argument} has to be a tensor or a structure of tensors, found "
                f"{type(one).__name__}"
            )
    return leaves


def _checked_dim(walked: Sequence[Tensor], dim: int) -> int:
    rank = walked[0].dim()
    if not -rank <= dim < rank:
        raise RuntimeError(f"scan: dim {dim} is out of range for xs of shape {walked[0].shape}")
    dim %= rank
    for one in walked:
        if one.dim() <= dim or one.shape[dim] != walked[0].shape[dim]:
            raise RuntimeError(
                f"scan: all xs must have the same size along dim {dim}, received shapes "
                f"{[list(each.shape) for each in walked]}"
            )
    return dim


def _wrapped(like: Any, nodes: Sequence[Node]) -> Any:
    return unflatten(like, [wrap(node) for node in nodes])


def _same_nodes(
    function: str, argument: str, like: Any, before: Sequence[Tensor], after: Any
) -> list[Node]:
    """The values handed on to the next round; RuntimeError unless they are like the first."""
    if not same_structure(like, after):
        _refuse(function, argument, f"the structure from {_text(like)} to {_text(after)}")
    nodes = [one.node for one in _tensors(function, f"what {argument} hands on", after)]
    for number, (old, new) in enumerate(zip(before, nodes, strict=True)):
        if (tuple(old.shape), old.dtype) != (new.shape, new.dtype):
            was = f"{old.dtype} of shape {list(old.shape)}"
            now = f"{new.dtype} of shape {list(new.shape)}"
            _refuse(function, argument, f"value {number} from {was} to {now}")
    return nodes


def _refuse(function: str, argument: str, what: str) -> NoReturn:
    raise RuntimeError(
        f"{function}: {argument} must hand on the same structure, shapes and dtypes as it is "
        f"given; it changes {what}"
    )


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join([f"{key!r}: {_text(one)}" for key, one in value.items()]) + "}"
    if isinstance(value, (tuple, list)):
        inside = ", ".join([_text(one) for one in value])
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    return "None" if value is None else "*"


def own_tensors(nodes: Sequence[Node], given: Sequence[Node]) -> list[Tensor]:
    """Tensors of what a loop or branch gives; what was given to it, as values of their own."""
    taken = set(given)
    results = []
    for node in nodes:
        results.append(wrap(record(CLONE, (node,)) if node in taken else node))
        taken.add(node)
    return results
