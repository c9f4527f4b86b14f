"""Options that several commands share, and how inputs are opened with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError, OutputExistsError
from .jobs import Job

if TYPE_CHECKING:
    from ..io import Stack

Axes = Annotated[
    str | None,
    typer.Option(help="Axes of the file, one letter each of t c z y x, such as tcyx."),
]
Channel = Annotated[str | None, typer.Option(help="Channel to use, by number from 0 or by name.")]
PixelSize = Annotated[
    float | None, typer.Option("--pixel-size-um", help="Pixel size in µm; overrides the file.")
]
FrameInterval = Annotated[
    float | None,
    typer.Option("--frame-interval-s", help="Seconds from frame to frame; overrides the file."),
]
Frames = Annotated[
    str | None, typer.Option(help="Frames to use, such as 0:100, ::5 or 0,3,7; all by default.")
]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1 or mps; the best there is by default.")
]
Tile = Annotated[
    int | None, typer.Option(help="Tile size in pixels; by free memory by default.", min=16)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing output.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where an interrupted run of this command stopped.")
]


def open_input(
    path: Path | str,
    job: Job,
    *,
    axes: str | None = None,
    channel: str | None = None,
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

    stack = open_stack(
        path,
        axes=axes,
        channel=channel,
        pixel_size_um=pixel_size_um,
        frame_interval_s=frame_interval_s,
    )
    if "c" in stack.axes:
        names = ", ".join(
            f"{i} ({n})" if n else str(i)
            for i, n in enumerate(stack.channel_names or [""] * stack.sizes["c"])
        )
        raise InputError(f"{path} has {stack.sizes['c']} channels: {names}. Choose --channel.")
    job.note(f"{path}: {stack.describe()}")
    for note in stack.notes:
        job.note(f"Note: {note}")
    return stack


def check_other(output: Path, *inputs: Path | str) -> None:
    """Refuse an output that is one of the inputs, whatever else is allowed.

    Raises
    ------
    InputError
        It is.
    """
    for given in inputs:
        try:
            is_same = Path(given).exists() and output.exists() and output.samefile(given)
        except OSError:
            is_same = False
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
    from ..io import check_output

    if resume and not overwrite and output.exists():
        raise OutputExistsError(
            f"{output} is complete already; nothing is left to resume. Allow replacing it "
            "(--overwrite) to make it anew."
        )
    check_output(output, overwrite=overwrite)


def say_fit(job: Job, stack: Stack, model: str | None) -> None:
    """Say whether the movie looks like what the model was trained on, and if not, why."""
    from ..inference import assess_fit

    report = assess_fit(stack, model, stack.pixel_size_um)
    reasons = f": {' '.join(report.reasons)}" if report.reasons else ""
    job.note(f"Fit of the model to this movie: {report.level}{reasons}")
