"""Compiled kernels: in memory, else on disk, else compiled.

The folder holds native code, so it is private to the user, and a file is loaded only if its
checksum and its key are right; anything else is built anew.
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flambeau.core.settings import settings

if TYPE_CHECKING:
    from flambeau.runtime.llvm.machine import Library

Build = Callable[[str], str]  # the function's name -> IR text of a module that defines it

_MAGIC = b"flambeau kernel 1\n"
_HANDOVER_SECONDS = 1e-4
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(slots=True)
class Counters:
    """What a cache has done: tests assert that a second run compiles nothing."""

    compiled: int = 0
    loaded_from_disk: int = 0
    hits: int = 0  # found in memory


class KernelFolder:
    """Object files on disk, bounded in size; a folder that is no use is warned of once."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self._limit = limit
        self._lock = threading.Lock()
        self._held: int | None = None  # bytes in the folder; None: not counted yet
        self._usable = self._prepare()

    def _prepare(self) -> bool:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.path.stat()
        except OSError as error:
            return self._give_up(str(error))
        if hasattr(os, "getuid"):
            if found.st_uid != os.getuid():
                return self._give_up("it belongs to another user")
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return self._give_up("other users may write to it")
        return True

    def _give_up(self, reason: str) -> bool:
        warnings.warn(
            f"compiled kernels are kept in memory only, as {self.path} cannot hold them: {reason}. "
            "FLAMBEAU_CACHE names another folder",
            RuntimeWarning,
            stacklevel=2,
        )
        self._usable = False
        return False

    def read(self, digest: bytes) -> bytes | None:
        """The object code stored for a key, None if there is none or it is damaged."""
        if not self._usable:
            return None
        try:
            content = self._file(digest).read_bytes()
        except OSError:
            return None
        code = content[len(_MAGIC) + _DIGEST_BYTES :]
        return code if content == _file_content(digest, code) and code else None

    def write(self, digest: bytes, code: bytes) -> None:
        """Store object code; other processes see the whole file or none."""
        with self._lock:
            if not self._usable:
                return
            file = self._file(digest)
            temporary = file.with_suffix(f".{os.getpid()}")
            try:
                temporary.write_bytes(_file_content(digest, code))
                os.replace(temporary, file)
                self._keep_within_limit(len(code))
            except OSError as error:
                self._give_up(str(error))

    def _file(self, digest: bytes) -> Path:
        return self.path / f"{digest.hex()}.kernel"

    def _keep_within_limit(self, added: int) -> None:
        """Remove the oldest files once the folder has outgrown its limit."""
        if self._held is not None:
            self._held += added
            if self._held <= self._limit:
                return
        ages = sorted(self._ages())
        self._held = sum(size for _, size, _ in ages)
        if self._held <= self._limit:
            return
        for _, size, path in ages:
            if self._held <= self._limit * 3 // 4:
                break
            Path(path).unlink(missing_ok=True)
            self._held -= size

    def _ages(self) -> Iterator[tuple[float, int, str]]:
        with os.scandir(self.path) as entries:
            for entry in entries:
                try:
                    found = entry.stat()
                except FileNotFoundError:  # another process made room too
                    continue
                yield found.st_mtime, found.st_size, entry.path


def _file_content(digest: bytes, code: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(digest + code).digest() + code


class KernelCache:
    """Addresses of compiled kernels by the text that describes them.

    A key must tell all that its IR depends on, save what `machine.fingerprint` covers.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.counters = Counters()
        self._path = path
        self._limit = limit
        self._addresses: dict[str, int] = {}
        self._libraries: list[Library] = []  # keeps what the addresses point to
        self._lock = threading.Lock()

    @functools.cached_property
    def folder(self) -> KernelFolder:
        return KernelFolder(self._path, self._limit)

    def get(self, key: str, build: Build) -> int:
        """The address of the function `key` describes; `build(name)` writes its IR if need be."""
        return self.get_many([(key, build)])[0]

    def get_many(self, wanted: Sequence[tuple[str, Build]]) -> list[int]:
        """`get` for several keys, compiling in parallel what is missing."""
        missing = {key: build for key, build in wanted if key not in self._addresses}
        self.counters.hits += len(wanted) - len(missing)
        if missing:
            with self._lock:
                self._load({k: b for k, b in missing.items() if k not in self._addresses})
        return [self._addresses[key] for key, _ in wanted]

    def _load(self, missing: dict[str, Build]) -> None:
        to_compile: list[tuple[str, bytes, Build]] = []
        for key, build in missing.items():
            digest = _digest(key)
            code = self.folder.read(digest)
            if code is None:
                to_compile.append((key, digest, build))
            else:
                self._link(key, digest, code)
                self.counters.loaded_from_disk += 1
        texts = (build(_symbol(digest)) for _, digest, build in to_compile)
        codes = _compile(texts, len(to_compile))
        for (key, digest, _), code in zip(to_compile, codes, strict=True):
            self._link(key, digest, code)
            self.counters.compiled += 1
            self.folder.write(digest, code)

    def _link(self, key: str, digest: bytes, code: bytes) -> None:
        from flambeau.runtime.llvm import machine

        library = machine.load_object(code, [_symbol(digest)])
        self._libraries.append(library)
        self._addresses[key] = library.address(_symbol(digest))


def _compile(texts: Iterable[str], count: int) -> list[bytes]:
    """The object code of `count` modules; several are compiled while the next is written."""
    if count == 0:
        return []
    from flambeau.runtime.llvm import machine

    if count == 1 or settings.threads == 1:
        return [machine.compile_module(text) for text in texts]
    from concurrent.futures import ThreadPoolExecutor  # 10 ms that a warm start need not pay

    with _quick_handover(), ThreadPoolExecutor(min(count, settings.threads)) as pool:
        return list(pool.map(machine.compile_module, texts))


@contextmanager
def _quick_handover() -> Iterator[None]:
    """Threads soon get the interpreter that another uses.

    Those that compile ask for it between many short calls of LLVM, and each time the one that
    writes IR would keep it for five milliseconds.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_HANDOVER_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _digest(key: str) -> bytes:
    return hashlib.sha256(f"{_code_generator()}\n{key}".encode()).digest()


def _symbol(digest: bytes) -> str:
    return f"k_{digest.hex()[:16]}"


@functools.cache
def _code_generator() -> str:
    """Stands for all that makes object code of a key: our compiler's sources, LLVM, the target."""
    from flambeau.runtime.llvm import machine

    package = Path(__file__).parents[1]
    sources = hashlib.sha256()
    for folder in ("compiler", "runtime"):
        for file in sorted((package / folder).rglob("*.py")):
            sources.update(file.read_bytes())
    return f"{sources.hexdigest()}, {machine.fingerprint()}"


kernels = KernelCache(settings.cache, settings.cache_bytes)
