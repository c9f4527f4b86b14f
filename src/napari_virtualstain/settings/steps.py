"""Settings of each step: one class a step."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field, field_validator

from .._version import __version__
from .fields import Settings, setting
from .tuning import TrackTuning

Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float16", "int8"]
Split: TypeAlias = Literal["skeleton", "log", "none"]
Mode: TypeAlias = Literal["extended", "paper"]
LINKERS = ("kalman", "trackpy")

_AVERAGE = (
    "Average the network over the eight orientations of the image (turns and flips): slightly "
    "better and less noisy, eight times the work."
)
_PRECISION = (
    "Arithmetic of the network. auto: half precision where it is faster on this processor and a "
    "check of the model passes; float32: the same result on all machines; int8: fastest on "
    "processors, with the device openvino only."
)


class ReadSettings(Settings):
    """Reading of the bright-field; None leaves it to the file."""

    axes: str | None = setting(
        None,
        "Axes",
        "Axes of the file, one letter each: t, c, z, y, x; for instance tcyx.",
        none="from the file",
    )
    channel: int | str | None = setting(
        None, "Channel", "Channel to use, by number from 0 or by name.", none="the only one"
    )
    position: int | str | None = setting(
        None, "Position", "Position, well or image, by number from 0 or by name.", none="the first"
    )
    pixel_size_um: float | None = setting(
        None,
        "Pixel size",
        "Size of a pixel, instead of that in the file.",
        unit="µm",
        none="from the file",
        step=0.005,
        gt=0,
    )
    frame_interval_s: float | None = setting(
        None,
        "Interval",
        "Time between frames, instead of that in the file.",
        unit="s",
        none="from the file",
        step=0.5,
        gt=0,
    )


class StainSettings(Settings):
    """Settings of staining.

    Examples
    --------
    >>> StainSettings(temporal=2).temporal
    2
    """

    model: str | None = setting(
        None,
        "Model",
        "Name or path of a generator, or name of an add-on.",
        none="default",
        place="",
    )
    frames: str | None = setting(
        None, "Frames", "Frames to use, such as 0:100, ::5 or 0,3,7.", none="all", place=""
    )
    precision: Precision = setting("auto", "Precision", _PRECISION)
    average: bool | None = setting(None, "Average turns", _AVERAGE, none="as the model says")
    temporal: int = setting(
        0,
        "Reduce flicker",
        "Range before and after over which flicker is averaged away without smearing motion.",
        unit="frames",
        ge=0,
        le=15,
    )
    flat_field: bool = setting(
        False,
        "Flatten illumination",
        "Divide each frame by its own slow illumination field, for a lamp that is off its axis.",
    )
    uncertainty: bool | None = setting(
        None,
        "Uncertainty",
        "Also predict the error of each pixel; the trust of mitochondria and tracks follows "
        "from it.",
        none="if predicted",
    )


class SegmentSettings(Settings):
    """Settings of segmentation.

    Examples
    --------
    >>> SegmentSettings().threshold
    0.5
    """

    model: str | None = setting(
        None,
        "Model",
        "Name or path of a segmenter, or name of an add-on.",
        none="default",
        place="",
    )
    width_um: float | None = setting(
        None,
        "Width",
        "Typical width of mitochondria that are swollen or flat, which otherwise come out in "
        "fragments; usual is up to about 0.65 µm.",
        unit="µm",
        none="usual",
        place="form",
        step=0.1,
        gt=0,
    )
    threshold: float = setting(
        0.5,
        "Threshold",
        "Probability above which a pixel is foreground.",
        place="form",
        step=0.01,
        ge=0,
        le=1,
    )
    min_area_um2: float = setting(
        0.05,
        "Smallest",
        "Objects below this area are removed.",
        unit="µm²",
        place="form",
        step=0.01,
        ge=0,
    )
    split: Split = setting(
        "skeleton",
        "Split",
        "Method that separates touching mitochondria.",
        choices={"skeleton": "along the skeleton", "log": "at blobs (LoG)", "none": "not at all"},
        place="form",
    )
    average: bool = setting(False, "Average turns", _AVERAGE)
    precision: Precision = setting("auto", "Precision", _PRECISION)


class TrackSettings(Settings):
    """Settings of tracking; the defaults fit most movies.

    Examples
    --------
    >>> TrackSettings(max_gap=2).mode
    'extended'
    """

    mode: Mode = setting(
        "extended",
        "Method",
        "extended: masks, appearance, fission and fusion. paper: eq. 1 as published, Kalman filter "
        "and Hungarian assignment alone.",
        choices={"extended": "extended", "paper": "as in the paper"},
    )
    linker: str = setting(
        "kalman",
        "Linker",
        "kalman; trackpy: Crocker and Grier's algorithm; or the name of an add-on.",
    )
    search_radius_um: float | None = setting(
        None,
        "Farthest step",
        "Largest distance that a mitochondrion moves between frames.",
        unit="µm",
        none="as in this movie",
        place="form",
        step=0.1,
        gt=0,
    )
    max_gap: int = setting(
        3,
        "Longest gap",
        "Longest gap in a track.",
        unit="frames",
        place="form",
        ge=0,
    )
    min_length: int | None = setting(
        None,
        "Shortest track",
        "Length below which tracks are removed as false alarms.",
        unit="frames",
        none="by length of movie",
        ge=1,
    )
    gate_probability: float = setting(
        0.9997,
        "Gate",
        "Share of the true links that the gate of the paper's method accepts.",
        place="",
        gt=0,
        lt=1,
    )
    fission_fusion: bool = setting(True, "Fission and fusion", "Join tracks that split and merge.")
    fill_gaps: bool = setting(
        True, "Fill gaps", "Add rows for missing frames, marked as interpolated."
    )
    z_plane: int | Literal["max"] = setting(
        "max",
        "Plane of z-stacks",
        "Plane of a z-stack to track, counted from 0, or max: the maximum over all planes.",
        none="maximum over z",
    )
    tuning: TrackTuning = Field(
        default_factory=TrackTuning,
        title="Tuning",
        description="Numbers that few movies need to change.",
    )

    @field_validator("z_plane", mode="before")
    @classmethod
    def _plane_counts_from_0(cls, z_plane: Any) -> Any:
        if z_plane is None:  # in settings files of version 0.1
            return "max"
        if isinstance(z_plane, str) and z_plane.isdecimal():
            return int(z_plane)
        if z_plane != "max" and (not isinstance(z_plane, int) or z_plane < 0):
            raise ValueError("expected max, or the number of a plane, counted from 0")
        return z_plane

    @field_validator("linker")
    @classmethod
    def _linker_is_there(cls, linker: str) -> str:
        from ..hooks import added_name, trackers

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

    read: ReadSettings = Field(default_factory=ReadSettings, description="Reading of the movie.")
    stain: StainSettings = Field(default_factory=StainSettings, description="Staining.")
    segment: SegmentSettings = Field(default_factory=SegmentSettings, description="Segmentation.")
    track: TrackSettings = Field(default_factory=TrackSettings, description="Tracking.")
    version: str = Field(
        default=__version__, description="Version that wrote the file; informs only."
    )
