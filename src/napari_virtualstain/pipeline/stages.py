"""The steps on stacks and files, with physical units preserved."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..axes import USUAL_PIXEL_SIZE_UM
from ..errors import AxesError, InputError
from ..io import Stack, open_stack, write_table
from ..settings import SegmentSettings, StainSettings, TrackSettings, TrackTuning

if TYPE_CHECKING:
    import pandas as pd

    from ..progress import CancelToken, ProgressCallback
    from ..staining import OnFit
    from ..tracking import TrackingConfig, Tracks, ZPlane


def stain_stack(
    stack: Stack,
    out: Path,
    settings: StainSettings,
    *,
    uncertainty_out: Path | None = None,
    device: str | None = None,
    tile: int | None = None,
    scheduler: Any = None,
    on_fit: OnFit | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Stack:
    """Write the virtual fluorescence of a bright-field stack, and return it.

    With `uncertainty_out` the expected error is written there; `on_fit` gets the fit of each
    frame fits the model.

    Raises
    ------
    VirtualStainError
        As :func:`napari_virtualstain.engine.stain_to_file`.
    """
    from ..staining import stain_to_file

    stain_to_file(
        stack,
        out,
        settings.model,
        frames=settings.frames,
        uncertainty_out=uncertainty_out,
        device=device,
        tile=tile,
        precision=settings.precision,
        average=settings.average,
        temporal=settings.temporal,
        flat_field=settings.flat_field,
        scheduler=scheduler,
        on_fit=on_fit,
        resume=resume,
        overwrite=overwrite,
        progress=progress,
        cancel=cancel,
    )
    return open_stack(out)


def segment_stack(
    stack: Stack,
    out: Path,
    settings: SegmentSettings,
    *,
    device: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Stack:
    """Write the labels of a fluorescence stack, and return them.

    Raises
    ------
    VirtualStainError
        As :func:`napari_virtualstain.segmentation.segment_to_file`.
    """
    from ..segmentation import segment_to_file

    segment_to_file(
        stack,
        out,
        settings.model,
        threshold=settings.threshold,
        min_area_um2=settings.min_area_um2,
        split=settings.split,
        width_um=settings.width_um,
        average=settings.average,
        precision=settings.precision,
        device=device,
        resume=resume,
        overwrite=overwrite,
        progress=progress,
        cancel=cancel,
    )
    return open_stack(out)


def track_stack(
    labels: Stack,
    intensity: Stack | None = None,
    uncertainty: Stack | None = None,
    *,
    config: TrackingConfig | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Tracks:
    """Return the tracks of a labels stack; a single frame counts as a movie of one.

    Of a z-stack, the plane or the maximum over z that ``config.z_plane`` names is tracked, the
    maximum without `config`.
    With `uncertainty`, the table has a column ``trust``; see :func:`label_trust`.

    Raises
    ------
    AxesError
        There are channels.
    InputError
        The labels are no whole numbers, there is no such plane, or the intensity has another shape.
    """
    from ..tracking import track

    for name, image in (("intensity", intensity), ("uncertainty", uncertainty)):
        if image is not None and image.shape != labels.shape:
            raise InputError(
                f"The {name} {image.name} has shape {image.shape}, the labels "
                f"{labels.name} {labels.shape}: expected the same."
            )
    chosen = config or TrackSettings()
    z_plane = chosen.z_plane
    labels = flat_labels(labels, z_plane, chosen.tuning.same_object_share)
    intensity, uncertainty = (flat_image(image, z_plane) for image in (intensity, uncertainty))
    tracks = track(
        as_movie(labels),
        intensity=None if intensity is None else as_movie(intensity),
        pixel_size_um=labels.pixel_size_um or 1.0,
        frame_interval_s=labels.frame_interval_s or 1.0,
        config=config,
        progress=progress,
        cancel=cancel,
    )
    if uncertainty is None:
        return tracks
    return trusted(tracks, labels, _intensity_for_trust(intensity), uncertainty)


def _intensity_for_trust(intensity: Stack | None) -> Stack:
    """Return the fluorescence, which trust is measured against.

    Raises
    ------
    InputError
        Only its uncertainty was given.
    """
    if intensity is None:
        raise InputError(
            "Trust compares the fluorescence with its uncertainty, but only the uncertainty was "
            "given: give the fluorescence too (--intensity)."
        )
    return intensity


def trusted(tracks: Tracks, labels: Stack, intensity: Stack, uncertainty: Stack) -> Tracks:
    """Return the tracks with columns ``trust``, NaN where nothing was seen, and ``track_trust``.

    The latter is the mean over the track.
    """
    table = tracks.table.drop(columns=["trust", "track_trust"], errors="ignore")
    found = movie_trust(labels, intensity, uncertainty)
    table = table.merge(found, on=["frame", "label"], how="left")
    table["track_trust"] = table.groupby("track_id")["trust"].transform("mean")
    return replace(tracks, table=table)


def movie_trust(labels: Stack, intensity: Stack, uncertainty: Stack) -> pd.DataFrame:
    """Return ``frame label trust`` of each object; see :func:`label_trust`."""
    import numpy as np
    import pandas as pd

    from ..staining import label_trust

    movies = [as_movie(stack) for stack in (labels, intensity, uncertainty)]
    rows = [
        (frame, label, trust)
        for frame in range(len(movies[0]))
        for label, trust in label_trust(*(np.asarray(movie[frame]) for movie in movies)).items()
    ]
    return pd.DataFrame(rows, columns=["frame", "label", "trust"]).astype(
        {"frame": "int64", "label": "int64", "trust": "float64"}
    )


def flat_labels(
    stack: Stack,
    z_plane: ZPlane = "max",
    same_object_share: float = TrackTuning().same_object_share,
) -> Stack:
    """Return a stack of labels without z: the plane `z_plane`, or the maximum over z.

    Masks that lie over each other are joined for the maximum; see :func:`project_labels`.
    Without z the stack is returned as it is.

    Raises
    ------
    InputError
        There is no such plane.
    """
    from ..tracking import project_labels

    def project(labels: Any, plane: ZPlane) -> Any:
        return project_labels(labels, plane, same_object_share)

    return _flat(stack, z_plane, project)


def flat_image(stack: Stack | None, z_plane: ZPlane = "max") -> Stack | None:
    """Return an image without z, as :func:`flat_labels`; None for None."""
    from ..tracking import project_image

    return None if stack is None else _flat(stack, z_plane, project_image)


def _flat(stack: Stack, z_plane: ZPlane, project: Callable[[Any, Any], Any]) -> Stack:
    if stack.axes not in ("zyx", "tzyx"):
        return stack
    data = stack.data if stack.axes == "tzyx" else stack.data[None]
    return replace(stack, data=project(data, z_plane), axes="tyx", z_step_um=None)


def as_movie(stack: Stack) -> Any:
    """Return the lazy (T, Y, X) data of a stack, one frame long where it has no time.

    Raises
    ------
    AxesError
        There are z planes or channels.
    """
    if stack.axes == "yx":
        return stack.data[None]
    if stack.axes != "tyx":
        raise AxesError(
            f"{stack.name} has axes {stack.axes!r}: expected 'tyx', one plane and one channel in "
            "time. Take one plane or a projection, or name the axes (--axes)."
        )
    return stack.data


def write_tracks(
    tracks: Tracks, table_path: Path, events_path: Path, *, overwrite: bool = False
) -> None:
    """Write tracks and events as two CSV files, the tracks so that they can be read back."""
    write_table(events_path, tracks.events, overwrite=overwrite)
    tracks.to_csv(table_path, overwrite=overwrite)
    beside = table_path.with_name(f"{table_path.stem}.events.csv")
    if beside.exists():
        os.replace(beside, events_path)


def measure_stack(
    labels: Stack | Path,
    intensity: Stack | None,
    out: Path,
    *,
    uncertainty: Stack | None = None,
    tracks: Tracks | None = None,
    tracked: TrackSettings | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> pd.DataFrame:
    """Write the measures of each mitochondrion in each frame as CSV, and return them.

    Of a z-stack, the plane or the maximum over z is measured that was `tracked`. With `tracks`,
    a column ``track_id`` says which track each belongs to (-1 for none); with `uncertainty`, a
    column ``trust`` how far each stands above its expected error.
    """
    from ..segmentation import measure

    chosen = tracked or TrackSettings()
    stack = labels if isinstance(labels, Stack) else open_stack(labels)
    stack = flat_labels(stack, chosen.z_plane, chosen.tuning.same_object_share)
    intensity, uncertainty = (flat_image(one, chosen.z_plane) for one in (intensity, uncertainty))
    table = measure(
        as_movie(stack),
        None if intensity is None else as_movie(intensity),
        pixel_size_um=stack.pixel_size_um or 1.0,
        progress=progress,
        cancel=cancel,
    )
    if uncertainty is not None:
        found = movie_trust(stack, _intensity_for_trust(intensity), uncertainty)
        table = table.merge(found, on=["frame", "label"], how="left")
    if tracks is not None:
        table = table.merge(tracks.masks, on=["frame", "label"], how="left")
        table["track_id"] = table["track_id"].fillna(-1).astype(int)
    write_table(out, table, overwrite=overwrite)
    return table


@dataclass(frozen=True, slots=True)
class MovieScore:
    """Scores of a virtual stain.

    Attributes
    ----------
    table : DataFrame
        One row per frame.
    sentence : str
        The main figures for a person.
    """

    table: pd.DataFrame
    sentence: str


def score_movie(
    predicted: Stack,
    reference: Stack,
    folder: Path | None,
    *,
    bright_field: Stack | None = None,
    data_range: float | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> MovieScore:
    """Return the scores of a stain; write them and ``report.html`` where a folder is given.

    Parameters
    ----------
    predicted, reference, bright_field : Stack
        Of equal shape; the bright-field adds its own score as a baseline.
    folder : Path or None
        Gets ``metrics.csv``, ``summary.csv`` and ``report.html``; made if need be.
    data_range : float, optional
        See :func:`napari_virtualstain.metrics.evaluate`.

    Raises
    ------
    InputError
        Unlike shapes.
    """
    from ..metrics import scores_and_baselines, write_report

    pixel_size_um = predicted.pixel_size_um or reference.pixel_size_um
    images = predicted.data, reference.data
    options: dict[str, Any] = {
        "bright_field": None if bright_field is None else bright_field.data,
        "data_range": data_range,
        "pixel_size_um": pixel_size_um or USUAL_PIXEL_SIZE_UM,
        "progress": progress,
        "cancel": cancel,
    }
    if folder is None:
        table, summary = scores_and_baselines(*images, **options)
        return MovieScore(table, _sentence(summary, len(table)))
    report = write_report(
        folder,
        *images,
        title=f"Virtual stain {predicted.name} against {reference.name}",
        warnings=() if pixel_size_um else [_ASSUMED],
        settings={"predicted": str(predicted.source), "reference": str(reference.source)},
        overwrite=overwrite,
        **options,
    )
    return MovieScore(report.table, _sentence(report.summary, len(report.table)))


_ASSUMED = f"The pixel size is unknown; {USUAL_PIXEL_SIZE_UM:g} µm was assumed."
_HEADLINE = {
    "bandpass_pearson": "band-pass Pearson",
    "pearson": "Pearson",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "mask_iou": "mask IoU",
}


def _sentence(summary: pd.DataFrame, frames: int) -> str:
    """Return the main means with that of the best trivial baseline in brackets."""
    from ..metrics import BASELINES

    rivals = [name for name in BASELINES if name in summary]
    means = summary["mean"].astype(float)
    parts = []
    for name, text in _HEADLINE.items():
        best = summary.loc[name, rivals].astype(float).max()
        rival = f" (best baseline {best:.3g})" if best == best else ""
        parts.append(f"{text} {means[name]:.3g}{rival}")
    return f"mean of {frames} frame{'s' * (frames != 1)}: {', '.join(parts)}"
