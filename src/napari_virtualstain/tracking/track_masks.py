"""Tracking of labelled masks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import AxesError, InputError, check_kind
from ..hooks import added_name
from ..io import Stack
from ..progress import CancelToken, ProgressCallback, Reporter
from ..settings import LINKERS
from .add_on import tracks_of_add_on
from .assembly import assemble
from .detections import Detections, check_scale, no_rows, read_detections
from .fragments import link_fragments, with_fragments
from .link_detections import rounds
from .mask_detections import check_objects, doubt_of_mask, measure_plane, whole_labels
from .mask_pixels import MaskPixels
from .tracking_config import TrackingConfig
from .tracks import Tracks
from .z_stacks import project_image, project_labels


def track(
    labels: Any,
    *,
    intensity: Any | None = None,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
    config: TrackingConfig | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Tracks:
    """Return the tracks of labelled objects.

    Parameters
    ----------
    labels : array of int, shape (T, Y, X) or (T, Z, Y, X), or Stack
        One value per object in each frame, 0 outside; numpy or dask. A value need not
        mean the same object in another frame. Of a z-stack ``config.z_plane`` is tracked, the
        maximum over z if not given.
    intensity : array or Stack of the shape of `labels`, optional
        Fluorescence; its mean tells objects apart.
    pixel_size_um, frame_interval_s : float, optional
        Scale of the movie. Not given, a stack's own is taken; where that is unknown too,
        positions count in pixels and times in frames.
    config : TrackingConfig, optional
        Settings; their `linker` can be the name of a tracker add-on.
    progress, cancel : callable, CancelToken
        See :mod:`napari_virtualstain.progress`.

    Returns
    -------
    Tracks

    Raises
    ------
    AxesError
        The labels have other axes than t, y, x, or of a z-stack t, z, y, x.
    InputError
        The labels are no whole numbers, or a setting is impossible.

    Examples
    --------
    >>> movie = np.zeros((2, 8, 8), int)
    >>> movie[0, 2:4, 2:4] = 1
    >>> movie[1, 2:4, 3:5] = 7
    >>> track(movie).table.track_id.tolist()
    [1, 1]
    """
    pixel_size_um, frame_interval_s = _scale(labels, pixel_size_um, frame_interval_s)
    settings = TrackingConfig() if config is None else config
    check_kind(settings, TrackingConfig, "config", "a TrackingConfig")
    labels, intensity = _planes_over_time(_movie(labels), _movie(intensity), settings)
    if (added := added_name(settings.linker, "tracker", LINKERS)) is not None:
        scale = {"pixel_size_um": pixel_size_um, "frame_interval_s": frame_interval_s}
        return tracks_of_add_on(added, labels, intensity, **scale)
    report = Reporter((1 + rounds(settings)) * len(labels), "step", "tracking", progress, cancel)
    table, pixels = _measured(labels, intensity, pixel_size_um, report)
    masks = _mask_pixels(read_detections(table), pixels, labels.shape[1:], pixel_size_um)
    linked, owner = link_fragments(table, masks, settings, report)
    tracks = assemble(linked, settings, pixel_size_um, frame_interval_s)
    report.finish()
    return with_fragments(tracks, table, owner)


def _scale(
    labels: Any, pixel_size_um: float | None, frame_interval_s: float | None
) -> tuple[float, float]:
    """Return micrometres a pixel and seconds a frame: as given, of the stack, or 1."""
    if isinstance(labels, Stack):
        pixel_size_um = labels.pixel_size_um if pixel_size_um is None else pixel_size_um
        frame_interval_s = labels.frame_interval_s if frame_interval_s is None else frame_interval_s
    pixel_size_um = 1.0 if pixel_size_um is None else pixel_size_um
    frame_interval_s = 1.0 if frame_interval_s is None else frame_interval_s
    check_scale(pixel_size_um, frame_interval_s)
    return pixel_size_um, frame_interval_s


def _planes_over_time(labels: Any, intensity: Any, settings: TrackingConfig) -> tuple[Any, Any]:
    """Return labels and intensity, (T, Y, X); of z-stacks the plane that is tracked."""
    if not (intensity is None or hasattr(intensity, "shape")):
        check_kind(intensity, np.ndarray, "intensity", "an array of the shape of the labels")
    if getattr(labels, "ndim", 0) == 4:
        _check_shapes(labels, intensity)
        labels = project_labels(labels, settings.z_plane, settings.tuning.same_object_share)
        intensity = None if intensity is None else project_image(intensity, settings.z_plane)
    check_labels(labels, intensity)
    return labels, intensity


def _measured(
    labels: Any, intensity: Any, pixel_size_um: float, report: Reporter
) -> tuple[pd.DataFrame, list[NDArray[np.int32]]]:
    """Return one row an object, and the pixels of each frame's; warn if the labels look wrong."""
    measured: list[pd.DataFrame] = [no_rows()]
    pixels: list[NDArray[np.int32]] = []
    first: NDArray[Any] | None = None
    for frame in range(len(labels)):
        image = None if intensity is None else np.asarray(intensity[frame])
        plane = whole_labels(np.asarray(labels[frame]))
        if first is None and plane.any():
            first = plane
            if doubt := check_objects(plane):
                warnings.warn(doubt, stacklevel=3)
        table, inside = measure_plane(plane, image, frame, pixel_size_um)
        measured.append(table)
        pixels.append(inside)
        report.advance()
    if first is None and np.dtype(labels.dtype).kind == "f":
        raise InputError(
            f"Labels are {labels.dtype} and 0 everywhere: expected whole numbers, one value an "
            "object and 0 outside."
        )
    tables = [table for table in measured if len(table)] or measured[:1]
    table = pd.concat(tables, ignore_index=True)
    if first is not None and (doubt := doubt_of_mask(first, set(table["label"].tolist()))):
        warnings.warn(doubt, stacklevel=3)
    return table, pixels


def _movie(image: Any) -> Any:
    """Return the array of a stack, with a time axis, after checking its axes; others as given."""
    if not isinstance(image, Stack):
        return image
    if image.axes == "yx":
        return image.data[None]
    if image.axes not in ("tyx", "tzyx"):
        raise AxesError(
            f"{image.name or 'The stack'} has axes {image.axes!r}: expected 'tyx' or "
            "'tzyx'. Select a channel, or name the axes."
        )
    return image.data


def _mask_pixels(
    found: Detections,
    pixels: list[NDArray[np.int32]],
    shape: tuple[int, ...],
    pixel_size_um: float,
) -> MaskPixels:
    """Return the pixels of all objects; each plane gives (object, row, column), sorted."""
    before, parts = 0, []
    for plane in pixels:
        parts.append(plane + np.array([[before, 0, 0]], np.int32))
        before += int(plane[-1, 0]) + 1 if len(plane) else 0
    every = np.concatenate(parts) if parts else np.zeros((0, 3), np.int32)
    begin = np.searchsorted(every[:, 0], np.arange(len(found) + 1))
    owner, rows, columns = every.T
    edge = (rows == 0) | (columns == 0) | (rows == shape[0] - 1) | (columns == shape[1] - 1)
    at_border = np.bincount(owner[edge], minlength=len(found)) > 0
    place = found.position_um
    return MaskPixels(begin.astype(np.int64), rows, columns, place, pixel_size_um, at_border)


def check_labels(labels: Any, intensity: Any | None = None) -> None:
    """Raise a clear error unless `labels` is (T, Y, X) of whole numbers."""
    shape = tuple(getattr(labels, "shape", ()))
    if len(shape) != 3:
        raise AxesError(
            f"Labels have the shape {shape}: expected three axes t, y, x; one frame needs a "
            "leading time axis, labels[None]."
        )
    if not isinstance(labels.dtype, np.dtype) or labels.dtype.kind not in "uifb":
        raise InputError(
            f"Labels are {labels.dtype}: expected whole numbers, one per object and 0 outside."
        )
    _check_shapes(labels, intensity)


def _check_shapes(labels: Any, intensity: Any | None) -> None:
    shape = tuple(labels.shape)
    if intensity is not None and tuple(intensity.shape) != shape:
        raise InputError(
            f"The intensity has the shape {tuple(intensity.shape)}, the labels {shape}: expected "
            "the same shape. Give the movie that the labels were made of."
        )
