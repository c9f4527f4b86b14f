"""Verdicts in the table that the inspector saves, and given to the same tracks again.

The table has a row per track; verdicts of its links stand in the column ``link_verdicts`` as
``7:ok;9:wrong``, each after the frame that the link leads to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ....errors import InputError
from ....tracking import VERDICTS, EditableTracks

_EXPECTED = "track_id, verdict"
_NEAR_PX = 5.0
_LINKS = "link_verdicts"
_NUMBERS = ("track_id", "y_px", "x_px", "first", "last")
Link = tuple[int, int]


@dataclass(frozen=True, slots=True)
class GivenVerdicts:
    """Verdicts of a table.

    Attributes
    ----------
    tracks : dict of int to str
        Of whole tracks.
    links : dict of (int, int) to str
        Of single links: track, and the frame that the link leads to.
    strangers : int
        How many rows of the table belong to no track here.
    """

    tracks: dict[int, str]
    links: dict[Link, str]
    strangers: int


def with_link_verdicts(table: pd.DataFrame, links: dict[Link, str]) -> pd.DataFrame:
    """Return the table of tracks with the verdicts of their links, unchanged if there are none.

    Examples
    --------
    >>> table = pd.DataFrame({"track_id": [3, 5]})
    >>> with_link_verdicts(table, {(3, 9): "wrong", (3, 7): "ok"})["link_verdicts"].tolist()
    ['7:ok;9:wrong', '']
    """
    if not links:
        return table
    said: dict[int, list[str]] = {}
    for (track_id, frame), verdict in sorted(links.items()):
        said.setdefault(track_id, []).append(f"{frame}:{verdict}")
    return table.assign(**{_LINKS: [";".join(said.get(int(t), [])) for t in table["track_id"]]})


def read_verdicts(path: Path, tracks: EditableTracks) -> GivenVerdicts:
    """Return the verdicts of a table for tracks that are still what they were.

    A row is of a track of the same number whose mean position lies where the table says; a table
    without positions goes by the first and last frame, one without these by the number alone.

    Parameters
    ----------
    path : Path
        CSV with the columns ``track_id verdict``, and others.
    tracks : EditableTracks
        Tracks to be judged.

    Raises
    ------
    ImageFileError
        There is no such file.
    InputError
        It is no such table, or has another word for a verdict.
    """
    from ....io import read_table

    table = read_table(path, _EXPECTED, texts=("verdict", _LINKS))
    missing = [name for name in _EXPECTED.split(", ") if name not in table]
    if missing:
        raise InputError(f"{path.name} lacks the columns {', '.join(missing)}.")
    for name in ("verdict", _LINKS):
        given = table[name].fillna("") if name in table else ""
        table[name] = pd.Series(given, table.index, dtype=str).str.strip()
    for name in set(_NUMBERS) & set(table):
        table[name] = pd.to_numeric(table[name], errors="coerce")
    table = table[(table["verdict"] != "") | (table[_LINKS] != "")]
    of_links = [list(_links_of(text, path)) for text in table[_LINKS]]
    words = {*table["verdict"], *(word for row in of_links for _, word in row)} - {""}
    if unknown := sorted(words - set(VERDICTS)):
        raise InputError(
            f"{path.name} has the verdict {unknown[0]!r}: expected {', '.join(VERDICTS)}, "
            "or nothing."
        )
    found: dict[int, str] = {}
    links: dict[Link, str] = {}
    fits = [_is_of(row, tracks) for _, row in table.iterrows()]
    rows = zip(table["track_id"], table["verdict"], of_links, fits, strict=True)
    for track_id, verdict, its_links, is_here in rows:
        if is_here and verdict:
            found[int(track_id)] = verdict
        if is_here:
            links |= {(int(track_id), frame): word for frame, word in its_links}
    return GivenVerdicts(found, links, fits.count(False))


def _links_of(text: str, path: Path) -> Iterator[tuple[int, str]]:
    """Yield frame and verdict of each link that a cell of the table names."""
    for part in filter(None, text.split(";")):
        frame, _, verdict = part.partition(":")
        if not (frame.strip().isdecimal() and verdict.strip()):
            raise InputError(
                f"{path.name} has {part!r} among the verdicts of links: expected a frame and a "
                "verdict, as in 7:ok."
            )
        yield int(frame), verdict.strip()


def _is_of(row: pd.Series, tracks: EditableTracks) -> bool:
    track_id = row["track_id"]
    if track_id not in tracks:  # also where a spreadsheet left the number out
        return False
    if {"y_px", "x_px"} <= set(row.index):
        rows = tracks.rows_of(track_id)
        away = [float(row[name]) - float(tracks[name][rows].mean()) for name in ("y_px", "x_px")]
        return math.hypot(*away) <= _NEAR_PX
    if {"first", "last"} <= set(row.index):
        return bool((row["first"], row["last"]) == tracks.extent(track_id))
    return True
