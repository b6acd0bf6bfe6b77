"""Saver: variables in safetensors files, and the file that says which is the latest."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from flambeau.tf1 import assigning, errors
from flambeau.tf1.building import placeholder
from flambeau.tf1.graph import Operation, Tensor, as_tensor
from flambeau.tf1.variables import Variable, global_variables

SUFFIX = ".safetensors"
_LINE = re.compile(r'(\w+): "(.*)"')


class CheckpointState(NamedTuple):
    """Which checkpoints a folder holds, the oldest first."""

    model_checkpoint_path: str
    all_model_checkpoint_paths: list[str]


class Saver:
    """Writes variables to files, `<path>-<step>.safetensors`, and reads them.

    `var_list` is a list of variables or a dictionary by the name in the file; all by default. The
    newest `max_to_keep` files are kept (None or 0: all).
    """

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        pad_step_number: bool = False,
        **_named: Any,
    ) -> None:
        variables = _by_name(global_variables() if var_list is None else var_list)
        if not variables:
            raise ValueError("No variables to save")
        self._pad = pad_step_number
        self._most = max_to_keep or 0
        self._kept: list[tuple[str, float]] = []
        self._tensors: dict[str, Tensor] = {}
        self._values: dict[str, Tensor] = {}
        self._writes: list[Operation] = []
        graph = next(iter(variables.values())).graph
        # The operations are made now, so that a finalized graph can be saved and restored.
        with graph.as_default(), graph.name_scope(name or "save"), graph.control_dependencies(None):
            for key, variable in variables.items():
                value = placeholder(variable.dtype, variable.shape, name="value")
                self._tensors[key] = variable.value()
                self._values[key] = value
                self._writes.append(assigning.assign(variable, value, name="Assign").op)

    # ------------------------------------------------------------------ saving

    def save(
        self,
        sess: Any,
        save_path: Any,
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
    ) -> str:
        """Write the session's variables; the path to restore from, with the step's number."""
        path = str(save_path)
        folder, name = os.path.split(path)
        if not name:
            raise ValueError(f"'latest_filename' and a file name are needed, got {path!r}")
        if folder and not os.path.isdir(folder):
            raise ValueError(f"Parent directory of {path} doesn't exist, can't save.")
        if global_step is not None:
            step = as_tensor(global_step)
            number = int(global_step if step is None else sess.run(step))
            path = f"{path}-{number:08d}" if self._pad else f"{path}-{number}"
        arrays = {key: np.asarray(one) for key, one in sess.run(self._tensors).items()}
        _write_atomically(path + SUFFIX, lambda target: save_file(arrays, target))
        if write_state:
            self._keep(path, latest_filename)
        return path

    def _keep(self, path: str, latest_filename: str | None) -> None:
        """Note the file as the latest, and delete those that are too old."""
        self._kept = [one for one in self._kept if one[0] != path] + [(path, time.time())]
        while self._most and len(self._kept) > self._most:
            old, _ = self._kept.pop(0)
            Path(old + SUFFIX).unlink(missing_ok=True)
        folder = os.path.dirname(path)
        names = [os.path.relpath(one, folder or ".") for one, _ in self._kept]
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{one}"' for one in names]
        text = "\n".join(lines) + "\n"
        state = os.path.join(folder, latest_filename or "checkpoint")
        _write_atomically(state, lambda target: Path(target).write_text(text, encoding="utf-8"))

    @property
    def last_checkpoints(self) -> list[str]:
        """The files that are kept, the oldest first."""
        return [path for path, _ in self._kept]

    def set_last_checkpoints(self, last_checkpoints: Sequence[str]) -> None:
        """Count these files as written by this object."""
        self._kept = [(path, time.time()) for path in last_checkpoints]

    def recover_last_checkpoints(self, checkpoint_paths: Sequence[str]) -> None:
        """Count those of these files that exist as written by this object."""
        self.set_last_checkpoints([one for one in checkpoint_paths if checkpoint_exists(one)])

    # ------------------------------------------------------------------ restoring

    def restore(self, sess: Any, save_path: Any) -> None:
        """Read the variables into the session; they need no initializer.

        ValueError if there is no such file, NotFoundError for a variable that is not in it,
        InvalidArgumentError for one of another shape, DataLossError for a damaged file.
        """
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        path = str(save_path)
        if not checkpoint_exists(path):
            raise ValueError(f"The passed save_path is not a valid checkpoint: {path}")
        arrays = _read(path, list(self._tensors))
        for key, tensor in self._tensors.items():
            if not tensor.shape.is_compatible_with(arrays[key].shape):
                raise errors.InvalidArgumentError(
                    None,
                    tensor.op,
                    f"the variable '{key}' has shape {tensor.shape}, but {arrays[key].shape} in "
                    f"{path}{SUFFIX}",
                )
        sess.run(self._writes, {self._values[key]: array for key, array in arrays.items()})


def _by_name(given: Any) -> dict[str, Variable]:
    if isinstance(given, Mapping):
        return dict(given)
    found: dict[str, Variable] = {}
    for one in given:
        if not isinstance(one, Variable):
            raise TypeError(f"Variable to save is not a Variable: {one!r}")
        if one.op.name in found:
            raise ValueError(f"At least two variables have the same name: {one.op.name}")
        found[one.op.name] = one
    return found


def _write_atomically(path: str, write: Any) -> None:
    """A reader finds the old file or the new one, never a part."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _read(path: str, keys: Sequence[str]) -> dict[str, np.ndarray]:
    try:
        with safe_open(path + SUFFIX, "numpy") as file:
            names = set(file.keys())
            for key in keys:
                if key not in names:
                    raise errors.NotFoundError(
                        None, None, f"Key {key} not found in checkpoint {path}{SUFFIX}"
                    )
            return {key: file.get_tensor(key) for key in keys}
    except SafetensorError as error:
        raise errors.DataLossError(None, None, f"{path}{SUFFIX} is damaged: {error}") from None


def checkpoint_exists(checkpoint_prefix: Any) -> bool:
    """Whether there is a file to restore from."""
    return Path(f"{checkpoint_prefix}{SUFFIX}").is_file()


def get_checkpoint_state(
    checkpoint_dir: Any, latest_filename: str | None = None
) -> CheckpointState | None:
    """What the folder's state file says; None if there is none."""
    state = Path(checkpoint_dir) / (latest_filename or "checkpoint")
    if not state.is_file():
        return None
    lines = _LINE.findall(state.read_text(encoding="utf-8"))
    paths = [(key, os.path.join(str(checkpoint_dir), value)) for key, value in lines]
    latest = [path for key, path in paths if key == "model_checkpoint_path"]
    if not latest:
        return None
    return CheckpointState(
        latest[0], [path for key, path in paths if key == "all_model_checkpoint_paths"]
    )


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The path of the newest checkpoint in the folder, to restore from; None if there is none."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None or not checkpoint_exists(state.model_checkpoint_path):
        return None
    return state.model_checkpoint_path


def _file_of(path: Any) -> str:
    found = latest_checkpoint(path) if Path(path).is_dir() else str(path)
    if found is None or not checkpoint_exists(found):
        raise ValueError(f"Couldn't find a checkpoint at {path}")
    return found


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """The names and shapes in a checkpoint."""
    with safe_open(_file_of(ckpt_dir_or_file) + SUFFIX, "numpy") as file:
        return [(key, list(file.get_slice(key).get_shape())) for key in sorted(file.keys())]


def load_variable(ckpt_dir_or_file: Any, name: str) -> np.ndarray:
    """One value of a checkpoint."""
    return _read(_file_of(ckpt_dir_or_file), [name])[name]
