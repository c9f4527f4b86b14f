"""A training as a folder that runs anywhere: pairs, settings and the model to start from.

``job.json`` holds the settings, ``pairs.npz`` the images, ``start.safetensors`` the starting
model. Nothing in it points outside of the folder.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..data import CorrelativePairs
from ..errors import InputError, OutputError, OutputExistsError
from .training_config import TrainingConfig

_JOB, _PAIRS, _START = "job.json", "pairs.npz", "start.safetensors"


class _Saved(BaseModel):
    """Contents of ``job.json``."""

    model_config = ConfigDict(extra="forbid")

    config: TrainingConfig
    folds: int | None = Field(default=None, ge=2)
    names: tuple[str, ...]
    groups: tuple[str, ...]
    movies: tuple[str, ...]
    pixel_size_um: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A training that is ready to run.

    Attributes
    ----------
    folder : Path
        Where it lies; its model is written there.
    pairs : CorrelativePairs
        Images.
    config : TrainingConfig
        Settings; the model to start from is that of the folder.
    folds : int or None
        Parts of a cross-validation.
    """

    folder: Path
    pairs: CorrelativePairs
    config: TrainingConfig
    folds: int | None = None

    @property
    def output(self) -> Path:
        """The model file that the job writes."""
        return model_of_job(self.folder, self.config.name)

    @property
    def history(self) -> Path:
        """Its curve."""
        return self.folder / "history.csv"


def model_of_job(folder: Path, name: str) -> Path:
    """Return the model file that the job of a folder writes.

    Examples
    --------
    >>> model_of_job(Path("job"), "mine").name
    'mine.safetensors'
    """
    return folder / f"{name}.safetensors"


def write_job(
    folder: Path, pairs: CorrelativePairs, config: TrainingConfig, *, folds: int | None = None
) -> TrainingJob:
    """Write a training into a new or empty folder, and return it.

    Raises
    ------
    OutputExistsError
        The folder holds something.
    OutputError
        It cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from napari_virtualstain.data import CorrelativePairs
    >>> from napari_virtualstain.training import preset
    >>> planes = np.random.default_rng(0).normal(size=(2, 32, 32))
    >>> pairs = CorrelativePairs.from_arrays(planes, planes)
    >>> folder = Path(tempfile.mkdtemp()) / "job"
    >>> len(write_job(folder, pairs, preset("A")).pairs)
    2
    """
    if folder.exists() and any(folder.iterdir()):
        raise OutputExistsError(f"{str(folder)!r} is not empty: choose a new folder for the job.")
    arrays: dict[str, Any] = {}
    for index in range(len(pairs)):
        arrays[f"bright_field_{index}"] = pairs.bright_field[index]
        arrays[f"fluorescence_{index}"] = pairs.fluorescence[index]
        if (mask := pairs.mask_of(index)) is not None:
            arrays[f"mask_{index}"] = mask
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if config.init:
            from ..models import read_card  # finds shipped models by their name too

            read_card(config.init)
            shutil.copyfile(_path_of(config.init), folder / _START)
            config = config.updated(init=_START)
        np.savez_compressed(folder / _PAIRS, **arrays)
        saved = _Saved(
            config=config.updated(device="auto"),
            folds=folds,
            names=pairs.names,
            groups=pairs.groups,
            movies=pairs.movies,
            pixel_size_um=pairs.pixel_size_um,
            notes=pairs.notes,
        )
        (folder / _JOB).write_text(saved.model_dump_json(indent=1), encoding="utf-8")
    except OSError as error:
        for name in (_START, _PAIRS, _JOB):  # the folder was empty, and can be chosen again
            (folder / name).unlink(missing_ok=True)
        raise OutputError(
            f"The job cannot be written to {str(folder)!r} ({error.strerror or error}). Free some "
            "space, or choose another folder."
        ) from error
    return read_job(folder)


def read_job(folder: Path) -> TrainingJob:
    """Return the training of a folder that :func:`write_job` made.

    Raises
    ------
    InputError
        The folder holds no whole job.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from napari_virtualstain.data import CorrelativePairs
    >>> from napari_virtualstain.training import preset
    >>> planes = np.random.default_rng(0).normal(size=(2, 32, 32))
    >>> pairs = CorrelativePairs.from_arrays(planes, planes)
    >>> folder = Path(tempfile.mkdtemp()) / "job"
    >>> _ = write_job(folder, pairs, preset("A"))
    >>> len(read_job(folder).pairs)
    2
    """
    try:
        saved = _Saved.model_validate(json.loads((folder / _JOB).read_text(encoding="utf-8")))
        with np.load(folder / _PAIRS, allow_pickle=False) as arrays:
            count = range(len(saved.names))
            bright_field = tuple(arrays[f"bright_field_{i}"] for i in count)
            fluorescence = tuple(arrays[f"fluorescence_{i}"] for i in count)
            masks = tuple(arrays[k] if (k := f"mask_{i}") in arrays else None for i in count)
    except (OSError, ValueError, KeyError, ValidationError) as error:
        raise InputError(
            f"{str(folder)!r} holds no whole training job ({type(error).__name__}): expected "
            f"{_JOB} and {_PAIRS}, as 'Write job folder' of the dock writes them."
        ) from error
    config = saved.config
    if config.init:
        config = config.updated(init=str((folder / _START).absolute()))
    pairs = CorrelativePairs(
        bright_field=bright_field,
        fluorescence=fluorescence,
        names=saved.names,
        groups=saved.groups,
        movies=saved.movies,
        pixel_size_um=saved.pixel_size_um,
        notes=saved.notes,
        masks=masks if any(mask is not None for mask in masks) else (),
    )
    return TrainingJob(folder, pairs, config, saved.folds)


def _path_of(model: str) -> Path:
    from ..models import list_models

    path = Path(model)
    if path.is_file():
        return path
    return next(Path(entry.path) for entry in list_models() if entry.name == model)
