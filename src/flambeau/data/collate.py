"""From a list of samples to a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import flambeau.tensor as T
from flambeau.tensor import Tensor

EXPECTED = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists"


def default_collate(batch: Sequence[Any]) -> Any:
    """Samples of the same structure as one structure of batches.

    Tensors and arrays are stacked; numbers become a tensor (floats float64, ints int64); mappings
    and sequences are collated entry by entry; strings and bytes stay a list. TypeError otherwise.

    >>> torch.utils.data.default_collate([(0, "a"), (1, "b")])
    [tensor([0, 1]), ('a', 'b')]
    """
    for kinds, collated in RULES:
        if isinstance(batch[0], kinds):
            return collated(batch)
    raise TypeError(f"{EXPECTED}; found {type(batch[0])}")


def _tensors(batch: Sequence[Tensor]) -> Tensor:
    return T.stack(list(batch), 0)


def _arrays(batch: Sequence[Any]) -> Tensor:
    if _is_text(batch[0]):
        raise TypeError(f"{EXPECTED}; found {batch[0].dtype}")
    return T.as_tensor(np.stack(batch))


def _floats(batch: Sequence[float]) -> Tensor:
    return T.tensor(batch, dtype=T.float64)


def _ints(batch: Sequence[int]) -> Tensor:
    return T.tensor(batch)


def _texts(batch: Sequence[Any]) -> Sequence[Any]:
    return batch


def _mappings(batch: Sequence[Mapping[Any, Any]]) -> Any:
    entries = {key: default_collate([sample[key] for sample in batch]) for key in batch[0]}
    return _rebuilt(batch[0], entries)


def _sequences(batch: Sequence[Sequence[Any]]) -> Any:
    if any(len(sample) != len(batch[0]) for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    return _rebuilt(batch[0], [default_collate(part) for part in zip(*batch, strict=True)])


Rule = tuple[type | tuple[type, ...], Callable[[Any], Any]]
RULES: tuple[Rule, ...] = (
    (Tensor, _tensors),
    ((np.ndarray, np.generic), _arrays),
    (float, _floats),
    (int, _ints),
    ((str, bytes), _texts),
    (Mapping, _mappings),
    (Sequence, _sequences),
)


def _is_text(array: Any) -> bool:
    return array.dtype.kind in "SUO"


def _rebuilt(sample: Any, content: Any) -> Any:
    """The content in the sample's own kind of container; a plain tuple becomes a list."""
    if isinstance(sample, tuple):
        return type(sample)(*content) if hasattr(sample, "_fields") else content
    try:
        return type(sample)(content)
    except TypeError:  # a container that is made in another way
        return content


def default_convert(data: Any) -> Any:
    """The arrays in one sample as tensors; everything else as it is.

    >>> torch.utils.data.default_convert({"size": 3})
    {'size': 3}
    """
    if isinstance(data, np.ndarray | np.generic):
        return data if _is_text(data) else T.as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, Tensor | str | bytes):
        return _rebuilt(data, [default_convert(value) for value in data])
    return data
