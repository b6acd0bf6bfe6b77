"""`torch.special`: functions of mathematical physics and statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from flambeau.core import dtypes
from flambeau.graph.node import Node
from flambeau.graph.recording import scalar
from flambeau.ops import algebra, exponential
from flambeau.ops import special as ops
from flambeau.ops.comparison import eq, ge, gt, le, lt, ne
from flambeau.ops.extrema import maximum, minimum
from flambeau.ops.logic import logical_and
from flambeau.ops.power import sqrt
from flambeau.ops.selection import cast, where
from flambeau.tensor.arithmetic import (
    logit,
    round,  # noqa: A004 - PyTorch's spelling
    xlogy,
)
from flambeau.tensor.elementwise import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    i0,
    i0e,
    i1,
    i1e,
    log1p,
    sinc,
)
from flambeau.tensor.elementwise import lgamma as gammaln
from flambeau.tensor.elementwise import sigmoid as expit
from flambeau.tensor.function import Function
from flambeau.tensor.promotion import check_tensor, float_node, float_operands
from flambeau.tensor.reductions import logsumexp
from flambeau.tensor.results import finish
from flambeau.tensor.scans import log_softmax, softmax
from flambeau.tensor.tensor import Tensor, wrap
from flambeau.tensor.zeta import polygamma, zeta

psi = digamma

__all__ = [
    "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammaln", "i0",
    "i0e", "i1", "i1e", "log1p", "log_ndtr", "log_softmax", "logit", "logsumexp", "multigammaln",
    "ndtr", "ndtri", "polygamma", "psi", "round", "sinc", "softmax", "xlog1py", "xlogy", "zeta",
]  # fmt: skip


def _polynomial(x: Node, coefficients: Sequence[float]) -> Node:
    """`Σ coefficients[k] x^k`."""
    result = scalar(coefficients[-1], x.dtype)
    for coefficient in reversed(coefficients[:-1]):
        result = algebra.shifted(algebra.mul(result, x), coefficient)
    return result


def _wide(input: Tensor) -> Node:
    """In float64, where the intermediate steps of float32 would lose digits."""
    return cast(float_node(input), dtypes.float64)


def _like(result: Node, input: Tensor) -> Node:
    return cast(result, float_node(input).dtype)


def entr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`-x log(x)`; 0 at 0, and -inf below.

    >>> import flambeau
    >>> flambeau.special.entr(flambeau.tensor([0.0, 0.5]))
    tensor([0.0000, 0.3466])
    """
    check_tensor("special_entr", "input", 1, input)
    x = float_node(input)
    zero = scalar(0.0, x.dtype)
    positive = gt(x, zero)
    safe = where(positive, x, scalar(1.0, x.dtype))
    below = where(lt(x, zero), scalar(-math.inf, x.dtype), zero)
    value = where(positive, algebra.neg(algebra.mul(safe, exponential.log(safe))), below)
    return finish(where(ne(x, x), x, value), out)


def xlog1py(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """`input * log1p(other)`, and 0 where input is 0 unless other is NaN."""
    a, b = float_operands(input, other)
    zero = scalar(0.0, a.dtype)
    nothing = logical_and(eq(a, zero), eq(b, b))
    return finish(algebra.mul(a, exponential.log1p(where(nothing, zero, b))), out)


def ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The standard normal distribution function.

    >>> import flambeau
    >>> flambeau.special.ndtr(flambeau.tensor([0.0]))
    tensor([0.5000])
    """
    x = float_node(input)
    return finish(algebra.scaled(ops.erfc(algebra.scaled(x, -math.sqrt(0.5))), 0.5), out)


# Where the asymptotic series of erfcx takes over; there 12 terms are exact to float64.
_FAR = 12.0
_TERMS = 12


def _erfcx(x: Node) -> Node:
    """`exp(x²) erfc(x)` in float64."""
    limit = scalar(_FAR, x.dtype)
    near = minimum(x, limit)
    product = algebra.mul(exponential.exp(algebra.square(near)), ops.erfc(near))
    far = maximum(x, limit)
    step = algebra.div(scalar(-0.5, x.dtype), algebra.square(far))
    odd = [math.prod(range(1, 2 * k, 2)) for k in range(_TERMS)]
    series = _polynomial(step, [float(one) for one in odd])
    tail = algebra.mul(algebra.div(scalar(1 / math.sqrt(math.pi), x.dtype), far), series)
    return where(le(x, limit), product, where(eq(x, x), tail, x))


class ScaledComplement(Function):
    """erfcx."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        result = wrap(_like(_erfcx(_wide(x)), x))
        ctx.save_for_backward(x, result)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, result = ctx.saved_tensors
        return grads[0] * (2 * x * result - 2 / math.sqrt(math.pi))


def erfcx(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`exp(x²) erfc(x)`, which does not underflow."""
    return finish(ScaledComplement.apply(wrap(float_node(input))).node, out)


class LogNormal(Function):
    """log_ndtr."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        ctx.save_for_backward(x)
        wide = _wide(x)
        scaled = algebra.scaled(wide, math.sqrt(0.5))
        low = lt(wide, scalar(-1.0, wide.dtype))
        tail = exponential.log(algebra.scaled(_erfcx(algebra.neg(scaled)), 0.5))
        left = algebra.sub(tail, algebra.square(scaled))
        right = exponential.log1p(algebra.scaled(ops.erfc(scaled), -0.5))
        return wrap(_like(where(low, left, right), x))

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grads[0] * math.sqrt(2 / math.pi) / ScaledComplement.apply(x * -math.sqrt(0.5))


def log_ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of `ndtr`, accurate far below 0."""
    return finish(LogNormal.apply(wrap(float_node(input))).node, out)


# Wichura 1988, Algorithm AS 241 (PPND16): numerators and denominators for the centre, the tails,
# and the far tails.
_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
     1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
     3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
     5.2264952788528545610e3),
)  # fmt: skip
_TAIL = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
     3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)  # fmt: skip
_FAR_TAIL = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip


def _ratio(x: Node, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Node:
    return algebra.div(_polynomial(x, coefficients[0]), _polynomial(x, coefficients[1]))


def _quantile(p: Node) -> Node:
    """The inverse of `ndtr`, in float64."""
    kind = p.dtype
    q = algebra.shifted(p, -0.5)
    centre = algebra.mul(
        q, _ratio(algebra.shifted(algebra.neg(algebra.square(q)), 0.180625), _CENTRE)
    )
    smaller = minimum(p, algebra.sub(scalar(1.0, kind), p))
    r = sqrt(algebra.neg(exponential.log(smaller)))
    near, far = _ratio(algebra.shifted(r, -1.6), _TAIL), _ratio(algebra.shifted(r, -5.0), _FAR_TAIL)
    tail = where(le(r, scalar(5.0, kind)), near, far)
    tail = where(eq(smaller, scalar(0.0, kind)), scalar(math.inf, kind), tail)
    signed = where(lt(q, scalar(0.0, kind)), algebra.neg(tail), tail)
    inside = le(algebra.abs(q), scalar(0.425, kind))
    value = where(inside, centre, signed)
    return where(ge(smaller, scalar(0.0, kind)), value, scalar(math.nan, kind))


class NormalQuantile(Function):
    """ndtri."""

    @staticmethod
    def forward(ctx: Any, p: Tensor) -> Any:
        result = wrap(_like(_quantile(_wide(p)), p))
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grads[0] * math.sqrt(2 * math.pi) * (x * x * 0.5).exp()


def ndtri(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The x with `ndtr(x) = input`; ±inf at 0 and 1, NaN outside.

    >>> import flambeau
    >>> flambeau.special.ndtri(flambeau.tensor([0.5, 0.975]))
    tensor([0.0000, 1.9600])
    """
    return finish(NormalQuantile.apply(wrap(float_node(input))).node, out)


def multigammaln(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `p`.

    >>> import flambeau
    >>> flambeau.special.multigammaln(flambeau.tensor([2.0]), 2)
    tensor([0.4516])
    """
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    x = float_node(input)
    total = scalar(p * (p - 1) / 4 * math.log(math.pi), x.dtype)
    for k in range(p):
        total = algebra.add(ops.lgamma(algebra.shifted(x, -k / 2)), total)
    return wrap(total)
