"""`while`: a body done as long as a condition holds for what it hands on.

The condition is the first value handed on: whether there is to be another round. The second counts
the rounds. For gradients the values that the rounds began with are kept, which needs a limit; the
gradient is a loop over the rounds that there were, backwards.
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
from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.errors import TooManyRounds
from flambeau.core.shapes import Shape
from flambeau.engine.reference import evaluate_body, widened
from flambeau.graph import faults
from flambeau.graph.body import Body
from flambeau.graph.lowering import Expressions, StepBuilder
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import Elementwise, ErrorSample, Joint, Sample
from flambeau.graph.recording import record, scalar
from flambeau.ops.algebra import add, mul, sub
from flambeau.ops.comparison import ge, gt, lt
from flambeau.ops.indexing import index
from flambeau.ops.shape import zeros

# The values in front of those that the program hands on.
CONTROL = 2


class NextRound(Elementwise):
    """The number of the next round; TooManyRounds if there may be none."""

    name = "next_round"
    parameters = ("limit",)
    differentiable = False
    checks = True

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        return inputs[0].shape, dtypes.int64

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        if arrays[0] >= parameters["limit"]:
            raise faults.exception(faults.ROUNDS, int(arrays[0]), parameters["limit"])
        return np.asarray(arrays[0] + 1)

    def lower(self, e: Expressions, *values: int, **parameters: Any) -> int:
        (number,) = values
        bound, one = (e.constant(value, dtypes.int64) for value in (parameters["limit"], 1))
        e.fail_if(e.compare("ge", number, bound), faults.ROUNDS, number, bound)
        return e.call("add", number, one)

    def samples(self) -> Iterable[Sample]:
        yield Sample((np.array(0),), {"limit": 3}, differentiable=False)

    def error_samples(self) -> Iterable[ErrorSample]:
        yield ErrorSample((np.array(3),), TooManyRounds, "more than the 3", {"limit": 3})


class While(Joint):
    """The body's inputs are `carries` values, of which the first is the condition, and the rest.

    Results: the carries when it ends and, with a `limit` (of rounds, -1 for none), stacked, those
    that each round began with and the last; beyond these, anything.
    """

    name = "while"
    parameters = ("body", "carries", "limit", "number")

    def result_count(self, **parameters: Any) -> int:
        return int(parameters["carries"]) * (1 if parameters["limit"] < 0 else 2)

    def infer(self, *inputs: Spec, **parameters: Any) -> tuple[Shape, dtype]:
        body, carries, number = parameters["body"], parameters["carries"], parameters["number"]
        handed = list(body.inputs[:carries])
        if inputs != body.inputs or body.results != handed or handed[0] is not _CONDITION:
            raise RuntimeError(f"while: the body takes {body.inputs}, received {list(inputs)}")
        if number < carries:
            return handed[number].shape, handed[number].dtype
        each = handed[number - carries]
        return (parameters["limit"] + 1, *each.shape), each.dtype

    def numpy(self, *arrays: np.ndarray, **parameters: Any) -> np.ndarray:
        body, carries, number = parameters["body"], parameters["carries"], parameters["number"]
        limit = parameters["limit"]
        given = as_stored(arrays, body.inputs)
        states = [given[:carries]]
        while states[-1][0] and (limit < 0 or len(states) <= limit):
            states.append(evaluate_body(body, [*states[-1], *given[carries:]]))
            if limit < 0:
                del states[0]
        if number < carries:
            return widened(states[-1][number])
        rows = [one[number - carries] for one in states]
        rows += [np.zeros_like(rows[0])] * (limit + 1 - len(rows))
        return widened(np.stack(rows))

    def lower(self, builder: StepBuilder, node: Node, results: dict[int, Node]) -> None:
        from flambeau.compiler.loops import ENDLESS, Carry, Rounds, add_loop  # noqa: PLC0415

        body, count, limit, _ = node.attributes
        carries = [
            Carry(node.inputs[n], results.get(n), results.get(count + n)) for n in range(count)
        ]
        rounds = Rounds(ENDLESS if limit < 0 else limit, conditional=True)
        add_loop(builder, node, body, carries, (), (), rounds)

    def gradients(
        self, grads: Sequence[Node | None], node: Node, **parameters: Any
    ) -> Sequence[Node | None]:
        if parameters["limit"] < 0:
            raise RuntimeError(
                "while_loop: gradients need a limit, as what each round begins with is kept for "
                "them; give maximum_iterations"
            )
        return _Backward(node, **parameters).gradients(grads)

    def samples(self) -> Iterable[Sample]:
        begin, factor = np.random.default_rng(5).standard_normal((2, 3))

        def step(given: list[Node]) -> list[Node]:
            _, number, s, a = given
            number = add(number, scalar(1, dtypes.int64))
            return [lt(number, scalar(3, dtypes.int64)), number, mul(mul(s, a), s)]

        # Of what is stacked, the rows of 3 rounds are all there are.
        for go_on, limit, wanted in ((1, 3, (2, 3, 5)), (0, 3, (2,)), (1, 2, (2,)), (1, -1, (2,))):
            inputs = np.array(bool(go_on)), np.array(0), begin, factor
            # The body's numbers are inputs like others.
            body, numbers = sample_body(step, inputs)
            for number in wanted:
                named = {"body": body, "carries": 3, "limit": limit, "number": number}
                smooth = limit >= 0 and number in (2, 5)
                yield Sample((*inputs, *numbers), named, differentiable=smooth)


WHILE, NEXT_ROUND = While(), NextRound()
_CONDITION = Spec.of((), dtypes.bool)


def while_loop(
    condition: Callable[[Sequence[Node]], Node],
    step: Callable[[Sequence[Node], Sequence[Node]], Sequence[Node]],
    first: Sequence[Node],
    fixed: Sequence[Node] = (),
    limit: int = -1,
    *,
    strict: bool = False,
) -> tuple[list[Node], Node]:
    """What `step` hands on at last, and how many rounds there were.

    `condition(values)` says, as a single bool, whether there is another round of
    `step(values, fixed)`. After `limit` rounds it ends or, if `strict`, fails: TooManyRounds.
    """
    count = CONTROL + len(first)

    def body(given: list[Node]) -> Sequence[Node]:
        after = list(step(given[CONTROL:count], given[count:]))
        if strict:
            return [condition(after), record(NEXT_ROUND, (given[1],), (limit,)), *after]
        return [condition(after), add(given[1], scalar(1, dtypes.int64)), *after]

    begin = [condition(first), zeros((), dtypes.int64), *first]
    traced = trace_body(body, [one.spec for one in (*begin, *fixed)])
    after = traced.results
    same = [n for n in range(CONTROL, count) if after[n] is traced.given[n]]
    moving = [n for n in range(count) if n not in same]
    places = [traced.given[n] for n in (*moving, *range(count, len(traced.given)), *same)]
    made, around = traced.close(places, [after[n] for n in moving])
    traced.trace.release()
    inputs = (*[begin[n] for n in moving], *fixed, *[begin[n] for n in same], *around)
    attributes = (made, len(moving), limit + 1 if strict else limit)
    results = record_results(WHILE, inputs, attributes, range(len(moving)))
    if limit >= 0:
        keep_for_gradients(results, lambda: _every(inputs, attributes))
    last = dict(zip(moving, results, strict=True))
    return [last.get(n, begin[n]) for n in range(CONTROL, count)], last[1]


def _every(inputs: tuple[Node, ...], attributes: tuple[Any, ...]) -> list[Node]:
    """What each round began with, but for whether it was to be and its number."""
    count = attributes[1]
    return record_results(WHILE, inputs, attributes, range(count + CONTROL, 2 * count))


class _Backward:
    """The gradient of a loop, of which `node` is a result."""

    def __init__(self, node: Node, body: Body, carries: int, limit: int, number: int) -> None:
        inputs = node.inputs
        self.node, self.body, self.count, self.limit = node, body, carries, limit
        self.fixed = inputs[carries:]
        self.every = node.owner or _every(inputs, node.attributes[:-1])
        self.flowing = [n for n in range(CONTROL, carries) if inputs[n].dtype.is_floating_point]
        self.summed = [n for n, one in enumerate(self.fixed) if one.requires_grad]

    def gradients(self, grads: Sequence[Node | None]) -> list[Node | None]:
        """The gradients of all inputs, given those of the results."""
        count, inputs = self.count, self.node.inputs
        (trips,) = record_results(WHILE, inputs, self.node.attributes[:-1], [1])
        self.began = {n: grads[count + n] for n in self.flowing}
        kept = [one for one in self.began.values() if one is not None]
        first = [sub(trips, scalar(1, dtypes.int64))]
        for n in self.flowing:
            stack = self.began[n]
            more = None if stack is None else index(stack, (trips,), (0,))
            first.append(summed([grads[n], more], inputs[n].spec))
        first += [summed([], self.fixed[n].spec) for n in self.summed]
        fixed = [*self.every, *kept, *[self.fixed[n] for n in self.summed]]
        zero = scalar(0, dtypes.int64)
        last, _ = while_loop(lambda now: ge(now[0], zero), self._round, first, fixed, self.limit)
        found: list[Node | None] = [None] * len(inputs)
        for n, grad in zip(self.flowing, last[1:], strict=False):
            found[n] = grad
        for n, grad in zip(self.summed, last[1 + len(self.flowing) :], strict=True):
            found[count + n] = grad
        return found

    def _round(self, now: Sequence[Node], fixed: Sequence[Node]) -> list[Node]:
        """From the gradients after a round of the forward loop to those before it."""
        place, flowing, every = now[0], len(self.flowing), len(self.every)
        back, totals = now[1 : 1 + flowing], now[1 + flowing :]
        began = [index(one, (place,), (0,)) for one in fixed[:every]]
        given = iter(fixed[every : len(fixed) - len(self.summed)])
        extra = {n: next(given) for n, stack in self.began.items() if stack is not None}
        around = fixed[len(fixed) - len(self.summed) :]
        rest = list(self.fixed)
        for n, one in zip(self.summed, around, strict=True):
            rest[n] = one
        seeds: list[Node | None] = [None] * self.count
        for n, grad in zip(self.flowing, back, strict=True):
            seeds[n] = grad
        control = [gt(place, scalar(-1, dtypes.int64)), place]
        wanted = [*[began[n - CONTROL] for n in self.flowing], *around]
        grads = pullback(self.body, [*control, *began, *rest], wanted, seeds)
        more = {n: index(one, (place,), (0,)) for n, one in extra.items()}
        after = [sub(place, scalar(1, dtypes.int64))]
        after += [
            summed([grad, more.get(n)], self.body.inputs[n])
            for n, grad in zip(self.flowing, grads, strict=False)
        ]
        after += [
            summed([total, grad], total.spec)
            for total, grad in zip(totals, grads[flowing:], strict=True)
        ]
        return after
