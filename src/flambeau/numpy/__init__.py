"""flambeau.numpy: NumPy programs on our compiler, with one changed import.

Arrays are handles on flambeau's tensors: operations are recorded, fused and compiled, and computed
when somebody looks. What they mean is what NumPy 2 means; what there is none of (complex numbers,
strings, objects) raises NumPy's exceptions.

>>> import flambeau.numpy as np
>>> a = np.arange(6).reshape(2, 3)
>>> a[a % 2 == 0] = 0
>>> a.dot(a.T) / 2
array([[ 0.5,  0. ],
       [ 0. , 17. ]])
"""

# ruff: noqa: A004 - NumPy's names are Python's too

from __future__ import annotations

import importlib as _importlib
from typing import Any

import numpy as _numpy  # noqa: ICN001 - `np` is a name of programs

from flambeau.numpy import _methods, linalg, random
from flambeau.numpy._creation import (
    arange,
    array,
    asanyarray,
    asarray,
    asarray_chkfinite,
    ascontiguousarray,
    asfortranarray,
    copy,
    empty,
    empty_like,
    eye,
    from_dlpack,
    frombuffer,
    fromfunction,
    fromiter,
    full,
    full_like,
    identity,
    indices,
    linspace,
    meshgrid,
    ones,
    ones_like,
    require,
    tri,
    zeros,
    zeros_like,
)
from flambeau.numpy._gradients import grad, value_and_grad
from flambeau.numpy._host import (
    FUNCTIONS as _FUNCTIONS,
)
from flambeau.numpy._host import (
    apply_along_axis,
    apply_over_axes,
    c_,
    mgrid,
    ndenumerate,
    ogrid,
    piecewise,
    place,
    r_,
    vectorize,
)
from flambeau.numpy._info import namespace_info as __array_namespace_info__
from flambeau.numpy._joining import (
    append,
    array_split,
    block,
    column_stack,
    concat,
    concatenate,
    delete,
    diag,
    diagflat,
    dsplit,
    dstack,
    hsplit,
    hstack,
    insert,
    pad,
    repeat,
    resize,
    roll,
    split,
    stack,
    take,
    tile,
    tril,
    triu,
    unstack,
    vander,
    vsplit,
    vstack,
)
from flambeau.numpy._methods import flatiter
from flambeau.numpy._ndarray import generic, ndarray
from flambeau.numpy._products import (
    cross,
    dot,
    einsum,
    inner,
    kron,
    matmul,
    matvec,
    outer,
    tensordot,
    trace,
    vdot,
    vecdot,
    vecmat,
)
from flambeau.numpy._queries import (
    angle,
    astype,
    can_cast,
    common_type,
    divmod,
    finfo,
    iinfo,
    imag,
    iscomplex,
    iscomplexobj,
    isfortran,
    isneginf,
    isposinf,
    isreal,
    isrealobj,
    isscalar,
    iterable,
    min_scalar_type,
    modf,
    real,
    real_if_close,
    result_type,
    sinc,
)
from flambeau.numpy._reductions import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    average,
    count_nonzero,
    cumprod,
    cumsum,
    cumulative_prod,
    cumulative_sum,
    max,
    mean,
    min,
    nanargmax,
    nanargmin,
    nancumprod,
    nancumsum,
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
    prod,
    ptp,
    std,
    sum,
    var,
)
from flambeau.numpy._shaping import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    broadcast_to,
    diagonal,
    expand_dims,
    flip,
    fliplr,
    flipud,
    matrix_transpose,
    may_share_memory,
    moveaxis,
    ndim,
    permute_dims,
    ravel,
    reshape,
    rollaxis,
    rot90,
    shape,
    shares_memory,
    size,
    squeeze,
    swapaxes,
    transpose,
)
from flambeau.numpy._sorting import (
    allclose,
    argpartition,
    argsort,
    argwhere,
    array_equal,
    array_equiv,
    clip,
    compress,
    copyto,
    extract,
    fill_diagonal,
    flatnonzero,
    isclose,
    nonzero,
    partition,
    put,
    put_along_axis,
    putmask,
    searchsorted,
    select,
    sort,
    take_along_axis,
    where,
)
from flambeau.numpy._sorting import choose_from as choose
from flambeau.numpy._statistics import (
    around,
    convolve,
    corrcoef,
    correlate,
    cov,
    diff,
    ediff1d,
    fix,
    gradient,
    median,
    nan_to_num,
    nanmedian,
    nanpercentile,
    nanquantile,
    percentile,
    quantile,
    round,
    trapezoid,
)
from flambeau.numpy._ufunc import ufunc
from flambeau.numpy._ufuncs import UFUNCS as _UFUNCS

# What has nothing to do with arrays is NumPy's own.
_SHARED = """
    False_ ScalarType True_ bool bool_ broadcast_shapes byte character complex128 complex64
    complexfloating double dtype e errstate euler_gamma exceptions flexible float16 float32 float64
    floating format_float_positional format_float_scientific get_printoptions geterr half
    index_exp inexact inf int16 int32 int64 int8 int_ intc integer intp isdtype issubdtype
    longlong nan ndindex newaxis number pi printoptions promote_types s_ set_printoptions seterr
    short signedinteger single typename ubyte uint uint16 uint32 uint64 uint8 uintc uintp
    ulonglong unsignedinteger ushort"""

__version__ = _numpy.__version__
__array_api_version__ = "2024.12"

for _name in _SHARED.split():
    globals()[_name] = getattr(_numpy, _name)
globals().update(_UFUNCS)
globals().update(_FUNCTIONS)


def __getattr__(name: str) -> Any:
    if name == "testing":  # it takes NumPy a while to load
        return _importlib.import_module("numpy.testing")
    raise AttributeError(f"module 'flambeau.numpy' has no attribute {name!r}")
