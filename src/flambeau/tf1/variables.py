"""Variable: a name for state that a session holds, with the operation that initialises it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau.tf1 import assigning
from flambeau.tf1.arrays import identity
from flambeau.tf1.assigning import VARIABLE
from flambeau.tf1.building import convert_to_tensor, operation
from flambeau.tf1.dtypes import DType, as_dtype
from flambeau.tf1.graph import (
    Graph,
    GraphKeys,
    Operation,
    Tensor,
    defaults,
    get_default_graph,
)
from flambeau.tf1.hosting import uninitialized_names
from flambeau.tf1.nothing import group
from flambeau.tf1.shapes import TensorShape


class Variable:
    """State that runs read and write, starting from `initial_value`.

    >>> import flambeau.tf1 as tf
    >>> step = tf.Variable(0, name="step")
    >>> with tf.Session() as session:
    ...     session.run(step.initializer)
    ...     session.run(step.assign_add(2))
    np.int32(2)
    """

    __array_priority__ = 100

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        collections: Sequence[Any] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: str | None = None,
        constraint: Callable[[Tensor], Tensor] | None = None,
        use_resource: bool | None = None,
        shape: Any = None,
        **_named: Any,
    ) -> None:
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        graph = get_default_graph()
        self.trainable = trainable
        self.constraint = constraint
        # Where the program is inside of control dependencies, a loop or a branch, state is not.
        with graph.within(None), graph.name_scope(name or "Variable") as scope:
            value = initial_value
            if callable(value):
                with graph.name_scope("Initializer"):
                    value = value()
            wanted = None if dtype is None else as_dtype(dtype)
            self._initial = convert_to_tensor(value, wanted, name="initial_value")
            if validate_shape and shape is None and self._initial.static is None:
                raise ValueError(
                    f"initial_value must have a shape specified: {self._initial}; or set "
                    "validate_shape=False"
                )
            static = self._initial.static if validate_shape else None
            static = static if shape is None else TensorShape(shape).static
            kinds = [self._initial.dtype]
            self._op = operation(VARIABLE, (), kinds, {"shape": static}, scope)
            self._assign = assigning.assign(
                self, self._initial, validate_shape=validate_shape, name="Assign"
            ).op
        self._note(graph, collections)

    def _note(self, graph: Graph, collections: Sequence[Any] | None) -> None:
        keys = [GraphKeys.GLOBAL_VARIABLES] if collections is None else list(collections)
        if self.trainable and GraphKeys.TRAINABLE_VARIABLES not in keys:
            keys.append(GraphKeys.TRAINABLE_VARIABLES)
        graph.add_to_collections(keys, self)

    def _as_graph_tensor(self) -> Tensor:
        return self._op.outputs[0]

    @property
    def op(self) -> Operation:
        """The operation that stands for the state."""
        return self._op

    @property
    def name(self) -> str:
        """The name of the tensor: `weights:0`."""
        return self._op.outputs[0].name

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return self._op.outputs[0].dtype

    @property
    def shape(self) -> TensorShape:
        """What is known of its shape."""
        return self._op.outputs[0].shape

    @property
    def graph(self) -> Graph:
        """The graph it belongs to."""
        return self._op.graph

    @property
    def device(self) -> str:
        """Where the program asked for it to be."""
        return self._op.device

    @property
    def initializer(self) -> Operation:
        """The operation that gives it its first value."""
        return self._assign

    @property
    def initial_value(self) -> Tensor:
        """What it starts from."""
        return self._initial

    def get_shape(self) -> TensorShape:
        """What is known of its shape."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """State more of its shape."""
        self._op.outputs[0].set_shape(shape)

    def value(self) -> Tensor:
        """The tensor that is read."""
        return self._op.outputs[0]

    def read_value(self) -> Tensor:
        """Its value as it is when this operation's turn comes."""
        return identity(self.value(), name="read")

    def initialized_value(self) -> Tensor:
        """What it starts from, for the initial values of other variables."""
        return self._initial

    def eval(self, session: Any = None) -> Any:
        """Its value in the session (default: the default session)."""
        return self.value().eval(session=session)

    def load(self, value: Any, session: Any = None) -> None:
        """Write `value` in the session (default: the default session)."""
        found = session or defaults.session.top()
        if found is None:
            raise ValueError("Either session argument should be provided or default session set.")
        found.run(self._assign, {self._initial: np.asarray(value, self.dtype.numpy)})

    def assign(
        self,
        value: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Tensor:
        """Write `value`; the result is the new value."""
        return assigning.assign(self, value, name=name)

    def assign_add(
        self,
        delta: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Tensor:
        """Add `delta`; the result is the new value."""
        return assigning.assign_add(self, delta, name=name)

    def assign_sub(
        self,
        delta: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Tensor:
        """Subtract `delta`; the result is the new value."""
        return assigning.assign_sub(self, delta, name=name)

    def __iter__(self) -> Any:
        raise TypeError("'Variable' object is not iterable.")

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype.name}>"


def global_variables(scope: str | None = None) -> list[Variable]:
    """The variables that are shared: all but local ones."""
    return get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Variable]:
    """The variables that optimizers change."""
    return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def local_variables(scope: str | None = None) -> list[Variable]:
    """The variables that are not saved, such as the counts of metrics."""
    return get_default_graph().get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def variables_initializer(var_list: Sequence[Variable], name: str = "init") -> Operation:
    """The operation that initialises these variables."""
    return group(*[one.initializer for one in var_list], name=name)


def global_variables_initializer() -> Operation:
    """The operation that initialises all global variables.

    >>> import flambeau.tf1 as tf
    >>> with tf.Graph().as_default(), tf.Session() as session:
    ...     weights = tf.Variable(tf.zeros([2]))
    ...     session.run(tf.global_variables_initializer())
    ...     session.run(weights)
    array([0., 0.], dtype=float32)
    """
    return variables_initializer(global_variables())


def local_variables_initializer() -> Operation:
    """The operation that initialises all local variables."""
    return variables_initializer(local_variables(), name="init_local")


def report_uninitialized_variables(
    var_list: Sequence[Variable] | None = None, name: str = "report_uninitialized_variables"
) -> Tensor:
    """The names of the variables that the session has no values for, as a string tensor."""
    chosen = [*global_variables(), *local_variables()] if var_list is None else list(var_list)
    return uninitialized_names(chosen, name)
