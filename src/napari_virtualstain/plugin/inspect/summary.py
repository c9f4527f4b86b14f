"""The table of the track inspector: one row a track, physical units only where they are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...tracking import EditableTracks, summarise_tracks

_FIRST = ("track_id", "verdict", "risk", "why", "frames", "first", "last", "gaps")


@dataclass(frozen=True, slots=True)
class Scale:
    """Sampling of the movie; None where nobody has said it.

    Attributes
    ----------
    pixel_size_um, frame_interval_s : float or None
        Micrometres a pixel, seconds a frame.
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


def summarise(
    rows: pd.DataFrame, tracks: EditableTracks, scale: Scale, step: float | None = None
) -> pd.DataFrame:
    """Return one row a track, the riskiest first.

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
    """
    table = summarise_tracks(
        rows,
        pixel_size_um=scale.per_pixel,
        frame_interval_s=scale.per_frame,
        typical_step_um=typical_step(tracks, scale) if step is None else step,
    )
    names = {"speed_um_per_s": scale.speed_column, "area_um2": scale.area_column}
    table = table.rename(columns=names)
    children: dict[int, list[int]] = {}
    for child, of in tracks.parents.items():
        for parent in of:
            children.setdefault(parent, []).append(child)
    for name, kin in (("parents", tracks.parents), ("children", children)):
        column = [";".join(map(str, kin.get(int(t), ()))) for t in table["track_id"]]
        table[name] = np.array(column, object)
    table["why"] = np.array(table["why"], object)  # cells of Arrow's strings are slow to change
    ordered = [name for name in _FIRST if name in table]
    return table[ordered + [name for name in table.columns if name not in ordered]]
