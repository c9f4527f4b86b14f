"""The table of the track inspector: one row per track, physical units only where they are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...tracking import EditableTracks, judge_errors, summarise_tracks

_NEIGHBOURHOOD_PX = 40
_SAMPLE = 60
_FIRST = ("track_id", "verdict", "error_probability", "why", "frames", "first", "last", "gaps")


@dataclass(frozen=True, slots=True)
class Scale:
    """Sampling of the movie; None where it is unknown.

    Attributes
    ----------
    pixel_size_um, frame_interval_s : float or None
        Micrometres per pixel, seconds per frame.
    """

    pixel_size_um: float | None
    frame_interval_s: float | None

    @property
    def per_pixel(self) -> float:
        """Length of a pixel in the unit that is shown."""
        return self.pixel_size_um or 1.0

    @property
    def per_frame(self) -> float:
        """Duration of a frame in the unit that is shown."""
        return self.frame_interval_s or 1.0

    @property
    def length_unit(self) -> str:
        """The unit of lengths."""
        return "µm" if self.pixel_size_um else "px"

    @property
    def time_unit(self) -> str:
        """The unit of times."""
        return "s" if self.frame_interval_s else "frame"

    @property
    def speed_column(self) -> str:
        """Name of the column of speeds."""
        length = "um" if self.pixel_size_um else "px"
        return f"speed_{length}_per_{'s' if self.frame_interval_s else 'frame'}"

    @property
    def area_column(self) -> str:
        """Name of the column of areas, which the tracks hold as ``area_um2``."""
        return "area_um2" if self.pixel_size_um else "area_px2"


def typical_step(tracks: EditableTracks, scale: Scale) -> float:
    """Return the median step from frame to frame of a sample of tracks, in the unit shown."""
    ids = tracks.track_ids
    steps = []
    for track_id in ids[:: max(1, len(ids) // 2000)]:
        rows = tracks.rows_of(track_id)
        away = np.hypot(np.diff(tracks["y_px"][rows]), np.diff(tracks["x_px"][rows]))
        steps.append(away / np.diff(tracks["frame"][rows]))
    values = np.concatenate(steps) if steps else np.zeros(0)
    return float(np.median(values)) * scale.per_pixel if len(values) else scale.per_pixel


def local_errors(tracks: EditableTracks, track_ids: list[int], scale: Scale) -> pd.DataFrame:
    """Return the error probability of a few tracks, judged among those around them.

    Parameters
    ----------
    tracks : EditableTracks
        All tracks.
    track_ids : list of int
        Those that an edit has changed.
    scale : Scale
        Sampling.
    """
    near = set(track_ids)
    for track_id in track_ids:
        for row in tracks.rows_of(track_id):
            others = tracks.frame_rows(int(tracks["frame"][row]))
            away = np.abs(tracks["y_px"][others] - tracks["y_px"][row])
            away = np.maximum(away, np.abs(tracks["x_px"][others] - tracks["x_px"][row]))
            near.update(tracks["track_id"][others[away < _NEIGHBOURHOOD_PX]].tolist())
    # how far tracks go as a rule is seen in those of all the movie
    ids = tracks.track_ids
    near.update(ids[:: max(1, len(ids) // _SAMPLE)])
    rows = pd.concat([tracks.track(track_id) for track_id in sorted(near)], ignore_index=True)
    return judge_errors(rows, pixel_size_um=scale.per_pixel).tracks


def summarise(
    rows: pd.DataFrame,
    tracks: EditableTracks,
    scale: Scale,
    step: float | None = None,
    errors: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per track, sorted by error probability, highest first.

    Parameters
    ----------
    rows : DataFrame
        Of all tracks, or of some.
    tracks : EditableTracks
        All of them, for parents and children.
    scale : Scale
        Sampling.
    step : float or None
        Of :func:`typical_step`; None: it is measured.
    errors : DataFrame or None
        Of :func:`judge_errors` or :func:`local_errors`; None: all rows are judged.
    """
    if errors is None:
        errors = judge_errors(rows, pixel_size_um=scale.per_pixel).tracks
    table = summarise_tracks(
        rows,
        pixel_size_um=scale.per_pixel,
        frame_interval_s=scale.per_frame,
        typical_step_um=typical_step(tracks, scale) if step is None else step,
    )
    names = {"speed_um_per_s": scale.speed_column, "area_um2": scale.area_column}
    table = table.rename(columns=names).drop(columns="risk")
    judged = errors.reindex(table["track_id"])
    table["error_probability"] = judged["error_probability"].to_numpy()
    table["doubtful_frame"] = judged["doubtful_frame"].fillna(-1).to_numpy(int)
    is_unknown = table["error_probability"].isna()
    table["why"] = np.where(is_unknown, "not judged", table["why"])
    table = table.sort_values("error_probability", ascending=False, kind="stable")
    table = table.reset_index(drop=True)
    children: dict[int, list[int]] = {}
    for child, of in tracks.parents.items():
        for parent in of:
            children.setdefault(parent, []).append(child)
    middle = rows.groupby("track_id")[["y_px", "x_px"]].mean().reindex(table["track_id"])
    table[["y_px", "x_px"]] = middle.to_numpy()
    for name, kin in (("parents", tracks.parents), ("children", children)):
        column = [";".join(map(str, kin.get(int(t), ()))) for t in table["track_id"]]
        table[name] = np.array(column, object)
    table["why"] = np.array(table["why"], object)  # cells of Arrow's strings are slow to change
    ordered = [name for name in _FIRST if name in table]
    return table[ordered + [name for name in table.columns if name not in ordered]]
