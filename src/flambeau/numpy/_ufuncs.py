"""NumPy's functions of elements: which of our ops computes each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from flambeau.core import dtypes
from flambeau.graph.node import Node
from flambeau.numpy import _elements as own
from flambeau.numpy._ufunc import Fold, Scan, ufunc
from flambeau.ops import (
    algebra,
    arithmetic,
    comparison,
    division,
    exponential,
    logic,
    reduction,
    rounding,
    scan,
    selection,
    shape,
    trigonometric,
)

Function = Callable[..., Node]


def _largest(node: Node, dims: tuple[int, ...]) -> Node:
    return (reduction.any_ if node.spec.dtype is dtypes.bool else reduction.amax)(node, dims)


def _smallest(node: Node, dims: tuple[int, ...]) -> Node:
    return (reduction.all_ if node.spec.dtype is dtypes.bool else reduction.amin)(node, dims)


def _running_max(node: Node, dim: int) -> Node:
    return scan.running_extreme(node, dim, True)


def _running_min(node: Node, dim: int) -> Node:
    return scan.running_extreme(node, dim, False)


# How a function folds, and how it runs along a dimension, where there are kernels for it.
_FOLDS: dict[str, tuple[Fold, Scan | None]] = {
    "add": (shape.sum_, scan.cumsum),
    "multiply": (reduction.prod, scan.cumprod),
    "maximum": (_largest, _running_max),
    "minimum": (_smallest, _running_min),
    "logical_and": (reduction.all_, None),
    "logical_or": (reduction.any_, None),
}

_FUNCTIONS: dict[str, Function] = {
    # arithmetic
    "add": algebra.add,
    "subtract": algebra.sub,
    "multiply": algebra.mul,
    "divide": algebra.div,
    "floor_divide": own.safely(division.floor_div),
    "remainder": own.safely(division.remainder),
    "fmod": own.safely(division.fmod),
    "power": own.power,
    "float_power": own.power,
    "negative": algebra.neg,
    "positive": own.same,
    "absolute": own.unless_bool(algebra.abs),
    "fabs": algebra.abs,
    "sign": own.sign,
    "square": own.square,
    "reciprocal": own.reciprocal,
    "maximum": arithmetic.maximum,
    "minimum": arithmetic.minimum,
    "fmax": own.fmax,
    "fmin": own.fmin,
    "heaviside": own.heaviside,
    "conjugate": own.same,
    "copysign": selection.copysign,
    "nextafter": selection.nextafter,
    "ldexp": own.ldexp,
    # powers, exponentials, logarithms
    "sqrt": arithmetic.sqrt,
    "cbrt": own.cube_root,
    "hypot": arithmetic.hypot,
    "exp": exponential.exp,
    "exp2": exponential.exp2,
    "expm1": exponential.expm1,
    "log": exponential.log,
    "log2": exponential.log2,
    "log10": exponential.log10,
    "log1p": exponential.log1p,
    "logaddexp": own.logaddexp,
    "logaddexp2": own.logaddexp2,
    # angles
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tan": trigonometric.tan,
    "arcsin": trigonometric.asin,
    "arccos": trigonometric.acos,
    "arctan": trigonometric.atan,
    "arctan2": trigonometric.atan2,
    "sinh": trigonometric.sinh,
    "cosh": trigonometric.cosh,
    "tanh": trigonometric.tanh,
    "arcsinh": trigonometric.asinh,
    "arccosh": trigonometric.acosh,
    "arctanh": trigonometric.atanh,
    "degrees": own.degrees,
    "rad2deg": own.degrees,
    "radians": own.radians,
    "deg2rad": own.radians,
    # rounding
    "floor": own.unless_bool(rounding.floor),
    "ceil": own.unless_bool(rounding.ceil),
    "trunc": own.unless_bool(rounding.trunc),
    "rint": rounding.round,
    # comparison and logic
    "equal": comparison.eq,
    "not_equal": comparison.ne,
    "less": comparison.lt,
    "less_equal": comparison.le,
    "greater": comparison.gt,
    "greater_equal": comparison.ge,
    "logical_and": logic.logical_and,
    "logical_or": logic.logical_or,
    "logical_xor": logic.logical_xor,
    "logical_not": logic.logical_not,
    "isnan": own.is_nan,
    "isinf": own.is_infinite,
    "isfinite": own.is_finite,
    "signbit": own.sign_bit,
    # bits
    "bitwise_and": logic.bitwise_and,
    "bitwise_or": logic.bitwise_or,
    "bitwise_xor": logic.bitwise_xor,
    "invert": logic.bitwise_not,
    "left_shift": logic.shift_left,
    "right_shift": logic.shift_right,
}

UFUNCS: dict[str, ufunc] = {
    name: ufunc(getattr(np, name), function, *_FOLDS.get(name, ()))
    for name, function in _FUNCTIONS.items()
}

# Other names for them.
ALIASES = {
    "abs": "absolute", "acos": "arccos", "acosh": "arccosh", "asin": "arcsin",
    "asinh": "arcsinh", "atan": "arctan", "atan2": "arctan2", "atanh": "arctanh",
    "bitwise_invert": "invert", "bitwise_left_shift": "left_shift", "bitwise_not": "invert",
    "bitwise_right_shift": "right_shift", "conj": "conjugate", "mod": "remainder",
    "pow": "power", "true_divide": "divide",
}  # fmt: skip

UFUNCS |= {name: UFUNCS[original] for name, original in ALIASES.items()}
