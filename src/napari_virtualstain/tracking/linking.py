"""Detections in, tracks out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..axes import check_positive
from ..errors import InputError
from ..progress import CancelToken, ProgressCallback, Reporter
from .config import TrackingConfig
from .detections import Detections, IntArray, check_search_radius, check_whole, read_detections
from .extended import MixtureFollower
from .noise import first_model, typical_step_um
from .online import Follower, OnlineLinker
from .paper import BoxFollower, BoxNoise, box_noise, boxes
from .tracks import Tracks


def link(
    detections: pd.DataFrame,
    *,
    frame_interval_s: float = 1.0,
    search_radius_um: float | None = None,
    max_gap: int = 3,
    mode: str = "extended",
    config: TrackingConfig | None = None,
    pixel_size_um: float = 1.0,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Tracks:
    """Return the tracks of detected positions.

    Parameters
    ----------
    detections : DataFrame
        ``frame y_um x_um`` and where known ``height_um width_um area_um2 intensity``; one
        row a detection, in any order.
    frame_interval_s : float
        Seconds from frame to frame.
    search_radius_um : float or None
        Farthest that an object goes in one frame; None estimates it from the movie.
    max_gap : int
        Frames in a row that an object may be missing and still keep its identity.
    mode : {"extended", "paper"}
        ``paper`` is eq. 1 as published.
    config : TrackingConfig, optional
        All settings; the three above are then taken from it.
    pixel_size_um : float
        Used for the columns in pixels.
    progress, cancel : callable, CancelToken
        See :mod:`napari_virtualstain.progress`.

    Returns
    -------
    Tracks

    Raises
    ------
    InputError
        A column is missing or holds no finite numbers, or a setting is impossible.

    Examples
    --------
    >>> seen = pd.DataFrame({"frame": [0, 1, 2], "y_um": 5.0, "x_um": [1.0, 1.2, 1.4]})
    >>> link(seen, search_radius_um=1.0).table.track_id.tolist()
    [1, 1, 1]
    """
    settings = config or _settings(mode, search_radius_um, max_gap)
    check_positive(frame_interval_s, "frame interval", "s")
    check_positive(pixel_size_um, "pixel size", "µm")
    found = read_detections(detections)
    names = link_detections(found, settings, progress=progress, cancel=cancel)
    return _tracks(found, names, settings, pixel_size_um, frame_interval_s)


def _settings(mode: str, search_radius_um: float | None, max_gap: int) -> TrackingConfig:
    if mode not in ("extended", "paper"):
        raise InputError(f"The mode is {mode!r}: expected 'extended' or 'paper'.")
    return TrackingConfig(
        mode=mode,  # type: ignore[arg-type]
        search_radius_um=check_search_radius(search_radius_um),
        max_gap=check_whole(max_gap, "max_gap"),
    )


def link_detections(
    detections: Detections,
    config: TrackingConfig,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> IntArray:
    """Return the track number of each detection, from 1, in order of first appearance."""
    follower: Follower
    if config.mode == "paper":
        follower = BoxFollower(_paper_noise(detections, config), config.gate_probability)
    else:
        follower = MixtureFollower(first_model(detections, config.search_radius_um))
    linker = OnlineLinker(follower, config.max_gap, config.search_radius_um)
    names = np.zeros(len(detections), np.int64)
    parts = detections.slices()
    report = Reporter(len(parts), "frame", "linking", progress, cancel)
    step = detections.frame_step
    for frame, part in parts:
        names[part] = linker.push(frame // step, detections.frame_part(part)) + 1
        report.advance()
    return names


def _paper_noise(detections: Detections, config: TrackingConfig) -> BoxNoise:
    step = typical_step_um(detections) or (config.search_radius_um or 1.0) / 4
    area = float(np.median(boxes(detections)[:, 2])) if len(detections) else 1.0
    return box_noise(step, 0.3 * step, area)


def _tracks(
    found: Detections,
    names: IntArray,
    config: TrackingConfig,
    pixel_size_um: float,
    frame_interval_s: float,
) -> Tracks:
    table = pd.DataFrame(
        {
            "track_id": names,
            "frame": found.frame,
            "y_um": found.position_um[:, 0],
            "x_um": found.position_um[:, 1],
            "label": found.label,
            "area_um2": found.area_um2,
            "interpolated": False,
        }
    )
    length = table.groupby("track_id").track_id.transform("size")
    least = config.min_length or (2 if len(table) and table.frame.nunique() > 4 else 1)
    table = table[length >= least]
    if config.fill_gaps:
        table = fill_gaps(table)
    table["track_id"] = table.track_id.rank(method="dense").astype(np.int64)
    return Tracks.from_table(table, pixel_size_um=pixel_size_um, frame_interval_s=frame_interval_s)


def fill_gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with a row for each frame that a track misses, on a straight line."""
    ordered = table.sort_values(["track_id", "frame"]).reset_index(drop=True)
    name, frame = ordered.track_id.to_numpy(), ordered.frame.to_numpy()
    missing = np.where(name[1:] == name[:-1], frame[1:] - frame[:-1] - 1, 0)
    if not missing.any():
        return ordered
    before = np.repeat(np.arange(len(missing)), missing)
    first = np.repeat(np.cumsum(missing) - missing, missing)
    step = np.arange(len(before)) - first + 1
    part = step / (missing[before] + 1)
    rows = ordered.iloc[before].reset_index(drop=True)
    for axis in ("y_um", "x_um"):
        values = ordered[axis].to_numpy()
        rows[axis] = values[before] * (1 - part) + values[before + 1] * part
    rows["frame"] = frame[before] + step
    rows["label"] = 0
    rows["area_um2"] = np.nan
    rows["interpolated"] = True
    return pd.concat([ordered, rows], ignore_index=True)
