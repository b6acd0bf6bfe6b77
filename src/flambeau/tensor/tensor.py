"""Tensor: a handle on a storage and a view of it.

A tensor reads as a node (`node`) and is written by replacing its storage's node (`write`). One
that covers its storage reads as the storage's node. A view knows the tensor it is a view of and how
it was made from it, and is made again when the storage has been written.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flambeau.autograd.aliases import CLONE, HISTORY, OVERWRITTEN
from flambeau.core.context import context
from flambeau.core.device import device
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape, Size, contiguous_strides
from flambeau.engine.capture import setup_changed
from flambeau.graph.node import Node
from flambeau.graph.op import DETACH
from flambeau.graph.recording import parameter, record
from flambeau.ops.shape import reshape
from flambeau.ops.strided import as_strided, as_strided_scatter, overlaps
from flambeau.tensor.storage import Storage, mark_urgent, run_urgent, urgent


class View:
    """Which elements of a storage a tensor shows, and how it came about.

    `function(base.node, *arguments)` gives the value anew, where there is a `base`. `node` is the
    value while the storage has `version`.
    """

    __slots__ = (
        "arguments",
        "base",
        "function",
        "node",
        "offset",
        "shape",
        "strides",
        "version",
    )

    def __init__(
        self,
        shape: Shape,
        strides: Shape,
        offset: int,
        node: Node | None,
        version: int,
        base: Tensor | None = None,
        function: Callable[..., Node] | None = None,
        arguments: tuple[Any, ...] = (),
    ) -> None:
        self.shape = shape
        self.strides = strides
        self.offset = offset
        self.node = node
        self.version = version
        self.base = base
        self.function = function
        self.arguments = arguments

    def covers(self, count: int) -> bool:
        """Whether it shows all `count` elements of a storage in order."""
        if self.offset or self.strides != contiguous_strides(self.shape):
            return False
        total = 1
        for size in self.shape:
            total *= size
        return total == count


class Tensor:
    """A multi-dimensional array of one element type that remembers how it was computed.

    `Tensor(2, 3)` is 2×3 float32; `Tensor([1, 2])` holds these values. Prefer `zeros` and `tensor`.

    >>> import flambeau
    >>> flambeau.Tensor([1, 2]) * 2
    tensor([2., 4.])
    """

    # Most tensors cover their storage and are neither leaves that want a gradient nor detached;
    # the others set these.
    _plain = True
    _leaf = False
    _detached = False
    _view: View | None = None
    _grad: Tensor | None = None
    _hooks: Any = None
    _after_accumulation: Any = None
    _storage: Storage

    __array_priority__ = 1000

    if TYPE_CHECKING:  # what tensor/methods.py puts in, as far as types matter
        data: Any
        grad: Any
        T: Tensor
        mT: Tensor  # noqa: N815 - PyTorch's spelling

        def dim(self) -> int: ...
        def numel(self) -> int: ...
        def clone(self) -> Tensor: ...
        def detach(self) -> Tensor: ...
        def view(self, *shape: Any) -> Tensor: ...
        def reshape(self, *shape: Any) -> Tensor: ...
        def expand(self, *shape: Any) -> Tensor: ...
        def squeeze(self, dim: Any = None) -> Tensor: ...
        def unsqueeze(self, dim: int) -> Tensor: ...
        def transpose(self, dim0: int, dim1: int) -> Tensor: ...
        def as_strided(self, *arguments: Any) -> Tensor: ...
        def sum(self, *dim: Any, **options: Any) -> Tensor: ...
        def clamp(self, *limits: Any, **named: Any) -> Tensor: ...
        def to(self, *target: Any, **options: Any) -> Tensor: ...
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: Any) -> Any: ...
        def __ne__(self, other: Any) -> Any: ...
        def __neg__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __getitem__(self, key: Any) -> Tensor: ...
        def __setitem__(self, key: Any, value: Any) -> None: ...
        def __int__(self) -> int: ...
        def __float__(self) -> float: ...
        def __index__(self) -> int: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Any: ...

    __hash__ = object.__hash__  # by identity, although == compares elements

    @property
    def node(self) -> Node:
        """The tensor's value, for recording operations on it."""
        storage = self._storage
        if self._plain and storage.shared is None:
            return storage.node
        if storage.is_shared() and context.capture is None:
            mark_urgent()
        if self._leaf:
            return _leaf_node(self)
        return _value(self)

    @property
    def shape(self) -> Size:
        """The sizes of the dimensions."""
        view = self._view
        return Size(self._storage.node.spec.shape if view is None else view.shape)

    @property
    def dtype(self) -> dtype:
        """The type of the elements."""
        return self._storage.node.spec.dtype

    @property
    def device(self) -> device:
        """Where the elements are."""
        return self._storage.node.spec.device

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        if self._leaf:
            return True
        if self._view is None:
            return not self._detached and self._storage.node.requires_grad
        return _value(self).requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        set_requires_grad(self, wanted)

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user, and not by an operation that gradients flow through."""
        return self._leaf or not self.requires_grad

    @staticmethod
    def _make_subclass(kind: type, data: Tensor, requires_grad: bool = False) -> Any:
        """A tensor of class `kind` on the storage of `data`, without its history."""
        made = alias(data, kind)
        if requires_grad:
            made.requires_grad = True
        return made


def wrap(node: Node) -> Tensor:
    """A new tensor of this value."""
    result = object.__new__(Tensor)
    result._storage = Storage(node)
    if _urgent:
        run_urgent()
    return result


_urgent = urgent()


def geometry(tensor: Tensor) -> tuple[Shape, Shape, int]:
    """Shape, strides and offset within the storage, in elements."""
    view = tensor._view
    if view is None:
        shape = tensor._storage.node.spec.shape
        return shape, contiguous_strides(shape), 0
    return view.shape, view.strides, view.offset


def is_contiguous(tensor: Tensor) -> bool:
    """Whether the elements lie in row-major order without gaps."""
    view = tensor._view
    if view is None:
        return True
    expected = 1
    for size, stride in zip(reversed(view.shape), reversed(view.strides), strict=True):
        if size == 0:
            return True
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def make_view(
    base: Tensor,
    node: Node,
    strides: Shape,
    offset: int,
    function: Callable[..., Node],
    *arguments: Any,
) -> Tensor:
    """A view of `base` whose value is `node`, which is `function(base.node, *arguments)`."""
    storage = base._storage
    result = object.__new__(Tensor)
    result._storage = storage
    result._plain = False
    if node.requires_grad and node is base.node:
        node = record(CLONE, (node,))
    elif not context.grad_enabled and base.requires_grad:
        result._detached = True
    result._view = View(
        node.spec.shape, strides, offset, node, storage.version, base, function, arguments
    )
    return result


def alias(tensor: Tensor, kind: type = Tensor) -> Any:
    """Another handle on the same elements, cut off from how they were computed."""
    result: Any = object.__new__(kind)
    result._storage = tensor._storage
    result._plain = False
    result._detached = True
    view = tensor._view
    if view is not None:
        node = None if view.node is not None and view.node.requires_grad else view.node
        result._view = View(view.shape, view.strides, view.offset, node, view.version)
    return result


def _leaf_node(tensor: Tensor) -> Node:
    storage = tensor._storage
    node = storage.parameter
    if node is not None and node.owner() is tensor:
        return node
    value = _value(tensor)
    if not context.grad_enabled:
        return value
    node = parameter(value)
    node.owner = weakref.ref(tensor)
    storage.parameter = node
    return node


def _value(tensor: Tensor) -> Node:
    """The value of the elements, without regard to its being a leaf."""
    storage, view = tensor._storage, tensor._view
    if view is None:
        node = storage.node
        return _cut_off(node) if tensor._detached or tensor._leaf else node
    known = view.node if view.version == storage.version and storage.shared is None else None
    # A replay makes views of what the storage then holds, so they have to be captured.
    if known is not None and (context.capture is None or known.recording is context.recording):
        return known
    enabled, context.grad_enabled = context.grad_enabled, True
    try:
        node = _made_again(storage, view)
        if tensor._detached or tensor._leaf:
            node = _cut_off(node)
    finally:
        context.grad_enabled = enabled
    view.node, view.version = node, storage.version
    return node


def _cut_off(node: Node) -> Node:
    return record(DETACH, (node,)) if node.requires_grad else node


def _made_again(storage: Storage, view: View) -> Node:
    if view.base is not None and view.function is not None:
        return view.function(view.base.node, *view.arguments)
    if view.covers(storage.node.spec.numel):
        return reshape(storage.node, view.shape)
    return as_strided(storage.node, view.shape, view.strides, view.offset)


def check_writable(tensor: Tensor) -> None:
    """RuntimeError in PyTorch's words where an in-place operation is not allowed."""
    if not context.grad_enabled:
        return
    if tensor._leaf:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
        )
    base = tensor._view.base if tensor._view is not None else None
    while base is not None:
        if base._leaf:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place "
                "operation."
            )
        base = base._view.base if base._view is not None else None


def write(tensor: Tensor, value: Node) -> None:
    """Make `value`, of the tensor's shape and dtype, its content; all views see it."""
    storage, view = tensor._storage, tensor._view
    old = storage.node
    if view is None:
        new = value
    elif view.covers(old.spec.numel):
        new = reshape(value, old.spec.shape)
    else:
        if overlaps(view.shape, view.strides):
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor refers to "
                "a single memory location. Please clone() the tensor before performing the "
                "operation."
            )
        new = as_strided_scatter(old, value, view.strides, view.offset)
    if old.requires_grad or tensor._detached:
        new = _as_others_see(tensor, new, old)
    storage.replace(new)
    if tensor._detached and value.requires_grad:
        view = tensor._view = View(*geometry(tensor), None, 0)
    if view is not None:
        view.node, view.version = value if context.grad_enabled else None, storage.version
    if _urgent:
        run_urgent()


def _as_others_see(tensor: Tensor, new: Node, old: Node) -> Node:
    """A write that autograd must not notice keeps the gradient of what was there."""
    if not tensor._detached and context.grad_enabled:
        return new if new.requires_grad else record(OVERWRITTEN, (new, old))
    new = _cut_off(new)
    if not old.requires_grad:
        return new
    kept = record(HISTORY, (new, old))
    kept.requires_grad = True
    return kept


def set_requires_grad(tensor: Tensor, wanted: bool) -> None:
    """Make a leaf ask for its gradient, or no longer."""
    if wanted and not tensor.dtype.is_floating_point:
        raise RuntimeError("only Tensors of floating point and complex dtype can require gradients")
    if not tensor.is_leaf:
        if wanted:
            return
        raise RuntimeError(
            "you can only change requires_grad flags of leaf variables. If you want to use a "
            "computed variable in a subgraph that doesn't require differentiation use "
            "var_no_grad = var.detach()."
        )
    if tensor._leaf != wanted and tensor._storage.node.recording is None:
        setup_changed("requires_grad of a tensor was set", tensor._storage)
    tensor._leaf = wanted
    tensor._plain = not wanted and tensor._view is None
    tensor._storage.parameter = None
