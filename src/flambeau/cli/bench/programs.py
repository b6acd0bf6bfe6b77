"""The programs that are timed, each written once for any package of PyTorch's API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

# A package such as flambeau; a function that compiles functions; an iteration of a program.
Package = Any
Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]
Iteration = Callable[[], Any]

FLOAT_BYTES = 4


@dataclass
class Program:
    """One iteration of a program, in the forms that it is timed in."""

    as_it_stands: Iteration
    whole: Callable[[], Any]  # what a compiler that can take it all is given: tensors
    look: Callable[[Any], Any]  # makes them numbers or arrays
    in_parts: Callable[[Compiler], Iteration]  # forward pass and update compiled, each by itself
    # What a version in another style starts from.
    inputs: Sequence[Any] = ()
    weights: Sequence[Any] = ()

    def captured(self, compile: Compiler) -> Iteration:
        """The whole iteration compiled, its results looked at."""
        step, look = compile(self.whole), self.look
        return lambda: look(step())


@dataclass(frozen=True)
class Row:
    """A program and the least it must do."""

    name: str
    title: str
    make: Callable[[Package], Program] = field(repr=False)
    operations: int  # additions, multiplications and the like in float32
    nbytes: int  # read and written
    functions: int = 0  # exp and the like


# ---------------------------------------------------------------------------- training


def _training(
    loss_of: Callable[[], Any],
    update: Callable[[], Any],
    clear: Callable[[], Any],
    inputs: Sequence[Any],
    weights: Sequence[Any],
) -> Program:
    """A training step whose loss is looked at before the backward pass, as a tutorial prints it."""

    def as_it_stands() -> float:
        loss = loss_of()
        value: float = loss.item()
        clear()
        loss.backward()
        update()
        return value

    def whole() -> Any:
        loss = loss_of()
        clear()
        loss.backward()
        update()
        return loss.detach()

    def in_parts(compile: Compiler) -> Iteration:
        compiled_loss, compiled_update = compile(loss_of), compile(update)

        def step() -> float:
            loss = compiled_loss()
            value: float = loss.item()
            clear()
            loss.backward()
            compiled_update()
            return value

        return step

    return Program(as_it_stands, whole, lambda loss: loss.item(), in_parts, inputs, weights)


def sgd_by_hand(package: Package, batch: int, sizes: Sequence[int]) -> Program:
    """Two matrices, updated in place: the tutorial's autograd program."""
    package.manual_seed(0)
    first, hidden, last = sizes
    x, y = package.randn(batch, first), package.randn(batch, last)
    w1 = package.randn(first, hidden, requires_grad=True)
    w2 = package.randn(hidden, last, requires_grad=True)

    def loss() -> Any:
        return (x.mm(w1).clamp(min=0).mm(w2) - y).pow(2).sum()

    def update() -> None:
        with package.no_grad():
            for weight in (w1, w2):
                weight -= 1e-6 * weight.grad
                weight.grad.zero_()

    return _training(loss, update, lambda: None, (x, y), (w1, w2))


def nn_adam(package: Package, batch: int, sizes: Sequence[int]) -> Program:
    """Linear layers with ReLU between them, squared error and Adam: the tutorial's nn program."""
    package.manual_seed(0)
    nn = package.nn
    x, y = package.randn(batch, sizes[0]), package.randn(batch, sizes[-1])
    layers: list[Any] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    squared_error = nn.MSELoss(reduction="sum")
    optimizer = package.optim.Adam(model.parameters(), lr=1e-4)
    weights = list(model.parameters())
    return _training(
        lambda: squared_error(model(x), y),
        optimizer.step,
        optimizer.zero_grad,
        (x, y),
        weights,
    )


def cross_entropy(package: Package, rows: int, classes: int) -> Program:
    """The loss of a language model and the gradient of its logits."""
    package.manual_seed(0)
    logits = package.randn(rows, classes, requires_grad=True)
    target = package.randint(0, classes, (rows,))

    def loss_of() -> Any:
        return package.nn.functional.cross_entropy(logits, target)

    def backward(loss: Any) -> Any:
        logits.grad = None
        loss.backward()
        return loss.detach(), logits.grad

    def look(pair: tuple[Any, Any]) -> Any:
        loss, gradient = pair
        return loss.item(), gradient.numpy()

    def whole() -> Any:
        return backward(loss_of())

    def in_parts(compile: Compiler) -> Iteration:
        compiled_loss = compile(loss_of)
        return lambda: look(backward(compiled_loss()))

    return Program(lambda: look(whole()), whole, look, in_parts, (target,), (logits,))


# ---------------------------------------------------------------------------- functions


def _function(function: Callable[..., Any], *inputs: Any) -> Program:
    """A function whose result is looked at as an array."""

    def whole() -> Any:
        return function(*inputs)

    def look(result: Any) -> Any:
        return result.numpy()

    def in_parts(compile: Compiler) -> Iteration:
        compiled = compile(function)
        return lambda: look(compiled(*inputs))

    return Program(lambda: look(whole()), whole, look, in_parts, inputs)


def elementwise_chain(package: Package, elements: int) -> Program:
    """A sum over a chain with sigmoid, exp and log1p."""
    package.manual_seed(0)
    x = package.randn(elements)

    def chain(x: Any) -> Any:
        return (package.sigmoid(x) * package.exp(-x * x) + package.log1p(x.abs())).sum()

    return _function(chain, x)


def softmax(package: Package, rows: int, columns: int) -> Program:
    """Softmax of every row."""
    package.manual_seed(0)
    return _function(lambda x: package.softmax(x, 1), package.randn(rows, columns))


def layer_norm_gelu(package: Package, rows: int, columns: int) -> Program:
    """Layer norm of every row, then GELU."""
    package.manual_seed(0)
    functional = package.nn.functional
    x, weight, bias = (package.randn(*shape) for shape in ((rows, columns), (columns,), (columns,)))
    return _function(
        lambda x, weight, bias: functional.gelu(functional.layer_norm(x, (columns,), weight, bias)),
        x,
        weight,
        bias,
    )


# ---------------------------------------------------------------------------- rows


def _training_operations(batch: int, sizes: Sequence[int]) -> int:
    """Of the products: forward, the weights' gradients, and the inputs' but the first's."""
    products = [2 * batch * a * b for a, b in pairwise(sizes)]
    return 2 * sum(products) + sum(products[1:])


def _training_bytes(batch: int, sizes: Sequence[int], passes: int) -> int:
    """Inputs are read once; `passes` times the weights are read or written by the update."""
    weights = sum(a * b for a, b in pairwise(sizes))
    return FLOAT_BYTES * (batch * (sizes[0] + sizes[-1]) + passes * weights)


def _training_row(name: str, title: str, adam: bool, batch: int, *sizes: int) -> Row:
    make = nn_adam if adam else sgd_by_hand
    # The weights and, with Adam, two moments: each read and written.
    passes = 6 if adam else 2
    return Row(
        name,
        f"{title}, {'×'.join(map(str, (batch, *sizes)))}",
        lambda package: make(package, batch, sizes),
        _training_operations(batch, sizes),
        _training_bytes(batch, sizes, passes),
    )


_ROWS, _COLUMNS = 4096, 1024
_TOKENS, _CLASSES = 1024, 32000
_ELEMENTS = 4 << 20

ROWS = (
    _training_row("tutorial_sgd", "tutorial, SGD by hand", False, 64, 1000, 100, 10),
    _training_row("tutorial_adam", "tutorial, nn + Adam", True, 64, 1000, 100, 10),
    _training_row("tiny_adam", "nn + Adam", True, 8, 16, 16, 4),
    _training_row("wide_adam", "nn + Adam", True, 256, 1024, 1024, 1024),
    Row(
        "chain",
        "sigmoid, exp, log1p and a sum, 4 M elements",
        lambda package: elementwise_chain(package, _ELEMENTS),
        7 * _ELEMENTS,
        FLOAT_BYTES * _ELEMENTS,
        3 * _ELEMENTS,
    ),
    Row(
        "softmax",
        f"softmax, {_ROWS}×{_COLUMNS}",
        lambda package: softmax(package, _ROWS, _COLUMNS),
        4 * _ROWS * _COLUMNS,
        2 * FLOAT_BYTES * _ROWS * _COLUMNS,
        _ROWS * _COLUMNS,
    ),
    Row(
        "layer_norm_gelu",
        f"layer norm + gelu, {_ROWS}×{_COLUMNS}",
        lambda package: layer_norm_gelu(package, _ROWS, _COLUMNS),
        12 * _ROWS * _COLUMNS,
        2 * FLOAT_BYTES * _ROWS * _COLUMNS,
        _ROWS * _COLUMNS,
    ),
    Row(
        "cross_entropy",
        f"cross entropy and gradient, {_TOKENS}×{_CLASSES}",
        lambda package: cross_entropy(package, _TOKENS, _CLASSES),
        5 * _TOKENS * _CLASSES,
        2 * FLOAT_BYTES * _TOKENS * _CLASSES,
        _TOKENS * _CLASSES,
    ),
)
