"""`tf.layers`: layers that make their own variables. Convolution and pooling come later."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flambeau.tf1.arrays import reshape, shape
from flambeau.tf1.building import apply, convert_to_tensor
from flambeau.tf1.dtypes import as_dtype
from flambeau.tf1.elementwise import multiply
from flambeau.tf1.graph import Tensor, as_tensor
from flambeau.tf1.initializers import Zeros
from flambeau.tf1.nn.basic import bias_add, l2_loss
from flambeau.tf1.nn.basic import dropout as drop
from flambeau.tf1.products import matmul, tensordot
from flambeau.tf1.scopes import VariableScope, get_variable, variable_scope
from flambeau.tf1.slicing import SELECT
from flambeau.tf1.variables import Variable

Activation = Callable[[Tensor], Tensor]


class Dense:
    """`activation(inputs @ kernel + bias)` over the last dimension.

    >>> import flambeau.tf1 as tf
    >>> layer = tf.layers.Dense(4)
    >>> layer(tf.zeros([2, 3])).shape.as_list(), layer.kernel.shape.as_list()
    ([2, 4], [3, 4])
    """

    def __init__(
        self,
        units: int,
        activation: Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
        _scope: Any = None,
        _reuse: Any = None,
        **_named: Any,
    ) -> None:
        self.units = int(units)
        self.activation = activation
        self.use_bias = use_bias
        self.trainable = trainable
        self.name = name
        self.dtype = dtype
        self._initializers = kernel_initializer, bias_initializer or Zeros()
        self._regularizers = kernel_regularizer, bias_regularizer
        self._reuse = _reuse
        self._scope: VariableScope | str | None = _scope or name
        self._built = False
        self.kernel: Any = None
        self.bias: Any = None

    def _build(self, inputs: Tensor) -> None:
        static = inputs.static
        if static is None or not static or static[-1] is None:
            raise ValueError(
                f"The last dimension of the inputs to `Dense` should be defined. Found {inputs}."
            )
        kind = inputs.dtype if self.dtype is None else as_dtype(self.dtype)
        self.kernel = get_variable(
            "kernel",
            [static[-1], self.units],
            kind,
            self._initializers[0],
            self._regularizers[0],
            self.trainable,
        )
        if self.use_bias:
            start, regularizer = self._initializers[1], self._regularizers[1]
            self.bias = get_variable("bias", [self.units], kind, start, regularizer, self.trainable)
        self._built = True

    @property
    def trainable_variables(self) -> list[Variable]:
        """The kernel and the bias."""
        return [one for one in (self.kernel, self.bias) if one is not None and self.trainable]

    variables = weights = trainable_weights = trainable_variables

    def __call__(self, inputs: Any, **_named: Any) -> Tensor:
        x = convert_to_tensor(inputs)
        with variable_scope(self._scope, default_name="dense", reuse=self._reuse) as scope:
            if not self._built:
                self._build(x)
                self._scope = scope
            product = matmul if x.static is not None and len(x.static) == 2 else _last_product
            result = product(x, self.kernel)
            if self.bias is not None:
                result = bias_add(result, self.bias)
            return result if self.activation is None else self.activation(result)

    apply = __call__


def _last_product(x: Tensor, kernel: Any) -> Tensor:
    return tensordot(x, kernel, 1)


def dense(
    inputs: Any,
    units: int,
    activation: Activation | None = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    kernel_regularizer: Any = None,
    bias_regularizer: Any = None,
    activity_regularizer: Any = None,
    kernel_constraint: Any = None,
    bias_constraint: Any = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
) -> Tensor:
    """`activation(inputs @ kernel + bias)`, with new variables, or known ones if `reuse` is set.

    >>> import flambeau.tf1 as tf
    >>> tf.layers.dense(tf.zeros([2, 3]), 5, activation=tf.nn.relu).shape.as_list()
    [2, 5]
    """
    layer = Dense(
        units,
        activation,
        use_bias,
        kernel_initializer,
        bias_initializer,
        kernel_regularizer,
        bias_regularizer,
        trainable=trainable,
        name=name,
        _reuse=reuse,
    )
    return layer(inputs)


def dropout(
    inputs: Any,
    rate: float = 0.5,
    noise_shape: Any = None,
    seed: int | None = None,
    training: Any = False,
    name: str | None = None,
) -> Tensor:
    """`tf.nn.dropout` where `training` (a bool, or a tensor) is true; else the inputs."""
    x = convert_to_tensor(inputs)
    condition = as_tensor(training)
    if condition is None:
        return drop(x, rate=rate, noise_shape=noise_shape, seed=seed, name=name) if training else x
    dropped = drop(x, rate=rate, noise_shape=noise_shape, seed=seed, name=name)
    return apply(SELECT, condition, dropped, x, dtype=x.dtype)


def flatten(inputs: Any, name: str | None = None, data_format: str = "channels_last") -> Tensor:
    """All dimensions but the first made one."""
    x = convert_to_tensor(inputs)
    if x.static is None:
        raise ValueError(f"flatten: the number of dimensions of {x} is not known")
    rest = x.static[1:]
    if None not in rest:
        return reshape(x, [-1, math.prod(rest)], name=name or "flatten")
    return reshape(x, [shape(x)[0], -1], name=name or "flatten")


def l2_regularizer(scale: float) -> Callable[[Any], Tensor]:
    """A regularizer: half the sum of the squares, times `scale`."""
    return lambda weights: multiply(l2_loss(weights), scale)
