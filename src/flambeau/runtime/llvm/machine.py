"""LLVM as a compiler for this machine: IR text -> object code -> callable addresses.

Importing this module loads LLVM (a tenth of a second), so only what compiles imports it.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import platform
import threading
from collections.abc import Sequence

import llvmlite
import llvmlite.binding as llvm
from llvmlite.binding import ffi

from flambeau.core.errors import CompileError
from flambeau.core.settings import settings

_VECTOR_BYTES = {"x86-64-v4": 64, "x86-64-v3": 32}

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()


@functools.cache
def _features() -> tuple[str, str]:
    """The processor's name and its features, in LLVM's spelling."""
    if settings.cpu != "native":
        if settings.cpu.startswith("x86-64") and not _is_x86():
            raise ValueError(
                f"FLAMBEAU_CPU={settings.cpu} does not fit a {platform.machine()} host"
            )
        # LLVM prefers 256-bit registers on many processors that have 512-bit ones.
        return settings.cpu, "-prefer-256-bit" if _is_x86() else ""
    features = llvm.get_host_cpu_features()
    if _is_x86():
        features["prefer-256-bit"] = False
    return llvm.get_host_cpu_name(), features.flatten()


def _is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


@functools.cache
def lanes() -> int:
    """How many float32 values the widest vector register holds: 16, 8 or 4."""
    if settings.lanes:
        return settings.lanes
    if settings.cpu != "native":
        return _VECTOR_BYTES.get(settings.cpu, 16) // 4
    if has_avx512():
        return 16
    features = llvm.get_host_cpu_features()
    return 8 if features.get("avx2") and features.get("fma") else 4


@functools.cache
def has_avx512() -> bool:
    """Whether code may use AVX-512, with its parts VL and DQ."""
    if settings.cpu != "native":
        return settings.cpu == "x86-64-v4"
    features = llvm.get_host_cpu_features()
    return all(features.get(f"avx512{part}") for part in ("f", "vl", "dq"))


@functools.cache
def fingerprint() -> str:
    """All about this machine and LLVM that decides the code of a kernel."""
    cpu, features = _features()
    version = ".".join(map(str, llvm.llvm_version_info))
    return f"LLVM {version}, llvmlite {llvmlite.__version__}, {cpu}, {features}, {lanes()} lanes"


def _target_machine() -> llvm.TargetMachine:
    cpu, features = _features()
    # Position-independent code of the small model is what JITLink places best on every target.
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu, features=features, opt=2, reloc="pic", codemodel="small"
    )


class _PerThread(threading.local):
    """A target machine for each thread that compiles: LLVM does not let threads share one."""

    def __init__(self) -> None:
        self.target = _target_machine()


_per_thread = _PerThread()


def _unlocked(name: str) -> ctypes._NamedFuncPointer:
    """A function of llvmlite's library without llvmlite's global lock.

    LLVM lets threads compile at the same time when each has its own context and target machine.
    """
    wrapped = getattr(ffi.lib, name)
    function = ctypes.CDLL(ffi.lib._name)[name]
    function.argtypes, function.restype = wrapped.argtypes, wrapped.restype
    return function


_run_passes = _unlocked("LLVMPY_RunNewFunctionPassManager")
_emit = _unlocked("LLVMPY_TargetMachineEmitToMemory")


def _optimize(module: llvm.ModuleRef, target: llvm.TargetMachine) -> None:
    # LLVM's simplification of single functions at -O1 (SROA, early CSE, instcombine, LICM, loop
    # rotation) gives the code of the whole -O1 pipeline in two thirds of the time. Kernels come
    # with explicit vectors, so the vectorisers stay off.
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = False
    builder = llvm.create_pass_builder(target, options)
    for function in module.functions:
        if not function.is_declaration:
            _run_passes(builder.getFunctionPassManager(), function, builder)


def _optimized(ir_text: str) -> llvm.ModuleRef:
    try:
        module = llvm.parse_assembly(ir_text, llvm.create_context())
        module.verify()
    except RuntimeError as error:
        raise CompileError(f"LLVM refuses a generated module: {error}") from error
    _optimize(module, _per_thread.target)
    return module


def compile_module(ir_text: str) -> bytes:
    """The object code of a module given as IR text; CompileError when LLVM refuses it."""
    module = _optimized(ir_text)
    with ffi.OutputString() as message:
        memory = _emit(_per_thread.target, module, 1, message)
        if not memory:
            raise CompileError(f"LLVM emits no object code: {message}")
    try:
        size = ffi.lib.LLVMPY_GetBufferSize(memory)
        return ctypes.string_at(ffi.lib.LLVMPY_GetBufferStart(memory), size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(memory)


def assembly(ir_text: str) -> str:
    """What `compile_module` generates, as assembly text to read."""
    return str(_per_thread.target.emit_assembly(_optimized(ir_text)))


@functools.cache
def _linker() -> llvm.LLJIT:
    return llvm.create_lljit_compiler(_target_machine(), use_jit_link=True)


_library_numbers = itertools.count()


class Library:
    """Object code in memory, linked with the process (memcpy, expf, ...).

    The addresses of its functions are good for as long as the library lives.
    """

    def __init__(self, code: bytes, names: Sequence[str]) -> None:
        builder = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
        for name in names:
            builder.export_symbol(name)
        try:
            self._tracker = builder.link(_linker(), f"flambeau{next(_library_numbers)}")
        except RuntimeError as error:
            raise CompileError(f"object code cannot be linked: {error}") from error

    def address(self, name: str) -> int:
        """The address of an exported function."""
        return int(self._tracker[name])


def load_object(code: bytes, names: Sequence[str]) -> Library:
    """Link `code`, exporting `names`; CompileError for a symbol that is not found."""
    return Library(code, names)
