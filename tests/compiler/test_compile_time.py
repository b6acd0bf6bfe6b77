"""What keeps compiling quick, told by its structure and not by the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flambeau.compiler import schedule
from flambeau.core.settings import settings
from flambeau.graph.node import Node
from flambeau.ops.exponential import exp
from flambeau.ops.matmul import matmul
from flambeau.ops.shape import permute, reshape
from flambeau.runtime import kernel_cache
from flambeau.runtime.kernel_cache import KernelCache, kernels
from flambeau.runtime.llvm import machine
from ops.harness import forget_recording, leaf, stored_value

PATIENCE = 30  # seconds: only a failing test waits so long


def constant(value: int) -> Callable[[str], str]:
    return lambda name: f"define i64 @{name}() {{\n ret i64 {value}\n}}"


@pytest.fixture
def several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "threads", 2)


@pytest.mark.usefixtures("several_threads")
def test_the_kernels_of_a_plan_are_compiled_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2)
    compile_module = machine.compile_module

    def wait_for_another(text: str) -> bytes:
        together.wait(PATIENCE)
        return compile_module(text)

    monkeypatch.setattr(machine, "compile_module", wait_for_another)
    cache = KernelCache(tmp_path, 1 << 20)
    assert len(set(cache.get_many([(str(n), constant(n)) for n in range(4)]))) == 4
    assert cache.counters.compiled == 4


@pytest.mark.usefixtures("several_threads")
def test_a_kernel_is_compiled_while_the_next_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    compile_module = machine.compile_module

    def tell(text: str) -> bytes:
        begun.set()
        return compile_module(text)

    def write_late(name: str) -> str:
        assert begun.wait(PATIENCE)
        return constant(1)(name)

    monkeypatch.setattr(machine, "compile_module", tell)
    KernelCache(tmp_path, 1 << 20).get_many([("first", constant(0)), ("second", write_late)])


@pytest.mark.usefixtures("several_threads")
def test_threads_compile_the_same_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_recording()
    texts: list[str] = []
    compile_module = machine.compile_module

    def note(text: str) -> bytes:
        texts.append(text)
        return compile_module(text)

    with monkeypatch.context() as patched:
        patched.setattr(kernels, "_addresses", {})
        patched.setattr(kernels, "folder", kernel_cache.KernelFolder(tmp_path, 1 << 20))
        patched.setattr(machine, "compile_module", note)
        stored_value(exp(matmul(leaf(np.ones((3, 4))), exp(leaf(np.ones((4, 5)))))))
    assert len(texts) > 1
    in_turn = [compile_module(text) for text in texts]
    assert kernel_cache._compile(iter(texts * 3), 3 * len(texts)) == in_turn * 3


@pytest.mark.parametrize("layers", [2, 8])
def test_the_number_of_attempts_does_not_grow_with_the_program(
    layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each layer has values that must be stored, which only building its kernels tells."""
    forget_recording()
    attempts = []

    class Counted(schedule._Scheduler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            attempts.append(self)

    monkeypatch.setattr(schedule, "_Scheduler", Counted)

    def layer(x: Node) -> Node:
        turned = reshape(permute(reshape(x, (4, 2, 6)), (0, 2, 1)), (6, 8))
        return reshape(
            permute(reshape(matmul(turned, leaf(np.ones((8, 8)))), (4, 2, 6)), (1, 0, 2)), (8, 6)
        )

    x: Node = leaf(np.ones((8, 6)))
    expected = np.ones((8, 6))
    for _ in range(layers):
        x = layer(x)
        expected = expected * 8
    np.testing.assert_array_equal(stored_value(x), expected)
    assert 1 < len(attempts) <= 3
