"""Compiled ops compute what they mean, whatever the layout of their inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from flambeau.engine.reference import evaluate_with
from flambeau.graph.op import Op, Sample
from ops.harness import all_ops, compiled, compiled_stretched, forget_recording
from tolerances import EXACT, assert_close, tolerance

OPS = [op for op in all_ops() if not op.effect]


@pytest.fixture(autouse=True)
def own_recording() -> Iterator[None]:
    forget_recording()
    yield
    forget_recording()


def check_all(op: Op, check: Callable[[Sample], None]) -> None:
    """Run `check` on every sample of the op; AssertionError naming all it fails for."""
    failures = []
    for sample in op.samples():
        try:
            check(sample)
        except AssertionError as error:
            inputs = ", ".join(f"{one.dtype}{list(one.shape)}" for one in sample.inputs)
            failures.append(f"{op.name}({inputs}, {sample.parameters}): {error}")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("op", OPS, ids=str)
def test_compiled_is_what_is_meant(op: Op) -> None:
    def check(sample: Sample) -> None:
        before = [one.copy() for one in sample.inputs]
        expected = evaluate_with(op, sample.inputs, sample.parameters)
        actual = compiled(op, sample.inputs, sample.parameters)
        assert_close(actual, expected, tolerance(op.name))
        for one, copy in zip(sample.inputs, before, strict=True):
            np.testing.assert_array_equal(one, copy)

    check_all(op, check)


@pytest.mark.parametrize("op", OPS, ids=str)
def test_strides_do_not_change_a_bit(op: Op) -> None:
    def check(sample: Sample) -> None:
        expected = compiled(op, sample.inputs, sample.parameters)
        assert_close(compiled_stretched(op, sample.inputs, sample.parameters), expected, EXACT)

    check_all(op, check)


@pytest.mark.parametrize("op", OPS, ids=str)
def test_wrong_inputs_are_refused(op: Op) -> None:
    for sample in op.error_samples():
        for compute in (evaluate_with, compiled):
            with pytest.raises(sample.error) as caught:
                compute(op, sample.inputs, sample.parameters)
            assert sample.message in str(caught.value)
            forget_recording()
