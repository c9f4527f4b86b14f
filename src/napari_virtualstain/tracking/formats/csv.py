"""Tracks as comma-separated values: a plain table that every program reads.

``tracks.csv`` holds the table, with the parents of each track as ``3;7`` in the column
``parents`` and the scale of the movie in two more; ``tracks.events.csv`` beside it holds
fissions and fusions, when there are any. Numbers are written so that they come
back bit by bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ...errors import ImageFileError, InputError
from ...io import write_table
from ..tables import EVENT_COLUMNS, TrackTables

# pandas 3.1 reads floats exactly by itself and warns when asked to
_EXACT: dict[str, Any] = {} if pd.__version__ >= "3.1" else {"float_precision": "round_trip"}
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
    parents = {child: ";".join(map(str, names)) for child, names in tracks.graph.items()}
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
    source = Path(path)
    table = _read(source, {"parents": str, "pieces": str})
    parents = table.get("parents", pd.Series("", index=table.index)).fillna("")
    scale = {name: _constant(table, name) for name in ("pixel_size_um", "frame_interval_s")}
    graph = {
        int(child): [int(name) for name in text.split(";")]
        for child, text in zip(table.get("track_id", []), parents, strict=False)
        if text
    }
    # beside the tracks of a pipeline run the events have a name of their own
    candidates = (events_path(source), source.with_name("events.csv"))
    beside = next((path for path in candidates if path.exists()), None)
    events = None
    if beside is not None:
        events = _read(beside, {"parents": str, "children": str}).fillna(
            {"parents": "", "children": ""}
        )[list(EVENT_COLUMNS)]
    return TrackTables.from_table(
        table.drop(columns=[name for name in _EXTRA if name in table]), graph, events, **scale
    )


def events_path(path: Path) -> Path:
    """Return where the events of the tracks in `path` are."""
    return path.with_name(f"{path.stem}.events.csv")


def _constant(table: pd.DataFrame, name: str) -> float:
    return float(table[name].iloc[0]) if name in table and len(table) else 1.0


def _read(path: Path, kinds: dict[str, type]) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pd.read_csv(path, dtype=kinds, **_EXACT)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ImageFileError(f"There is no file {path}. Check the name and the folder.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is no table of comma-separated values ({error}). Give a CSV that has the "
            "columns track_id, frame, y_um, x_um."
        ) from error
    return table
