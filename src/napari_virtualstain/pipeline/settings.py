"""Everything that ``virtualstain run`` and the docks can set, as one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .._version import __version__
from ..errors import InputError
from ..io import write_text_atomically
from ..tracking import TrackingConfig


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadSettings(_Settings):
    """How the bright-field is read; None leaves it to the file.

    Attributes
    ----------
    axes : str or None
        One letter for each dimension.
    channel : int, str or None
        By number or name.
    position : int, str or None
        Position, well or image of several; the first by default.
    pixel_size_um, frame_interval_s : float or None
        Override the file.
    """

    axes: str | None = None
    channel: int | str | None = None
    position: int | str | None = None
    pixel_size_um: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    frame_interval_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class StainSettings(_Settings):
    """How it is stained.

    Attributes
    ----------
    model : str or None
        Name or path of a generator; None is the default one.
    frames : str or None
        Such as ``"0:100"``; None is all.
    precision : {"auto", "float32", "bfloat16", "float16"}
        Arithmetic; ``float32`` is the same on all machines.
    average : bool or None
        Whether to average over the eight turns and flips; None does as the model says.
    temporal : int
        Frames before and after over which flicker is averaged away; 0 for none.
    uncertainty : bool or None
        Whether to write the expected error too, from which objects and tracks get their
        trust; None writes it where the model predicts it.
    """

    model: str | None = None
    frames: str | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    average: bool | None = None
    temporal: int = Field(default=0, ge=0, le=15)
    uncertainty: bool | None = None


class SegmentSettings(_Settings):
    """How mitochondria are outlined.

    Attributes
    ----------
    model : str or None
        Name or path of a segmenter; None is the default one.
    threshold : float
        Probability from which a pixel is taken.
    min_area_um2 : float
        Smallest mitochondrion.
    split : {"skeleton", "log", "none"}
        How touching ones are told apart.
    width_um : float or None
        Typical width where they are swollen.
    average : bool
        Whether to average over the eight turns and flips.
    """

    model: str | None = None
    threshold: float = Field(default=0.5, ge=0, le=1)
    min_area_um2: float = Field(default=0.05, ge=0, allow_inf_nan=False)
    split: Literal["skeleton", "log", "none"] = "skeleton"
    width_um: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    average: bool = False


class PipelineSettings(_Settings):
    """All settings of a run.

    Attributes
    ----------
    read, stain, segment, track
        Of each step.
    version : str
        Of the package that wrote them; informs only.

    Examples
    --------
    >>> PipelineSettings().segment.threshold
    0.5
    """

    read: ReadSettings = ReadSettings()
    stain: StainSettings = StainSettings()
    segment: SegmentSettings = SegmentSettings()
    track: TrackingConfig = TrackingConfig()
    version: str = __version__


def load_settings(path: str | Path) -> PipelineSettings:
    """Return the settings in a file that :func:`save_settings` or a dock wrote.

    Parameters
    ----------
    path : str or Path
        JSON.

    Raises
    ------
    InputError
        Missing, no JSON, or with settings that are unknown or impossible; the message
        names them.

    Examples
    --------
    >>> import tempfile
    >>> file = save_settings(Path(tempfile.mkdtemp()) / "s.json", PipelineSettings())
    >>> load_settings(file) == PipelineSettings()
    True
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text)
        return PipelineSettings.model_validate(content)
    except OSError as error:
        raise InputError(
            f"The settings file {path} cannot be read ({error.strerror or error}). Check the path."
        ) from error
    except ValidationError as error:
        raise InputError(f"The settings file {path} cannot be used: {_reasons(error)}") from error
    except ValueError as error:
        raise InputError(
            f"{path} is no settings file ({error}): expected the JSON that a run writes as "
            "settings.json."
        ) from error


def save_settings(path: str | Path, settings: PipelineSettings, *, overwrite: bool = False) -> Path:
    """Write settings as JSON and return the path.

    Raises
    ------
    OutputExistsError, OutputError
        See :func:`napari_virtualstain.io.check_output`.
    """
    text = settings.model_dump_json(indent=2) + "\n"
    return write_text_atomically(path, text, overwrite=overwrite)


def tracking_config(**given: Any) -> TrackingConfig:
    """Return a tracking configuration, or a plain error about what cannot be.

    Raises
    ------
    InputError
        A setting is unknown or impossible.

    Examples
    --------
    >>> tracking_config(max_gap=2).max_gap
    2
    """
    try:
        return TrackingConfig(**given)
    except ValidationError as error:
        raise InputError(f"These tracking settings cannot be used: {_reasons(error)}") from error


def _reasons(error: ValidationError) -> str:
    """Return what is wrong with each setting, and what was given."""
    reasons = []
    for problem in error.errors():
        where = ".".join(map(str, problem["loc"])) or "the file"
        message = problem["msg"][0].lower() + problem["msg"][1:]
        if problem["type"] == "extra_forbidden":
            reasons.append(f"{where} is no setting")
        else:
            reasons.append(f"{where} = {problem['input']!r}: {message}")
    return "; ".join(reasons) + "."


def merged_settings(base: PipelineSettings, given: dict[str, dict[str, Any]]) -> PipelineSettings:
    """Return `base` with what was given, by step and name; None leaves a setting as it is.

    Raises
    ------
    InputError
        A setting is unknown or impossible.

    Examples
    --------
    >>> merged_settings(PipelineSettings(), {"segment": {"threshold": 0.3}}).segment.threshold
    0.3
    """
    content = base.model_dump()
    for step, values in given.items():
        content[step] |= {name: value for name, value in values.items() if value is not None}
    content["version"] = __version__
    try:
        return PipelineSettings.model_validate(content)
    except ValidationError as error:
        raise InputError(f"These settings cannot be used: {_reasons(error)}") from error
