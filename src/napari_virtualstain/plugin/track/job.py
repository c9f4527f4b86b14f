"""The work of the dock `Track mitochondria`, without Qt and without the viewer."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...settings import TrackSettings
from ..kit.jobs import JobContext
from ..layers.description import shifted


@dataclass(frozen=True, slots=True)
class TrackRequest:
    """Everything that the thread needs, copied from the dock in the GUI thread.

    Attributes
    ----------
    labels : array of int, (T, Y, X)
        One number per mitochondrion, frame by frame.
    intensity : array or None, (T, Y, X)
        Fluorescence, which helps to tell neighbours apart.
    pixel_size_um, frame_interval_s : float
        Sampling.
    settings : TrackSettings
        How; of z-stacks, with images of shape (T, Z, Y, X), with the plane to track on.
    relabel : bool
        Whether to return labels whose values are the track numbers.
    uncertainty : array or None, (T, Y, X)
        Expected error of the intensity, from which rows and tracks get their trust.
    """

    labels: Any
    intensity: Any
    pixel_size_um: float
    frame_interval_s: float
    settings: TrackSettings = field(default_factory=TrackSettings)
    relabel: bool = True
    uncertainty: Any = None


@dataclass(frozen=True, slots=True)
class Relabelled:
    """Labels whose values are track numbers.

    Attributes
    ----------
    labels : ndarray of int, (T, Y, X) or (T, 1, Y, X)
        The labels; of a z-stack, of its one plane or of the maximum.
    """

    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class TrackResult:
    """Result of tracking, as the dock shows it.

    Attributes
    ----------
    tracks : Tracks
        The core's result.
    data : ndarray, (N, 4) or (N, 5)
        Columns track_id, t, y, x in pixels; of a z-stack, z stands after t.
    features : DataFrame
        One row per row of `data`: what tracks can be coloured by.
    graph : dict
        Parents of each track.
    """

    tracks: Any
    data: np.ndarray
    features: pd.DataFrame
    graph: dict[int, list[int]]


def track_job(
    request: TrackRequest, context: JobContext
) -> Generator[Relabelled, None, TrackResult]:
    """Yield the labels that keep their number; return the tracks with their features."""
    z_plane, shape = request.settings.z_plane, np.shape(request.labels)
    planes = shape[1] if len(shape) == 4 else None
    request = _flat(request)
    tracks = _tracks(request, context)
    if request.uncertainty is not None and request.intensity is not None:
        tracks = _trusted(tracks, request)
    data, properties, graph = tracks.to_napari()
    features = track_features(data, properties, request.pixel_size_um, request.frame_interval_s)
    if request.relabel and len(data):
        labels = np.asarray(tracks.relabel(request.labels))
        yield Relabelled(labels if planes is None else labels[:, None])
        context.wait_until_shown()  # each layer costs the window a tenth of a second
    if planes is not None:
        data = rows_in_stack(data, z_plane, planes)
    return TrackResult(tracks, data, features, graph)


def _flat(request: TrackRequest) -> TrackRequest:
    """Return the request on images without z."""
    from ...tracking import project_image, project_labels

    z_plane = request.settings.z_plane
    if np.ndim(request.labels) != 4:
        return request
    share = request.settings.tuning.same_object_share
    images = {
        name: project_image(image, z_plane)
        for name in ("intensity", "uncertainty")
        if (image := getattr(request, name)) is not None
    }
    return replace(request, labels=project_labels(request.labels, z_plane, share), **images)


def rows_in_stack(data: np.ndarray, z_plane: int | Literal["max"], planes: int) -> np.ndarray:
    """Return track rows (N, 5) with the plane that was tracked, the middle one for the maximum."""
    plane = (planes - 1) / 2 if z_plane == "max" else float(z_plane)
    return np.insert(data, 2, plane, axis=1)


def geometry_in_stack(
    geometry: dict[str, Any], z_plane: int | Literal["max"], shape: tuple[int, ...]
) -> dict[str, Any]:
    """Return the geometry of (T, 1, Y, X) labels in a z-stack of the given `geometry` and `shape`.

    Those of the maximum are as thick as the whole stack, so that they are seen in each plane.
    """
    if len(shape) != 4:
        return geometry
    if z_plane != "max":
        return shifted(geometry, (0, z_plane, 0, 0))
    planes, scale = shape[1], list(geometry["scale"])
    thick = shifted(geometry, (0, 0, 0, 0))
    thick["translate"] = tuple(
        offset + (scale[1] * (planes - 1) / 2 if axis == 1 else 0.0)
        for axis, offset in enumerate(geometry["translate"])
    )
    scale[1] *= planes
    return {**thick, "scale": tuple(scale)}


def _tracks(request: TrackRequest, context: JobContext) -> Any:
    from ...tracking import track

    return track(
        request.labels,
        intensity=request.intensity,
        pixel_size_um=request.pixel_size_um,
        frame_interval_s=request.frame_interval_s,
        config=request.settings,
        progress=context.progress,
        cancel=context.cancel,
    )


def _trusted(tracks: Any, request: TrackRequest) -> Any:
    from ...io import Stack
    from ...pipeline import trusted

    images = (request.labels, request.intensity, request.uncertainty)
    return trusted(tracks, *(Stack(image, "tyx") for image in images))


def track_features(
    data: np.ndarray,
    properties: dict[str, np.ndarray],
    pixel_size_um: float,
    frame_interval_s: float,
) -> pd.DataFrame:
    """Return the features of a Tracks layer: the table's columns, speed and length.

    Speed is the distance from the row before, in micrometres a second; the first row of
    a track has that of the second. Length is the number of frames of the whole track.
    """
    features = pd.DataFrame(properties)
    rows = pd.DataFrame(data, columns=["track_id", "t", "y", "x"])
    steps = rows.groupby("track_id")[["t", "y", "x"]].diff()
    seconds = steps["t"] * frame_interval_s
    distance_um = np.hypot(steps["y"], steps["x"]) * pixel_size_um
    speed = (distance_um / seconds).groupby(rows["track_id"]).bfill().fillna(0.0)
    features["speed_um_per_s"] = speed.to_numpy()
    features["length_frames"] = rows.groupby("track_id")["t"].transform("size").to_numpy()
    features["track_id"] = rows["track_id"].astype(int).to_numpy()
    return features
