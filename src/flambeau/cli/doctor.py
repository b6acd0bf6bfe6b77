"""`flambeau doctor`: what this machine offers, and whether flambeau works on it."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
from rich.console import Console
from rich.table import Table

import flambeau
from flambeau.core.settings import settings, usable_cores
from flambeau.runtime.llvm import machine


@dataclass(frozen=True)
class Finding:
    """A line of the report; `well` is None for a plain fact."""

    name: str
    text: str
    well: bool | None = None


def examine() -> int:
    """Print all findings; 1 when one of them is bad."""
    findings = [*versions(), *processor(), cache_folder(settings.cache), gpu(), self_check()]
    table = Table(show_header=False, box=None)
    for finding in findings:
        mark = {None: "", True: "[green]ok", False: "[red]not ok"}[finding.well]
        table.add_row(finding.name, finding.text, mark)
    Console().print(table)
    return int(any(finding.well is False for finding in findings))


def versions() -> list[Finding]:
    """Python and the libraries that compute."""
    implementation = f"{platform.python_implementation()} {platform.python_version()}"
    llvm_version = ".".join(map(str, llvm.llvm_version_info))
    return [
        Finding("flambeau", metadata.version("flambeau")),
        Finding("Python", f"{implementation}, {platform.platform()}"),
        Finding("NumPy", np.__version__),
        Finding("llvmlite", f"{metadata.version('llvmlite')} with LLVM {llvm_version}"),
    ]


def processor() -> list[Finding]:
    """What kernels are compiled for, and on how many cores they run."""
    bits = machine.lanes() * 32
    return [
        Finding("processor", f"{llvm.get_host_cpu_name()} ({platform.machine()})"),
        Finding("vectors", f"{bits} bits: {machine.lanes()} float32 numbers"),
        Finding("cores", f"{usable_cores()} usable of {os.cpu_count()}"),
        Finding("threads", str(settings.threads)),
    ]


def cache_folder(folder: Path) -> Finding:
    """Where compiled kernels are kept, and whether they can be."""
    name = "kernel cache"
    if not folder.exists():
        parent = next(above for above in folder.parents if above.exists())
        able = os.access(parent, os.W_OK)
        return Finding(name, f"{folder}, {'to be made' if able else 'cannot be made'}", able)
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding(name, f"{folder}, cannot be written: kernels stay in memory", well=False)
    files = [file.stat() for file in folder.glob("*.kernel")]
    size = sum(file.st_size for file in files) / 2**20
    limit = settings.cache_bytes / 2**20
    return Finding(
        name, f"{folder}, {len(files)} kernels, {size:.1f} of {limit:.0f} MiB", well=True
    )


def gpu() -> Finding:
    """NVIDIA's GPUs, asked of the driver itself."""
    try:
        driver = ctypes.CDLL(ctypes.util.find_library("cuda") or "libcuda.so.1")
    except OSError:
        return Finding("GPU", "none: there is no CUDA driver; flambeau computes on the CPU")
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return Finding("GPU", "none: the CUDA driver finds no device; flambeau computes on the CPU")
    found = []
    for index in range(count.value):
        text = ctypes.create_string_buffer(128)
        driver.cuDeviceGetName(text, len(text), index)
        found.append(text.value.decode())
    return Finding("GPU", f"{', '.join(found)} (not used: this version computes on the CPU)")


def self_check() -> Finding:
    """Compile and run a small product, and compare it with NumPy's."""
    rng = np.random.default_rng(0)
    first = rng.standard_normal((37, 65), dtype=np.float32)
    second = rng.standard_normal((65, 29), dtype=np.float32)
    started = time.perf_counter()
    product = (flambeau.from_numpy(first) @ flambeau.from_numpy(second)).numpy()
    seconds = time.perf_counter() - started
    error = float(np.abs(product - first.astype(np.float64) @ second).max())
    text = f"37×65×29 product in {seconds * 1e3:.1f} ms, largest error {error:.1e}"
    return Finding("self-check", text, well=error < 1e-4)
