"""``virtualstain segment``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .jobs import running_job
from .options import (
    Axes,
    Channel,
    Device,
    FrameInterval,
    Overwrite,
    PixelSize,
    Resume,
    check_free,
    check_other,
    open_input,
)


class Split(StrEnum):
    """How touching mitochondria are told apart."""

    skeleton = "skeleton"
    log = "log"
    none = "none"


def segment(
    input_path: Annotated[
        str, typer.Argument(metavar="INPUT", help="Fluorescence, virtual or true.")
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="Ends in .ome.tif or .ome.zarr.")],
    model: Annotated[
        str | None, typer.Option(help="Name of a model, or a .safetensors file.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Probability from which a pixel is taken.", min=0.0, max=1.0)
    ] = 0.5,
    min_area_um2: Annotated[
        float, typer.Option("--min-area-um2", help="Smallest mitochondrion in µm².", min=0.0)
    ] = 0.05,
    split: Annotated[
        Split, typer.Option(help="How touching mitochondria are told apart.")
    ] = Split.skeleton,
    measures: Annotated[
        Path | None, typer.Option(help="Also write a CSV of measures, one row a mitochondrion.")
    ] = None,
    axes: Axes = None,
    channel: Channel = None,
    pixel_size_um: PixelSize = None,
    frame_interval_s: FrameInterval = None,
    device: Device = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Outline each mitochondrion: one label each, 32-bit whole numbers.

    Example:  virtualstain segment virtual.ome.tif -o labels.ome.tif --threshold 0.4
    """
    from ..io import check_output
    from ..pipeline import SegmentSettings, measure_stack, segment_stack

    settings = SegmentSettings(
        model=model, threshold=threshold, min_area_um2=min_area_um2, split=split.value
    )
    with running_job() as job:
        check_other(out, input_path)
        check_free(out, resume=resume, overwrite=overwrite)
        if measures is not None:
            check_output(measures, overwrite=overwrite)
        stack = open_input(
            input_path,
            job,
            axes=axes,
            channel=channel,
            pixel_size_um=pixel_size_um,
            frame_interval_s=frame_interval_s,
        )
        from ..inference import resolve_device  # costs seconds: only when the input is fine

        resolve_device(device)
        segment_stack(
            stack,
            out,
            settings,
            device=device,
            resume=resume,
            overwrite=overwrite,
            progress=job.progress,
            cancel=job.cancel,
        )
        job.say(f"{out}: one label a mitochondrion")
        if measures is not None:
            table = measure_stack(
                out, stack, measures, overwrite=overwrite, progress=job.progress, cancel=job.cancel
            )
            job.say(f"{measures}: {len(table)} measured")
