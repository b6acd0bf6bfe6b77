"""Activations that work element by element.

Which side a kink belongs to decides the gradient there; all follow PyTorch.
"""

from __future__ import annotations

import math

import flambeau.tensor as T
from flambeau.nn.functional._precision import computed_wide
from flambeau.tensor import Tensor

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def _stored(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    return input.copy_(result) if inplace else result


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """`max(x, 0)`; the gradient at 0 is 0.

    >>> F.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return input.relu_() if inplace else T.relu(input)


def relu_(input: Tensor) -> Tensor:
    """`relu` in place."""
    return relu(input, inplace=True)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """`x` limited to [min_val, max_val]; the gradient at the limits is 0.

    >>> F.hardtanh(torch.tensor([-2.0, 0.5, 2.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    inside = (input > min_val) & (input < max_val)
    limited = T.where(inside, input, input.detach().clamp(min_val, max_val))
    return _stored(input, limited, inplace)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh` in place."""
    return hardtanh(input, min_val, max_val, inplace=True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """`min(max(x, 0), 6)`.

    >>> F.relu6(torch.tensor([-1.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """`x` if positive, `negative_slope * x` otherwise.

    >>> F.leaky_relu(torch.tensor([-2.0, 2.0]), 0.5)
    tensor([-1.,  2.])
    """
    return _stored(input, T.where(input > 0, input, input * negative_slope), inplace)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu` in place."""
    return leaky_relu(input, negative_slope, inplace=True)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """`x` if positive, `weight * x` otherwise; one weight, or one per channel (dimension 1).

    Source: He et al., https://arxiv.org/abs/1502.01852

    >>> F.prelu(torch.tensor([-2.0, 2.0]), torch.tensor(0.5))
    tensor([-1.,  2.])
    """
    if weight.numel() != 1:
        channels = input.shape[1] if input.dim() > 1 else 1
        if weight.dim() > 1 or weight.numel() != channels:
            raise RuntimeError(
                "prelu: expected weight to hold one element or one per channel "
                f"({channels}), but got shape {tuple(weight.shape)}"
            )
        weight = weight.view(-1, *[1] * (input.dim() - 2))
    elif weight.dim() > input.dim():
        weight = weight.view(())
    return T.where(input > 0, input, weight * input)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Leaky ReLU whose slope is drawn per element in training, and fixed to the mean otherwise.

    Source: Xu et al., https://arxiv.org/abs/1505.00853

    >>> F.rrelu(torch.tensor([-8.0, 1.0]), 0.0, 0.5)
    tensor([-2.,  1.])
    """
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slope = T.empty_like(input).uniform_(lower, upper)
    return _stored(input, T.where(input > 0, input, input * slope), inplace)


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, inplace=True)


@computed_wide
def _exponential_linear(input: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
    # The exponential of a large positive x would be infinite, and its gradient not a number.
    negative = T.expm1(input.clamp(max=0) * input_scale)
    return T.where(input > 0, input * scale, negative * (alpha * scale))


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`x` if positive, `alpha * (exp(x) - 1)` otherwise.

    Source: Clevert et al., https://arxiv.org/abs/1511.07289

    >>> F.elu(torch.tensor([-1.0, 1.0]))
    tensor([-0.6321,  1.0000])
    """
    return _stored(input, _exponential_linear(input, alpha, 1.0, 1.0), inplace)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu` in place."""
    return elu(input, alpha, inplace=True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`x` if positive, `alpha * (exp(x / alpha) - 1)` otherwise.

    Source: Barron, https://arxiv.org/abs/1704.07483

    >>> F.celu(torch.tensor([-1.0, 1.0]), 2.0)
    tensor([-0.7869,  1.0000])
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _stored(input, _exponential_linear(input, alpha, 1.0, 1.0 / alpha), inplace)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu` in place."""
    return celu(input, alpha, inplace=True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """`elu`, scaled so that mean 0 and variance 1 carry over from layer to layer.

    Source: Klambauer et al., https://arxiv.org/abs/1706.02515

    >>> F.selu(torch.tensor([-1.0, 1.0]))
    tensor([-1.1113,  1.0507])
    """
    return _stored(input, _exponential_linear(input, SELU_ALPHA, SELU_SCALE, 1.0), inplace)


def selu_(input: Tensor) -> Tensor:
    """`selu` in place."""
    return selu(input, inplace=True)


@computed_wide
def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """`x` times the normal distribution function of x, exactly or by `approximate='tanh'`.

    Source: Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415

    >>> F.gelu(torch.tensor([-1.0, 1.0]))
    tensor([-0.1587,  0.8413])
    """
    if approximate == "none":
        return input * 0.5 * (1.0 + T.erf(input * math.sqrt(0.5)))
    if approximate == "tanh":
        cubic = input + 0.044715 * (input * input * input)
        return 0.5 * input * (1.0 + T.tanh(math.sqrt(2.0 / math.pi) * cubic))
    raise RuntimeError("approximate argument must be either none or tanh.")


@computed_wide
def _silu(input: Tensor) -> Tensor:
    return input * T.sigmoid(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """`x * sigmoid(x)`, also called swish.

    Source: Elfwing et al., https://arxiv.org/abs/1702.03118

    >>> F.silu(torch.tensor([-1.0, 1.0]))
    tensor([-0.2689,  0.7311])
    """
    return _stored(input, _silu(input), inplace)


@computed_wide
def _mish(input: Tensor) -> Tensor:
    return input * T.tanh(softplus(input))


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """`x * tanh(softplus(x))`.

    Source: Misra, https://arxiv.org/abs/1908.08681

    >>> F.mish(torch.tensor([-1.0, 1.0]))
    tensor([-0.3034,  0.8651])
    """
    return _stored(input, _mish(input), inplace)


@computed_wide
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """`log(1 + exp(beta * x)) / beta`, and plainly x where `beta * x > threshold`.

    >>> F.softplus(torch.tensor([0.0, 50.0]))
    tensor([ 0.6931, 50.0000])
    """
    scaled = input * beta
    curve = T.log1p(T.exp(scaled.clamp(max=threshold))) / beta
    return T.where(scaled > threshold, input, curve)


@computed_wide
def logsigmoid(input: Tensor) -> Tensor:
    """`log(sigmoid(x))` without overflow.

    >>> F.logsigmoid(torch.tensor([0.0, -200.0]))
    tensor([  -0.6931, -200.0000])
    """
    negative = input < 0
    return T.where(negative, input, 0.0) - T.log1p(T.exp(T.where(negative, input, -input)))


def sigmoid(input: Tensor) -> Tensor:
    """`1 / (1 + exp(-x))`.

    >>> F.sigmoid(torch.tensor(0.0))
    tensor(0.5000)
    """
    return T.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent.

    >>> F.tanh(torch.tensor(1.0))
    tensor(0.7616)
    """
    return T.tanh(input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """`relu6(x + 3) / 6`.

    >>> F.hardsigmoid(torch.tensor([-4.0, 0.0, 4.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _stored(input, relu6(input + 3.0) / 6.0, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """`x * relu6(x + 3) / 6`.

    Source: Howard et al., https://arxiv.org/abs/1905.02244

    >>> F.hardswish(torch.tensor([-4.0, 1.0, 4.0]))
    tensor([-0.0000, 0.6667, 4.0000])
    """
    # Cases rather than a product: the gradient at +3 is 1, that of relu6 there is 0.
    inner = input.clamp(-3.0, 3.0)
    curve = T.where(input < 3, inner * (inner + 3.0) / 6.0, input)
    return _stored(input, T.where(input > -3, curve, input.detach() * 0.0), inplace)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """`x` outside [-lambd, lambd], 0 inside.

    >>> F.hardshrink(torch.tensor([-1.0, 0.2]))
    tensor([-1.,  0.])
    """
    return T.where((input >= -lambd) & (input <= lambd), 0.0, input)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """`x` moved towards 0 by `lambd`, 0 if that would cross it.

    >>> F.softshrink(torch.tensor([-1.0, 0.2]))
    tensor([-0.5000,  0.0000])
    """
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    outside = T.where(input > lambd, input - lambd, input + lambd)
    return T.where((input >= -lambd) & (input <= lambd), 0.0, outside)


def tanhshrink(input: Tensor) -> Tensor:
    """`x - tanh(x)`.

    >>> F.tanhshrink(torch.tensor(1.0))
    tensor(0.2384)
    """
    return input - T.tanh(input)


def softsign(input: Tensor) -> Tensor:
    """`x / (1 + |x|)`.

    >>> F.softsign(torch.tensor(3.0))
    tensor(0.7500)
    """
    return input / (1 + T.abs(input))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """`x` where it is above `threshold`, `value` elsewhere.

    >>> F.threshold(torch.tensor([1.0, 3.0]), 2.0, 9.0)
    tensor([9., 3.])
    """
    return _stored(input, T.where(input <= threshold, value, input), inplace)


def threshold_(input: Tensor, threshold_: float, value: float) -> Tensor:
    """`threshold` in place."""
    return threshold(input, threshold_, value, inplace=True)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along `dim` times the sigmoid of the second half.

    RuntimeError if the size along `dim` is odd. Source: Dauphin et al.,
    https://arxiv.org/abs/1612.08083

    >>> F.glu(torch.tensor([2.0, 0.0]))
    tensor([1.])
    """
    if input.dim() == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    size = input.shape[dim]
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {size}")
    half = size // 2
    return input.narrow(dim, 0, half) * T.sigmoid(input.narrow(dim, half, half))
