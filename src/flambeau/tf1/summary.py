"""`tf.summary`: values for TensorBoard, in event files that tensorboardX writes (an extra)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau.tf1.building import convert_to_tensor, get_collection
from flambeau.tf1.graph import Graph, GraphKeys, Tensor, get_default_graph
from flambeau.tf1.hosting import after_run


def _tensorboard() -> Any:
    """The package that knows the files' format; ImportError that says how to get it."""
    try:
        import tensorboardX
        import tensorboardX.proto.event_pb2
        import tensorboardX.proto.graph_pb2
        import tensorboardX.proto.summary_pb2
        import tensorboardX.summary
    except ImportError as error:
        raise ImportError(
            "tf.summary writes event files with the package tensorboardX, which is not installed: "
            "pip install 'flambeau[summary]'"
        ) from error
    return tensorboardX


def _summary(
    name: str, value: Any, collections: Sequence[Any] | None, function: Callable[[str, Any], Any]
) -> Tensor:
    graph = get_default_graph()
    tag = graph.unique_name(name, mark_as_used=False)

    def serialized(array: Any) -> bytes:
        found: bytes = function(tag, array).SerializeToString()
        return found

    made = after_run(serialized, [convert_to_tensor(value)], name)
    keys = [GraphKeys.SUMMARIES] if collections is None else collections
    graph.add_to_collections(keys, made)
    return made


def scalar(
    name: str, tensor: Any, collections: Sequence[Any] | None = None, family: str | None = None
) -> Tensor:
    """A number to plot, as a string tensor to fetch and give to a FileWriter."""
    return _summary(
        name, tensor, collections, lambda tag, array: _tensorboard().summary.scalar(tag, array)
    )


def histogram(
    name: str, values: Any, collections: Sequence[Any] | None = None, family: str | None = None
) -> Tensor:
    """The distribution of values, as a string tensor."""
    return _summary(
        name,
        values,
        collections,
        lambda tag, array: _tensorboard().summary.histogram(tag, np.ravel(array), _bins()),
    )


def _bins() -> np.ndarray:
    """TensorFlow's limits of histograms' bars, which grow by a tenth from one to the next."""
    limits = 1e-12 * 1.1 ** np.arange(774)
    return np.concatenate([-limits[::-1], [0], limits])


def image(
    name: str,
    tensor: Any,
    max_outputs: int = 3,
    collections: Sequence[Any] | None = None,
    family: str | None = None,
) -> Tensor:
    """The first `max_outputs` images of (batch, height, width, channels), as a string tensor."""

    def made(tag: str, array: Any) -> Any:
        tensorboard = _tensorboard()
        result = tensorboard.proto.summary_pb2.Summary()
        for number, one in enumerate(array[:max_outputs]):
            # TensorFlow stretches floats so that the largest is white.
            if one.dtype != np.uint8:
                largest = float(one.max()) or 1.0
                one = (np.clip(one / largest, 0, 1) * 255).astype(np.uint8)
            title = f"{tag}/image/{number}"
            result.MergeFrom(tensorboard.summary.image(title, one, dataformats="HWC"))
        return result

    return _summary(name, tensor, collections, made)


def merge(
    inputs: Sequence[Tensor], collections: Sequence[Any] | None = None, name: str | None = None
) -> Tensor:
    """Several summaries as one string tensor."""

    def merged(*parts: bytes) -> bytes:
        # Protocol buffers are merged by putting their bytes one after the other.
        return b"".join(parts)

    made = after_run(merged, list(inputs), name or "Merge/MergeSummary")
    if collections is not None:
        made.graph.add_to_collections(collections, made)
    return made


def merge_all(
    key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None
) -> Tensor | None:
    """All collected summaries as one string tensor; None if there are none."""
    found = get_collection(key, scope)
    return merge(found, name=name) if found else None


class FileWriter:
    """Writes summaries, and the graph if it is given, to an event file in the folder `logdir`."""

    def __init__(
        self,
        logdir: Any,
        graph: Graph | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Any = None,
    ) -> None:
        self._tensorboard = _tensorboard()
        self._writer = self._tensorboard.FileWriter(
            str(logdir), max_queue, flush_secs, filename_suffix or ""
        )
        if graph is not None:
            self.add_graph(graph)

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Write what fetching a summary gave."""
        if isinstance(summary, bytes):
            summary = self._tensorboard.proto.summary_pb2.Summary.FromString(summary)
        step = None if global_step is None else int(global_step)
        self._writer.add_summary(summary, step)

    def add_graph(self, graph: Graph, global_step: Any = None) -> None:
        """Write the names, types and wiring of the operations."""
        definition = self._tensorboard.proto.graph_pb2.GraphDef()
        for one in graph.operations:
            inputs = [tensor.name.removesuffix(":0") for tensor in one.inputs]
            inputs += [f"^{before.name}" for before in one.control_inputs]
            definition.node.add(name=one.name, op=one.type, input=inputs, device=one.device)
        event = self._tensorboard.proto.event_pb2.Event(graph_def=definition.SerializeToString())
        self._writer.add_event(event)

    def get_logdir(self) -> str:
        """The folder."""
        found: str = self._writer.get_logdir()
        return found

    def flush(self) -> None:
        """Write to the disk what waits."""
        self._writer.flush()

    def reopen(self) -> None:
        """Write on after `close`, to a new file."""
        self._writer.reopen()

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._writer.close()

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
