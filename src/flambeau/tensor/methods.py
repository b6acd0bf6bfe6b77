"""What Tensor can do: functions as its methods, operators and properties, in one table."""

from __future__ import annotations

from typing import Any

from flambeau.tensor import (
    arithmetic,
    cloning,
    comparison,
    conversion,
    creation,
    elementwise,
    gradients,
    indexing,
    inplace,
    joining,
    legacy,
    matrix,
    norms,
    random,
    reductions,
    scans,
    scatter,
    searching,
    statistics,
    view_scatter,
    views,
)
from flambeau.tensor.linalg.cholesky import cholesky_inverse, cholesky_solve, old_cholesky
from flambeau.tensor.linalg.old import lu_solve, triangular_solve
from flambeau.tensor.linalg.products import matrix_exp, matrix_power
from flambeau.tensor.linalg.qr import geqrf, householder_product, old_qr, ormqr
from flambeau.tensor.linalg.solve import det, inv, logdet, slogdet
from flambeau.tensor.linalg.spectral import old_svd, pinverse
from flambeau.tensor.tensor import Tensor, is_contiguous

# Functions that are methods under their own names.
SHARED = {
    arithmetic: """
        add sub mul div true_divide floor_divide remainder fmod neg positive abs sign square
        reciprocal pow float_power maximum minimum fmax fmin clamp clamp_min clamp_max addcmul
        addcdiv lerp hypot logaddexp logaddexp2 xlogy heaviside frac round nan_to_num logit signbit
        deg2rad rad2deg ldexp""",
    elementwise: """
        exp exp2 expm1 log log2 log10 log1p sigmoid sqrt rsqrt sin cos tan asin acos atan sinh cosh
        tanh asinh acosh atanh erf erfc erfinv lgamma digamma i0 relu floor ceil trunc atan2
        copysign nextafter sinc""",
    comparison: """
        lt le gt ge eq ne logical_and logical_or logical_xor logical_not bitwise_and bitwise_or
        bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift isnan isinf isposinf isneginf
        isfinite isreal isclose allclose equal""",
    reductions: """
        sum nansum mean nanmean prod amax amin aminmax max min argmax argmin any all count_nonzero
        var std logsumexp""",
    norms: "norm dist",
    statistics: "corrcoef cov diff nanquantile quantile renorm",
    view_scatter: """
        as_strided_scatter diagonal_scatter select_scatter slice_scatter sum_to_size""",
    scans: "cumsum cumprod cummax cummin logcumsumexp softmax log_softmax",
    matrix: """
        mm bmm mv dot vdot matmul addmm addmv addbmm baddbmm outer addr inner kron trace
        cross""",
    views: """
        view reshape view_as reshape_as permute transpose t movedim unsqueeze squeeze expand
        expand_as broadcast_to select narrow unbind split split_with_sizes chunk tensor_split hsplit
        vsplit dsplit flatten unflatten ravel diagonal unfold as_strided contiguous adjoint""",
    joining: """
        flip fliplr flipud rot90 roll repeat tile repeat_interleave tril triu diag diagflat
        diag_embed""",
    scatter: """
        gather take_along_dim scatter scatter_add scatter_reduce index_select index_add index_copy
        index_fill index_reduce take put masked_fill masked_select masked_scatter""",
    searching: """
        sort argsort msort topk kthvalue median nanmedian mode nonzero argwhere unique
        unique_consecutive bincount histc isin""",
    indexing: "index_put",
    cloning: "clone detach detach_",
    creation: """
        new_zeros new_ones new_empty new_empty_strided new_full new_tensor""",
    conversion: """
        to type_as cpu cuda item tolist numpy size stride dim numel element_size storage_offset
        data_ptr untyped_storage get_device is_floating_point is_complex is_signed is_nonzero
        is_same_size is_set_to""",
    gradients: "register_hook register_post_accumulate_grad_hook retain_grad",
    inplace: """
        add_ sub_ mul_ zero_ fill_ copy_ resize_ resize_as_ set_ fill_diagonal_ requires_grad_
        share_memory_""",
    legacy: "new",
}

# Other names for them.
ALIASES = {
    "subtract": "sub", "subtract_": "sub_", "multiply": "mul", "multiply_": "mul_",
    "divide": "div", "divide_": "div_", "negative": "neg", "negative_": "neg_",
    "absolute": "abs", "absolute_": "abs_", "sgn": "sign", "sgn_": "sign_", "clip": "clamp",
    "clip_": "clamp_", "fix": "trunc", "fix_": "trunc_", "arcsin": "asin", "arcsin_": "asin_",
    "arccos": "acos", "arccos_": "acos_", "arctan": "atan", "arctan_": "atan_",
    "arcsinh": "asinh", "arcsinh_": "asinh_", "arccosh": "acosh", "arccosh_": "acosh_",
    "arctanh": "atanh", "arctanh_": "atanh_", "arctan2": "atan2", "arctan2_": "atan2_",
    "less": "lt", "less_": "lt_", "less_equal": "le", "less_equal_": "le_", "greater": "gt",
    "greater_": "gt_", "greater_equal": "ge", "greater_equal_": "ge_", "not_equal": "ne",
    "not_equal_": "ne_", "swapaxes": "transpose", "swapdims": "transpose", "moveaxis": "movedim",
    "ger": "outer", "ndimension": "dim", "nelement": "numel", "storage": "untyped_storage",
    "unsafe_chunk": "chunk", "unsafe_split": "split",
}  # fmt: skip

OPERATORS = {
    "__add__": arithmetic.add,
    "__radd__": arithmetic.add,
    "__iadd__": inplace.add_,
    "__sub__": arithmetic.sub,
    "__rsub__": arithmetic.rsub,
    "__isub__": inplace.sub_,
    "__mul__": arithmetic.mul,
    "__rmul__": arithmetic.mul,
    "__imul__": inplace.mul_,
    "__truediv__": arithmetic.div,
    "__rtruediv__": arithmetic.rtruediv,
    "__rdiv__": arithmetic.rtruediv,
    "__itruediv__": inplace.IN_PLACE["div_"],
    "__floordiv__": arithmetic.floor_divide,
    "__rfloordiv__": arithmetic.rfloordiv,
    "__ifloordiv__": inplace.IN_PLACE["floor_divide_"],
    "__mod__": arithmetic.remainder,
    "__rmod__": arithmetic.rmod,
    "__imod__": inplace.IN_PLACE["remainder_"],
    "__pow__": arithmetic.pow,
    "__rpow__": arithmetic.rpow,
    "__ipow__": inplace.IN_PLACE["pow_"],
    "__matmul__": matrix.matmul,
    "__rmatmul__": matrix.rmatmul,
    "__neg__": arithmetic.neg,
    "__pos__": arithmetic.positive,
    "__abs__": arithmetic.abs,
    "__invert__": comparison.bitwise_not,
    "__and__": comparison.bitwise_and,
    "__rand__": comparison.bitwise_and,
    "__iand__": inplace.IN_PLACE["bitwise_and_"],
    "__or__": comparison.bitwise_or,
    "__ror__": comparison.bitwise_or,
    "__ior__": inplace.IN_PLACE["bitwise_or_"],
    "__xor__": comparison.bitwise_xor,
    "__rxor__": comparison.bitwise_xor,
    "__ixor__": inplace.IN_PLACE["bitwise_xor_"],
    "__lshift__": comparison.bitwise_left_shift,
    "__rlshift__": comparison.rlshift,
    "__ilshift__": inplace.IN_PLACE["bitwise_left_shift_"],
    "__rshift__": comparison.bitwise_right_shift,
    "__rrshift__": comparison.rrshift,
    "__irshift__": inplace.IN_PLACE["bitwise_right_shift_"],
    "__lt__": comparison.lt,
    "__le__": comparison.le,
    "__gt__": comparison.gt,
    "__ge__": comparison.ge,
    "__eq__": comparison.equality,
    "__ne__": comparison.inequality,
    "__getitem__": indexing.get_item,
    "__setitem__": indexing.set_item,
    "__contains__": indexing.contains,
    "__len__": conversion.length,
    "__iter__": conversion.iterate,
    "__bool__": conversion.truth,
    "__int__": conversion.to_int,
    "__float__": conversion.to_float,
    "__complex__": conversion.to_complex,
    "__index__": conversion.to_index,
    "__array__": conversion.to_array,
    "__dlpack__": conversion.dlpack,
    "__dlpack_device__": conversion.dlpack_device,
    "__repr__": conversion.text,
    "__str__": conversion.text,
    "__format__": conversion.formatted,
    "__deepcopy__": conversion.deep_copy,
    "__reduce_ex__": conversion.reduced,
    "__new__": staticmethod(legacy.construct),
}

# Methods whose functions have other names.
RENAMED = {
    "backward": gradients.tensor_backward,
    "where": searching.method_where,
    "type": conversion.type_,
    "cholesky": old_cholesky,
    "cholesky_inverse": cholesky_inverse,
    "cholesky_solve": cholesky_solve,
    "det": det,
    "geqrf": geqrf,
    "inverse": inv,
    "logdet": logdet,
    "lu_solve": lu_solve,
    "matrix_exp": matrix_exp,
    "matrix_power": matrix_power,
    "orgqr": householder_product,
    "ormqr": ormqr,
    "pinverse": pinverse,
    "qr": old_qr,
    "slogdet": slogdet,
    "svd": old_svd,
    "triangular_solve": triangular_solve,
    "is_contiguous": lambda tensor, memory_format=None: is_contiguous(tensor),
    "is_pinned": conversion.never,
    "is_inference": conversion.never,
    "is_shared": conversion.never,
    "is_conj": conversion.never,
    "is_neg": conversion.never,
    "conj": conversion.itself,
    "resolve_conj": conversion.itself,
    "resolve_neg": conversion.itself,
    "pin_memory": conversion.itself,
}

PROPERTIES = {
    "ndim": property(conversion.dim),
    "data": property(cloning.detach, inplace.adopt),
    "grad": property(gradients.get_grad, gradients.set_grad, gradients.del_grad),
    "grad_fn": property(gradients.grad_fn),
    "retains_grad": property(gradients.retains_grad),
    "T": property(views.reversed_dims),
    "mT": property(views.matrix_transpose),
    "H": property(views.reversed_dims),
    "mH": property(views.matrix_transpose),
    "itemsize": property(conversion.element_size),
    "nbytes": property(lambda tensor: conversion.numel(tensor) * tensor.dtype.itemsize),
    "is_cuda": property(lambda tensor: tensor.device.type == "cuda"),
    "is_cpu": property(lambda tensor: tensor.device.type == "cpu"),
    "is_mps": property(conversion.never),
    "is_meta": property(lambda tensor: tensor.device.type == "meta"),
    "is_sparse": property(conversion.never),
    "is_quantized": property(conversion.never),
    "output_nr": property(lambda tensor: 0),
    "real": property(conversion.itself),
    "_version": property(lambda tensor: tensor._storage.version),
    "_base": property(lambda tensor: tensor._view.base if tensor._view is not None else None),
}


def shared_functions() -> dict[str, Any]:
    """The functions that are methods too, by name."""
    return {
        name: getattr(module, name) for module, names in SHARED.items() for name in names.split()
    }


def members() -> dict[str, Any]:
    """Everything that is put into Tensor."""
    table = shared_functions() | inplace.IN_PLACE | inplace.RESHAPING | conversion.CONVERTERS
    table |= random.METHODS
    table |= {name: table[original] for name, original in ALIASES.items()}
    return table | OPERATORS | RENAMED | PROPERTIES


for _name, _member in members().items():
    setattr(Tensor, _name, _member)
