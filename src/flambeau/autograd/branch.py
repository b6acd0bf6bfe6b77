"""`cond`: one of two bodies, as a value says. Its gradient is a branch of their gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from flambeau.autograd.bodies import (
    as_stored,
    pullback,
    record_results,
    sample_body,
    summed,
    trace_body,
)
from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.engine.reference import evaluate_body, widened
from flambeau.graph.body import Body
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import Joint, Sample
from flambeau.ops.algebra import mul, sub

Arm = Callable[[Sequence[Node]], Sequence[Node]]


class Branch(Joint):
    """The results of the first body if the first input holds, else of the second.

    Both take the other inputs, and give values of the same shapes and dtypes.
    """

    name = "branch"
    parameters = ("then", "otherwise", "number")

    def result_count(self, **parameters: Any) -> int:
        return len(parameters["then"].results)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        then, otherwise = parameters["then"], parameters["otherwise"]
        expected = (Spec.of((), dtypes.bool), *then.inputs)
        if inputs != expected or otherwise.inputs != then.inputs:
            raise RuntimeError(f"branch: the bodies take {expected}, received {inputs}")
        if then.results != otherwise.results:
            raise RuntimeError(
                f"branch: both bodies have to give the same shapes and dtypes, received "
                f"{then.results} and {otherwise.results}"
            )
        result = then.results[parameters["number"]]
        return result.shape, result.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        body: Body = parameters["then"] if arrays[0] else parameters["otherwise"]
        results = evaluate_body(body, as_stored(arrays[1:], body.inputs))
        return widened(results[parameters["number"]])

    def lower(self, builder: StepBuilder, node: Node, results: dict[int, Node]) -> None:
        from flambeau.compiler.loops import add_branch  # noqa: PLC0415

        condition, *operands = node.inputs
        add_branch(builder, node, node.attributes[:2], condition, operands, results)

    def gradients(
        self, grads: Sequence[Node | None], node: Node, **parameters: Any
    ) -> Sequence[Node | None]:
        condition, *operands = node.inputs
        wanted = [n for n, one in enumerate(operands) if one.requires_grad]
        seeds = [n for n, one in enumerate(grads) if one is not None]

        def backward(body: Body) -> Arm:
            def arm(given: Sequence[Node]) -> Sequence[Node]:
                inputs = list(operands)
                for n, one in zip(wanted, given, strict=False):
                    inputs[n] = one
                weights: list[Node | None] = [None] * len(grads)
                for n, one in zip(seeds, given[len(wanted) :], strict=True):
                    weights[n] = one
                found = pullback(body, inputs, given[: len(wanted)], weights)
                return [summed([grad], one.spec) for grad, one in zip(found, given, strict=False)]

            return arm

        given = [*[operands[n] for n in wanted], *[one for one in grads if one is not None]]
        arms = backward(parameters["then"]), backward(parameters["otherwise"])
        found = dict(zip(wanted, branch(condition, given, *arms), strict=True))
        return [None, *[found.get(n) for n in range(len(operands))]]

    def samples(self) -> Iterable[Sample]:
        x, y = np.random.default_rng(5).standard_normal((2, 3))
        then, _ = sample_body(lambda given: [mul(*given), given[1]], (x, y))
        otherwise, _ = sample_body(lambda given: [sub(*given), mul(given[0], given[0])], (x, y))
        for holds in (True, False):
            for number in range(2):
                named = {"then": then, "otherwise": otherwise, "number": number}
                yield Sample((np.array(holds), x, y), named)


BRANCH = Branch()


def branch(condition: Node, operands: Sequence[Node], then: Arm, otherwise: Arm) -> list[Node]:
    """The results of one of two functions of the operands; what they read is computed before."""
    specs = [one.spec for one in operands]
    arms = [trace_body(one, specs, eager=False) for one in (then, otherwise)]
    around: dict[Node, None] = {}
    for arm in arms:
        around.update(dict.fromkeys(arm.close(arm.given, arm.results)[1]))
    bodies = [arm.close([*arm.given, *around], arm.results)[0] for arm in arms]
    for arm in arms:
        arm.trace.release()
    inputs = (condition, *operands, *around)
    return record_results(BRANCH, inputs, (*bodies,), range(len(bodies[0].results)))
