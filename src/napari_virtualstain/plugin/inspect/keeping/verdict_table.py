"""Verdicts from a table that the inspector saved, given to the same tracks again."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from ....errors import InputError
from ....tracking import VERDICTS, EditableTracks

_EXPECTED = "track_id, verdict"
_NEAR_PX = 5.0


def read_verdicts(path: Path, tracks: EditableTracks) -> tuple[dict[int, str], int]:
    """Return the verdicts of a table for tracks that are still what they were.

    A row is of a track of the same number whose mean position lies where the table says; a table
    without positions goes by the first and last frame, one without these by the number alone.

    Parameters
    ----------
    path : Path
        CSV with the columns ``track_id verdict``, and others.
    tracks : EditableTracks
        Tracks to be judged.

    Returns
    -------
    tuple of dict of int to str, int
        Verdicts, and how many of the table belong to no track here.

    Raises
    ------
    ImageFileError
        There is no such file.
    InputError
        It is no such table, or has another word for a verdict.
    """
    from ....io import read_table

    table = read_table(path, _EXPECTED, texts=("verdict",))
    missing = [name for name in _EXPECTED.split(", ") if name not in table]
    if missing:
        raise InputError(f"{path.name} lacks the columns {', '.join(missing)}.")
    said = table["verdict"].fillna("").astype(str).str.strip()
    table = table.assign(verdict=said)[said != ""]
    unknown = sorted(set(table["verdict"]) - set(VERDICTS))
    if unknown:
        raise InputError(
            f"{path.name} has the verdict {unknown[0]!r}: expected {', '.join(VERDICTS)}, "
            "or nothing."
        )
    fits = [_is_of(row, tracks) for _, row in table.iterrows()]
    kept = table[np.array(fits, bool)]
    given = zip(kept["track_id"].astype(int), kept["verdict"], strict=True)
    return dict(given), len(table) - len(kept)


def _is_of(row: pd.Series, tracks: EditableTracks) -> bool:
    track_id = int(row["track_id"])
    if track_id not in tracks:
        return False
    if {"y_px", "x_px"} <= set(row.index):
        rows = tracks.rows_of(track_id)
        away = [float(row[name]) - float(tracks[name][rows].mean()) for name in ("y_px", "x_px")]
        return math.hypot(*away) <= _NEAR_PX
    if {"first", "last"} <= set(row.index):
        return (int(row["first"]), int(row["last"])) == tracks.extent(track_id)
    return True
