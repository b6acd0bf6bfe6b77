"""TensorFlow 1's graph mode: a program writes a graph down, and a session runs parts of it.

>>> import flambeau.tf1 as tf
>>> x = tf.placeholder(tf.float32, [None, 3])
>>> total = tf.reduce_sum(x * 2)
>>> with tf.Session() as session:
...     session.run(total, feed_dict={x: [[1, 2, 3]]})
np.float32(12.0)
"""

# ruff: noqa: A004 - TensorFlow's names are Python's too

from __future__ import annotations

from flambeau.tf1 import (
    errors,
    initializers,
    layers,
    linalg,
    losses,
    math,
    nn,
    operators,
    random,
    summary,
    train,
)
from flambeau.tf1.arrays import (
    broadcast_to,
    concat,
    expand_dims,
    eye,
    fill,
    identity,
    linspace,
    matrix_transpose,
    meshgrid,
    one_hot,
    ones,
    ones_like,
    pad,
    placeholder_with_default,
    rank,
    reshape,
    reverse,
    sequence_mask,
    shape,
    size,
    split,
    squeeze,
    stack,
    stop_gradient,
    tile,
    transpose,
    unstack,
    zeros,
    zeros_like,
)
from flambeau.tf1.arrays import linspace as lin_space
from flambeau.tf1.arrays import range_ as range
from flambeau.tf1.assigning import (
    assign,
    assign_add,
    assign_sub,
    is_variable_initialized,
    scatter_add,
    scatter_sub,
    scatter_update,
)
from flambeau.tf1.branching import case, cond
from flambeau.tf1.building import (
    add_to_collection,
    constant,
    control_dependencies,
    convert_to_tensor,
    device,
    get_collection,
    get_collection_ref,
    name_scope,
    placeholder,
)
from flambeau.tf1.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    bool,
    double,
    float16,
    float32,
    float64,
    half,
    int8,
    int16,
    int32,
    int64,
    string,
    uint8,
)
from flambeau.tf1.elementwise import abs_ as abs
from flambeau.tf1.elementwise import (
    accumulate_n,
    acos,
    acosh,
    add,
    add_n,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cast,
    ceil,
    clip_by_value,
    cos,
    cosh,
    digamma,
    div,
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
    saturate_cast,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    squared_difference,
    subtract,
    tan,
    tanh,
    to_double,
    to_float,
    to_int32,
    to_int64,
    truediv,
)
from flambeau.tf1.elementwise import floormod as mod
from flambeau.tf1.elementwise import pow_ as pow
from flambeau.tf1.elementwise import round_ as round
from flambeau.tf1.elementwise import truediv as divide
from flambeau.tf1.gradients import gradients
from flambeau.tf1.graph import (
    Graph,
    GraphKeys,
    Operation,
    Tensor,
    get_default_graph,
    reset_default_graph,
)
from flambeau.tf1.hosting import py_func
from flambeau.tf1.looping import while_loop
from flambeau.tf1.nothing import group, no_op
from flambeau.tf1.nothing import tuple_of as tuple
from flambeau.tf1.products import (
    cholesky,
    diag,
    diag_part,
    einsum,
    matmul,
    matrix_determinant,
    matrix_inverse,
    matrix_solve,
    tensordot,
    trace,
)
from flambeau.tf1.randoms import (
    multinomial,
    random_normal,
    random_shuffle,
    random_uniform,
    set_random_seed,
    truncated_normal,
)
from flambeau.tf1.reductions import (
    argmax,
    argmin,
    clip_by_global_norm,
    clip_by_norm,
    count_nonzero,
    cumprod,
    cumsum,
    global_norm,
    norm,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from flambeau.tf1.scanning import foldl, foldr, map_fn, scan
from flambeau.tf1.scopes import (
    AUTO_REUSE,
    VariableScope,
    get_variable,
    get_variable_scope,
    variable_scope,
)
from flambeau.tf1.session import InteractiveSession, Session, get_default_session
from flambeau.tf1.shapes import Dimension, TensorShape
from flambeau.tf1.slicing import (
    boolean_mask,
    gather,
    gather_nd,
    scatter_nd,
    strided_slice,
    unique,
    unsorted_segment_sum,
    where,
)
from flambeau.tf1.slicing import slice_ as slice
from flambeau.tf1.switches import (
    ConfigProto,
    GPUOptions,
    app,
    disable_eager_execution,
    disable_v2_behavior,
    executing_eagerly,
    logging,
)
from flambeau.tf1.variables import (
    Variable,
    global_variables,
    global_variables_initializer,
    local_variables,
    local_variables_initializer,
    report_uninitialized_variables,
    trainable_variables,
    variables_initializer,
)

from flambeau.tf1 import compat  # isort: skip - it refers to this module

newaxis = None
constant_initializer = initializers.Constant
glorot_normal_initializer = initializers.GlorotNormal
glorot_uniform_initializer = initializers.GlorotUniform
ones_initializer = initializers.Ones
random_normal_initializer = initializers.RandomNormal
random_uniform_initializer = initializers.RandomUniform
truncated_normal_initializer = initializers.TruncatedNormal
variance_scaling_initializer = initializers.VarianceScaling
zeros_initializer = initializers.Zeros
operators.install()
