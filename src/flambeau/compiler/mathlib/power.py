"""pow of floats and of integers, sqrt, rsqrt, hypot."""

from __future__ import annotations

from llvmlite import ir

from flambeau.compiler.mathlib.exponential import exp, exp_sum
from flambeau.compiler.mathlib.formats import DOUBLE, power_of_two, scale, split, to_number
from flambeau.compiler.mathlib.lanes import (
    Lanes,
    call_intrinsic,
    fast_two_sum,
    fma,
    maximum,
    minimum,
    select,
    through_double,
    two_product,
)
from flambeau.compiler.mathlib.logarithm import LOWEST_MANTISSA, log_pair, log_reduced
from flambeau.runtime.llvm.blocks import I1, I64, for_range, i64, intrinsic

INFINITY = float("inf")
LN2_PAIR = (0.6931471805599453, 2.3190468138462996e-17)


def sqrt(x: Lanes) -> Lanes:
    """The square root, correctly rounded."""
    return call_intrinsic("sqrt", x)


def rsqrt(x: Lanes) -> Lanes:
    """1 / sqrt(x)."""
    return 1.0 / sqrt(x)


@through_double
def hypot(x: Lanes, y: Lanes) -> Lanes:
    """sqrt(x^2 + y^2) without overflow on the way; infinity wins over NaN."""
    a, b = abs(x), abs(y)
    large, small = select(a < b, b, a), select(a < b, a, b)
    # One power of two for both brings the larger close to 1.
    exponent = minimum(maximum((large.to_bits() >> 52) - DOUBLE.bias, -1022), 1022)
    inverse = power_of_two(-exponent)
    p, q = large * inverse, small * inverse
    square, error = two_product(p, p)
    total, total_error = fast_two_sum(square, q * q)
    root = call_intrinsic("sqrt", total)
    rest = fma(-root, root, total) + (total_error + error)
    root = root + rest / (root + root)
    result = scale(root, exponent)
    result = select(large.equals(0.0), 0.0, result)
    infinite = a.equals(INFINITY) | b.equals(INFINITY)
    return select(infinite, INFINITY, select(x.is_nan() | y.is_nan(), float("nan"), result))


def _logarithm_times(size: Lanes, y: Lanes) -> tuple[Lanes, Lanes]:
    """y log(size) as a rounded product and its error, for a positive finite float64 size."""
    k, high, low = log_pair(size)
    whole, whole_error = two_product(k, LN2_PAIR[0])
    total, error = fast_two_sum(whole, high)
    total, error = fast_two_sum(total, error + (low + fma(k, LN2_PAIR[1], whole_error)))
    product, product_error = two_product(total, y)
    return product, fma(error, y, product_error)


def _special_powers(x: Lanes, y: Lanes, result: Lanes) -> Lanes:
    """`result` = |x|^y completed by signs, zeros, infinities and NaN, as C has them."""
    size = abs(x)
    of_small = select(y < 0.0, y.lift(INFINITY), 0.0)  # the limit for a vanishing size
    of_large = select(y < 0.0, y.lift(0.0), INFINITY)
    result = select(size.equals(0.0), of_small, result)
    result = select(size.equals(INFINITY), of_large, result)
    at_infinity = select(size.equals(1.0), 1.0, select(size < 1.0, of_small, of_large))
    result = select(abs(y).equals(INFINITY), at_infinity, result)
    half = 0.5 * y
    integer = call_intrinsic("trunc", y).equals(y)
    odd = integer & call_intrinsic("trunc", half).differs(half)
    result = select((x.to_bits() < 0) & odd, -result, result)
    undefined = (x < 0.0) & ~integer & size.differs(INFINITY)
    result = select(undefined | x.is_nan() | y.is_nan(), float("nan"), result)
    return select(y.equals(0.0) | x.equals(1.0), 1.0, result)


def power(x: Lanes, y: Lanes) -> Lanes:
    """x^y, through exp(y log|x|) with the logarithm in two parts for float64."""
    if x.is_single:
        x, y = x.widen(), y.widen()
        mantissa, exponent = split(abs(x), LOWEST_MANTISSA[DOUBLE])
        product = y * log_reduced(mantissa - 1.0, to_number(exponent))
        return _special_powers(x, y, exp(product)).narrow()
    return _special_powers(x, y, exp_sum(*_logarithm_times(abs(x), y)))


def integer_power(base: Lanes, exponent: Lanes) -> Lanes:
    """base^exponent of integers, wrapped, where the exponent is not negative."""
    builder, one = base.builder, base.lift(1)
    # A loop, as LLVM takes a third of a second over the 63 rounds written out.
    start = [one.value, base.value, exponent.value]
    with for_range(builder, i64(0), _most_bits(exponent), carried=start) as loop:
        result, factor, rest = (base.wrap(value) for value in loop.carried)
        product = select((rest & 1).differs(0), result * factor, result)
        loop.update([product.value, (factor * factor).value, rest.logical_shift(1).value])
    return base.wrap(loop.carried[0])


def _most_bits(x: Lanes) -> ir.Value:
    """How many bits the longest of some integers has, as an i64."""
    builder, scalar, together = x.builder, x.scalar, x.value
    if isinstance(x.kind, ir.VectorType):
        name = f"llvm.vector.reduce.or.v{x.kind.count}i{scalar.width}"
        together = builder.call(intrinsic(builder.module, name, scalar, [x.kind]), [x.value])
    name = f"llvm.ctlz.i{scalar.width}"
    leading_zeros = intrinsic(builder.module, name, scalar, [scalar, I1])
    zeros = builder.call(leading_zeros, [together, ir.Constant(I1, 0)])
    bits = builder.sub(ir.Constant(scalar, scalar.width), zeros)
    return bits if scalar == I64 else builder.zext(bits, I64)
