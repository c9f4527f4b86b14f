"""The table of the track inspector: one row per track, physical units only where they are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...progress import counted
from ...tracking import EditableTracks, summarise_tracks

_NEIGHBOURHOOD_PX = 40
_SAMPLE = 60
_MANY = 20  # of a few tracks, most may be doubtful by chance
PENDING = "being judged"
JUDGED = ("error_probability", "doubtful_frame", "exponent", "motion")
KINSHIP = ("parents", "children", "begins", "ends")
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
    ids = tracks.ends()[0]
    parts = [tracks.rows_of(int(track_id)) for track_id in ids[:: max(1, len(ids) // 2000)]]
    rows = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    same = np.diff(tracks["track_id"][rows]) == 0
    away = np.hypot(np.diff(tracks["y_px"][rows]), np.diff(tracks["x_px"][rows]))[same]
    steps = away / np.diff(tracks["frame"][rows])[same]
    return float(np.median(steps)) * scale.per_pixel if len(steps) else scale.per_pixel


def judge(rows: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Return what takes long to find of each track: probability of an error, and motion.

    Returns
    -------
    DataFrame
        Indexed by track: ``error_probability doubtful_frame exponent motion``.
    """
    from ...tracking import judge_errors

    errors = judge_errors(rows, pixel_size_um=scale.per_pixel).tracks
    return errors.join(_motion(rows, scale))


def judge_some(tracks: EditableTracks, track_ids: list[int], scale: Scale) -> pd.DataFrame:
    """Return the same as :func:`judge` for a few tracks, judged among those around them.

    Parameters
    ----------
    tracks : EditableTracks
        All tracks.
    track_ids : list of int
        Those that an edit has changed.
    scale : Scale
        Sampling.
    """
    from ...tracking import judge_errors

    rows = tracks.several(_neighbourhood(tracks, track_ids)).reset_index(drop=True)
    errors = judge_errors(rows, pixel_size_um=scale.per_pixel).tracks
    return errors.join(_motion(tracks.several(track_ids), scale))


def _motion(rows: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    from ...tracking import summarise_motion

    motion = summarise_motion(rows, pixel_size_um=scale.per_pixel, frame_interval_s=scale.per_frame)
    return motion[["exponent", "motion"]]


def _neighbourhood(tracks: EditableTracks, track_ids: list[int]) -> list[int]:
    """Return some tracks, those near them, and an even sample of all: how far tracks go."""
    near = set(track_ids)
    y_px, x_px, owner = tracks["y_px"], tracks["x_px"], tracks["track_id"]
    for track_id in track_ids:
        for row in tracks.rows_of(track_id):
            others = tracks.frame_rows(int(tracks["frame"][row]))
            others = others[np.abs(y_px[others] - y_px[row]) < _NEIGHBOURHOOD_PX]
            others = others[np.abs(x_px[others] - x_px[row]) < _NEIGHBOURHOOD_PX]
            near.update(owner[others].tolist())
    near.update(owner[:: max(1, len(owner) // _SAMPLE)].tolist())
    return sorted(track_id for track_id in near if track_id in tracks)


def summarise(
    rows: pd.DataFrame,
    tracks: EditableTracks,
    scale: Scale,
    step: float | None = None,
    judged: pd.DataFrame | None = None,
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
    judged : DataFrame or None
        Of :func:`judge`; None: the columns are filled later, by :func:`with_judged`.
    """
    table = summarise_tracks(
        rows,
        pixel_size_um=scale.per_pixel,
        frame_interval_s=scale.per_frame,
        typical_step_um=typical_step(tracks, scale) if step is None else step,
    )
    names = {"speed_um_per_s": scale.speed_column, "area_um2": scale.area_column}
    table = table.rename(columns=names).drop(columns="risk")
    ids = table["track_id"].to_numpy()
    for name in ("why", "verdict"):
        put_column(table, name, np.array(table[name], object))
    if "quality" not in rows:
        table["quality"] = np.nan
    table["error_probability"], table["doubtful_frame"] = np.nan, -1
    table["exponent"] = np.nan
    put_column(table, "motion", np.array([PENDING] * len(table), object))
    middle = rows.groupby("track_id")[["y_px", "x_px"]].mean().reindex(ids)
    table[["y_px", "x_px"]] = middle.to_numpy()
    for name, column in _kinship(tracks, ids).items():
        put_column(table, name, column)
    ordered = [name for name in _FIRST if name in table]
    table = table[ordered + [name for name in table.columns if name not in ordered]]
    return table if judged is None else with_judged(table, judged)


def counts_text(chance: pd.Series, least: float, listed: int) -> str:
    """Return how many tracks there are, are worth a look, are not judged, and are listed.

    Examples
    --------
    >>> counts_text(pd.Series([0.9, 0.1, 0.0]), least=0.2, listed=3)
    '3 tracks, 1 worth a look. Next: N.'
    """
    doubtful, unknown = int((chance >= least).sum()), int(chance.isna().sum())
    text = f"{counted(len(chance), 'track')}, {doubtful} worth a look. Next: N."
    if doubtful > max(_MANY, len(chance) // 2):
        text += " That is most of them: judge a Sample to learn how many are right."
    if unknown:
        text += f" {unknown} not judged: too few links."
    return text if listed == len(chance) else f"{text} The filter lists {listed}."


def described(line: pd.Series) -> str:
    """Return what a line of the table says about the correctness of its track.

    Examples
    --------
    >>> described(pd.Series({"track_id": 3, "why": "jump, gap", "error_probability": 0.418}))
    'Track 3: jump, gap. Error probability 0.42.'
    """
    text, chance = f"Track {int(line['track_id'])}", float(line["error_probability"])
    text += f": {line['why']}." if line["why"] else "."
    return text if np.isnan(chance) else f"{text} Error probability {chance:.2g}."


def put_column(table: pd.DataFrame, name: str, values: np.ndarray) -> None:
    """Set a column; one of Python's objects stays so, for Arrow's strings are slow to change."""
    table[name] = pd.Series(values, index=table.index, dtype=values.dtype)


def places_of(table: pd.DataFrame) -> dict[int, int]:
    """Return the number of the row of each track."""
    track_ids = table["track_id"].tolist() if "track_id" in table else []
    return {track_id: row for row, track_id in enumerate(track_ids)}


def with_judged(table: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    """Return a table with what :func:`judge` found where it was still missing, sorted by it."""
    table = table.copy()
    missing = np.flatnonzero((table["motion"] == PENDING).to_numpy())
    found = judged.reindex(table["track_id"].to_numpy()[missing])
    chance = found["error_probability"].to_numpy(float)
    why = np.where(np.isnan(chance), "not judged", table["why"].to_numpy(object)[missing])
    motion = found["motion"].fillna("unknown").to_numpy(object)
    frames = found["doubtful_frame"].fillna(-1).to_numpy(int)
    values = {"error_probability": chance, "exponent": found["exponent"].to_numpy(float)}
    for name, new in {**values, "doubtful_frame": frames, "why": why, "motion": motion}.items():
        column = table[name].to_numpy(copy=True)
        column[missing] = new
        put_column(table, name, column)
    table = table.sort_values("error_probability", ascending=False, kind="stable")
    return table.reset_index(drop=True)


def _kinship(tracks: EditableTracks, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Return parents and children of tracks as text, and the events that begin and end them."""
    children: dict[int, list[int]] = {}
    for child, of in tracks.parents.items():
        for parent in of:
            children.setdefault(parent, []).append(child)
    columns = {name: np.full(len(ids), "", object) for name in KINSHIP}
    for place in np.flatnonzero(np.isin(ids, [*tracks.parents, *children])):
        own = int(ids[place])
        above, below = tracks.parents.get(own, []), children.get(own, [])
        columns["parents"][place] = ";".join(map(str, above))
        columns["children"][place] = ";".join(map(str, below))
        if above:
            columns["begins"][place] = "fusion" if len(above) > 1 else "fission"
        if below:
            columns["ends"][place] = "fission" if len(below) > 1 else "fusion"
    return columns
