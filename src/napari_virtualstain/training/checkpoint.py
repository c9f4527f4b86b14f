"""Checkpoints: the whole state of a training, written atomically, read without pickle code."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from ..data import CorrelativePairs
from ..errors import OutputError, TrainingError
from ..io import atomic_path
from .places import in_writing
from .training_config import TrainingConfig

# A cancelled training has returned within a second; the writing of 0.8 GB alone may take longer
_BRIEFLY_S = 0.3
_LITTLE_BYTES = 2**26  # the file that did not fit is removed by then
_unfinished: dict[Path, Future[None]] = {}

# What may differ between the parts of one training: it does not change the result
_FREE = {
    "device",
    "workers",
    "checkpoint_every",
    "log_every",
    "name",
    "description",
    "licence",
    "report",
}


def fingerprint(pairs: CorrelativePairs) -> str:
    """Return a hash of the pairs, so that a training is resumed with its own data only."""
    digest = hashlib.sha256()
    for name, inputs, target in zip(
        pairs.names, pairs.bright_field, pairs.fluorescence, strict=True
    ):
        digest.update(f"{name}{inputs.shape}{inputs.dtype}{target.dtype}".encode())
        # the corner pixels of every fourth row tell images apart at a fraction of the cost
        digest.update(inputs[..., ::4, ::4].tobytes())
        digest.update(target[::4, ::4].tobytes())
    return digest.hexdigest()


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, or leave the one before it as it is."""
    try:
        with atomic_path(path, overwrite=True) as temporary, temporary.open("xb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
            file.close()
    except OutputError as error:
        raise OutputError(f"The checkpoint of the training cannot be written: {error}") from error
    except RuntimeError as error:  # of torch's own writer, which does not say that a disk is full
        is_full = shutil.disk_usage(path.parent).free < _LITTLE_BYTES
        reason = "the disk is full" if is_full else str(error)
        raise OutputError(
            f"The checkpoint cannot be written to {str(path)!r} ({reason}). Free some space or "
            "choose another folder, then resume."
        ) from error


def leave_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the last checkpoint of a training that is cancelled, without making anyone wait.

    A small one is on disk at the return. A large one is written on in a thread, which the
    interpreter waits for before it ends, and so does :func:`settle`.

    Parameters
    ----------
    path : Path
        Where to write.
    state : dict
        Nobody may change it any more.
    """
    settle(path)
    pool = ThreadPoolExecutor(1, "checkpoint")
    try:
        writing = pool.submit(save_checkpoint, path, state)
    except RuntimeError:  # the interpreter ends, and begins no more threads
        save_checkpoint(path, state)
        return
    pool.shutdown(wait=False)
    _unfinished[path] = writing
    in_writing.add(path)
    writing.add_done_callback(lambda _: in_writing.discard(path))
    try:
        writing.result(timeout=_BRIEFLY_S)
    except TimeoutError:
        writing.add_done_callback(_log_failure)
    else:
        del _unfinished[path]


def settle(path: Path) -> None:
    """Return when no checkpoint is being written to `path` any more."""
    writing = _unfinished.pop(path, None)
    if writing is not None:
        # a failure was logged, and the checkpoint before is still there
        writing.exception()


def _log_failure(writing: Future[None]) -> None:
    error = writing.exception()
    if error is not None:
        logging.getLogger(__name__).error("%s", error)


def load_checkpoint(
    path: Path, config: TrainingConfig, data_fingerprint: str
) -> dict[str, Any] | None:
    """Return the state to go on from, or None when there is none yet.

    Raises
    ------
    TrainingError
        The checkpoint is damaged, or belongs to other settings or other data.
    """
    if not path.exists():
        return None
    try:
        # weights_only: tensors and plain values, never code
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        before, data = state["config"], state["data"]
    except Exception as error:
        raise TrainingError(
            f"Checkpoint {str(path)!r} cannot be read ({type(error).__name__}). Delete it, or "
            "start again without resuming."
        ) from error
    now = config.model_dump(mode="json")
    differing = sorted(key for key in now if key not in _FREE and before.get(key) != now[key])
    if differing:
        key = differing[0]
        raise TrainingError(
            f"The training to resume had other settings: {key} was {before.get(key)!r}, now "
            f"{now[key]!r}. Resume with the same settings, or start again without resuming."
        )
    if data != data_fingerprint:
        raise TrainingError(
            "The training to resume had other images. Resume with the same images, or start "
            "again without resuming."
        )
    return state
