"""What is set in the dock `Train virtual staining`, kept beside a training that goes on later."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

ALLOW_SHARED = "Allow shared pixels"
CORRECT_SHIFTS = "Correct shifts"
_FILE = "dock.json"


class TrainSettings(BaseModel):
    """All fields of the form but the layers and the name.

    Attributes
    ----------
    by : {"time", "region"}
        What is held out: frames, or a region.
    folds : int or None
        Into how many parts these are dealt at most, each held out in turn; None holds the
        last one out, once.
    allow_leakage : bool
        Whether held-out images may share pixels with those that train.
    correct_shifts : bool
        Whether certain shifts between the channels are undone.
    pixel_size_um : float
        Of the data.
    start_from : str or None
        Model to fine-tune, name or path.
    preset : str
        Method.
    planes : (int, {"z", "t"}) or None
        Bright-field planes read for one target, and along what; None is what is usual.
    steps, crop_size, batch_size : int
        Of each training.
    compare : bool
        Whether the visible frame is stained before and after.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["time", "region"] = "time"
    folds: int | None = Field(default=None, ge=2)
    allow_leakage: bool = False
    correct_shifts: bool = False
    pixel_size_um: float = Field(gt=0, allow_inf_nan=False)
    start_from: str | None = None
    preset: str = "recommended"
    planes: tuple[int, Literal["z", "t"]] | None = None
    steps: int = Field(default=500, ge=1)
    crop_size: int = Field(default=128, ge=1)
    batch_size: int = Field(default=8, ge=1)
    compare: bool = True

    def config_fields(self) -> dict[str, Any]:
        """Return the fields of ``TrainingConfig`` that differ from the preset's.

        Examples
        --------
        >>> TrainSettings(pixel_size_um=0.08, steps=60).config_fields()["validate_every"]
        6
        """
        return {
            "steps": self.steps,
            "crop_size": self.crop_size,
            "batch_size": self.batch_size,
            "validate_every": max(1, min(50, self.steps // 10)),
            "pixel_size_um": self.pixel_size_um,
            "allow_leakage": self.allow_leakage,
            "correct_registration": self.correct_shifts,
            **({} if self.start_from is None else {"init": self.start_from}),
        }


def remember_settings(output: Path, settings: TrainSettings) -> None:
    """Keep the settings of a training beside its checkpoint, for the day when it goes on.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    from ...io import write_text_atomically
    from ...training import training_folder

    path = training_folder(output) / _FILE
    write_text_atomically(path, settings.model_dump_json(indent=1), overwrite=True)


def recall_settings(output: Path) -> TrainSettings | None:
    """Return the settings with which a training to `output` was begun, None if they are lost."""
    from ...training import training_folder

    try:
        text = (training_folder(output) / _FILE).read_text(encoding="utf-8")
        return TrainSettings.model_validate_json(text)
    except (OSError, ValidationError):
        return None
