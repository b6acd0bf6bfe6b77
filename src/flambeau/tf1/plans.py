"""Evaluating a request: at once, or captured, and replayed as a plan from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

import numpy as np

from flambeau.core.context import context
from flambeau.engine import capture as capturing
from flambeau.engine.flush import discard, flush
from flambeau.graph import faults
from flambeau.graph.node import Spec, describe_location
from flambeau.graph.op import DETACH
from flambeau.graph.recording import data, record
from flambeau.runtime.cpu.executor import background
from flambeau.runtime.plan import Fault
from flambeau.tensor.feed import Feed
from flambeau.tensor.make_replay import NotReplayable, make_replay
from flambeau.tensor.replay import Given, Made, Place, Replay
from flambeau.tensor.storage import Storage
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tensor.tensor import wrap
from flambeau.tf1 import errors
from flambeau.tf1.assigning import WRITES
from flambeau.tf1.dtypes import bfloat16
from flambeau.tf1.evaluation import Evaluation, Later, needed
from flambeau.tf1.fetches import Request
from flambeau.tf1.graph import Tensor
from flambeau.tf1.state import Variables
from flambeau.tf1.values import Loan, array_in, array_of, tensor_of

Feeds = Mapping[Tensor, np.ndarray]
# From the arrays of a run's results to the value of a fetch.
Read = Callable[[Sequence[Any]], Any]


class Results:
    """The tensors that a run gives, and how the fetches are made of them."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        # Whether they are lent: those of assignments are, which programs fetch and do not look at.
        self.lent: list[bool] = []
        self.readers: list[Read] = []

    def add(self, tensor: Tensor, value: Any) -> None:
        """Add a fetch."""
        self.readers.append(self._reader(value, tensor.op.kind in WRITES))

    def _reader(self, value: Any, lend: bool) -> Read:
        if isinstance(value, Later):
            parts = [self._reader(one, False) for one in value.parts]
            function = value.function
            return lambda arrays: function(*[read(arrays) for read in parts])
        if not isinstance(value, Value):
            return lambda arrays: value
        node = value.node
        self.values.append(wrap(record(DETACH, (node,))) if node.requires_grad else value)
        self.lent.append(lend)
        return itemgetter(len(self.values) - 1)


class Plan:
    """A captured run: what it reads, what it writes, what it gives.

    Made from a replay, of which less has to be checked here: nobody but the session sees its
    variables.
    """

    def __init__(self, replay: Replay, arguments: Mapping[Tensor, Value], results: Results) -> None:
        kept = _kept_arguments(replay)
        # For each fed tensor that is read, what shows its array; None where that is copied.
        self._loans = [
            (tensor, None if number in kept or tensor.dtype is bfloat16 else Loan(value.node.spec))
            for number, (tensor, value) in enumerate(arguments.items())
        ]
        self._feed = None if replay.plan is None else Feed(replay.plan, replay.sources)
        self._held = [(one.storage, one.spec) for one in replay.sources if one.storage is not None]
        self._written = [(one.storage, one.place, one.spec) for one in replay.targets]
        self._lines = replay.lines
        taken = {one.place for one in replay.targets}
        self._results = [
            _result(one, taken, lend)
            for one, lend in zip(replay.template, results.lent, strict=True)
        ]
        self._readers = results.readers

    def run(self, feeds: Feeds) -> list[Any] | None:
        """The values of the fetches; None where the plan does not fit any more."""
        for storage, spec in self._held:
            if storage.node.spec is not spec:
                return None
        given = [
            tensor_of(feeds[tensor], tensor.dtype) if loan is None else loan.of(feeds[tensor])
            for tensor, loan in self._loans
        ]
        background.finish()
        buffers: dict[str, Sequence[Any]] = {}
        if self._feed is not None:
            try:
                buffers["output"], buffers["leaf"] = self._feed.run(given)
            except Fault as fault:
                if fault.code == faults.ROUNDS:
                    return None
                where = describe_location(self._lines[fault.position])
                error = faults.exception(fault.code, fault.value, fault.bound, where)
                raise errors.InvalidArgumentError(None, None, str(error)) from None
        for reference, (kind, number), spec in self._written:
            written = reference()
            if written is not None:
                _move(written, buffers[kind][number], spec)
        arrays = [read(given, buffers) for read in self._results]
        return [read(arrays) for read in self._readers]


def _move(storage: Storage, buffer: Any, spec: Spec) -> None:
    """Make the storage hold the buffer, unless it does: then it was written where it is."""
    if storage.node.buffer is not buffer:
        storage.node = data(buffer, spec)
    storage.version += 1


def _result(template: Any, taken: set[Place], lend: bool) -> Callable[[Any, Any], Any]:
    """How an array is made of a run's tensors and buffers; `taken` are those that others have."""
    if isinstance(template, Given):
        number = template.argument
        return lambda given, buffers: array_of(given[number])
    if not isinstance(template, Made):
        return lambda given, buffers: array_of(template)
    kind, number = template.place
    spec = template.spec
    others = kind == "leaf" or template.place in taken
    taken.add(template.place)
    return lambda given, buffers: array_in(buffers[kind][number], spec, others, lend)


def _kept_arguments(replay: Replay) -> set[int]:
    """The arguments whose memory outlives a run, as it is: in a variable, or as a result."""
    places = [one.place for one in replay.targets]
    places += [one.place for one in replay.template if isinstance(one, Made)]
    kept = {replay.sources[number].argument for kind, number in places if kind == "leaf"}
    return kept | {one.argument for one in replay.template if isinstance(one, Given)}


class Run:
    """One evaluation of a request, with what it was fed."""

    def __init__(self, variables: Variables, request: Request, feeds: Feeds) -> None:
        self._variables = variables
        self._request = request
        self._feeds = feeds
        # Fed tensors whose values, not only their shapes, the plan depends on.
        self.decisive: list[Tensor] = []
        self._operations = needed(request.tensors, request.targets, feeds)
        self._read = {one for operation in self._operations for one in operation.inputs}
        self._read.update(request.tensors)

    def creates_variables(self) -> bool:
        """Whether variables get their first value: room for them cannot be made while capturing."""
        return any(
            one.kind in WRITES and one.inputs[0].op not in self._variables.values
            for one in self._operations
        )

    def at_once(self) -> list[Any]:
        """The values of the fetches, computed uncaptured."""
        with self._undone_on_errors():
            results = self._evaluate(self._arguments())
            arrays = list(map(array_of, results.values, results.lent))
            flush()
        self._variables.settle()
        return [read(arrays) for read in results.readers]

    def captured(self) -> tuple[list[Any], Plan | None]:
        """The values of the fetches, and the plan for the next time; None if there can be none."""
        arguments = self._arguments()
        capture = capturing.start(False)
        try:
            with self._undone_on_errors():
                results = self._evaluate(arguments)
        finally:
            context.capture = None
        given, values = list(arguments.values()), results.values
        # Nobody else may hold what the replay is to give.
        results.values = []
        plan = None
        if capture.broken is None:
            try:
                plan = Plan(make_replay(capture, given, values, []), arguments, results)
            except NotReplayable:
                flush()
        arrays = list(map(array_of, values, results.lent))
        flush()
        return [read(arrays) for read in results.readers], plan

    @contextmanager
    def _undone_on_errors(self) -> Iterator[None]:
        """A run that fails leaves the variables as they were, unless it called Python before."""
        initialized = self._variables.initialized.copy()
        try:
            yield
        except BaseException:
            if context.recording is not None:
                discard(context.recording)
            self._variables.forget_all_but(initialized)
            raise

    def _arguments(self) -> dict[Tensor, Value]:
        """Those of the feeds that are used, as flambeau's tensors."""
        return {
            tensor: tensor_of(array, tensor.dtype)
            for tensor, array in self._feeds.items()
            if tensor in self._read
        }

    def _evaluate(self, arguments: Mapping[Tensor, Value]) -> Results:
        """The tensors that the fetches are made of, and how they are."""
        tensors = self._request.tensors
        evaluation = Evaluation(self._variables, self._operations, arguments, self._feeds, tensors)
        evaluation.run()
        self.decisive = evaluation.decisive
        results = Results()
        for one in tensors:
            results.add(one, evaluation.value(one))
        return results
