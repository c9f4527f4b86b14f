"""``virtualstain segment``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .options import (
    Arithmetic,
    Average,
    Axes,
    Channel,
    Device,
    FrameInterval,
    MinArea,
    Output,
    Overwrite,
    PixelSize,
    Position,
    Resume,
    Segmenter,
    SplitBy,
    Threshold,
    Width,
    check_free,
    check_other,
    given_options,
    open_input,
)
from .running import running_job


def segment(
    input_path: Annotated[
        str, typer.Argument(metavar="INPUT", help="Fluorescence, virtual or true.")
    ],
    out: Output,
    model: Segmenter = None,
    threshold: Threshold = None,
    min_area_um2: MinArea = None,
    split: SplitBy = None,
    width_um: Width = None,
    average: Average = None,
    precision: Arithmetic = None,
    measures: Annotated[
        Path | None, typer.Option(help="Also write a CSV of measures, one row per mitochondrion.")
    ] = None,
    uncertainty: Annotated[
        str | None,
        typer.Option(
            help="Expected error of the same frames; adds the column trust to the measures."
        ),
    ] = None,
    axes: Axes = None,
    channel: Channel = None,
    position: Position = None,
    pixel_size_um: PixelSize = None,
    frame_interval_s: FrameInterval = None,
    device: Device = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Outline each mitochondrion: one label each, 32-bit whole numbers.

    Example:  virtualstain segment virtual.ome.tif -o labels.ome.tif --threshold 0.4
    """
    from ..io import check_distinct, check_output, remove_leftovers
    from ..pipeline import PipelineSettings, measure_stack, merged_settings, segment_stack

    chosen = given_options(
        model=model,
        threshold=threshold,
        min_area_um2=min_area_um2,
        split=split,
        width_um=width_um,
        average=average,
        precision=precision,
    )
    settings = merged_settings(PipelineSettings(), {"segment": chosen}).segment
    if uncertainty is not None and measures is None:
        raise InputError("--uncertainty adds a column to --measures, which is not given.")
    with running_job() as job:
        check_distinct(out, measures)
        for output in (out, measures):
            if output is not None:
                check_other(output, input_path, *([uncertainty] if uncertainty else []))
        # killed between the two outputs: the labels are whole, the measures still to be made
        is_outlined = resume and measures is not None and out.exists() and not measures.exists()
        if is_outlined:
            remove_leftovers(out)
        else:
            check_free(out, resume=resume, overwrite=overwrite)
        if measures is not None:
            check_output(measures, overwrite=overwrite)
        stack = open_input(
            input_path,
            job,
            axes=axes,
            channel=channel,
            position=position,
            pixel_size_um=pixel_size_um,
            frame_interval_s=frame_interval_s,
        )
        doubt = None if uncertainty is None else open_input(uncertainty, job, axes=axes)
        from ..engine import resolve_device  # costs seconds: only when the input is fine

        resolve_device(device)
        if is_outlined:
            job.note(f"Note: {out} is complete; it is measured as it is, whatever made it.")
        else:
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
        job.say(f"{out}: one label per mitochondrion")
        if measures is not None:
            table = measure_stack(
                out,
                stack,
                measures,
                uncertainty=doubt,
                overwrite=overwrite,
                progress=job.progress,
                cancel=job.cancel,
            )
            job.say(f"{measures}: {len(table)} measured")
