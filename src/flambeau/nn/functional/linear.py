"""Affine maps."""

from __future__ import annotations

import flambeau.tensor as T
from flambeau.tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x Wᵀ + b`: (..., in), weight (out, in) or (in,), bias (out,) or () give (..., out).

    >>> F.linear(torch.ones(1, 2), torch.ones(3, 2), torch.ones(3))
    tensor([[3., 3., 3.]])
    """
    return T.linear(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x₁ᵀ A x₂ + b`: (..., in1), (..., in2), weight (out, in1, in2) give (..., out).

    >>> F.bilinear(torch.ones(1, 2), torch.ones(1, 3), torch.ones(1, 2, 3))
    tensor([[6.]])
    """
    outputs, in1, in2 = weight.shape
    if input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            "bilinear(): input batch dimensions do not match: got "
            f"{tuple(input1.shape)} and {tuple(input2.shape)}"
        )
    if (input1.shape[-1], input2.shape[-1]) != (in1, in2):
        raise RuntimeError(
            f"bilinear(): expected inputs of size {in1} and {in2} for a weight of shape "
            f"{tuple(weight.shape)}, but got {input1.shape[-1]} and {input2.shape[-1]}"
        )
    left = T.matmul(input1, weight.permute(1, 0, 2).reshape(in1, outputs * in2))
    left = left.view(*input1.shape[:-1], outputs, in2)  # (..., out, in2)
    result = T.matmul(left, input2.unsqueeze(-1)).squeeze(-1)
    return result if bias is None else result + bias
