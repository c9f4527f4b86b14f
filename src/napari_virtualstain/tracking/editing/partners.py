"""Candidate partners for joining a track."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .editable import EditableTracks


def partners(tracks: EditableTracks, track_id: int, most: int = 8) -> pd.DataFrame:
    """Return the tracks that share no frame with `track_id`, the nearest ends first.

    Parameters
    ----------
    tracks : EditableTracks
        All tracks.
    track_id : int
        One of them.
    most : int
        Longest list.

    Returns
    -------
    DataFrame
        ``track_id gap distance_px after``: frames without either, how far apart the ends
        are, and whether the other comes after it.

    Examples
    --------
    >>> rows = pd.DataFrame({"track_id": [1, 1, 2], "frame": [0, 1, 3], "y_px": 0.0, "x_px": 0.0})
    >>> partners(EditableTracks(rows), 1).iloc[0].to_dict()
    {'track_id': 2, 'gap': 1, 'distance_px': 0.0, 'after': True}
    """
    ids, first, last = tracks.ends()
    own = tracks.rows_of(track_id)
    frame, y_px, x_px = (tracks[name] for name in ("frame", "y_px", "x_px"))
    tables = []
    for rows, end, after in ((first, own[-1], True), (last, own[0], False)):
        gap = (frame[rows] - frame[end]) * (1 if after else -1) - 1
        fits = np.flatnonzero(gap >= 0)
        gap, there = gap[fits], rows[fits]
        away = np.hypot(y_px[there] - y_px[end], x_px[there] - x_px[end])
        best = np.argsort(away + gap, kind="stable")[:most]
        columns = {"gap": gap[best], "distance_px": away[best], "after": after}
        tables.append(pd.DataFrame({"track_id": ids[fits[best]], **columns}))
    found = pd.concat(tables, ignore_index=True)
    nearest = np.argsort((found["distance_px"] + found["gap"]).to_numpy(), kind="stable")[:most]
    result: pd.DataFrame = found.iloc[nearest].reset_index(drop=True)
    return result
