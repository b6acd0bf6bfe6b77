"""What `Session.run` is asked for: nested structures of tensors, operations and names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from flambeau.tf1.graph import Graph, Operation, Tensor

# From the values of a request's tensors to (a part of) what the program asked for.
Reader = Callable[[Sequence[Any]], Any]


def key_of(fetches: Any) -> Any:
    """What two requests have in common that ask for the same."""
    kind = type(fetches)
    if kind is list or kind is tuple:
        return (kind, *[key_of(one) for one in fetches])
    if isinstance(fetches, (list, tuple)):
        return (kind, *map(key_of, fetches))
    if isinstance(fetches, Mapping):
        return (kind, *[(name, key_of(one)) for name, one in fetches.items()])
    return fetches


class Request:
    """The tensors to compute, the operations to run, and how the answer is put together."""

    def __init__(self, graph: Graph, fetches: Any) -> None:
        self.tensors: list[Tensor] = []
        self.targets: list[Operation] = []
        self._graph = graph
        self.answer = self._reader(fetches)
        # What is known for each kind of feeds, and the captures since one was of use; see
        # flambeau.tf1.session.
        self.plans: dict[Any, Any] = {}
        self.in_vain = 0

    def _reader(self, fetch: Any) -> Reader:
        if isinstance(fetch, (list, tuple)):
            readers = [self._reader(one) for one in fetch]
            if type(fetch) is list:
                return lambda values: [read(values) for read in readers]
            kind = type(fetch)
            if hasattr(fetch, "_fields"):
                return lambda values: kind(*[read(values) for read in readers])
            return lambda values: kind([read(values) for read in readers])
        if isinstance(fetch, Mapping):
            return self._mapping(fetch)
        return self._element(fetch)

    def _mapping(self, fetch: Mapping[Any, Any]) -> Reader:
        kind: Any = type(fetch)
        readers = {name: self._reader(one) for name, one in fetch.items()}
        if kind is dict:
            return lambda values: {name: read(values) for name, read in readers.items()}
        return lambda values: kind([(name, read(values)) for name, read in readers.items()])

    def _element(self, fetch: Any) -> Reader:
        try:
            found = self._graph.as_graph_element(fetch)
        except TypeError as error:
            raise TypeError(
                f"Fetch argument {fetch!r} has invalid type {type(fetch)}, must be a string or "
                f"Tensor. ({error})"
            ) from None
        except (ValueError, KeyError) as error:
            text = error.args[0] if error.args else error
            raise ValueError(
                f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({text})"
            ) from None
        operation = found if isinstance(found, Operation) else found.op
        if operation.frame is not None:
            raise ValueError(f"Operation {operation.name!r} has been marked as not fetchable.")
        if isinstance(found, Operation):
            self.targets.append(found)
            return _nothing
        if found not in self.tensors:
            self.tensors.append(found)
        return itemgetter(self.tensors.index(found))


def _nothing(values: Sequence[Any]) -> None:
    """An operation has no value."""
