"""``virtualstain run``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import CancelledError, InputError, VirtualStainError
from .exits import one_line
from .jobs import Job, running_job
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
    Segmenter,
    SplitBy,
    Temporal,
    Threshold,
    Tile,
    Width,
    given_options,
    open_input,
    say_fit,
    settle_pixel_size,
)

if TYPE_CHECKING:
    from ..pipeline import PipelineSettings


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
    axes: Axes = None,
    channel: Channel = None,
    position: Position = None,
    pixel_size_um: PixelSize = None,
    frame_interval_s: FrameInterval = None,
    frames: Frames = None,
    device: Devices = None,
    tile: Tile = None,
    overwrite: Overwrite = False,
) -> None:
    """Stain, segment, track and measure movies; score them against a reference.

    Each input gets a folder with virtual_fluorescence.ome.tif, labels.ome.tif,
    tracks.csv, events.csv, measures.csv and settings.json, which --config repeats;
    uncertainty.ome.tif where the model predicts it; with --reference also metrics.csv
    and report.html. Interrupted, the same command goes on where it stopped.

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
            "track": given_options(linker=linker, max_gap=max_gap),
        },
    )
    references = _references(inputs, reference)
    failed: list[str] = []
    with running_job() as job:
        folders = _folders(inputs, out)
        for number, given in enumerate(inputs):
            try:
                _run_one(
                    job,
                    given,
                    folders[number],
                    settings,
                    reference=references[number],
                    reference_channel=reference_channel,
                    device=device,
                    tile=tile,
                    overwrite=overwrite,
                )
            except CancelledError:
                raise CancelledError(
                    "Finished results are kept; repeat the same command to continue."
                ) from None
            except VirtualStainError as error:
                if len(inputs) == 1:
                    raise
                failed.append(given)
                job.note(f"Error: {given}: {one_line(error)}")
    if failed:
        raise InputError(f"{len(failed)} of {len(inputs)} inputs failed: {', '.join(failed)}.")


def _run_one(
    job: Job,
    given: str,
    folder: Path,
    settings: PipelineSettings,
    *,
    reference: str | None,
    reference_channel: str | None,
    device: str | None,
    tile: int | None,
    overwrite: bool,
) -> None:
    from ..pipeline import process_movie

    read = settings.read
    channel = None if read.channel is None else str(read.channel)
    stack = open_input(
        given,
        job,
        axes=read.axes,
        channel=channel,
        position=None if read.position is None else str(read.position),
        pixel_size_um=read.pixel_size_um,
        frame_interval_s=read.frame_interval_s,
    )
    truth = None
    if reference is not None:
        truth = open_input(reference, job, channel=reference_channel)
    stack = settle_pixel_size(stack, job, settings.stain.model)
    say_fit(job, stack, settings.stain.model)
    result = process_movie(
        stack,
        folder,
        settings,
        reference=truth,
        device=device,
        tile=tile,
        overwrite=overwrite,
        progress=job.progress,
        cancel=job.cancel,
    )
    if result.fit:
        job.note(f"Fit frame by frame: {result.fit}")
    kept = f" (done before: {', '.join(result.kept)})" if result.kept else ""
    job.say(f"{folder}: {', '.join(result.done) or 'nothing left to do'}{kept}")
    if result.score:
        job.say(f"{folder}: {result.score}")


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


def _folders(inputs: list[str], out: Path) -> list[Path]:
    """Return a folder for each input, named after it, and after its folder where names repeat."""
    from ..io import plain_name

    names = [plain_name(given) for given in inputs]
    if len(set(inputs)) < len(inputs):
        twice = next(given for given, count in Counter(inputs).items() if count > 1)
        raise InputError(f"The input {twice} is given twice: expected each input once.")
    counts = Counter(names)
    names = [
        f"{Path(given).absolute().parent.name}_{name}" if counts[name] > 1 else name
        for given, name in zip(inputs, names, strict=True)
    ]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            f"Several inputs are called {repeated[0]!r}: expected names that tell them apart. "
            "Rename them, or run them into folders of their own."
        )
    return [out / name for name in names]
