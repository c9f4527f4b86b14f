"""Output places of a training: model, history, report, checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError, OutputExistsError, as_path, expanded
from ..models import user_model_folder
from .training_config import TrainingConfig

FOLDS = "folds"
_SUFFIX = ".safetensors"
_HISTORY = "history.csv"
_CHECKPOINT = "checkpoint.pt"
in_writing: set[Path] = set()  # checkpoints of cancelled trainings that are not on disk yet


@dataclass(frozen=True, slots=True)
class Places:
    """Files of one training.

    Attributes
    ----------
    model : Path
        ``<name>.safetensors``.
    history : Path
        ``history.csv``.
    report : Path
        Folder of the held-out scores.
    checkpoint : Path
        For resuming; deleted when the training is complete.
    """

    model: Path
    history: Path
    report: Path
    checkpoint: Path


def places_for(
    config: TrainingConfig, output: str | Path | None, *, overwrite: bool, resume: bool
) -> Places:
    """Return where to write, after making sure that nothing is lost.

    A model with a path has its history and report beside it. In the user's folder, where it is
    listed at once, and beside the history of another model, it has a folder of its own for
    them.

    Raises
    ------
    ModelError, OutputExistsError
        The suffix is wrong, or the model is there already.
    """
    folder = user_model_folder()
    given = folder / f"{config.name}{_SUFFIX}" if output is None else as_path(output)
    model = expanded(given).absolute()
    if model.suffix != _SUFFIX:
        raise ModelError(f"A model file ends in {_SUFFIX}, but {model.name!r} was given.")
    if model.exists() and not overwrite:
        what = "there is nothing to resume" if resume else "choose another output"
        raise OutputExistsError(
            f"{str(model)!r} is complete already: {what}, or ask for overwriting to train it again."
        )
    own = training_folder(model)
    beside = own if model.parent == folder or _is_taken(model, own, resume) else model.parent
    return Places(
        model=model,
        history=beside / _HISTORY,
        report=beside / "report",
        checkpoint=own / _CHECKPOINT,
    )


def training_folder(model: Path) -> Path:
    """Return the folder of what a training leaves beside its model: checkpoint, folds, notes.

    Examples
    --------
    >>> training_folder(Path("cells.safetensors")).name
    'cells.training'
    """
    return model.with_name(f"{model.stem}.training")


def is_unfinished(model: Path) -> bool:
    """Return whether a training of a model, or of its folds, was stopped and can be resumed.

    Examples
    --------
    >>> is_unfinished(Path("no-such-folder") / "cells.safetensors")
    False
    """
    folder = training_folder(model)
    begun = (folder / _CHECKPOINT, *(folder / FOLDS).glob("fold-*"))
    return not model.exists() and any(path.exists() or path in in_writing for path in begun)


def _is_taken(model: Path, own: Path, resume: bool) -> bool:
    """Whether history and report beside the model are another model's."""
    if (own / _HISTORY).exists():
        return True
    if model.exists() or resume:
        return False
    return any((model.parent / name).exists() for name in (_HISTORY, "report"))
