"""`tf.gradients`: one operation whose evaluation is flambeau's own backward walk over the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flambeau.autograd.aliases import CLONE
from flambeau.autograd.engine import gradients as walk
from flambeau.autograd.engine import identity
from flambeau.graph.node import Node
from flambeau.graph.recording import record
from flambeau.ops.algebra import add
from flambeau.ops.shape import full, zeros
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tensor.tensor import wrap
from flambeau.tf1.arrays import ones_like, zeros_like
from flambeau.tf1.building import convert_to_tensor, operation
from flambeau.tf1.evaluation import Evaluation
from flambeau.tf1.graph import Operation, Tensor
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import Static


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: Any = False,
    aggregation_method: Any = None,
    stop_gradients: Any = None,
    unconnected_gradients: str = "none",
) -> list[Tensor | None]:
    """The gradients of the sum of `ys` with respect to each of `xs`; None where there is none.

    `grad_ys` weigh the elements of `ys`. `stop_gradients` are taken as constants. The results are
    tensors like others: they can be differentiated again.

    >>> import flambeau.tf1 as tf
    >>> x = tf.constant(3.0)
    >>> (slope,) = tf.gradients(x * x, [x])
    >>> with tf.Session() as session:
    ...     session.run(tf.gradients(slope, x))
    [np.float32(2.0)]
    """
    targets, sources = _tensors(ys), _tensors(xs)
    seeds = _seeds(targets, grad_ys)
    stops = [] if stop_gradients is None else _tensors(stop_gradients)
    for one in sources:
        if not one.dtype.is_floating:
            raise TypeError(f"gradients: {one} is not of a floating-point type")
    connected = _connected(targets, sources, set(stops))
    chosen = list(dict.fromkeys([one for one in sources if one in connected]))
    if not chosen:
        made: dict[Tensor, Tensor] = {}
    else:
        made = _gradients(targets, seeds, chosen, stops, name)
    if unconnected_gradients == "zero":
        return [made[one] if one in made else zeros_like(one) for one in sources]
    return [made.get(one) for one in sources]


def _gradients(
    targets: list[Tensor], seeds: list[Tensor], xs: list[Tensor], stops: list[Tensor], name: str
) -> dict[Tensor, Tensor]:
    attributes = {
        "targets": len(targets),
        "first_x": len(targets) + len(seeds),
        "sources": len(xs),
    }
    inputs = [*targets, *seeds, *xs, *stops]
    made = operation(GRADIENTS, inputs, [one.dtype for one in xs], attributes, name)
    return dict(zip(xs, made.outputs, strict=True))


def _tensors(given: Any) -> list[Tensor]:
    many = given if isinstance(given, (list, tuple)) else [given]
    return [convert_to_tensor(one) for one in many]


def _seeds(targets: list[Tensor], grad_ys: Any) -> list[Tensor]:
    if grad_ys is None:
        return []
    given = grad_ys if isinstance(grad_ys, (list, tuple)) else [grad_ys]
    if len(given) != len(targets):
        raise ValueError(f"Passed {len(given)} grad_ys for {len(targets)} ys")
    return [
        ones_like(target) if one is None else convert_to_tensor(one, target.dtype)
        for target, one in zip(targets, given, strict=True)
    ]


def _connected(targets: list[Tensor], sources: list[Tensor], stops: set[Tensor]) -> set[Tensor]:
    """Those of the sources that a target depends on through operations with a gradient."""
    reached: set[Tensor] = set()
    waiting = list(targets)
    while waiting:
        tensor = waiting.pop()
        if tensor in reached or not tensor.dtype.is_floating:
            continue
        reached.add(tensor)
        if tensor.op.kind.differentiable and tensor not in stops:
            waiting += tensor.op.inputs
    return reached.intersection(sources)


def _shapes(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> list[Static]:
    first = attributes["first_x"]
    return [one.static for one in inputs[first : first + attributes["sources"]]]


def _evaluate(evaluation: Evaluation, made: Operation) -> list[Value]:
    targets, first, count = (made.attributes[one] for one in ("targets", "first_x", "sources"))
    outputs = [evaluation.value(one).node for one in made.inputs[:targets]]
    given = [evaluation.value(one).node for one in made.inputs[targets:first]]
    seeds = given or [full(one.shape, 1, one.dtype) for one in outputs]
    pairs = [pair for pair in zip(outputs, seeds, strict=True) if pair[0].requires_grad]
    sources = [_nodes(evaluation, one) for one in made.inputs[first : first + count]]
    stops = [_nodes(evaluation, one) for one in made.inputs[first + count :]]
    found = walk(
        [output for output, _ in pairs],
        [seed for _, seed in pairs],
        {identity(node) for nodes in sources for node in nodes},
        retain_graph=True,
        create_graph=evaluation.is_differentiated(made),
        stops={identity(node) for nodes in stops for node in nodes},
    )
    used = [*outputs, *seeds]
    return [_total(nodes, found, used) for nodes in sources]


def _nodes(evaluation: Evaluation, tensor: Tensor) -> list[Node]:
    """What stands for a tensor in this run: a variable may have been read between writes."""
    if evaluation.is_variable(tensor):
        return [one.node for one in evaluation.reads(tensor.op)]
    return [evaluation.value(tensor).node]


def _total(nodes: list[Node], found: dict[int, tuple[Node, Node]], used: list[Node]) -> Value:
    """The gradient for a tensor, as a node that is not among those used; it is added to them."""
    total: Node | None = None
    for node in nodes:
        if identity(node) in found:
            one = found[identity(node)][1]
            total = one if total is None else add(total, one)
    if total is None:
        return wrap(zeros(nodes[0].shape, nodes[0].dtype))
    if any(one is total for one in used):
        total = record(CLONE, (total,))
    used.append(total)
    return wrap(total)


GRADIENTS = Kind("Gradients", _shapes, in_session=_evaluate)
