"""JAX's versions of the programs that `flambeau bench` times, jitted, from the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from flambeau.cli.bench.programs import Iteration, Program, Row

Arrays = list[jax.Array]


def jax_iteration(row: Row, program: Program) -> Iteration:
    """The same iteration for JAX, from the values that `program` starts from."""
    return _MAKERS[row.name](_arrays(program.inputs), _arrays(program.weights))


def _arrays(tensors: Sequence[Any]) -> Arrays:
    # Copies, as JAX would share the memory that the program updates.
    return [jnp.array(np.array(tensor.detach().numpy())) for tensor in tensors]


# ---------------------------------------------------------------------------- training


def _training(step: Callable[..., Any], state: Any, inputs: Arrays) -> Iteration:
    """Repeats `state, loss = step(state, inputs)`, whose old state is given up."""
    jitted = jax.jit(step, donate_argnums=0)
    held = [state]

    def iteration() -> float:
        held[0], loss = jitted(held[0], *inputs)
        return float(loss)

    return iteration


def _sgd_by_hand(inputs: Arrays, weights: Arrays) -> Iteration:
    def loss(weights: Arrays, x: jax.Array, y: jax.Array) -> jax.Array:
        w1, w2 = weights
        return jnp.square(jnp.maximum(x @ w1, 0) @ w2 - y).sum()

    def step(weights: Arrays, x: jax.Array, y: jax.Array) -> tuple[Arrays, jax.Array]:
        value, gradients = jax.value_and_grad(loss)(weights, x, y)
        return [w - 1e-6 * g for w, g in zip(weights, gradients, strict=True)], value

    return _training(step, weights, inputs)


def _nn_adam(inputs: Arrays, weights: Arrays) -> Iteration:
    rate, beta1, beta2, epsilon = 1e-4, 0.9, 0.999, 1e-8

    def loss(weights: Arrays, x: jax.Array, y: jax.Array) -> jax.Array:
        *hidden, (matrix, bias) = zip(weights[::2], weights[1::2], strict=True)
        for one, its_bias in hidden:
            x = jnp.maximum(x @ one.T + its_bias, 0)
        return jnp.square(x @ matrix.T + bias - y).sum()

    def step(state: Any, x: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
        weights, firsts, seconds, count = state
        value, gradients = jax.value_and_grad(loss)(weights, x, y)
        count += 1
        pairs = list(zip(gradients, firsts, seconds, strict=True))
        firsts = [beta1 * m + (1 - beta1) * g for g, m, _ in pairs]
        seconds = [beta2 * v + (1 - beta2) * g * g for g, _, v in pairs]
        size = rate / (1 - beta1**count)
        scale = jnp.sqrt(1 - beta2**count)
        weights = [
            w - size * m / (jnp.sqrt(v) / scale + epsilon)
            for w, m, v in zip(weights, firsts, seconds, strict=True)
        ]
        return (weights, firsts, seconds, count), value

    firsts, seconds = ([jnp.zeros_like(one) for one in weights] for _ in range(2))
    return _training(step, (weights, firsts, seconds, jnp.float32(0)), inputs)


def _cross_entropy(inputs: Arrays, weights: Arrays) -> Iteration:
    (target,), (logits,) = inputs, weights

    def loss(logits: jax.Array, target: jax.Array) -> jax.Array:
        logarithms = jax.nn.log_softmax(logits, axis=1)
        return -jnp.take_along_axis(logarithms, target[:, None], axis=1).mean()

    jitted = jax.jit(jax.value_and_grad(loss))

    def iteration() -> tuple[float, Any]:
        value, gradient = jitted(logits, target)
        return float(value), np.asarray(gradient)

    return iteration


# ---------------------------------------------------------------------------- functions


def _function(function: Callable[..., jax.Array]) -> Callable[[Arrays, Arrays], Iteration]:
    def make(inputs: Arrays, _weights: Arrays) -> Iteration:
        jitted = jax.jit(function)
        return lambda: np.asarray(jitted(*inputs))

    return make


def _chain(x: jax.Array) -> jax.Array:
    return (jax.nn.sigmoid(x) * jnp.exp(-x * x) + jnp.log1p(jnp.abs(x))).sum()


def _softmax(x: jax.Array) -> jax.Array:
    return jax.nn.softmax(x, axis=1)


def _layer_norm_gelu(x: jax.Array, weight: jax.Array, bias: jax.Array) -> jax.Array:
    mean = x.mean(axis=1, keepdims=True)
    variance = jnp.square(x - mean).mean(axis=1, keepdims=True)
    normal = (x - mean) * jax.lax.rsqrt(variance + 1e-5) * weight + bias
    return jax.nn.gelu(normal, approximate=False)


_MAKERS: dict[str, Callable[[Arrays, Arrays], Iteration]] = {
    "tutorial_sgd": _sgd_by_hand,
    "tutorial_adam": _nn_adam,
    "tiny_adam": _nn_adam,
    "wide_adam": _nn_adam,
    "chain": _function(_chain),
    "softmax": _function(_softmax),
    "layer_norm_gelu": _function(_layer_norm_gelu),
    "cross_entropy": _cross_entropy,
}
