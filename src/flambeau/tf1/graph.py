"""Graph, Operation and Tensor: what a TensorFlow program writes down before anything runs.

A graph is a list of operations. An operation refers only to earlier ones, so the order of the list
is an order of execution.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from flambeau.graph.node import user_location
from flambeau.tf1.dtypes import DType
from flambeau.tf1.kind import Kind
from flambeau.tf1.shapes import Static, TensorShape, as_static, describe, merged

_SCOPE_NAME = re.compile(r"[A-Za-z0-9_.\-/]*")
_OPERATION_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\-/]*")


class Operation:
    """A step of a graph: its kind applied to `inputs`, after `control_inputs`."""

    def __init__(
        self,
        graph: Graph,
        kind: Kind,
        name: str,
        inputs: tuple[Tensor, ...],
        attributes: dict[str, Any],
        control_inputs: tuple[Operation, ...],
        dtypes: Sequence[DType],
    ) -> None:
        self.graph = graph
        self.kind = kind
        self.name = name
        self.inputs = inputs
        self.attributes = attributes
        self.control_inputs = control_inputs
        self.device = graph.current_device
        # The body of a loop or a branch that it is a part of.
        self.frame: Frame | None = graph.frame
        self.number = len(graph.operations)
        self.source: tuple[CodeType, int] | None = user_location()
        try:
            shapes = kind.shape(inputs, attributes)
        except ValueError as error:
            raise ValueError(
                f"{error} for '{name}' (op: '{kind.name}'){_shapes_of(inputs)}"
            ) from None
        self.outputs = [
            Tensor(self, number, *pair)
            for number, pair in enumerate(zip(dtypes, shapes, strict=True))
        ]

    @property
    def type(self) -> str:
        """The name of the operation's type."""
        return self.kind.name

    def values(self) -> tuple[Tensor, ...]:
        """The results."""
        return tuple(self.outputs)

    def get_attr(self, name: str) -> Any:
        """A parameter; ValueError if the operation has none of this name."""
        if name not in self.attributes:
            raise ValueError(f"Operation '{self.name}' has no attr named '{name}'.")
        return self.attributes[name]

    def run(self, feed_dict: dict[Any, Any] | None = None, session: Any = None) -> None:
        """Run the operation in the session (default: the default session)."""
        _session(session, self, "run").run(self, feed_dict)

    def __repr__(self) -> str:
        return f"<tf.Operation '{self.name}' type={self.type}>"


class Tensor:
    """A result of an operation: a name for a value that there is only while the graph runs."""

    # Python's arithmetic and indexing come from flambeau.tf1.operators.
    __array_priority__ = 100

    def __init__(self, op: Operation, value_index: int, dtype: DType, shape: Static) -> None:
        self.op = op
        self.value_index = value_index
        self.dtype = dtype
        self.static = shape

    if TYPE_CHECKING:

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __getitem__(self, key: Any) -> Tensor: ...

    @property
    def graph(self) -> Graph:
        """The graph it belongs to."""
        return self.op.graph

    @property
    def name(self) -> str:
        """The operation's name and the number of the result: `MatMul:0`."""
        return f"{self.op.name}:{self.value_index}"

    @property
    def device(self) -> str:
        """Where the program asked for it to be computed."""
        return self.op.device

    @property
    def shape(self) -> TensorShape:
        """What is known of its shape."""
        return TensorShape(self.static)

    def get_shape(self) -> TensorShape:
        """What is known of its shape."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """State more of its shape; ValueError if that contradicts what is known."""
        self.static = merged(self.static, as_static(shape))

    def consumers(self) -> list[Operation]:
        """The operations that read it."""
        return [one for one in self.graph.operations if self in one.inputs]

    def eval(self, feed_dict: dict[Any, Any] | None = None, session: Any = None) -> Any:
        """Its value in the session (default: the default session)."""
        return _session(session, self, "eval").run(self, feed_dict)

    # Tensors are compared, and hashed, by identity, as objects are.

    def __bool__(self) -> bool:
        raise TypeError(
            f"Using the tf.Tensor '{self.name}' as a Python bool is not allowed: it has no value "
            "before the graph runs. Use `if t is not None:` to test whether a tensor is defined, "
            "tf.where and comparisons to compute with its value"
        )

    def __iter__(self) -> Iterator[Tensor]:
        raise TypeError(
            f"Tensor objects are not iterable; '{self.name}' can be split by tf.unstack"
        )

    def __len__(self) -> int:
        raise TypeError(f"len() of the tf.Tensor '{self.name}'; use its shape, or tf.shape")

    def __float__(self) -> float:
        raise TypeError(f"float() of the tf.Tensor '{self.name}', which has no value yet; run it")

    def __int__(self) -> int:
        raise TypeError(f"int() of the tf.Tensor '{self.name}', which has no value yet; run it")

    def __array__(self, *_arguments: Any, **_named: Any) -> np.ndarray:
        raise NotImplementedError(
            f"Cannot convert the symbolic tensor '{self.name}' to a NumPy array; run it first"
        )

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self.name}' shape={describe(self.static)} dtype={self.dtype.name}>"

    def __str__(self) -> str:
        shape = "" if self.static is None else f", shape={describe(self.static)}"
        return f'Tensor("{self.name}"{shape}, dtype={self.dtype.name})'


class Graph:
    """Operations in the order in which they were made.

    >>> import flambeau.tf1 as tf
    >>> with tf.Graph().as_default() as graph:
    ...     x = tf.constant(1.0, name="x")
    >>> graph.get_tensor_by_name("x:0") is x
    True
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        # Of `tf.set_random_seed`.
        self.seed: int | None = None
        self._by_name: dict[str, Operation] = {}
        self._names_in_use: dict[str, int] = {}
        self._collections: dict[Any, list[Any]] = {}
        self._finalized = False
        self._scope = ""
        self._controls: list[tuple[Operation, ...]] = []
        self._devices: list[str] = []
        # The body of a loop or a branch that is being made.
        self.frame: Frame | None = None
        # What front-end modules keep for this graph, such as the open variable scope.
        self.notes: dict[str, Any] = {}

    # ------------------------------------------------------------------ making operations

    def create(
        self,
        kind: Kind,
        inputs: Sequence[Tensor],
        dtypes: Sequence[DType],
        attributes: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> Operation:
        """Add an operation; RuntimeError once the graph is finalized, ValueError for bad shapes."""
        self.check_not_finalized()
        for one in inputs:
            if one.graph is not self:
                raise ValueError(f"{one} must be from the same graph as '{name or kind.name}'.")
            if one.op.frame is not None and not one.op.frame.holds(self.frame):
                raise ValueError(
                    f"Cannot use '{one.op.name}' as input to '{name or kind.name}' because "
                    f"'{one.op.name}' is in {one.op.frame.kind}."
                )
        controls = tuple(dict.fromkeys([one for group in self._controls for one in group]))
        name = name or kind.name
        if name.endswith("/"):  # a scope's own name, entered again
            name = name[:-1]
        else:
            _check_name(name, _SCOPE_NAME if self._scope else _OPERATION_NAME)
            name = self.unique_name(name)
        operation = Operation(self, kind, name, tuple(inputs), attributes or {}, controls, dtypes)
        self.operations.append(operation)
        self._by_name[name] = operation
        return operation

    @contextmanager
    def within(self, frame: Frame | None) -> Iterator[None]:
        """Operations made inside are a part of `frame`, after nothing that is outside of it."""
        before, self.frame = self.frame, frame
        try:
            with self.control_dependencies(None):
                yield
        finally:
            self.frame = before

    def check_not_finalized(self) -> None:
        """RuntimeError if the graph may not change any more."""
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")

    def finalize(self) -> None:
        """From now on the graph cannot be changed."""
        self._finalized = True

    @property
    def finalized(self) -> bool:
        """Whether it cannot be changed any more."""
        return self._finalized

    @property
    def version(self) -> int:
        """Grows with every operation."""
        return len(self.operations)

    # ------------------------------------------------------------------ names and scopes

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """The name within the open scope, with a number if it is taken."""
        full = f"{self._scope}/{name}" if self._scope else name
        key = full.lower()
        count = self._names_in_use.get(key, 0)
        found = full
        number = count
        while number and found.lower() in self._names_in_use:
            found = f"{full}_{number}"
            number += 1
        if mark_as_used:
            self._names_in_use[key] = max(number, 1)
            self._names_in_use.setdefault(found.lower(), 1)
        return found

    @contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Operations made inside have names that begin with `name/`, which the block is given.

        A name that ends with a slash opens a scope again; None or "" is the root.
        """
        before = self._scope
        if not name:
            self._scope = ""
        elif name.endswith("/"):
            self._scope = name[:-1]
        else:
            _check_name(name, _SCOPE_NAME if before else _OPERATION_NAME)
            self._scope = self.unique_name(name)
        try:
            yield f"{self._scope}/" if self._scope else ""
        finally:
            self._scope = before

    def get_name_scope(self) -> str:
        """The open scope."""
        return self._scope

    @contextmanager
    def control_dependencies(self, control_inputs: Sequence[Any] | None) -> Iterator[None]:
        """Operations made inside run after these; None clears all that hold outside."""
        before = self._controls
        if control_inputs is None:
            self._controls = []
        else:
            found = [self.as_graph_element(getattr(one, "op", one)) for one in control_inputs]
            self._controls = [*before, tuple(found)]
        try:
            yield
        finally:
            self._controls = before

    @contextmanager
    def device(self, name: Any) -> Iterator[None]:
        """Note where the operations made inside are asked to run; all run on the CPU."""
        self._devices.append("" if name is None or callable(name) else str(name))
        try:
            yield
        finally:
            self._devices.pop()

    @property
    def current_device(self) -> str:
        """The device of the innermost open block."""
        return self._devices[-1] if self._devices else ""

    def colocate_with(self, op: Any, ignore_existing: bool = False) -> AbstractContextManager[None]:
        """Accepted for compatibility: there is one device."""
        return nullcontext()

    def as_default(self) -> AbstractContextManager[Graph]:
        """A block in which functions add to this graph."""
        return defaults.graph.pushed(self)

    # ------------------------------------------------------------------ looking things up

    def as_graph_element(
        self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True
    ) -> Any:
        """The tensor or operation that `obj` (itself, its name, a variable) stands for.

        ValueError or KeyError if the graph has none such; TypeError for other things.
        """
        tensor = as_tensor(obj)
        if isinstance(obj, str):
            return self._named(obj, allow_tensor, allow_operation)
        if tensor is not None and allow_tensor:
            if tensor.graph is not self:
                raise ValueError(f"Tensor {tensor} is not an element of this graph.")
            return tensor
        if isinstance(obj, Operation) and allow_operation:
            if obj.graph is not self:
                raise ValueError(f"Operation {obj!r} is not an element of this graph.")
            return obj
        wanted = " or ".join(["Tensor"] * allow_tensor + ["Operation"] * allow_operation)
        raise TypeError(f"Can not convert a {type(obj).__name__} into a {wanted}.")

    def _named(self, name: str, allow_tensor: bool, allow_operation: bool) -> Any:
        op_name, colon, number = name.partition(":")
        if colon and not allow_tensor:
            raise ValueError(f"Name {name!r} appears to refer to a Tensor, not a Operation.")
        if not colon and not allow_operation:
            raise ValueError(
                f"Name {name!r} looks like an (invalid) Operation name, not a Tensor. Tensor names "
                'must be of the form "<op_name>:<output_index>".'
            )
        operation = self._by_name.get(op_name)
        if operation is None:
            raise KeyError(
                f"The name {name!r} refers to {'a Tensor' if colon else 'an Operation'} which does "
                f"not exist. The operation, {op_name!r}, does not exist in the graph."
            )
        if not colon:
            return operation
        if not number.isdigit() or int(number) >= len(operation.outputs):
            raise KeyError(
                f"The name {name!r} refers to a Tensor which does not exist. The operation, "
                f"{op_name!r}, exists but only has {len(operation.outputs)} outputs."
            )
        return operation.outputs[int(number)]

    def get_tensor_by_name(self, name: str) -> Tensor:
        """The tensor `<op_name>:<output_index>`; ValueError, KeyError."""
        found: Tensor = self.as_graph_element(name, allow_operation=False)
        return found

    def get_operation_by_name(self, name: str) -> Operation:
        """The operation of this name; ValueError, KeyError."""
        found: Operation = self.as_graph_element(name, allow_tensor=False)
        return found

    def get_operations(self) -> list[Operation]:
        """All operations, in the order in which they were made."""
        return self.operations.copy()

    # ------------------------------------------------------------------ collections

    def add_to_collection(self, name: Any, value: Any) -> None:
        """Append to the list that goes by `name`."""
        self.check_not_finalized()
        self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Append to each of these lists."""
        for name in (names,) if isinstance(names, str) else dict.fromkeys(names):
            self.add_to_collection(name, value)

    def get_collection_ref(self, name: Any) -> list[Any]:
        """The list itself; changes of it are seen."""
        return self._collections.setdefault(name, [])

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """A copy of the list, limited to what has a name that matches `scope`."""
        found = self._collections.get(name, [])
        if scope is None:
            return found.copy()
        match = re.compile(scope).match
        return [one for one in found if hasattr(one, "name") and match(one.name)]

    def get_all_collection_keys(self) -> list[Any]:
        """The names of all lists."""
        return [name for name in self._collections if isinstance(name, str)]

    def clear_collection(self, name: Any) -> None:
        """Empty the list."""
        self.check_not_finalized()
        self._collections.pop(name, None)


class Frame:
    """The body of a loop or a branch: operations that are run on values it is given."""

    def __init__(self, kind: str, outer: Frame | None) -> None:
        # What it belongs to, in words: "a while loop".
        self.kind = kind
        self.outer = outer
        self.given: list[Tensor] = []
        self.results: list[Tensor] = []

    def holds(self, other: Frame | None) -> bool:
        """Whether another one is this, or inside of it."""
        while other is not None and other is not self:
            other = other.outer
        return other is self


class GraphKeys:
    """The names of the collections that the framework itself keeps."""

    GLOBAL_VARIABLES = "variables"
    LOCAL_VARIABLES = "local_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    MOVING_AVERAGE_VARIABLES = "moving_average_variables"
    GLOBAL_STEP = "global_step"
    SUMMARIES = "summaries"
    LOSSES = "losses"
    REGULARIZATION_LOSSES = "regularization_losses"
    UPDATE_OPS = "update_ops"
    TRAIN_OP = "train_op"
    INIT_OP = "init_op"


class _Stack:
    """What is in force in this thread: the innermost `with` block's."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def top(self) -> Any:
        return self.items[-1] if self.items else None

    @contextmanager
    def pushed(self, item: Any) -> Iterator[Any]:
        self.items.append(item)
        try:
            yield item
        finally:
            # Blocks of an interactive program may end in another order.
            for place in reversed(range(len(self.items))):
                if self.items[place] is item:
                    del self.items[place]
                    break


class _Defaults(threading.local):
    """Each thread has its own default graph and session."""

    def __init__(self) -> None:
        self.graph = _Stack()
        self.session = _Stack()


class _Global:
    """The graph that is there without any `with`; shared by all threads."""

    graph: Graph | None = None


defaults = _Defaults()


def get_default_graph() -> Graph:
    """The graph that functions add operations to."""
    found: Graph | None = defaults.graph.top() or _Global.graph
    if found is None:
        found = _Global.graph = Graph()
    return found


def reset_default_graph() -> None:
    """Start over with an empty default graph; AssertionError inside of a graph's block."""
    if defaults.graph.items:
        raise AssertionError("Do not use tf.reset_default_graph() to clear nested graphs.")
    _Global.graph = Graph()


def as_tensor(value: Any) -> Tensor | None:
    """The tensor that a tensor or a variable stands for; None for anything else."""
    if isinstance(value, Tensor):
        return value
    convert: Callable[[], Tensor] | None = getattr(value, "_as_graph_tensor", None)
    return convert() if convert is not None else None


def _check_name(name: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid scope name")


def _shapes_of(inputs: Sequence[Tensor]) -> str:
    return (
        f" with input shapes: {', '.join([describe(one.static) for one in inputs])}."
        if inputs
        else ""
    )


def _session(session: Any, element: Any, verb: str) -> Any:
    session = session or defaults.session.top()
    if session is None:
        raise ValueError(
            f"Cannot {verb} '{element.name}': No default session is registered. Use `with "
            f"sess.as_default()` or pass an explicit session to `{verb}(session=sess)`"
        )
    if session.graph is not element.graph:
        raise ValueError(
            f"Cannot use the default session to {verb} '{element.name}': it belongs to another "
            "graph than the session's"
        )
    return session
