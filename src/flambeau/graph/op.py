"""The Op interface: everything about a primitive in one object.

An op says what shape and dtype it makes (`infer`), how to differentiate it (`gradient`), what it
means in NumPy (`numpy`), how it is lowered (by its class, below), and gives `samples` and
`error_samples` for the generated tests. The compiler knows the five kinds, never the ops.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.graph.node import Node, Spec

if TYPE_CHECKING:
    from flambeau.graph.index import Coordinates
    from flambeau.graph.lowering import Expressions, Reader, StepBuilder

# What a gradient rule reads, hence what must be kept for it.
NOTHING, INPUTS, OUTPUT, BOTH = 0, 1, 2, 3


@dataclass(frozen=True)
class Sample:
    """Arguments for one generated test: arrays, and the op's parameters."""

    inputs: tuple[np.ndarray, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    differentiable: bool = True


@dataclass(frozen=True)
class ErrorSample:
    """Arguments an op must refuse, the exception's type and a part of its text."""

    inputs: tuple[np.ndarray, ...]
    error: type[Exception]
    message: str
    parameters: dict[str, Any] = field(default_factory=dict)


class Op:
    """A primitive. Instances are stateless and unique; `name` is the op's name in listings."""

    name: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[int] = INPUTS
    # Of which inputs it reads the values, if any; of the others the shape will do.
    inputs_read: ClassVar[slice] = slice(None)
    differentiable: ClassVar[bool] = True
    # An op that does more than make a value (draws random numbers) is never dropped.
    effect: ClassVar[bool] = False
    # The same value under another handle; see Alias.
    is_alias: ClassVar[bool] = False
    # An alias or a view, which costs nothing to do again.
    is_free: ClassVar[bool] = False
    # An op that may find a bad index at run time.
    checks: ClassVar[bool] = False

    def infer(self, *inputs: Any, **parameters: Any) -> tuple[Shape, dtype]:
        """The result's shape and dtype; raises what PyTorch raises for inputs it refuses."""
        raise NotImplementedError(f"{self.name} does not say what it makes")

    def numpy(self, *arrays: Any, **parameters: Any) -> Any:
        """The op's meaning: the reference that the compiled code is tested against."""
        raise NotImplementedError(f"{self.name} does not say what it means")

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        """The gradient of each input, given that of the output; made of other ops."""
        raise RuntimeError(f"derivative for '{self.name}' is not implemented")

    def samples(self) -> Iterable[Sample]:
        """Inputs for the generated tests."""
        return ()

    def error_samples(self) -> Iterable[ErrorSample]:
        """Inputs that must be refused."""
        return ()

    def named(self, attributes: tuple[Any, ...]) -> dict[str, Any]:
        """The attributes by parameter name."""
        return dict(zip(self.parameters, attributes, strict=True))

    def __repr__(self) -> str:
        return self.name


class Elementwise(Op):
    """One result element from one element of each (broadcast) input."""

    # Weight in the scheduler's choice between computing again and storing.
    cost: ClassVar[int] = 1

    def lower(self, e: Expressions, *values: Any, **parameters: Any) -> int:
        """The expression, built from the kernel language's functions."""
        raise NotImplementedError(f"{self.name} has no expression")


class View(Op):
    """Each result element is one input element, found by index arithmetic, or a constant."""

    reads = NOTHING
    is_free = True

    def source(self, reader: Reader, node: Node, at: Coordinates) -> int:
        """The value at coordinates `at`, read from the input through `reader`."""
        raise NotImplementedError(f"{self.name} has no index map")


class Reduction(Op):
    """Folds the dimensions `dims` (the first parameter) with an associative function."""

    # A function of the kernel language, e.g. "add".
    combine: ClassVar[str]

    def identity(self, kind: dtype) -> float | int:
        """The value that changes nothing, for elements of this type."""
        raise NotImplementedError(f"{self.name} has no identity")


class Template(Op):
    """Lowered to steps of its own (a matrix product, a sort)."""

    # Whether its inputs are computed where its steps read them; else they are stored first.
    inlines: ClassVar[bool] = False

    def steps(self, builder: StepBuilder, node: Node) -> None:
        """Add the op's kernels and the memory they need to the plan being built."""
        raise NotImplementedError(f"{self.name} has no steps")


class Joint(Template):
    """An op of several results: a node for each, with its number as the last attribute.

    Nodes of the same inputs and attributes but for that are results of one evaluation. Each has a
    tuple of inputs of its own, as the uses of a node are counted by its references.
    """

    def lower(self, builder: StepBuilder, node: Node, results: dict[int, Node]) -> None:
        """Add what makes `results`, by number; `node` is one of them."""
        raise NotImplementedError(f"{self.name} has no steps")

    def result_count(self, **parameters: Any) -> int:
        """How many results there are."""
        raise NotImplementedError(f"{self.name} does not say how many results it has")

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        grads: list[Node | None] = [None] * self.result_count(**parameters)
        grads[parameters["number"]] = grad
        return tuple(self.gradients(grads, node, **parameters))

    def gradients(
        self, grads: Sequence[Node | None], node: Node, **parameters: Any
    ) -> Sequence[Node | None]:
        """The gradient of each input, given those of the results; `node` is one of them."""
        raise RuntimeError(f"derivative for '{self.name}' is not implemented")


class Alias(Op):
    """The same value under another handle; costs nothing at run time."""

    is_alias = is_free = True
    # Whether tensors hold it as a value of their own, apart from what it is an alias of.
    stands_alone: ClassVar[bool] = False
    reads = NOTHING
    parameters = ()

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return inputs[0].shape, inputs[0].dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        return arrays[0]

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        return (grad,)


class Leaf(Op):
    """A value that was not computed: data in a buffer, or a Python scalar."""

    parameters: ClassVar[tuple[str, ...]] = ("value",)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        raise AssertionError("leaves are not recorded")

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        raise AssertionError("leaves are not computed")


class Data(Leaf):
    """A buffer's content."""

    name = "data"


class Scalar(Leaf):
    """A Python number: an argument of the plan, not part of its structure."""

    name = "scalar"


class Inner(Leaf):
    """What a body, traced by itself, is given; it has a value only where the body is run."""

    name = "inner"
    parameters = ()

    def gradient(self, grad: Node, node: Node, **parameters: Any) -> tuple[Node | None, ...]:
        return ()


class Parameter(Alias):
    """The current value of a tensor whose gradient is asked for: where `backward` ends."""

    name = "parameter"


class Detach(Alias):
    """A value that gradients do not pass."""

    name = "detach"
    differentiable = False


DATA, SCALAR, INNER = Data(), Scalar(), Inner()
PARAMETER, DETACH = Parameter(), Detach()
