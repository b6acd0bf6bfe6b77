from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flambeau.core import settings


def test_defaults() -> None:
    found = settings.from_environment({})
    assert 1 <= found.threads <= (os.cpu_count() or 1)
    assert found.cache == Path.home() / ".cache" / "flambeau"
    assert not any((found.eager, found.verify, found.checked))


def test_each_can_be_set() -> None:
    found = settings.from_environment(
        {
            "FLAMBEAU_THREADS": "3",
            "FLAMBEAU_CACHE": "~/kernels",
            "FLAMBEAU_CACHE_BYTES": "1000",
            "FLAMBEAU_EAGER": "1",
            "FLAMBEAU_VERIFY": "true",
            "FLAMBEAU_CHECKED": "on",
            "FLAMBEAU_CPU": "x86-64-v3",
            "FLAMBEAU_LANES": "8",
            "FLAMBEAU_FLUSH_NODES": "10",
            "FLAMBEAU_FLUSH_BYTES": "20",
        }
    )
    expected = settings.Settings(
        3, Path.home() / "kernels", 1000, True, True, True, "x86-64-v3", 8, 10, 20
    )
    assert found == expected
    assert "FLAMBEAU_LANES=8" in found.show().splitlines()


def test_cache_follows_xdg() -> None:
    found = settings.from_environment({"XDG_CACHE_HOME": "/var/tmp/cache"})
    assert found.cache == Path("/var/tmp/cache/flambeau")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FLAMBEAU_THREADS", "0"),
        ("FLAMBEAU_THREADS", "many"),
        ("FLAMBEAU_CACHE_BYTES", "-1"),
        ("FLAMBEAU_EAGER", "2"),
        ("FLAMBEAU_CPU", "z80"),
        ("FLAMBEAU_LANES", "3"),
        ("FLAMBEAU_FLUSH_NODES", "1.5"),
    ],
)
def test_bad_value_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{variable} must be .* got '{value}'"):
        settings.from_environment({variable: value})


def test_importing_the_runtime_does_not_load_llvm() -> None:
    code = (
        "import sys, flambeau.runtime.cpu.executor, flambeau.runtime.buffers;"
        "sys.exit('llvmlite' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
