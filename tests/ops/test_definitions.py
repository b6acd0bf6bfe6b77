"""Ops are defined as the Op interface asks."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import numpy as np
import pytest

from flambeau.core import dtypes
from flambeau.engine.reference import kind_of
from flambeau.graph.node import Spec
from flambeau.graph.op import BOTH, NOTHING, Elementwise, Op, Reduction, Template, View
from ops.harness import all_ops, op_modules

OPS = all_ops()


def named_classes() -> Iterator[type[Op]]:
    for module in op_modules():
        for found in vars(module).values():
            is_op = inspect.isclass(found) and issubclass(found, Op) and hasattr(found, "name")
            if is_op and found.__module__ == module.__name__:
                yield found


def test_each_class_with_a_name_has_just_one_instance() -> None:
    assert sorted(map(str, named_classes())) == sorted(str(type(op)) for op in OPS)


def test_names_are_unique() -> None:
    names = [op.name for op in OPS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("op", OPS, ids=str)
def test_the_op_is_of_one_kind_and_says_what_it_reads(op: Op) -> None:
    assert sum(isinstance(op, kind) for kind in (Elementwise, View, Reduction, Template)) == 1
    assert NOTHING <= op.reads <= BOTH
    assert op.__class__.__doc__


@pytest.mark.parametrize("op", OPS, ids=str)
def test_a_differentiable_op_has_a_gradient(op: Op) -> None:
    assert op.differentiable == (type(op).gradient is not Op.gradient)


@pytest.mark.parametrize("op", OPS, ids=str)
def test_samples_are_stored_arrays_with_hashable_parameters(op: Op) -> None:
    samples = [*op.samples()]
    assert samples
    for sample in (*samples, *op.error_samples()):
        assert all(isinstance(one, np.ndarray) for one in sample.inputs)
        assert tuple(sample.parameters) == op.parameters
        hash(tuple(sample.parameters.values()))


@pytest.mark.parametrize("op", OPS, ids=str)
def test_differentiable_ops_have_samples_to_differentiate(op: Op) -> None:
    wanted = {dtypes.float64} if op.differentiable else set()
    smooth = [
        {kind_of(one) for one in sample.inputs} & wanted
        for sample in op.samples()
        if sample.differentiable
    ]
    assert op.differentiable == any(smooth)


@pytest.mark.parametrize("op", OPS, ids=str)
def test_inference_gives_a_shape_and_a_dtype(op: Op) -> None:
    for sample in op.samples():
        specs = [Spec.of(one.shape, kind_of(one)) for one in sample.inputs]
        shape, kind = op.infer(*specs, **sample.parameters)
        assert all(type(size) is int for size in shape)
        assert kind in dtypes.ALL
