"""Generators of random numbers, and the one that is used by default.

A state lives in the memory of a leaf node that drawing ops advance when they run, so a captured
graph draws anew at each replay. From outside it is read and set as PyTorch's 5056 bytes.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from flambeau.compiler.templates.random_tables import (
    HAS_NORMAL,
    NORMAL,
    POSITION,
    SEEDED,
    STATE_WORDS,
    WORDS,
)
from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.core.device import CPU, device, resolve
from flambeau.engine.capture import each_replay
from flambeau.engine.flush import compute, flush
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import data
from flambeau.ops.random_meaning import seeded_state
from flambeau.runtime.buffers import allocate
from flambeau.tensor.storage import copied
from flambeau.tensor.tensor import Tensor, wrap

_DEFAULT_SEED = 67280421310721
_STATE_SPEC = Spec.of((STATE_WORDS,), dtypes.int32)
_LAYOUT = np.dtype(
    [
        ("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"),
        ("words", "<u8", (WORDS,)),
        ("unused", "<f8"), ("normal", "<f8"), ("unused_too", "<f8"), ("has_normal", "<i4"),
        ("single_normal", "V12"),
    ]
)  # fmt: skip


class Generator:
    """A source of random numbers with a state of its own: PyTorch's for the same seed.

    >>> import flambeau
    >>> generator = flambeau.Generator().manual_seed(0)
    >>> flambeau.rand(2, generator=generator)
    tensor([0.4963, 0.7682])
    """

    def __init__(self, device: str | int | device = "cpu") -> None:
        resolve(device)
        buffer = allocate(_STATE_SPEC.nbytes)
        # What drawing ops read and advance; the same node for the generator's whole life.
        self.state: Node = data(buffer, _STATE_SPEC)
        self._words = buffer.as_array(np.dtype(np.int32), (STATE_WORDS,))
        self.manual_seed(_DEFAULT_SEED)

    @property
    def device(self) -> device:
        """Where its numbers are drawn."""
        return CPU

    def manual_seed(self, seed: int) -> Generator:
        """Start from `seed`, an integer from -2**63 to 2**64 - 1; RuntimeError, ValueError."""
        try:
            number = operator.index(seed)
        except TypeError:
            raise RuntimeError(
                f"manual_seed expected a long, but got {type(seed).__name__}"
            ) from None
        if not -(2**63) <= number < 2**64:
            raise ValueError("Overflow when unpacking long long")
        self._replace(number % 2**64, seeded_state(number))
        return self

    def seed(self) -> int:
        """Start from a seed that the system chooses, and return it."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed last set."""
        return self._seed

    def get_state(self) -> Tensor:
        """The state as uint8[5056]."""
        array = np.frombuffer(self.__getstate__(), np.uint8)
        return wrap(copied(array, Spec.of(array.shape, dtypes.uint8)))

    def set_state(self, new_state: Tensor) -> None:
        """Continue from a state of `get_state` (or PyTorch's); TypeError, RuntimeError."""
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        if new_state.dtype is not dtypes.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        self._restore(_bytes_of(new_state))

    def clone_state(self) -> Generator:
        """Another generator that goes on from here."""
        copy = Generator()
        copy._restore(self.__getstate__())
        return copy

    def __getstate__(self) -> bytes:
        self._wait()
        state = self._words
        position = int(state[POSITION])
        used = 0 if position == SEEDED else position
        packed = np.zeros((), _LAYOUT)
        packed["seed"], packed["seeded"] = self._seed, 1
        packed["left"], packed["next"] = (WORDS + 1 - used if used else 1), used
        packed["words"] = state[:WORDS].view(np.uint32)
        if state[HAS_NORMAL]:
            packed["normal"], packed["has_normal"] = state[NORMAL:].view(np.float64)[0], 1
        return packed.tobytes()

    def __setstate__(self, packed: bytes) -> None:
        Generator.__init__(self)
        self._restore(packed)

    def _restore(self, packed: bytes) -> None:
        if len(packed) != _LAYOUT.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {_LAYOUT.itemsize} but found the "
                f"input RNG state size to be {len(packed)}"
            )
        given = np.frombuffer(packed, _LAYOUT)[0]
        left, used = int(given["left"]), int(given["next"])
        if given["seeded"] != 1 or not 0 < left <= WORDS or used > WORDS:
            raise RuntimeError("Invalid mt19937 state")
        state = np.zeros(STATE_WORDS, np.int32)
        state[:WORDS].view(np.uint32)[:] = given["words"]
        state[POSITION] = SEEDED if (left, used) == (1, 0) else used
        state[HAS_NORMAL] = given["has_normal"] != 0
        state[NORMAL:].view(np.float64)[:] = given["normal"]
        self._replace(int(given["seed"]), state)

    def _wait(self) -> None:
        """Let the draws happen that are recorded and not yet run."""
        recording = context.recording
        if recording is not None and id(self.state) in recording.leaf_positions:
            flush()

    def _replace(self, seed: int, state: np.ndarray) -> None:
        self._wait()
        each_replay(self._setter(seed, state))

    def _setter(self, seed: int, state: np.ndarray) -> Callable[[], None]:
        def set_both() -> None:
            self._seed = seed
            self._words[:] = state

        return set_both


def _bytes_of(tensor: Tensor) -> bytes:
    buffer: Any = compute(tensor.node).buffer
    return bytes(buffer.as_array(np.dtype(np.uint8), tuple(tensor.shape)).tobytes())


default_generator = Generator()
default_generator.seed()


def state_of(op: str, generator: Generator | None) -> Node:
    """The state that `op` draws from; TypeError unless it is a generator's."""
    if generator is None:
        return default_generator.state
    if not isinstance(generator, Generator):
        raise TypeError(
            f"{op}(): argument 'generator' must be torch.Generator, not {type(generator).__name__}"
        )
    return generator.state


def manual_seed(seed: Any) -> Generator:
    """Start the default generator from `seed`, and return it.

    >>> import flambeau
    >>> flambeau.manual_seed(3).initial_seed()
    3
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Start the default generator from a seed that the system chooses, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed last set in the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state as uint8[5056]."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continue from a state that `get_rng_state` gave.

    >>> import flambeau
    >>> state = flambeau.get_rng_state()
    >>> first = flambeau.rand(3)
    >>> flambeau.set_rng_state(state)
    >>> bool((flambeau.rand(3) == first).all())
    True
    """
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **_named: Any) -> Iterator[None]:
    """Draw inside without effect on the draws after it.

    >>> import flambeau
    >>> _ = flambeau.manual_seed(0)
    >>> with flambeau.random.fork_rng():
    ...     _ = flambeau.rand(5)
    >>> flambeau.rand(2)
    tensor([0.4963, 0.7682])
    """
    if not enabled:
        yield
        return
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
