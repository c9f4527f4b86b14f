"""Summary of tracks: one row per track, what a person needs to judge it, and where to look."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

VERDICTS = ("ok", "wrong", "unsure")
_JUMP = 5.0
_AREA_RATIO = 2.0
_DOUBTFUL_QUALITY = 0.5
# quality counts most; each other reason adds a little, so that equals are ordered
_RISK_OF_QUALITY, _RISK_OF_REASON = 0.7, 0.15


def track_rows(data: np.ndarray, features: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a Tracks layer as one table.

    Parameters
    ----------
    data : ndarray, (N, 4)
        Columns track_id, t, y, x in pixels.
    features : DataFrame
        The layer's features, N rows.

    Examples
    --------
    >>> rows = track_rows(np.array([[1, 0, 5, 6]]), pd.DataFrame({"quality": [0.9]}))
    >>> rows.columns.to_list()
    ['track_id', 'frame', 'y_px', 'x_px', 'quality']
    """
    rows = pd.DataFrame(np.asarray(data, float)[:, [0, 1, -2, -1]])
    rows.columns = pd.Index(["track_id", "frame", "y_px", "x_px"])
    rows = rows.astype({"track_id": int, "frame": int})
    for name in features.columns:
        if name not in rows and len(features) == len(rows):
            rows[name] = features[name].to_numpy()
    return rows


def summarise_tracks(
    rows: pd.DataFrame,
    *,
    pixel_size_um: float,
    frame_interval_s: float,
    typical_step_um: float | None = None,
) -> pd.DataFrame:
    """Return one row per track, the riskiest first.

    Parameters
    ----------
    rows : DataFrame
        What :func:`track_rows` returned.
    pixel_size_um, frame_interval_s : float
        Sampling.
    typical_step_um : float or None
        Median step of the whole movie, for a few tracks of it; None: that of `rows`.

    Returns
    -------
    DataFrame
        ``track_id risk verdict frames first last gaps speed_um_per_s area_um2 quality
        why``; `risk` is in [0, 1].

    Examples
    --------
    >>> places = np.array([[1, 0, 5, 6], [1, 1, 5, 6]])
    >>> rows = track_rows(places, pd.DataFrame({"quality": [0.9, 0.4]}))
    >>> summarise_tracks(rows, pixel_size_um=0.08, frame_interval_s=5).loc[0, "why"]
    'doubtful link'
    """
    rows = _with_steps(rows, pixel_size_um, frame_interval_s)
    by = rows.groupby("track_id")
    table = pd.DataFrame(
        {
            "frames": by.size(),
            "first": by["frame"].min(),
            "last": by["frame"].max(),
            "gaps": by["interpolated"].sum().astype(int) if "interpolated" in rows else 0,
            "speed_um_per_s": by["_speed"].mean().fillna(0.0),
            "area_um2": by["area_um2"].mean() if "area_um2" in rows else np.nan,
            "quality": by["quality"].min() if "quality" in rows else 1.0,
        }
    )
    typical = float(rows["_step_um"].median()) if typical_step_um is None else typical_step_um
    jump = by["_step_um"].max() / max(typical, pixel_size_um)
    reasons = {
        "doubtful link": table["quality"] < _DOUBTFUL_QUALITY,
        "jump": jump.fillna(0) > _JUMP,
        "area jump": by["_area_ratio"].max().fillna(1) > _AREA_RATIO,
        "gap": table["gaps"] > 0,
    }
    return _riskiest_first(table, pd.DataFrame(reasons))


def _with_steps(rows: pd.DataFrame, pixel_size_um: float, frame_interval_s: float) -> pd.DataFrame:
    """Return the rows in order, with step, speed and change of area since the one before."""
    rows = rows.sort_values(["track_id", "frame"]).reset_index(drop=True)
    groups = rows.groupby("track_id")
    steps = groups[["frame", "y_px", "x_px"]].diff()
    distance_um = np.hypot(steps["y_px"], steps["x_px"]) * pixel_size_um
    rows["_step_um"] = distance_um / steps["frame"]
    rows["_speed"] = rows["_step_um"] / frame_interval_s
    rows["_area_ratio"] = (
        _ratio(groups["area_um2"].shift(), rows["area_um2"]) if ("area_um2" in rows) else 1.0
    )
    return rows


def _riskiest_first(table: pd.DataFrame, flagged: pd.DataFrame) -> pd.DataFrame:
    """Return the table with risk, reasons and an empty verdict, in the order of the risk."""
    table["why"] = _joined(flagged)
    others = flagged.drop(columns="doubtful link").sum(axis=1)
    unsure = 1 - table["quality"].clip(0, 1)
    table["risk"] = (_RISK_OF_QUALITY * unsure + _RISK_OF_REASON * others).clip(0, 1)
    table["verdict"] = ""
    ordered = table.sort_values("risk", ascending=False, kind="stable").reset_index()
    first = ["track_id", "verdict", "risk", "why"]
    return ordered[first + [name for name in ordered.columns if name not in first]]


def _joined(flagged: pd.DataFrame) -> np.ndarray:
    """Return the names of the columns that hold in each row, comma separated."""
    names = [str(name) for name in flagged.columns]
    texts = [
        ", ".join(name for place, name in enumerate(names) if code >> place & 1)
        for code in range(2 ** len(names))
    ]
    codes = flagged.to_numpy(bool) @ (1 << np.arange(len(names)))
    joined: np.ndarray = np.array(texts, object)[codes]
    return joined


def _ratio(before: Any, after: Any) -> pd.Series:
    ratio = pd.Series(after).astype(float) / pd.Series(before).astype(float)
    return pd.Series(np.maximum(ratio, 1 / ratio)).replace([np.inf], np.nan)


def next_risky(
    table: pd.DataFrame, row: int | None, step: int, *, least: float = 0.15
) -> int | None:
    """Return the next row worth a look without a verdict, going round; None if there is none.

    Parameters
    ----------
    table : DataFrame
        What :func:`summarise_tracks` returned.
    row : int or None
        The row of the moment.
    step : int
        1 for the next, -1 for the one before.
    least : float
        Smallest risk that is worth a look.

    Examples
    --------
    >>> table = pd.DataFrame({"risk": [0.9, 0.5, 0.1], "verdict": ["good", "", ""]})
    >>> next_risky(table, None, 1)
    1
    """
    count = len(table)
    begin = row if row is not None else (-1 if step > 0 else count)
    risky = ((table["risk"] >= least) & (table["verdict"] == "")).to_numpy()
    for offset in range(1, count + 1):
        candidate = (begin + step * offset) % count
        if risky[candidate]:
            return int(candidate)
    return None


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``track_id length missing quality weakest weakest_frame reason``, riskiest first.

    Where the table has a column ``trust``, its mean over each track is added.

    Parameters
    ----------
    table : DataFrame
        Of tracks.

    Examples
    --------
    >>> rows = pd.DataFrame({"track_id": 1, "frame": [0, 1], "quality": [1.0, 0.4],
    ...                      "interpolated": False, "reason": ["", "unusual step"]})
    >>> summarise(rows)[["weakest", "weakest_frame"]].iloc[0].tolist()
    [0.4, 1.0]
    """
    groups = table.groupby("track_id")
    summary = groups.agg(
        length=("frame", "size"), missing=("interpolated", "sum"), quality=("quality", "mean")
    )
    risky = table.sort_values(["quality", "frame"], kind="stable").drop_duplicates("track_id")
    worst = risky.set_index("track_id")
    summary["weakest"] = worst.quality
    summary["weakest_frame"] = worst.frame
    summary["reason"] = worst.reason
    if "trust" in table:
        summary["trust"] = groups["trust"].mean()
    return summary.sort_values("weakest", kind="stable").reset_index()
