"""Graph files: a graph as plain data, and how it lies in a safetensors file.

docs/graph_files.md describes the format. Nothing in a file is ever executed or unpickled; what is
read here is data of the right types, and `io/load_graph.py` checks what it says.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from flambeau.core import dtypes
from flambeau.core.dtypes import dtype
from flambeau.core.shapes import Shape

FORMAT, VERSION = "flambeau.graph", 1
# Addresses are int64, with room for arithmetic on them.
_MOST_BYTES = 1 << 60


class Value(NamedTuple):
    """A value of the graph: `kind` is "input", "weight", "number" or "op".

    `what` is the name of the input, the weight or the op, or the number. Only an op has `inputs`
    (the numbers of earlier values) and `attributes` (by parameter name). `source` is where it was
    recorded, as a node has it, for messages; files do not tell.
    """

    kind: str
    what: Any
    dtype: dtype
    shape: Shape
    inputs: tuple[int, ...] = ()
    attributes: Mapping[str, Any] = {}
    source: tuple[CodeType, int] | None = None


class Inside(NamedTuple):
    """An attribute: what a loop or a branch runs, from inputs to the values of these numbers."""

    values: list[Value]
    results: tuple[int, ...]


class Result(NamedTuple):
    """In the structure of results: the tensor of a value, by number."""

    value: int


class Graph(NamedTuple):
    """What a file holds: values in order, the structure of results, and the weights by name."""

    values: list[Value]
    results: Any
    weights: Mapping[str, np.ndarray]


# ---------------------------------------------------------------------- writing


def write_graph(path: str | os.PathLike[str], graph: Graph) -> None:
    """Write a file; a reader of the path finds what was there before, or all of the graph."""
    values = [_value_to_json(one) for one in graph.values]
    content = {"values": values, "results": structure_to_json(graph.results)}
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "graph": text,
        "sha256": _checksum(text, graph.weights),
    }
    temporary = f"{os.fspath(path)}.{os.getpid()}.tmp"
    try:
        save_file(dict(graph.weights), temporary, metadata)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _value_to_json(value: Value) -> dict[str, Any]:
    what = plain_to_json(value.what) if value.kind == "number" else value.what
    entry: dict[str, Any] = {value.kind: what}
    if value.kind == "op":
        entry["inputs"] = list(value.inputs)
        entry["attributes"] = {key: plain_to_json(one) for key, one in value.attributes.items()}
    return {**entry, "dtype": value.dtype.name, "shape": list(value.shape)}


def plain_to_json(value: Any) -> Any:
    """A number, bool, dtype, body, or a tuple of such; TypeError for anything else.

    JSON has no infinities and no NaN: these are {"float": "inf"} and so on.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, dtype):
        return {"dtype": value.name}
    if isinstance(value, Inside):
        values = [_value_to_json(one) for one in value.values]
        return {"body": {"values": values, "results": list(value.results)}}
    if isinstance(value, tuple):
        return [plain_to_json(one) for one in value]
    raise TypeError(f"a graph file cannot hold a {type(value).__name__}")


def structure_to_json(value: Any) -> Any:
    """A structure of results; TypeError for what is neither a container nor plain data."""
    if isinstance(value, Result):
        return {"value": value.value}
    if isinstance(value, tuple):
        return {"tuple": [structure_to_json(one) for one in value]}
    if isinstance(value, list):
        return {"list": [structure_to_json(one) for one in value]}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a graph file can hold dictionaries with strings as keys only")
        return {"dict": {key: structure_to_json(one) for key, one in value.items()}}
    if value is None or isinstance(value, str):
        return {"plain": value}
    return {"plain": plain_to_json(value)}


def _checksum(text: str, weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the graph's text and, in the order of their names, of the weights."""
    total = hashlib.sha256(text.encode())
    for name in sorted(weights):
        array = weights[name]
        total.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return total.hexdigest()


# ---------------------------------------------------------------------- reading


def read_graph(path: str | os.PathLike[str]) -> Graph:
    """What a file holds, with the types that Graph says; ValueError with what is wrong with it."""
    name = os.fspath(path)
    try:
        with safe_open(name, "numpy") as file:
            metadata = file.metadata() or {}
            _check_format(name, metadata)
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no dict
    except SafetensorError as error:
        raise ValueError(
            f"{name} is no graph file, or it is truncated or damaged: {error}"
        ) from None
    text = metadata["graph"]
    if metadata["sha256"] != _checksum(text, weights):
        raise ValueError(f"{name} was altered or damaged: its content has another checksum")
    try:
        content = json.loads(text)
        values = [_value_from_json(one) for one in _field(content, "values", list)]
        results = _structure_from_json(_field(content, "results", dict), len(values))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} holds no valid graph: {error}") from None
    return Graph(values, results, weights)


def _check_format(name: str, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{name} is a safetensors file without a graph of flambeau's")
    if metadata.get("version") != str(VERSION):
        raise ValueError(
            f"{name} has version {metadata.get('version')} of the format; this flambeau reads "
            f"version {VERSION}"
        )
    for key in ("graph", "sha256"):
        if key not in metadata:
            raise ValueError(f"{name} is damaged: its header has no '{key}'")


def _field(entry: Any, key: str, kind: type) -> Any:
    """A field of a JSON object, of exactly this type: a bool is no int."""
    if not isinstance(entry, dict) or type(entry.get(key)) is not kind:
        raise ValueError(f"expected '{key}', a {kind.__name__}, in {entry!r:.200}")
    return entry[key]


def _value_from_json(entry: Any) -> Value:
    shape = _numbers(entry, "shape")
    name = _field(entry, "dtype", str)
    kind = dtypes.BY_NAME.get(name)
    if kind is None:
        raise ValueError(f"unknown dtype '{name}'")
    if any(size < 0 for size in shape) or math.prod(shape) * kind.itemsize > _MOST_BYTES:
        raise ValueError(f"the shape {list(shape)} is not possible")
    for place in ("input", "weight"):
        if place in entry:
            return Value(place, _field(entry, place, str), kind, shape)
    if "number" in entry:
        number = _plain_from_json(entry["number"])
        if not isinstance(number, (bool, int, float)) or shape:
            raise ValueError(f"expected a number of shape [], found {entry!r:.200}")
        return Value("number", number, kind, shape)
    attributes = _field(entry, "attributes", dict)
    named = {key: _plain_from_json(one) for key, one in attributes.items()}
    return Value("op", _field(entry, "op", str), kind, shape, _numbers(entry, "inputs"), named)


def _numbers(entry: Any, key: str) -> tuple[int, ...]:
    found = _field(entry, key, list)
    if any(type(one) is not int for one in found):
        raise ValueError(f"'{key}' has to be a list of whole numbers, found {found!r:.200}")
    return tuple(found)


def _plain_from_json(value: Any) -> Any:
    if isinstance(value, list):
        return tuple([_plain_from_json(one) for one in value])
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((key, name),) = value.items()
        if key == "dtype" and isinstance(name, str) and name in dtypes.BY_NAME:
            return dtypes.BY_NAME[name]
        if key == "body":
            values = [_value_from_json(one) for one in _field(name, "values", list)]
            return Inside(values, _numbers(name, "results"))
        if key == "float" and name in ("inf", "-inf", "nan"):
            return float(name)
    raise ValueError(f"unknown data {value!r:.200}")


def _structure_from_json(entry: Any, count: int) -> Any:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError(f"unknown structure of results {entry!r:.200}")
    ((key, value),) = entry.items()
    if key == "value" and type(value) is int and 0 <= value < count:
        return Result(value)
    if key in ("list", "tuple") and isinstance(value, list):
        parts = [_structure_from_json(one, count) for one in value]
        return parts if key == "list" else tuple(parts)
    if key == "dict" and isinstance(value, dict):
        return {name: _structure_from_json(one, count) for name, one in value.items()}
    if key == "plain":
        return value if value is None or isinstance(value, str) else _plain_from_json(value)
    raise ValueError(f"unknown structure of results {entry!r:.200}")
