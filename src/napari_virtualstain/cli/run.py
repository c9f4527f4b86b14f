"""``virtualstain run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import CancelledError, InputError, VirtualStainError
from .exits import one_line
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
    LinkBy,
    MaxGap,
    MinArea,
    Overwrite,
    PixelSize,
    Position,
    ReferenceChannel,
    Scheduler,
    Segmenter,
    SplitBy,
    Temporal,
    Threshold,
    Tile,
    Width,
    ZPlane,
    given_options,
    open_input,
    say_fit,
    say_plane,
    settle_pixel_size,
)
from .running import Job, running_job

if TYPE_CHECKING:
    from ..io import Stack
    from ..pipeline import MovieOutcome, PipelineSettings


def run(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Bright-field movies, one or many.")
    ],
    out: Annotated[
        Path, typer.Option("--output", "-o", help="Output folder; gets one folder per input.")
    ],
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="True fluorescence to score against; repeat once per input, in the same order."
        ),
    ] = None,
    reference_channel: ReferenceChannel = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="settings.json of an earlier run or from napari; options below override it."
        ),
    ] = None,
    model: Generator = None,
    precision: Arithmetic = None,
    average: Average = None,
    temporal: Temporal = None,
    flat_field: FlatField = None,
    uncertainty: Annotated[
        bool | None,
        typer.Option(
            "--uncertainty/--no-uncertainty",
            help="Write the expected error, and the trust of objects and tracks; by default where "
            "the model predicts it.",
        ),
    ] = None,
    segmenter: Segmenter = None,
    threshold: Threshold = None,
    min_area_um2: MinArea = None,
    split: SplitBy = None,
    width_um: Width = None,
    linker: LinkBy = None,
    max_gap: MaxGap = None,
    z_plane: ZPlane = None,
    axes: Axes = None,
    channel: Channel = None,
    position: Position = None,
    pixel_size_um: PixelSize = None,
    frame_interval_s: FrameInterval = None,
    frames: Frames = None,
    device: Devices = None,
    tile: Tile = None,
    scheduler: Scheduler = None,
    overwrite: Overwrite = False,
) -> None:
    """Stain, segment, track and measure movies; score them against a reference.

    Each input gets a folder with virtual_fluorescence.ome.tif, labels.ome.tif,
    tracks.csv, events.csv, measures.csv and settings.json, which --config repeats;
    uncertainty.ome.tif where the model predicts it; with --reference also metrics.csv
    and report.html. movies.csv has a row for each movie. Interrupted, the same command
    goes on where it stopped.

    Example:  virtualstain run day1/*.tif -o results --pixel-size-um 0.08
    """
    settings = _settings(
        config,
        {
            "read": {
                "axes": axes,
                "channel": channel,
                "position": position,
                "pixel_size_um": pixel_size_um,
                "frame_interval_s": frame_interval_s,
            },
            "stain": given_options(
                model=model,
                frames=frames,
                precision=precision,
                average=average,
                temporal=temporal,
                flat_field=flat_field,
                uncertainty=uncertainty,
            ),
            "segment": given_options(
                model=segmenter,
                threshold=threshold,
                min_area_um2=min_area_um2,
                split=split,
                width_um=width_um,
            ),
            "track": given_options(linker=linker, max_gap=max_gap, z_plane=z_plane),
        },
    )
    from ..pipeline import Movie, process_movies, result_folders

    references = _references(inputs, reference)
    failed: list[str] = []
    with running_job() as job:

        def movie(given: str, folder: Path, truth: str | None) -> Movie:
            return Movie(
                given,
                folder,
                lambda: _open(given, job, settings),
                (lambda: open_input(truth, job, channel=reference_channel)) if truth else None,
            )

        folders = result_folders(inputs, out)
        outcomes = process_movies(
            [movie(*one) for one in zip(inputs, folders, references, strict=True)],
            out,
            settings,
            device=device,
            tile=tile,
            scheduler=scheduler,
            overwrite=overwrite,
            on_fit=lambda _, report: say_fit(job, report, settings.stain.model),
            progress=job.progress,
            cancel=job.cancel,
        )
        try:
            for outcome in outcomes:
                if outcome.error is None:
                    _say(job, outcome)
                elif len(inputs) == 1 or not isinstance(outcome.error, VirtualStainError):
                    raise outcome.error
                else:
                    failed.append(outcome.movie.name)
                    job.note(f"Error: {outcome.movie.name}: {one_line(outcome.error)}")
        except CancelledError:
            raise CancelledError(
                "Finished results are kept; repeat the same command to continue."
            ) from None
    if failed:
        raise InputError(f"{len(failed)} of {len(inputs)} inputs failed: {', '.join(failed)}.")


def _open(given: str, job: Job, settings: PipelineSettings) -> Stack:
    read = settings.read
    stack = open_input(
        given,
        job,
        axes=read.axes,
        channel=None if read.channel is None else str(read.channel),
        position=None if read.position is None else str(read.position),
        pixel_size_um=read.pixel_size_um,
        frame_interval_s=read.frame_interval_s,
    )
    say_plane(stack, job, settings.track)
    return settle_pixel_size(stack, job, settings.stain.model)


def _say(job: Job, outcome: MovieOutcome) -> None:
    result = outcome.result
    if result is None:
        return
    if result.fit:
        job.note(f"Fit frame by frame: {result.fit}")
    kept = f" (done before: {', '.join(result.kept)})" if result.kept else ""
    job.say(f"{result.folder}: {', '.join(result.done) or 'nothing left to do'}{kept}")
    if result.score:
        job.say(f"{result.folder}: {result.score}")


def _settings(config: Path | None, given: dict[str, dict[str, object]]) -> PipelineSettings:
    """Return the settings of the file, updated with those of the command line."""
    from ..pipeline import PipelineSettings, load_settings, merged_settings

    base = PipelineSettings() if config is None else load_settings(config)
    return merged_settings(base, given)


def _references(inputs: list[str], reference: list[str] | None) -> list[str | None]:
    if not reference:
        return [None] * len(inputs)
    if len(reference) != len(inputs):
        raise InputError(
            f"{len(reference)} references for {len(inputs)} inputs: expected --reference once "
            "for each input, in the same order."
        )
    return list(reference)
