"""Kernels that check their bounds: they compute the same, and stop what reaches beyond a buffer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given

from engine import running
from engine.random_programs import Program
from engine.test_random_graphs import PROGRAMS, examples
from flambeau.core.errors import VerificationError
from flambeau.core.settings import settings
from flambeau.engine.reference import evaluate_with
from flambeau.graph.op import Op
from flambeau.ops.indexing import index, index_put
from flambeau.ops.shape import expand, sum_
from ops.harness import (
    all_ops,
    apply,
    forget_recording,
    leaf,
    stored_value,
    stretched_leaf,
)
from tolerances import assert_close, tolerance

OPS = [op for op in all_ops() if not op.effect]


@contextmanager
def checked() -> Iterator[None]:
    """Compile kernels that check their bounds."""
    forget_recording()
    running.forget_plans()
    with patch.object(settings, "checked", True):
        yield
    running.forget_plans()
    forget_recording()


@pytest.mark.parametrize("op", OPS, ids=str)
def test_no_op_reaches_beyond_its_buffers(op: Op) -> None:
    # Bounds do not depend on types: of samples that differ in nothing else, one is enough.
    kinds = {(*map(np.ndim, one.inputs), str(one.parameters)): one for one in op.samples()}
    samples = list(kinds.values())
    with checked():
        # All recorded before the first is looked at: one plan, whose kernels compile in parallel.
        results = [
            apply(op, [make(array) for array in sample.inputs], sample.parameters)
            for make in (leaf, stretched_leaf)
            for sample in samples
        ]
        for sample, result in zip(samples * 2, results, strict=True):
            expected = evaluate_with(op, sample.inputs, sample.parameters)
            assert_close(stored_value(result), expected, tolerance(op.name))


@examples(60)
@given(PROGRAMS)
def test_no_program_reaches_beyond_its_buffers(program: Program) -> None:
    expected = running.fused(program)
    with checked():
        running.assert_same_bits(running.fused(program), expected)


@pytest.mark.parametrize("where", [-1, 5, 1 << 40])
@pytest.mark.parametrize("count", [1, 40])
def test_a_wild_access_is_stopped(where: int, count: int) -> None:
    x, positions = np.arange(5.0), np.zeros(count, np.int64)
    positions[-1] = where
    message = f"element {where} of 5 was about to be accessed .*test_bounds.py"
    with checked():
        table, wild = leaf(x), leaf(positions)
        values = expand(leaf(np.ones(())), (count,))
        for accumulate in (False, True):
            with pytest.raises(VerificationError, match=message):
                stored_value(index_put(table, values, (wild,), (0,), accumulate))
        for result in (index(table, (wild,), (0,)), sum_(index(table, (wild,), (0,)), (0,))):
            with pytest.raises(VerificationError, match=message):
                stored_value(result)
        np.testing.assert_array_equal(stored_value(table), x)
