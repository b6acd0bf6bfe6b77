"""Functions of one element from each operand, under TensorFlow's names."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

from flambeau import tensor as ft
from flambeau.tensor.tensor import Tensor as Value
from flambeau.tf1 import dtypes, shape_rules
from flambeau.tf1.building import alike, apply, convert_to_tensor, graph_of, operation
from flambeau.tf1.dtypes import DType, as_dtype
from flambeau.tf1.graph import Tensor
from flambeau.tf1.kind import Kind

Unary = Callable[..., Tensor]
Binary = Callable[..., Tensor]


def _unary(
    name: str,
    kind_name: str,
    evaluate: Callable[[Value], Value],
    text: str,
    *,
    floats_only: bool = True,
    result: DType | None = None,
) -> Unary:
    differentiable = result is None
    kind = Kind(kind_name, shape_rules.same, evaluate, differentiable=differentiable)

    def function(x: Any, name: str | None = None) -> Tensor:
        tensor = convert_to_tensor(x)
        if floats_only and not tensor.dtype.is_floating:
            _refuse(kind_name, tensor)
        return apply(kind, tensor, name=name, dtype=result)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return function


def _refuse(kind: str, tensor: Tensor) -> None:
    raise TypeError(
        f"Value passed to parameter 'x' of '{kind}' has DataType {tensor.dtype.name} not in list "
        f"of allowed values: bfloat16, float16, float32, float64 (it is {tensor})"
    )


def _binary(
    name: str,
    kind_name: str,
    evaluate: Callable[[Any, Any], Value],
    text: str,
    *,
    result: DType | None = None,
) -> Binary:
    kind = Kind(
        kind_name,
        shape_rules.broadcast,
        evaluate,
        takes_numbers=True,
        differentiable=result is None,
    )

    def function(x: Any, y: Any, name: str | None = None) -> Tensor:
        return apply(kind, *alike(kind_name, x, y), name=name, dtype=result)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return function


def _rounded_quotient(x: Any, y: Any) -> Value:
    return ft.floor_divide(x, y) if isinstance(x, Value) else x // y


def _larger(x: Any, y: Any) -> Value:
    """At a tie the gradient goes to the first, as TensorFlow has it."""
    return ft.where(x < y, y, x)


def _smaller(x: Any, y: Any) -> Value:
    return ft.where(x > y, y, x)


def _as_tensor(value: Any, other: Any) -> Value:
    """A number beside a tensor, where a function takes tensors only."""
    if isinstance(value, Value):
        return value
    return ft.full((), value, dtype=other.dtype)


def _log_sigmoid(x: Value) -> Value:
    return -_softplus(-x)


def _softplus(x: Value) -> Value:
    return ft.clamp(x, min=0) + ft.log1p(ft.exp(-ft.abs(x)))


abs_ = _unary("abs", "Abs", ft.abs, "The absolute value.", floats_only=False)
negative = _unary("negative", "Neg", operator.neg, "`-x`.", floats_only=False)
sign = _unary("sign", "Sign", ft.sign, "-1, 0 or 1.", floats_only=False)
square = _unary("square", "Square", ft.square, "`x * x`.", floats_only=False)
reciprocal = _unary("reciprocal", "Reciprocal", ft.reciprocal, "`1 / x`.")
sqrt = _unary("sqrt", "Sqrt", ft.sqrt, "The square root.")
rsqrt = _unary("rsqrt", "Rsqrt", ft.rsqrt, "`1 / sqrt(x)`.")
exp = _unary("exp", "Exp", ft.exp, "The exponential.")
expm1 = _unary("expm1", "Expm1", ft.expm1, "`exp(x) - 1`, exact near 0.")
log = _unary("log", "Log", ft.log, "The natural logarithm.")
log1p = _unary("log1p", "Log1p", ft.log1p, "`log(1 + x)`, exact near 0.")
sin = _unary("sin", "Sin", ft.sin, "The sine.")
cos = _unary("cos", "Cos", ft.cos, "The cosine.")
tan = _unary("tan", "Tan", ft.tan, "The tangent.")
asin = _unary("asin", "Asin", ft.asin, "The inverse sine.")
acos = _unary("acos", "Acos", ft.acos, "The inverse cosine.")
atan = _unary("atan", "Atan", ft.atan, "The inverse tangent.")
sinh = _unary("sinh", "Sinh", ft.sinh, "The hyperbolic sine.")
cosh = _unary("cosh", "Cosh", ft.cosh, "The hyperbolic cosine.")
tanh = _unary("tanh", "Tanh", ft.tanh, "The hyperbolic tangent.")
asinh = _unary("asinh", "Asinh", ft.asinh, "The inverse hyperbolic sine.")
acosh = _unary("acosh", "Acosh", ft.acosh, "The inverse hyperbolic cosine.")
atanh = _unary("atanh", "Atanh", ft.atanh, "The inverse hyperbolic tangent.")
sigmoid = _unary("sigmoid", "Sigmoid", ft.sigmoid, "`1 / (1 + exp(-x))`.")
log_sigmoid = _unary("log_sigmoid", "LogSigmoid", _log_sigmoid, "The logarithm of the sigmoid.")
softplus = _unary("softplus", "Softplus", _softplus, "`log(1 + exp(x))`.")
softsign = _unary("softsign", "Softsign", lambda x: x / (1 + ft.abs(x)), "`x / (1 + |x|)`.")
erf = _unary("erf", "Erf", ft.erf, "The error function.")
erfc = _unary("erfc", "Erfc", ft.erfc, "`1 - erf(x)`.")
lgamma = _unary("lgamma", "Lgamma", ft.lgamma, "The logarithm of the gamma function.")
digamma = _unary("digamma", "Digamma", ft.digamma, "The derivative of `lgamma`.")
floor = _unary("floor", "Floor", ft.floor, "The largest whole number that is not larger.")
ceil = _unary("ceil", "Ceil", ft.ceil, "The smallest whole number that is not smaller.")
round_ = _unary(
    "round", "Round", ft.round, "The nearest whole number, ties to even.", floats_only=False
)
rint = _unary("rint", "Rint", ft.round, "The nearest whole number, ties to even.")
is_nan = _unary("is_nan", "IsNan", ft.isnan, "Whether it is not a number.", result=dtypes.bool)
is_inf = _unary("is_inf", "IsInf", ft.isinf, "Whether it is infinite.", result=dtypes.bool)
is_finite = _unary(
    "is_finite", "IsFinite", ft.isfinite, "Whether it is finite.", result=dtypes.bool
)
logical_not = _unary(
    "logical_not", "LogicalNot", ft.logical_not, "True where false.", floats_only=False,
    result=dtypes.bool,
)  # fmt: skip

add = _binary("add", "Add", operator.add, "`x + y`.")
subtract = _binary("subtract", "Sub", operator.sub, "`x - y`.")
multiply = _binary("multiply", "Mul", operator.mul, "`x * y`.")
floormod = _binary("floormod", "FloorMod", operator.mod, "What `x // y` leaves; it has y's sign.")
pow_ = _binary("pow", "Pow", operator.pow, "`x ** y`.")
maximum = _binary("maximum", "Maximum", _larger, "The larger one.")
minimum = _binary("minimum", "Minimum", _smaller, "The smaller one.")
floordiv = _binary("floordiv", "FloorDiv", operator.floordiv, "`x / y` rounded down.")
_real_div = _binary("divide", "RealDiv", operator.truediv, "`x / y`.")
squared_difference = _binary(
    "squared_difference", "SquaredDifference", lambda x, y: ft.square(x - y), "`(x - y) ** 2`."
)
atan2 = _binary(
    "atan2",
    "Atan2",
    lambda y, x: ft.atan2(_as_tensor(y, x), _as_tensor(x, y)),
    "The angle of the point (x, y).",
)
div_no_nan = _binary(
    "div_no_nan",
    "DivNoNan",
    lambda x, y: (
        ft.where(y == 0, 0.0, x / ft.where(y == 0, 1.0, y))
        if isinstance(y, Value)
        else (x / y if y else x * 0)
    ),
    "`x / y`, and 0 where y is 0.",
)
equal = _binary("equal", "Equal", operator.eq, "Whether x is y.", result=dtypes.bool)
not_equal = _binary("not_equal", "NotEqual", operator.ne, "Whether x is not y.", result=dtypes.bool)
less = _binary("less", "Less", operator.lt, "`x < y`.", result=dtypes.bool)
less_equal = _binary("less_equal", "LessEqual", operator.le, "`x <= y`.", result=dtypes.bool)
greater = _binary("greater", "Greater", operator.gt, "`x > y`.", result=dtypes.bool)
greater_equal = _binary(
    "greater_equal", "GreaterEqual", operator.ge, "`x >= y`.", result=dtypes.bool
)
logical_and = _binary(
    "logical_and", "LogicalAnd", operator.and_, "Whether both are true.", result=dtypes.bool
)
logical_or = _binary(
    "logical_or", "LogicalOr", operator.or_, "Whether one is true.", result=dtypes.bool
)
logical_xor = _binary(
    "logical_xor", "LogicalXor", operator.xor, "Whether just one is true.", result=dtypes.bool
)


def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x / y`; integers are divided as float64 (short ones as float32).

    >>> import flambeau.tf1 as tf
    >>> (tf.constant(1) / 2).dtype
    tf.float64
    """
    tensors = alike("truediv", x, y)
    if tensors[0].dtype.is_integer:
        short = tensors[0].dtype in (dtypes.int8, dtypes.uint8, dtypes.int16)
        tensors = [cast(one, dtypes.float32 if short else dtypes.float64) for one in tensors]
    return _real_div(*tensors, name=name)


def div(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Python 2's division: of integers, rounded down."""
    tensors = alike("div", x, y)
    return (_real_div if tensors[0].dtype.is_floating else floordiv)(*tensors, name=name)


def _cast(x: Value, to: DType) -> Value:
    return x.to(to.native)


_CAST = Kind("Cast", shape_rules.same, _cast)


def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """The elements as another type.

    >>> import flambeau.tf1 as tf
    >>> with tf.Session() as session:
    ...     session.run(tf.cast([1.8, -1.8], tf.int32))
    array([ 1, -1], dtype=int32)
    """
    tensor, kind = convert_to_tensor(x), as_dtype(dtype)
    return tensor if tensor.dtype is kind else apply(_CAST, tensor, name=name, dtype=kind, to=kind)


def _caster(name: str, kind: DType) -> Unary:
    def function(x: Any, name: str = name) -> Tensor:
        return cast(x, kind, name)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The elements as {kind.name}."
    return function


to_float = _caster("to_float", dtypes.float32)
to_double = _caster("to_double", dtypes.float64)
to_int32 = _caster("to_int32", dtypes.int32)
to_int64 = _caster("to_int64", dtypes.int64)


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """The elements as another type; what does not fit becomes the nearest that does."""
    tensor, kind = convert_to_tensor(value), as_dtype(dtype)
    if float(tensor.dtype.min) < float(kind.min):
        tensor = maximum(tensor, cast(kind.min, tensor.dtype))
    if float(tensor.dtype.max) > float(kind.max):
        tensor = minimum(tensor, cast(kind.max, tensor.dtype))
    return cast(tensor, kind, name)


_ADD_N = Kind("AddN", shape_rules.all_same, lambda *values: reduce(operator.add, values))


def add_n(inputs: Any, name: str | None = None) -> Tensor:
    """The sum of tensors of one shape; ValueError without any."""
    many = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    if not many:
        raise ValueError(
            "inputs must be a list of at least one Tensor with the same dtype and shape"
        )
    tensors = alike("AddN", *many)
    return operation(_ADD_N, tensors, [tensors[0].dtype], {}, name).outputs[0]


def accumulate_n(
    inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None
) -> Tensor:
    """The sum of tensors of one shape."""
    return add_n(inputs, name or "AccumulateNV2")


def clip_by_value(
    t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None
) -> Tensor:
    """The elements, limited to the range.

    >>> import flambeau.tf1 as tf
    >>> with tf.Session() as session:
    ...     session.run(tf.clip_by_value([-2.0, 0.5, 2.0], -1, 1))
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    tensor = convert_to_tensor(t)
    with graph_of([tensor]).name_scope(name or "clip_by_value"):
        limits = [convert_to_tensor(one, tensor.dtype) for one in (clip_value_min, clip_value_max)]
        return maximum(minimum(tensor, limits[1]), limits[0])


def _leaky(features: Value, alpha: float) -> Value:
    return ft.where(features > 0, features, features * alpha)


def _elu(features: Value) -> Value:
    return ft.where(features > 0, features, ft.expm1(ft.clamp(features, max=0)))


_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

relu = _unary("relu", "Relu", ft.relu, "The larger of x and 0.", floats_only=False)
relu6 = _unary("relu6", "Relu6", lambda x: ft.clamp(x, 0, 6), "x within 0 and 6.")
elu = _unary("elu", "Elu", _elu, "x, and `exp(x) - 1` where it is negative.")
selu = _unary(
    "selu",
    "Selu",
    lambda x: _SELU_SCALE * ft.where(x > 0, x, _SELU_ALPHA * ft.expm1(ft.clamp(x, max=0))),
    "The self-normalising unit (Klambauer et al., 2017, arXiv:1706.02515).",
)
_LEAKY = Kind("LeakyRelu", shape_rules.same, _leaky)


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """x, and `alpha * x` where it is negative."""
    return apply(_LEAKY, convert_to_tensor(features), name=name, alpha=float(alpha))


def swish(features: Any) -> Tensor:
    """`x * sigmoid(x)`."""
    tensor = convert_to_tensor(features)
    return multiply(tensor, sigmoid(tensor))
