"""flambeau: PyTorch's API, recorded as a graph and compiled with LLVM.

>>> import flambeau as torch
>>> x = torch.ones(2, requires_grad=True)
>>> (x * 3).sum().backward()
>>> x.grad
tensor([3., 3.])
"""

# ruff: noqa: A001, A004 - PyTorch's names are Python's too

from __future__ import annotations

import sys as _sys
from typing import Any as _Any

from flambeau import autograd, cuda, tensor
from flambeau.engine.eager import eager
from flambeau.engine.explain import explain
from flambeau.runtime.cpu.pool import get_num_threads, set_num_threads
from flambeau.tensor import (
    Generator,
    Size,
    Tensor,
    abs,
    acos,
    acosh,
    add,
    addbmm,
    addcdiv,
    addcmul,
    addmm,
    addmv,
    addr,
    adjoint,
    all,
    allclose,
    amax,
    amin,
    aminmax,
    any,
    arange,
    argmax,
    argmin,
    argsort,
    argwhere,
    as_strided,
    as_strided_scatter,
    as_tensor,
    asarray,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    baddbmm,
    bernoulli,
    bfloat16,
    bincount,
    bitwise_and,
    bitwise_left_shift,
    bitwise_not,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    block_diag,
    bmm,
    bool,
    broadcast_shapes,
    broadcast_tensors,
    broadcast_to,
    bucketize,
    can_cast,
    cartesian_prod,
    cat,
    cdist,
    ceil,
    chain_matmul,
    chunk,
    clamp,
    clamp_max,
    clamp_min,
    clone,
    column_stack,
    combinations,
    compile,
    constant_pad_nd,
    copysign,
    corrcoef,
    cos,
    cosh,
    count_nonzero,
    cov,
    cross,
    cummax,
    cummin,
    cumprod,
    cumsum,
    cumulative_trapezoid,
    deg2rad,
    det,
    detach,
    detach_,
    detect_anomaly,
    device,
    diag,
    diag_embed,
    diagflat,
    diagonal,
    diagonal_scatter,
    diff,
    digamma,
    dist,
    div,
    dot,
    dsplit,
    dstack,
    dtype,
    einsum,
    empty,
    empty_like,
    empty_strided,
    enable_grad,
    eq,
    equal,
    erf,
    erfc,
    erfinv,
    exp,
    exp2,
    expm1,
    eye,
    finfo,
    flatten,
    flip,
    fliplr,
    flipud,
    float16,
    float32,
    float64,
    float_power,
    floor,
    floor_divide,
    flush,
    fmax,
    fmin,
    fmod,
    frac,
    from_dlpack,
    from_numpy,
    frombuffer,
    full,
    full_like,
    gather,
    ge,
    get_default_device,
    get_default_dtype,
    get_float32_matmul_precision,
    get_printoptions,
    get_rng_state,
    gt,
    heaviside,
    histc,
    hsplit,
    hstack,
    hypot,
    i0,
    i0e,
    i1,
    i1e,
    iinfo,
    index_add,
    index_copy,
    index_fill,
    index_put,
    index_reduce,
    index_select,
    inference_mode,
    initial_seed,
    inner,
    int8,
    int16,
    int32,
    int64,
    is_complex,
    is_floating_point,
    is_grad_enabled,
    is_inference_mode_enabled,
    is_nonzero,
    is_same_size,
    is_set_to,
    is_signed,
    is_tensor,
    isclose,
    isfinite,
    isin,
    isinf,
    isnan,
    isneginf,
    isposinf,
    isreal,
    kron,
    kthvalue,
    ldexp,
    le,
    lerp,
    lgamma,
    linalg,
    linspace,
    log,
    log1p,
    log2,
    log10,
    log_softmax,
    logaddexp,
    logaddexp2,
    logcumsumexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    logit,
    logspace,
    logsumexp,
    lt,
    manual_seed,
    masked_fill,
    masked_scatter,
    masked_select,
    matmul,
    matrix_power,
    max,
    maximum,
    mean,
    median,
    meshgrid,
    min,
    minimum,
    mm,
    mode,
    movedim,
    msort,
    mul,
    multinomial,
    mv,
    nan_to_num,
    nanmean,
    nanmedian,
    nanquantile,
    nansum,
    narrow,
    ne,
    neg,
    nextafter,
    no_grad,
    nonzero,
    norm,
    normal,
    nuclear_norm,
    numel,
    ones,
    ones_like,
    outer,
    permute,
    positive,
    pow,
    prod,
    promote_types,
    put,
    quantile,
    rad2deg,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    random,
    randperm,
    ravel,
    reciprocal,
    reduced_dims,
    relu,
    remainder,
    renorm,
    repeat_interleave,
    reshape,
    result_type,
    roll,
    rot90,
    round,
    rsqrt,
    rsub,
    scalar_tensor,
    scatter,
    scatter_add,
    scatter_reduce,
    searchsorted,
    seed,
    select,
    select_scatter,
    set_default_device,
    set_default_dtype,
    set_default_tensor_type,
    set_detect_anomaly,
    set_float32_matmul_precision,
    set_grad_enabled,
    set_printoptions,
    set_rng_state,
    shaped,
    sigmoid,
    sign,
    signbit,
    sin,
    sinc,
    sinh,
    slice_scatter,
    slogdet,
    softmax,
    sort,
    special,
    split,
    split_with_sizes,
    sqrt,
    square,
    squeeze,
    stack,
    std,
    std_mean,
    sub,
    sum,
    t,
    take,
    take_along_dim,
    tan,
    tanh,
    tensor_split,
    tensordot,
    tile,
    topk,
    trace,
    transpose,
    trapezoid,
    tril,
    tril_indices,
    triu,
    triu_indices,
    true_divide,
    trunc,
    uint8,
    unbind,
    unflatten,
    unique,
    unique_consecutive,
    unsqueeze,
    var,
    var_mean,
    vdot,
    vsplit,
    vstack,
    where,
    xlogy,
    zeros,
    zeros_like,
)
from flambeau.tensor import derivatives as _derivatives
from flambeau.tensor import function as _function
from flambeau.tensor import gradcheck as _gradcheck
from flambeau.tensor import gradients as _gradients
from flambeau.tensor import legacy as _legacy
from flambeau.tensor.control_flow import cond, scan, while_loop
from flambeau.tensor.generator import default_generator
from flambeau.tensor.legacy import (
    BFloat16Tensor,
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
)
from flambeau.tensor.linalg.cholesky import cholesky_inverse, cholesky_solve
from flambeau.tensor.linalg.cholesky import old_cholesky as cholesky
from flambeau.tensor.linalg.norms import frobenius_norm
from flambeau.tensor.linalg.old import lu, lu_solve, lu_unpack, triangular_solve
from flambeau.tensor.linalg.products import matrix_exp, vander
from flambeau.tensor.linalg.qr import geqrf, ormqr
from flambeau.tensor.linalg.qr import householder_product as orgqr
from flambeau.tensor.linalg.qr import old_qr as qr
from flambeau.tensor.linalg.solve import inv as inverse
from flambeau.tensor.linalg.solve import logdet
from flambeau.tensor.linalg.spectral import old_svd as svd
from flambeau.tensor.linalg.spectral import pinverse
from flambeau.tensor.sequences import range_
from flambeau.tensor.special import multigammaln as mvlgamma
from flambeau.tensor.zeta import polygamma

from flambeau import data, nn, optim, utils  # isort: skip - they use what is above
from flambeau.nn.functional import (
    alpha_dropout,
    batch_norm,
    bilinear,
    binary_cross_entropy_with_logits,
    celu,
    channel_shuffle,
    cosine_embedding_loss,
    cosine_similarity,
    dropout,
    embedding,
    feature_alpha_dropout,
    group_norm,
    hardshrink,
    hinge_embedding_loss,
    instance_norm,
    kl_div,
    layer_norm,
    margin_ranking_loss,
    pairwise_distance,
    pdist,
    pixel_shuffle,
    pixel_unshuffle,
    poisson_nll_loss,
    prelu,
    relu_,
    rms_norm,
    rrelu,
    selu,
    threshold,
    triplet_margin_loss,
)

__version__ = "0.1.0"

half, float, double = float16, float32, float64
short, int, long = int16, int32, int64

subtract = sub
multiply = mul
divide = div
negative = neg
absolute = abs
sgn = sign
clip = clamp
fix = trunc
arcsin = asin
arccos = acos
arctan = atan
arcsinh = asinh
arccosh = acosh
arctanh = atanh
arctan2 = atan2
less = lt
less_equal = le
greater = gt
greater_equal = ge
not_equal = ne
swapaxes = swapdims = transpose
moveaxis = movedim
ger = outer
concat = concatenate = cat
row_stack = vstack
trapz = trapezoid
unsafe_chunk, unsafe_split = chunk, split
range = range_

# What `torch.autograd` offers beside the modes works on tensors.
for _name, _value in {
    "Function": _function.Function,
    "Variable": _legacy.Variable,
    "backward": _gradients.backward,
    "grad": _gradients.grad,
    "gradcheck": _gradcheck.gradcheck,
    "gradgradcheck": _gradcheck.gradgradcheck,
    "function": _function,
    "functional": _derivatives,
}.items():
    setattr(autograd, _name, _value)

# PyTorch's module paths that are elsewhere here.
_sys.modules["flambeau.utils.data"] = data
_sys.modules["flambeau.autograd.function"] = _function
_sys.modules["flambeau.autograd.functional"] = _derivatives
_sys.modules["flambeau.special"] = special
_sys.modules["flambeau.linalg"] = linalg


def _array_namespace(self: Tensor, /, *, api_version: str | None = None) -> _Any:
    """The module of the Python array API standard for tensors."""
    from flambeau import array_api  # noqa: PLC0415 - most programs need no NumPy front end

    return array_api.of_version(api_version)


def _to_device(self: Tensor, target: _Any, /, *, stream: _Any = None) -> Tensor:
    """The tensor on a device, in the standard's spelling."""
    return self.to(device=target)


Tensor.__array_namespace__ = _array_namespace  # type: ignore[attr-defined]
Tensor.to_device = _to_device  # type: ignore[attr-defined]


def __getattr__(name: str) -> _Any:
    if name in ("grad", "value_and_grad"):
        from flambeau.numpy import _gradients  # noqa: PLC0415 - as above

        return getattr(_gradients, name)
    if name in ("export", "load_graph"):
        from flambeau.io import export, load_graph  # noqa: PLC0415 - as above

        return export.export if name == "export" else load_graph.load_graph
    if name == "onnx":
        from importlib import import_module  # noqa: PLC0415 - as above

        return import_module("flambeau.onnx")
    raise AttributeError(f"module 'flambeau' has no attribute {name!r}")
