"""Tracks as comma-separated values: a plain table that every program reads.

``tracks.csv`` holds the table, with the parents of each track as ``3;7`` in the column
``parents`` and the scale of the movie in two more; ``tracks.events.csv`` beside it holds
fissions and fusions, when there are any. Numbers are written so that they come
back bit by bit.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from ...errors import InputError, as_path, reading
from ...io import read_table, write_table
from ..detections import check_scale
from ..track_columns import EVENT_COLUMNS, TrackTables, event_columns

_EXPECTED = "track_id, frame, y_um, x_um"
_EXTRA = ("parents", "pixel_size_um", "frame_interval_s")


def write_csv(tracks: TrackTables, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write `tracks` to `path` and events to ``<stem>.events.csv``, both atomically.

    Raises
    ------
    OutputExistsError
        The file is there and `overwrite` is false.
    OutputError
        The folder is missing or read-only.
    """
    target = Path(path)
    table = tracks.table.copy()
    parents = {child: ";".join(map(str, ids)) for child, ids in tracks.graph.items()}
    table["parents"] = [parents.get(track, "") for track in table.track_id]
    table["pixel_size_um"] = tracks.pixel_size_um
    table["frame_interval_s"] = tracks.frame_interval_s
    write_table(target, table, overwrite=overwrite)
    beside = events_path(target)
    if len(tracks.events) or beside.exists():
        write_table(beside, tracks.events, overwrite=overwrite)
    return target


def read_csv(path: str | Path) -> TrackTables:
    """Return the tracks in `path`, with the events beside it.

    Raises
    ------
    ImageFileError
        There is no such file.
    InputError
        It is no table of tracks.
    """
    source = as_path(path)
    table = read_table(source, _EXPECTED, texts=("parents", "fragments"))
    with reading(source, f"a table with the columns {_EXPECTED}", error_class=InputError):
        scale = {name: _constant(table, name) for name in ("pixel_size_um", "frame_interval_s")}
        check_scale(scale["pixel_size_um"], scale["frame_interval_s"])
        return TrackTables.from_table(
            table.drop(columns=[name for name in _EXTRA if name in table]),
            _graph(table),
            _events_beside(source, table, scale["frame_interval_s"]),
            **scale,
        )


def _graph(table: pd.DataFrame) -> dict[int, list[int]]:
    """Return the parents that the column ``parents`` lists, or the one of ``parent``."""
    if "track_id" not in table:
        return {}
    if "parents" in table:
        listed = zip(table.track_id, table.parents.fillna(""), strict=True)
        return {int(child): [int(p) for p in text.split(";")] for child, text in listed if text}
    if "parent" in table:  # of the simulation, or written by hand
        listed = zip(table.track_id, table.parent.fillna(0), strict=True)
        return {int(child): [int(parent)] for child, parent in listed if parent > 0}
    return {}


def _events_beside(
    source: Path, table: pd.DataFrame, frame_interval_s: float
) -> pd.DataFrame | None:
    """Return the events of the same movie.

    They are in ``<stem>.events.csv``, or beside the ``tracks.csv`` of a pipeline run or simulation
    in ``events.csv``; a file whose events are of other tracks is not taken.
    """
    candidates = [events_path(source)]
    if source.name == "tracks.csv":
        candidates.append(source.with_name("events.csv"))
    beside = next((path for path in candidates if path.exists()), None)
    if beside is None:
        return None
    events = read_table(beside, ", ".join(EVENT_COLUMNS), texts=("parents", "children"))
    if "time_s" not in events and "frame" in events:
        events["time_s"] = events["frame"] * frame_interval_s
    if "probability" not in events:
        events["probability"] = 1.0  # of a simulation: known
    missing = [name for name in EVENT_COLUMNS if name not in events]
    if missing:
        raise InputError(f"{beside} lacks the columns {', '.join(missing)}.")
    events = event_columns(events.fillna({"parents": "", "children": ""}))
    if not _is_of(events, table):
        warnings.warn(
            f"{beside} names tracks or frames that {source.name} lacks, so it is of another movie; "
            "it was left out.",
            stacklevel=4,
        )
        return None
    return events


def _is_of(events: pd.DataFrame, table: pd.DataFrame) -> bool:
    """Return whether each event is of frames and parents of the table, and of a child of it."""
    if not {"track_id", "frame"} <= set(table) or not len(events):
        return True
    known = set(table["track_id"])
    parents, children = (
        [{int(name) for name in text.split(";") if name} for text in events[column]]
        for column in ("parents", "children")
    )
    last = int(table["frame"].max()) + 1
    return bool(
        all(named <= known for named in parents)
        and all(named & known or not named for named in children)
        and events["frame"].between(int(table["frame"].min()), last).all()
    )


def events_path(path: Path) -> Path:
    """Return where the events of the tracks in `path` are."""
    return path.with_name(f"{path.stem}.events.csv")


def _constant(table: pd.DataFrame, name: str) -> float:
    return float(table[name].iloc[0]) if name in table and len(table) else 1.0
