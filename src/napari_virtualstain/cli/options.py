"""Options that several commands share, and how inputs are opened with them."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..axes import check_positive
from ..errors import InputError, OutputExistsError
from ..settings import (
    SegmentSettings,
    Settings,
    StainSettings,
    TrackSettings,
    fields_of,
)
from .running import Job

if TYPE_CHECKING:
    from ..io import Stack
    from ..staining import FitReport


def setting_option(
    settings: type[Settings],
    name: str,
    *flags: str,
    only_with: str = "",
    default: str | None = None,
) -> Any:
    """Return the option of a setting, described as the settings class describes it.

    Parameters
    ----------
    settings : type
        Class of the setting.
    name : str
        Name of the setting.
    *flags : str
        Names of the option; by default that of its parameter.
    only_with : str
        Other option, without which this one has no meaning.
    default : str, optional
        Text for the value without the option, where it is not the default of the class.
    """
    field = fields_of(settings)[name]
    low = None if field.is_open else field.minimum
    limits: dict[str, Any] = {"min": low, "max": field.maximum}
    if field.kind is int:
        limits = {side: None if limit is None else int(limit) for side, limit in limits.items()}
    given: dict[str, Any] = {side: limit for side, limit in limits.items() if limit is not None}
    text = field.help if default is None else replace(field, default=default).help
    if only_with:
        text = f"With {only_with}: {text[0].lower()}{text[1:]}"
    return typer.Option(*flags, help=text, show_default=False, **given)


Axes = Annotated[
    str | None,
    typer.Option(help="Axes of the file, one letter each: t, c, z, y, x; for instance tcyx."),
]
Channel = Annotated[str | None, typer.Option(help="Channel to use, by number from 0 or by name.")]
Position = Annotated[
    str | None,
    typer.Option(help="Position, well or image of several, by number from 0 or by name [first]."),
]
ReferenceChannel = Annotated[
    str | None, typer.Option(help="Channel of the reference, by number from 0 or by name.")
]
PixelSize = Annotated[
    float | None, typer.Option("--pixel-size-um", help="Pixel size in µm; overrides the file.")
]
FrameInterval = Annotated[
    float | None,
    typer.Option("--frame-interval-s", help="Frame interval in seconds; overrides the file."),
]
Frames = Annotated[str | None, setting_option(StainSettings, "frames")]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, openvino, cuda, cuda:1 or mps; by default a GPU, else the cpu."),
]
TrainingDevice = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, cuda:1 or mps; by default the fastest.")
]
Devices = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="cpu, openvino, cuda, cuda:1 or mps; by default a GPU, else the cpu. Several share "
        "the frames: cuda:0,cuda:1, or gpus for all GPUs.",
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(help="Tile size in pixels; by default it follows the free memory.", min=16),
]
Scheduler = Annotated[
    str | None, typer.Option(help="Address of a dask scheduler whose workers stain.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Ends in .ome.tif or .ome.zarr.")]
Generator = Annotated[str | None, setting_option(StainSettings, "model")]
Segmenter = Annotated[str | None, setting_option(SegmentSettings, "model")]
Average = Annotated[bool | None, setting_option(StainSettings, "average", "--average/--no-average")]
Temporal = Annotated[int | None, setting_option(StainSettings, "temporal")]
FlatField = Annotated[
    bool | None, setting_option(StainSettings, "flat_field", "--flat-field/--no-flat-field")
]
Threshold = Annotated[float | None, setting_option(SegmentSettings, "threshold")]
MinArea = Annotated[float | None, setting_option(SegmentSettings, "min_area_um2")]
Width = Annotated[float | None, setting_option(SegmentSettings, "width_um")]
MaxGap = Annotated[int | None, setting_option(TrackSettings, "max_gap")]
ZPlane = Annotated[str | None, setting_option(TrackSettings, "z_plane")]


class Precision(StrEnum):
    """The arithmetic of staining."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"
    int8 = "int8"


class Split(StrEnum):
    """Methods that separate touching mitochondria."""

    skeleton = "skeleton"
    log = "log"
    none = "none"


Arithmetic = Annotated[Precision | None, setting_option(StainSettings, "precision")]
SplitBy = Annotated[Split | None, setting_option(SegmentSettings, "split")]
LinkBy = Annotated[str | None, setting_option(TrackSettings, "linker")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing output.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue an interrupted run of this command.")
]


def say_plane(stack: Stack, job: Job, config: TrackSettings) -> None:
    """Say on stderr what of a z-stack is tracked."""
    if "z" in stack.axes:
        chosen = "the maximum over z" if config.z_plane == "max" else f"plane {config.z_plane} of z"
        job.note(f"Tracks are of {chosen}; the input has {stack.sizes['z']} planes (--z-plane).")


def open_input(
    path: Path | str,
    job: Job,
    *,
    axes: str | None = None,
    channel: str | None = None,
    position: str | None = None,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
) -> Stack:
    """Open one channel of an image, and say on stderr what was read and assumed.

    Raises
    ------
    InputError
        There are several channels and none was chosen.
    """
    from ..io import open_stack
    from ..pipeline import one_channel

    stack = open_stack(
        path,
        axes=axes,
        channel=channel,
        position=position,
        pixel_size_um=pixel_size_um,
        frame_interval_s=frame_interval_s,
    )
    one_channel(stack, path)
    job.note(f"{path}: {stack.describe()}")
    for note in stack.notes:
        job.note(f"Note: {note}")
    return stack


def is_terminal() -> bool:
    """Whether questions can be asked on a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def settle_pixel_size(stack: Stack, job: Job, model: str | None) -> Stack:
    """Return the stack, with its pixel size asked for where the file does not say it.

    Without a person at a terminal the engine assumes the model's, with a warning.
    """
    from ..models import default_model, read_card
    from ..staining import is_add_on

    if stack.pixel_size_um is not None or not is_terminal() or is_add_on(model):
        return stack
    wanted = read_card(model or default_model("generator")).pixel_size_um
    if wanted is None:
        return stack
    given = typer.prompt(
        f"{stack.name} does not say its pixel size. Pixel size in µm",
        default=wanted,
        type=float,
        err=True,
    )
    return replace(stack, pixel_size_um=check_positive(given, "pixel size", "µm"))


def given_options(**options: Any) -> dict[str, Any]:
    """Return the options that were given, choices as plain text."""
    return {
        name: str(value) if isinstance(value, StrEnum) else value
        for name, value in options.items()
        if value is not None
    }


def check_other(output: Path, *inputs: Path | str) -> None:
    """Refuse an output that is one of the inputs or a folder around it, whatever else is allowed.

    Raises
    ------
    InputError
        It is.
    """
    for given in inputs:
        try:
            is_same = Path(given).exists() and output.exists() and output.samefile(given)
            is_around = output.resolve() in Path(given).resolve().parents
        except (OSError, ValueError):
            is_same = is_around = False
        if is_around:
            raise InputError(
                f"The output {output} is the folder of the input {given}: expected another name. "
                "Your data would be lost."
            )
        if is_same:
            raise InputError(
                f"The output {output} is the input itself: expected another name. "
                "Your data would be lost."
            )


def check_free(output: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse an output that is there or cannot be written, before any work.

    Raises
    ------
    OutputExistsError
        It is there, and must not be replaced; with `resume` it is complete.
    OutputError
        It cannot be written.
    """
    from ..io import check_output, remove_leftovers

    if resume and not overwrite and output.exists():
        remove_leftovers(output)
        raise OutputExistsError(
            f"{output} is already complete; nothing is left to resume. Allow replacing it "
            "(--overwrite) to make it again."
        )
    check_output(output, overwrite=overwrite)


def say_fit(job: Job, report: FitReport | None, model: str | None) -> None:
    """Say whether the movie resembles the training images of the model, and if not, why."""
    if report is None:
        job.note(f"{model!r} is an add-on: whether it fits this movie cannot be checked.")
        return
    reasons = f": {' '.join(report.reasons)}" if report.reasons else ""
    job.note(f"Fit of the model to this movie: {report.level}{reasons}")
