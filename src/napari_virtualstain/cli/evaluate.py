"""``virtualstain evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Axes, Overwrite, PixelSize, ReferenceChannel, open_input
from .running import running_job


def evaluate(
    predicted: Annotated[str, typer.Argument(metavar="PREDICTED", help="Virtual fluorescence.")],
    reference: Annotated[
        str, typer.Argument(metavar="REFERENCE", help="True fluorescence of the same frames.")
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for metrics and report.")],
    bright_field: Annotated[
        str | None, typer.Option(help="The bright-field, for its own score as a baseline.")
    ] = None,
    axes: Axes = None,
    predicted_channel: Annotated[
        str | None,
        typer.Option(help="Channel of the predicted image, by number from 0 or by name."),
    ] = None,
    reference_channel: ReferenceChannel = None,
    pixel_size_um: PixelSize = None,
    data_range: Annotated[
        float | None,
        typer.Option(help="Largest minus smallest possible intensity; found by default."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Score a virtual stain against the truth, beside trivial baselines.

    Writes metrics.csv, one row per frame, and report.html with plots and worst cases.

    Example:  virtualstain evaluate virtual.ome.tif fluorescence.ome.tif -o report
    """
    from ..pipeline import score_movie

    with running_job() as job:
        predicted_stack = open_input(
            predicted, job, axes=axes, channel=predicted_channel, pixel_size_um=pixel_size_um
        )
        reference_stack = open_input(
            reference, job, axes=axes, channel=reference_channel, pixel_size_um=pixel_size_um
        )
        bright = None if bright_field is None else open_input(bright_field, job, axes=axes)
        score = score_movie(
            predicted_stack,
            reference_stack,
            out,
            bright_field=bright,
            data_range=data_range,
            overwrite=overwrite,
            progress=job.progress,
            cancel=job.cancel,
        )
        job.say(f"{out}: metrics.csv, summary.csv, report.html")
        job.say(score.sentence)
