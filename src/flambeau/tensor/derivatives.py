"""`torch.autograd.functional`: Jacobians, Hessians, and products with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau.autograd.modes import enable_grad
from flambeau.tensor.creation import zeros_like
from flambeau.tensor.gradients import grad
from flambeau.tensor.joining import stack
from flambeau.tensor.tensor import Tensor

Tensors = tuple[Tensor, ...]


def _tuple(value: Any) -> Tensors:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _leaves(inputs: Any, create_graph: bool) -> Tensors:
    """The inputs as places to differentiate at."""
    if create_graph:
        return tuple([one.view_as(one) if one.requires_grad else _leaf(one) for one in inputs])
    return tuple([_leaf(one) for one in inputs])


def _leaf(tensor: Tensor) -> Tensor:
    leaf: Tensor = tensor.detach().clone().requires_grad_(True)
    return leaf


def _gradients(
    outputs: Tensors, inputs: Tensors, weights: Any, create_graph: bool, strict: bool = False
) -> Tensors:
    """Gradients, zeros where nothing is used."""
    pairs = zip(outputs, weights or [None] * len(outputs), strict=True)
    used = [(out, weight) for out, weight in pairs if out.requires_grad]
    if strict and len(used) < len(outputs):
        raise RuntimeError(
            "Output of the user-provided function is independent of the input. This is not allowed "
            "in strict mode."
        )
    if not used:
        return tuple([zeros_like(one) for one in inputs])
    found = grad(
        [out for out, _ in used],
        inputs,
        [weight for _, weight in used],
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
    )
    return tuple(
        [
            zeros_like(one) if answer is None else answer
            for answer, one in zip(found, inputs, strict=True)
        ]
    )


def _like(given: Any, results: Any) -> Any:
    """One result for one given tensor, a tuple for a tuple."""
    return tuple(results) if isinstance(given, (tuple, list)) else results[0]


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """`func(inputs)`, and the product of `v` with the Jacobian."""
    with enable_grad():
        leaves = _leaves(_tuple(inputs), create_graph)
        outputs = func(*leaves)
        results = _tuple(outputs)
        if v is None and (len(results) != 1 or results[0].numel() != 1):
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a single "
                "Tensor with a single element."
            )
        weights = None if v is None else _tuple(v)
        found = _gradients(results, leaves, weights, create_graph, strict)
    return _given_back(outputs, create_graph), _like(inputs, found)


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """`func(inputs)`, and the product of the Jacobian with `v`: two backward passes."""
    with enable_grad():
        leaves = _leaves(_tuple(inputs), create_graph)
        outputs = func(*leaves)
        results = _tuple(outputs)
        if v is None:
            if len(leaves) != 1 or leaves[0].numel() != 1:
                raise RuntimeError(
                    "The vector v can only be None if the input to the user-provided function is a "
                    "single Tensor with a single element."
                )
            vectors: Tensors = (zeros_like(leaves[0]) + 1,)
        else:
            vectors = _tuple(v)
        # The gradient is linear in its weights: its derivative by them is the product wanted.
        weights = tuple([zeros_like(one).requires_grad_(True) for one in results])
        first = _gradients(results, leaves, weights, True, strict)
        found = _gradients(first, weights, vectors, create_graph)
    return _given_back(outputs, create_graph), _like(outputs, found)


def _given_back(outputs: Any, create_graph: bool) -> Any:
    if create_graph:
        return outputs
    return _like(outputs, [one.detach() for one in _tuple(outputs)])


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """All derivatives: for each output and input a tensor of shape (*output, *input).

    >>> import flambeau
    >>> flambeau.autograd.functional.jacobian(lambda x: x * x, flambeau.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    with enable_grad():
        leaves = _leaves(_tuple(inputs), create_graph)
        outputs = func(*leaves)
        rows = []
        for output in _tuple(outputs):
            found = [
                _gradients((one,), leaves, None, create_graph, strict)
                for one in output.reshape(-1).unbind(0)
            ]
            columns = zip(*found, strict=True) if found else [()] * len(leaves)
            rows.append(
                _like(
                    inputs,
                    [
                        stack(column).reshape(*output.shape, *leaf.shape)
                        if column
                        else leaf.new_zeros((*output.shape, *leaf.shape))
                        for column, leaf in zip(columns, leaves, strict=True)
                    ],
                )
            )
    return _like(outputs, rows)


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """All second derivatives of a function with a single value."""

    def first(*leaves: Tensor) -> Any:
        output = func(*leaves)
        if not isinstance(output, Tensor) or output.numel() != 1:
            raise RuntimeError(
                "The Tensor returned by the function given to hessian should contain a single "
                "element"
            )
        return _like(inputs, _gradients((output.reshape(()),), leaves, None, True, strict))

    return jacobian(first, inputs, create_graph, strict)


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """`func(inputs)`, and the product of `v` with the Hessian."""
    with enable_grad():
        leaves = _leaves(_tuple(inputs), create_graph)
        output = func(*leaves)
        first = _gradients((output,), leaves, None, True, strict)
        vectors = None if v is None else _tuple(v)
        found = _gradients(first, leaves, vectors, create_graph)
    return _given_back(output, create_graph), _like(inputs, found)


hvp = vhp
