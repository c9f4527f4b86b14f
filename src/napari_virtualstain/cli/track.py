"""``virtualstain track``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..settings import TrackSettings
from .options import (
    Axes,
    FrameInterval,
    LinkBy,
    MaxGap,
    Overwrite,
    PixelSize,
    Position,
    ZPlane,
    check_other,
    given_options,
    open_input,
    say_plane,
    setting_option,
)
from .running import Job, running_job

if TYPE_CHECKING:
    from ..io import Stack
    from ..tracking import TrackingConfig, Tracks


class Mode(StrEnum):
    """Modes of the Kalman linker."""

    extended = "extended"
    paper = "paper"


class TrackFormat(StrEnum):
    """File formats of tracks."""

    csv = "csv"
    trackmate = "trackmate"
    ctc = "ctc"
    geff = "geff"


def track(
    input_path: Annotated[
        str, typer.Argument(metavar="LABELS_OR_CSV", help="Labels image, or CSV of detections.")
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="Tracks to write.")],
    intensity: Annotated[
        str | None,
        typer.Option(help="Fluorescence of the same frames; helps to distinguish neighbours."),
    ] = None,
    uncertainty: Annotated[
        str | None,
        typer.Option(help="Expected error of the intensity; adds the trust of objects and tracks."),
    ] = None,
    linker: LinkBy = None,
    mode: Annotated[Mode | None, setting_option(TrackSettings, "mode")] = None,
    max_gap: MaxGap = None,
    search_radius_um: Annotated[
        float | None, setting_option(TrackSettings, "search_radius_um")
    ] = None,
    min_length: Annotated[int | None, setting_option(TrackSettings, "min_length")] = None,
    z_plane: ZPlane = None,
    labels_out: Annotated[
        Path | None,
        typer.Option(help="Also write labels where a mitochondrion keeps its number."),
    ] = None,
    form: Annotated[
        TrackFormat, typer.Option("--format", help="Format of the output.")
    ] = TrackFormat.csv,
    axes: Axes = None,
    position: Position = None,
    pixel_size_um: PixelSize = None,
    frame_interval_s: FrameInterval = None,
    overwrite: Overwrite = False,
) -> None:
    """Follow labelled mitochondria, or a table of detections, through time.

    A CSV needs the columns frame, y_um, x_um; and may have height_um, width_um,
    area_um2, intensity.

    Example:  virtualstain track labels.ome.tif -o tracks.csv --intensity virtual.ome.tif
    """
    from ..io import check_distinct, check_output
    from ..pipeline import flat_labels, tracking_config

    config = tracking_config(
        **given_options(
            linker=linker,
            mode=mode,
            max_gap=max_gap,
            search_radius_um=search_radius_um,
            min_length=min_length,
            z_plane=z_plane,
        )
    )
    with running_job() as job:
        check_distinct(out, labels_out)
        for path in (out, labels_out):
            if path is not None:
                check_other(path, input_path)
                check_output(path, overwrite=overwrite)
        labels: Stack | None = None
        if Path(input_path).suffix.lower() == ".csv":
            if intensity is not None or uncertainty is not None or labels_out is not None:
                raise InputError(
                    f"{input_path} is a table of detections: --intensity, --uncertainty and "
                    "--labels-out need a labels image. Leave them out, or give the labels."
                )
            tracks = _link_table(Path(input_path), config, frame_interval_s)
        else:
            options: dict[str, Any] = {"axes": axes, "pixel_size_um": pixel_size_um}
            options |= {"frame_interval_s": frame_interval_s, "position": position}
            labels = open_input(input_path, job, **options)
            tracks = _track_labels(labels, (intensity, uncertainty), config, job, options)
            say_plane(labels, job, config)
            labels = flat_labels(labels, config.z_plane, config.tuning.same_object_share)
            if labels_out is not None:
                _write_labels(tracks, labels, labels_out, overwrite, job)
        _write_tracks(tracks, out, form, labels, overwrite, job)


def _link_table(path: Path, config: TrackingConfig, frame_interval_s: float | None) -> Tracks:
    from ..io import read_table
    from ..tracking import link

    detections = read_table(path, "frame, y_um, x_um")
    return link(detections, frame_interval_s=frame_interval_s or 1.0, config=config)


def _track_labels(
    labels: Stack,
    beside: tuple[str | None, str | None],
    config: TrackingConfig,
    job: Job,
    options: dict[str, Any],
) -> Tracks:
    from ..pipeline import track_stack

    brightness, doubt = (
        None if path is None else open_input(path, job, **options) for path in beside
    )
    for name, value in (
        ("pixel size", labels.pixel_size_um),
        ("frame interval", labels.frame_interval_s),
    ):
        if value is None:
            unit = "pixels" if name == "pixel size" else "frames"
            job.note(f"Warning: the {name} is unknown; positions and speeds are in {unit}.")
    return track_stack(
        labels, brightness, doubt, config=config, progress=job.progress, cancel=job.cancel
    )


def _write_labels(tracks: Tracks, labels: Stack, path: Path, overwrite: bool, job: Job) -> None:
    from ..io import write_image

    write_image(
        path,
        tracks.relabel(labels.data),
        axes=labels.axes,
        pixel_size_um=labels.pixel_size_um,
        frame_interval_s=labels.frame_interval_s,
        overwrite=overwrite,
        progress=job.progress,
        cancel=job.cancel,
    )
    job.say(f"{path}: labels by track")


def _write_tracks(
    tracks: Tracks,
    path: Path,
    form: TrackFormat,
    labels: Stack | None,
    overwrite: bool,
    job: Job,
) -> None:
    from ..pipeline import as_movie
    from ..tracking import doubt_about

    if form is TrackFormat.ctc:
        masks = None if labels is None else as_movie(labels)
        tracks.to_ctc(path, masks, overwrite=overwrite)
    elif form is TrackFormat.trackmate:
        tracks.to_trackmate(path, overwrite=overwrite)
    elif form is TrackFormat.geff:
        tracks.to_geff(path, overwrite=overwrite)
    else:
        tracks.to_csv(path, overwrite=overwrite)
    events = tracks.events
    kinds = {kind: int((events["kind"] == kind).sum()) for kind in ("fission", "fusion")}
    if doubt := doubt_about(tracks):
        job.note(f"Warning: {doubt}")
    job.say(f"{path}: {len(tracks)} tracks, {kinds['fission']} fissions, {kinds['fusion']} fusions")
