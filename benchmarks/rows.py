"""Times elementwise and row kernels beside PyTorch, torch.compile and JAX, in turns.

python benchmarks/rows.py [--only NAME ...] [--rounds 9] [--threads 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import flambeau
from flambeau.cli.bench.programs import Iteration
from flambeau.cli.bench.timing import medians
from flambeau.engine.explain import explain
from flambeau.engine.speed import bandwidth, measure_speed

OURS = ("as it stands", "captured")
PEERS = ("PyTorch", "torch.compile", "JAX")
ROWS, COLUMNS = 4096, 1024
Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """A function of tensors in PyTorch's words and in JAX's, and what it is given.

    With `backward`, the sum of its results (a loss as it is) is differentiated by the first inputs.
    """

    function: Callable[[ModuleType], Function]
    jax: Function
    inputs: Callable[[], list[Array]]
    backward: int = 0


# ------------------------------------------------------------------ what is computed


def chain(package: ModuleType) -> Function:
    def function(x: Any, y: Any) -> Any:
        return (package.sigmoid(x) * y + package.exp(-x * x) + package.log1p(y * y)).sum()

    return function


def chain_jax(x: Any, y: Any) -> Any:
    return (jax.nn.sigmoid(x) * y + jnp.exp(-x * x) + jnp.log1p(y * y)).sum()


def layer_norm_gelu(package: ModuleType) -> Function:
    functional = package.nn.functional
    return lambda x, w, b: functional.gelu(functional.layer_norm(x, w.shape, w, b))


def layer_norm(package: ModuleType) -> Function:
    return lambda x, w, b: package.nn.functional.layer_norm(x, w.shape, w, b)


def layer_norm_jax(x: Any, weight: Any, bias: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt(variance + 1e-5) * weight + bias


def rms_norm(package: ModuleType) -> Function:
    return lambda x, w: package.nn.functional.rms_norm(x, w.shape, w)


def rms_norm_jax(x: Any, weight: Any) -> Any:
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1.1920929e-07) * weight


def cross_entropy_jax(logits: Any, target: Any) -> Any:
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), target[:, None], 1)
    return -picked.mean()


def method(name: str, *arguments: Any) -> Callable[[ModuleType], Function]:
    return lambda package: lambda x: getattr(x, name)(*arguments)


def functional(name: str, *arguments: Any) -> Callable[[ModuleType], Function]:
    return lambda package: lambda *x: getattr(package.nn.functional, name)(*x, *arguments)


def elementwise(name: str) -> Case:
    return Case(
        lambda package: getattr(package, name),
        {"erf": jax.scipy.special.erf}.get(name) or getattr(jnp, name),
        lambda: normal(ROWS, COLUMNS),
    )


def dropout_jax(x: Any) -> Any:
    keep = jax.random.bernoulli(jax.random.key(0), 0.5, x.shape)
    return jnp.where(keep, x * 2.0, 0.0)


# ------------------------------------------------------------------ what it is given


def normal(*shape: int) -> list[Array]:
    return [np.random.default_rng(0).standard_normal(shape, np.float32)]


def with_rows(count: int) -> list[Array]:
    """A matrix and `count` vectors as long as its rows."""
    return normal(ROWS, COLUMNS) + [one for _ in range(count) for one in normal(COLUMNS)]


def logits() -> list[Array]:
    generator = np.random.default_rng(0)
    return [*normal(1024, 32000), generator.integers(0, 32000, 1024)]


def embedding_inputs() -> list[Array]:
    return [np.random.default_rng(0).integers(0, 8192, 8192), *normal(8192, 512)]


def matrix() -> list[Array]:
    return normal(ROWS, COLUMNS)


CASES: dict[str, Case] = {
    "chain of 4 M, summed": Case(chain, chain_jax, lambda: normal(1 << 22) * 2),
    "softmax": Case(functional("softmax", -1), jax.nn.softmax, matrix),
    "softmax, backward": Case(
        lambda package: lambda x: (package.nn.functional.softmax(x, -1) ** 2).sum(),
        lambda x: (jax.nn.softmax(x) ** 2).sum(),
        matrix,
        1,
    ),
    "log_softmax": Case(functional("log_softmax", -1), jax.nn.log_softmax, matrix),
    "layer norm + gelu": Case(
        layer_norm_gelu,
        lambda *x: jax.nn.gelu(layer_norm_jax(*x), approximate=False),
        lambda: with_rows(2),
    ),
    "layer norm": Case(layer_norm, layer_norm_jax, lambda: with_rows(2)),
    "layer norm, backward": Case(
        lambda package: lambda *x: (layer_norm(package)(*x) ** 2).sum(),
        lambda *x: (layer_norm_jax(*x) ** 2).sum(),
        lambda: with_rows(2),
        3,
    ),
    "RMS norm": Case(rms_norm, rms_norm_jax, lambda: with_rows(1)),
    "RMS norm, backward": Case(
        lambda package: lambda *x: (rms_norm(package)(*x) ** 2).sum(),
        lambda *x: (rms_norm_jax(*x) ** 2).sum(),
        lambda: with_rows(1),
        2,
    ),
    "cross entropy": Case(functional("cross_entropy"), cross_entropy_jax, logits),
    "cross entropy, backward": Case(functional("cross_entropy"), cross_entropy_jax, logits, 1),
    "row sums": Case(method("sum", -1), lambda x: x.sum(-1), matrix),
    "row maxima": Case(method("amax", -1), lambda x: x.max(-1), matrix),
    "column sums": Case(method("sum", 0), lambda x: x.sum(0), matrix),
    "column means of long rows": Case(
        method("mean", 0), lambda x: x.mean(0), lambda: normal(64, 1 << 16)
    ),
    "sum of 16 M": Case(method("sum"), lambda x: x.sum(), lambda: normal(1 << 24)),
    "maximum of 4 M": Case(method("max"), lambda x: x.max(), lambda: normal(1 << 22)),
    "sums of short rows": Case(method("sum", -1), lambda x: x.sum(-1), lambda: normal(1 << 19, 8)),
    "softmax of short rows": Case(
        functional("softmax", -1), jax.nn.softmax, lambda: normal(1 << 18, 16)
    ),
    "add rows": Case(lambda package: lambda x, b: x + b, lambda x, b: x + b, lambda: with_rows(1)),
    "add columns": Case(
        lambda package: lambda x, b: x + b,
        lambda x, b: x + b,
        lambda: [*matrix(), *normal(ROWS, 1)],
    ),
    "transposed copy": Case(
        lambda package: lambda x: x.t().contiguous(), lambda x: x.T + 0, lambda: normal(2048, 2048)
    ),
    "heads to the front": Case(
        lambda package: lambda x: x.permute(0, 2, 1, 3).contiguous(),
        lambda x: x.transpose(0, 2, 1, 3) + 0,
        lambda: normal(16, 256, 16, 64),
    ),
    "channels last": Case(
        lambda package: lambda x: x.permute(0, 2, 3, 1).contiguous(),
        lambda x: x.transpose(0, 2, 3, 1) + 0,
        lambda: normal(16, 64, 64, 64),
    ),
    "add transposed": Case(
        lambda package: lambda x: x + x.t(), lambda x: x + x.T, lambda: normal(2048, 2048)
    ),
    "embedding": Case(functional("embedding"), lambda index, table: table[index], embedding_inputs),
    "dropout": Case(functional("dropout", 0.5), dropout_jax, matrix),
    "gelu": Case(functional("gelu"), lambda x: jax.nn.gelu(x, approximate=False), matrix),
    **{name: elementwise(name) for name in ("exp", "log1p", "tanh", "erf", "sin", "cos")},
    "sigmoid": Case(functional("sigmoid"), jax.nn.sigmoid, matrix),
    "log": Case(lambda package: lambda x: (x * x).log(), lambda x: jnp.log(x * x), matrix),
    "add": Case(
        lambda package: lambda x, y: x + y, lambda x, y: x + y, lambda: [*matrix(), *matrix()]
    ),
    "small add": Case(
        lambda package: lambda x, y: x + y, lambda x, y: x + y, lambda: normal(64, 64) * 2
    ),
    "small softmax": Case(functional("softmax", -1), jax.nn.softmax, lambda: normal(64, 64)),
}


# ------------------------------------------------------------------ how it is called


def with_gradients(package: ModuleType, function: Function, backward: int) -> Function:
    """The result and the gradients of the first inputs."""
    if not backward:
        return function

    def both(*inputs: Any) -> tuple[Any, ...]:
        result = function(*inputs)
        return (result.detach(), *package.autograd.grad(result, inputs[:backward]))

    return both


def tensors(package: ModuleType, case: Case) -> list[Any]:
    # Copies: what shares memory with NumPy is computed at once.
    inputs = [package.tensor(one) for one in case.inputs()]
    for one in inputs[: case.backward]:
        one.requires_grad_()
    return inputs


def looked_at(function: Function, inputs: Sequence[Any]) -> Iteration:
    """A call and a look at its first result, which computes all."""

    def call() -> Any:
        results = function(*inputs)
        return (results[0] if isinstance(results, tuple) else results).numpy()

    return call


def tape(package: ModuleType, case: Case, *, captured: bool = False) -> Iteration:
    """The case in flambeau or PyTorch."""
    function = case.function(package)
    if captured and package is torch:
        # What backward runs is compiled with it.
        function = torch.compile(function)
    function = with_gradients(package, function, case.backward)
    if captured and package is flambeau:
        function = flambeau.compile(function)
    return looked_at(function, tensors(package, case))


def with_jax(case: Case) -> Iteration:
    function = case.jax
    if case.backward:
        function = jax.value_and_grad(function, argnums=tuple(range(case.backward)))
    compiled, inputs = jax.jit(function), [jnp.asarray(one) for one in case.inputs()]
    return lambda: jax.block_until_ready(compiled(*inputs))


def calls(case: Case) -> dict[str, Iteration]:
    return {
        "as it stands": tape(flambeau, case),
        "captured": tape(flambeau, case, captured=True),
        "PyTorch": tape(torch, case),
        "torch.compile": tape(torch, case, captured=True),
        "JAX": with_jax(case),
    }


def floors(case: Case) -> dict[str, float]:
    """Microseconds: each input read and each result written once; operations at full speed."""
    inputs = tensors(flambeau, case)
    function = with_gradients(flambeau, case.function(flambeau), case.backward)
    with explain() as explanation:
        found = function(*inputs)
        results = found if isinstance(found, tuple) else (found,)
        flambeau.flush()
    moved = sum(one.numel() * one.element_size() for one in (*inputs, *results))
    operations = sum(kernel.operations for plan in explanation.plans for kernel in plan.kernels)
    return {
        "bytes": moved / bandwidth(moved) * 1e6,
        "operations": operations / measure_speed().operations * 1e6,
    }


# ------------------------------------------------------------------ the table


def show(results: dict[str, dict[str, float]], title: str) -> None:
    table = Table(title=title)
    for heading in ("", *OURS, *PEERS, "floor", "ratio", "captured ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in results.items():
        best = min(row[peer] for peer in PEERS)
        table.add_row(
            name,
            *[f"{row[one]:,.0f}" for one in (*OURS, *PEERS)],
            f"{max(row['bytes'], row['operations']):,.0f}",
            f"{row['PyTorch'] / row['as it stands']:.2f}",
            f"{best / row['captured']:.2f}",
        )
    Console(width=120).print(table)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", nargs="*", default=[""], help="cases whose names start so")
    options.add_argument("--rounds", type=int, default=9, help="measurements (%(default)s)")
    options.add_argument("--threads", type=int, default=2, help="for all but JAX (%(default)s)")
    options.add_argument("--json", type=Path, help="write the figures to this file")
    given = options.parse_args()
    for package in (flambeau, torch):
        package.set_num_threads(given.threads)
    results = {}
    for name, case in CASES.items():
        if name.startswith(tuple(given.only)):
            times = medians(calls(case), given.rounds)
            results[name] = {kind: one * 1e6 for kind, one in times.items()} | floors(case)
    show(results, f"Microseconds, medians of {given.rounds} rounds, {given.threads} thread(s)")
    if given.json:
        report = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "flambeau": flambeau.__version__,
            "torch": torch.__version__,
            "jax": jax.__version__,
            "threads": given.threads,
            "microseconds": results,
        }
        given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
