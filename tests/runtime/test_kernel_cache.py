from __future__ import annotations

import ctypes
import os
import stat
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flambeau.core.errors import CompileError
from flambeau.runtime.kernel_cache import KernelCache, KernelFolder

LIMIT = 1 << 20


def constant(value: int):
    """A builder of a function that returns `value`."""
    return lambda name: f"define i64 @{name}() {{\n ret i64 {value}\n}}"


def refuse(name: str) -> str:
    raise AssertionError(f"{name} should have been found")


def call(address: int) -> int:
    return int(ctypes.CFUNCTYPE(ctypes.c_int64)(address)())


def test_a_second_request_compiles_nothing(tmp_path: Path) -> None:
    cache = KernelCache(tmp_path / "kernels", LIMIT)
    address = cache.get("five", constant(5))
    assert call(address) == 5
    assert cache.get("five", refuse) == address
    assert (cache.counters.compiled, cache.counters.loaded_from_disk, cache.counters.hits) == (
        1,
        0,
        1,
    )


def test_another_process_loads_from_disk(tmp_path: Path) -> None:
    KernelCache(tmp_path, LIMIT).get("five", constant(5))
    cache = KernelCache(tmp_path, LIMIT)
    assert call(cache.get("five", refuse)) == 5
    assert (cache.counters.compiled, cache.counters.loaded_from_disk) == (0, 1)


def test_many_at_once(tmp_path: Path) -> None:
    cache = KernelCache(tmp_path, LIMIT)
    cache.get("2", constant(2))
    wanted = [(str(value), constant(value)) for value in (0, 1, 2, 1, 3)]
    assert [call(address) for address in cache.get_many(wanted)] == [0, 1, 2, 1, 3]
    assert cache.counters.compiled == 4


def test_a_failing_kernel_leaves_no_trace(tmp_path: Path) -> None:
    cache = KernelCache(tmp_path, LIMIT)
    with pytest.raises(CompileError):
        cache.get("bad", lambda name: f"define void @{name}() {{ ret i32 1 }}")
    assert call(cache.get("bad", constant(1))) == 1


def test_the_folder_is_private(tmp_path: Path) -> None:
    cache = KernelCache(tmp_path / "deep" / "kernels", LIMIT)
    cache.get("five", constant(5))
    assert stat.S_IMODE((tmp_path / "deep" / "kernels").stat().st_mode) == 0o700
    assert not [
        file for file in (tmp_path / "deep" / "kernels").iterdir() if file.suffix != ".kernel"
    ]


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_a_damaged_file_is_never_returned(tmp_path: Path, data: st.DataObject) -> None:
    folder = KernelFolder(tmp_path, LIMIT)
    digest = bytes(32)
    folder.write(digest, b"machine code" * 10)
    assert folder.read(digest) == b"machine code" * 10
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    position = data.draw(st.integers(0, len(content) - 1))
    change = data.draw(st.integers(1, 255))
    changed = bytearray(content)
    changed[position] ^= change
    for damaged in (bytes(changed), content[:position], content + b"more"):
        file.write_bytes(damaged)
        assert folder.read(digest) is None


def test_a_damaged_file_is_built_again(tmp_path: Path) -> None:
    KernelCache(tmp_path, LIMIT).get("five", constant(5))
    (file,) = tmp_path.iterdir()
    good = file.read_bytes()
    file.write_bytes(good[:-1])
    cache = KernelCache(tmp_path, LIMIT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call(cache.get("five", constant(5))) == 5
    assert cache.counters.compiled == 1
    assert file.read_bytes() == good


def test_a_file_of_another_key_is_not_loaded(tmp_path: Path) -> None:
    KernelCache(tmp_path, LIMIT).get("five", constant(5))
    (five,) = tmp_path.iterdir()
    KernelCache(tmp_path, LIMIT).get("six", constant(6))
    (six,) = set(tmp_path.iterdir()) - {five}
    six.write_bytes(five.read_bytes())
    assert call(KernelCache(tmp_path, LIMIT).get("six", constant(6))) == 6


def assert_works_in_memory_with_one_warning(path: Path, reason: str) -> None:
    cache = KernelCache(path, LIMIT)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        first = cache.get("five", constant(5))
        cache.get("six", constant(6))
    assert call(first) == 5
    assert cache.get("five", refuse) == first
    assert [one.category for one in seen] == [RuntimeWarning]
    assert reason in str(seen[0].message)


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_works_in_memory_with_one_warning(tmp_path / "file" / "kernels", "Not a directory")


def test_folder_that_vanishes(tmp_path: Path) -> None:
    path = tmp_path / "kernels"
    folder = KernelFolder(path, LIMIT)
    path.rmdir()
    with pytest.warns(RuntimeWarning, match="No such file"):
        folder.write(bytes(32), b"code")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folder.write(bytes(32), b"code")
    assert folder.read(bytes(32)) is None


def test_folder_that_others_may_write_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    assert_works_in_memory_with_one_warning(tmp_path, "other users may write")
    assert not list(tmp_path.iterdir())


def test_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    assert_works_in_memory_with_one_warning(tmp_path, "another user")


def test_size_is_bounded_and_the_oldest_go_first(tmp_path: Path) -> None:
    folder = KernelFolder(tmp_path, 10_000)
    for number in range(30):
        digest = bytes([number]) * 32
        folder.write(digest, bytes(1000))
        os.utime(tmp_path / f"{digest.hex()}.kernel", (number, number))
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 10_000
    assert folder.read(bytes([29]) * 32)
    assert folder.read(bytes([0]) * 32) is None
