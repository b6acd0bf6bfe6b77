"""Every function: its values are NumPy's, and its static shape is compatible with the real one."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau.tf1 as tf
from flambeau.tf1.shapes import compatible

R = np.random.RandomState(0)
A = R.randn(3, 4).astype("f")
B = R.randn(3, 4).astype("f")
P = (np.abs(A) + 0.5).astype("f")
U = R.uniform(-0.9, 0.9, (3, 4)).astype("f")
C = R.randn(2, 3, 4).astype("f")
W = R.randint(-5, 6, (3, 4)).astype(np.int32)
J = R.randint(1, 5, (3, 4)).astype(np.int32)
T = W > 0
N = np.array([1.0, np.nan, np.inf, -np.inf, 0.0], np.float32)
S = np.exp(A - A.max(-1, keepdims=True))
S = S / S.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


CASES = {
    # elementwise
    "abs": (tf.abs, np.abs, [A]),
    "negative": (tf.negative, np.negative, [A]),
    "sign": (tf.sign, np.sign, [W]),
    "square": (tf.square, np.square, [A]),
    "reciprocal": (tf.reciprocal, lambda x: 1 / x, [P]),
    "sqrt": (tf.sqrt, np.sqrt, [P]),
    "rsqrt": (tf.rsqrt, lambda x: 1 / np.sqrt(x), [P]),
    "exp": (tf.exp, np.exp, [A]),
    "expm1": (tf.expm1, np.expm1, [A]),
    "log": (tf.log, np.log, [P]),
    "log1p": (tf.log1p, np.log1p, [P]),
    "sin": (tf.sin, np.sin, [A]),
    "cos": (tf.cos, np.cos, [A]),
    "tan": (tf.tan, np.tan, [A]),
    "asin": (tf.asin, np.arcsin, [U]),
    "acos": (tf.acos, np.arccos, [U]),
    "atan": (tf.atan, np.arctan, [A]),
    "sinh": (tf.sinh, np.sinh, [A]),
    "cosh": (tf.cosh, np.cosh, [A]),
    "tanh": (tf.tanh, np.tanh, [A]),
    "asinh": (tf.asinh, np.arcsinh, [A]),
    "acosh": (tf.acosh, np.arccosh, [P + 1]),
    "atanh": (tf.atanh, np.arctanh, [U]),
    "sigmoid": (tf.sigmoid, sigmoid, [A]),
    "log_sigmoid": (tf.log_sigmoid, lambda x: np.log(sigmoid(x)), [A]),
    "softplus": (tf.nn.softplus, softplus, [A]),
    "softsign": (tf.nn.softsign, lambda x: x / (1 + np.abs(x)), [A]),
    "floor": (tf.floor, np.floor, [A]),
    "ceil": (tf.ceil, np.ceil, [A]),
    "round": (tf.round, np.round, [A * 3]),
    "rint": (tf.rint, np.rint, [A * 3]),
    "is_nan": (tf.is_nan, np.isnan, [N]),
    "is_finite": (tf.is_finite, np.isfinite, [N]),
    "is_inf": (tf.is_inf, np.isinf, [N]),
    "add": (tf.add, np.add, [A, B]),
    "add broadcast": (tf.add, np.add, [C, A[0]]),
    "subtract": (tf.subtract, np.subtract, [A, B]),
    "multiply": (tf.multiply, np.multiply, [A, B]),
    "divide": (tf.divide, np.divide, [A, P]),
    "truediv of integers": (tf.truediv, np.true_divide, [W, J]),
    "div of integers": (tf.div, np.floor_divide, [W, J]),
    "floordiv": (tf.floordiv, np.floor_divide, [W, J]),
    "floordiv of floats": (tf.floordiv, np.floor_divide, [A, P]),
    "mod": (tf.mod, np.mod, [W, J]),
    "div_no_nan": (tf.div_no_nan, lambda x, y: np.where(y == 0, 0, x / (y + (y == 0))), [A, A * T]),
    "pow": (tf.pow, np.power, [P, A]),
    "maximum": (tf.maximum, np.maximum, [A, B]),
    "minimum": (tf.minimum, np.minimum, [A, B]),
    "squared_difference": (tf.squared_difference, lambda x, y: (x - y) ** 2, [A, B]),
    "atan2": (tf.atan2, np.arctan2, [A, B]),
    "equal": (tf.equal, np.equal, [W, J]),
    "not_equal": (tf.not_equal, np.not_equal, [W, J]),
    "less": (tf.less, np.less, [A, B]),
    "less_equal": (tf.less_equal, np.less_equal, [W, J]),
    "greater": (tf.greater, np.greater, [A, B]),
    "greater_equal": (tf.greater_equal, np.greater_equal, [W, J]),
    "logical_and": (tf.logical_and, np.logical_and, [T, A > 0]),
    "logical_or": (tf.logical_or, np.logical_or, [T, A > 0]),
    "logical_xor": (tf.logical_xor, np.logical_xor, [T, A > 0]),
    "logical_not": (tf.logical_not, np.logical_not, [T]),
    "cast": (lambda x: tf.cast(x, tf.int32), lambda x: x.astype(np.int32), [A * 3]),
    "saturate_cast": (
        lambda x: tf.saturate_cast(x, tf.uint8), lambda x: np.clip(x, 0, 255).astype("u1"), [W * 99]
    ),
    "add_n": (lambda *x: tf.add_n(x), lambda *x: sum(x), [A, B, P]),
    "clip_by_value": (lambda x: tf.clip_by_value(x, -0.5, 0.5), lambda x: x.clip(-0.5, 0.5), [A]),
    "operators": (
        lambda x, y: abs(-x) + 2 - x / y * 3 + 1 / y - (2 - x) ** 2.0,
        lambda x, y: abs(-x) + 2 - x / y * 3 + 1 / y - (2 - x) ** 2.0,
        [A, P],
    ),
    "integer operators": (
        lambda x, y: (x // y + 7 % y - x % 3) * 2,
        lambda x, y: (x // y + 7 % y - x % 3) * 2,
        [W, J],
    ),
    "comparisons": (
        lambda x: (x > 0) & (x < 1) | ~(x >= -1) ^ (x <= 2),
        lambda x: (x > 0) & (x < 1) | ~(x >= -1) ^ (x <= 2),
        [A],
    ),
    # reductions
    "reduce_sum": (tf.reduce_sum, np.sum, [A]),
    "reduce_sum of integers": (lambda x: tf.reduce_sum(x, 0), lambda x: x.sum(0), [W]),
    "reduce_sum axis": (lambda x: tf.reduce_sum(x, [0, -1]), lambda x: x.sum((0, -1)), [C]),
    "reduce_sum old names": (
        lambda x: tf.reduce_sum(x, reduction_indices=[1], keep_dims=True),
        lambda x: x.sum(1, keepdims=True),
        [C],
    ),
    "reduce_sum no axes": (lambda x: tf.reduce_sum(x, []), lambda x: x, [A]),
    "reduce_mean": (lambda x: tf.reduce_mean(x, 1), lambda x: x.mean(1), [C]),
    "reduce_max": (lambda x: tf.reduce_max(x, 1, True), lambda x: x.max(1, keepdims=True), [C]),
    "reduce_min": (lambda x: tf.reduce_min(x), np.min, [C]),
    "reduce_prod": (lambda x: tf.reduce_prod(x, [0, 2]), lambda x: x.prod((0, 2)), [C]),
    "reduce_any": (lambda x: tf.reduce_any(x, 0), lambda x: x.any(0), [T]),
    "reduce_all": (lambda x: tf.reduce_all(x, 0), lambda x: x.all(0), [T]),
    "reduce_logsumexp": (
        lambda x: tf.reduce_logsumexp(x, 1), lambda x: np.log(np.exp(x).sum(1)), [A]
    ),
    "count_nonzero": (lambda x: tf.count_nonzero(x, 0), lambda x: np.count_nonzero(x, 0), [W]),
    "argmax": (tf.argmax, lambda x: x.argmax(0), [A]),
    "argmax axis": (lambda x: tf.argmax(x, 1), lambda x: x.argmax(1), [A]),
    "argmin": (lambda x: tf.argmin(x, -1), lambda x: x.argmin(-1), [A]),
    "cumsum": (lambda x: tf.cumsum(x, 1), lambda x: x.cumsum(1), [A]),
    "cumsum exclusive reverse": (
        lambda x: tf.cumsum(x, 1, exclusive=True, reverse=True),
        lambda x: x[:, ::-1].cumsum(1)[:, ::-1] - x,
        [A],
    ),
    "cumprod exclusive": (
        lambda x: tf.cumprod(x, 0, exclusive=True), lambda x: x.cumprod(0) / x, [P]
    ),
    "norm": (lambda x: tf.norm(x, axis=1), lambda x: np.linalg.norm(x, axis=1), [A]),
    "norm 1": (lambda x: tf.norm(x, 1), lambda x: np.abs(x).sum(), [A]),
    "l2_normalize": (
        lambda x: tf.nn.l2_normalize(x, 1), lambda x: x / np.linalg.norm(x, axis=1)[:, None], [A]
    ),
    "global_norm": (
        lambda x, y: tf.global_norm([x, None, y]),
        lambda x, y: np.sqrt((x**2).sum() + (y**2).sum()),
        [A, C],
    ),
    "clip_by_norm": (
        lambda x: tf.clip_by_norm(x, 1.0), lambda x: x / np.linalg.norm(x), [A]
    ),
    "clip_by_global_norm": (
        lambda x: tf.clip_by_global_norm([x], 1.0)[0][0], lambda x: x / np.linalg.norm(x), [A]
    ),
    # products
    "matmul": (lambda x, y: tf.matmul(x, y, transpose_b=True), lambda x, y: x @ y.T, [A, B]),
    "matmul transposed": (
        lambda x, y: tf.matmul(x, y, transpose_a=True), lambda x, y: x.T @ y, [A, B]
    ),
    "matmul of batches": (
        lambda x: tf.matmul(x, x, adjoint_b=True), lambda x: x @ x.swapaxes(1, 2), [C]
    ),
    "tensordot": (lambda x, y: tf.tensordot(x, y, 1), lambda x, y: np.tensordot(x, y, 1), [C, A.T]),
    "tensordot axes": (
        lambda x, y: tf.tensordot(x, y, [[1, 2], [0, 1]]),
        lambda x, y: np.tensordot(x, y, [[1, 2], [0, 1]]),
        [C, A],
    ),
    "einsum": (
        lambda x, y: tf.einsum("bij,kj->bki", x, y), lambda x, y: np.einsum("bij,kj->bki", x, y),
        [C, A],
    ),
    "trace": (tf.trace, np.trace, [A[:, :3]]),
    "diag": (tf.diag, np.diag, [A[0]]),
    "diag_part": (tf.diag_part, np.diag, [A[:, :3]]),
    "matrix_inverse": (tf.matrix_inverse, np.linalg.inv, [A[:, :3]]),
    "matrix_determinant": (tf.matrix_determinant, np.linalg.det, [A[:, :3]]),
    "cholesky": (
        tf.cholesky, np.linalg.cholesky, [A[:, :3] @ A[:, :3].T + np.eye(3, dtype="f")]
    ),
    "matrix_solve": (tf.matrix_solve, np.linalg.solve, [A[:, :3], B]),
    # arrays
    "identity": (tf.identity, lambda x: x, [A]),
    "stop_gradient": (tf.stop_gradient, lambda x: x, [A]),
    "shape": (tf.shape, lambda x: np.array(x.shape), [C]),
    "size": (tf.size, np.size, [C]),
    "rank": (tf.rank, np.ndim, [C]),
    "fill": (lambda x: tf.fill(tf.shape(x), 7), lambda x: np.full(x.shape, 7), [A]),
    "zeros_like": (tf.zeros_like, np.zeros_like, [W]),
    "ones_like": (lambda x: tf.ones_like(x, tf.float32), lambda x: np.ones(x.shape), [W]),
    "range": (lambda: tf.range(2, 11, 3), lambda: np.arange(2, 11, 3), []),
    "range of floats": (lambda: tf.range(0.0, 1.0, 0.25), lambda: np.arange(0, 1, 0.25), []),
    "linspace": (lambda: tf.linspace(0.0, 1.0, 5), lambda: np.linspace(0, 1, 5), []),
    "eye": (lambda: tf.eye(2, 3), lambda: np.eye(2, 3), []),
    "one_hot": (lambda x: tf.one_hot(x, 3), lambda x: (x[..., None] == np.arange(3)), [W]),
    "one_hot axis": (
        lambda x: tf.one_hot(x, 3, 5.0, -1.0, axis=0),
        lambda x: np.where(x[None] == np.arange(3)[:, None, None], 5, -1),
        [W],
    ),
    "reshape": (lambda x: tf.reshape(x, [4, -1]), lambda x: x.reshape(4, -1), [C]),
    "transpose": (tf.transpose, np.transpose, [C]),
    "transpose perm": (lambda x: tf.transpose(x, [1, 0, 2]), lambda x: x.transpose(1, 0, 2), [C]),
    "matrix_transpose": (tf.matrix_transpose, lambda x: x.swapaxes(-1, -2), [C]),
    "expand_dims": (lambda x: tf.expand_dims(x, 1), lambda x: x[:, None], [A]),
    "expand_dims last": (lambda x: tf.expand_dims(x, -1), lambda x: x[..., None], [A]),
    "squeeze": (tf.squeeze, np.squeeze, [A[None, :, None]]),
    "squeeze axis": (lambda x: tf.squeeze(x, [0]), lambda x: x[0], [A[None, :, None]]),
    "broadcast_to": (
        lambda x: tf.broadcast_to(x, [2, 3, 4]), lambda x: np.broadcast_to(x, (2, 3, 4)), [A]
    ),
    "reverse": (lambda x: tf.reverse(x, [1]), lambda x: x[:, ::-1], [A]),
    "concat": (lambda x, y: tf.concat([x, y], 1), lambda x, y: np.concatenate([x, y], 1), [A, B]),
    "stack": (lambda x, y: tf.stack([x, y], 1), lambda x, y: np.stack([x, y], 1), [A, B]),
    "unstack": (lambda x: tf.unstack(x, 4, 1)[2], lambda x: x[:, 2], [A]),
    "split": (lambda x: tf.split(x, 2, 1)[1], lambda x: x[:, 2:], [A]),
    "split sizes": (lambda x: tf.split(x, [1, -1], 1)[1], lambda x: x[:, 1:], [A]),
    "tile": (lambda x: tf.tile(x, [2, 3]), lambda x: np.tile(x, (2, 3)), [A]),
    "pad": (
        lambda x: tf.pad(x, [[1, 2], [0, 3]], constant_values=9),
        lambda x: np.pad(x, [[1, 2], [0, 3]], constant_values=9),
        [A],
    ),
    "pad reflect": (
        lambda x: tf.pad(x, [[1, 2], [2, 0]], "REFLECT"),
        lambda x: np.pad(x, [[1, 2], [2, 0]], "reflect"),
        [A],
    ),
    "pad symmetric": (
        lambda x: tf.pad(x, [[1, 2], [2, 0]], "symmetric"),
        lambda x: np.pad(x, [[1, 2], [2, 0]], "symmetric"),
        [A],
    ),
    "meshgrid": (
        lambda x, y: tf.meshgrid(x, y)[1], lambda x, y: np.meshgrid(x, y)[1], [A[0], A[:, 0]]
    ),
    "sequence_mask": (
        lambda x: tf.sequence_mask(x, 6), lambda x: np.arange(6) < x[..., None], [J]
    ),
    # parts
    "getitem": (lambda x: x[1, :, ::-1], lambda x: x[1, :, ::-1], [C]),
    "getitem dots": (
        lambda x: x[..., None, 3:0:-2, tf.newaxis], lambda x: x[..., None, 3:0:-2, None], [C]
    ),
    "getitem tensors": (
        lambda x, y: x[y[0, 0] : y[0, 0] + 2, y[0, 1]], lambda x, y: x[1:3, 2],
        [A, np.array([[1, 2]])],
    ),
    "getitem empty": (lambda x: x[2:2], lambda x: x[2:2], [A]),
    "slice": (lambda x: tf.slice(x, [1, 0], [2, -1]), lambda x: x[1:3], [A]),
    "strided_slice": (
        lambda x: tf.strided_slice(x, [0, 1], [3, 4], [2, 1]), lambda x: x[0:3:2, 1:4], [A]
    ),
    "gather": (lambda x, y: tf.gather(x, y), lambda x, y: x[y], [A, J % 3]),
    "gather axis": (
        lambda x, y: tf.gather(x, y, axis=1), lambda x, y: np.take(x, y, 1), [C, J % 3]
    ),
    "gather_nd": (
        lambda x, y: tf.gather_nd(x, y), lambda x, y: x[y[..., 0], y[..., 1]],
        [C, np.array([[0, 1], [1, 2]])],
    ),
    "scatter_nd": (
        lambda x: tf.scatter_nd([[1], [3], [1]], x, [5, 4]),
        lambda x: np.stack([x[0] * 0, x[0] + x[2], x[0] * 0, x[1], x[0] * 0]),
        [A],
    ),
    "unsorted_segment_sum": (
        lambda x: tf.unsorted_segment_sum(x, [1, 0, 1], 3),
        lambda x: np.stack([x[1], x[0] + x[2], x[0] * 0]),
        [A],
    ),
    "where": (tf.where, np.where, [T, A, B]),
    "where of rows": (
        lambda x, y: tf.where([True, False, True], x, y),
        lambda x, y: np.where(np.array([[True], [False], [True]]), x, y),
        [A, B],
    ),
    "where positions": (tf.where, np.argwhere, [T]),
    "boolean_mask": (tf.boolean_mask, lambda x, mask: x[mask], [A, T]),
    "boolean_mask rows": (
        tf.boolean_mask, lambda x, mask: x[mask], [A, np.array([True, False, True])]
    ),
    "unique": (
        lambda x: tf.unique(x)[0], lambda x: np.array([4, 2, 3]), [np.array([4, 2, 4, 3, 2])]
    ),
    "unique places": (
        lambda x: tf.unique(x)[1], lambda x: np.array([0, 1, 0, 2, 1]), [np.array([4, 2, 4, 3, 2])]
    ),
    # nn
    "relu": (tf.nn.relu, lambda x: np.maximum(x, 0), [A]),
    "relu6": (tf.nn.relu6, lambda x: np.clip(x, 0, 6), [A * 6]),
    "elu": (tf.nn.elu, lambda x: np.where(x > 0, x, np.expm1(x)), [A]),
    "selu": (
        tf.nn.selu,
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
        [A],
    ),
    "leaky_relu": (tf.nn.leaky_relu, lambda x: np.where(x > 0, x, 0.2 * x), [A]),
    "crelu": (tf.nn.crelu, lambda x: np.maximum(np.concatenate([x, -x], -1), 0), [A]),
    "swish": (tf.nn.swish, lambda x: x * sigmoid(x), [A]),
    "softmax": (tf.nn.softmax, lambda x: S, [A]),
    "softmax axis": (lambda x: tf.nn.softmax(x, 0), lambda x: np.exp(x) / np.exp(x).sum(0), [A]),
    "log_softmax": (tf.nn.log_softmax, lambda x: np.log(S), [A]),
    "bias_add": (tf.nn.bias_add, np.add, [C, A[0]]),
    "xw_plus_b": (tf.nn.xw_plus_b, lambda x, w, b: x @ w + b, [A, B.T, A[0, :3]]),
    "l2_loss": (tf.nn.l2_loss, lambda x: (x**2).sum() / 2, [A]),
    "moments": (lambda x: tf.nn.moments(x, [0])[1], lambda x: x.var(0), [A]),
    "zero_fraction": (tf.nn.zero_fraction, lambda x: (x == 0).mean(), [W]),
    "batch_normalization": (
        lambda x, m, v: tf.nn.batch_normalization(x, m, v, 0.5, 2.0, 1e-3),
        lambda x, m, v: (x - m) / np.sqrt(v + 1e-3) * 2 + 0.5,
        [A, B[0], P[0]],
    ),
    "embedding_lookup": (tf.nn.embedding_lookup, lambda x, y: x[y], [A, J % 3]),
    "in_top_k": (
        lambda x: tf.nn.in_top_k(x, [0, 1, 2], 2),
        lambda x: np.array([n in np.argsort(-row)[:2] for n, row in enumerate(x)]),
        [A],
    ),
    "top_k": (lambda x: tf.nn.top_k(x, 2)[0], lambda x: -np.sort(-x)[:, :2], [A]),
    "top_k places": (lambda x: tf.nn.top_k(x, 2).indices, lambda x: np.argsort(-x)[:, :2], [A]),
    "softmax_cross_entropy": (
        lambda x, y: tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x),
        lambda x, y: -(y * np.log(S)).sum(-1),
        [A, S],
    ),
    "sparse_softmax_cross_entropy": (
        lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 3, 1], logits=x),
        lambda x: -np.log(S)[[0, 1, 2], [0, 3, 1]],
        [A],
    ),
    "sigmoid_cross_entropy": (
        lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x),
        lambda x, y: -y * np.log(sigmoid(x)) - (1 - y) * np.log(sigmoid(-x)),
        [A, S],
    ),
    "weighted_cross_entropy": (
        lambda x, y: tf.nn.weighted_cross_entropy_with_logits(y, x, 3.0),
        lambda x, y: -3 * y * np.log(sigmoid(x)) - (1 - y) * np.log(sigmoid(-x)),
        [A, S],
    ),
    "mean_squared_error": (
        tf.losses.mean_squared_error, lambda x, y: ((x - y) ** 2).mean(), [A, B]
    ),
    "weighted loss": (
        lambda x, y: tf.losses.absolute_difference(x, y, weights=[[1.0], [0.0], [2.0]]),
        lambda x, y: (np.abs(x - y) * [[1], [0], [2]]).sum() / 8,
        [A, B],
    ),
    "log_loss": (
        tf.losses.log_loss, lambda y, p: -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(),
        [S, S.clip(0.01, 0.99)],
    ),
    "huber_loss": (
        tf.losses.huber_loss,
        lambda y, p: np.where(abs(y - p) < 1, (y - p) ** 2 / 2, abs(y - p) - 0.5).mean(),
        [A, B],
    ),
    "losses.softmax_cross_entropy": (
        tf.losses.softmax_cross_entropy, lambda y, x: -(y * np.log(S)).sum(-1).mean(), [S, A]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("known", ["known", "rows unknown", "unknown"])
def test_values_and_shapes(name, known):
    build, meaning, arrays = CASES[name]
    shapes = {
        "known": lambda one: one.shape,
        "rows unknown": lambda one: (None, *one.shape[1:]),
        "unknown": lambda one: None,
    }
    inputs = [tf.placeholder(one.dtype, shapes[known](one)) for one in arrays]
    try:
        result = build(*inputs)
    except ValueError:
        assert known == "unknown"  # a few need to know the number of dimensions
        return
    expected = np.asarray(meaning(*arrays))
    assert compatible(result.static, expected.shape)
    if known == "known" and name not in UNKNOWABLE:
        assert result.shape.is_fully_defined()
    with tf.Session() as session:
        for _ in range(3 if known == "known" else 1):  # at once, captured, replayed
            found = session.run(result, dict(zip(inputs, arrays, strict=True)))
            assert np.asarray(found).dtype == result.dtype.as_numpy_dtype
            assert np.shape(found) == expected.shape
            np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


# Their shapes depend on values.
UNKNOWABLE = {
    "getitem tensors", "where positions", "boolean_mask", "boolean_mask rows", "unique",
}  # fmt: skip


def test_float64_is_computed_in_float64():
    x = tf.placeholder(tf.float64, [3])
    array = np.array([0.1, 0.2, 0.3])
    with tf.Session() as session:
        found = session.run(tf.exp(x) * 0.1 + 1 / x, {x: array})
    np.testing.assert_allclose(found, np.exp(array) * 0.1 + 1 / array, rtol=1e-14)


def test_constants_of_all_kinds():
    with tf.Session() as session:
        for value, dtype, kind in [
            (1, None, np.int32),
            (2**40, None, np.int64),
            (1.5, None, np.float32),
            (True, None, np.bool_),
            (np.float64(1.5), None, np.float64),
            (np.arange(3), None, np.int64),
            ([1, 2.5], None, np.float32),
            ([1, 2], tf.float16, np.float16),
            (np.array([1.9]), tf.float32, np.float32),
        ]:
            found = session.run(tf.constant(value, dtype))
            assert np.asarray(found).dtype == kind
            np.testing.assert_allclose(found, np.asarray(value, kind))
        assert session.run(tf.constant([1, 2], shape=[2, 2])).tolist() == [[1, 2], [2, 2]]
        assert session.run(tf.constant([1.5], tf.bfloat16)).dtype == np.float32


def test_lists_that_hold_tensors_are_packed():
    x = tf.constant(2.0)
    with tf.Session() as session:
        assert session.run(tf.convert_to_tensor([[1.0, x], [x * 2, 5.0]])).tolist() == [
            [1, 2],
            [4, 5],
        ]
        assert session.run(tf.constant(3.0) * [1.0, 2.0]).tolist() == [3, 6]
        assert session.run(np.ones(2) * tf.ones(2)).tolist() == [1, 1]


def test_random_numbers_are_distributed_as_they_should():
    shape, scalar = [200, 100], [20000]
    with tf.Session() as session:
        normal, uniform, cut, whole, shuffled, chosen = session.run(
            [
                tf.random_normal(shape, 2.0, 3.0, seed=1),
                tf.random_uniform(shape, -1.0, 3.0, seed=1),
                tf.truncated_normal(shape, 1.0, 0.5, seed=1),
                tf.random_uniform(scalar, 2, 6, tf.int32, seed=1),
                tf.random_shuffle(tf.range(100), seed=1),
                tf.multinomial(tf.log([[0.5, 0.2, 0.3]]), 20000, seed=1),
            ]
        )
    assert abs(normal.mean() - 2) < 0.1
    assert abs(normal.std() - 3) < 0.1
    assert -1 <= uniform.min() < -0.99
    assert 2.99 < uniform.max() < 3
    assert abs(cut.mean() - 1) < 0.02
    assert abs(cut.std() - 0.5 * 0.8796) < 0.01
    assert cut.min() >= 0
    assert cut.max() <= 2
    assert np.allclose(np.bincount(whole) / 20000, [0, 0, 0.25, 0.25, 0.25, 0.25], atol=0.02)
    assert sorted(shuffled) == list(range(100))
    assert np.allclose(np.bincount(chosen[0]) / 20000, [0.5, 0.2, 0.3], atol=0.02)


def test_dropout_keeps_the_mean():
    x, keep = tf.ones([100, 100]), tf.placeholder(tf.float32)
    dropped, same = tf.nn.dropout(x, keep, seed=1), tf.nn.dropout(x, 1.0)
    by_row = tf.nn.dropout(x, rate=0.5, noise_shape=[100, 1], seed=1)
    training = tf.placeholder(tf.bool)
    layer = tf.layers.dropout(x, 0.25, training=training, seed=1)
    assert same is x
    with tf.Session() as session:
        for share in (0.5, 0.8):
            found = session.run(dropped, {keep: share})
            assert set(np.unique(found)) == {0, np.float32(1) / np.float32(share)}
            assert abs(found.mean() - 1) < 0.05
        rows = session.run(by_row)
        assert all(len(set(one)) == 1 for one in rows)
        assert session.run(layer, {training: False}).min() == 1
        assert abs((session.run(layer, {training: True}) == 0).mean() - 0.25) < 0.03


def test_the_modules_of_later_versions_hold_the_same_functions():
    assert tf.math.log is tf.log
    assert tf.math.reduce_sum is tf.reduce_sum
    assert tf.random.normal is tf.random_normal
    assert tf.linalg.inv is tf.matrix_inverse
    assert tf.initializers.zeros is tf.zeros_initializer
