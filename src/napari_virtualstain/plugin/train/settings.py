"""Settings of the dock `Train virtual staining`, kept beside a training that is resumed later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from ...training import TrainingConfig

ALLOW_SHARED = "Allow shared pixels"
CORRECT_REGISTRATION = "Correct registration"
FOREGROUND = "Foreground"
FILE = "dock.json"
HeldOutBy: TypeAlias = Literal["time", "region", "pair"]


class OpticsSettings(BaseModel):
    """The microscope, and how the weight map is made of it.

    Attributes
    ----------
    numerical_aperture, immersion_index, wavelength_um, depth_um : float
        Of the fluorescence channel.
    weight_map : str or None
        One of the six kinds; None is that of the method.
    weight_background : float
        Percentile of the frame that is subtracted before; 0 is off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    numerical_aperture: float = Field(default=1.42, gt=0, le=1.7)
    immersion_index: float = Field(default=1.515, ge=1, le=2)
    wavelength_um: float = Field(default=0.608, gt=0, le=5)
    depth_um: float = Field(default=0.0, ge=0, le=200)
    weight_map: str | None = None
    weight_background: float = Field(default=25.0, ge=0, le=50)


class TrainSettings(BaseModel):
    """All fields of the form but the layers and the name.

    Attributes
    ----------
    simulate : bool
        Whether pairs are simulated like the bright-field, for want of fluorescence.
    simulated_pairs : int
        How many.
    by : {"time", "region", "pair"}
        What is held out: frames, regions, or a pair of layers.
    folds : int or None
        Into how many parts these are dealt at most, each held out in turn; None holds
        one out, once.
    allow_leakage : bool
        Whether held-out images may share pixels with those that train.
    correct_registration : bool
        Whether certain shifts between the channels are undone.
    pixel_size_um : float
        Of the data.
    start_from : str or None
        Model to fine-tune, name or path.
    preset : str
        Method.
    planes : (int, {"z", "t"}) or None
        Bright-field planes read for one target, and along what; None is what is usual.
    minutes : float or None
        Longest time of each training.
    steps : int or None
        Of each training; None: as many as the data is worth.
    crop_size, batch_size : int
        Of each training.
    min_foreground : float
        Smallest share of bright pixels of a crop.
    device : str or None
        None is that of the preferences.
    each_frame : bool
        Whether regions hold for the frame alone that they are drawn on.
    optics : OpticsSettings
        For the weight map.
    compare : bool
        Whether the visible frame is stained before and after.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    simulate: bool = False
    simulated_pairs: int = Field(default=200, ge=10)
    by: HeldOutBy = "time"
    folds: int | None = Field(default=None, ge=2)
    allow_leakage: bool = False
    correct_registration: bool = Field(
        default=False,
        validation_alias=AliasChoices("correct_registration", "correct_shifts"),  # before 0.2
    )
    pixel_size_um: float = Field(gt=0, allow_inf_nan=False)
    start_from: str | None = None
    preset: str = "recommended"
    planes: tuple[int, Literal["z", "t"]] | None = None
    minutes: float | None = Field(default=10.0, gt=0)
    steps: int | None = Field(default=None, ge=1)
    crop_size: int = Field(default=128, ge=1)
    batch_size: int = Field(default=8, ge=1)
    min_foreground: float = Field(default=0.0, ge=0, lt=1)
    device: str | None = None
    each_frame: bool = False
    optics: OpticsSettings = OpticsSettings()
    compare: bool = True

    @property
    def correct_shifts(self) -> bool:
        """Former name of `correct_registration`."""
        return self.correct_registration

    def config_fields(self) -> dict[str, Any]:
        """Return the fields of ``TrainingConfig`` that differ from the preset's.

        Examples
        --------
        >>> TrainSettings(pixel_size_um=0.08, steps=60).config_fields()["validate_every"]
        6
        """
        looks = {} if self.steps is None else {"validate_every": max(1, min(50, self.steps // 10))}
        return {
            **({} if self.steps is None else {"steps": self.steps}),
            **({} if self.minutes is None else {"minutes": self.minutes}),
            **looks,
            "crop_size": self.crop_size,
            "batch_size": self.batch_size,
            "min_foreground": self.min_foreground,
            "pixel_size_um": self.pixel_size_um,
            "bad_pairs": "drop",
            "allow_leakage": self.allow_leakage,
            "correct_registration": self.correct_registration,
            "numerical_aperture": self.optics.numerical_aperture,
            "immersion_index": self.optics.immersion_index,
            "wavelength_um": self.optics.wavelength_um,
            "depth_um": self.optics.depth_um,
            **({} if self.start_from is None else {"init": self.start_from}),
        }

    def training_config(self, name: str, device: str) -> TrainingConfig:
        """Return the settings of the training.

        Raises
        ------
        InputError
            A field is out of its range.
        """
        from ...training import preset

        config = preset(self.preset)
        loss = config.loss.model_dump()
        if loss["weighted_l1"]:
            loss["weight_background"] = self.optics.weight_background
            loss["weight_map"] = self.optics.weight_map or loss["weight_map"]
        fields = {**self.config_fields(), "loss": loss}
        return config.updated(**fields, name=name, device=self.device or device)


def remember_settings(output: Path, settings: TrainSettings) -> None:
    """Keep the settings of a training beside its checkpoint, for the day when it goes on.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    from ...io import write_text_atomically
    from ...training import training_folder

    path = training_folder(output) / FILE
    write_text_atomically(path, settings.model_dump_json(indent=1), overwrite=True)


def recall_settings(output: Path) -> TrainSettings | None:
    """Return the settings with which a training to `output` was begun, None if they are lost."""
    from ...training import training_folder

    try:
        text = (training_folder(output) / FILE).read_text(encoding="utf-8")
        return TrainSettings.model_validate_json(text)
    except (OSError, ValidationError):
        return None
