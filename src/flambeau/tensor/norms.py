"""`torch.norm` and `torch.dist`; `torch.linalg` has the norms of matrices."""

from __future__ import annotations

from typing import Any

from flambeau.core.dtypes import dtype
from flambeau.ops import algebra
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.selection import cast
from flambeau.tensor.linalg.norms import nuclear_norm
from flambeau.tensor.reductions import reduced_dims, shaped, vector_norm_node
from flambeau.tensor.results import finish
from flambeau.tensor.tensor import Tensor, wrap


def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Any = None,
    keepdim: bool = False,
    out: Tensor | None = None,
    dtype: dtype | None = None,
) -> Tensor:
    """The vector norm `(Σ|x|^p)^(1/p)` over `dim`, or of all elements; 'fro' is p = 2.

    >>> import flambeau
    >>> flambeau.tensor([3.0, 4.0]).norm()
    tensor(5.)
    """
    node = input.node if dtype is None else cast(input.node, dtype)
    if not node.dtype.is_floating_point:
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{SPELLING[node.dtype]}"
        )
    if p == "nuc":
        return nuclear_norm(wrap(node), dim, keepdim)
    dims = reduced_dims(dim, None, len(node.spec.shape))
    order = 2.0 if p in ("fro", None) else float(p)
    return finish(shaped(vector_norm_node(node, order, dims), node, dims, keepdim), out)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The norm of the difference."""
    return norm(wrap(algebra.sub(input.node, other.node)), p)
