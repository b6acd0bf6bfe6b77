"""What files may say of operations: all that ops are recorded with, and nothing they cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from flambeau.core import dtypes
from flambeau.graph.node import Spec
from flambeau.io.export import _written
from flambeau.io.graph_file import Inside, _plain_from_json, plain_to_json
from flambeau.io.load_graph import _body
from flambeau.io.op_table import OPS, check_arguments

# What ops refuse their arguments with.
REFUSALS = (ValueError, TypeError, RuntimeError, IndexError)


def specs(arrays: tuple[np.ndarray, ...]) -> list[Spec]:
    return [Spec.of(one.shape, dtypes.from_numpy(one.dtype)) for one in arrays]


def samples(op: Any) -> list[Any]:
    # bfloat16's bits look like uint16, which is no dtype of ours.
    return [one for one in op.samples() if all(x.dtype != np.uint16 for x in one.inputs)]


@pytest.mark.parametrize("name", sorted(OPS))
def test_what_ops_are_recorded_with_is_accepted(name: str) -> None:
    op = OPS[name]
    assert samples(op)
    for sample in samples(op):
        kept = _written(sample.parameters, "")
        written = {key: plain_to_json(one) for key, one in kept.items()}
        plain = {key: _plain_from_json(one) for key, one in written.items()}
        read = {key: _body(one) if isinstance(one, Inside) else one for key, one in plain.items()}
        assert read == sample.parameters
        check_arguments(op, specs(sample.inputs), read)


def altered(value: Any) -> Iterator[Any]:
    """Other values of an attribute of these types."""
    if isinstance(value, tuple):
        yield from (value[1:], (*value, 0), (*value, 1), value[::-1])
        for place, one in enumerate(value):
            for other in altered(one):
                yield (*value[:place], other, *value[place + 1 :])
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from (value + 1, value - 1, -value, -1, 0, 3, 1000)


@pytest.mark.parametrize("name", sorted(name for name, op in OPS.items() if op.parameters))
def test_altered_attributes_are_refused_or_can_be_computed(name: str) -> None:
    op = OPS[name]
    for sample in samples(op):
        given = specs(sample.inputs)
        for key, value in sample.parameters.items():
            for other in altered(value):
                parameters = {**sample.parameters, key: other}
                try:
                    check_arguments(op, given, parameters)
                    shape, _ = op.infer(*given, **parameters)
                except REFUSALS:
                    continue
                if name in ("index", "index_put"):
                    # Positions are checked when the graph runs.
                    inputs = in_range(sample.inputs, parameters["dims"])
                elif name == "gather":
                    inputs = in_range(sample.inputs, (parameters["dim"],))
                elif name == "wrap_index":
                    inputs = (np.zeros_like(sample.inputs[0]),)
                    if parameters["size"] == 0:
                        continue
                else:
                    inputs = sample.inputs
                assert np.shape(op.numpy(*inputs, **parameters)) == tuple(shape)


def in_range(inputs: tuple[np.ndarray, ...], dims: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    first = len(inputs) - len(dims)
    sizes = [inputs[0].shape[dim] for dim in dims]
    return inputs[:first] + tuple(
        one % size for one, size in zip(inputs[first:], sizes, strict=True)
    )


# Those take as many as they are given.
@pytest.mark.parametrize("name", sorted(set(OPS) - {"cat", "index", "index_put"}))
def test_other_numbers_of_inputs_are_refused(name: str) -> None:
    op = OPS[name]
    for sample in samples(op)[:1]:
        given = specs(sample.inputs)
        for wrong in ([*given, *given, given[0]] if given else [Spec.of((), dtypes.float32)],):
            with pytest.raises(ValueError, match="takes"):
                check_arguments(op, wrong, sample.parameters)
        if given:
            with pytest.raises(ValueError, match="takes"):
                check_arguments(op, given[:-1], sample.parameters)


@pytest.mark.parametrize(
    ("name", "shapes", "parameters"),
    [
        ("slice", [(4,)], {"starts": (-1,), "steps": (1,), "sizes": (2,)}),
        ("slice", [(4,)], {"starts": (2,), "steps": (1,), "sizes": (3,)}),
        ("slice", [(4,)], {"starts": (1,), "steps": (-1,), "sizes": (3,)}),
        ("permute", [(2, 3)], {"dims": (-1, 0)}),
        ("sum", [(2, 3)], {"dims": (1, 0)}),
        ("sum", [(2, 3)], {"dims": (-1,)}),
        ("cat", [(2, 3), (2,)], {"dim": 0}),
        ("matmul", [(3,), (3,)], {}),
        ("recurrence", [(2,), (3,)], {"dim": 0, "reverse": False}),
        ("gather", [(2, 3), (1, 4)], {"dim": 0}),
        ("gather", [(2, 3), (2,)], {"dim": 1}),
        ("place", [(2, 3), (2, 3), ()], {"dim": 1, "size": 3}),
        ("argsort", [()], {"descending": False}),
        ("iota", [], {"count": -1}),
        ("iota", [], {"count": 1 << 62}),
        ("pad", [(3,), (1,)], {"before": (1,), "after": (1,)}),
        ("reshape", [(4,)], {"shape": (-2, -2)}),
        ("as_strided", [(4,)], {"shape": (2,), "strides": (1, 1), "offset": 0}),
    ],
)
def test_what_would_leave_a_value_is_refused(name, shapes, parameters) -> None:
    given = [Spec.of(shape, dtypes.float32) for shape in shapes]
    with pytest.raises(ValueError, match=r"do not fit|has to be"):
        check_arguments(OPS[name], given, parameters)
