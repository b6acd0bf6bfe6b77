"""Mathematical functions as LLVM IR: no calls, the same bits for scalars and vectors of any width.

`FUNCTIONS` takes float, double and vectors of them; float16 and bfloat16 go through `narrow`.
Largest errors in ulps are tabulated and tested in tests/compiler/test_mathlib.py.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from flambeau.compiler.mathlib import (
    bessel,
    error_function,
    exponential,
    gamma,
    hyperbolic,
    inverse_trigonometric,
    logarithm,
    power,
    rounding,
    trigonometric,
)
from flambeau.compiler.mathlib.lanes import Lanes, const, select

__all__ = ["FUNCTIONS", "const", "emit"]

_ON_LANES: dict[str, Callable[..., Lanes]] = {
    "abs": rounding.magnitude,
    "acos": inverse_trigonometric.acos,
    "acosh": hyperbolic.acosh,
    "asin": inverse_trigonometric.asin,
    "asinh": hyperbolic.asinh,
    "atan": inverse_trigonometric.atan,
    "atan2": inverse_trigonometric.atan2,
    "atanh": hyperbolic.atanh,
    "ceil": rounding.ceil,
    "copysign": rounding.copysign,
    "cos": trigonometric.cos,
    "cosh": hyperbolic.cosh,
    "digamma": gamma.digamma,
    "erf": error_function.erf,
    "erfc": error_function.erfc,
    "erfinv": error_function.erfinv,
    "exp": exponential.exp,
    "exp2": exponential.exp2,
    "expm1": exponential.expm1,
    "floor": rounding.floor,
    "fmod": rounding.fmod,
    "hypot": power.hypot,
    "i0": bessel.i0,
    "i0e": bessel.i0e,
    "i1": bessel.i1,
    "i1e": bessel.i1e,
    "lgamma": gamma.lgamma,
    "log": logarithm.log,
    "log10": logarithm.log10,
    "log1p": logarithm.log1p,
    "log2": logarithm.log2,
    "nextafter": rounding.nextafter,
    "pow": power.power,
    "round": rounding.nearest,
    "rsqrt": power.rsqrt,
    "sin": trigonometric.sin,
    "sinh": hyperbolic.sinh,
    "sqrt": power.sqrt,
    "tan": trigonometric.tan,
    "tanh": hyperbolic.tanh,
    "trunc": rounding.trunc,
}


# Single instructions, which hand a NaN through, and functions whose NaN is always the same one.
_OWN_NAN = frozenset({"abs", "ceil", "copysign", "floor", "round", "sqrt", "trunc"})
_OWN_NAN |= {"erf", "exp", "exp2", "log", "log10", "log1p", "log2"}


def _on_values(name: str) -> Callable[..., ir.Value]:
    function = _ON_LANES[name]

    def on_values(builder: ir.IRBuilder, *values: ir.Value) -> ir.Value:
        result = function(*(Lanes(builder, value) for value in values))
        if name in _OWN_NAN:
            return result.value
        # Which sign a NaN has after arithmetic depends on how LLVM ordered the operands.
        return select(result.is_nan(), float("nan"), result).value

    return on_values


FUNCTIONS: dict[str, Callable[..., ir.Value]] = {name: _on_values(name) for name in _ON_LANES}


def emit(name: str, builder: ir.IRBuilder, *values: ir.Value) -> ir.Value:
    """Append function `name` of `values`, all of one type, which is that of the result.

    >>> f32x8 = ir.VectorType(ir.FloatType(), 8)
    >>> function = ir.Function(ir.Module(), ir.FunctionType(f32x8, [f32x8]), "kernel")
    >>> builder = ir.IRBuilder(function.append_basic_block())
    >>> _ = builder.ret(emit("exp", builder, function.args[0]))
    """
    return FUNCTIONS[name](builder, *values)
