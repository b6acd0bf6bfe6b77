from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys

import pytest

from flambeau.core.errors import CompileError
from flambeau.runtime.llvm import machine

X86 = platform.machine() in ("x86_64", "AMD64")

MULTIPLY_ADD = """
define void @f(ptr %x, ptr %y) {{
  %a = load <{lanes} x float>, ptr %x, align 4
  %b = load <{lanes} x float>, ptr %y, align 4
  %c = fmul <{lanes} x float> %a, %b
  %d = fadd <{lanes} x float> %c, %b
  store <{lanes} x float> %d, ptr %y, align 4
  ret void
}}
"""

UNKNOWN_CALL = """
declare void @no_such_thing()
define void @f() {
  call void @no_such_thing()
  ret void
}
"""

LIBRARY_CALLS = """
declare double @sqrt(double)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
define double @f(ptr %to, ptr %from, i64 %bytes, double %x) {
  call void @llvm.memset.p0.i64(ptr %to, i8 1, i64 %bytes, i1 false)
  %half = udiv i64 %bytes, 2
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %half, i1 false)
  %root = call double @sqrt(double %x)
  ret double %root
}
"""


def test_widest_registers_are_used_and_nothing_is_contracted() -> None:
    text = machine.assembly(MULTIPLY_ADD.format(lanes=machine.lanes()))
    assert "vfmadd" not in text
    assert "fmla" not in text
    if X86 and machine.lanes() == 16:
        assert "%zmm" in text
        assert "%ymm" not in text


def test_code_calls_the_c_library() -> None:
    library = machine.load_object(machine.compile_module(LIBRARY_CALLS), ["f"])
    kind = ctypes.CFUNCTYPE(
        ctypes.c_double, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_double
    )
    target = ctypes.create_string_buffer(1001)
    assert kind(library.address("f"))(target, b"x" * 1000, 1000, 9.0) == 3.0
    assert target.value == b"x" * 500 + b"\1" * 500


def test_bad_modules_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CompileError, match="refuses"):
        machine.compile_module("define void @f() { ret i32 1 }")
    code = machine.compile_module(UNKNOWN_CALL)
    with pytest.raises(CompileError, match="cannot be linked"):
        machine.load_object(code, ["f"])
    assert "no_such_thing" in capfd.readouterr().err


@pytest.mark.skipif(not X86, reason="forces x86 processors")
@pytest.mark.parametrize(
    ("cpu", "lanes", "register"), [("x86-64-v3", 8, "ymm"), ("x86-64-v4", 16, "zmm")]
)
def test_processor_can_be_forced(cpu: str, lanes: int, register: str) -> None:
    code = (
        "from flambeau.runtime.llvm import machine\n"
        f"assert machine.lanes() == {lanes}\n"
        f"assert machine.has_avx512() is {lanes == 16}\n"
        f"print(machine.assembly('''{MULTIPLY_ADD.format(lanes=lanes)}'''))"
    )
    environment = {**os.environ, "FLAMBEAU_CPU": cpu}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert register in ran.stdout
