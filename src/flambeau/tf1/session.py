"""Session: runs parts of a graph, and keeps the values of its variables.

The second run of a set of fetches, with feeds of known shapes, is captured as `flambeau.compile`
captures a function; later runs replay it, with no Python for the operations.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import numpy as np

from flambeau.core.context import context
from flambeau.core.errors import TooManyRounds
from flambeau.engine.flush import flush
from flambeau.tf1 import errors
from flambeau.tf1.feeding import check_shape, fed_array, fed_tensor
from flambeau.tf1.fetches import Request, key_of
from flambeau.tf1.graph import Graph, Tensor, defaults, get_default_graph
from flambeau.tf1.plans import Plan, Run
from flambeau.tf1.state import Variables

# Runs between which the graph grew, after which the program is told.
MOST_GROWTHS = 20
# For one set of fetches: plans that are kept, and captures with no replay in between, after which
# capturing does not pay.
MOST_PLANS = 256
MOST_IN_VAIN = 32

Feeds = dict[Tensor, np.ndarray]


class _Known:
    """What is known for one set of fetches and one kind of feeds."""

    def __init__(self) -> None:
        # Fed tensors whose values, not only their shapes, a plan depends on.
        self.decisive: list[Tensor] = []
        self.plans: dict[Any, Plan] = {}
        self.asked = False
        # Whether no plan can be made, as Python is called on the way.
        self.hopeless = False

    def find(self, feeds: Feeds) -> Plan | None:
        """The plan for these feeds."""
        return self.plans.get(self._key(feeds) if self.decisive else ())

    def keep(self, decisive: list[Tensor], feeds: Feeds, plan: Plan | None) -> None:
        """Note a plan, or that there can be none."""
        self.decisive = decisive
        if plan is None:
            self.hopeless = True
            return
        if len(self.plans) >= MOST_PLANS:
            del self.plans[next(iter(self.plans))]
        self.plans[self._key(feeds)] = plan

    def _key(self, feeds: Feeds) -> Any:
        return tuple([feeds[one].tobytes() for one in self.decisive])


class Session:
    """Runs parts of a graph, and keeps the values of its variables.

    >>> import flambeau.tf1 as tf
    >>> x = tf.placeholder(tf.float32, [None])
    >>> with tf.Session() as session:
    ...     session.run(tf.reduce_sum(x) * 2, feed_dict={x: [1, 2]})
    np.float32(6.0)
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        self.graph = graph or get_default_graph()
        self.sess_str = target
        self._closed = False
        self._variables = Variables()
        self._requests: dict[Any, Request] = {}
        self._lock = threading.RLock()
        self._size = len(self.graph.operations)
        self._growths = 0
        self._open: list[AbstractContextManager[Any]] = []

    # ------------------------------------------------------------------ running

    def run(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """The values of `fetches`, in the same structure: arrays, or None for operations.

        `feed_dict` gives values to placeholders, or to any other tensors.
        """
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        with self._lock:
            request = self._request(fetches)
            feeds = self._feeds(feed_dict) if feed_dict else {}
            signature = tuple([(one, array.shape) for one, array in feeds.items()])
            known = request.plans.get(signature)
            if known is not None:
                plan = known.find(feeds)
                values = None if plan is None else plan.run(feeds)
                if values is not None:
                    request.in_vain = 0
                    return request.answer(values)
            try:
                return request.answer(self._with_memory(request, feeds, signature))
            except (IndexError, RuntimeError) as error:
                # What only the values can show to be wrong, such as a bad index.
                raise errors.InvalidArgumentError(None, None, str(error)) from error

    def _request(self, fetches: Any) -> Request:
        try:
            key = key_of(fetches)
            found = self._requests.get(key)
        except TypeError:
            raise TypeError(
                f"Fetch argument {fetches!r} has invalid type {type(fetches)}, must be a string or "
                "Tensor."
            ) from None
        if found is None:
            found = self._requests[key] = Request(self.graph, fetches)
        if len(self.graph.operations) != self._size:
            self._grown()
        return found

    def _grown(self) -> None:
        """Adding operations in a loop of runs is a mistake that is easily made: warn of it once."""
        self._size = len(self.graph.operations)
        self._growths += 1
        if self._growths == MOST_GROWTHS:
            last = self.graph.operations[-1]
            warnings.warn(
                f"The graph has grown between {MOST_GROWTHS} runs, last by '{last.name}': a loop "
                "makes operations anew in each turn, which makes it slower and slower. Make them "
                "once, before the loop; graph.finalize() finds the place",
                stacklevel=4,
            )

    def _feeds(self, feed_dict: Any) -> Feeds:
        if not isinstance(feed_dict, Mapping):
            raise TypeError(f"feed_dict must be a dictionary, got {type(feed_dict).__name__}")
        feeds: Feeds = {}
        for key, value in feed_dict.items():
            if type(key) is Tensor and key.op.graph is self.graph:
                tensor = key
            else:
                tensor = fed_tensor(self.graph, key)
            if (
                type(value) is not np.ndarray
                or value.dtype is not tensor.dtype.numpy
                or not value.flags.c_contiguous
            ):
                value = fed_array(tensor, value)
            feeds[tensor] = value
        return feeds

    # ------------------------------------------------------------------ the first time

    def _with_memory(self, request: Request, feeds: Feeds, signature: Any) -> list[Any]:
        """Run, again and again if it takes more rounds of a loop than there is memory for."""
        while True:
            try:
                return self._evaluated(request, feeds, signature)
            except TooManyRounds:
                self._variables.rounds *= 2
                request.plans.clear()

    def _evaluated(self, request: Request, feeds: Feeds, signature: Any) -> list[Any]:
        """Run without a plan, and keep one for the next time if there can be one."""
        for tensor, array in feeds.items():
            check_shape(tensor, array)
        flush()
        run = Run(self._variables, request, feeds)
        known = request.plans.get(signature)
        if known is None:
            if len(request.plans) >= MOST_PLANS:
                del request.plans[next(iter(request.plans))]
            known = request.plans[signature] = _Known()
        # What is asked for once, such as an initialisation, is not worth a capture.
        first, known.asked = not known.asked, True
        if (
            first
            or known.hopeless
            or request.in_vain >= MOST_IN_VAIN
            or context.eager
            or run.creates_variables()
        ):
            return run.at_once()
        values, plan = run.captured()
        request.in_vain += 1
        known.keep(run.decisive, feeds, plan)
        return values

    def export_graph(self, fetches: Any, feed_dict: Any = None) -> Any:
        """What `flambeau.export(session, path, fetches, feed_dict)` writes: a graph with weights.

        The fed arrays become inputs, with their shapes; only these count, not their values.
        """
        from flambeau.tf1 import exporting  # noqa: PLC0415 - most programs write no graph

        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        with self._lock:
            feeds = self._feeds(feed_dict) if feed_dict else {}
            for tensor, array in feeds.items():
                check_shape(tensor, array)
            return exporting.exported(self._variables, Request(self.graph, fetches), feeds)

    # ------------------------------------------------------------------ life

    def as_default(self) -> AbstractContextManager[Session]:
        """A block in which `eval()` and `run()` use this session."""
        return defaults.session.pushed(self)

    def close(self) -> None:
        """Forget the variables; the session cannot be used any more."""
        self._closed = True
        self._variables = Variables()
        self._requests.clear()

    def __enter__(self) -> Session:
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        for block in (self.graph.as_default(), self.as_default()):
            block.__enter__()
            self._open.append(block)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _ in range(2):
            self._open.pop().__exit__(None, None, None)
        self.close()

    @property
    def graph_def(self) -> Graph:
        """The graph."""
        return self.graph


class InteractiveSession(Session):
    """A session that is the default one from the moment it is made until it is closed."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        self._default = [self.graph.as_default(), self.as_default()]
        for block in self._default:
            block.__enter__()

    def close(self) -> None:
        """Forget the variables, and be the default session no more."""
        super().close()
        while self._default:
            self._default.pop().__exit__(None, None, None)


def get_default_session() -> Session | None:
    """The session of the innermost open block."""
    found: Session | None = defaults.session.top()
    return found
