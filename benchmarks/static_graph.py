"""The tutorial's static graph beside the same step recorded and captured, in turns in one process.

For example: python benchmarks/static_graph.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

import flambeau
import flambeau.tf1 as tf
from flambeau.runtime.cpu.executor import Program

N, D_IN, H, D_OUT = 64, 1000, 100, 10
RATE = 1e-6

Call = Callable[[], Any]


def arrays() -> list[np.ndarray]:
    """Inputs, targets and the first weights."""
    source = np.random.RandomState(0)
    shapes = [(N, D_IN), (N, D_OUT), (D_IN, H), (H, D_OUT)]
    return [source.randn(*one).astype(np.float32) for one in shapes]


def static(fetched: bool) -> Call:
    """A run of the graph; with `fetched` the new weights come back too, as in the tutorial."""
    x_value, y_value, *starts = arrays()
    x = tf.placeholder(tf.float32, shape=(None, D_IN))
    y = tf.placeholder(tf.float32, shape=(None, D_OUT))
    w1, w2 = (tf.Variable(one) for one in starts)
    h_relu = tf.maximum(tf.matmul(x, w1), tf.zeros(1))
    loss = tf.reduce_sum((y - tf.matmul(h_relu, w2)) ** 2.0)
    grads = tf.gradients(loss, [w1, w2])
    updates = [w.assign(w - RATE * grad) for w, grad in zip((w1, w2), grads, strict=True)]
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    fetches = [loss, *(updates if fetched else [one.op for one in updates])]
    return lambda: session.run(fetches, feed_dict={x: x_value, y: y_value})


def dynamic() -> Call:
    """The same step in PyTorch's style, captured; the loss comes back as a number."""
    x_value, y_value, *starts = arrays()
    x, y = flambeau.tensor(x_value), flambeau.tensor(y_value)
    w1, w2 = (flambeau.tensor(one, requires_grad=True) for one in starts)

    @flambeau.compile
    def step(x: flambeau.Tensor, y: flambeau.Tensor) -> flambeau.Tensor:
        h = x @ w1
        loss = ((y - flambeau.where(h < 0, 0.0, h) @ w2) ** 2.0).sum()
        w1.grad = w2.grad = None
        loss.backward()
        with flambeau.no_grad():
            w1.sub_(RATE * w1.grad)
            w2.sub_(RATE * w2.grad)
        return loss.detach()

    return lambda: step(x, y).item()


def overhead() -> Call:
    """A run with a feed, a variable and hardly any work: what a run costs beside its kernels."""
    a = tf.placeholder(tf.float32, [None])
    v = tf.Variable(tf.zeros([4]))
    total = tf.reduce_sum(v.assign_add(a))
    session = tf.Session()
    session.run(v.initializer)
    value = np.ones(4, np.float32)
    return lambda: session.run(total, {a: value})


def kernels_of(call: Call) -> Call:
    """The kernels alone of what a call runs."""
    seen: list[tuple[Program, list[int]]] = []
    run = Program.run

    def spy(program: Program, slots: list[int]) -> Any:
        seen.append((program, list(slots)))
        return run(program, slots)

    Program.run = spy  # type: ignore[method-assign, assignment]
    try:
        kept = call()
    finally:
        Program.run = run  # type: ignore[method-assign]
    ((program, slots),) = seen
    # `kept` holds the memory that the slots name.
    return lambda: (run(program, slots), kept)


def seconds(call: Call, count: int) -> float:
    """The time of one call."""
    started = perf_counter()
    for _ in range(count):
        call()
    return (perf_counter() - started) / count


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=41)
    rounds = options.parse_args().rounds
    small = overhead()
    calls = {
        "captured, PyTorch's style": (dynamic(), 50),
        "static graph, weights fetched": (static(True), 50),
        "static graph, loss fetched": (static(False), 50),
        "a small run": (small, 500),
        "its kernels": (kernels_of(small), 500),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call, count in calls.values():
        seconds(call, count)
    for _ in range(rounds):
        for name, (call, count) in calls.items():
            times[name].append(seconds(call, count))
    found = {name: median(one) * 1e6 for name, one in times.items()}
    for name, microseconds in found.items():
        print(f"{name:32} {microseconds:8.1f} µs")
    captured, fetched, quick, run, kernels = found.values()
    ratios = f"{quick / captured:.3f}, with the weights {fetched / captured:.3f}"
    print(f"static over captured: {ratios}")
    print(f"a run costs {run - kernels:.1f} µs beside its kernels")


if __name__ == "__main__":
    main()
