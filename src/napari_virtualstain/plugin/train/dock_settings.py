"""Settings of the dock `Train virtual staining`, kept beside a training that is resumed later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field, ValidationError, model_validator

from ...settings import PairSettings, TrainSettings, fields_of

if TYPE_CHECKING:
    from ...training import TrainingConfig

_FIELDS = fields_of(TrainSettings)
ALLOW_SHARED = _FIELDS["allow_leakage"].title
CORRECT_REGISTRATION = _FIELDS["correct_registration"].title
FOREGROUND = _FIELDS["min_foreground"].title
FILE = "dock.json"
WEIGHT_BACKGROUND = 25.0  # measured best, see preset recommended
HeldOutBy: TypeAlias = Literal["time", "region", "pair"]


class DockSettings(TrainSettings, PairSettings):
    """All fields of the form but the layers and the name.

    Attributes
    ----------
    pixel_size_um : float
        Of the data.
    simulate : bool
        Whether pairs are simulated like the bright-field, for want of fluorescence.
    by : {"time", "region", "pair"}
        What is held out: frames, regions, or a pair of layers.
    weight_map : str or None
        One of the six kinds; None is that of the method.
    weight_background : float
        Percentile of the frame that is subtracted before; 0 is off.
    device : str or None
        None is that of the preferences.
    each_frame : bool
        Whether regions hold for the frame alone that they are drawn on.
    compare : bool
        Whether the visible frame is stained before and after.
    """

    pixel_size_um: float = Field(gt=0)
    simulate: bool = False
    by: HeldOutBy = "time"
    weight_map: str | None = None
    weight_background: float = WEIGHT_BACKGROUND
    device: str | None = None
    each_frame: bool = False
    compare: bool = True

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, given: Any) -> Any:
        """Understand settings that were kept before version 0.2."""
        if not isinstance(given, dict):
            return given
        found = {**given, **given.get("optics", {})}
        found.pop("optics", None)
        for old, new in (("correct_shifts", "correct_registration"), ("start_from", "init")):
            if old in found:
                found[new] = found.pop(old) or ""
        if isinstance(planes := found.get("planes"), list | tuple):
            found["planes"], found["plane_axis"] = planes
        return found

    def config_fields(self) -> dict[str, Any]:
        """Return the fields of ``TrainingConfig`` that differ from the preset's.

        Examples
        --------
        >>> DockSettings(pixel_size_um=0.08, steps=60).config_fields()["validate_every"]
        6
        """
        given = {name: getattr(self, name) for name in _FIELDS if name != "preset"}
        for name in ("steps", "epochs", "minutes"):
            if given[name] is None:
                del given[name]
        if self.steps is not None:
            given["validate_every"] = max(1, min(50, self.steps // 10))
        return {**given, "pixel_size_um": self.pixel_size_um, "bad_pairs": "drop"}

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
            loss["weight_background"] = self.weight_background
            loss["weight_map"] = self.weight_map or loss["weight_map"]
        fields = {**self.config_fields(), "loss": loss}
        return config.updated(**fields, name=name, device=self.device or device)


def remember_settings(output: Path, settings: DockSettings) -> None:
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


def recall_settings(output: Path) -> DockSettings | None:
    """Return the settings with which a training to `output` was begun, None if they are lost."""
    from ...training import training_folder

    try:
        text = (training_folder(output) / FILE).read_text(encoding="utf-8")
        return DockSettings.model_validate_json(text)
    except (OSError, ValidationError):
        return None
