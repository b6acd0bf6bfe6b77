"""Building an ONNX graph node by node, with element types that the operators' schemas accept."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from onnx import NodeProto, TensorProto, defs, helper

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.io.graph_file import Value
from flambeau.io.onnx.sizes import OpenSizes, Size
from flambeau.ops.elementwise_base import stored

KINDS: dict[dtype, int] = {
    dtypes.bool: TensorProto.BOOL,
    dtypes.uint8: TensorProto.UINT8,
    dtypes.int8: TensorProto.INT8,
    dtypes.int16: TensorProto.INT16,
    dtypes.int32: TensorProto.INT32,
    dtypes.int64: TensorProto.INT64,
    dtypes.float16: TensorProto.FLOAT16,
    dtypes.bfloat16: TensorProto.BFLOAT16,
    dtypes.float32: TensorProto.FLOAT,
    dtypes.float64: TensorProto.DOUBLE,
}
_DTYPES = {kind: one for one, kind in KINDS.items()}
FLOATS = frozenset(KINDS[one] for one in dtypes.FLOATS)
NARROW = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
# Types to compute in, first choice first, where an operator does not take a type. Integers wrap, so
# that what is cast back has the same bits; 16-bit floats are computed in float32 by flambeau too.
_WIDER: dict[int, tuple[int, ...]] = {
    TensorProto.BOOL: (TensorProto.UINT8, TensorProto.INT32),
    TensorProto.UINT8: (TensorProto.INT32,),
    TensorProto.INT8: (TensorProto.INT32,),
    TensorProto.INT16: (TensorProto.INT32,),
    TensorProto.FLOAT16: (TensorProto.FLOAT,),
    TensorProto.BFLOAT16: (TensorProto.FLOAT,),
}


class Tensor(NamedTuple):
    """A value in the ONNX graph: its name and its element type, a TensorProto.DataType."""

    name: str
    kind: int


class _Signature(NamedTuple):
    """The type variables of an operator's inputs and outputs, the last of which may repeat."""

    inputs: list[str]
    outputs: list[str]
    allowed: Mapping[str, frozenset[int]]


@functools.cache
def _signature(operator: str, opset: int) -> _Signature:
    schema = defs.get_schema(operator, opset, "")
    allowed = {one.type_param_str: _kinds(one.allowed_type_strs) for one in schema.type_constraints}
    inputs = [one.type_str for one in schema.inputs]
    outputs = [one.type_str for one in schema.outputs]
    for one in {*inputs, *outputs} - {*allowed}:
        allowed[one] = _kinds([one])  # no variable, but a type
    return _Signature(inputs, outputs, allowed)


def _kinds(types: Sequence[str]) -> frozenset[int]:
    """The element types among `tensor(float)` and so on."""
    names = [one[len("tensor(") : -1].upper() for one in types if one.startswith("tensor(")]
    return frozenset(TensorProto.DataType.Value(one) for one in names if "COMPLEX" not in one)


class Builder:
    """The nodes and the constants of a graph, which grow with each operator."""

    def __init__(
        self,
        opset: int,
        values: Sequence[Value],
        names: Sequence[str],
        sizes: OpenSizes,
    ) -> None:
        """For a graph of these values, of which `sizes` are open; `names` are taken."""
        self.opset = opset
        self.values = values
        self.sizes = sizes
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, TensorProto] = {}
        # What the names of new nodes start with.
        self.scope = "constant"
        self._names = set(names)
        self._constants: dict[Any, Tensor] = {}
        self._numbers: dict[str, int] = {}
        # Vectors of one size: the open ones by name, and what is computed of them.
        self._open: dict[str, Tensor] = {}
        self._sizes: dict[tuple[int, ...], Tensor] = {}

    def op(
        self, operator: str, *inputs: Tensor | float, result: int = 0, **attributes: Any
    ) -> Tensor:
        """An output, the first if `result` does not say else, of a new node.

        Numbers become constants of the type of the tensors beside them. Where the operator does
        not take an input's type, it is cast to one that it takes, and the output back.
        """
        signature = _signature(operator, self.opset)
        variables = [_at(signature.inputs, place) for place in range(len(inputs))]
        kinds: dict[str, int] = {}
        for variable, one in zip(variables, inputs, strict=True):
            if isinstance(one, Tensor):
                kinds.setdefault(variable, one.kind)
        inside = {one: _accepted(operator, signature.allowed[one], kinds[one]) for one in kinds}
        sources = [
            self.cast(one, inside[variable])
            if isinstance(one, Tensor)
            else self.number(one, inside[variable])
            for variable, one in zip(variables, inputs, strict=True)
        ]
        outputs = [self.name(f"{self.scope}/{operator}") for _ in range(result + 1)]
        names = [one.name for one in sources]
        self.nodes.append(
            helper.make_node(operator, names, outputs, name=outputs[-1], **attributes)
        )
        variable = _at(signature.outputs, result)
        if variable not in inside:
            (kind,) = {attributes["to"]} if operator == "Cast" else signature.allowed[variable]
            return Tensor(outputs[-1], kind)
        return self.cast(Tensor(outputs[-1], inside[variable]), kinds[variable])

    def cast(self, x: Tensor, kind: int) -> Tensor:
        """x in another element type; x itself if it has it."""
        return x if x.kind == kind else self.op("Cast", x, to=kind)

    def name(self, wish: str) -> str:
        """A name that nothing has yet: the wish, if possible."""
        name, count = wish, 1
        while name in self._names:
            count += 1
            name = f"{wish}_{count}"
        self._names.add(name)
        return name

    # ------------------------------------------------------------------ constants and sizes

    def open(self, name: str, x: Tensor, dim: int) -> None:
        """Note that the open size of this name is that of a dimension of x."""
        self._open.setdefault(name, self.op("Shape", x, start=dim, end=dim + 1))

    def number(self, value: float, kind: int) -> Tensor:
        """A scalar of this type."""
        if isinstance(value, Size):
            scalar = self.op("Reshape", self._computed(value), self.integers(()))
            return self.cast(scalar, kind)
        with np.errstate(over="ignore"):
            return self.constant(stored(np.asarray(value), _DTYPES[kind]), kind)

    def integers(self, values: Sequence[int]) -> Tensor:
        """A vector of int64: sizes, dimensions, positions."""
        if not any(isinstance(one, Size) for one in values):
            return self.constant(np.array(values, np.int64), TensorProto.INT64)
        parts = [
            self._computed(one) if isinstance(one, Size) else self.integers([one]) for one in values
        ]
        return self.op("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]

    def _computed(self, size: Size) -> Tensor:
        """A vector of one size, computed from those that are open."""
        if size.values not in self._sizes:
            terms = [
                functools.reduce(
                    lambda a, b: self.op("Mul", a, b),
                    [self._open[name] for name in names],
                    self.integers([factor]),
                )
                for names, factor in self.sizes.factors(size).items()
            ]
            self._sizes[size.values] = functools.reduce(lambda a, b: self.op("Add", a, b), terms)
        return self._sizes[size.values]

    def constant(self, array: np.ndarray, kind: int) -> Tensor:
        """An array as it is stored; equal ones are one."""
        key = kind, array.shape, array.tobytes()
        if key not in self._constants:
            self._constants[key] = self.weight("constant", array, kind)
        return self._constants[key]

    def weight(self, wish: str, array: np.ndarray, kind: int) -> Tensor:
        """An array as it is stored, if possible of that name."""
        name = self.name(wish)
        self.initializers[name] = helper.make_tensor(
            name, kind, array.shape, np.ascontiguousarray(array).tobytes(), raw=True
        )
        return Tensor(name, kind)

    # ------------------------------------------------------------------ values of the graph

    def assign(self, number: int, tensor: Tensor) -> None:
        """Note that a tensor is the value of this number."""
        self._numbers.setdefault(tensor.name, number)

    def value(self, tensor: Tensor) -> Value:
        """The value of the graph that an input of an op is."""
        return self.values[self._numbers[tensor.name]]

    def shape(self, tensor: Tensor) -> Shape:
        """The shape of an input of an op."""
        return self.value(tensor).shape


def _at(variables: Sequence[str], place: int) -> str:
    return variables[min(place, len(variables) - 1)]


def _accepted(operator: str, allowed: frozenset[int], kind: int) -> int:
    """The type, or a wider one that the operator takes."""
    for one in (kind, *_WIDER.get(kind, ())):
        if one in allowed:
            return one
    raise ValueError(f"ONNX's {operator} does not take {TensorProto.DataType.Name(kind)}")
