"""Arithmetic under one name; the ops are defined in the modules named here."""

from flambeau.ops.algebra import abs, add, div, mul, neg, sign, sub  # noqa: A004
from flambeau.ops.division import floor_div, fmod, remainder
from flambeau.ops.extrema import clamp, clamp_max, clamp_min, maximum, minimum, relu
from flambeau.ops.power import hypot, pow, rsqrt, sqrt  # noqa: A004

__all__ = [
    "abs",
    "add",
    "clamp",
    "clamp_max",
    "clamp_min",
    "div",
    "floor_div",
    "fmod",
    "hypot",
    "maximum",
    "minimum",
    "mul",
    "neg",
    "pow",
    "relu",
    "remainder",
    "rsqrt",
    "sign",
    "sqrt",
    "sub",
]
