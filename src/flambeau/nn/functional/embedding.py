"""Looking rows up by index."""

from __future__ import annotations

import flambeau.tensor as T
from flambeau.tensor import Tensor


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class indices of any shape to int64 indicators (..., num_classes); -1 infers the number.

    RuntimeError if an index is negative or too large.

    >>> F.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype is not T.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor, but got {tensor.dtype}"
        )
    if not tensor.numel():
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return T.zeros(*tensor.shape, num_classes, dtype=T.int64, device=tensor.device)
    if int(tensor.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    largest = int(tensor.max())
    if num_classes == -1:
        num_classes = largest + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif largest >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    classes = T.arange(num_classes, device=tensor.device)
    return (tensor.unsqueeze(-1) == classes).to(T.int64)


def _row_number(padding_idx: int, rows: int) -> int:
    if not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


def _renormalize(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Shrink, in place, the rows in use whose norm exceeds `max_norm`."""
    with T.no_grad():
        used = T.zeros(weight.shape[0], dtype=T.bool, device=weight.device)
        used[indices] = True
        norms = weight.norm(norm_type, 1)
        shrunk = T.where(used & (norms > max_norm), max_norm / (norms + 1e-7), 1.0)
        weight.mul_(shrunk.unsqueeze(1))


def _shared_gradient(rows: Tensor, indices: Tensor, total: int) -> Tensor:
    """The same values; a row that occurs n times gets the mean of its n gradients."""
    counts = T.zeros(total, dtype=rows.dtype, device=rows.device)
    counts = counts.scatter_add(0, indices, T.ones_like(indices, dtype=rows.dtype))
    constant = rows.detach()
    return constant + (rows - constant) / counts.index_select(0, indices).unsqueeze(1)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` (rows, features) by index: (...) gives (..., features).

    The row `padding_idx` gets no gradient; rows longer than `max_norm` are shortened in place
    first; `sparse` is accepted, gradients are dense. IndexError for an index out of range.

    >>> F.embedding(torch.tensor([1, 0]), torch.tensor([[1.0], [2.0]]))
    tensor([[2.],
            [1.]])
    """
    if weight.dim() != 2:
        raise RuntimeError(f"'weight' must be 2-D, but got shape {tuple(weight.shape)}")
    indices = input.reshape(-1)
    if max_norm is not None:
        _renormalize(weight, indices, max_norm, norm_type)
    rows = weight.index_select(0, indices)
    if scale_grad_by_freq:
        rows = _shared_gradient(rows, indices.to(T.int64), weight.shape[0])
    if padding_idx is not None:
        padding = indices == _row_number(padding_idx, weight.shape[0])
        rows = T.where(padding.unsqueeze(1), rows.detach(), rows)
    return rows.view(*input.shape, weight.shape[1])
