"""`variable_scope` and `get_variable`: variables that are made once and shared by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from flambeau.tf1 import dtypes
from flambeau.tf1.building import add_to_collection, convert_to_tensor
from flambeau.tf1.dtypes import DType, as_dtype
from flambeau.tf1.graph import Graph, GraphKeys, get_default_graph
from flambeau.tf1.initializers import GlorotUniform, Zeros
from flambeau.tf1.shapes import TensorShape, describe
from flambeau.tf1.variables import Variable

AUTO_REUSE = "AUTO_REUSE"


class VariableScope:
    """A prefix of variables' names, with what `get_variable` does by default inside."""

    def __init__(
        self,
        name: str = "",
        reuse: Any = False,
        initializer: Any = None,
        regularizer: Any = None,
        dtype: DType = dtypes.float32,
        original_name_scope: str = "",
    ) -> None:
        self.name = name
        self.reuse = reuse
        self.initializer = initializer
        self.regularizer = regularizer
        self.dtype = dtype
        self.original_name_scope = original_name_scope

    def reuse_variables(self) -> None:
        """From here on `get_variable` finds variables, and makes none."""
        self.reuse = True

    def set_initializer(self, initializer: Any) -> None:
        """What variables start from by default."""
        self.initializer = initializer

    def set_regularizer(self, regularizer: Any) -> None:
        """What is added to the regularization losses by default."""
        self.regularizer = regularizer

    def global_variables(self) -> list[Variable]:
        """The variables with this prefix."""
        return self._with_prefix(GraphKeys.GLOBAL_VARIABLES)

    def trainable_variables(self) -> list[Variable]:
        """The variables with this prefix that optimizers change."""
        return self._with_prefix(GraphKeys.TRAINABLE_VARIABLES)

    def _with_prefix(self, key: str) -> list[Variable]:
        prefix = f"{self.name}/" if self.name else ""
        found = get_default_graph().get_collection(key)
        return [one for one in found if one.name.startswith(prefix)]

    def get_variable(self, name: str, *args: Any, **named: Any) -> Variable:
        """The variable of this name within the scope."""
        with variable_scope(self):
            return get_variable(name, *args, **named)


class _Store:
    """The variables of a graph by name, the open scope, and the scope names in use."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.scope = VariableScope()
        self.uses: set[str] = set()


def _store(graph: Graph) -> _Store:
    found: _Store = graph.notes.setdefault("variable_scopes", _Store())
    return found


def get_variable_scope() -> VariableScope:
    """The open scope."""
    return _store(get_default_graph()).scope


@contextmanager
def variable_scope(
    name_or_scope: Any,
    default_name: str | None = None,
    values: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    use_resource: bool | None = None,
    constraint: Any = None,
    auxiliary_name_scope: bool = True,
) -> Iterator[VariableScope]:
    """A block in which `get_variable` names variables with a prefix.

    With `reuse=True` it finds variables, and with `tf.AUTO_REUSE` it finds or makes them.

    >>> import flambeau.tf1 as tf
    >>> with tf.variable_scope("layer"):
    ...     one = tf.get_variable("w", [2])
    >>> with tf.variable_scope("layer", reuse=True):
    ...     other = tf.get_variable("w", [2])
    >>> one is other, one.name
    (True, 'layer/w:0')
    """
    if name_or_scope is None and default_name is None:
        raise TypeError("If default_name is None then name_or_scope is required")
    graph = get_default_graph()
    store = _store(graph)
    outer = store.scope
    entered = name_or_scope if isinstance(name_or_scope, VariableScope) else None
    parent = entered or outer
    name = parent.name if entered else _full_name(store, name_or_scope, default_name)
    names: Any = nullcontext("")
    if auxiliary_name_scope:
        names = graph.name_scope(_last_part(name) if entered else name_or_scope or default_name)
    with names as scope_name:
        scope = VariableScope(
            name,
            reuse or parent.reuse or outer.reuse,
            initializer or parent.initializer,
            regularizer or parent.regularizer,
            parent.dtype if dtype is None else as_dtype(dtype),
            parent.original_name_scope if entered else scope_name,
        )
        store.scope = scope
        # Entered again, a scope numbers its inner ones from the beginning.
        for key in [one for one in store.uses if one.startswith(f"{name}/")]:
            store.uses.discard(key)
        try:
            yield scope
        finally:
            store.scope = outer


def _last_part(name: str) -> str | None:
    return name.rpartition("/")[2] or None


def _full_name(store: _Store, name: str | None, default_name: str | None) -> str:
    prefix = f"{store.scope.name}/" if store.scope.name else ""
    if name is not None:
        full = prefix + name
        store.uses.add(full)
        return full
    full = prefix + (default_name or "")
    found, number = full, 0
    while found in store.uses:
        number += 1
        found = f"{full}_{number}"
    store.uses.add(found)
    return found


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Callable[..., Any] | None = None,
    trainable: bool | None = None,
    collections: Sequence[Any] | None = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Any = None,
    constraint: Any = None,
    **_named: Any,
) -> Variable:
    """The variable of this name in the open scope: a new one, or where it reuses, the known one.

    ValueError if it exists (does not exist) where it should not (should). By default it starts as
    `glorot_uniform_initializer` says; integers start from 0.
    """
    store = _store(get_default_graph())
    scope = store.scope
    full = f"{scope.name}/{name}" if scope.name else name
    known = store.variables.get(full)
    if known is not None and scope.reuse:
        return _checked(known, full, shape, dtype)
    if known is not None:
        raise ValueError(
            f"Variable {full} already exists, disallowed. Did you mean to set reuse=True or "
            "reuse=tf.AUTO_REUSE in VarScope?"
        )
    if scope.reuse is True:
        raise ValueError(
            f"Variable {full} does not exist, or was not created with tf.get_variable(). Did you "
            "mean to set reuse=tf.AUTO_REUSE in VarScope?"
        )
    kind = scope.dtype if dtype is None else as_dtype(dtype)
    start = _initial_value(full, shape, kind, initializer or scope.initializer, dtype is not None)
    graph = get_default_graph()
    with graph.control_dependencies(None), graph.name_scope(None):
        made = Variable(
            start,
            trainable=trainable is not False,
            collections=collections,
            validate_shape=validate_shape,
            name=full,
            dtype=None if initializer is not None and not callable(initializer) else kind,
            constraint=constraint,
        )
    store.variables[full] = made
    _regularize(made, regularizer or scope.regularizer)
    return made


def _initial_value(full: str, shape: Any, kind: DType, initializer: Any, typed: bool) -> Any:
    if initializer is not None and not callable(initializer):
        value = convert_to_tensor(initializer, kind if typed else None)
        if shape is not None and not value.shape.is_compatible_with(shape):
            raise ValueError("If initializer is a constant, do not specify shape.")
        return value
    if isinstance(initializer, type):
        initializer = initializer()
    static = TensorShape(shape).static
    if initializer is not None and static is None:
        return initializer
    if static is None or None in static:
        raise ValueError(
            f"Shape of a new variable ({full}) must be fully defined, but instead was "
            f"{describe(static)}."
        )
    chosen = initializer or (GlorotUniform() if kind.is_floating else Zeros())
    return lambda: chosen(static, dtype=kind)


def _checked(known: Variable, full: str, shape: Any, dtype: Any) -> Variable:
    if shape is not None and not known.shape.is_compatible_with(shape):
        raise ValueError(
            f"Trying to share variable {full}, but specified shape {TensorShape(shape)} and found "
            f"shape {known.shape}."
        )
    if dtype is not None and as_dtype(dtype) is not known.dtype:
        raise ValueError(
            f"Trying to share variable {full}, but specified dtype {as_dtype(dtype).name} and "
            f"found dtype {known.dtype.name}."
        )
    return known


def _regularize(made: Variable, regularizer: Callable[..., Any] | None) -> None:
    if regularizer is None:
        return
    with get_default_graph().name_scope(f"{made.op.name}/Regularizer/"):
        loss = regularizer(made)
    if loss is not None:
        add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)
