"""`tf.math`: mathematical functions under the names of later versions of TensorFlow 1."""

# ruff: noqa: A004 - TensorFlow's names are Python's too

from __future__ import annotations

from flambeau.tf1.elementwise import abs_ as abs
from flambeau.tf1.elementwise import (
    acos,
    acosh,
    add,
    add_n,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    ceil,
    cos,
    cosh,
    digamma,
    div_no_nan,
    equal,
    erf,
    erfc,
    exp,
    expm1,
    floor,
    floordiv,
    floormod,
    greater,
    greater_equal,
    is_finite,
    is_inf,
    is_nan,
    less,
    less_equal,
    lgamma,
    log,
    log1p,
    log_sigmoid,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    reciprocal,
    rint,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    square,
    squared_difference,
    subtract,
    tan,
    tanh,
    truediv,
)
from flambeau.tf1.elementwise import ceil as ceiling
from flambeau.tf1.elementwise import pow_ as pow
from flambeau.tf1.elementwise import round_ as round
from flambeau.tf1.elementwise import truediv as divide
from flambeau.tf1.nn.basic import in_top_k, top_k, zero_fraction
from flambeau.tf1.reductions import (
    argmax,
    argmin,
    count_nonzero,
    cumprod,
    cumsum,
    l2_normalize,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from flambeau.tf1.slicing import unsorted_segment_sum
