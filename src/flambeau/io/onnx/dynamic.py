"""`dynamic_axes` and `dynamic_shapes`, as PyTorch's exporter has them: which sizes stay open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from flambeau.core.shapes import Shape
from flambeau.io.export import captured
from flambeau.io.graph_file import Graph
from flambeau.io.onnx.sizes import CLOSED, OpenSizes, merged, open_sizes
from flambeau.tensor.creation import as_tensor
from flambeau.tensor.tensor import Tensor

# (input, dimension) to the name of the open size; None for one without a name.
Axes = dict[tuple[str, int], str | None]


def captured_open(
    function: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    input_names: Sequence[str],
    dynamic_axes: Any,
    dynamic_shapes: Any,
) -> tuple[Graph, OpenSizes]:
    """The graph of a function, with some dimensions left open, and what there is to know of them.

    RuntimeError if what is done, and not only its sizes, depends on them.
    """
    graph = captured(function, args, kwargs)
    shapes = {one.what: one.shape for one in graph.values if one.kind == "input"}
    # The caller's names are those of the first inputs.
    names = dict(zip([*input_names, *list(shapes)[len(input_names) :]], shapes, strict=False))
    axes = from_axes(dynamic_axes or {}, names) | from_shapes(dynamic_shapes or {}, list(shapes))
    if not axes:
        return graph, CLOSED
    if hasattr(function, "export_graph"):
        raise NotImplementedError("export: the graph of a Session is of the fed shapes only")
    sizes = open_sizes(_places(axes, shapes), [size for one in shapes.values() for size in one])
    changes = [_change(sizes, setting) for setting in sizes.settings]
    return merged([captured(function, args, kwargs, change) for change in changes]), sizes


def _places(axes: Axes, shapes: Mapping[str, Shape]) -> dict[tuple[str, int], str]:
    """The same with dimensions from 0 on and a name for each."""
    places = {}
    for (name, dim), size in axes.items():
        shape = shapes[name]
        if not -len(shape) <= dim < len(shape):
            raise ValueError(f"export: the input '{name}' of shape {shape} has no dimension {dim}")
        if shape[dim] == 0:
            raise ValueError(f"export: dimension {dim} of '{name}' is dynamic, but 0 in args")
        # Of dimensions without a name, those that are alike are one: the batch of all inputs.
        places[name, dim % len(shape)] = size or f"dim_{dim % len(shape)}_{shape[dim]}"
    return places


def _change(sizes: OpenSizes, setting: Mapping[str, int]) -> Callable[[str, Tensor], Tensor]:
    """Gives inputs these sizes."""

    def change(name: str, x: Tensor) -> Tensor:
        for (one, dim), size in sizes.places.items():
            if one == name:
                # Its own elements, as often as needed.
                x = x.index_select(dim, as_tensor(np.arange(setting[size]) % x.shape[dim]))
        return x

    return change


def from_axes(dynamic_axes: Mapping[str, Any], inputs: Mapping[str, str]) -> Axes:
    """`{"x": {0: "batch"}}` or `{"x": [0]}`, by the names that `inputs` gives to its own.

    Names that no input has are those of outputs, whose sizes follow.
    """
    found: Axes = {}
    for given, axes in dynamic_axes.items():
        if given in inputs:
            named = axes if isinstance(axes, Mapping) else dict.fromkeys(axes)
            found.update({(inputs[given], dim): name for dim, name in named.items()})
    return found


def from_shapes(dynamic_shapes: Any, inputs: Sequence[str]) -> Axes:
    """`{"x": {0: "batch"}, "y": None}`, nested as arguments are, or a tuple by place.

    A tensor's dimensions may also be a tuple; the name may be an object with a `__name__`.
    """
    if isinstance(dynamic_shapes, (tuple, list)):
        if len(dynamic_shapes) != len(inputs):
            raise ValueError(
                f"export: {len(dynamic_shapes)} dynamic_shapes for the inputs {list(inputs)}"
            )
        dynamic_shapes = dict(zip(inputs, dynamic_shapes, strict=True))
    return {
        (name, dim): _symbol(one)
        for name, dims in _tensors("", dynamic_shapes, inputs)
        for dim, one in dims
        if one is not None
    }


def _tensors(
    name: str, given: Any, inputs: Sequence[str]
) -> Iterator[tuple[str, list[tuple[int, Any]]]]:
    """What is given for each input."""
    if given is None:
        return
    if name in inputs:
        yield name, [*(given if isinstance(given, Mapping) else dict(enumerate(given))).items()]
        return
    if not isinstance(given, (Mapping, tuple, list)):
        raise ValueError(f"export: dynamic_shapes: '{name}' is none of the inputs {list(inputs)}")
    parts = given if isinstance(given, Mapping) else dict(enumerate(given))
    for key, one in parts.items():
        yield from _tensors(f"{name}.{key}" if name else str(key), one, inputs)


def _symbol(given: Any) -> str | None:
    if isinstance(given, str):
        return given
    name = getattr(given, "__name__", None)
    return name if isinstance(name, str) else None
