"""Motion analysis of tracks and rates of fission and fusion.

The mean squared displacement after a lag of ``τ`` grows as ``4 D τ^α``: α is 1 for
diffusion, more for directed and less for confined motion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..settings import MotionClassTuning
from .detections import FloatArray
from .tracks import Tracks


def mean_squared_displacement(tracks: Tracks, *, largest_lag: int = 10) -> pd.DataFrame:
    """Return the mean squared displacement of each track, in µm².

    Parameters
    ----------
    tracks : Tracks
        Interpolated rows are not counted.
    largest_lag : int
        Longest lag, frames.

    Returns
    -------
    DataFrame
        ``track_id lag lag_s msd_um2 pairs``; all pairs of positions a lag apart count.

    Examples
    --------
    >>> table = pd.DataFrame({"track_id": 1, "frame": [0, 1, 2], "y_um": 0.0, "x_um": [0.0, 1, 2]})
    >>> mean_squared_displacement(Tracks.from_table(table)).msd_um2.tolist()
    [1.0, 4.0]
    """
    if largest_lag < 1:
        raise InputError(f"largest_lag is {largest_lag}: expected 1 or more frames.")
    parts = [_msd(rows, name, largest_lag, tracks.frame_interval_s) for name, rows in tracks]
    columns = ["track_id", "lag", "lag_s", "msd_um2", "pairs"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return table[columns].astype({"track_id": np.int64, "lag": np.int64, "pairs": np.int64})


def _msd(rows: pd.DataFrame, name: int, largest_lag: int, interval_s: float) -> pd.DataFrame:
    seen = rows[~rows.interpolated]
    place = _by_frame(seen)
    lags = np.arange(1, min(largest_lag, len(place) - 1) + 1)
    squares = [((place[lag:] - place[:-lag]) ** 2).sum(axis=1) for lag in lags]
    pairs = np.array([np.isfinite(some).sum() for some in squares], np.int64)
    means = [
        float(np.nanmean(some)) if n else np.nan for some, n in zip(squares, pairs, strict=True)
    ]
    return pd.DataFrame(
        {
            "track_id": name,
            "lag": lags,
            "lag_s": lags * interval_s,
            "msd_um2": means,
            "pairs": pairs,
        }
    )


def _by_frame(rows: pd.DataFrame) -> FloatArray:
    """Return positions by frame, NaN where nothing was seen, shape (frames, 2)."""
    frame = rows.frame.to_numpy()
    if len(frame) == 0:
        return np.zeros((0, 2))
    place = np.full((int(frame[-1] - frame[0]) + 1, 2), np.nan)
    place[frame - frame[0]] = rows[["y_um", "x_um"]].to_numpy()
    return place


def analyse_motion(
    tracks: Tracks, *, largest_lag: int = 10, tuning: MotionClassTuning | None = None
) -> pd.DataFrame:
    """Return how each track moved.

    Parameters
    ----------
    tracks : Tracks
        Of a movie.
    largest_lag : int
        Longest lag of the fit, frames; a third of the track at most.
    tuning : MotionClassTuning, optional
        Exponents and lengths that decide about the class of motion.

    Returns
    -------
    DataFrame
        One row per track: ``track_id frames duration_s path_um net_um mean_speed_um_s
        straightness persistence diffusion_um2_s exponent motion``. ``straightness`` is net over
        path, ``persistence`` the mean cosine between consecutive steps, ``motion`` one of
        ``directed diffusive confined`` or, for a short track, ``unknown``.

    Notes
    -----
    ``exponent`` and ``diffusion_um2_s`` come from a straight line through the logarithms of
    ``MSD = 4 D τ^α``, each lag weighted by its pairs over its lag.

    Examples
    --------
    >>> from napari_virtualstain.tracking import link
    >>> straight = pd.DataFrame({"frame": range(12), "y_um": 0.0, "x_um": range(12)})
    >>> analyse_motion(link(straight, search_radius_um=2.0)).motion.tolist()
    ['directed']
    """
    displacement = mean_squared_displacement(tracks, largest_lag=largest_lag)
    by_track = dict(iter(displacement.groupby("track_id")))
    numbers, interval_s = tuning or MotionClassTuning(), tracks.frame_interval_s
    rows = [_describe(name, part, by_track.get(name), interval_s, numbers) for name, part in tracks]
    return pd.DataFrame(rows)


def _describe(
    name: int,
    rows: pd.DataFrame,
    msd: pd.DataFrame | None,
    interval_s: float,
    tuning: MotionClassTuning,
) -> dict[str, Any]:
    seen = rows[~rows.interpolated]
    place, frame = seen[["y_um", "x_um"]].to_numpy(), seen.frame.to_numpy()
    steps, gaps = np.diff(place, axis=0), np.diff(frame)
    length = np.sqrt((steps**2).sum(axis=1))
    path = float(length.sum())
    net = float(np.linalg.norm(place[-1] - place[0])) if len(place) else 0.0
    duration = float((frame[-1] - frame[0]) * interval_s) if len(frame) else 0.0
    exponent, diffusion = _fit(msd, max(2, len(seen) // tuning.lag_part))
    return {
        "track_id": name,
        "frames": len(seen),
        "duration_s": duration,
        "path_um": path,
        "net_um": net,
        "mean_speed_um_s": path / duration if duration else np.nan,
        "straightness": net / path if path else np.nan,
        "persistence": _mean_cosine(steps[gaps == 1], length[gaps == 1]),
        "diffusion_um2_s": diffusion,
        "exponent": exponent,
        "motion": _class(exponent, len(seen), tuning),
    }


def _mean_cosine(steps: FloatArray, length: FloatArray) -> float:
    if len(steps) < 2:
        return float("nan")
    product = length[1:] * length[:-1]
    inside = product > 0
    if not inside.any():
        return float("nan")
    cosine = (steps[1:] * steps[:-1]).sum(axis=1)[inside] / product[inside]
    return float(cosine.mean())


def _fit(msd: pd.DataFrame | None, longest: int) -> tuple[float, float]:
    """Return exponent and diffusion coefficient, NaN where they cannot be had."""
    if msd is None:
        return float("nan"), float("nan")
    good = msd[(msd.msd_um2 > 0) & (msd.lag <= longest)]
    if len(good) < 2:
        return float("nan"), float("nan")
    weight = np.sqrt(good.pairs.to_numpy(np.float64) / good.lag.to_numpy())
    exponent, level = np.polyfit(np.log(good.lag_s), np.log(good.msd_um2), 1, w=weight)
    return float(exponent), float(np.exp(level) / 4)


def _class(exponent: float, positions: int, tuning: MotionClassTuning) -> str:
    if positions < tuning.least_positions or not np.isfinite(exponent):
        return "unknown"
    if exponent > tuning.directed_exponent:
        return "directed"
    return "confined" if exponent < tuning.confined_exponent else "diffusive"


def event_rates(tracks: Tracks) -> dict[str, float]:
    """Return fissions and fusions per minute per mitochondrion.

    Returns
    -------
    dict of str to float
        ``fission_per_min`` and ``fusion_per_min``: expected events (the sum of their
        probabilities) over the time that all mitochondria together were followed.

    Examples
    --------
    >>> table = pd.DataFrame({"track_id": 1, "frame": range(3), "y_um": 0.0, "x_um": 0.0})
    >>> event_rates(Tracks.from_table(table))
    {'fission_per_min': 0.0, 'fusion_per_min': 0.0}
    """
    minutes = len(tracks.table) * tracks.frame_interval_s / 60
    return {
        f"{kind}_per_min": float(tracks.events.loc[tracks.events.kind == kind, "probability"].sum())
        / minutes
        if minutes
        else 0.0
        for kind in ("fission", "fusion")
    }
