"""`scan`: a body done once for each slice of some values, in order, handing values on.

Its gradient is a scan the other way round, of the body's own gradient: each round computes the
body again from what it began with. That is all the rule there is, so it has gradients, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from flambeau.autograd.bodies import (
    as_stored,
    keep_for_gradients,
    pullback,
    record_results,
    sample_body,
    summed,
    trace_body,
)
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape
from flambeau.engine.reference import evaluate_body, widened
from flambeau.graph.body import Body
from flambeau.graph.lowering import StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import Joint, Sample
from flambeau.ops.algebra import add, mul
from flambeau.ops.shape import zeros

# From what is handed on, the slices and what is the same in all rounds: what is handed on, and
# what is stacked.
Round = Callable[
    [Sequence[Node], Sequence[Node], Sequence[Node]], tuple[Sequence[Node], Sequence[Node]]
]


class Scan(Joint):
    """The body's inputs are `carries` values, a slice of each of the `walked`, and the rest.

    Results: the carries after the last round, what the body gives beside them, stacked, and the
    carries that each round began with, stacked.
    """

    name = "scan"
    parameters = ("body", "carries", "walked", "length", "reverse", "number")

    def result_count(self, **parameters: Any) -> int:
        return len(parameters["body"].results) + int(parameters["carries"])

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        body, carries, length = parameters["body"], parameters["carries"], parameters["length"]
        number, end = parameters["number"], carries + parameters["walked"]
        expected = [
            Spec.of((length, *one.shape), one.dtype) if carries <= place < end else one
            for place, one in enumerate(body.inputs)
        ]
        if list(inputs) != expected or body.results[:carries] != list(body.inputs[:carries]):
            raise RuntimeError(f"scan: the body takes {expected}, received {list(inputs)}")
        if number < carries:
            return body.results[number].shape, body.results[number].dtype
        each = (*body.results, *body.inputs[:carries])[number]
        return (length, *each.shape), each.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        body, length, number = parameters["body"], parameters["length"], parameters["number"]
        carries, walked = parameters["carries"], parameters["walked"]
        state = as_stored(arrays[:carries], body.inputs[:carries])
        rest = as_stored(arrays[carries:], body.inputs[carries:])
        rounds = []
        for place in reversed(range(length)) if parameters["reverse"] else range(length):
            slices = [one[place] for one in rest[:walked]]
            results = evaluate_body(body, [*state, *slices, *rest[walked:]])
            rounds.append([*results, *state])
            state = results[:carries]
        if number < carries:
            return widened(state[number])
        return widened(
            np.stack([one[number] for one in rounds[:: -1 if parameters["reverse"] else 1]])
        )

    def lower(self, builder: StepBuilder, node: Node, results: dict[int, Node]) -> None:
        from flambeau.compiler.loops import Carry, Rounds, add_loop  # noqa: PLC0415

        body, count, walked, length, reverse, _ = node.attributes
        every = len(body.results)
        carries = [
            Carry(node.inputs[n], results.get(n), results.get(every + n)) for n in range(count)
        ]
        stacked = [results.get(number) for number in range(count, every)]
        slices = node.inputs[count : count + walked]
        add_loop(builder, node, body, carries, slices, stacked, Rounds(length, reverse))

    def gradients(
        self, grads: Sequence[Node | None], node: Node, **parameters: Any
    ) -> Sequence[Node | None]:
        return _Backward(node, **parameters).gradients(grads)

    def samples(self) -> Iterable[Sample]:
        values = np.random.default_rng(5)
        state, factor = values.standard_normal((2, 3))

        def step(given: list[Node]) -> list[Node]:
            s, x, a = given
            after = add(mul(s, a), mul(x, x))
            return [after, mul(after, x)]

        body, _ = sample_body(step, (state, factor, factor))
        for length in (1, 4):
            inputs = state, values.standard_normal((length, 3)), factor
            named = {"body": body, "carries": 1, "walked": 1, "length": length}
            for reverse in (False, True):
                for number in range(3):
                    yield Sample(inputs, {**named, "reverse": reverse, "number": number})


SCAN = Scan()


def scan(
    first: Sequence[Node],
    walked: Sequence[Node],
    fixed: Sequence[Node],
    length: int,
    reverse: bool,
    step: Round,
) -> tuple[list[Node], list[Node]]:
    """What `length` rounds of `step` hand on at last, and what they stack."""
    count, end = len(first), len(first) + len(walked)
    slices = [Spec.of(one.shape[1:], one.dtype, one.device) for one in walked]
    handed = 0

    def body(given: list[Node]) -> Sequence[Node]:
        nonlocal handed
        after, outputs = step(given[:count], given[count:end], given[end:])
        handed = len(after)
        return [*after, *outputs]

    specs = [*[one.spec for one in first], *slices, *[one.spec for one in fixed]]
    traced = trace_body(body, specs)
    after, outputs = traced.results[:handed], traced.results[handed:]
    # What is handed on as it is, is the same in all rounds.
    same = {n for n in range(count) if after[n] is traced.given[n]}
    moving = [n for n in range(count) if n not in same]
    given = [*[traced.given[n] for n in moving], *traced.given[count:]]
    given += [traced.given[n] for n in same]
    made, around = traced.close(given, [*[after[n] for n in moving], *outputs])
    traced.trace.release()
    inputs = (*[first[n] for n in moving], *walked, *fixed, *[first[n] for n in same], *around)
    attributes = (made, len(moving), len(walked), length, reverse)
    if not length:
        stacks = [zeros((0, *one.shape), one.dtype) for one in outputs]
        return list(first), stacks
    results = record_results(SCAN, inputs, attributes, range(len(made.results)))
    keep_for_gradients(results, lambda: _every(inputs, attributes))
    last = dict(zip(moving, results, strict=False))
    return [last.get(n, first[n]) for n in range(count)], results[len(moving) :]


def _every(inputs: tuple[Node, ...], attributes: tuple[Any, ...]) -> list[Node]:
    """The results that a gradient begins with: what each round began with."""
    body, count = attributes[:2]
    first = len(body.results)
    return record_results(SCAN, inputs, attributes, range(first, first + count))


class _Backward:
    """The gradient of a scan, of which `node` is a result."""

    def __init__(
        self,
        node: Node,
        body: Body,
        carries: int,
        walked: int,
        length: int,
        reverse: bool,
        number: int,
    ) -> None:
        inputs, end = node.inputs, carries + walked
        self.body, self.length, self.reverse = body, length, reverse
        self.count, self.walked, self.node = carries, inputs[carries:end], node
        self.fixed = inputs[end:]
        self.every = node.owner or _every(inputs, node.attributes[:-1])
        self.flowing = [n for n in range(carries) if inputs[n].dtype.is_floating_point]
        self.summed = [n for n, one in enumerate(self.fixed) if one.requires_grad]
        self.sliced = [n for n, one in enumerate(self.walked) if one.requires_grad]

    def gradients(self, grads: Sequence[Node | None]) -> list[Node | None]:
        """The gradients of all inputs, given those of the results."""
        count, every = self.count, len(self.body.results)
        self.stacked = {n: grads[n] for n in range(count, every)}
        self.began = {n: grads[every + n] for n in self.flowing}
        seeds = [one for one in (*self.stacked.values(), *self.began.values()) if one is not None]
        inputs = self.node.inputs
        first = [summed([grads[n]], inputs[n].spec) for n in self.flowing]
        first += [summed([], self.fixed[n].spec) for n in self.summed]
        last, slices = scan(
            first,
            [*self.every, *self.walked, *seeds],
            [self.fixed[n] for n in self.summed],
            self.length,
            not self.reverse,
            self._round,
        )
        found: list[Node | None] = [None] * len(inputs)
        flowing = len(self.flowing)
        for n, grad in zip(self.flowing, last, strict=False):
            found[n] = grad
        for n, grad in zip(self.sliced, slices, strict=True):
            found[count + n] = grad
        for n, grad in zip(self.summed, last[flowing:], strict=True):
            found[count + len(self.walked) + n] = grad
        return found

    def _round(
        self, back: Sequence[Node], slices: Sequence[Node], around: Sequence[Node]
    ) -> tuple[list[Node], list[Node]]:
        """From the gradients after a round of the forward scan to those before it."""
        count, walked, flowing = self.count, len(self.walked), len(self.flowing)
        began, here = slices[:count], slices[count : count + walked]
        given = iter(slices[count + walked :])
        seeds: list[Node | None] = [None] * len(self.body.results)
        for n, grad in zip(self.flowing, back, strict=False):
            seeds[n] = grad
        for n, stack in self.stacked.items():
            seeds[n] = None if stack is None else next(given)
        extra = {n: next(given) for n, stack in self.began.items() if stack is not None}
        fixed = list(self.fixed)
        for n, one in zip(self.summed, around, strict=True):
            fixed[n] = one
        wanted = [*[began[n] for n in self.flowing], *around, *[here[n] for n in self.sliced]]
        grads = pullback(self.body, [*began, *here, *fixed], wanted, seeds)
        ends, sums = grads[flowing:], len(self.summed)
        before = [
            summed([grad, extra.get(n)], began[n].spec)
            for n, grad in zip(self.flowing, grads, strict=False)
        ]
        before += [
            summed([total, grad], total.spec)
            for total, grad in zip(back[flowing:], ends, strict=False)
        ]
        outputs = [
            summed([grad], here[n].spec) for n, grad in zip(self.sliced, ends[sums:], strict=True)
        ]
        return before, outputs
