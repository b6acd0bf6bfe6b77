"""Settings of a process: the only place that reads environment variables.

Each is read once, when flambeau is imported; `settings` may be changed afterwards by assignment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

CPUS = ("native", "generic", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")
_SWITCH = {"1": True, "true": True, "on": True, "yes": True}
_SWITCH |= {"0": False, "false": False, "off": False, "no": False, "": False}


@dataclass(slots=True)
class Settings:
    """What can be set, with its defaults; `FLAMBEAU_` and the name in capitals sets it."""

    threads: int  # that compute, the caller's included
    cache: Path  # folder of compiled kernels
    cache_bytes: int = 256 << 20  # what that folder may grow to
    eager: bool = False  # run every operation on the spot
    verify: bool = False  # check what each compiler stage hands to the next
    checked: bool = False  # compare every load and store with its buffer's bounds
    cpu: str = "native"  # generate code for this processor, one of CPUS
    lanes: int = 0  # float32 values a vector holds; 0: what the processor offers
    flush_nodes: int = 4096  # a recording this long is run
    flush_bytes: int = 1 << 30  # so is one that keeps this much alive

    def show(self) -> str:
        """One line a setting: the variable that sets it and its value.

        >>> print(from_environment({"FLAMBEAU_THREADS": "2"}).show().splitlines()[0])
        FLAMBEAU_THREADS=2
        """
        return "\n".join(f"{variable(one.name)}={getattr(self, one.name)}" for one in fields(self))


def variable(name: str) -> str:
    """The environment variable that sets `name`.

    >>> variable("cache_bytes")
    'FLAMBEAU_CACHE_BYTES'
    """
    return f"FLAMBEAU_{name.upper()}"


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings an environment asks for; ValueError naming the variable that is wrong."""
    reader = _Reader(environment)
    default = Settings(threads=usable_cores(), cache=_cache_folder(environment))
    return Settings(
        threads=reader.integer("threads", default.threads, least=1),
        cache=Path(reader.text("cache", str(default.cache))).expanduser(),
        cache_bytes=reader.integer("cache_bytes", default.cache_bytes, least=0),
        eager=reader.switch("eager"),
        verify=reader.switch("verify"),
        checked=reader.switch("checked"),
        cpu=reader.choice("cpu", CPUS),
        lanes=int(reader.choice("lanes", ("0", "1", "2", "4", "8", "16", "32"))),
        flush_nodes=reader.integer("flush_nodes", default.flush_nodes, least=1),
        flush_bytes=reader.integer("flush_bytes", default.flush_bytes, least=1),
    )


def usable_cores() -> int:
    """The cores this process may use: its affinity mask, or its container's quota if smaller."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _container_quota()))


def _container_quota() -> int:
    # Threads that spin beyond the quota only use it up.
    quota_file = Path("/sys/fs/cgroup/cpu.max")
    quota, _, period = (quota_file.read_text() if quota_file.is_file() else "").partition(" ")
    return int(quota) // int(period) if quota.isdecimal() else sys.maxsize


def _cache_folder(environment: Mapping[str, str]) -> Path:
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base) / "flambeau"


class _Reader:
    """Reads typed values and complains in one manner."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        return self._environment.get(variable(name), "").strip() or default

    def integer(self, name: str, default: int, least: int) -> int:
        given = self.text(name, str(default))
        if not given.isdecimal() or int(given) < least:
            raise ValueError(
                f"{variable(name)} must be an integer of at least {least}, got {given!r}"
            )
        return int(given)

    def switch(self, name: str) -> bool:
        given = self.text(name, "0")
        if given.lower() not in _SWITCH:
            raise ValueError(f"{variable(name)} must be 0 or 1, got {given!r}")
        return _SWITCH[given.lower()]

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        given = self.text(name, choices[0])
        if given not in choices:
            raise ValueError(f"{variable(name)} must be one of {', '.join(choices)}, got {given!r}")
        return given


settings = from_environment(os.environ)
