"""From a list of samples to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import flambeau.tensor as T
from flambeau.tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Samples of the same structure as one structure of batches.

    Tensors and arrays are stacked; numbers become a tensor (floats float64, ints int64); mappings
    and sequences are collated entry by entry; strings and bytes stay a list. TypeError otherwise.

    >>> torch.utils.data.default_collate([(0, "a"), (1, "b")])
    [tensor([0, 1]), ('a', 'b')]
    """
    first = batch[0]
    match first:
        case Tensor():
            return T.stack(list(batch), 0)
        case np.ndarray() | np.generic():
            return _collated_arrays(batch)
        case float():
            return T.tensor(batch, dtype=T.float64)
        case int():
            return T.tensor(batch)
        case str() | bytes():
            return batch
        case Mapping():
            entries = {key: default_collate([sample[key] for sample in batch]) for key in first}
            return _rebuilt(type(first), entries)
        case tuple() if hasattr(first, "_fields"):
            return type(first)(*(default_collate(part) for part in zip(*batch, strict=True)))
        case Sequence():
            if any(len(sample) != len(first) for sample in batch):
                raise RuntimeError("each element in list of batch should be of equal size")
            parts = [default_collate(part) for part in zip(*batch, strict=True)]
            return parts if isinstance(first, tuple) else _rebuilt(type(first), parts)
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found "
        f"{type(first)}"
    )


def _collated_arrays(batch: Sequence[Any]) -> Tensor:
    if batch[0].dtype.kind in "SUO":
        raise TypeError(
            "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
            f"found {batch[0].dtype}"
        )
    return T.as_tensor(np.stack(batch))


def _rebuilt(kind: type, content: Any) -> Any:
    """The content in the samples' own container, where that can be made from it."""
    try:
        return kind(content)
    except TypeError:
        return content


def default_convert(data: Any) -> Any:
    """The arrays in one sample as tensors; everything else as it is.

    >>> torch.utils.data.default_convert({"size": 3})
    {'size': 3}
    """
    match data:
        case np.ndarray() | np.generic() if data.dtype.kind not in "SUO":
            return T.as_tensor(data)
        case Tensor() | str() | bytes():
            return data
        case Mapping():
            entries = {key: default_convert(value) for key, value in data.items()}
            return _rebuilt(type(data), entries)
        case tuple() if hasattr(data, "_fields"):
            return type(data)(*map(default_convert, data))
        case tuple():
            return list(map(default_convert, data))
        case Sequence():
            return _rebuilt(type(data), list(map(default_convert, data)))
    return data
