"""``virtualstain stain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .jobs import running_job
from .options import (
    Axes,
    Channel,
    Device,
    FrameInterval,
    Frames,
    Overwrite,
    PixelSize,
    Resume,
    Tile,
    check_free,
    check_other,
    open_input,
    say_fit,
)


def stain(
    input_path: Annotated[
        str, typer.Argument(metavar="INPUT", help="Bright-field image, folder of frames, or glob.")
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="Ends in .ome.tif or .ome.zarr.")],
    model: Annotated[
        str | None, typer.Option(help="Name of a model, or a .safetensors file.")
    ] = None,
    axes: Axes = None,
    channel: Channel = None,
    pixel_size_um: PixelSize = None,
    frame_interval_s: FrameInterval = None,
    frames: Frames = None,
    device: Device = None,
    tile: Tile = None,
    uncertainty: Annotated[
        Path | None, typer.Option(help="Also write the expected error, .ome.tif or .ome.zarr.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a dask scheduler whose workers do the work.")
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Stain a bright-field movie virtually, frame by frame.

    Example:  virtualstain stain movie.ome.tif -o virtual.ome.tif --model mito-h9c2
    """
    with running_job() as job:
        for path in (out, uncertainty):
            if path is not None:
                check_other(path, input_path)
                check_free(path, resume=resume, overwrite=overwrite)
        stack = open_input(
            input_path,
            job,
            axes=axes,
            channel=channel,
            pixel_size_um=pixel_size_um,
            frame_interval_s=frame_interval_s,
        )
        from ..inference import resolve_device, stain_to_file  # only when the input is fine

        resolve_device(device)
        say_fit(job, stack, model)
        options: dict[str, Any] = {} if scheduler is None else {"scheduler": scheduler}
        stain_to_file(
            stack,
            out,
            model,
            frames=frames,
            uncertainty_out=uncertainty,
            device=device,
            tile=tile,
            resume=resume,
            overwrite=overwrite,
            progress=job.progress,
            cancel=job.cancel,
            **options,
        )
        job.say(f"{out}: virtual fluorescence")
        if uncertainty is not None:
            job.say(f"{uncertainty}: expected error")
