"""Ops in ONNX models: the checker takes them, and the reference evaluator computes our values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from flambeau.engine.reference import kind_of
from flambeau.graph.node import Spec
from flambeau.graph.op import Op, Sample, Template
from flambeau.io.graph_file import Graph, Result, Value
from ops.harness import all_ops, compiled, forget_recording
from tolerances import EXACT_BUT_FOR_ZEROS, Tolerance, assert_close, tolerance

onnx = pytest.importorskip("onnx")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from flambeau.io.onnx.model import (  # noqa: E402
    DEFAULT_OPSET,
    OLDEST_OPSET,
    OPERATORS,
    onnx_model,
)

OPS = {op.name: op for op in all_ops()}
BFLOAT16 = onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.BFLOAT16)
NEWEST_OPSET = onnx.defs.onnx_opset_version()
TOLERANCES = {
    # The evaluator makes 0 of -0.
    "relu": EXACT_BUT_FOR_ZEROS,
    # It computes float64's erf in float32, of which the smallest number is 2**-149.
    "erf": Tolerance(wide=2.0**29, narrow=1, floor=2.0**-149 * 2.0**24),
}
# Functions that ONNX has no operators for.
WITHOUT = {
    "erfc", "erfinv", "lgamma", "digamma", "i0", "i0e", "i1", "i1e", "nextafter", "next_round",
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_recording() -> Iterator[None]:
    forget_recording()
    yield
    forget_recording()


def graph_of(op: Op, sample: Sample) -> Graph:
    """The graph of one op on inputs."""
    specs = [Spec.of(one.shape, kind_of(one)) for one in sample.inputs]
    shape, kind = op.infer(*specs, **sample.parameters)
    values = [Value("input", f"x{i}", one.dtype, one.shape) for i, one in enumerate(specs)]
    inputs = tuple(range(len(values)))
    values.append(Value("op", op.name, kind, tuple(shape), inputs, sample.parameters))
    return Graph(values, Result(len(inputs)), {})


def evaluated(model: onnx.ModelProto, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
    """What the checked model makes of stored arrays, as stored."""
    onnx.checker.check_model(model, full_check=True)
    feeds = {
        one.name: array.view(BFLOAT16) if array.dtype == np.uint16 else array
        for one, array in zip(model.graph.input, arrays, strict=True)
    }
    with np.errstate(all="ignore"):
        (found,) = ReferenceEvaluator(model).run(None, feeds)
    return found.view(np.uint16) if found.dtype == BFLOAT16 else found


def check(op: Op, samples: list[Sample], opset: int) -> None:
    """AssertionError naming all samples for which the model computes something else."""
    failures = []
    for sample in samples:
        found = evaluated(onnx_model(graph_of(op, sample), opset), sample.inputs)
        expected = compiled(op, sample.inputs, sample.parameters)
        try:
            assert_close(found, expected, TOLERANCES.get(op.name, tolerance(op.name)))
        except AssertionError as error:
            inputs = ", ".join(f"{one.dtype}{list(one.shape)}" for one in sample.inputs)
            failures.append(f"{op.name}({inputs}, {sample.parameters}): {error}")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_the_reference_evaluator_computes_our_values(name: str) -> None:
    check(OPS[name], [*OPS[name].samples()], DEFAULT_OPSET)


@pytest.mark.parametrize("opset", [OLDEST_OPSET, NEWEST_OPSET])
@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_other_operator_sets(name: str, opset: int) -> None:
    """One sample of each combination of types, as these are what differs."""
    samples = {}
    for one in OPS[name].samples():
        kinds = tuple(array.dtype for array in one.inputs), one.parameters.get("kind")
        samples.setdefault(kinds, one)
    check(OPS[name], [*samples.values()], opset)


def test_what_has_no_operators_is_refused_by_name() -> None:
    from flambeau.io.op_table import OPS as IN_FILES

    # Templates may be of any kind: loops, say.
    simple = {name for name, op in IN_FILES.items() if not isinstance(op, Template)}
    assert simple - WITHOUT <= set(OPERATORS) <= set(IN_FILES)
    assert not set(OPERATORS) & WITHOUT
    for name in WITHOUT:
        sample = next(iter(OPS[name].samples()))
        with pytest.raises(RuntimeError, match=f"ONNX has no operators for '{name}'"):
            onnx_model(graph_of(OPS[name], sample))
