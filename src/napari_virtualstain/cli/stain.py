"""``virtualstain stain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Arithmetic,
    Average,
    Axes,
    Channel,
    Devices,
    FlatField,
    FrameInterval,
    Frames,
    Generator,
    Output,
    Overwrite,
    PixelSize,
    Position,
    Resume,
    Scheduler,
    Temporal,
    Tile,
    check_free,
    check_other,
    given_options,
    open_input,
    say_fit,
    settle_pixel_size,
)
from .running import running_job


def stain(
    input_path: Annotated[
        str, typer.Argument(metavar="INPUT", help="Bright-field image, folder of frames, or glob.")
    ],
    out: Output,
    model: Generator = None,
    axes: Axes = None,
    channel: Channel = None,
    position: Position = None,
    pixel_size_um: PixelSize = None,
    frame_interval_s: FrameInterval = None,
    frames: Frames = None,
    device: Devices = None,
    tile: Tile = None,
    precision: Arithmetic = None,
    average: Average = None,
    temporal: Temporal = None,
    flat_field: FlatField = None,
    uncertainty: Annotated[
        Path | None,
        typer.Option(help="Also write the expected error of each pixel, .ome.tif or .ome.zarr."),
    ] = None,
    scheduler: Scheduler = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Stain a bright-field movie virtually, frame by frame.

    Example:  virtualstain stain movie.ome.tif -o virtual.ome.tif --model mito-h9c2
    """
    from ..io import check_distinct, unwritten_outputs

    with running_job() as job:
        check_distinct(out, uncertainty)
        for path in unwritten_outputs(out, uncertainty, resume=resume, overwrite=overwrite):
            check_other(path, input_path)
            check_free(path, resume=resume, overwrite=overwrite)
        stack = open_input(
            input_path,
            job,
            axes=axes,
            channel=channel,
            position=position,
            pixel_size_um=pixel_size_um,
            frame_interval_s=frame_interval_s,
        )
        # costs seconds: only when the input is fine
        from ..engine import resolve_devices
        from ..pipeline import PipelineSettings, fit_of, merged_settings, stain_stack
        from ..staining import FrameFit, describe_fits

        resolve_devices(device)
        stack = settle_pixel_size(stack, job, model)
        say_fit(job, fit_of(stack, model), model)
        chosen = given_options(
            model=model,
            frames=frames,
            precision=precision,
            average=average,
            temporal=temporal,
            flat_field=flat_field,
        )
        fits: list[FrameFit] = []
        stain_stack(
            stack,
            out,
            merged_settings(PipelineSettings(), {"stain": chosen}).stain,
            uncertainty_out=uncertainty,
            device=device,
            tile=tile,
            scheduler=scheduler,
            on_fit=fits.append,
            resume=resume,
            overwrite=overwrite,
            progress=job.progress,
            cancel=job.cancel,
        )
        if len(fits) > 1:
            job.note(f"Fit frame by frame: {describe_fits(fits)}")
        job.say(f"{out}: virtual fluorescence")
        if uncertainty is not None:
            job.say(f"{uncertainty}: expected error")
