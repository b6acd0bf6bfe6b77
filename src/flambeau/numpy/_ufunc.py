"""ufunc: a function of one or two operands, element by element, with NumPy's rules of dtype.

Which dtype a result has is NumPy's own knowledge (`numpy.ufunc.resolve_dtypes`), asked for once for
each combination; the values come from our ops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.numpy._folding import folded
from flambeau.numpy._kinds import check_bounds, kind_of
from flambeau.numpy._ndarray import (
    fresh,
    from_host,
    host_value,
    made,
    ndarray,
    node_of,
)
from flambeau.numpy._results import check_broadcast, finished, put_into
from flambeau.ops.selection import cast
from flambeau.ops.selection import where as choose
from flambeau.ops.shape import expand, full, reshape
from flambeau.ops.strided import cat, slice_
from flambeau.tensor.promotion import plain
from flambeau.tensor.tensor import write

# What each operand is computed as, and the result's type.
Plan = tuple[dtype, ...]
# Reduces a node over dimensions.
Fold = Callable[[Node, tuple[int, ...]], Node]
# Runs along a dimension.
Scan = Callable[[Node, int], Node]


_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


class ufunc:  # noqa: N801 - NumPy's spelling
    """A NumPy function of elements: called, or by `reduce`, `accumulate`, `outer`, `at`.

    >>> import flambeau.numpy as np
    >>> np.add([1, 2], 0.5)
    array([1.5, 2.5])
    >>> np.multiply.outer([1, 2], [3, 4])
    array([[3, 4],
           [6, 8]])
    """

    def __init__(
        self,
        numpy: np.ufunc,
        function: Callable[..., Node],
        fold: Fold | None = None,
        scan: Scan | None = None,
    ) -> None:
        self.numpy = numpy
        self.function = function
        self._fold, self._scan = fold, scan
        self.__name__ = self.__qualname__ = numpy.__name__
        self.__doc__ = f"NumPy's `{numpy.__name__}`, element by element."
        self.nin, self.nout, self.nargs = numpy.nin, 1, numpy.nin + 1
        self.identity = numpy.identity
        self._compares = self.__name__ in _COMPARISONS
        self._plans: dict[Any, Plan] = {}
        # The result as a new node.
        self.node: Callable[..., Node] = self.one if self.nin == 1 else self.two

    def __repr__(self) -> str:
        return f"<ufunc '{self.__name__}'>"

    def plan(self, *given: Any, kind: dtype | None = None, casting: Any = "same_kind") -> Plan:
        """The dtypes for operands of these: element types, or float, int, bool for numbers."""
        found = self._plans.get(given) if kind is None else None
        if found is None:
            asked = [_asked(one) for one in given]
            options: dict[str, Any] = {}
            if kind is not None:
                options = {"signature": (*[None] * self.nin, kind.numpy), "casting": casting}
            resolved = self.numpy.resolve_dtypes((*asked, None), **options)
            found = tuple([kind_of(one) for one in resolved])
            if kind is None:
                self._plans[given] = found
        return found

    def __call__(self, *operands: Any, out: Any = None, **options: Any) -> Any:
        if out is None and not options and len(operands) == self.nin:
            return made(self.node(*operands))
        if len(operands) > self.nin and out is None:
            *operands, out = operands  # type: ignore[assignment]
        if len(operands) != self.nin:
            raise TypeError(
                f"{self.__name__}() takes from {self.nin} to {self.nin + 1} positional arguments "
                f"but {len(operands)} were given"
            )
        return self._with_options(operands, out, **options)

    def one(self, operand: Any) -> Node:
        """The result of one operand as a new node."""
        x = operand._tensor.node if isinstance(operand, ndarray) else node_of(operand)
        kind = x.spec.dtype
        given, result = self._plans.get((kind,)) or self.plan(kind)
        node = self.function(x if kind is given else cast(x, given))
        return node if node.spec.dtype is result else cast(node, result)

    def two(self, first: Any, second: Any) -> Node:
        """The result of two operands as a new node."""
        # The hot path of every program: an array and an array, or an array and a number.
        if isinstance(first, ndarray):
            a: Any = first._tensor.node
            x: Any = a.spec.dtype
        else:
            a, x = operand_of(first)
        if isinstance(second, ndarray):
            b: Any = second._tensor.node
            y: Any = b.spec.dtype
        else:
            b, y = operand_of(second)
        left, right, result = self._plans.get((x, y)) or self.plan(x, y)
        try:
            if x is not left:
                a = adapted(a, x, left)
            if y is not right:
                b = adapted(b, y, right)
        except OverflowError:
            if not self._compares:
                raise
            # Beyond the dtype's range, it compares with all that fit as infinity does.
            return self.two(_beyond(first), _beyond(second))
        try:
            node = self.function(a, b)
        except RuntimeError:
            check_broadcast(a.spec.shape, b.spec.shape)
            raise
        return node if node.spec.dtype is result else cast(node, result)

    def _with_options(
        self,
        operands: Sequence[Any],
        out: Any,
        *,
        where: Any = True,
        dtype: Any = None,
        casting: str = "same_kind",
        order: str = "K",
        subok: bool = True,
        signature: Any = None,
    ) -> Any:
        if isinstance(out, tuple):
            (out,) = out
        if dtype is None:
            node = self.node(*operands)
        else:
            node = self._as(operands, kind_of(dtype), casting)
        if where is not True:
            node = _masked(node, where, out)
        return made(node) if out is None else put_into(out, node, self.__name__, casting)

    def _as(self, operands: Sequence[Any], kind: dtype, casting: str) -> Node:
        """The result computed in dtype `kind`."""
        pairs = [operand_of(one) for one in operands]
        *kinds, result = self.plan(*[given for _, given in pairs], kind=kind, casting=casting)
        nodes = [
            adapted(value, given, wanted)
            for (value, given), wanted in zip(pairs, kinds, strict=True)
        ]
        return cast(self.function(*nodes), result)

    def outer(self, a: Any, b: Any, /, **options: Any) -> Any:
        """The function of every pair of elements."""
        first, second = node_of(a), node_of(b)
        shape = first.spec.shape + (1,) * len(second.spec.shape)
        wide = made(fresh(reshape(first, shape), first))
        return self(wide, b if isinstance(b, ndarray) else made(fresh(second, second)), **options)

    def reduce(
        self,
        array: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        """The function folded over `axis`."""
        if self.nin != 2:
            raise ValueError("reduce only supported for binary functions")
        node = node_of(array)
        found = folded(
            node,
            axis,
            self._fold or self._step_by_step,
            name=self.__name__,
            kind=self.fold_kind(node.spec.dtype, dtype),
            keepdims=keepdims,
            identity=self.identity,
            initial=initial,
            combine=self.function,
            where=where,
        )
        return finished(found, out, self.__name__, node)

    def fold_kind(self, given: dtype, wanted: Any = None) -> dtype:
        """The dtype that a fold of elements of type `given` is computed in."""
        if wanted is not None:
            return kind_of(wanted)
        if self.numpy in (np.add, np.multiply) and not given.is_floating_point:
            return dtypes.int64
        if self.numpy in (np.logical_and, np.logical_or, np.logical_xor):
            return dtypes.bool
        return self.plan(given, given)[0]

    def _step_by_step(self, node: Node, dims: tuple[int, ...]) -> Node:
        """A fold that has no kernel of its own: the slices one after another."""
        for dim in reversed(dims):
            slices = _slices(node, dim)
            if not slices:
                raise ValueError(
                    f"zero-size array to reduction operation {self.__name__} which has no identity"
                )
            node = slices[0]
            for one in slices[1:]:
                node = self.function(node, one)
        return node

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """The function folded over the elements so far, along `axis`."""
        given = node_of(array)
        dim = normalize_axis_index(axis, len(given.spec.shape))
        node = cast(given, self.fold_kind(given.spec.dtype, dtype))
        result = self._scan(node, dim) if self._scan else self._running(node, dim)
        return finished(result, out, self.__name__, given)

    def _running(self, node: Node, dim: int) -> Node:
        shape = node.spec.shape
        sums = _slices(node, dim)
        for number in range(1, len(sums)):
            sums[number] = self.function(sums[number - 1], sums[number])
        if not sums:
            return node
        wide = (*shape[:dim], 1, *shape[dim + 1 :])
        return cat(tuple([reshape(one, wide) for one in sums]), dim)

    def at(self, a: ndarray, indices: Any, b: Any = None, /) -> None:
        """The function in place at `indices`; one that occurs twice counts twice."""
        value = np.array(host_value(a))
        others = () if b is None else (host_value(b),)
        self.numpy.at(value, host_value(indices), *others)
        write(a._tensor, node_of(value, a._tensor.dtype))

    def reduceat(self, array: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
        """The function folded over stretches that begin at `indices`."""
        return from_host(self.numpy.reduceat(host_value(array), host_value(indices), axis, dtype))


def _asked(given: Any) -> Any:
    """An operand's kind as NumPy is asked about it: a bool is never weaker than its dtype."""
    if isinstance(given, dtype):
        return given.numpy
    return np.dtype(bool) if given is bool else given


def _beyond(operand: Any) -> Any:
    return math.copysign(math.inf, operand) if type(operand) is int else operand


def operand_of(given: Any) -> tuple[Any, Any]:
    """An operand as what it is: a number with its Python type, else a node with its dtype."""
    kind = type(given)
    if kind is float or kind is int or kind is bool:
        return given, kind
    if isinstance(given, (float, int)) and not isinstance(given, np.generic):
        return given, (float if isinstance(given, float) else int)  # a subclass
    node = node_of(given)
    return node, node.spec.dtype


def adapted(value: Any, given: Any, kind: dtype) -> Node:
    """An operand in the dtype that the function is computed in."""
    if given is float and kind.is_floating_point:
        return scalar(value, kind)
    if isinstance(given, dtype):
        return cast(value, kind)
    if given is int:
        check_bounds(value, kind)
    return scalar(plain(value, kind), kind)


def _masked(node: Node, mask: Any, out: Any) -> Node:
    """The result where the mask holds, else what is in `out`, or zero."""
    holds = node_of(mask, dtypes.bool)
    shape = np.broadcast_shapes(node.spec.shape, holds.spec.shape)
    kind = node.spec.dtype
    other = full(shape, 0, kind) if out is None else cast(out._tensor.node, kind)
    return choose(holds, expand(node, shape), other)


def _slices(node: Node, dim: int) -> list[Node]:
    """The slices along `dim`."""
    shape = node.spec.shape
    rest = (*shape[:dim], *shape[dim + 1 :])
    ones = (1,) * len(shape)
    counts = (*shape[:dim], 1, *shape[dim + 1 :])
    return [
        reshape(
            slice_(node, tuple([i if d == dim else 0 for d in range(len(shape))]), ones, counts),
            rest,
        )
        for i in range(shape[dim])
    ]
