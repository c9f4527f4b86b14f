"""Settings of each step: one class a step, for keywords, command line, docks, files, metadata.

A field holds, once, all that any front end shows of it: title, unit, limits, choices and a
description. :func:`fields_of` reads them out for ``--help`` and for the docks' forms::

    field = fields_of(SegmentSettings)["min_area_um2"]
    field.label        # "Smallest mitochondrion (µm²)"
    field.help         # "Objects below this area are dropped, in µm² [0.05]."
    field.widget       # {"label": ..., "tooltip": ..., "min": 0.0, ...} for magicgui
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ._version import __version__
from .errors import InputError

Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]
Split: TypeAlias = Literal["skeleton", "log", "none"]
Mode: TypeAlias = Literal["extended", "paper"]
LINKERS = ("kalman", "trackpy")

_AVERAGE = (
    "Average the network over the eight orientations of the image (turns and flips): slightly "
    "better and less noisy, eight times the work."
)
_PRECISION = (
    "Arithmetic of the network. auto: half precision where it is faster on this processor and a "
    "check of the model passes; float32: the same result on all machines."
)


def _setting(
    default: Any,
    title: str,
    description: str,
    *,
    unit: str = "",
    none: str = "",
    choices: dict[str, str] | None = None,
    **limits: Any,
) -> Any:
    """Return a field with what front ends show of it; `none` is the text for None."""
    shown: dict[str, Any] = {"unit": unit, "none": none, "choices": choices or {}}
    return Field(
        default=default, title=title, description=description, json_schema_extra=shown, **limits
    )


class Settings(BaseModel):
    """Base of the settings of all steps: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ReadSettings(Settings):
    """Reading of the bright-field; None leaves it to the file."""

    axes: str | None = _setting(
        None, "Axes", "Axes of the file, one letter each: t, c, z, y, x; for instance tcyx."
    )
    channel: int | str | None = _setting(
        None, "Channel", "Channel to use, by number from 0 or by name."
    )
    position: int | str | None = _setting(
        None, "Position", "Position, well or image, by number from 0 or by name.", none="the first"
    )
    pixel_size_um: float | None = _setting(
        None, "Pixel size", "Size of a pixel; overrides the file.", unit="µm", gt=0
    )
    frame_interval_s: float | None = _setting(
        None, "Frame interval", "Time between frames; overrides the file.", unit="s", gt=0
    )


class StainSettings(Settings):
    """Settings of staining.

    Examples
    --------
    >>> StainSettings(temporal=2).temporal
    2
    """

    model: str | None = _setting(
        None, "Model", "Name or path of a generator, or name of an add-on.", none="default"
    )
    frames: str | None = _setting(
        None, "Frames", "Frames to use, such as 0:100, ::5 or 0,3,7.", none="all"
    )
    precision: Precision = _setting("auto", "Precision", _PRECISION)
    average: bool | None = _setting(None, "Average turns", _AVERAGE, none="as the model says")
    temporal: int = _setting(
        0,
        "Reduce flicker",
        "Number of frames before and after over which flicker is averaged away; moving "
        "structures are kept.",
        unit="frames",
        ge=0,
        le=15,
    )
    uncertainty: bool | None = _setting(
        None,
        "Uncertainty",
        "Also predict the error of each pixel; the trust of mitochondria and tracks follows "
        "from it.",
        none="where the model predicts it",
    )


class SegmentSettings(Settings):
    """Settings of segmentation.

    Examples
    --------
    >>> SegmentSettings().threshold
    0.5
    """

    model: str | None = _setting(
        None, "Model", "Name or path of a segmenter, or name of an add-on.", none="default"
    )
    threshold: float = _setting(
        0.5, "Threshold", "Probability above which a pixel is foreground.", ge=0, le=1
    )
    min_area_um2: float = _setting(
        0.05,
        "Smallest mitochondrion",
        "Smaller objects are removed.",
        unit="µm²",
        ge=0,
    )
    split: Split = _setting(
        "skeleton",
        "Split touching ones by",
        "Method that separates touching mitochondria.",
        choices={"skeleton": "skeleton", "log": "blobs (LoG)", "none": "not at all"},
    )
    width_um: float | None = _setting(
        None,
        "Typical width",
        "Typical width of swollen mitochondria; the image is scaled so that the network sees "
        "the width it was trained on.",
        unit="µm",
        none="usual width",
        gt=0,
    )
    average: bool = _setting(False, "Average turns", _AVERAGE)
    precision: Precision = _setting("auto", "Precision", _PRECISION)


class TrackTuning(Settings):
    """Numbers that decide about events and joins, each with its unit and source.

    The defaults were chosen on simulated movies (``benchmarks/tracking_simulator.py``) unless the
    description names another source; few movies need others.

    Examples
    --------
    >>> TrackTuning(clump_frames=3).least_listed_probability
    0.3
    """

    event_log_odds: float = _setting(
        -0.9, "Event prior", "Log odds of an event before sizes and distances are considered."
    )
    least_event_probability: float = _setting(
        0.5, "Least by appearance", "Least probability by appearance of a candidate.", ge=0, le=1
    )
    growth_in_radii: float = _setting(
        0.35, "Growth", "Largest growth of an outline within a frame, in radii of the whole.", ge=0
    )
    outside_log_odds: float = _setting(
        -4.0, "At the border", "Log odds of an event whose parts may join outside the image."
    )
    area_log_spread: float = _setting(
        0.4,
        "Spread of area",
        "Spread of the log ratio of areas of parts and whole; wide, because dividing nuclei "
        "condense (HeLa nuclei with marked divisions).",
        gt=0,
    )
    least_listed_probability: float = _setting(
        0.3, "Least listed", "Calibrated probability above which an event is listed.", ge=0, le=1
    )
    watched_frames: int = _setting(
        8, "Frames watched", "Frames around an event where parts may touch.", unit="frames", ge=1
    )
    touching_px: float = _setting(
        2.0, "Touching", "Largest gap between masks that touch.", unit="pixels", ge=0
    )
    clump_frames: int = _setting(
        6,
        "Longest clump",
        "Longest time for which objects that pass each other share one mask.",
        unit="frames",
        ge=0,
    )
    clump_size_tolerance: float = _setting(
        0.35, "Clump sizes", "Largest change of log area across a clump.", ge=0
    )
    join_least_length: int = _setting(
        3, "Joined tracks", "Fewest detections of a track that may be joined to another.", ge=1
    )
    join_chance: float = _setting(
        0.02,
        "Chance of a join",
        "Expected number of unrelated objects as near as the track to join.",
        ge=0,
    )
    join_chance_sized: float = _setting(
        0.05, "Chance, sizes fit", "The same where both sizes are known and agree.", ge=0
    )
    join_longest_steps: float = _setting(
        30.0, "Farthest join", "Largest distance of a join, in typical steps of the movie.", gt=0
    )
    join_size_change: float = _setting(
        0.7, "Size at a join", "Largest change of log area at a join.", ge=0
    )


class TrackSettings(Settings):
    """Settings of tracking; the defaults fit most movies.

    Examples
    --------
    >>> TrackSettings(max_gap=2).mode
    'extended'
    """

    mode: Mode = _setting(
        "extended",
        "Method",
        "extended: masks, appearance, fission and fusion. paper: eq. 1 as published, Kalman filter "
        "and Hungarian assignment alone.",
        choices={"extended": "extended", "paper": "as in the paper"},
    )
    linker: str = _setting(
        "kalman",
        "Linker",
        "kalman; trackpy: Crocker and Grier's algorithm; or the name of an add-on.",
    )
    search_radius_um: float | None = _setting(
        None,
        "Farthest step",
        "Largest distance that a mitochondrion moves between frames.",
        unit="µm",
        none="as in this movie",
        gt=0,
    )
    max_gap: int = _setting(
        3,
        "Longest gap",
        "Largest number of consecutive frames that a track may miss.",
        unit="frames",
        ge=0,
    )
    min_length: int | None = _setting(
        None,
        "Shortest track",
        "Tracks with fewer detections are removed as false alarms.",
        unit="frames",
        none="by the length of the movie",
        ge=1,
    )
    gate_probability: float = _setting(
        0.9997,
        "Gate",
        "Share of the true links that the gate of the paper's method accepts.",
        gt=0,
        lt=1,
    )
    fission_fusion: bool = _setting(True, "Fission and fusion", "Join tracks that split and merge.")
    fill_gaps: bool = _setting(
        True, "Fill gaps", "Add rows for missing frames, marked as interpolated."
    )
    z_plane: int | Literal["max"] | None = _setting(
        None,
        "Plane of a z-stack",
        "Plane of a z-stack to track, counted from 0, or max for the maximum projection.",
        none="refuse z-stacks",
    )
    tuning: TrackTuning = Field(
        default=TrackTuning(), title="Tuning", description="Numbers that few movies need to change."
    )

    @field_validator("linker")
    @classmethod
    def _linker_is_there(cls, linker: str) -> str:
        from .hooks import added_name, trackers

        if linker in LINKERS or added_name(linker, "tracker", LINKERS):
            return linker
        known = ", ".join([*LINKERS, *sorted(trackers())])
        raise ValueError(f"expected one of {known}")


class PipelineSettings(Settings):
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

    read: ReadSettings = Field(default=ReadSettings(), description="Reading of the movie.")
    stain: StainSettings = Field(default=StainSettings(), description="Staining.")
    segment: SegmentSettings = Field(default=SegmentSettings(), description="Segmentation.")
    track: TrackSettings = Field(default=TrackSettings(), description="Tracking.")
    version: str = Field(
        default=__version__, description="Version that wrote the file; informs only."
    )


Chosen = TypeVar("Chosen", bound=Settings)


@dataclass(frozen=True, slots=True)
class SettingField:
    """Description of a setting for front ends: label, unit, range, choices.

    Attributes
    ----------
    name : str
        Of the field, the keyword and the command's option.
    title, description, unit : str
        For people; the unit is empty for pure numbers.
    default : object
        Value where nothing is chosen.
    kind : type
        bool, int, float or str; of an optional field, that of its values.
    none : str
        Meaning of None, empty where None is no value.
    minimum, maximum : float or None
        Limits of a number; an exclusive limit is given as such by `is_open`.
    is_open : bool
        Whether `minimum` itself is not allowed.
    choices : dict
        Each value with its label; empty for free values.
    """

    name: str
    title: str
    description: str
    unit: str
    default: Any
    kind: type
    none: str = ""
    minimum: float | None = None
    maximum: float | None = None
    is_open: bool = False
    choices: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Title with the unit, for a form."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def help(self) -> str:
        """Description with unit and default, for ``--help``."""
        text = self.description
        if self.unit:
            text = f"{text[:-1]}, in {self.unit}."
        default = self.none if self.default is None else str(self.default)
        if isinstance(self.default, bool):
            default = "on" if self.default else "off"
        return f"{text[:-1]} [{default}]." if default else text

    @property
    def widget(self) -> dict[str, Any]:
        """Options of the magicgui widget for this setting: ``create_widget(options=...)``."""
        options: dict[str, Any] = {"label": self.label, "tooltip": self.description}
        if self.choices:
            return options | {"choices": [(text, value) for value, text in self.choices.items()]}
        limits = {"min": self.minimum, "max": self.maximum}
        return options | {name: value for name, value in limits.items() if value is not None}


def fields_of(settings: type[Settings]) -> dict[str, SettingField]:
    """Return what front ends show of each field of a settings class, in order.

    Examples
    --------
    >>> field = fields_of(SegmentSettings)["min_area_um2"]
    >>> field.label, field.minimum, field.help
    ('Smallest mitochondrion (µm²)', 0.0, 'Objects below this area are dropped, in µm² [0.05].')
    """
    return {name: _field(name, info) for name, info in settings.model_fields.items()}


def _field(name: str, info: Any) -> SettingField:
    shown = info.json_schema_extra or {}
    kinds = _alternatives(info.annotation)
    literals = [value for kind in kinds for value in get_args(kind)]
    choices = shown.get("choices") or {value: value for value in literals if len(kinds) == 1}
    plain = [kind for kind in kinds if isinstance(kind, type)]
    at_least, above = _limit(info, "ge"), _limit(info, "gt")
    at_most, below = _limit(info, "le"), _limit(info, "lt")
    return SettingField(
        name=name,
        title=info.title or name,
        description=info.description or "",
        unit=shown.get("unit", ""),
        default=info.default,
        kind=plain[0] if plain else str,
        none=shown.get("none", ""),
        minimum=above if at_least is None else at_least,
        maximum=below if at_most is None else at_most,
        is_open=above is not None,
        choices=choices,
    )


def _limit(info: Any, name: str) -> float | None:
    found = (getattr(limit, name) for limit in info.metadata if hasattr(limit, name))
    return next((float(value) for value in found), None)


def _alternatives(annotation: Any) -> list[Any]:
    """Return the types that a field may have, without None."""
    if get_origin(annotation) in (Union, UnionType):
        return [kind for kind in get_args(annotation) if kind is not NoneType]
    return [annotation]


def checked_settings(settings: type[Chosen], **given: Any) -> Chosen:
    """Return settings, or a plain error about what cannot be.

    Raises
    ------
    InputError
        A setting is unknown or impossible.

    Examples
    --------
    >>> checked_settings(TrackSettings, max_gap=2).max_gap
    2
    """
    try:
        return settings(**given)
    except ValidationError as error:
        raise InputError(f"These settings cannot be used: {reasons(error)}") from error


def settings_beside(config: Chosen, **given: Any) -> Chosen:
    """Return `config`, after checking that no keyword beside it says otherwise.

    A keyword at its default counts as not given.

    Raises
    ------
    InputError
        One does.

    Examples
    --------
    >>> settings_beside(TrackSettings(max_gap=9), max_gap=3).max_gap
    9
    """
    known = fields_of(type(config))
    for name, value in given.items():
        if value not in (known[name].default, getattr(config, name)):
            raise InputError(
                f"{name}={value!r} was given beside config, which says {name}="
                f"{getattr(config, name)!r}: expected one of the two. Set it in config."
            )
    return config


def reasons(error: ValidationError) -> str:
    """Return what is wrong with each setting, and what was given."""
    found = []
    for problem in error.errors():
        where = ".".join(map(str, problem["loc"])) or "the file"
        message = problem["msg"][0].lower() + problem["msg"][1:]
        if problem["type"] == "extra_forbidden":
            found.append(f"{where} is no setting")
        else:
            found.append(f"{where} = {problem['input']!r}: {message}")
    return "; ".join(found) + "."
